"""Tests that a model wrote: of its text, the assertions that do nothing but call the program and compare.

A generated test is as hostile as a generated program. One that could do more than fail, to the tests beside it, is no
test: so there are no attributes but those of `math`, no names with underscores, and few of Python's own functions.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from searchkit.answers.programs import program

LONGEST = 500  # characters of an assertion
MOST = 100  # assertions of one text
HARMLESS = {
    "abs", "all", "any", "bool", "complex", "dict", "divmod", "enumerate", "float", "frozenset", "int", "isinstance",
    "len", "list", "max", "min", "ord", "range", "reversed", "round", "set", "sorted", "str", "sum", "tuple", "zip",
}  # fmt: skip
EXPRESSIONS = (
    ast.Attribute, ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Constant, ast.Dict, ast.List, ast.Name,
    ast.Set, ast.Slice, ast.Subscript, ast.Tuple, ast.UnaryOp, ast.boolop, ast.cmpop, ast.expr_context, ast.keyword,
    ast.operator, ast.unaryop,
)  # fmt: skip


def assertions(text: str, entry_point: str = "") -> list[str]:
    """The usable assertions of a model's text, one a line, in order, with repetitions; at most `MOST`."""
    lines = (line.strip() for line in program(text).splitlines())
    found = (made for line in lines if line.startswith("assert") and (made := _assertion(line, entry_point)))
    return [made for made, _ in zip(found, range(MOST), strict=False)]


def _assertion(line: str, entry_point: str) -> str | None:
    """The line without its message, None if it is not to be trusted or calls nothing of the program."""
    if len(line) > LONGEST:
        return None
    try:
        [statement] = ast.parse(line).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(statement, ast.Assert):
        return None
    expression = statement.test
    nodes = list(ast.walk(expression))
    if not all(isinstance(node, EXPRESSIONS) for node in nodes):
        return None
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    maths = [node for node in nodes if isinstance(node, ast.Attribute) and _of_math(node)]
    if sum(isinstance(node, ast.Attribute) for node in nodes) != len(maths):
        return None
    foreign = {name for name in names if hasattr(builtins, name) and name != entry_point} - HARMLESS
    if foreign or any(name.startswith("_") for name in names):
        return None
    called = set(_called(nodes)) - (HARMLESS - {entry_point})
    if not called or (entry_point and entry_point not in called):
        return None
    return "assert " + line.encode()[expression.col_offset : expression.end_col_offset].decode()


def _of_math(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "math" and not node.attr.startswith("_")


def _called(nodes: list[ast.AST]) -> Iterator[str]:
    """The names of functions that are called directly."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
