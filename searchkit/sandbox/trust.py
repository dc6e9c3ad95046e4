"""Which names of a test stand for classes of the program's, as far as the test itself says so.

A name with a capital letter may be a class (`Vector`) and may be a function (`Find_Max`, in many data sets). What a
class makes, a test may compare with plain data by the class's own operators; what a function returns, it must not: the
program would decide what equals it. So a test has to use what comes of a call as no plain value can be used.
Runs outside the sandbox.
"""

from __future__ import annotations

import ast
import enum
import functools
import re
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath
from uuid import UUID

_PLAIN = (
    int, float, complex, str, bytes, bytearray, tuple, list, dict, set, frozenset, range, slice, deque, Counter,
    OrderedDict, defaultdict, date, datetime, time, timedelta, Decimal, Fraction, BaseException, PosixPath, UUID,
    re.Pattern, array, enum.Enum,
)  # fmt: skip
_OF_ARRAYS = {
    "shape", "dtype", "ndim", "size", "T", "all", "any", "sum", "mean", "min", "max", "std", "tolist", "item", "astype",
    "reshape", "flatten", "ravel", "flat", "transpose", "round", "argmax", "argmin", "nonzero", "dot",
}  # fmt: skip
PLAIN = {name for kind in _PLAIN for name in dir(kind)} | _OF_ARRAYS | {
    "_replace", "_asdict", "_fields", "name", "value", "int", "is_safe",
}  # fmt: skip
OF_FUNCTIONS = set(dir(ast.walk)) | {"cache_clear", "cache_info"}
INSTANCE = {"isinstance", "issubclass", "assertIsInstance", "assertNotIsInstance", "assertIsSubclass"}


def classes(nodes: list[ast.AST], names: list[str]) -> list[str]:
    """Those of `names` that a test of these nodes uses as classes. Linear in the text, for each of the names."""
    return [name for name in names if name[:1].isupper() and _is_class(nodes, name)]


def _is_class(nodes: list[ast.AST], name: str) -> bool:
    aliases = {name, *_aliases(nodes, name)}
    makes = functools.partial(_makes, aliases=aliases)
    held = {text for node in nodes for target in _targets(node, makes) for text in _texts(target)}
    held -= {text for node in nodes for text in _others(node, makes)}
    return any(_shows(node, aliases, held, makes) for node in nodes)


def _shows(node: ast.AST, aliases: set[str], held: set[str], makes: Callable[[ast.AST], bool]) -> bool:
    """Whether a node uses it as no function is used, or what it makes as no plain value."""
    if isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id in aliases:
            return node.attr not in OF_FUNCTIONS
        return node.attr not in PLAIN and (makes(node.value) or _text(node.value) in held)
    if isinstance(node, ast.Call) and len(node.args) > 1 and _called(node) in INSTANCE:
        return any(isinstance(one, ast.Name) and one.id in aliases for one in ast.walk(node.args[1]))
    return False


def _aliases(nodes: list[ast.AST], name: str) -> set[str]:
    """Other names of it: those it is assigned to, and the arguments of the test's functions that are given it."""
    found = set[str]()
    functions = {one.name: one for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == name:
            found |= {one.id for one in node.targets if isinstance(one, ast.Name)}
        elif isinstance(node, ast.Call) and _called(node) in functions:
            given = functions[_called(node)].args
            for one, value in zip([*given.posonlyargs, *given.args], node.args, strict=False):
                found |= {one.arg} if isinstance(value, ast.Name) and value.id == name else set()
    return found


def _makes(node: ast.AST, aliases: set[str]) -> bool:
    """Whether it is a call of the name, or is made of such calls by operators, brackets and functions of builtins."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in aliases:
            return True
        return _called(node) in ("sum", "max", "min", "sorted", "abs", "next", "iter", "list", "reversed") and any(
            _makes(one, aliases) for one in node.args
        )
    parts = {
        ast.BinOp: ("left", "right"),
        ast.UnaryOp: ("operand",),
        ast.Subscript: ("value",),
        ast.NamedExpr: ("value",),
    }
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return any(_makes(one, aliases) for one in node.elts)
    if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
        return _makes(node.elt, aliases)
    return any(_makes(getattr(node, part), aliases) for part in parts.get(type(node), ()))


def _targets(node: ast.AST, makes: Callable[[ast.AST], bool]) -> list[ast.AST]:
    """What is assigned something that it made."""
    if isinstance(node, ast.Assign) and makes(node.value):
        return list(node.targets)
    if isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None and makes(node.value):
        return [node.target]
    if isinstance(node, ast.For | ast.comprehension) and makes(node.iter):
        return [node.target]
    if isinstance(node, ast.withitem) and node.optional_vars is not None and makes(node.context_expr):
        return [node.optional_vars]
    return []


def _others(node: ast.AST, makes: Callable[[ast.AST], bool]) -> list[str]:
    """What is given a value that it did not make: a name that is used twice says nothing of the first value."""
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.For | ast.comprehension | ast.withitem):
        if _targets(node, makes):
            return []
        targets = [
            getattr(node, "target", None), getattr(node, "optional_vars", None), *getattr(node, "targets", ())
        ]  # fmt: skip
        return [text for one in targets if one is not None for text in _texts(one)]
    return []


def _texts(target: ast.AST) -> list[str]:
    if isinstance(target, ast.Tuple | ast.List):
        return [text for one in target.elts for text in _texts(one)]
    return [text] if (text := _text(target)) else []


def _text(node: ast.AST) -> str:
    """A name, or an attribute of one as `self.x`; "" for all else."""
    if isinstance(node, ast.Name):
        return node.id
    return (
        f"{node.value.id}.{node.attr}" if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else ""
    )


def _called(node: ast.Call) -> str:
    return (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )
