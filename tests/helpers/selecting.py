"""What the tests of selection rules share: a choice among given candidates through a real run."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from benchmarks.published import DATA, qwen_math
from searchkit.engine.run import Run, Search
from searchkit.types import Budget, Choice, Problem, Prompt, Sample, Scored, Verdict

PROMPT = Prompt.of("q")


def candidate(value: Any, score: Any = None, finish: Any = "stop") -> Scored:
    """A sample with its score; a tuple is the scores of its steps."""
    verdict = Verdict(score[-1], step_scores=score) if isinstance(score, tuple) else Verdict(score)
    return Scored(value if isinstance(value, Sample) else Sample(value, finish=finish), verdict)


def select(selector: Any, *scored: Scored, seed: int = 0) -> Choice:
    """What `selector` chooses."""
    return selecting(selector, *scored, seed=seed)[0]


def selecting(selector: Any, *scored: Scored, seed: int = 0) -> tuple[Choice, Search]:
    """What `selector` chooses, and the search, which holds errors and usage."""

    async def go() -> Choice:
        return await selector.select(PROMPT, list(scored), Run.root(search, seed, Budget()))

    search = Search(Problem("p", PROMPT))
    return asyncio.run(go()), search


def shares(selector: Any, scored: list[Scored], seeds: int) -> list[float]:
    """How often each candidate is chosen, over seeds 0, 1, ..."""

    async def go() -> list[int | None]:
        search = Search(Problem("p", PROMPT))
        return [(await selector.select(PROMPT, scored, Run.root(search, s, Budget()))).index for s in range(seeds)]

    found = asyncio.run(go())
    return [found.count(i) / seeds for i in range(len(scored))]


def leader(ballots: list[tuple[int, Any, float]]) -> int:
    """By hand: of (index, answer, weight) the first index of the answer with the greatest sum, first seen on ties."""
    totals = Counter[Any]()
    for _, answer, weight in ballots:
        totals[answer] += weight
    best = max(totals.values())
    winner = next(answer for answer in totals if totals[answer] == best)
    return next(index for index, answer, _ in ballots if answer == winner)


def reward_model_rows() -> list[tuple[list[str], list[bool], list[float]]]:
    """Answers, whether they are right, and reward-model logits of 8 samples for each of 100 MATH problems."""
    if not DATA.is_dir():
        pytest.skip("recorded generations are not in ../shared/data")
    columns = qwen_math(DATA).entries.values()
    return [([e.key for e in c], [e.correct for e in c], [e.scores["logit"] for e in c]) for c in columns]
