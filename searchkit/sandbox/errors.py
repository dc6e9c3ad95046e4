"""Exceptions of the program: described for the way, and on the tests' side exceptions of classes that stand for them.

A test can catch what the program raised, by one of Python's own classes or by one of the program's. Runs inside the
sandbox.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from typing import Any

LONGEST_MESSAGE = 2000  # characters of an exception's text
LONGEST_ARGUMENTS = 10_000  # characters of its arguments, as JSON
FORBIDDEN = (StopIteration, StopAsyncIteration)  # raised into a loop of a test they would silently end it


def is_own(kind: type) -> bool:
    """Whether the class is one of Python's own."""
    return getattr(builtins, kind.__name__, None) is kind


def lineage(kind: type, number: Callable[[Any], int]) -> list[list[Any]]:
    """The classes of the program's own among those of an exception, the class itself first.

    As [number, name, the nearest class that Python itself has].
    """
    return [
        [number(one), one.__name__[:LONGEST_MESSAGE], nearest(one)]
        for one in kind.__mro__
        if not is_own(one) and issubclass(one, BaseException)
    ]


def nearest(kind: type) -> str:
    """The first class among those that `kind` extends that is one of Python's own."""
    return next(one.__name__ for one in kind.__mro__ if is_own(one))


def described(error: BaseException) -> dict[str, Any]:
    """Its name, the nearest class that Python itself has, the beginning of its text, and its arguments if short."""
    try:
        text = str(error)[:LONGEST_MESSAGE]
        args = [one for one in error.args if one is None or type(one) in (bool, int, float, str)]
        whole = len(args) == len(error.args) and len(json.dumps(args)) <= LONGEST_ARGUMENTS
    except BaseException:
        text, args, whole = "", [], False
    return {
        "name": type(error).__name__[:LONGEST_MESSAGE],
        "kind": nearest(type(error)),
        "text": text,
        "args": args if whole else [text],
    }


def own_class(name: str) -> type[Exception] | None:
    """One of Python's own classes of exceptions; never one that leaves the test or ends a loop."""
    found = getattr(builtins, name, None)
    usable = isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, FORBIDDEN)
    return found if usable else None


def own(told: dict[str, Any]) -> Exception:
    """One of Python's own exceptions."""
    made = own_class(told["kind"])
    if made is not None:
        for args in (told["args"], [told["text"]]):
            try:
                return made(*args)
            except TypeError:  # a UnicodeError wants more
                continue
        return ValueError(told["text"])
    return RuntimeError(told["text"])


class Stand:
    """What classes that stand for the program's exceptions have: their attributes are the program's."""

    _sk_remote: Any = None
    _sk_text: str = ""

    def __getattr__(self, name: str) -> Any:
        if self._sk_remote is None or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        return getattr(self._sk_remote, name)

    def __str__(self) -> str:
        return self._sk_text


def stand_in(name: str, number: int, parent: type | None, base: type, refuse: Callable[[str], Exception]) -> type:
    """A class for the program's exception class with that number, which extends `parent` and Python's own `base`."""

    def refused(self: Any, *args: Any, **kwargs: Any) -> None:
        raise refuse("a test cannot make an exception of a class of the program")

    bases = tuple(one for one in (parent or Stand, base) if one is not base or not issubclass(parent or Stand, base))
    return type(name, bases, {"_sk_number": number, "__init__": refused, "__module__": "program"})


def stood_in(kind: type, told: dict[str, Any], remote: Any) -> Any:
    """An exception of a class made by `stand_in`."""
    error: Any = kind.__new__(kind, *told["args"])
    error._sk_remote, error._sk_text = remote, told["text"]
    return error
