"""What a sweep came to: accuracy and cost of every strategy under every budget, with intervals."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.compute import Compute
from searchkit.experiments.estimators.curves import Curve
from searchkit.experiments.estimators.intervals import Interval, bootstrap, paired_bootstrap
from searchkit.experiments.sweep import manifest
from searchkit.experiments.sweep import rows as sweep_rows
from searchkit.experiments.sweep.rows import Finished, Row

LEVEL = 0.95
HEAD = ("strategy", "budget", "searches", "failed", "accuracy (%)", "tokens", "sequential", "calls")


@dataclass(frozen=True)
class Summary:
    """One strategy under one budget.

    - strategy, budget: their names in the sweep.
    - searches: how many there are.
    - failed: how many of them failed; each is a wrong one.
    - accuracy: in [0, 1], over problems.
    - low, high: its 95 % interval (NaN for a single problem).
    - tokens: generated ones; like all that follows a mean over searches. Of tokens, calls and money, what was lost
      counts too (`rows.Lost`).
    - prompt_tokens, sequential_tokens, model_calls, usd: likewise.
    - seconds: as long as the search took beside the others.
    - problems: their ids.
    - per_problem: [problems], the share of a problem's seeds with a right answer, in the order of `problems`.
    """

    strategy: str
    budget: str
    searches: int
    failed: int
    accuracy: float
    low: float
    high: float
    tokens: float
    prompt_tokens: float
    sequential_tokens: float
    model_calls: float
    usd: float
    seconds: float
    problems: tuple[str, ...] = field(repr=False)
    per_problem: NDArray[np.float64] = field(repr=False, compare=False)


@dataclass(frozen=True)
class SweepResults:
    """The rows of a sweep, sorted, with the time that each took.

    strategies, budgets: their names, in the order of tables. complete: False if the sweep was interrupted.
    """

    finished: Sequence[Finished] = field(repr=False)
    strategies: tuple[str, ...]
    budgets: tuple[str, ...]
    complete: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "finished", tuple(sorted(self.finished, key=lambda one: one.row.key)))

    @classmethod
    def load(cls, out: str | os.PathLike[str]) -> SweepResults:
        """The results in the folder of a finished sweep; `ConfigError` if it is not finished, or damaged."""
        configuration = manifest.load(Path(out))["configuration"]
        return cls(sweep_rows.read(Path(out)), tuple(configuration["strategies"]), tuple(configuration["budgets"]))

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(one.row for one in self.finished)

    def summaries(self, *, seed: int = 0) -> list[Summary]:
        """One for each strategy and budget of which there are rows. seed: for the bootstrap."""
        groups: dict[tuple[str, str], list[Finished]] = {}
        for one in self.finished:
            groups.setdefault((one.row.strategy, one.row.budget), []).append(one)
        order = [(s, b) for s in self.strategies for b in self.budgets if (s, b) in groups]
        return [_summary(groups[cell], seed) for cell in order]

    def curves(self) -> list[Curve]:
        """Accuracy against compute: a curve for each strategy, a point for each budget, in the order of their tokens.

        `Curve.ks` only numbers the points: ``plot(results.curves(), "tokens")`` draws them.
        """
        found: list[Curve] = []
        points = self.summaries()
        for name in self.strategies:
            own = sorted((p for p in points if p.strategy == name), key=lambda p: p.tokens)
            if not own or any(p.problems != own[0].problems for p in own):
                raise ConfigError(f"{name!r} has not seen the same problems under all budgets: finish the sweep first")
            mean, low, high = zip(*((p.accuracy, p.low, p.high) for p in own), strict=True)
            values = np.array([p.per_problem for p in own]).T
            ks = tuple(range(1, len(own) + 1))
            found.append(Curve(name, ks, mean, low, high, _compute(own), own[0].problems, values, LEVEL))
        return found

    def table(self) -> str:
        """As text: accuracy with its interval, then means for one search."""
        rows = [HEAD, *(_cells(summary) for summary in self.summaries())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        aligned = [str.ljust] * 2 + [str.rjust] * (len(HEAD) - 2)
        lines = ("  ".join(a(cell, w) for a, cell, w in zip(aligned, row, widths, strict=True)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        from searchkit.markup.tables import html_table

        unfinished = "" if self.complete else "<p>The sweep is not finished.</p>"
        return unfinished + html_table(HEAD, map(_cells, self.summaries()), words=(0, 1))


def difference(a: Summary, b: Summary, *, seed: int = 0) -> tuple[tuple[str, ...], Interval]:
    """The problems that both have, and the paired difference of a's accuracy to b's over these, at 95 %."""
    first, second = (dict(zip(s.problems, s.per_problem.tolist(), strict=True)) for s in (a, b))
    common = tuple(problem for problem in a.problems if problem in second)
    if not common:
        raise ConfigError(f"{a.strategy!r} and {b.strategy!r} have no problem in common: compare sweeps over one set")
    return common, paired_bootstrap([first[p] for p in common], [second[p] for p in common], seed=seed, level=LEVEL)


def _summary(finished: Sequence[Finished], seed: int) -> Summary:
    by_problem: dict[str, list[bool]] = {}
    for one in finished:
        by_problem.setdefault(one.row.problem, []).append(one.row.right)
    values = np.array([np.mean(right) for right in by_problem.values()], dtype=float)
    found, first = bootstrap(values, seed=seed, level=LEVEL), finished[0].row
    return Summary(
        first.strategy, first.budget, len(finished), sum(bool(one.row.error) for one in finished),
        float(found.mean), float(found.low), float(found.high),
        _mean(one.row.generated_tokens + one.lost.generated_tokens for one in finished),
        _mean(one.row.prompt_tokens + one.lost.prompt_tokens for one in finished),
        _mean(one.row.sequential_tokens for one in finished),
        _mean(one.row.model_calls + one.lost.model_calls for one in finished),
        _mean(one.row.usd + one.lost.usd for one in finished),
        _mean(one.wall_s for one in finished), tuple(by_problem), values,
    )  # fmt: skip


def _compute(points: Sequence[Summary]) -> Compute:
    rows = ((p.tokens, p.prompt_tokens, p.sequential_tokens, p.seconds, p.usd) for p in points)
    return Compute(*(column if any(column) else () for column in zip(*rows, strict=True)))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def interval(mean: float, low: float, high: float) -> str:
    """In percent: ``61.0 [55.5, 66.0]``."""
    bounds = f"[{100 * low:.1f}, {100 * high:.1f}]" if low == low else "[no interval]"
    return f"{100 * mean:.1f} {bounds}"


def _cells(s: Summary) -> tuple[str, ...]:
    means = (f"{s.tokens:,.0f}", f"{s.sequential_tokens:,.0f}", f"{s.model_calls:,.1f}")
    return s.strategy, s.budget, f"{s.searches:,}", str(s.failed), interval(s.accuracy, s.low, s.high), *means
