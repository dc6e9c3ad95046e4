"""What is read of a test before it is run: the names it takes from the program, and what it does that cannot be judged.

Read once for a test, outside the sandbox, and not by each process that runs it.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from searchkit.sandbox.names import wanted
from searchkit.sandbox.surroundings import apart, unseen
from searchkit.sandbox.trust import classes
from searchkit.sandbox.watched import watched


@dataclass(frozen=True)
class Brief:
    """taken: names of the program. modules: of the standard library, used without an import.

    unseen: why the test cannot be judged. apart: what it has that the program has not, if it fails; see
    `surroundings.py`. classes: those of the taken names that the test uses as classes. known: the cases that its text
    defines. text, due: see `watched.py`.
    """

    taken: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    unseen: str = ""
    apart: tuple[list[str], ...] = ()
    classes: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    text: str = ""


@functools.lru_cache(1000)
def brief(text: str, entry_point: str) -> Brief:
    """An empty one for what is no Python: it fails where it is run."""
    try:
        tree = ast.parse(text)
        nodes = list(ast.walk(tree))
        marked = watched(text, tree)
        taken, modules = wanted(text, nodes, entry_point)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Brief(text=text)
    return Brief(
        tuple(taken), tuple(modules), unseen(nodes), tuple(apart(nodes, taken)), tuple(classes(nodes, taken)),
        tuple(_known(tree.body)), marked.due, marked.text,
    )  # fmt: skip


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
