"""Programs with tests, one test at a time: what a model wrote may run away, and then fails itself alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.sandbox.levels import Level, check, choose, installed
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pool import POOL
from searchkit.sandbox.report import Case, Report
from searchkit.types import Problem

Test = tuple[str, str]
"""A text, and the function or "Class.method" that is run after it; "" for none."""
EACH = Limits(cpu=1, wall=10.0)
"""The limits of one program with one test. Tests that a model wrote are small, and there may be hundreds of them."""


@dataclass(frozen=True)
class Bench:
    """What every run of a program with a test has in common; the fields are those of `DualAgreement`."""

    sandbox: Level
    limits: Limits
    entry_point: str
    prompt: str
    libraries: tuple[str, ...]

    async def reports(self, text: str, tests: Sequence[Test]) -> list[Report]:
        """What became of each of `tests`, of the first alone where the program does not even get to it.

        Raises `Broken` where the sandbox breaks.
        """
        first = await self.run(text, tests[0])
        return [first, *[await self.run(text, test) for test in tests[1:] if first.started]]

    async def passed(self, text: str, tests: Sequence[str]) -> list[bool | None]:
        """Whether it passes each of `tests`, None where that cannot be known. Raises `Broken` as `reports` does."""
        found = [report.passed[0] for report in await self.reports(text, [(test, "") for test in tests])]
        return found + found[:1] * (len(tests) - len(found))  # it did not start: none of them was run

    async def run(self, text: str, test: Test) -> Report:
        case = Case(text, (test[0],), self.prompt, self.entry_point, (test[1],), self.libraries)
        return await POOL.run(choose(self.sandbox), case, self.limits)


def check_bench(owner: Any) -> None:
    """Raises `ConfigError` unless the fields `limits`, `sandbox` and `libraries` of `owner` can be had here."""
    check(owner.limits)
    choose(owner.sandbox)
    installed(owner.libraries, f"{type(owner).__name__}(libraries=...) names")


def named(owner: Any, problem: Problem, *names: str) -> dict[str, Any]:
    """These fields of `owner` as the problem's reference, withheld or not, has them; as they are where it has none."""
    known = problem.withheld if problem.reference is None else problem.reference
    found = known if isinstance(known, Mapping) else {}
    return {name: found.get(name) or getattr(owner, name) for name in names}
