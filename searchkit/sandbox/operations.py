"""What tests may do with an object of the program: Python's own operators, by the name of the special method.

The tests' side sends the name, the program's side carries it out, as Python would. Runs inside the sandbox.
"""

from __future__ import annotations

import builtins
import copy
import dataclasses
import math
import operator
from collections.abc import Callable
from typing import Any

_BINARY = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "floordiv": operator.floordiv, "mod": operator.mod, "pow": operator.pow, "matmul": operator.matmul,
    "lshift": operator.lshift, "rshift": operator.rshift, "and": operator.and_, "or": operator.or_,
    "xor": operator.xor, "divmod": divmod,
}  # fmt: skip
_IN_PLACE = {f"__i{name}__": getattr(operator, f"i{name}") for name in _BINARY if name != "divmod"}
IN_PLACE = frozenset(_IN_PLACE)
_END = object()


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda own, other: function(other, own)


VALUES: dict[str, Callable[..., Any]] = {
    "__neg__": operator.neg, "__pos__": operator.pos, "__invert__": operator.invert, "__abs__": abs,
    "__int__": int, "__float__": float, "__complex__": complex, "__index__": operator.index, "__round__": round,
    "__trunc__": math.trunc, "__floor__": math.floor, "__ceil__": math.ceil, "__bytes__": bytes,
    "__len__": len, "__iter__": iter, "__reversed__": reversed, "__format__": format, "__hash__": hash,
    "__getitem__": operator.getitem, "__setitem__": operator.setitem, "__delitem__": operator.delitem,
    "__call__": lambda function, *args, **kwargs: function(*args, **kwargs),
    "__next__": lambda iterator: [] if (one := next(iterator, _END)) is _END else [one],  # empty at the end
    "__str__": str, "__repr__": repr,
    "__enter__": lambda manager: type(manager).__enter__(manager),
    "__exit__": lambda manager: type(manager).__exit__(manager, None, None, None),
}  # fmt: skip
"""Operators that answer with a value, which the tests then judge. They could have been given the value itself."""

TRUSTED: dict[str, Callable[..., Any]] = {
    **{f"__{name}__": function for name, function in _BINARY.items()},
    **{f"__r{name}__": _reflected(function) for name, function in _BINARY.items()},
    **_IN_PLACE,
    "__bool__": bool, "__contains__": operator.contains, "__eq__": operator.eq, "__ne__": operator.ne,
    "__lt__": operator.lt, "__le__": operator.le, "__gt__": operator.gt, "__ge__": operator.ge,
}  # fmt: skip
"""Operators whose answer is taken for the truth, or that are told what is expected, as in `abs(f() - 3) < 1e-6`.

They are asked only of objects that a test knows to be the program's.
"""

ASYNCHRONOUS = ("__await__", "__aiter__", "__anext__", "__aenter__", "__aexit__")
"""What an event loop asks for. The tests' loop cannot drive what runs in another process."""

ALL = (*VALUES, *TRUSTED, *ASYNCHRONOUS)
COMPARISONS = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}
"""With one of these of its own, a class that extends a plain type is not compared as that type is."""

DRAWN, TOUCHED = "drawn", "touched"
"""What the program is asked where a test fails: whether it drew random numbers, whether it used files."""

_MEMOS: dict[int, dict[int, Any]] = {}


def _copied(value: Any) -> Any:
    return copy.copy(value)


def _deeply_copied(value: Any, number: int) -> Any:
    """number: of a copy in the tests' process of which this is a part; what it has copied already is copied once."""
    return copy.deepcopy(value, _MEMOS.setdefault(number, {}))


OF_DATACLASSES = ("asdict", "astuple", "fields", "is_dataclass", "replace")
"""What the module `dataclasses` says of an object, which it can say only where the object is."""

OTHERS: dict[str, Callable[..., Any]] = {
    **{name: getattr(dataclasses, name) for name in OF_DATACLASSES}, "copy": _copied, "deepcopy": _deeply_copied,
    "get": getattr, "set": setattr, "del": delattr, "str": str, "repr": repr, "dir": dir, "vars": vars, "type": type,
    "isinstance": isinstance, "issubclass": issubclass,
}  # fmt: skip
OPERATIONS = {**VALUES, **TRUSTED, **OTHERS}


def traits(kind: type, base: type = object) -> list[str]:
    """The operators that a class has of its own, beyond those of `base`."""
    return [name for name in ALL if (own := _member(kind, name)) is not None and own is not _member(base, name)]


def _member(kind: type, name: str) -> Any:
    """What instances find on their class: not what a metaclass has."""
    for one in kind.__mro__:
        if name in one.__dict__:
            return one.__dict__[name]
    return None


def builtin_name(value: Any) -> str:
    """The name of one of Python's own types or constants, known everywhere by its name; "" for all else."""
    if value is Ellipsis or value is NotImplemented:
        return repr(value)
    name = value.__name__ if issubclass(type(value), type) else ""
    return name if type(name) is str and getattr(builtins, name, None) is value else ""
