"""Which cases of a text have no part in what the others leave behind: those say nothing of a program.

A case that does not name the program may still judge it, by what another case has left in a list, on its class, in a
global variable, in a module; so only a case that names nothing but its own variables and Python's own functions is out.
"""

from __future__ import annotations

import ast
import builtins
import unittest
from collections.abc import Iterable

from searchkit.verifiers.code.checks import CHECKING, IMPURE


def is_alone(tree: ast.Module, case: str) -> bool:
    """Whether a case, "name" or "Class.name", holds or fails by itself, whatever the text and its other cases do."""
    name = case.rpartition(".")[2]
    bodies = [one for node in ast.walk(tree) if (one := _defined(node, name)) is not None]
    given = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}
    given |= {getattr(one, "name", None) or getattr(one, "asname", None) or "" for one in ast.walk(tree)}
    known = {*dir(builtins)} - IMPURE - given
    return bool(bodies) and all(_reads_nothing(one, known, given) for one in bodies)


def _defined(node: ast.AST, name: str) -> ast.AST | None:
    """What is run where a statement defines a function of this name."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
        return node
    is_named = isinstance(node, ast.Assign) and any(
        isinstance(one, ast.Name) and one.id == name for one in node.targets
    )
    return node if is_named else None


def _reads_nothing(function: ast.AST, known: set[str], given: set[str]) -> bool:
    if not isinstance(function, ast.FunctionDef) or function.decorator_list:
        return False
    if any(isinstance(one, ast.Global | ast.Nonlocal | ast.Import | ast.ImportFrom | ast.Lambda | ast.FunctionDef
                      | ast.ClassDef | ast.AsyncFunctionDef) for one in _inside(function.body)):  # fmt: skip
        return False
    arguments = [*function.args.posonlyargs, *function.args.args]
    own = {one.id for one in _inside(function.body) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}
    claims = {
        id(one.value)
        for one in _inside(function.body)
        if isinstance(one, ast.Attribute) and one.attr not in given and _is_claim(one)
    }
    instance = arguments[0].arg if len(arguments) == 1 and not function.args.defaults else ""
    return len(arguments) <= bool(instance) and all(
        one.id in (own | known) or (one.id == instance and id(one) in claims)
        for one in _inside(function.body)
        if isinstance(one, ast.Name)
    )


def _is_claim(node: ast.Attribute) -> bool:
    """Whether it is an assertion of unittest's own."""
    return (
        hasattr(unittest.TestCase, node.attr)
        and CHECKING.fullmatch(node.attr) is not None
        and isinstance(node.ctx, ast.Load)
    )


def _inside(body: Iterable[ast.AST]) -> Iterable[ast.AST]:
    return (one for part in body for one in ast.walk(part))
