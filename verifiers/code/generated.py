"""Tests that a model wrote: of its text, the assertions that do nothing but call the program and compare.

A generated test is as hostile as a generated program. One that could do more than fail, to the tests beside it, is no
test: so there are no attributes but those of `math`, no names with underscores, and few of Python's own functions.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from searchkit.answers.programs import LONGEST as LONGEST_PROGRAM
from searchkit.answers.programs import program
from searchkit.answers.thoughts import without_thoughts
from searchkit.parsing import parse
from searchkit.verifiers.code.foregone import is_foregone
from searchkit.verifiers.code.vacuous import is_vacuous

LONGEST = 500  # characters of an assertion
MOST = 100  # assertions of one text
# A line, an item of a list, a line at Python's prompt; in back-ticks or not.
_LISTED = re.compile(r"(?:[-*+\u2022]|\(?\d{1,3}[.):]|>>>)?[ \t]*(?:`+(assert[^`]+)`.*|(assert.*))")
_BEGIN = re.compile(r"^[\[{]", re.MULTILINE)
HARMLESS = {
    "abs", "all", "any", "bool", "complex", "dict", "divmod", "enumerate", "float", "frozenset", "int", "isinstance",
    "len", "list", "max", "min", "ord", "range", "reversed", "round", "set", "sorted", "str", "sum", "tuple", "zip",
}  # fmt: skip
EXPRESSIONS = (
    ast.Attribute, ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Constant, ast.Dict, ast.List, ast.Name,
    ast.Set, ast.Slice, ast.Subscript, ast.Tuple, ast.UnaryOp, ast.boolop, ast.cmpop, ast.expr_context, ast.keyword,
    ast.operator, ast.unaryop,
)  # fmt: skip


def assertions(text: str, entry_point: str = "", subject: str = "") -> list[str]:
    """The usable assertions of a model's text, one a line, in order, with repetitions; at most `MOST`.

    They are looked for in its program, then in all of its lines, where they may be items of a list, then in the texts
    of a list as JSON or Python writes it. Those of a function that tests its argument (``def check(candidate)``) are of
    the entry point; else of what the text calls it with; else of `subject`.
    """
    for body in (program(text), without_thoughts(text), _of_list(without_thoughts(text))):
        lines = (_LISTED.fullmatch(line.strip()) for line in _of_argument(body, entry_point, subject).splitlines())
        found = (made for line in lines if line and (made := _assertion(line[1] or line[2], entry_point)))
        if tests := list(islice(found, MOST)):
            return tests
    return []


def _of_list(text: str) -> str:
    """The texts in a list or object of JSON or Python, beside which there may be prose, one after the other."""
    start = _BEGIN.search(text) or re.search(r"[\[{]", text)
    body = text[start.start() if start else len(text) : max(text.rfind("]"), text.rfind("}")) + 1]
    if "assert" not in body or len(body) > LONGEST_PROGRAM:
        return ""
    try:
        return "\n".join(_texts(json.JSONDecoder().raw_decode(body)[0]))
    except (ValueError, RecursionError):
        pass
    try:
        [statement] = parse(body).body
        return "\n".join(_texts(ast.literal_eval(statement.value)))  # type: ignore[attr-defined]
    except (SyntaxError, ValueError, TypeError, AttributeError, RecursionError, MemoryError):
        return ""


def _texts(value: Any) -> Iterator[str]:
    """The texts among the parts of containers."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list | tuple | dict):
            waiting += reversed(list(one.values()) if isinstance(one, dict) else one)


def _of_argument(text: str, entry_point: str, subject: str) -> str:
    """The text, where assertions of a function about its one argument are about what it would be called with."""
    if "candidate" not in text and "check" not in text:
        return text
    try:
        tree = parse(text) if len(text) <= LONGEST_PROGRAM else ast.Module([], [])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    lines, nodes = text.split("\n"), list(ast.walk(tree))
    called = _called_with(nodes)
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and len(node.args.args) == 1:
            argument = node.args.args[0].arg
            target = entry_point or called.get(node.name) or subject
            if target and (node.name == "check" or argument == "candidate"):
                for one in ast.walk(node):
                    if isinstance(one, ast.Assert):
                        _rename(one, argument, target, lines)
    return "\n".join(lines)


def _called_with(nodes: list[ast.AST]) -> dict[str, str]:
    """For each function that is called with one name, and no other, that name."""
    given = dict[str, set[str]]()
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
            [value] = node.args
            given.setdefault(node.func.id, set()).add(value.id if isinstance(value, ast.Name) else "")
    return {name: max(values) for name, values in given.items() if len(values) == 1}


def _rename(statement: ast.Assert, argument: str, target: str, lines: list[str]) -> None:
    """Put the assertion, about `target`, on its first line, if it is not too long to be one."""
    first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
    if sum(map(len, lines[first:last])) > LONGEST:
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and node.id == argument:
            node.id = target
    with contextlib.suppress(RecursionError):
        lines[first:last] = [f"assert {ast.unparse(statement.test)}"] + [""] * (last - first - 1)


def _assertion(line: str, entry_point: str) -> str | None:
    """The line without its message, None if it is not to be trusted, calls nothing of the program, or cannot fail."""
    if len(line) > LONGEST:
        return None
    try:
        [statement] = parse(line).body
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
    if is_vacuous(expression) or is_foregone(statement, {}):
        return None
    return "assert " + line.encode()[expression.col_offset : expression.end_col_offset].decode()


def _of_math(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "math" and not node.attr.startswith("_")


def _called(nodes: list[ast.AST]) -> Iterator[str]:
    """The names of functions that are called directly."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
