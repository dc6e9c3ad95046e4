"""Whether a test checks anything: what of it runs, and what of that can fail for a wrong answer."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator

from searchkit.verifiers.code.foregone import given_once, is_claim, is_foregone
from searchkit.verifiers.code.vacuous import is_no_message, is_vacuous, is_vacuous_call

# Calls that fail where a value is wrong, by their names; what only looks (isclose) or tells (warn) is none.
CHECKING = re.compile(
    r"_?assert\w*|fail\w*|raises|warns|deprecated_call|throw|exit|_exit|quit|abort|expect\w*|should\w*"
)
EMPTY = ("[]", "()", "{}", "''", "range(0)", "set()", "dict()", "list()", "tuple()")
ENDS = {"exit", "_exit", "quit"}
EXPECTING = re.compile(
    r"raises|warns|deprecated_call|assert(Raises|Warns)(Regex)?"
)  # a context, or a call of a function
IMPURE = {"open", "input", "globals", "locals", "vars", "eval", "exec", "getattr", "__import__", "print", "compile"}
PURE = {
    "math", "cmath", "json", "re", "operator", "itertools", "functools", "collections", "decimal", "fractions",
    "string", "statistics", "numpy", "copy", "bisect", "heapq", "datetime",
}  # fmt: skip
"""Modules in which a program leaves nothing that a test could read there."""

ASSERTIONS = re.compile(r"\b(AssertionError|Exception|BaseException)\b")  # classes that catch a failed assertion


def running(body: Iterable[ast.stmt], called: Iterable[str] = ()) -> Iterator[ast.AST]:
    """The nodes of what runs: statements, and the bodies of functions and classes that these or `called` name."""
    defined: dict[str, list[ast.AST]] = {}
    for node in body:
        _define(node, defined)
    waiting, reached = list[ast.AST](body), set[str]()
    seeds = [*called]
    while waiting or seeds:
        nodes = list(_walk(waiting.pop())) if waiting else []
        yield from nodes
        names = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node, _Caught)}
        names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        for name in {*names, *seeds} - reached:
            reached.add(name)
            waiting += [part for one in defined.get(name, []) for part in _inside(one)]
        seeds = []


def _define(node: ast.AST, defined: dict[str, list[ast.AST]]) -> None:
    for one in ast.walk(node):
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.setdefault(one.name, []).append(one)
        elif isinstance(one, ast.Assign) and isinstance(one.value, ast.Lambda):
            for target in one.targets:
                if isinstance(target, ast.Name):
                    defined.setdefault(target.id, []).append(one.value)


def _inside(node: ast.AST) -> list[ast.AST]:
    """What runs when a function is called, or a class used."""
    if isinstance(node, ast.Lambda):
        return [node.body]
    if isinstance(node, ast.ClassDef):
        return [part for one in node.body for part in (_inside(one) if hasattr(one, "decorator_list") else [one])]
    return list(getattr(node, "body", []))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """What runs of a statement as such: not the bodies of functions, nor branches that are never taken."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [*getattr(one, "decorator_list", []), *one.args.defaults, *filter(None, one.args.kw_defaults)]
        elif isinstance(one, ast.ClassDef):
            waiting += [*one.decorator_list, *one.bases, *one.body]
        elif isinstance(one, ast.If | ast.While | ast.For) and _is_never(one):
            waiting += one.orelse
        elif isinstance(one, ast.Try | ast.TryStar) and any(map(_swallows, one.handlers)):
            waiting += [name for inner in one.body for name in _caught(inner)]
            waiting += [*one.handlers, *one.orelse, *one.finalbody]
        elif isinstance(one, ast.With) and any(map(_suppresses, one.items)):
            waiting += [name for inner in one.body for name in _caught(inner)]
        else:
            waiting += ast.iter_child_nodes(one)


def _swallows(handler: ast.ExceptHandler) -> bool:
    """Whether an assertion that failed ends there."""
    caught = ast.unparse(handler.type) if handler.type else "BaseException"
    goes_on = any(
        isinstance(one, ast.Raise | ast.Assert) or CHECKING.fullmatch(_called(one)) for one in ast.walk(handler)
    )
    return bool(ASSERTIONS.search(caught)) and not goes_on


def _suppresses(item: ast.withitem) -> bool:
    return _called(item.context_expr) == "suppress" and bool(ASSERTIONS.search(ast.unparse(item.context_expr)))


class _Caught(ast.Name):
    """A name that is used where a failure is caught: what it stands for checks nothing there."""


