"""ProgramAnswer: a sample is what its program computes (PAL, program of thoughts, ToRA)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from searchkit.answers.programs import LONGEST, NO_PROGRAM, aside, is_program, program
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
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}>")  # of an object within a list or the like: another one in each process

# Runs in the sandbox in front of a program, and executes it. What it says stands behind all that was printed. Whatever
# the program does to it, it can only forge its own answer.
_HARNESS = """
def _answer(text, names):
    import functools, inspect, sys, types
    from builtins import abs, callable, complex, dict, float, format, int, isinstance, list, map, str, tuple, type

    def written(value):
        if isinstance(value, float) and type(value).__module__ in ("builtins", "numpy"):
            whole = value == value // 1 and abs(value) < 2**53
            return str(int(value)) if whole else format(float(value), ".15g")
        return str(rounded(value))

    def rounded(value):
        kind = type(value)
        if kind is float:
            return value if value == value // 1 and abs(value) < 2**53 else float(format(value, ".15g"))
        if kind is complex:
            return complex(rounded(value.real), rounded(value.imag))
        if kind is list or kind is tuple:
            return kind(map(rounded, value))
        return {key: rounded(one) for key, one in value.items()} if kind is dict else value

    nothing = types.ModuleType, types.GeneratorType, types.AsyncGeneratorType
    space, say = globals(), sys.stdout.write
    del space["_answer"]
    try:
        try:
            exec(compile(text, "program.py", "exec", dont_inherit=True), space)
        except SystemExit as ended:
            if ended.code not in (None, 0):
                raise
        found = [space[name] for name in names if name in space]
        values = [space[name] for name in names if name in space and name != "solution"] + found
        for value in [one for one in found if callable(one)] + [one for one in values if not callable(one)]:
            if isinstance(value, type):
                continue
            if callable(value):
                try:
                    inspect.signature(value).bind()
                except TypeError:
                    continue
                except ValueError:  # it has no signature
                    if not isinstance(value, functools.partial):
                        continue
                value = value()
                if inspect.iscoroutine(value):
                    import asyncio
                    value = asyncio.run(value)
            if value is not None and not isinstance(value, nothing):
                said = "value", written(value)
                break
        else:
            said = "printed", ""
    except BaseException as error:
        said = "error", f"{type(error).__name__}: {error}"
    say("\\0%s\\0%s\\0" % (said[0], said[1].replace("\\0", " ")))


"""


@dataclass(frozen=True)
class ProgramAnswer:
    """Draws from `generator`, runs the program in each reply, and makes what it computes the sample's value.

    - generator: writes the programs: a model, an agent, a strategy, or a callable.
    - names: where the answer is looked for once the program has ended: the first function of these names that needs no
      arguments is called (a coroutine is awaited); where there is none, the first other value that is neither None nor
      a module, class or generator is the answer itself, a variable `solution` after all others. Where there is none of
      them it is what the program printed, all of it: print nothing but the answer.
    - sandbox, limits: as in `UnitTests`.
    - libraries: packages that a program may import beside the standard library, such as ("sympy",); loaded once.

    A float that is returned or bound is written with 15 significant digits, as many as a double holds for sure, and a
    whole one below 2**53 as a whole number: 0.1 + 0.2 is 0.3 and 36 / 2 is 18, alone or in a list, tuple or dictionary.
    What a program prints itself stays as it printed it.

    The program is the last block of Python in the reply with all blocks that it needs, as
    `searchkit.answers.programs.program` finds it; it is run as a script, with nothing to read. The value is a text
    (`str` of what was found, floats apart), for keys, votes and verifiers that compare answers; the reply with its
    program stays in `Sample.message`. Where a program fails, does not end, or comes to nothing, and where there is
    none, the value is "", which never votes, and the reason is in the trace and in `Result.errors`. A truncated reply
    stays as it is and is not run.

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
            found = await aside(len(sample.text), program, sample.text)
            answer, trouble = await self._answer(found, run)
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
        if not await aside(len(text), is_program, text):
            return "", NO_PROGRAM
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
        before, kind, text, late = said.rsplit("\0", 3) if said.count("\0") >= 3 else (said, "printed", "", "")
        answer = (text if kind in ("value", "error") else before + late).strip()
        if kind == "error" and (lacking := _LACKING.match(answer)):
            return "", unnamed(lacking[1])
        if kind == "error":
            return "", "".join(c if c.isprintable() else " " for c in answer[:300])
        if not answer or _OBJECT.fullmatch(answer) or _ADDRESS.search(answer):
            return "", NO_ANSWER.format(names=", ".join(self.names))
        if len(answer) > LONGEST_ANSWER:
            return "", f"an answer of more than {LONGEST_ANSWER:,} characters"
        return answer, ""
