"""What is read of a test before it is run: the names it takes from the program, and what it does that cannot be judged.

Read once for a test, outside the sandbox, and not by each process that runs it.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from searchkit.answers.programs.scope import quiet
from searchkit.parsing import parse
from searchkit.sandbox.compiled import packed
from searchkit.sandbox.names import names_of, wanted
from searchkit.sandbox.surroundings import apart, counted, one_by_one, unseen
from searchkit.sandbox.trust import classes
from searchkit.sandbox.watched import watched


@dataclass(frozen=True)
class Brief:
    """taken: names of the program. modules: of the standard library, used without an import.

    unseen: why the test cannot be judged. apart: what it has that the program has not, if it fails; see
    `surroundings.py`. classes: those of the taken names that the test uses as classes. known: the cases that its text
    defines. read, stored: names that it uses globally, and to which it gives a meaning. text, due: see `watched.py`.
    code: of that text, see `compiled.py`. serial: whether it drives coroutines one after the other.
    """

    taken: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    unseen: str = ""
    apart: tuple[list[str], ...] = ()
    classes: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    stored: tuple[str, ...] = ()
    text: str = ""
    code: str = ""
    serial: bool = False


@functools.lru_cache(1000)
def brief(text: str, entry_point: str, case: str = "", setup: str = "") -> Brief:
    """Of a text that begins with `setup`, or of one of its cases.

    An empty one for what is no Python: it fails where it is run.
    """
    try:
        tree = parse(text)
        nodes = list(ast.walk(tree))
        marked = watched(text, tree)
        found = names_of(text)
        taken, modules = wanted(found, nodes, entry_point)
        mine = list(_without_others(tree, nodes, case)) if case else nodes
        with quiet():
            code = packed(marked.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Brief(text=text)
    return Brief(
        tuple(taken), tuple(modules), unseen(mine) or counted(setup, mine), tuple(apart(mine, taken)),
        tuple(classes(nodes, taken)), tuple(_known(tree.body)), marked.due, tuple(found.read),
        tuple(found.stored), marked.text, code,
        one_by_one(nodes),
    )  # fmt: skip


def _without_others(tree: ast.Module, nodes: list[ast.AST], case: str) -> Iterator[ast.AST]:
    """The nodes of a text without those of other cases, which nothing but our runner calls."""
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    used |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    used |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, inside = waiting.pop()
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and not inside and _is_other(node.name, case, used):  # type: ignore[attr-defined]
            continue
        yield node
        waiting += [(one, inside or is_function) for one in ast.iter_child_nodes(node)]


def _is_other(name: str, case: str, used: set[Any]) -> bool:
    return name.startswith("test") and name != case.rpartition(".")[2] and name not in used


def _known(body: list[ast.stmt], owner: str = "") -> Iterator[str]:
    """Functions and classes, and methods as "Class.method": what is read of them need not be found by a run."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name != "runTest":
            yield owner + node.name
        if isinstance(node, ast.ClassDef):
            yield from _known(node.body, owner or f"{node.name}.")
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for name in ("body", "orelse", "finalbody", "handlers"):
                yield from _known(getattr(node, name, []), owner)
