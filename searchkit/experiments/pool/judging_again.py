"""Judging a pool again: another truth says which stored samples are right, and nothing is drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry
from searchkit.experiments.pool.judging import check_alone, verdicts_of
from searchkit.experiments.pool.pool import Pool
from searchkit.experiments.unknown import truth as truth_of
from searchkit.mistakes import check_references, listed
from searchkit.protocols import Generator, Run, Verifier
from searchkit.searching import NO_BUDGET
from searchkit.solve import solve
from searchkit.strategy import Strategy
from searchkit.types import Budget, Message, Problem, Prompt, Sample, Text, Usage


@dataclass(frozen=True)
class Judging(Strategy):
    """The entries with what `truth` says of each: `correct`, `unknown` and `feedback`. The answer is the tuple of them.

    Cost: one verification a sample that did not fail, and the model calls that the truth makes.
    """

    truth: Verifier
    entries: tuple[Entry, ...]

    async def search(self, prompt: Prompt, run: Run) -> Sample[tuple[Entry, ...]]:
        samples = [Sample(e.value, finish=e.finish) for e in self.entries if e.finish != "error"]
        verdicts = iter(await verdicts_of(self.truth, prompt, samples, run) if samples else ())
        found = list[Entry]()
        for entry in self.entries:
            if entry.finish != "error":
                said = truth_of(next(verdicts), self.truth, "truth")
                entry = replace(entry, correct=said.correct, unknown=said.unknown, feedback=said.feedback)
            found.append(entry)
        return Sample(tuple(found), message=Message("assistant", (Text(f"{len(found)} verdicts"),)))


async def judge_again(
    pool: Pool,
    problems: Iterable[Problem],
    truth: Verifier,
    *,
    generator: Generator | Callable[..., Any] | None = None,
    seed: int = 0,
    budget: Budget | None = None,
) -> tuple[Pool, Usage]:
    """The pool with the verdicts of `truth` in place of those that it has, and what they cost.

    problems: those of the pool, which keeps neither prompts nor references. truth: judges each sample by itself, by its
    value. generator: for verifiers that ask the one given to `solve`. budget: for each problem. Samples that failed
    stay as they are.

    Raises `ConfigError` before any call if a problem is missing, has no reference that the truth can use, or if the
    truth does not say what is right.
    """
    given = listed("problems", problems, "[Problem(...), ...]")
    if odd := [one for one in given if not isinstance(one, Problem)]:
        raise ConfigError(f"problems are Problem objects, got {odd[0]!r:.80}")
    known = {one.id: one for one in given}
    if missing := pool.entries.keys() - known.keys():
        raise ConfigError(f"problem {min(missing)!r:.80} of the pool is not among problems: pass all of them")
    check_alone(truth)
    for name in pool.entries:
        check_references([truth], known[name])
    found, usage = dict[str, tuple[Entry, ...]](), Usage()
    for name, column in pool.entries.items():
        judging = Judging(truth, column)
        result = await solve(known[name], judging, generator=generator, seed=seed, budget=budget or NO_BUDGET)
        found[name] = result.answer
        usage += result.usage
    return Pool(found), usage
