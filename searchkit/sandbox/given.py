"""Instances of plain classes that a prompt or setup defines, such as the nodes of a list.

Both processes have the class. So they are plain data, by their attributes: each process has an instance of its own
class, and methods run where they are called. Runs inside the sandbox.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

MARK = "_sk_given"  # of a class whose instances cross as data
SPECIAL = {
    "__slots__", "__getattr__", "__getattribute__", "__setattr__", "__delattr__", "__new__", "__del__",
}  # fmt: skip


class Given:
    """The name of a class, and the attributes of one of its instances."""

    def __init__(self, parts: list[Any]) -> None:
        self.name: str = str(parts[0])
        self.values: dict[str, Any] = dict(zip(parts[1::2], parts[2::2], strict=True))


def is_given(value: Any) -> bool:
    """Whether it is an instance of a class that was marked."""
    return MARK in type(value).__dict__


def mark(value: Any, kind: Any, names: Iterable[str]) -> bool:
    """Mark the class of a value, if it is this one, has one of these names, and is plain. kind: None for no class."""
    own = type(value)
    if kind is not own or own.__name__ not in names or not is_plain(own):
        return False
    setattr(own, MARK, own.__name__)
    return True


def is_plain(kind: type) -> bool:
    """Whether its instances are what their attributes are."""
    own = vars(kind)
    if type(kind) is not type or kind.__mro__ != (kind, object) or SPECIAL & own.keys():
        return False
    return not any(
        hasattr(type(one), "__set__") for name, one in own.items() if name not in ("__dict__", "__weakref__")
    )


def parts(value: Any) -> list[Any]:
    return [type(value).__name__, *itertools.chain(*vars(value).items())]


def made(told: Given, kind: Any) -> Any:
    """The instance. Raises for a class that is none of these."""
    if not issubclass(type(kind), type) or kind.__name__ != told.name or not is_plain(kind):
        raise TypeError(told.name)
    setattr(kind, MARK, told.name)
    value = object.__new__(kind)
    refill(value, told)
    return value


def refill(value: Any, told: Given) -> None:
    """Give it these attributes and no others. Raises for one that stands in the place of a method."""
    kind = type(value)
    if kind.__name__ != told.name or any(callable(getattr(kind, name, None)) for name in told.values):
        raise TypeError(told.name)
    vars(value).clear()
    vars(value).update(told.values)
