"""Accuracy within a context window, a number of tokens or a time: what parallel and serial reasoning are compared by.

A success counts only if the search kept within the limit. Definitions: Pan et al., Learning Adaptive Parallel Reasoning
with Language Models, and released ``eval_apr.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.intervals import Interval, bootstrap, paired_bootstrap
from searchkit.result import Result
from searchkit.trace import Span

Measure = Literal["total", "context", "sequential", "seconds"]
Count = Callable[[str], int]
_UNITS: dict[Measure, str] = {
    "total": "tokens in all",
    "context": "tokens of context",
    "sequential": "tokens in sequence",
    "seconds": "seconds",
}


@dataclass(frozen=True, slots=True)
class Spent:
    """What one search took. What a thread was given counts like what it wrote, so without spawns the first three agree.

    total: tokens of all sequences, where a text that goes on after a join is counted once. context: tokens of the
    longest sequence. sequential: tokens on the longest chain of sequences that waited for one another, the critical
    path: a parent's own, and for each spawn the longest child's. seconds: wall time. Always context <= total and
    sequential <= total.
    """

    total: int
    context: int
    sequential: int
    seconds: float


def spent(result: Result[Any], count: Count) -> Spent:
    """What `result` took by these definitions, read from its trace.

    count: the tokens of a text, by the model's own tokenizer; needed for join blocks, which no server reports. A text
    that was continued by `SpawnJoin` counts as its first prompt, all that was generated and all that was joined; every
    other call counts as its prompt and what it generated. (The released script counts the tokens with which a spawn
    block and its join block begin alike once; here they count in both.) `Result.usage` is what was sent and billed
    instead: there the text so far counts again after each join. `Result.sequential_tokens` is the critical path of
    generated tokens alone.
    """
    total, sequential = dict[int, int](), dict[int, int]()
    for span in reversed(list(result.trace.walk())):  # children before parents
        own, joined = list[int](), None
        chain = list[int]()
        for child in span.children:
            if child.kind == "call":
                known = count(joined) if joined is not None else child.usage.prompt_tokens
                own.append(known + child.usage.generated_tokens + total[id(child)])
                chain.append(known + child.usage.generated_tokens + sequential[id(child)])
                joined = None
            elif _joins(child):
                joined = child.text
            else:
                own.append(total[id(child)])
                chain.append(sequential[id(child)])
        total[id(span)] = sum(own)
        sequential[id(span)] = span.chained(chain)
    top = id(result.trace)
    return Spent(total[top], result.usage.longest_context, sequential[top], result.wall_s)


def _joins(span: Span) -> bool:
    """Whether the span holds a text that was put into a sequence."""
    return span.kind == "item" and span.name == "join" and not span.children


@dataclass(frozen=True, slots=True)
class Attempt:
    """One search for one problem: whether its answer was right, and what it took."""

    problem: str
    correct: bool
    spent: Spent


@dataclass(frozen=True)
class WithinBudget:
    """Accuracy in [0, 1] within each limit of one measure.

    - measure: what is limited.
    - limits: of it, ascending.
    - mean: over problems, one a limit.
    - low, high: one a limit; they bound the mean over problems at `level` (NaN for a single problem).
    - problems: their ids.
    - per_problem: [problems, limits], the share of a problem's attempts that were right within the limit.
    - level: of the intervals.
    """

    measure: Measure
    limits: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    problems: tuple[str, ...] = field(repr=False)
    per_problem: NDArray[np.float64] = field(repr=False, compare=False)
    level: float = 0.95

    def minus(self, other: WithinBudget, *, draws: int = 2000, seed: int = 0) -> Interval:
        """The difference to another method over the same problems and limits, with a paired interval at this level."""
        if (self.measure, self.limits, self.problems) != (other.measure, other.limits, other.problems):
            raise ConfigError("the two differ in measure, limits or problems: compare two that share all three")
        return paired_bootstrap(self.per_problem, other.per_problem, draws, seed, self.level)

    def table(self) -> str:
        """As text, in percent: ``limit  mean [low, high]``."""
        rows = [f"{_UNITS[self.measure]:>20}  accuracy (%)"]
        for limit, mean, low, high in zip(self.limits, self.mean, self.low, self.high, strict=True):
            bounds = f"[{100 * low:.1f}, {100 * high:.1f}]" if low == low else "[no interval]"
            rows.append(f"{limit:>20,g}  {100 * mean:.1f} {bounds}")
        return "\n".join(rows)


def accuracy_within(
    attempts: Iterable[Attempt], measure: Measure, limits: Sequence[float], *, seed: int = 0, level: float = 0.95
) -> WithinBudget:
    """Accuracy where a right answer counts only if the search took at most so much of `measure`.

    attempts: all of them, failed ones too (an attempt that raised is a wrong one); several of one problem are averaged.
    limits: ascending. seed: for the bootstrap over problems. Cost: no model calls.
    """
    if measure not in get_args(Measure):
        raise ConfigError(f"measure is one of {', '.join(get_args(Measure))}, got {measure!r}")
    if not limits or any(not a < b for a, b in pairwise(limits)) or limits[0] != limits[0]:
        raise ConfigError(f"limits must ascend, and there must be one at least, got {limits!r}")
    by_problem: dict[str, list[list[bool]]] = {}
    for attempt in attempts:
        taken = getattr(attempt.spent, measure)
        by_problem.setdefault(attempt.problem, []).append([attempt.correct and taken <= limit for limit in limits])
    if not by_problem:
        raise ConfigError("there are no attempts to estimate an accuracy from")
    values = np.array([np.mean(rows, axis=0) for rows in by_problem.values()], dtype=float)
    values.setflags(write=False)
    found = bootstrap(values, seed=seed, level=level)
    return WithinBudget(
        measure,
        tuple(limits),
        *found.columns(),
        tuple(by_problem),
        values,
        level,
    )
