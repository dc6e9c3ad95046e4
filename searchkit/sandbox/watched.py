"""Marks a test's assertions in its text, so that the tests' process sees which of them are reached and which fail.

`assert x` becomes `assert _sk_held((x))`, and `self.assertEqual` becomes `_sk_checked((self.assertEqual))`; lines stay
where they are. Done once for a test, outside the sandbox. What the two names do is in `failures.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from searchkit.parsing import parse
from searchkit.sandbox.failures import CHECKED, HELD, LATER

EXPECTING = {"raises", "warns", "deprecated_call"}  # of pytest: they check where they are called
SILENT = {
    "fail",
    "exit",
    "_exit",
    "quit",
    "abort",
    "skipTest",
    "skip",
    "throw",
}  # a test that passes does not reach them


@dataclass(frozen=True)
class Watched:
    """text: the test with its assertions marked. due: the functions of which a pass must have reached an assertion.

    "" among these is the whole text.
    """

    text: str
    due: tuple[str, ...]


def watched(text: str, tree: ast.Module) -> Watched:
    """The text as it is where it cannot be marked."""
    marks = list(_marks(tree))
    made = _inserted(text, marks)
    try:
        parse(made)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Watched(text, ())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    due = [node.name for node in functions if _is_due(node)]
    return Watched(made, tuple(sorted({*due, *([""] if _is_due(tree) else [])})))


def checks(name: str) -> bool:
    """Whether what is called so is an assertion of a library."""
    return name.startswith("assert") or name in EXPECTING


def _is_due(node: ast.AST) -> bool:
    """Whether it has assertions, and checks in no other way, such as that an exception comes."""
    parts = list(ast.walk(node))
    asserts = any(isinstance(one, ast.Assert) or checks(_name(one)) for one in parts)
    return asserts and not any(
        isinstance(one, ast.Raise | ast.Try) or _name(one) in SILENT or _is_end(one) for one in parts
    )


def _is_end(node: ast.AST) -> bool:
    """Whether it is `assert False`, which a test that passes does not reach."""
    return isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and not node.test.value


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _marks(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """What is marked, by which name. Places within f-strings are not known, and patterns are no expressions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr | ast.pattern):
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Assert):
            yield HELD, node.test
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load) and _is_watched(_name(node)):
            yield CHECKED, node


def _is_watched(name: str) -> bool:
    return checks(name) or name in LATER or name == "fail"


def _inserted(text: str, marks: list[tuple[str, ast.expr]]) -> str:
    """With a name and brackets around each place. Columns of the syntax tree are bytes."""
    lines = text.encode("utf-8", "surrogatepass").split(b"\n")
    places = list[tuple[int, int, int, int, int, str]]()
    for name, node in marks:  # where several begin, the outermost comes first; where several end, the innermost
        end, last = node.end_lineno or 0, node.end_col_offset or 0
        places.append((node.lineno, node.col_offset, 1, -end, -last, f"{name}(("))
        places.append((end, last, 0, -node.lineno, -node.col_offset, "))"))
    for line, column, *_, added in sorted(places, reverse=True):
        old = lines[line - 1]
        lines[line - 1] = old[:column] + added.encode() + old[column:]
    return b"\n".join(lines).decode("utf-8", "surrogatepass")
