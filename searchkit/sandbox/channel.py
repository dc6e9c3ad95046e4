"""The tests' end of the channel: the program's functions as calls to another process, its objects as numbers.

What comes from there is read as plain data, whatever it is; what cannot be read ends the channel for good. Runs inside
the sandbox.
"""

from __future__ import annotations

import builtins
import socket
from collections.abc import Iterator
from typing import Any

from searchkit.sandbox.player import MUTABLE, described
from searchkit.sandbox.wire import FUNCTION, OBJECT, pack, receive, send, unpack

GONE = "the program ended"
FORBIDDEN = (StopIteration, StopAsyncIteration)  # raised into a loop of a test they would silently end it


class Gone(BaseException):
    """The program's process has ended, or speaks nonsense. Tests cannot catch it as an `Exception`."""


class Opaque(TypeError):
    """A test does with an object of the program what only plain data can do."""


class Channel:
    """Asks the program's process. `trouble` is set for good once that has failed, whatever a test makes of it."""

    def __init__(self, stream: socket.socket, most: int) -> None:
        self.stream: socket.socket = stream
        self.most: int = most
        self.functions: list[Any] = []
        self.trouble: str = ""

    def ask(self, operation: str, *arguments: Any) -> Any:
        """The program's answer. Raises what its code raised, and `Gone`."""
        if not self.trouble:
            try:
                send(self.stream, [operation, *(pack(one, self.number) for one in arguments)])
            except OSError:
                self.trouble = GONE
        return self.reply(arguments)

    def reply(self, arguments: tuple[Any, ...] = ()) -> Any:
        try:
            while not self.trouble and (message := receive(self.stream, self.most))[0] == FUNCTION:
                self.call_back(message)
            if not self.trouble:
                outcome = _error(message) if message[0] == "error" else self.value(message, arguments)
        except (EOFError, OSError):
            self.trouble = GONE
        except Exception as error:  # whatever it may have sent: too long, too deep, not JSON, not hashable
            self.trouble = f"the program's answer could not be read: {type(error).__name__}"
        if self.trouble:
            raise Gone(self.trouble)
        if isinstance(outcome, Raised):
            raise outcome.error
        return outcome

    def value(self, message: list[Any], arguments: tuple[Any, ...]) -> Any:
        _, packed, changes = message
        for index, changed in changes:
            _assign(arguments[1][index], unpack(changed, self.known))
        return unpack(packed, self.known)

    def call_back(self, message: list[Any]) -> None:
        """The program calls a function that a test gave to it."""
        _, number, args, kwargs = message
        args, kwargs = unpack(args, self.known), unpack(kwargs, self.known)
        try:
            reply = ["value", pack(self.functions[number](*args, **kwargs), self.number)]
        except Exception as error:
            reply = described(error)
        send(self.stream, reply)

    def number(self, value: Any) -> dict[str, int]:
        if type(value) is Remote:
            return {OBJECT: object.__getattribute__(value, "_number")}
        if not callable(value):
            raise Opaque(f"a {type(value).__name__} cannot be handed to the program: pass plain data or a function")
        self.functions.append(value)
        return {FUNCTION: len(self.functions) - 1}

    def known(self, tag: str, number: int) -> Any:
        if tag != OBJECT or type(number) is not int:
            raise ValueError(tag)
        return Remote(self, number)


class Raised:
    """An exception as an answer."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception = error


def _error(message: list[Any]) -> Raised:
    """The program's exception as one of Python's own; never one that leaves the test or ends a loop."""
    _, name, kind, text = message
    made = getattr(builtins, kind, None)
    error: Exception = RuntimeError(text)
    if isinstance(made, type) and issubclass(made, Exception) and not issubclass(made, FORBIDDEN):
        try:
            error = made(text)
        except TypeError:  # a UnicodeError wants more
            error = ValueError(text)
    error.add_note(f"the program raised {name}: {text}")
    return Raised(error)


def _assign(target: Any, changed: Any) -> None:
    if type(target) not in MUTABLE or type(target) is not type(changed):
        raise TypeError(type(changed).__name__)
    target.clear()
    target.update(changed) if isinstance(target, dict | set) else target.extend(changed)


class Remote:
    """An object of the program: can be called, asked for attributes and items, and iterated; equals only itself."""

    __slots__ = ("_channel", "_number")
    _channel: Channel
    _number: int

    def __init__(self, channel: Channel, number: int) -> None:
        self._channel, self._number = channel, number

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._channel.ask("call", self, list(args), kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._channel.ask("get", self, name)

    def __getitem__(self, key: Any) -> Any:
        return self._channel.ask("item", self, key)

    def __len__(self) -> int:
        return int(self._channel.ask("len", self))

    def __bool__(self) -> bool:
        raise Opaque("an object of the program is neither true nor false: compare what it holds")

    def __iter__(self) -> Iterator[Any]:
        iterator = self._channel.ask("iter", self)
        while True:
            reply = self._channel.ask("following", iterator)
            if not reply:
                return
            yield reply[0]

    def __str__(self) -> str:
        return str(self._channel.ask("str", self))

    def __repr__(self) -> str:
        return str(self._channel.ask("repr", self))
