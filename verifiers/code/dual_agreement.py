"""DualAgreement: programs that agree with many generated tests, and with many other programs about which (CodeT)."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from searchkit import templates as wording
from searchkit.answers.programs import LONGEST, NO_PROGRAM, aside, is_program, program
from searchkit.errors import ConfigError, VerifierError
from searchkit.protocols import Generator, Run
from searchkit.sandbox.levels import Level
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.process import Broken
from searchkit.types import Params, Problem, Prompt, Sample, Verdict
from searchkit.verifiers.base import Together, rebound
from searchkit.verifiers.code.bench import EACH, Bench, Test, check_bench, named
from searchkit.verifiers.code.generated import assertions
from searchkit.verifiers.code.misread import common_function, unknown_names, without_tests
from searchkit.verifiers.code.suite import Suite, read
from searchkit.verifiers.code.taken import taken
from searchkit.verifiers.judges.asking import check_asking, name_of

WRITE_TESTS = """{task}

Do not solve this task. Write tests for a solution instead: ten lines in one Python code block, each of the form \
`assert function(arguments) == result`, with results that follow from the task. Include the cases that are easily \
overlooked."""

Passed = frozenset[Test]  # the tests that a program passes


@dataclass(frozen=True)
class DualAgreement(Together):
    """Scores programs by the tests they pass together: sqrt(programs) * tests of each group that passes the same tests.

    - tests: texts of Python to run, read as those of `UnitTests`: each case in them is a test. None lets a model write
      them.
    - generator: that model, None for the one given to `solve`. Of its replies those lines are used that assert
      something of a call to the program, and can do no more than that, in lists and in ``def check(candidate)`` too;
      one that is written twice counts twice. A reply without such a line is an error that the search survives, and so
      are names in tests that no program defines; the feedback says so, too.
    - samples: how often it is asked.
    - template: what it is asked (field: {task}).
    - params: for its replies; None takes its own.
    - entry_point, prompt: as in `UnitTests`; a problem's reference that is a mapping gives them, and nothing else of it
      is used.
    - sandbox: as in `UnitTests`.
    - limits: of a program with one test. Each test is run in processes of its own, so that one that runs away, fills
      the memory or ends the program fails itself alone, wherever it stands.
    - libraries: as in `UnitTests`; by default there is the standard library alone.

    Joint. Truncated samples, those whose sandbox broke and those whose every test could not be judged abstain and
    belong to no group; all do if there are no tests. A program that passes no test scores 0, and so does a reply
    without a program, which is unread. Groups with equal scores
    are equally good: a strategy that takes the best one takes the first of their programs, where the authors' code
    counts the mean over them. Raises `ConfigError` where there is no sandbox, and what the generator
    raises if no reply came.

    Range: [0, 1], the score over its greatest value, sqrt(n) * tests for n programs. Cost for n samples: `samples`
    model calls if tests are to be written, and a run of each distinct program with each distinct
    test, of which each may take all of `limits`. Source: Chen et al. 2022, CodeT,
    as in the authors' released code, which takes the root.
    """

    tests: tuple[str, ...] | None = None
    generator: Generator | None = None
    samples: int = 1
    template: str = WRITE_TESTS
    params: Params | None = None
    entry_point: str = ""
    prompt: str = ""
    sandbox: Level = "auto"
    limits: Limits = EACH
    libraries: tuple[str, ...] = ()

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def __post_init__(self) -> None:
        check_asking(self, self.generator, samples=1)
        wording.check(self.template, {"task"}, {"task"})
        self._given()
        check_bench(self)

    @property
    def oracle(self) -> bool:
        """It takes the names of a reference, not its tests."""
        return False

    @property
    def key(self) -> str:
        asked = f"{name_of(self.generator)}:{self.samples}:{self.params}:{self.template!r}"
        ran = f"{self.entry_point}:{self.prompt!r}:{self.sandbox}:{self.limits}:{self.libraries}:{sys.version_info[:2]}"
        return f"dual agreement:4:{self.tests}:{asked}:{ran}"

    def bind(self, problem: Problem) -> DualAgreement:
        """The same with the names of the problem's reference, withheld or not. Its tests are not looked at."""
        return rebound(self, **named(self, problem, "entry_point", "prompt"))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        given = self.tests is not None
        written, trouble = (self._given(), "") if given else await self._written(prompt, samples, run)
        tests = Counter(written)
        if not tests:
            return [Verdict(feedback=f"there are no tests: {trouble}")] * len(samples)
        names = taken(Suite(tuple(text for text, _ in tests), entry_point=self.entry_point))
        texts = list[str | None]()
        for one in samples:
            texts.append(None if one.truncated else await aside(len(one.text), program, one.text, names, self.prompt))
        found = [text for text in dict.fromkeys(texts) if text is not None]
        bare = {text for text in found if not await aside(len(text), is_program, text, self.prompt)}
        distinct = [text for text in found if text not in bare]
        size = sum(map(len, distinct)) + sum(len(text) for text, _ in tests)
        wanted = [text for text, _ in tests]
        if strange := await aside(size, unknown_names, wanted, distinct, self.prompt, self.entry_point):
            run.fail(VerifierError(strange))

        async def passed(text: str, child: Run) -> Passed | str:
            return await self._passed(text, tuple(tests))

        outcomes = await run.map(passed, distinct, name="program")
        known: dict[str, Passed | str] = dict.fromkeys(bare, frozenset())
        known |= {text: outcome.unwrap() for text, outcome in zip(distinct, outcomes, strict=True)}
        verdicts = _verdicts(["it was truncated" if text is None else known[text] for text in texts], tests, strange)
        none = Verdict(0.0, feedback=NO_PROGRAM, unread=True)
        return [none if text in bare else verdict for text, verdict in zip(texts, verdicts, strict=True)]

    async def _written(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> tuple[list[Test], str]:
        """The tests, and what is wrong with replies that have none."""
        question = wording.worded(prompt, self.template)
        replies = await run.sample(self.generator, question, self.samples, params=self.params, partial=True)
        size = sum(len(one.text) for one in (*samples, *replies))
        found, trouble = await aside(
            size, _read, [one.text for one in replies], [one.text for one in samples], self.entry_point
        )
        if trouble:
            run.fail(VerifierError(trouble))
        return [(test, "") for tests in found for test in tests], trouble

    def _given(self) -> list[Test]:
        """The tests that were given. Raises `ConfigError`, as `UnitTests` does."""
        if self.tests is None:
            return []
        suite = read({"tests": self.tests, "entry_point": self.entry_point, "prompt": self.prompt})
        cases = suite.cases or [""] * len(suite.tests)
        found = [(text, case) for text, case in zip(suite.tests, cases, strict=True) if isinstance(text, str)]
        if len(found) < len(suite.tests):
            raise ConfigError(f"DualAgreement(tests=...) are texts of Python, got {self.tests!r:.80}")
        return found

    async def _passed(self, text: str, tests: tuple[Test, ...]) -> Passed | str:
        """What passes; or why that is not known."""
        if len(text) > LONGEST:
            return frozenset()
        bench = Bench(self.sandbox, self.limits, self.entry_point, self.prompt, self.libraries)
        try:
            reports = await bench.reports(text, tests)
        except Broken as error:
            return f"the sandbox broke: {error}"
        if all(report.passed == (None,) for report in reports):
            return reports[0].reason
        return frozenset(test for test, report in zip(tests, reports, strict=False) if report.passed == (True,))


def _read(replies: list[str], programs: list[str], entry_point: str) -> tuple[list[list[str]], str]:
    """The tests in each of the replies, and what is wrong with replies that have none."""
    subject = entry_point or common_function(map(program, programs))
    found = [assertions(reply, entry_point, subject) for reply in replies]
    return found, without_tests(replies, found)


def _verdicts(passed: Sequence[Passed | str], tests: Counter[Test], strange: str = "") -> list[Verdict]:
    """One a program; one with a reason instead of tests has no part in it. strange: what is wrong with the tests."""
    groups = Counter(group for group in passed if not isinstance(group, str))
    programs, most = groups.total(), tests.total()
    verdicts = []
    for group in passed:
        if isinstance(group, str):
            verdicts.append(Verdict(feedback=f"not compared: {group}"))
            continue
        right = sum(tests[test] for test in group)
        score = math.sqrt(groups[group] / programs) * right / most
        which = f"these {right} of {most} tests" if right else f"none of the tests ({most})"
        said = f"{groups[group]} of {programs} programs pass {which}"
        verdicts.append(Verdict(score, feedback=f"{said}; {strange}" if strange else said))
    return verdicts
