"""DualAgreement: programs that agree with many generated tests, and with many other programs about which (CodeT)."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit import templates as wording
from searchkit.errors import ConfigError
from searchkit.protocols import Generator, Run
from searchkit.types import Params, Problem, Prompt, Sample, Verdict
from searchkit.verifiers.code.extract import LONGEST, program
from searchkit.verifiers.code.generated import assertions
from searchkit.verifiers.code.limits import DEFAULT, Limits
from searchkit.verifiers.code.pool import POOL
from searchkit.verifiers.code.process import Broken
from searchkit.verifiers.code.report import Case
from searchkit.verifiers.code.sandbox import Level, check, choose
from searchkit.verifiers.code.suite import read
from searchkit.verifiers.judges.asking import check_generator, name_of

WRITE_TESTS = """{task}

Do not solve this task. Write tests for a solution instead: ten lines in one Python code block, each of the form \
`assert function(arguments) == result`, with results that follow from the task. Include the cases that are easily \
overlooked."""

Passed = frozenset[str]  # the tests that a program passes


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
    - sandbox, limits: as in `UnitTests`.

    Joint. Truncated samples and those whose sandbox broke abstain and belong to no group; all do if there are no tests.
    A program that passes no test scores 0. Raises `ConfigError` where there is no sandbox, and what the generator
    raises if no reply came.

    Range: [0, 1], the score over its greatest value, sqrt(n) * tests for n programs. Cost for n samples: `samples`
    model calls if tests are to be written, and n program runs, each with all tests. Source: Chen et al. 2022, CodeT,
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
    limits: Limits = DEFAULT

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

    @property
    def key(self) -> str:
        asked = f"{name_of(self.generator)}:{self.samples}:{self.params}:{self.template!r}"
        ran = f"{self.entry_point}:{self.prompt!r}:{self.sandbox}:{self.limits}:{sys.version_info[:2]}"
        return f"dual agreement:1:{self.tests}:{asked}:{ran}"

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
        texts = [None if sample.truncated else program(sample.text) for sample in samples]
        distinct = [text for text in dict.fromkeys(texts) if text is not None]

        async def passed(text: str, child: Run) -> Passed | None:
            return await self._passed(text, tuple(tests))

        outcomes = await run.map(passed, distinct, name="program")
        known = {text: outcome.unwrap() for text, outcome in zip(distinct, outcomes, strict=True)}
        return _verdicts([None if text is None else known[text] for text in texts], tests)

    async def _written(self, prompt: Prompt, run: Run) -> list[str]:
        question = wording.worded(prompt, self.template)
        replies = await run.sample(self.generator, question, self.samples, params=self.params, partial=True)
        return [test for reply in replies for test in assertions(reply.text, self.entry_point)]

    async def _passed(self, text: str, tests: tuple[str, ...]) -> Passed | None:
        """None: the sandbox broke."""
        if len(text) > LONGEST:
            return frozenset()
        try:
            report = await POOL.run(choose(self.sandbox), Case(text, tests, self.prompt, self.entry_point), self.limits)
        except Broken:
            return None
        return frozenset(test for test, right in zip(tests, report.passed, strict=True) if right)


def _verdicts(passed: Sequence[Passed | None], tests: Counter[str]) -> list[Verdict]:
    """One a program; None has no part in it."""
    groups = Counter(group for group in passed if group is not None)
    programs, most = groups.total(), tests.total()
    verdicts = []
    for group in passed:
        if group is None:
            verdicts.append(Verdict(feedback="truncated, or the sandbox broke: not compared"))
            continue
        right = sum(tests[test] for test in group)
        score = math.sqrt(groups[group] / programs) * right / most
        verdicts.append(
            Verdict(score, feedback=f"{groups[group]} of {programs} programs pass these {right} of {most} tests")
        )
    return verdicts
