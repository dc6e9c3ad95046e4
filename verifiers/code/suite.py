"""What tests are: a text, a list of texts, or inputs and outputs; read from an argument or a problem's reference."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.errors import ConfigError
from searchkit.parsing import parse
from searchkit.sandbox.brief import brief
from searchkit.sandbox.levels import installed
from searchkit.sandbox.names import names_of
from searchkit.sandbox.whole import preamble
from searchkit.verifiers.code.alone import is_alone
from searchkit.verifiers.code.checks import can_fail, running
from searchkit.verifiers.code.collect import collect
from searchkit.verifiers.code.own_imports import FIX, without_own
from searchkit.verifiers.code.records import fields_of

FORMS = (
    "a text of Python, a list of such texts, a list of (stdin, stdout) pairs, a record of HumanEval, MBPP, APPS or "
    'LiveCodeBench, or a mapping that has one of the former as "tests" or "test", and may have "entry_point", "prompt" '
    'and "setup"'
)

BY_TEXT = ("eval", "exec", "compile", "globals", "locals", "getattr", "__import__")
FIXTURES = (
    "setUp", "tearDown", "setUpClass", "tearDownClass", "asyncSetUp", "asyncTearDown", "setUpModule", "tearDownModule",
)  # fmt: skip
"""What of unittest's runs with each case."""


@dataclass(frozen=True)
class Suite:
    """Tests of a program; the fields are those of `report.Case`. libraries: what the tests themselves import.

    starter: the beginning of a program that a sample may continue or repeat; nothing of it is the tests'.
    """

    tests: tuple[str, ...] | tuple[tuple[str, str], ...]
    prompt: str = ""
    entry_point: str = ""
    cases: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    setup: str = ""
    prelude: str = ""
    starter: str = ""

    @property
    def scripts(self) -> bool:
        """Whether the tests are inputs and outputs."""
        return not isinstance(self.tests[0], str)


def read(given: Any) -> Suite:
    """Tests in any of the `FORMS`. Raises `ConfigError` for anything else, and for tests that would check nothing.

    A mapping's setup is put in front of each test, and the program has it, too; a test that defines `check` has a call
    of it with the entry point appended, as HumanEval wants it. Fields with other names are not looked at.
    """
    if isinstance(given, Suite):
        return given
    fields = fields_of(given)
    around = {name: fields[name] for name in ("prelude", "starter") if name in fields}
    tests = fields.get("tests")
    prompt, entry_point, setup = (fields.get(name) or "" for name in ("prompt", "entry_point", "setup"))
    if not all(isinstance(text, str) for text in (prompt, entry_point, setup)):
        raise ConfigError("the prompt, entry_point and setup of tests must be texts")
    entry_point = entry_point.removeprefix("Solution().")  # as LeetCodeDataset writes it; methods are found anyway
    if isinstance(tests, str):
        tests = [tests]
    if not isinstance(tests, Sequence) or not tests:
        raise ConfigError(f"tests are {FORMS}, got {given!r:.80}")
    if all(isinstance(test, str) for test in tests):
        return replace(_texts(tuple(tests), prompt, entry_point, setup), **around)
    if all(_is_pair(test) for test in tests) and not setup:
        return Suite(tuple((typed, printed) for typed, printed in tests), prompt, entry_point, **around)
    raise ConfigError(f"tests are {FORMS}, got {given!r:.80}")


def _is_pair(test: Any) -> bool:
    return (
        isinstance(test, Sequence)
        and not isinstance(test, str)
        and len(test) == 2
        and all(isinstance(text, str) for text in test)
    )


