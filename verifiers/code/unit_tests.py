"""UnitTests: the sample is a program, and it passes the tests that are run against it in a sandbox."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from searchkit.answers.programs import LONGEST, NO_PROGRAM, aside, goes_on, is_half_escaped, is_program, program
from searchkit.errors import ConfigError, VerifierError
from searchkit.protocols import Run
from searchkit.sandbox.levels import Level, check, choose, installed
from searchkit.sandbox.limits import DEFAULT, Limits
from searchkit.sandbox.pool import POOL
from searchkit.sandbox.process import Broken
from searchkit.sandbox.report import Case
from searchkit.types import Problem, Prompt, Sample, Verdict
from searchkit.verifiers.base import Independent, identity
from searchkit.verifiers.code.printed import Checker, within
from searchkit.verifiers.code.suite import Suite, read
from searchkit.verifiers.code.taken import taken

UNBOUND = "UnitTests needs tests: pass Problem(id, prompt, reference=...) or UnitTests(tests)"

TWO_WAYS = "the program has &lt; or its like for a sign and in a text, so that it can be read in two ways"


@dataclass(frozen=True)
class UnitTests(Independent):
    """Runs the program that a sample is against tests; its score is the share of them that pass.

    tests: Python that ends without an exception where the program is right, which is one test; a list of such texts,
    each a test; a list of (stdin, stdout) pairs, for programs that read and print; or a mapping that has one of these
    as "tests" or "test". In a mapping, "entry_point" is the one name that the tests take from the program, "prompt"
    is the beginning of the program, which a sample may continue or repeat, and "setup" stands in front of each test,
    and the program can use what it defines.
    Records of HumanEval, MBPP, APPS and LiveCodeBench are such mappings; in the two last programs have the imports that
    their sites make for them, and may continue "starter_code". Functions and methods of `unittest.TestCase`
    called test... are run one by one, each a test of its own. None takes the problem's reference.
    Tests that are given stay, whatever the problem's reference is: that may be what nobody is to see.
    libraries: packages that a program may import beside the standard library, as they are imported. None: those that
    the tests import. They are loaded once and not for each program.
    tolerance: how far a number that a program prints may be from the expected one, relative to it, or absolutely for
    numbers below 1; both must be written with a point or an exponent. 0 compares texts.
    checker: of what was typed, what was printed and what is expected, whether that is right, for problems with several
    right answers; called in this process, with whatever the program printed. Where it raises, the sample abstains.

    The program is what of the sample's text the tests need: the last definitions of the names that they use, with the
    blocks that those need; see `searchkit.answers.programs.program`. It runs in a process of its own, the tests in
    another one, and what passes between the two is plain data: a program can answer and nothing else.
    sandbox: "bubblewrap", "landlock", or "auto" for the first of these that works; the verdict's feedback names it.
    "none" runs programs as you, held by nothing but `limits`. What ends the program (a limit, a crash) fails the test
    that was running and those after it. The sample abstains where the sandbox breaks; where a program was stopped by an
    import that is not named; and where a test does something with the program or its surroundings that cannot be known
    from outside: the feedback says what. One that fails another test is failed, and a test that could not be judged is
    not passed in its score. A sample without anything that could be a program is failed and unread.

    Range: [0, 1]. Cost: one verification a sample and no model call; some milliseconds of CPU beyond the program's own,
    in other processes: `Usage` lacks them. Programs run on as many cores as there are. Raises `ConfigError` where there
    is no sandbox, for tests that cannot be read, and when bound to a problem without a reference.
    """

    tests: Any = None
    sandbox: Level = "auto"
    limits: Limits = DEFAULT
    libraries: tuple[str, ...] | None = None
    tolerance: float = 0.0
    checker: Checker | None = None
    suite: Suite | None = field(init=False, repr=False, compare=False, default=None)
    of_problem: bool = field(init=False, repr=False, compare=False, default=False)

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def __post_init__(self) -> None:
        check(self.limits)
        choose(self.sandbox)
        if self.libraries is not None:
            installed(self.libraries, "UnitTests(libraries=...) names")
        if self.checker is not None and not callable(self.checker):
            raise ConfigError(f"UnitTests(checker=) is a callable of three texts, got {self.checker!r}")
        if not 0 <= self.tolerance < math.inf or (self.tolerance and self.checker):
            raise ConfigError(f"UnitTests(tolerance=) is a number >= 0, and stands alone, got {self.tolerance!r}")
        if self.tests is not None:
            suite = read(self.tests)
            if (self.tolerance or self.checker) and not suite.scripts:
                raise ConfigError("tolerance and checker are for tests of what is printed, (stdin, stdout) pairs")
            object.__setattr__(self, "suite", suite)

    @property
    def oracle(self) -> bool:
        """Whether its tests are a problem's reference, and not those that it was given."""
        return self.of_problem

    @property
    def key(self) -> str:
        """Identity: a digest of the tests, the limits, the sandbox and the version of Python."""
        digest = blake2b(repr(self.suite).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        judged = f"{self.libraries}:{self.tolerance}:{identity(self.checker) if self.checker else None}"
        return f"unit tests:6:{digest}:{self.limits}:{self.sandbox}:{judged}:{sys.version_info[:2]}"

    def bind(self, problem: Problem) -> UnitTests:
        """The same limits with the tests that `problem.reference` is, if it has none but those of another problem."""
        if problem.reference is None and self.tests is None:
            raise ConfigError(UNBOUND)
        if problem.reference is None or (self.tests is not None and not self.of_problem):
            return self
        bound = replace(self, tests=problem.reference)
        object.__setattr__(bound, "of_problem", True)
        return bound

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        if self.suite is None:
            raise VerifierError(UNBOUND)
        suite, names = self.suite, taken(self.suite)
        return [await self._judge(suite, await aside(len(one.text), _read, one.text, suite, names)) for one in samples]

    async def _judge(self, suite: Suite, text: str | None) -> Verdict:
        if text is None:
            return Verdict(passed=False, feedback=NO_PROGRAM, unread=True)
        if len(text) > LONGEST:
            return Verdict(0.0, False, feedback=f"a program of more than {LONGEST:,} characters is not run")
        level = choose(self.sandbox)
        try:
            report = await POOL.run(level, self._case(suite, text), self.limits)
        except Broken as error:
            return Verdict(feedback=f"the sandbox ({level}) broke: {error}")
        right, all_of_them = report.passed.count(True), len(report.passed)
        said = f"passed {right} of {all_of_them} tests ({level})"
        said = f"{said}: {report.reason}" if report.reason else said
        if None in report.passed and False not in report.passed:
            return Verdict(feedback=said)
        if right < all_of_them and await aside(len(text), is_half_escaped, text):
            return Verdict(feedback=f"{TWO_WAYS} ({said})")
        return Verdict(right / all_of_them, right == all_of_them, feedback=said)

    def _case(self, suite: Suite, text: str) -> Case:
        libraries = suite.libraries if self.libraries is None else (*self.libraries, *suite.libraries)
        case = Case(
            text, suite.tests, suite.prompt, suite.entry_point, suite.cases, tuple(sorted(set(libraries))),
            suite.setup, suite.prelude,
        )  # fmt: skip
        accept = self.checker or (within(self.tolerance) if self.tolerance else None)
        return replace(case, accept=accept) if accept else case


def _read(text: str, suite: Suite, names: Collection[str]) -> str | None:
    """The program in a reply; None where there is none. One that is too long is not looked at."""
    begun = suite.prompt or suite.starter
    found = program(text, names, begun, reads=suite.scripts)
    if len(found) > LONGEST:
        return found
    if not is_program(found, begun):
        return None
    return suite.starter + found if suite.starter and goes_on(suite.starter, found) else found
