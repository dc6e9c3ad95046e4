"""The tests' end of the channel: the program's functions as calls to another process, its objects as numbers.

What comes from there is read as plain data, whatever it is; what cannot be read ends the channel for good. Runs inside
the sandbox.
"""

from __future__ import annotations

import builtins
import collections
import functools
import socket
import sys
import threading
from typing import Any

from searchkit.sandbox import arrays, errors
from searchkit.sandbox.endings import is_programs, mark
from searchkit.sandbox.held import Held
from searchkit.sandbox.libraries import unnamed
from searchkit.sandbox.limits import ANSWER
from searchkit.sandbox.operations import builtin_name
from searchkit.sandbox.plain import BASES, IMMUTABLE, base_of
from searchkit.sandbox.remote import NOT, Opaque, Remote, is_remote, kind_of
from searchkit.sandbox.wire import (
    FUNCTION,
    LONG,
    OBJECT,
    STARTED,
    UNKNOWN,
    Cyclic,
    Seen,
    contents,
    deeply,
    encoded,
    pack,
    receive,
    refill,
    send,
    unpack,
)

GONE = "the program ended"
CAUGHT = "and a handler for it also catches what the test itself raises"
ENDS = "a function of the program raises the end of an iterator, which would end a loop of the test"
RAISED = ("name", "text", "library")  # what is looked at of an exception at module level


class Gone(BaseException):
    """The program's process has ended, or speaks nonsense. Tests cannot catch it as an `Exception`."""


