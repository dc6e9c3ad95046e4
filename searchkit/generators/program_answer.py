"""ProgramAnswer: a sample is what its program computes (PAL, program of thoughts, ToRA)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from searchkit.answers.programs import LONGEST, program
from searchkit.calls import CallError
from searchkit.errors import ConfigError
from searchkit.function import as_generator
from searchkit.protocols import Generator, Run
from searchkit.sandbox.levels import Level, check, choose, installed
from searchkit.sandbox.libraries import unnamed
from searchkit.sandbox.limits import DEFAULT, Limits
from searchkit.sandbox.pool import POOL
from searchkit.sandbox.process import Broken
from searchkit.sandbox.report import Case
from searchkit.types import Message, Params, Prompt, Sample, Text

NAMES = ("solution", "answer", "ans")
LONGEST_ANSWER = 10_000  # characters
NO_ANSWER = "it printed nothing and has none of the names {names}"
_LACKING = re.compile(r"ModuleNotFoundError: No module named '(\w+)")
_OBJECT = re.compile(r"<.* at 0x[0-9a-f]+>")

# Runs in the sandbox in front of a program, and executes it. What it says stands behind all that was printed. Whatever
# the program does to it, it can only forge its own answer.
_HARNESS = """
def _answer(text, names):
    import inspect, sys
    space, say = globals(), sys.stdout.write
    del space["_answer"]
    try:
        try:
            exec(compile(text, "program.py", "exec", dont_inherit=True), space)
        except SystemExit as ended:
            if ended.code not in (None, 0):
                raise
        for name in names:
            value = space.get(name)
            if callable(value):
                try:
                    inspect.signature(value).bind()
                except (TypeError, ValueError):
                    continue
                value = value()
            if value is not None:
                said = "value", str(value)
                break
        else:
            said = "printed", ""
    except BaseException as error:
        said = "error", f"{type(error).__name__}: {error}"
    say("\\0%s\\0%s" % (said[0], said[1].replace("\\0", " ")))


"""


@dataclass(frozen=True)
class ProgramAnswer:
    """Draws from `generator`, runs the program in each reply, and makes what it computes the sample's value.

    - generator: writes the programs: a model, an agent, a strategy, or a callable.
    - names: where the answer is looked for once the program has ended, in this order: a function of that name that
      needs no arguments is called, anything else is the answer itself, unless it is None. Where there is none of them
      it is what the program printed, all of it: print nothing but the answer.
    - sandbox, limits: as in `UnitTests`.
    - libraries: packages that a program may import beside the standard library, such as ("sympy",); loaded once.

    The program is the last block of Python in the reply with all blocks that it needs, as
    `searchkit.answers.programs.program` finds it; it is run as a script, with nothing to read. The value is a text
    (`str` of what was found), for keys, votes and verifiers that compare answers; the reply with its program stays in
    `Sample.message`. Where a program fails, does not end, or comes to nothing, and where there is none, the value is
    "", which never votes, and the reason is in the trace and in `Result.errors`. A truncated reply stays as it is and
    is not run.

    Cost: that of `generator`; some ten milliseconds of CPU a sample in other processes, which `Usage` lacks. Programs
    are run again when a search is resumed. Raises `ConfigError` where there is no sandbox, `CallError` for a sample
    whose sandbox broke, and what `generator` raises. Source: Gao et al. 2023, PAL (`solution()`); Chen et al. 2023,
    Program of Thoughts (`ans`); Gou et al. 2024, ToRA (what is printed).
    """

    generator: Generator | Callable[..., Any]
    names: tuple[str, ...] = NAMES
    sandbox: Level = "auto"
    limits: Limits = DEFAULT
    libraries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "generator", as_generator(self.generator))
        right = isinstance(self.names, tuple) and all(isinstance(one, str) and one.isidentifier() for one in self.names)
        if not right:
            raise ConfigError(f'names are a tuple of names in a program, such as ("answer",), got {self.names!r:.80}')
        check(self.limits)
        choose(self.sandbox)
        installed(self.libraries, "ProgramAnswer(libraries=...) names")

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        sample = await as_generator(self.generator).generate(prompt, run, params=params)
        if sample.truncated:
            return sample
        with run.traced("program") as span:
            answer, trouble = await self._answer(program(sample.text), run)
            span.text = answer
        if trouble:
            error = CallError(f"a program gave no answer: {trouble}")
            span.fail(error)
            run.fail(error)
        message = sample.message or Message("assistant", (Text(sample.text),))
        return replace(sample, value=answer, message=message, token_ids=None, step_spans=())

    async def _answer(self, text: str, run: Run) -> tuple[str, str]:
        """The answer, and why there is none."""
        if len(text) > LONGEST:
            return "", f"a program of more than {LONGEST:,} characters is not run"
        printed = list[str]()

        def keep(typed: str, said: str, expected: str) -> bool:
            printed.append(said)
            return True

        case = Case(
            f"{_HARNESS}_answer({text!r}, {self.names!r})\n", (("", ""),), libraries=self.libraries, accept=keep
        )
        level = choose(self.sandbox)
        try:
            async with run.until_deadline():
                report = await POOL.run(level, case, self.limits)
        except Broken as error:
            raise CallError(f"the sandbox ({level}) broke: {error}") from error
        if not printed:
            return "", report.reason.removeprefix("test 1, ")
        return self._read(printed[-1])

    def _read(self, said: str) -> tuple[str, str]:
        before, kind, text = said.rsplit("\0", 2) if said.count("\0") >= 2 else (said, "printed", "")
        answer = (before if kind == "printed" else text).strip()
        if kind == "error" and (lacking := _LACKING.match(answer)):
            return "", unnamed(lacking[1])
        if kind == "error":
            return "", "".join(c if c.isprintable() else " " for c in answer[:300])
        if not answer or _OBJECT.fullmatch(answer):
            return "", NO_ANSWER.format(names=", ".join(self.names))
        if len(answer) > LONGEST_ANSWER:
            return "", f"an answer of more than {LONGEST_ANSWER:,} characters"
        return answer, ""
