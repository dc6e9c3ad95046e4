"""The program's process: executes a program, then answers calls of its functions.

Nothing here is trusted: the program can change all of it. It never sees a test or an expected value, only arguments,
and its answers are plain data that is compared elsewhere; so there is nothing to forge. Runs inside the sandbox.
"""

from __future__ import annotations

import builtins
import functools
import io
import socket
import sys
import types
from typing import Any

from searchkit.sandbox import arrays, errors, libraries
from searchkit.sandbox.operations import COMPARISONS, OPERATIONS, builtin_name, traits
from searchkit.sandbox.plain import BASES, IMMUTABLE, base_of
from searchkit.sandbox.program import execute, module
from searchkit.sandbox.remote import PLAIN
from searchkit.sandbox.wire import FUNCTION, OBJECT, STARTED, Seen, pack, receive, send, shallow, unpack


def play(channel: socket.socket, job: dict[str, Any]) -> None:
    """Execute the program, say how that went, and answer requests until the channel ends."""
    player = Player(channel, module("program", job["prelude"]))
    sys.modules["__main__"] = player.module  # where a program looks for itself
    trouble = execute(job, player.module)
    send(channel, [STARTED, None if trouble is None else player.told(trouble)])
    while True:
        player.answer(receive(channel, sys.maxsize))


class Player:
    """Answers requests of the tests' process, which knows the objects of this one by number."""

    def __init__(self, channel: socket.socket, program: types.ModuleType) -> None:
        self.channel: socket.socket = channel
        self.module: types.ModuleType = program
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.printed: list[io.StringIO] = []
        self.operations: dict[str, Any] = {**OPERATIONS, "entry": self.entry, "listen": self.listen, PLAIN: plain}

    def answer(self, request: list[Any]) -> None:
        seen = Seen()
        try:
            operation, packed = request
            positional, named = unpack(packed, self.known, seen)
            given = list(seen.objects)
            before = [shallow(one, self.number, seen) for one in given]
            value = self.operations[operation](*positional, **dict(named))
            reply = ["value", pack(value, self.number, seen), self.changes(given, before, seen), self.said()]
        except BaseException as error:
            reply = ["error", self.told(error)]
        send(self.channel, reply)

    def changes(self, given: list[Any], before: list[Any], seen: Seen) -> list[Any]:
        """What the call made of its mutable arguments, as [place, value]: the caller sees it, as in one process."""
        after = [[i, shallow(one, self.number, seen)] for i, one in enumerate(given)]
        return [[i, packed] for i, packed in after if packed != before[i]]

    # ---------------------------------------------------------------- requests of their own

    def entry(self, name: str) -> Any:
        """What the program calls so; else the method of that name of a class Solution, as some sites want it."""
        if not hasattr(self.module, name) and hasattr(getattr(self.module, "Solution", None), name):
            return getattr(self.module.Solution(), name)
        return getattr(self.module, name)

    def listen(self) -> None:
        """From now on, answer with what a call prints, too."""
        sys.stdout, sys.stderr = self.printed = [io.StringIO(), io.StringIO()]

    def said(self) -> list[str]:
        texts = [stream.getvalue() for stream in self.printed]
        for stream in self.printed:
            stream.seek(0)
            stream.truncate()
        return texts or ["", ""]

    # ---------------------------------------------------------------- what is no plain data

    def number(self, value: Any) -> dict[str, Any]:
        kind: Any = type(value)
        if issubclass(kind, type) and issubclass(value, BaseException) and not errors.is_own(value):
            return {"raises": self.raises(value)}
        if name := builtin_name(value):
            return {"builtin": name}
        if arrays.is_scalar(value):
            return {"scalar": [pack(arrays.parts(value), self.number), pack(value.item(), self.number)]}
        base = base_of(value)
        own_ones = _traits(kind, base or object)
        if base is None or COMPARISONS.intersection(own_ones):
            return {OBJECT: [self.place(value), own_ones if base is None else _traits(kind, object), library_of(kind)]}
        if base not in IMMUTABLE:
            return {OBJECT: [self.place(value), [*_traits(kind, object), PLAIN], library_of(kind)]}
        fields = [str(name) for name in getattr(kind, "_fields", ())] if base is tuple else []
        packed = pack(BASES[base](value), self.number)
        return {"like": [packed, kind.__name__, fields, self.place(value), own_ones]}

    def raises(self, kind: type) -> list[Any]:
        """A class of exceptions: how it is known, and if it is not, the classes that stand for it."""
        known = errors.known_name(kind)
        own = [[self.place(kind), kind.__name__, [errors.names(kind)]]]
        return [known or ["", ""], errors.lineage(kind, self.place) if known is None else own]

    def place(self, value: Any) -> int:
        """The number of an object: always the same one for the same object."""
        if id(value) not in self.numbers:
            self.numbers[id(value)] = len(self.objects)
            self.objects.append(value)
        return self.numbers[id(value)]

    def known(self, tag: str, body: Any) -> Any:
        """An object of this process, or what the tests gave: plain data, a function that calls back."""
        if tag == OBJECT:
            return self.objects[body]
        if tag == "builtin":
            return getattr(builtins, body)
        if tag == "scalar":
            return arrays.scalar(unpack(body[0], self.known), unpack(body[1], self.known))
        if tag == "like":
            return unpack(body, self.known)
        return lambda *args, **kwargs: self.call_back(body, args, kwargs)

    def told(self, error: BaseException) -> dict[str, Any]:
        """An exception, described for the tests' process."""
        return {**errors.described(error, self.place), "library": libraries.lacking(error)}

    def call_back(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        send(self.channel, [FUNCTION, number, pack((args, tuple(kwargs.items())), self.number)])
        while True:
            message = receive(self.channel, sys.maxsize)
            if message[0] == "value":
                return unpack(message[1], self.known)
            if message[0] == "error":
                raise errors.made(message[1])
            self.answer(message)  # the function called the program in turn


@functools.cache
def _traits(kind: Any, base: Any) -> list[str]:
    return traits(kind, base)


@functools.cache
def library_of(kind: Any) -> str:
    """A class of a module that the program has imported, such as "sympy.Integer"; "" for the program's and Python's."""
    root = str(getattr(kind, "__module__", "")).partition(".")[0]
    return "" if root in ("program", "__main__", "builtins") else f"{root}.{kind.__name__}"


def plain(value: Any) -> Any:
    """The contents of a container of a class of the program's own."""
    base = base_of(value)
    return BASES[base](value) if base else value
