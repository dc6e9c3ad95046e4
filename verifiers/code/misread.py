"""What to say of generated tests that could not be used: replies without any, and names that nothing defines."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from searchkit.answers.programs import LONGEST
from searchkit.markup.words import one_line
from searchkit.parsing import parse
from searchkit.sandbox.names import names_of, wanted
from searchkit.sandbox.whole import preamble

FORM = "only lines such as `assert function(arguments) == result` are read, each by itself"
SHOWN, MOST = 100, 5  # columns of what is quoted, names that are listed


def without_tests(replies: Sequence[str], found: Sequence[Sequence[str]]) -> str:
    """What to say of the replies in which none was found, with the beginning of the first; "" if there are no such."""
    bare = [reply for reply, tests in zip(replies, found, strict=True) if not tests]
    if not bare:
        return ""
    came = f"came '{one_line(bare[0], SHOWN)}'" if bare[0].strip() else "came an empty text"
    return f"no test was found in {len(bare):,} of the texts of tests ({len(replies):,}): {FORM}; {came}"


def unknown_names(tests: Iterable[str], programs: Sequence[str], prompt: str, entry_point: str) -> str:
    """What to say of names that tests use and no program defines, with the first such test; "" if there are none.

    With an entry point that is all that tests can use of a program.
    """
    made = [names for text in programs if (names := _made(text)) is not None]
    if not made or any("*" in names for names in made):
        return ""
    known = {entry_point.partition(".")[0].partition("(")[0]} if entry_point else frozenset[str]().union(*made)
    known = known | (_made(preamble(prompt)) or set())
    lacking = {test: [name for name in _free(test) if name not in known] for test in tests}
    first = next((test for test, names in lacking.items() if names), "")
    if not first:
        return ""
    used = list(dict.fromkeys(name for names in lacking.values() for name in names))
    listed = ", ".join(one_line(name, SHOWN) for name in used[:MOST]) + (", ..." if len(used) > MOST else "")
    of = f"is not the entry point {entry_point}" if entry_point else "no program defines"
    using = f"{sum(map(bool, lacking.values())):,} of {len(lacking):,} tests use {listed}, which {of}"
    return f"{using}: {FORM}; one is '{one_line(first, SHOWN)}'"


def common_function(programs: Iterable[str]) -> str:
    """The one function that all of these programs define, as far as they are Python; "" if that is not one."""
    defined = [set(_functions(tree.body)) for text in programs if (tree := _tree(text)) is not None]
    shared = set[str].intersection(*filter(None, defined)) if any(defined) else set[str]()
    return shared.pop() if len(shared) == 1 else ""


def _functions(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield node.name


def _free(test: str) -> list[str]:
    tree = _tree(test)
    return [] if tree is None else wanted(names_of(test), list(ast.walk(tree)))[0]


def _made(text: str) -> set[str] | None:
    """The names that a program has for its tests, methods too; "*" where it imports all of a module."""
    tree = _tree(text)
    if tree is None:
        return None
    nodes = list(ast.walk(tree))
    stars = {"*" for node in nodes if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"}
    methods = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    try:
        return {*names_of(text).stored, *methods, *stars}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _tree(text: str) -> ast.Module | None:
    try:
        return parse(text) if len(text) <= LONGEST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