@functools.lru_cache(1000)  # the same problem is bound again for each search
def _texts(tests: tuple[str, ...], prompt: str, entry_point: str, setup: str) -> Suite:
    begun = preamble(prompt)
    given = names_of(begun).stored if prompt and _parsed(begun, "the prompt") else frozenset[str]()
    found = [_whole(test, setup, entry_point, given) for test in tests]
    if not any(run.tells for run in found):
        raise ConfigError(f"the tests hold whatever a program answers, and so check nothing: {tests[0]!r:.80}")
    made = [one for run in found for one in run.cases]
    texts, cases = tuple(text for text, _ in made), tuple(case for _, case in made)
    trees = [parse(text) for text in {*texts, begun}]
    return Suite(texts, prompt, entry_point, cases if any(cases) else (), _installed(trees), setup)


def _installed(trees: list[ast.Module]) -> tuple[str, ...]:
    return installed(imported(trees), "the tests import", f"install it, or, if it is the program's own ({FIX})")


def _parsed(text: str, what: str) -> ast.Module:
    try:
        return parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{what} is no Python ({error}): {text!r:.80}") from None


@dataclass(frozen=True)
class _Read:
    """cases: a test as [text, case] for each that is run. runs: what runs in those that use the program.

    known: see `can_fail`.
    """

    cases: list[tuple[str, str]]
    runs: list[list[ast.AST]]
    known: list[str]

    @property
    def tells(self) -> bool:
        """Whether some assertion can fail for what a program answers."""
        return any(can_fail(run, self.known, telling=True) for run in self.runs)


def _whole(test: str, setup: str, entry_point: str, given: frozenset[str]) -> _Read:
    """A test as it is run. Raises `ConfigError` for one that would check nothing."""
    text = (setup + "\n" if setup else "") + test
    text = without_own(text, _parsed(text, "a test"))
    found = collect(_parsed(text, "a test"), entry_point)
    text += found.call
    tree = _parsed(text, "a test")
    _installed([tree])
    taken = [name for name in brief(text, entry_point, "", setup).taken if name == entry_point or name not in given]
    nodes = {case: list(running(tree.body, [case.rpartition(".")[2], *FIXTURES])) for case in found.cases or [""]}
    using = {case: run for case, run in nodes.items() if {n.id for n in run if isinstance(n, ast.Name)} & {*taken}}
    if not using:
        if named := _in_texts(node for run in nodes.values() for node in run):
            raise ConfigError(f"the tests name the program in texts ({named}), which are not read: write the calls out")
        of = f"calls {entry_point}" if entry_point else "uses anything of the program"
        raise ConfigError(f"the tests check nothing: nothing that runs {of}: {test!r:.80}")
    known = [*taken, *(name for node in ast.walk(tree) for name in _given_here(node))]
    if not any(can_fail(run, known) for run in using.values()):
        raise ConfigError(f"the tests check nothing: nothing that runs asserts anything: {test!r:.80}")
    judged = [case for case in nodes if case in using or not is_alone(tree, case)]
    for case in judged:  # read here, and not by the threads that run it: in two at a time Python's parser may break
        brief(text, entry_point, case, setup)
    return _Read([(text, case) for case in judged], list(using.values()), known)


def _in_texts(nodes: Iterable[ast.AST]) -> str:
    """The function by which what runs may use a name that stands in a text; "" if there is none."""
    return next((node.id for node in nodes if isinstance(node, ast.Name) and node.id in BY_TEXT), "")


def _given_here(node: ast.AST) -> list[str]:
    """The names that a statement gives to functions whose bodies stand in the text, or to what is no assertion."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if not isinstance(node, ast.Assign) or (
        isinstance(node.value, ast.Attribute) and node.value.attr.startswith("ass")
    ):
        return []
    return [one.id if isinstance(one, ast.Name) else one.attr for one in node.targets
            if isinstance(one, ast.Name | ast.Attribute)]  # fmt: skip


def imported(trees: Iterable[ast.Module]) -> tuple[str, ...]:
    """The packages beside the standard library that are imported."""
    found = set[str]()
    for node in (one for tree in trees for one in ast.walk(tree)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return tuple(sorted(found - sys.stdlib_module_names))
