"""Scoring a pool again: a verifier judges samples that are stored, and nothing is drawn anew."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from searchkit.engine.journal import Journal
from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry
from searchkit.experiments.pool.by_prompt import by_prompt, name_of
from searchkit.experiments.pool.judging import check_alone
from searchkit.experiments.pool.pool import Pool
from searchkit.mistakes import check_references, listed
from searchkit.protocols import Generator, Run, Verifier
from searchkit.searching import NO_BUDGET
from searchkit.solve import solve_many
from searchkit.strategy import Strategy
from searchkit.types import Budget, Message, Problem, Prompt, Sample, Text, Usage

Scores = tuple[float | None, ...]


@dataclass(frozen=True)
class Rescore(Strategy):
    """The scores that `verifier` gives to the samples stored for a prompt; the answer is the tuple of them, in order.

    Cost: one verification a sample, and the model calls that the verifier makes.
    """

    verifier: Verifier
    stored: Mapping[bytes, tuple[Sample[Any], ...]]

    async def search(self, prompt: Prompt, run: Run) -> Sample[Scores]:
        scored = await run.score(self.verifier, prompt, self.stored[name_of(prompt)])
        message = Message("assistant", (Text(f"{len(scored)} scores"),))
        return Sample(tuple(one.score for one in scored), message=message)


async def score(
    pool: Pool,
    problems: Iterable[Problem],
    verifier: Verifier,
    name: str,
    *,
    generator: Generator | Callable[..., Any] | None = None,
    journal: Journal | str | os.PathLike[str] | None = None,
    seed: int = 0,
    concurrency: int = 16,
    budget: Budget | None = None,
    progress: bool = False,
) -> tuple[Pool, Usage]:
    """The pool with `verifier`'s scores as `Entry.scores[name]`, and what they cost (without problems that failed).

    problems: those of the pool, which keeps neither prompts nor references. Judged are the samples that did not fail
    and have no such score yet: by their values, since log-probabilities and steps are not stored. generator: for
    verifiers that ask the one given to `solve`. budget: for each problem; what it does not reach, and what the verifier
    abstains from, has no score.

    With a journal it is resumable: no verdict is paid twice. Interrupted (Ctrl-C under `run_sync`), it returns the
    pool with the scores of the problems that were finished. Raises `ConfigError` before any call if a problem is
    missing, and the first error if not a single problem could be scored.
    """
    given = listed("problems", problems, "[Problem(...), ...]")
    wanted = [problem for problem in given if problem.id in pool.entries]
    if missing := pool.entries.keys() - {problem.id for problem in wanted}:
        raise ConfigError(f"problem {min(missing)!r} of the pool is not among problems: pass all of them")
    check_alone(verifier)
    for problem in wanted:
        check_references([verifier], problem)
    wanted = [p for p in wanted if any(_is_bare(entry, name) for entry in pool.entries[p.id])]
    stored = by_prompt(wanted, {p.id: _samples(pool.entries[p.id], name) for p in wanted})
    outcomes = await solve_many(
        wanted, Rescore(verifier, stored), generator=generator, budget=budget or NO_BUDGET, seed=seed,
        journal=journal if isinstance(journal, Journal) or journal is None else os.fspath(journal),
        concurrency=concurrency, progress=progress,
    )  # fmt: skip
    if outcomes and (failure := outcomes[0].error) and not any(outcome.ok for outcome in outcomes):
        raise failure
    usage, scores = Usage(), dict[str, Scores]()
    for outcome in outcomes:
        if outcome.value is not None and outcome.value.stopped not in ("cancelled", "error"):
            scores[wanted[outcome.index].id] = outcome.value.answer
            usage += outcome.value.usage
    return Pool({p: _with(column, name, scores.get(p, ())) for p, column in pool.entries.items()}), usage


def _is_bare(entry: Entry, name: str) -> bool:
    return entry.finish != "error" and name not in entry.scores


def _samples(column: Iterable[Entry], name: str) -> tuple[Sample[Any], ...]:
    """What the verifier is shown: the samples without a score, as far as they are stored."""
    return tuple(Sample(e.value, finish=e.finish) for e in column if e.finish != "error" and _is_bare(e, name))


def _with(column: Iterable[Entry], name: str, scores: Scores) -> tuple[Entry, ...]:
    """The entries; those without a score, in order, with theirs if there are any."""
    left, found = iter(scores), list[Entry]()
    for entry in column:
        new = next(left, None) if _is_bare(entry, name) else None
        found.append(entry if new is None else replace(entry, scores={**entry.scores, name: new}))
    return tuple(found)
