"""Members of a program's own `enum.Flag`: on the tests' side of a class with the same members, which combines them.

So `f() == P.READ | P.WRITE` is worked out by Python's own class, in the tests' process. Runs inside the sandbox.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from searchkit.sandbox.operations import traits

MOST = 1000  # members of a class
MADE = frozenset((
    "name", "value", "_name_", "_value_", "_missing_", "__class__", "__dict__", "__getattr__", "__getattribute__",
))  # fmt: skip
"""What tells one member from another: a class that has its own of these decides that by its code."""


def is_plain(kind: type) -> bool:
    """Whether it is a class of flags that has changed nothing of what Python makes of them."""
    if type(kind) is not enum.EnumMeta or not issubclass(kind, enum.Flag) or kind.__mro__[1:] != enum.Flag.__mro__:
        return False
    plain = len(kind._member_map_) <= MOST and all(map(is_whole, kind._member_map_.values()))
    changed = traits(kind, enum.Flag) or not MADE.isdisjoint(kind.__dict__) or kind.__new__ is not enum.Flag.__new__
    return plain and getattr(kind, "_boundary_", None) is enum.STRICT and not changed


def is_whole(value: Any) -> bool:
    """Whether a member, of a class as Python makes them, still is the one that its class has for its number."""
    number = value.__dict__.get("_value_")
    return type(number) is int and type(value)._value2member_map_.get(number) is value


def members(kind: Any) -> list[list[Any]]:
    return [[name, one._value_] for name, one in kind._member_map_.items()]


def made(name: str, told: list[list[Any]], number: int, ask: Callable[..., Any]) -> Any:
    """A class with these members. Raises for what is no class of flags.

    number: of the class in the program's process. ask: what else a member has, is asked there.
    """

    class Flags(enum.Flag):
        def __getattr__(self, asked: str) -> Any:
            if asked.startswith("_"):
                raise AttributeError(asked)
            return ask("get", self, asked)

    if len(told) > MOST or not all(type(value) is int for _, value in told):
        raise ValueError(name)
    kind: Any = Flags(str(name), {str(one): value for one, value in told})  # type: ignore[call-arg]
    kind._sk_number = number
    return kind
