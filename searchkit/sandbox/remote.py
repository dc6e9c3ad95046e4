"""Objects of the program as the tests see them: each operator is a question to the program's process.

Whatever answers with a value is passed on; the value is judged by the tests' own process. What would be taken for the
truth (is it equal, is it less, is it true) is asked only of objects that a test itself made by calling a name with a
capital letter, and is unknown of others: a program that was to return a number must not decide what equals it.
What was made so is compared with its like. With plain data it is compared only if the test shows that the name is a
class (see `trust.py`), and as long as the object has come from nowhere else: what a method returns is not what was
made.
Runs inside the sandbox.
"""

from __future__ import annotations

import collections
import functools
import itertools
import sys
import types
from collections.abc import Callable
from typing import Any

from searchkit.sandbox.operations import ASYNCHRONOUS, IN_PLACE, TRUSTED, VALUES, traits

PLAIN = "plain"  # the trait of a container of a class of the program's own, whose contents can be asked for
OVERRIDDEN = "own "  # with the name of an operator, the trait that such a class has made it its own

CLASSES = {
    f"builtins.{kind.__name__}": kind
    for kind in (
        types.GeneratorType, types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.MappingProxyType,
        map, filter, zip, enumerate, reversed, memoryview, list, dict, set, frozenset, tuple, str, int, float, bytes,
        bytearray, collections.deque, collections.Counter, collections.OrderedDict, collections.defaultdict,
    )
}  # fmt: skip
"""Classes that are Python's own, or that a class of containers of the program extends, as the program names them."""
COROUTINE = (
    "what an event loop drives beside others cannot cross from the program's process to that of the tests: the program "
    "must define a plain function, which may call asyncio.run itself, or the test await its coroutines one by one"
)
COPY, _COPIES = "searchkit", itertools.count()  # of a memo of `deepcopy`: the number of the copy that it is of
LONGEST_NAME = 60  # characters of the name of a class
NOT, LIKE, FULLY = range(3)
"""How far an object's own operators are trusted: not at all, with others that a test made, with plain data too."""


class Opaque(TypeError):
    """A test does with an object of the program what cannot be known."""


class Remote:
    """An object of the program. Equals itself; what else it equals depends on who made it."""

    __slots__ = ("_sk_channel", "_sk_kind", "_sk_library", "_sk_made", "_sk_number")
    _sk_channel: Any
    _sk_number: int
    _sk_kind: int  # how far what a call of it makes is trusted
    _sk_made: int  # how far it is trusted itself, as what a test made or named
    _sk_library: str  # the class, if it is one of a library, as the program's process says
    _sk_traits: frozenset[str] = frozenset()

    def __init__(self, channel: Any, number: int, library: str = "") -> None:
        for name, value in (
            ("channel", channel),
            ("number", number),
            ("library", library),
            ("kind", NOT),
            ("made", NOT),
        ):
            object.__setattr__(self, f"_sk_{name}", value)

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
        if _trusts(self, other):
            return self._sk_channel.ask(name, self, other)
        if PLAIN in self._sk_traits and not is_remote(other):
            plain = self._sk_channel.ask(PLAIN, self)
            return plain == other if name == "__eq__" else plain != other
        if "__eq__" not in self._sk_traits and "__eq__" not in getattr(type(other), "_sk_traits", ()):
            return name == "__ne__"
        raise _refused(
            "whether an object of a class of the program's own is equal to something, only its own code says: "
            "compare what it holds",
            self,
            other,
        )

    def __hash__(self) -> int:
        own = {"__eq__", "__hash__"} & self._sk_traits
        return int(self._sk_channel.ask("__hash__", self)) if own else object.__hash__(self)

    def __bool__(self) -> bool:
        if not _trusts(self):
            if contents := _contents(self, "__bool__", "__len__"):
                return bool(contents[0])
            if _is_full(self):
                return True
            raise _refused("an object of the program is neither true nor false: compare what it holds", self)
        return bool(self._sk_channel.ask("__bool__", self))

    def __instancecheck__(self, instance: Any) -> bool:
        return bool(self._sk_channel.ask("isinstance", instance, self))

    def __subclasscheck__(self, other: Any) -> bool:
        return bool(self._sk_channel.ask("issubclass", other, self))

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """What `isinstance` asks. Of a class of Python's own, which every test knows, it may be told."""
        known = object.__getattribute__(self, "_sk_library")
        if known in CLASSES:
            return CLASSES[known]
        raise _refused("of what class an object of the program is, only the program's own classes can tell", self)

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return self._sk_channel.ask("vars", self)

    def __dir__(self) -> Any:
        return self._sk_channel.ask("dir", self)

    def __str__(self) -> str:
        return str(self._sk_channel.ask("str", self))

    def __repr__(self) -> str:
        return str(self._sk_channel.ask("repr", self))

    def __copy__(self) -> Any:
        return self._sk_channel.ask("copy", self)

    def __deepcopy__(self, memo: dict[Any, Any]) -> Any:
        return self._sk_channel.ask("deepcopy", self, memo.setdefault(COPY, next(_COPIES)))

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise self._sk_channel.opaque("an object of the program cannot be pickled by a test")

    def __mro_entries__(self, bases: Any) -> Any:
        raise self._sk_channel.opaque("a test cannot extend a class of the program")


