"""Cases that only a run of the tests' text finds: set by `setattr` and `globals()`, made by `type` and factories.

Which ones the text defines is read outside. Runs inside the sandbox, in the tests' process.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

MARKED = "{} has marks or fixtures, which pytest reads and nothing here does"
ARGUMENTS = "{} takes arguments, which nothing here supplies"
UNENDED = "{} is no plain function: it would not be run to its end"


def extra(names: dict[str, Any], known: Iterable[str]) -> list[str]:
    """Cases of a module that are not among those that are known, as "name" or "Class.name"."""
    read = set(known)
    seen = {id(names[name]) for name in read if _is_class(names.get(name))}
    found = list[str]()
    for name, value in names.items():
        if not _is_class(value):
            found += [name] if name.startswith("test") and name not in read and _is_own(value) else []
        elif name in read or id(value) not in seen:
            seen.add(id(value))
            new = [one for one in _methods(name, value) if name not in read or _owner(value, one) not in read]
            found += [f"{name}.{method}" for method in new]
    return found


def _owner(kind: type, method: str) -> str:
    """The method by the class that defines it."""
    return next((f"{one.__name__}.{method}" for one in kind.__mro__ if method in one.__dict__), "")


def unusual(names: dict[str, Any], case: str) -> str:
    """Why a case cannot be run as it is; "" if it can."""
    owner, _, name = case.rpartition(".")
    kind = names[owner] if owner else None
    function = getattr(kind, name, None) if owner else names.get(name)
    static = owner and isinstance(inspect.getattr_static(kind, name, None), staticmethod)
    if any(getattr(one, "pytestmark", None) for one in (function, kind)) or "pytestmark" in names:
        return MARKED.format(case)
    if any(map(_is_fixture, names.values())):
        return MARKED.format("the tests' text")
    inner = function.func if isinstance(function, functools.partial) else function
    code = getattr(inspect.unwrap(inner) if isinstance(inner, types.FunctionType) else inner, "__code__", None)
    asynchronous = code is not None and code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR)
    if code is not None and (code.co_flags & inspect.CO_GENERATOR or (asynchronous and not _is_asynchronous(kind))):
        return UNENDED.format(case)
    return "" if _callable(function, int(bool(owner) and not static)) else ARGUMENTS.format(case)


def _is_class(value: Any) -> bool:
    """Not by `isinstance`, which would ask the program what an object of its own is."""
    return issubclass(type(value), type)


def _methods(name: str, kind: type) -> Iterator[str]:
    """As unittest and pytest collect them."""
    unittest = sys.modules.get("unittest")
    methods = [one for one in dir(kind) if one.startswith("test") and callable(getattr(kind, one, None))]
    if unittest is not None and issubclass(kind, unittest.TestCase):
        if not str(kind.__module__).startswith("unittest"):
            yield from methods or (["runTest"] if hasattr(kind, "runTest") else [])
    elif name.startswith("Test") and kind.__module__ == "__main__":
        yield from methods


def _is_own(value: Any) -> bool:
    """Whether it is a function of the tests' text."""
    inner = value.func if type(value) is functools.partial else value
    return type(inner) in (types.FunctionType, types.MethodType) and inner.__module__ == "__main__"


def _is_fixture(value: Any) -> bool:
    kind = type(value)
    return kind.__name__ == "FixtureFunctionDefinition" or (
        kind is types.FunctionType and hasattr(value, "_pytestfixturefunction")
    )


def _is_asynchronous(kind: Any) -> bool:
    unittest = sys.modules.get("unittest")
    return unittest is not None and kind is not None and issubclass(kind, unittest.IsolatedAsyncioTestCase)


def _callable(function: Any, given: int) -> bool:
    """Whether that many arguments are enough."""
    try:
        inspect.signature(function).bind(*[None] * given)
    except TypeError:
        return False
    except ValueError:  # it has no signature
        return True
    return True
