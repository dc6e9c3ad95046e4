"""Programs judged by `UnitTests`, at the best level that works here."""

from __future__ import annotations

import asyncio

from searchkit import Problem, Prompt
from searchkit.engine.run import Run, Search
from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.types import Budget, Sample
from searchkit.verifiers.code.unit_tests import UnitTests

PROMPT = Prompt.of("Write it.")
LEVEL = next((level for level in levels.LEVELS if not levels.trouble(level)), "none")
SLOW = Limits(cpu=30, wall=120.0)


def verdict(tests, text, **options):
    """What `UnitTests` says of a program."""

    async def go():
        run = Run.root(Search(Problem("p", PROMPT)), 0, Budget())
        verifier = UnitTests(tests, LEVEL, **{"limits": SLOW, **options})
        [found] = await run.score(verifier, PROMPT, [Sample(text)])
        return found.verdict

    return asyncio.run(go())


def passed(tests, text, **options):
    return verdict(tests, text, **options).passed
