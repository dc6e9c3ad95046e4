"""Values of classes that extend a plain type, as that type. Runs inside the sandbox."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

# What is read by the plain type's own methods, whatever the class has made of them.
BASES: dict[type, Callable[[Any], Any]] = {
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    tuple: lambda value: tuple(tuple.__iter__(value)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
    list: lambda value: list(list.__iter__(value)),
    dict: dict.copy,
    set: lambda value: set(set.__iter__(value)),
    deque: lambda value: deque(deque.__iter__(value)),
}
IMMUTABLE = (int, float, str, bytes, tuple, frozenset)


def base_of(value: Any) -> type | None:
    """The plain type that the class of `value` extends."""
    return next((kind for kind in type(value).__mro__ if kind in BASES), None)
