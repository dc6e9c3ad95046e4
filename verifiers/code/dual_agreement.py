"""DualAgreement: programs that agree with many generated tests, and with many other programs about which (CodeT)."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit import templates as wording
from searchkit.answers.programs import LONGEST, program
from searchkit.errors import ConfigError
from searchkit.protocols import Generator, Run
from searchkit.sandbox.levels import Level, check, choose, installed
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pool import POOL
from searchkit.sandbox.process import Broken
from searchkit.sandbox.report import Case, Report
from searchkit.types import Params, Problem, Prompt, Sample, Verdict
from searchkit.verifiers.code.generated import assertions
from searchkit.verifiers.code.suite import Suite, read
from searchkit.verifiers.code.taken import taken
from searchkit.verifiers.judges.asking import check_generator, name_of

WRITE_TESTS = """{task}

Do not solve this task. Write tests for a solution instead: ten lines in one Python code block, each of the form \
`assert function(arguments) == result`, with results that follow from the task. Include the cases that are easily \
overlooked."""

Passed = frozenset[str]  # the tests that a program passes
EACH = Limits(cpu=1, wall=10.0)
"""The limits of one program with one test. Tests that a model wrote are small, and there may be hundreds of them."""


@dataclass(frozen=True)
class DualAgreement:
    """Scores programs by the tests they pass together: sqrt(programs) * tests of each group that passes the same tests.

    - tests: assertions to run, each a text of Python; None lets a model write them.
    - generator: that model, None for the one given to `solve`. Of its replies those lines are used that assert
      something of a call to the program, and can do no more than that; one that is written twice counts twice.
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
    belong to no group; all do if there are no tests. A program that passes no test scores 0. Groups with equal scores
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

    @property
    def joint(self) -> bool:
        return True

    def __post_init__(self) -> None:
        check_generator(self, self.generator)
        wording.check(self.template, {"task"}, {"task"})
        if self.samples < 1:
            raise ConfigError(f"DualAgreement needs samples >= 1, got {self.samples}")
        if self.tests is not None and not all(isinstance(test, str) for test in read(self.tests).tests):
            raise ConfigError(f"DualAgreement(tests=...) are texts of Python, got {self.tests!r:.80}")
        check(self.limits)
        choose(self.sandbox)
        installed(self.libraries, "DualAgreement(libraries=...) names")

    @property
    def key(self) -> str:
        asked = f"{name_of(self.generator)}:{self.samples}:{self.params}:{self.template!r}"
        ran = f"{self.entry_point}:{self.prompt!r}:{self.sandbox}:{self.limits}:{self.libraries}:{sys.version_info[:2]}"
        return f"dual agreement:2:{self.tests}:{asked}:{ran}"

    def bind(self, problem: Problem) -> DualAgreement:
        """The same with the names of the problem's reference, withheld or not. Its tests are not looked at."""
        known = problem.withheld if problem.reference is None else problem.reference
        if not isinstance(known, Mapping):
            return self
        named = {name: known.get(name) or getattr(self, name) for name in ("entry_point", "prompt")}
        return replace(self, **named)

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        tests = Counter(self.tests if self.tests is not None else await self._written(prompt, run))
        if not tests:
            return [Verdict(feedback="there are no tests")] * len(samples)
        names = taken(Suite(tuple(tests), entry_point=self.entry_point))
        texts = [None if sample.truncated else program(sample.text, names, self.prompt) for sample in samples]
        distinct = [text for text in dict.fromkeys(texts) if text is not None]

        async def passed(text: str, child: Run) -> Passed | str:
            return await self._passed(text, tuple(tests))

        outcomes = await run.map(passed, distinct, name="program")
        known = {text: outcome.unwrap() for text, outcome in zip(distinct, outcomes, strict=True)}
        return _verdicts(["it was truncated" if text is None else known[text] for text in texts], tests)

    async def _written(self, prompt: Prompt, run: Run) -> list[str]:
        question = wording.worded(prompt, self.template)
        replies = await run.sample(self.generator, question, self.samples, params=self.params, partial=True)
        return [test for reply in replies for test in assertions(reply.text, self.entry_point)]

    async def _passed(self, text: str, tests: tuple[str, ...]) -> Passed | str:
        """What passes; or why that is not known."""
        if len(text) > LONGEST:
            return frozenset()
        try:
            first = await self._run(text, tests[0])  # where that does not even get to the test, the others do not
            others = [await self._run(text, test) for test in tests[1:] if first.started]
        except Broken as error:
            return f"the sandbox broke: {error}"
        reports = [first, *others]
        if all(report.passed == (None,) for report in reports):
            return first.reason
        return frozenset(test for test, report in zip(tests, reports, strict=False) if report.passed == (True,))

    async def _run(self, text: str, test: str) -> Report:
        case = Case(text, (test,), self.prompt, self.entry_point, libraries=self.libraries)
        return await POOL.run(choose(self.sandbox), case, self.limits)


def _verdicts(passed: Sequence[Passed | str], tests: Counter[str]) -> list[Verdict]:
    """One a program; one with a reason instead of tests has no part in it."""
    groups = Counter(group for group in passed if not isinstance(group, str))
    programs, most = groups.total(), tests.total()
    verdicts = []
    for group in passed:
        if isinstance(group, str):
            verdicts.append(Verdict(feedback=f"not compared: {group}"))
            continue
        right = sum(tests[test] for test in group)
        score = math.sqrt(groups[group] / programs) * right / most
        verdicts.append(
            Verdict(score, feedback=f"{groups[group]} of {programs} programs pass these {right} of {most} tests")
        )
    return verdicts