def _caught(node: ast.stmt) -> list[ast.AST]:
    """What remains of a statement whose failure is caught."""
    return [_Caught(one.id, one.ctx) for one in _walk(node) if isinstance(one, ast.Name)]


def _is_never(node: ast.If | ast.While | ast.For) -> bool:
    """Whether its body is never run: a condition that is false, a loop through nothing."""
    return ast.unparse(node.iter) in EMPTY if isinstance(node, ast.For) else _is_false(node.test)


def _is_false(test: ast.expr) -> bool:
    return (isinstance(test, ast.Constant) and not test.value) or (
        isinstance(test, ast.Name | ast.Attribute) and ast.unparse(test).endswith("TYPE_CHECKING")
    )


def can_fail(nodes: Iterable[ast.AST], known: Iterable[str], *, telling: bool = False) -> bool:
    """Whether what runs checks something: an assertion, a `raise`, a call of a helper that checks by its name.

    known: names that say nothing, the program's and those of functions whose bodies are looked at. telling: an
    assertion counts only if it can fail for some answers of the program, see `foregone.py`.
    """
    own = set(known)
    parts = list(nodes)
    imports = [alias for node in parts if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    foreign = {*dir(builtins), *((one.asname or one.name).partition(".")[0] for one in imports)} - own
    empty = _empty(parts, _pure(parts) - own)
    once = given_once(parts) if telling else {}
    for node in parts:  # a call comes before its parts
        if telling and is_foregone(node, once):
            empty.add(id(node.func if isinstance(node, ast.Call) else node))
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Assert) and id(node) not in empty and not _says_nothing(node, foreign):
            return True
        is_assertion = isinstance(node, ast.Attribute) and node.attr.startswith("assert") and id(node) not in empty
        if is_assertion and (node.attr not in own or _is_super(node.value)):  # type: ignore[attr-defined]
            return True  # called, or handed to something that calls it
        name = _called(node)
        if isinstance(node, ast.Call) and id(node.func) not in empty and name not in own and CHECKING.fullmatch(name):
            return True
    return False


def _empty(parts: list[ast.AST], pure: set[str]) -> set[int]:
    """By their ids, the functions of calls that check nothing, though they are called as if they did."""
    found = {
        id(node.func)
        for node in parts
        if isinstance(node, ast.Call) and (is_vacuous_call(node) or _is_success(node) or _is_apart(node, pure))
    }
    for node in parts:
        if isinstance(node, ast.With | ast.AsyncWith) and _names(node.body) <= pure:
            calls = [one.context_expr for one in node.items if EXPECTING.fullmatch(_called(one.context_expr))]
            found |= {id(one.func) for one in calls if isinstance(one, ast.Call)}
    return found


def _is_apart(node: ast.Call, pure: set[str]) -> bool:
    """Whether it is an assertion about what no program has a part in, such as `assertEqual(9, 9)`."""
    name = _called(node)
    expects = EXPECTING.fullmatch(name)
    least = 0 if expects is None else 2 if name.endswith("Regex") else 1  # with no more it is a context
    if not (expects or is_claim(name)) or len(node.args) <= least:
        return False
    return _names([*node.args, *node.keywords]) <= pure


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {one.id for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name)}


def _pure(parts: list[ast.AST]) -> set[str]:
    """Names whose meaning no program changes: Python's own functions, and imports of modules that keep nothing."""
    found = set(dir(builtins)) - IMPURE
    for node in parts:
        if isinstance(node, ast.Import):
            found |= {one.asname or one.name for one in node.names if one.name.partition(".")[0] in PURE}
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in PURE:
            found |= {one.asname or one.name for one in node.names}
    return found


def _is_super(node: ast.expr) -> bool:
    return _called(node) == "super" or ast.unparse(node).endswith("TestCase")


def _says_nothing(node: ast.Assert, foreign: set[str]) -> bool:
    """Whether it cannot fail, or names only what no program has a part in."""
    names = {one.id for one in ast.walk(node.test) if isinstance(one, ast.Name)}
    ends = isinstance(node.test, ast.Constant) and not node.test.value
    return is_vacuous(node.test) or is_no_message(node.msg) or not (ends or names - foreign)


def _is_success(node: ast.Call) -> bool:
    """Whether it ends a test as passed: `sys.exit(0)`."""
    if _called(node) not in ENDS or node.keywords:
        return False
    return not node.args or (isinstance(node.args[0], ast.Constant) and not node.args[0].value)


def _called(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            return node.func.attr
        if isinstance(node.func, ast.Name):
            return node.func.id
    return ""
