"""Best-of-N over agents with reflections, and without, on a simulated agent whose gain by one is known.

An attempt succeeds with the chance `ALONE`, and with `TOLD` where its prompt has the lesson: in a note on an earlier
problem (`Memory`), or in what was said of its own last draft (`Refine`). So the shares that are solved are known.
"""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest

from searchkit import Memory, Model, Problem, Prompt, Run, solve_many
from searchkit.function import Function
from searchkit.memory import FAILED, SUCCEEDED
from searchkit.strategies import BestOfN, Refine
from searchkit.testing import Scripted
from searchkit.types import Verdict
from searchkit.verifiers import Predicate

ALONE, TOLD, LESSON = 0.2, 0.5, "carry the one"
PROBLEMS, N = 300, 4


async def agent(task: Prompt, run: Run) -> str:
    """Its chance comes from its place in the search; what it is told changes how much chance it has."""
    return "right" if random.Random(run.seed).random() < (TOLD if LESSON in task.text else ALONE) else "wrong"


def judged(said: str) -> Verdict:
    return Verdict(passed=said == "right", feedback="" if said == "right" else f"It failed: {LESSON}.")


JUDGE = Predicate(judged, name="judged")
AGENT = Function(agent, name="agent")


def solved(strategy: Any, memory: Memory | None = None) -> list[bool]:
    """Of each problem, whether its answer is right. Every agent call costs a generation."""
    problems = [Problem(f"p{n}", Prompt.of(f"add up sum number {n}")) for n in range(PROBLEMS)]
    outcomes = asyncio.run(solve_many(problems, strategy, generator=AGENT, memory=memory, seed=3))
    results = [outcome.unwrap() for outcome in outcomes]
    assert all(result.usage.generations <= N for result in results)
    return [result.answer == "right" for result in results]


def check(found: list[bool], expected: float) -> None:
    """Within four standard errors of what is expected."""
    assert abs(sum(found) / len(found) - expected) < 4 * math.sqrt(expected * (1 - expected) / len(found))


def won(ours: list[bool], theirs: list[bool]) -> float:
    """The chance of so many more problems solved by ours alone than by theirs alone, were both alike (a sign test)."""
    more = sum(a and not b for a, b in zip(ours, theirs, strict=True))
    less = sum(b and not a for a, b in zip(ours, theirs, strict=True))
    return sum(math.comb(more + less, n) for n in range(more, more + less + 1)) / 2 ** (more + less)


@pytest.mark.slow
def test_reflections_on_earlier_problems() -> None:
    """All but the first problem are told; the lesson is written by a model, of successes and of failures."""
    plain = solved(BestOfN(N, JUDGE))
    check(plain, 1 - (1 - ALONE) ** N)
    writer = Model(Scripted(lambda request: f"Always {LESSON}."))
    memory = Memory(JUDGE, success=SUCCEEDED, failure=FAILED, generator=writer)
    told = solved(BestOfN(N, JUDGE), memory)
    check(told[1:], 1 - (1 - TOLD) ** N)
    assert len(memory.notes) == PROBLEMS
    assert won(told, plain) < 1e-6


@pytest.mark.slow
def test_reflections_on_its_own_failures() -> None:
    """As many attempts, one after the other, each but the first told what was wrong with the last."""
    plain = solved(BestOfN(N, JUDGE))
    chained = solved(Refine(N - 1, JUDGE, answer="accepted"))
    check(chained, 1 - (1 - ALONE) * (1 - TOLD) ** (N - 1))
    assert won(chained, plain) < 1e-6


@pytest.mark.slow
def test_without_a_lesson_reflections_gain_nothing() -> None:
    """Notes and feedback that say nothing: what the gain above came from."""
    plain = solved(BestOfN(N, JUDGE))
    empty = Predicate(lambda said: Verdict(passed=said == "right"), name="silent")
    writer = Model(Scripted(lambda request: "Be careful."))
    memory = Memory(empty, success=SUCCEEDED, failure=FAILED, generator=writer)
    check(solved(BestOfN(N, empty), memory), 1 - (1 - ALONE) ** N)
    check(solved(Refine(N - 1, empty, answer="accepted")), 1 - (1 - ALONE) ** N)
    check(plain, 1 - (1 - ALONE) ** N)
