"""Objects of the program as the tests see them: each operator is a question to the program's process.

Whatever answers with a value is passed on; the value is judged by the tests' own process. What would be taken for the
truth (is it equal, is it less, is it true) is asked only of objects that a test itself made by calling a class, a name
with a capital letter, and is unknown of others: a program that was to return a number must not decide what equals it.
Runs inside the sandbox.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

from searchkit.sandbox.operations import TRUSTED, VALUES, traits

PLAIN = "plain"  # the trait of a container of a class of the program's own, whose contents can be asked for


class Opaque(TypeError):
    """A test does with an object of the program what cannot be known."""


class Remote:
    """An object of the program. Equals itself; what else it equals depends on who made it."""

    __slots__ = ("_sk_channel", "_sk_kind", "_sk_made", "_sk_number")
    _sk_channel: Any
    _sk_number: int
    _sk_kind: bool  # whether a test knows it for a class
    _sk_made: bool  # whether it came of calling such a class
    _sk_traits: frozenset[str] = frozenset()

    def __init__(self, channel: Any, number: int) -> None:
        for name, value in (("_sk_channel", channel), ("_sk_number", number), ("_sk_kind", False), ("_sk_made", False)):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        return self._sk_channel.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._sk_channel.ask("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._sk_channel.ask("del", self, name)

    def __eq__(self, other: Any) -> Any:
        return self._sk_equal(other, "__eq__")

    def __ne__(self, other: Any) -> Any:
        return self._sk_equal(other, "__ne__")

    def _sk_equal(self, other: Any, name: str) -> Any:
        if self is other:
            return name == "__eq__"
        if _known(self) or _known(other):
            return self._sk_channel.ask(name, self, other)
        if PLAIN in self._sk_traits and not is_remote(other):
            plain = self._sk_channel.ask(PLAIN, self)
            return plain == other if name == "__eq__" else plain != other
        if "__eq__" not in self._sk_traits and "__eq__" not in getattr(type(other), "_sk_traits", ()):
            return name == "__ne__"
        raise self._sk_channel.opaque(
            "whether an object of a class of the program's own is equal to something, only its own code says: "
            "compare what it holds"
        )

    def __hash__(self) -> int:
        own = {"__eq__", "__hash__"} & self._sk_traits
        return int(self._sk_channel.ask("__hash__", self)) if own else object.__hash__(self)

    def __bool__(self) -> bool:
        if not _known(self):
            raise self._sk_channel.opaque("an object of the program is neither true nor false: compare what it holds")
        return bool(self._sk_channel.ask("__bool__", self))

    def __instancecheck__(self, instance: Any) -> bool:
        return bool(self._sk_channel.ask("isinstance", instance, self))

    def __subclasscheck__(self, other: Any) -> bool:
        return bool(self._sk_channel.ask("issubclass", other, self))

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise self._sk_channel.opaque(
            "of what class an object of the program is, only the program's own classes can tell"
        )

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return self._sk_channel.ask("vars", self)

    def __dir__(self) -> Any:
        return self._sk_channel.ask("dir", self)

    def __str__(self) -> str:
        return str(self._sk_channel.ask("str", self))

    def __repr__(self) -> str:
        return str(self._sk_channel.ask("repr", self))

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise self._sk_channel.opaque("an object of the program cannot be copied by a test")

    def __mro_entries__(self, bases: Any) -> Any:
        raise self._sk_channel.opaque("a test cannot extend a class of the program")


def is_remote(value: Any) -> bool:
    """Not by `isinstance`, which would ask what class it is of."""
    return issubclass(type(value), Remote)


def _known(value: Any) -> bool:
    """Whether a test made it itself, or it is a class."""
    remote = remote_of(value)
    return remote is not None and any(object.__getattribute__(remote, name) for name in ("_sk_made", "_sk_kind"))


def remote_of(value: Any) -> Remote | None:
    """The object of the program that a value is, or is a copy of."""
    found = value if is_remote(value) else getattr(type(value), "_sk_remote", None)
    return found if is_remote(found) else None


def _value(name: str) -> Callable[..., Any]:
    return lambda self, *args: self._sk_channel.ask(name, self, *args)


def _trusted(name: str) -> Callable[..., Any]:
    def asked(self: Remote, *args: Any) -> Any:
        if not any(_known(one) for one in (self, *args)):
            raise self._sk_channel.opaque(
                "what an object of a class of the program's own makes of an operator is not known to be right: "
                "compare what it holds"
            )
        return self._sk_channel.ask(name, self, *args)

    return asked


def _call(self: Remote, /, *args: Any, **kwargs: Any) -> Any:
    made = self._sk_channel.ask("__call__", self, *args, **kwargs)
    remote = remote_of(made)
    if object.__getattribute__(self, "_sk_kind") and remote is not None:
        object.__setattr__(remote, "_sk_made", True)
    return made


def _next(self: Remote) -> Any:
    reply = self._sk_channel.ask("__next__", self)
    if not reply:
        raise StopIteration
    return reply[0]


def _exit(self: Remote, kind: Any, error: Any, trace: Any) -> bool:
    if isinstance(error, AssertionError):
        return False  # the test has failed, whatever the program makes of it
    if error is not None:
        raise self._sk_channel.opaque("a test raises within a context of the program, which does not see it")
    return bool(self._sk_channel.ask("__exit__", self))


_FORWARD: dict[str, Callable[..., Any]] = {
    **{name: _value(name) for name in VALUES},
    **{name: _trusted(name) for name in TRUSTED},
    "__call__": _call, "__next__": _next, "__exit__": _exit,
}  # fmt: skip
for _name in ("__eq__", "__ne__", "__hash__", "__bool__"):
    del _FORWARD[_name]


@functools.cache
def kind_of(traits: frozenset[str]) -> type[Remote]:
    """Objects that have just these operators."""
    names = {name: forward for name, forward in _FORWARD.items() if name in traits}
    texts = {name: property(functools.partial(_text, name)) for name in ("__doc__", "__module__", "__annotations__")}
    return type("Remote", (Remote,), {"__slots__": (), "_sk_traits": traits, **names, **texts})


def _text(name: str, self: Remote) -> Any:
    return self._sk_channel.ask("get", self, name)


kind_of(frozenset(traits(types.FunctionType)))  # made once, before processes are forked for programs
