"""Which cases of a text have no part in what the others leave behind: those say nothing of a program.

A case that does not name the program may still judge it, by what another case has left in a list, on its class, in a
global variable, in a file. So it is out only if it names nothing but its own variables, Python's own functions and
imported modules; of those that keep something (files, the environment), only if nothing else in the text names one.
"""

from __future__ import annotations

import ast
import builtins
import unittest
from collections.abc import Iterable, Iterator

from searchkit.verifiers.code.checks import CHECKING, IMPURE, PURE

BY_TEXT = {"eval", "exec", "globals", "locals", "vars", "setattr", "delattr", "compile", "__import__"}
FORGETTING = PURE | {"unittest", "pytest", "typing", "types", "enum", "time", "asyncio", "threading", "random"}
"""Modules in which a test leaves nothing, unless it sets an attribute there, and then it is not judged."""
_INNER = (ast.Global, ast.Nonlocal, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def is_alone(tree: ast.Module, case: str) -> bool:
    """Whether a case, "name" or "Class.name", holds or fails by itself, whatever the text and its other cases do."""
    if any(_gives_anything(node) for node in ast.walk(tree)):
        return False
    name = case.rpartition(".")[2]
    bodies = [one for node in ast.walk(tree) if (one := _defined(node, name)) is not None]
    modules = {bound: module for node in ast.walk(tree) for bound, module in _imported(node)}
    given = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}
    given |= {one.name for one in ast.walk(tree) if isinstance(one, _INNER[2:])}
    given |= {one.arg for one in ast.walk(tree) if isinstance(one, ast.arg)}
    keeping = {bound for bound, module in modules.items() if module not in FORGETTING} | {"open", "input"}
    known = ({*dir(builtins)} - IMPURE | {"print", "open", "input"} | modules.keys()) - given
    if not bodies or not all(_reads_nothing(one, known, given) for one in bodies):
        return False
    inside = {id(one) for body in bodies for one in ast.walk(body)}
    places = {id(one) in inside for one in ast.walk(tree) if isinstance(one, ast.Name) and one.id in keeping}
    return len(places) < 2


def _gives_anything(node: ast.AST) -> bool:
    """Whether a statement may give a meaning to any name, one of Python's own functions too."""
    if isinstance(node, ast.ImportFrom):
        return any(alias.name == "*" for alias in node.names)
    return isinstance(node, ast.Name) and node.id in BY_TEXT


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names that an import binds, and of each the package."""
    if isinstance(node, ast.Import):
        yield from ((alias.asname or _root(alias.name), _root(alias.name)) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((alias.asname or alias.name, _root(node.module or "")) for alias in node.names)


def _root(module: str) -> str:
    return module.partition(".")[0]


def _defined(node: ast.AST, name: str) -> ast.AST | None:
    """What is run where a statement defines a function of this name."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
        return node
    is_named = isinstance(node, ast.Assign) and any(
        isinstance(one, ast.Name) and one.id == name for one in node.targets
    )
    return node if is_named else None


def _reads_nothing(function: ast.AST, known: set[str], given: set[str]) -> bool:
    """known: names that are the same for all cases. given: those to which the text gives a meaning."""
    if not isinstance(function, ast.FunctionDef) or any(isinstance(one, _INNER) for one in _inside(function.body)):
        return False
    arguments = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    if len(arguments) > 1 or function.args.defaults or function.args.kwonlyargs:
        return False
    parts = [*_inside([*function.body, *function.decorator_list])]
    own = {one.id for one in parts if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}
    claims = {id(one.value) for one in parts if isinstance(one, ast.Attribute) and _is_claim(one, given)}
    return all(
        id(one) in claims if one.id in arguments else one.id in own | known
        for one in parts
        if isinstance(one, ast.Name)
    )


def _is_claim(node: ast.Attribute, given: set[str]) -> bool:
    """Whether it is an assertion of unittest's own."""
    return hasattr(unittest.TestCase, node.attr) and node.attr not in given and bool(CHECKING.fullmatch(node.attr))


def _inside(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    return (one for part in body for one in ast.walk(part))