def is_remote(value: Any) -> bool:
    """Not by `isinstance`, which would ask what class it is of."""
    return issubclass(type(value), Remote)


def _trusts(*values: Any) -> bool:
    """Whether an operator may be asked of these: one of them is trusted fully, or one is and all are the program's."""
    remotes = [one for value in values if (one := remote_of(value)) is not None]
    trust = max((object.__getattribute__(one, "_sk_made") for one in remotes), default=NOT)
    return bool(trust == FULLY or (trust == LIKE and len(remotes) == len(values) > 1))


def remote_of(value: Any) -> Remote | None:
    """The object of the program that a value is, or is a copy of."""
    found = value if is_remote(value) else getattr(type(value), "_sk_remote", None)
    return found if is_remote(found) else None


def _refused(text: str, *values: Any) -> Exception:
    """The error of what cannot be known of an object, the first of `values`: why, and what to do."""
    remotes = [remote for value in values if (remote := remote_of(value)) is not None]
    if any(not remote._sk_traits.isdisjoint(ASYNCHRONOUS) for remote in remotes):
        text = COROUTINE
    elif library := next((name for one in remotes if (name := _library(one))), ""):
        text = (
            f"an object of {library[:LONGEST_NAME]} stays in the program's process, and what it equals only its "
            "library says: the program must return int(...), float(...) or str(...) of it"
        )
    error: Exception = remotes[0]._sk_channel.opaque(text)
    return error


def _known(remote: Remote) -> str:
    """The class of which it is, or of containers that its class extends; "" for a class of the program's own."""
    known: str = object.__getattribute__(remote, "_sk_library")
    return known


def _library(remote: Remote) -> str:
    """The class of a library whose object it is; "" for Python's own and the program's."""
    known = _known(remote)
    return "" if known.startswith("builtins.") else known


def _is_full(remote: Remote) -> bool:
    """Whether Python takes it for true whatever it holds: one of the program's own, or of the standard library.

    A program that was to answer yes or no could as well have answered True.
    """
    if remote._sk_traits.isdisjoint(("__bool__", "__len__", *ASYNCHRONOUS)) and not _known(remote):
        return True
    known = _library(remote).partition(".")[0] in sys.stdlib_module_names
    return known and remote._sk_traits.isdisjoint(("__bool__", "__len__", "__iter__", "__call__", *ASYNCHRONOUS))


def _contents(remote: Remote, *operators: str) -> list[Any]:
    """What is in a container of a class that has not changed these operators; nothing for all else."""
    traits = remote._sk_traits
    if PLAIN not in traits or any(OVERRIDDEN + name in traits for name in operators):
        return []
    return [remote._sk_channel.ask(PLAIN, remote)]


def _driven(self: Remote, *args: Any) -> Any:
    raise _refused(COROUTINE, self)


def _value(name: str) -> Callable[..., Any]:
    return lambda self, *args: self._sk_channel.ask(name, self, *args)


def _trusted(name: str) -> Callable[..., Any]:
    def asked(self: Remote, *args: Any) -> Any:
        if not _trusts(self, *args):
            if name not in IN_PLACE and (contents := _contents(self, name)):
                return TRUSTED[name](*contents, *args)
            raise _refused(
                "what an object of a class of the program's own makes of an operator is not known to be right: "
                "compare what it holds",
                self,
                *args,
            )
        return self._sk_channel.ask(name, self, *args)

    return asked


def _call(self: Remote, /, *args: Any, **kwargs: Any) -> Any:
    kind, before = object.__getattribute__(self, "_sk_kind"), self._sk_channel.arrived
    made = self._sk_channel.ask("__call__", self, *args, **kwargs)
    remote = remote_of(made)
    if kind and remote is not None and self._sk_channel.arrived == before + 1 and remote is self._sk_channel.newest:
        object.__setattr__(remote, "_sk_made", kind)  # it is new, and comes as what the call answers
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
    **dict.fromkeys(ASYNCHRONOUS, _driven),
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