class Channel:
    """Asks the program's process. `trouble` is set for good once that has failed, whatever a test makes of it.

    unknown: why the test that is running can be neither passed nor failed; "" so far. doubt: why it cannot be passed,
    though it may fail. failed: why it has failed, whatever it makes of that. asked: how often the program was asked to
    do something. ends: whether the test speaks of the ends of iterators.
    """

    def __init__(self, stream: socket.socket) -> None:
        self.stream: socket.socket = stream
        self.functions: list[Any] = []
        self.trouble: str = ""
        self.unknown: str = ""
        self.doubt: str = ""
        self.failed: str = ""
        self.asked: int = 0
        self.raises: bool = False  # whether the test raises exceptions itself
        self.ends: bool = False
        self.held: Held = Held()  # containers that objects of the program may hold
        self.plain: list[Remote] = []  # functions that the program defines
        self.named: list[Remote] = []  # what the test takes by name and calls as a class
        self.newest: Remote | None = None  # the last object that was not known before
        self.arrived: int = 0  # how many objects came, new or known
        self.kept: list[tuple[Any, int]] = []  # containers of the last call that the program still refers to
        self.thrown: list[Exception] = []  # what functions of the test raised when the program called them
        self.classes: list[type] = []  # of exceptions, of the test
        self._tuples: dict[tuple[str, tuple[str, ...]], type] = {}  # classes of named tuples of the test
        self._lock: threading.RLock = threading.RLock()  # tests may have threads
        self._remotes: dict[int, Remote] = {}
        self._errors: dict[int, type] = {}
        self._alike: dict[int, Any] = {}

    def opaque(self, text: str) -> Opaque:
        """The error to raise where a test does what cannot be known. It stays unknown if the test catches it."""
        self.unknown = self.unknown or text
        return Opaque(text)

    def ask(self, operation: str, /, *arguments: Any, **named: Any) -> Any:
        """The program's answer. Raises what its code raised, and `Gone`."""
        with self._lock:
            self.asked += 1
            seen = Seen()
            try:
                packed = deeply(pack, (arguments, tuple(named.items())), self.number, seen)
                body = deeply(encoded, [operation, packed])
            except (Cyclic, RecursionError):
                raise self.opaque(
                    "an argument that contains itself, or is nested very deep, cannot be handed to the program"
                ) from None
            if not self.trouble:
                try:
                    self.stream.sendall(body)
                except OSError:
                    self.trouble = GONE
            answer = self.reply(seen)
            self.watch(operation, arguments, answer, seen)
            return answer

    def watch(self, operation: str, arguments: tuple[Any, ...], answer: Any, seen: Seen) -> None:
        """Remember what the program's objects may hold, too: a change on one side is not seen on the other."""
        if operation == "entry":
            self.plain += [answer] if is_remote(answer) and not arguments[0][0].isupper() else []
        elif operation == "get":
            for one in seen.objects:
                self.held.add(one, functools.partial(self.ask, "get", *arguments) if one is answer else None)
        elif operation == "__call__" and not any(one is arguments[0] for one in self.plain):
            for one in seen.objects:
                self.held.add(one)
        elif operation == "__call__":
            for one, number in self.kept:
                self.held.add(one, functools.partial(self.ask, "again", number))

    def started(self) -> dict[str, Any] | None:
        """What the program raised while it was executed; None if nothing. Raises `Gone`."""
        try:
            word, told = receive(self.stream, ANSWER)
            raised: dict[str, Any] | None = told
            if word == STARTED and (raised is None or all(type(raised[key]) is str for key in RAISED)):
                return raised
            self.trouble = "the program's first word could not be read"
        except (EOFError, OSError):
            self.trouble = GONE
        except Exception as error:
            self.trouble = f"the program's answer could not be read: {type(error).__name__}"
        raise Gone(self.trouble)

    def reply(self, seen: Seen | None = None) -> Any:
        try:
            while not self.trouble and (message := deeply(receive, self.stream, ANSWER))[0] == FUNCTION:
                self.call_back(message)
            if not self.trouble and message == [UNKNOWN, LONG]:
                self.failed = LONG
                outcome = Raised(Gone(LONG))
            elif not self.trouble:
                outcome = self.error(message[1]) if message[0] == "error" else deeply(self.value, message, seen)
        except (EOFError, OSError):
            self.trouble = GONE
        except Exception as error:  # whatever it may have sent: too long, too deep, not JSON, not hashable
            self.trouble = f"the program's answer could not be read: {type(error).__name__}"
        if self.trouble:
            raise Gone(self.trouble)
        if type(outcome) is Raised:
            raise outcome.error
        return outcome

    def value(self, message: list[Any], seen: Seen | None) -> Any:
        """What the call answered, once its arguments are as the program left them."""
        _, packed, changes, printed, kept = message
        value = unpack(packed, self.known, seen)
        given = [] if seen is None else list(seen.objects)
        for index, changed in changes:
            refill(given[index], contents(changed, self.known, seen))
        self.kept = [(seen.objects[place], int(number)) for place, number in kept] if seen is not None else []
        for stream, text in zip((sys.stdout, sys.stderr), printed, strict=True):
            if text:
                stream.write(text)
        return value

    def error(self, told: dict[str, Any]) -> Raised:
        """The program's exception, of a class that the tests' side has too or one that stands for the program's."""
        if told["library"]:
            self.unknown = self.unknown or unnamed(told["library"])
        if told["thrown"] is not None:
            return Raised(self.thrown[told["thrown"]])  # it is the test's own, and passed through
        error = self.raised(told)
        error.add_note(f"the program raised {told['name']}: {told['text']}")
        return Raised(error)

    def raised(self, told: dict[str, Any]) -> BaseException:
        if told["theirs"] is not None:
            error = errors.made(told, self.classes[told["theirs"]])
        elif told["parts"]:
            error = BaseExceptionGroup(told["text"].rpartition(" (")[0], [self.raised(one) for one in told["parts"]])
        elif told["chain"]:
            error = errors.stood_in(self.stand_in(told["chain"]), told, self.known(OBJECT, [told["number"], []]))
        else:
            error = errors.made(told)
        if self.ends and any(
            known == ["builtins", end.__name__] for known in told["kinds"] for end in errors.FORBIDDEN
        ):
            self.unknown = self.unknown or ENDS
        if told["cause"] is not None:
            error.__cause__ = self.raised(told["cause"])
        mark(error)
        return error

    def stand_in(self, chain: list[list[Any]]) -> type:
        """The class that stands for the first of the program's classes of exceptions that are listed."""
        for number, name, bases in reversed(chain):
            if number not in self._errors:
                own = [self._errors[one] if type(one) is int else errors.nearest(one) for one in bases]
                self._errors[number] = errors.stand_in(name, number, own, self.opaque)
        return self._errors[chain[0][0]]

    def call_back(self, message: list[Any]) -> None:
        """The program calls a function that a test gave to it."""
        _, number, packed = message
        args, kwargs = unpack(packed, self.known)
        try:
            reply = ["value", pack(self.functions[number](*args, **dict(kwargs)), self.number)]
        except Exception as error:
            self.thrown.append(error)
            own = [] if is_programs(error) else errors.lineage(type(error), self.class_number)
            reply = ["error", {**errors.described(error), "chain": own, "thrown": len(self.thrown) - 1}]
        send(self.stream, reply)

    def class_number(self, kind: type) -> int:
        """The number of a class of exceptions that the test defines."""
        if kind not in self.classes:
            self.classes.append(kind)
        return self.classes.index(kind)

    def number(self, value: Any) -> dict[str, Any]:
        """What stands for a value that is no plain data."""
        if is_remote(value):
            return {OBJECT: object.__getattribute__(value, "_sk_number")}
        number = getattr(value, "_sk_number", None)  # what came from the program goes back as itself
        if isinstance(value, errors.Stand) and value._sk_remote is not None:
            return self.number(value._sk_remote)
        if type(number) is int and (base_of(value) or isinstance(value, type)):
            return {OBJECT: number}
        if name := builtin_name(value):
            return {"builtin": name}
        if known := arrays.class_name(value):
            return {"class": known}
        if issubclass(type(value), type) and issubclass(value, BaseException):
            name_there = errors.known_name(value)
            return {"error": name_there} if name_there else {"raises": errors.lineage(value, self.class_number)}
        if arrays.is_scalar(value):
            return {"scalar": [arrays.parts(value), pack(value.item(), self.number)]}
        if (base := base_of(value)) is not None:
            return {"like": [pack(BASES[base](value), self.number), type(value).__name__, self._fields(value)]}
        if not callable(value):
            raise self.opaque(
                f"a {type(value).__name__} cannot be handed to the program: pass plain data or a function"
            )
        self.functions.append(value)
        called, text = (getattr(value, one, None) for one in ("__name__", "__doc__"))
        told = [called if type(called) is str else "function", text if type(text) is str else None]
        return {FUNCTION: [len(self.functions) - 1, *told]}

    def _fields(self, value: Any) -> list[str]:
        """The fields of a named tuple of the test."""
        kind = type(value)
        fields = tuple(map(str, getattr(kind, "_fields", ()))) if issubclass(kind, tuple) else ()
        if fields:
            self._tuples[kind.__name__, fields] = kind
        return list(fields)

    def type_of(self, value: Any) -> Any:
        """As `type`: of an object of the program, its class there."""
        number = None if is_remote(value) else getattr(type(value), "_sk_number", None)
        if not is_remote(value) and number is None:
            return type(value)
        named = [(one, object.__getattribute__(one, "_sk_kind")) for one in self.named]
        kind = self.ask("type", value)
        for one, trust in named:  # it was asked for, and answers no call
            if one is kind:
                object.__setattr__(one, "_sk_kind", trust)
        return kind

    def known(self, tag: str, body: Any) -> Any:
        """What the program's process says stands there. Raises whatever it likes for nonsense."""
        if tag == OBJECT:
            number, traits, *library = body
            if type(number) is not int:
                raise ValueError(number)
            self.arrived += 1
            if number not in self._remotes:
                self.newest = self._remotes[number] = kind_of(frozenset(traits))(self, number, *map(str, library[:1]))
            else:  # who made it, or was it returned? A class that was returned may stand where a function was meant
                object.__setattr__(self._remotes[number], "_sk_made", NOT)
                object.__setattr__(self._remotes[number], "_sk_kind", NOT)
            return self._remotes[number]
        if tag == "raises":
            if (kind := errors.known_class(body[0])) is None:
                return self.stand_in(body[1])
            self.caught(kind)
            return kind
        if tag == "class":
            return arrays.known_class(*body)
        if tag == "builtin" and builtin_name(value := getattr(builtins, body)):
            if issubclass(type(value), type) and issubclass(value, BaseException):
                self.caught(value)
            return value
        if tag == "scalar":
            return arrays.scalar(unpack(body[0], self.known), unpack(body[1], self.known))
        if tag == "like":
            return self._like(*body)
        raise ValueError(tag)

    def caught(self, kind: type[BaseException]) -> None:
        """The program names a class of Python's own: a handler of the test for it also catches what the test raises."""
        if issubclass(AssertionError, kind) or self.raises:
            self.doubt = f"an exception class of the program is Python's own {kind.__name__}, {CAUGHT}"

    def _like(self, packed: Any, name: str, fields: list[str], number: int, traits: list[str]) -> Any:
        """Plain data of a class of the program: its value, and for what else it has the program is asked."""
        if number in self._alike:
            self.known(OBJECT, [number, traits])
            return self._alike[number]
        value = unpack(packed, self.known)
        if type(value) not in IMMUTABLE:
            raise ValueError(name)
        remote: Any = self.known(OBJECT, [number, traits])
        base: Any = type(value)
        if type(value) is tuple and fields:
            base = self._tuples.get((name, tuple(fields))) or collections.namedtuple(name, fields)
        own = {one: functools.partial(_forwarded, remote, one) for one in traits}
        names = {"_sk_number": number, "_sk_remote": remote, "__getattr__": lambda self, asked: getattr(remote, asked)}
        kind = type(name, (base,), {**names, **own})
        self._alike[number] = kind(*value) if fields else kind(value)
        return self._alike[number]


def _forwarded(remote: Remote, name: str, *args: Any) -> Any:
    """An operator that the program's class has overridden."""
    return getattr(type(remote), name)(remote, *args)


class Raised:
    """An exception as an answer."""

    def __init__(self, error: BaseException) -> None:
        self.error: BaseException = error
