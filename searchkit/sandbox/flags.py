"""Members of a program's own `enum.Flag`: on the tests' side of a class with the same members, which combines them.

So `f() == P.READ | P.WRITE` is worked out by Python's own class, in the tests' process. Runs inside the sandbox.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from searchkit.sandbox.operations import traits

MOST = 1000  # members of a class


def is_plain(kind: type) -> bool:
    """Whether it is a class of flags that has changed nothing of what Python makes of them."""
    if not issubclass(kind, enum.Flag) or issubclass(kind, int) or kind.__mro__[1:] != enum.Flag.__mro__:
        return False
    members = kind.__members__
    plain = len(members) <= MOST and all(type(one.value) is int for one in members.values())
    return plain and getattr(kind, "_boundary_", None) is enum.STRICT and not traits(kind, enum.Flag)


def members(kind: Any) -> list[list[Any]]:
    return [[name, one.value] for name, one in kind.__members__.items()]


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
