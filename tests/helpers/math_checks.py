"""What the tests of `MathEqual` share: judging pairs, and judging values through a real run."""

from __future__ import annotations

import asyncio

from searchkit.engine.run import Run, Search
from searchkit.types import Budget, Problem, Prompt, Sample
from searchkit.verifiers.reference.maths.answer import judge, read
from searchkit.verifiers.reference.maths.outcome import Outcome
from searchkit.verifiers.reference.maths.worker import QUEUE

PROMPT = Prompt.of("How much is it?")


def verify(verifier, *values):
    """The verdicts on samples with these values."""

    async def go():
        run = Run.root(Search(Problem("p", PROMPT)), 0, Budget())
        return await verifier.verify(PROMPT, [Sample(value) for value in values], run)

    return asyncio.run(go())


def outcome(a: str, b: str) -> Outcome:
    """What is decided about two answers, by the worker where exact arithmetic does not decide."""
    left, right = read(a), read(b)
    assert left is not None
    assert right is not None
    decided = judge(left, right)
    return QUEUE.worker.compare(a, b) if decided.equal is None else decided
