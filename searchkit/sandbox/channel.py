"""The tests' end of the channel: the program's functions as calls to another process, its objects as numbers.

What comes from there is read as plain data, whatever it is; what cannot be read ends the channel for good. Runs inside
the sandbox.
"""

from __future__ import annotations

import builtins
import collections
import functools
import re
import socket
import sys
import threading
import types
from typing import Any

from searchkit.sandbox import arrays, errors, flags, given
from searchkit.sandbox.endings import is_programs, mark
from searchkit.sandbox.libraries import unnamed
from searchkit.sandbox.limits import ANSWER
from searchkit.sandbox.operations import builtin_name
from searchkit.sandbox.plain import BASES, IMMUTABLE, base_of
from searchkit.sandbox.remote import NOT, Opaque, Remote, is_remote, kind_of
from searchkit.sandbox.shared import MOST_WORK, Shared
from searchkit.sandbox.wire import (
    ALONE,
    FIRST,
    FUNCTION,
    LINKED,
    LONG,
    OBJECT,
    STARTED,
    UNKNOWN,
    Cyclic,
    deeply,
    encoded,
    pack,
    receive,
    send,
    unpack,
)

_UNDEFINED = re.compile(r"name '(\w+)' is not defined")
LACKING = "the tests define {}, which the program does not see: put it in the prompt or setup"
GONE = "the program ended"
CAUGHT = "and a handler for it also catches what the test itself raises"
ENDS = "a function of the program raises the end of an iterator, which would end a loop of the test"
OVERLAPS = (
    "the test changes an array that shares its elements with another one, in the program's process: compare values, or "
    "copy the array"
)
APART = (
    "the program holds a list or the like that the test has too, and it is too large, or used too often, to be one "
    "in both processes: compare values, or copy it"
)
COROUTINES = "builtins.coroutine"
DRIVEN = "a test drives a coroutine of the program by other means than an event loop"
PENDING = "a coroutine of the program leaves something in its event loop that goes on while the test does"
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
        self.stored: frozenset[str] = frozenset()  # names to which the test gives a meaning
        self.serial: bool = False  # whether the test drives coroutines one after the other
        self.shared: Shared = Shared()  # containers that the program holds, too
        self.seen: Shared = self.shared  # the table of the call that is asked
        self.fresh: bool = True  # whether the program is to forget what it shared with an earlier test
        self.frozen: bool = False  # whether changes are told no more: it would take too long
        self.loose: bool = False  # whether more was shared since then, or since functions of the test are told no more
        self.overlap: bool = False  # whether arrays that are shared overlap
        self.named: list[Remote] = []  # what the test takes by name and calls as a class
        self.newest: Remote | None = None  # the last object that was not known before
        self.arrived: int = 0  # how many objects came, new or known
        self.thrown: list[Exception] = []  # what functions of the test raised when the program called them
        self.classes: list[type] = []  # of exceptions, of the test
        self._tuples: dict[tuple[str, tuple[str, ...]], type] = {}  # classes of named tuples of the test
        self._lock: threading.RLock = threading.RLock()  # tests may have threads
        self._remotes: dict[int, Remote] = {}
        self._errors: dict[int, type] = {}
        self.shapes: frozenset[str] = frozenset()  # classes of the prompt and the setup
        self.names: dict[str, Any] = {}  # of the test
        self._alike: dict[int, Any] = {}
        self._flags: dict[int, Any] = {}  # classes of flags
        self._values: dict[int, BaseException] = {}  # exceptions that are values
        self._coroutines: dict[int, Any] = {}
        self.functions_there: dict[str, list[Any]] = {}  # of the program, that nobody has asked for
        self._loops: list[Any] = []  # event loops of the tests

    def opaque(self, text: str) -> Opaque:
        """The error to raise where a test does what cannot be known. It stays unknown if the test catches it."""
        self.unknown = self.unknown or text
        return Opaque(text)

    def ask(self, operation: str, /, *arguments: Any, **named: Any) -> Any:
        """The program's answer. Raises what its code raised, and `Gone`."""
        with self._lock:
            self.asked += 1
            self.frozen = self.frozen or self.shared.work > MOST_WORK
            outer, self.seen = self.seen, Shared() if self.frozen else self.shared
            try:
                body = self.request(operation, (arguments, tuple(named.items())), self.seen)
                if not self.trouble:
                    try:
                        self.stream.sendall(body)
                    except OSError:
                        self.trouble = GONE
                return self.reply(self.seen)
            finally:
                self.seen = outer

    def request(self, operation: str, arguments: Any, seen: Shared) -> bytes:
        """The message that asks for something, with what the test has changed since the last one."""
        known = len(seen.objects)
        try:
            made: tuple[list[Any], bytes] = deeply(self.message, operation, arguments, seen)
        except (Cyclic, RecursionError):
            seen.forget(known)
            raise self.opaque(
                "an argument that contains itself, or is nested very deep, cannot be handed to the program"
            ) from None
        except BaseException:
            seen.forget(known)
            raise
        self.look(made[0])
        seen.settle()
        self.fresh = False
        return made[1]

    def message(self, operation: str, arguments: Any, seen: Shared) -> tuple[list[Any], bytes]:
        changes = seen.changes(self.number)
        linked = ALONE if self.frozen else FIRST if self.fresh else LINKED
        return changes, encoded([operation, linked, changes, pack(arguments, self.number, seen)])

    def look(self, places: list[Any]) -> None:
        """Of what the test has changed: whether it is an array that overlaps with another one that the test has."""
        if not self.overlap:
            return
        changed = any(arrays.is_array(self.seen.objects[i]) for i, _ in places)
        if changed and sum(map(arrays.is_array, self.seen.objects)) > 1:
            self.unknown = self.unknown or OVERLAPS

    def renew(self) -> None:
        """Begin with a test: it shares nothing with the ones before."""
        self.shared = self.seen = Shared()
        self.fresh, self.frozen, self.loose, self.overlap = True, False, False, False

    def apart(self) -> str:
        """Why the test would end otherwise where it had the program's lists for its own; "" if it would not."""
        here = self.shared.moved()
        self.look([[i, None] for i in here])
        if not self.frozen:
            return self.unknown or (APART if self.loose else "")
        try:
            return APART if here or self.loose or self.ask("moved") is not False else ""
        except BaseException:  # the program cannot say
            return APART

    def entry(self, name: str) -> Any:
        """What the program calls so. A function it has said beforehand, for the first test that asks for it."""
        if name in self.functions_there:
            self.asked += 1
            return self.known(OBJECT, self.functions_there.pop(name))
        return self.ask("entry", name)

    def started(self) -> dict[str, Any] | None:
        """What the program raised while it was executed; None if nothing. Raises `Gone`."""
        try:
            word, told, functions = receive(self.stream, ANSWER)
            raised: dict[str, Any] | None = told
            if word == STARTED and (raised is None or all(type(raised[key]) is str for key in RAISED)):
                self.functions_there = {str(name): list(body) for name, body in functions.items()}
                return raised
            self.trouble = "the program's first word could not be read"
        except (EOFError, OSError):
            self.trouble = GONE
        except Exception as error:
            self.trouble = f"the program's answer could not be read: {type(error).__name__}"
        raise Gone(self.trouble)

    def reply(self, seen: Shared) -> Any:
        try:
            while not self.trouble and (message := deeply(self.heard, seen))[0] == FUNCTION:
                self.call_back(message, seen)
        except (EOFError, OSError):
            self.trouble = GONE
        except Exception as error:  # whatever it may have sent: too long, too deep, not JSON, not hashable
            self.trouble = f"the program's answer could not be read: {type(error).__name__}"
        if self.trouble:
            raise Gone(self.trouble)
        [_, outcome] = message
        if type(outcome) is Raised:
            raise outcome.error
        return outcome

    def heard(self, seen: Shared) -> list[Any]:
        """The next message: a call of a function of the test as it is, an answer as ["answer", what came of it]."""
        message: list[Any] = receive(self.stream, ANSWER)
        if message[0] == FUNCTION:
            return message
        if message == [UNKNOWN, LONG]:
            self.failed = LONG
            return ["answer", Raised(Gone(LONG))]
        return ["answer", self.outcome(message, seen)]

    def outcome(self, message: list[Any], seen: Shared) -> Any:
        """What the call answered or raised, once all that the program has changed is here as it is there."""
        kind, told, known, changes, printed, kept = message
        seen.forget(int(known))
        value = self.error(told) if kind == "error" else unpack(told, self.known, seen)
        seen.apply(changes, self.known)
        seen.settle()
        if kept is not None:
            places, overlap = kept
            self.overlap = self.overlap or bool(overlap)
            self.loose = self.loose or (self.frozen and bool(places))
            seen.keep(places)
        for stream, text in zip((sys.stdout, sys.stderr), printed, strict=True):
            if text:
                stream.write(text)
        return value

    def error(self, told: dict[str, Any]) -> Raised:
        """The program's exception, of a class that the tests' side has too or one that stands for the program's."""
        if told["library"]:
            self.unknown = self.unknown or unnamed(told["library"])
        self.unknown = self.unknown or self.lacking(told)
        if told["thrown"] is not None:
            own = self.thrown[told["thrown"]]  # it is the test's, and passed through
            errors.annotate(own, told["notes"][len(getattr(own, "__notes__", ())) :])
            return Raised(own)
        error = self.raised(told)
        mark(error, f"the program raised {told['name']}: {told['text']}")
        return Raised(error)

    def lacking(self, told: dict[str, Any]) -> str:
        """Why it is not known what the program does: it uses a name of the test's; "" for all else."""
        name = _UNDEFINED.match(told["text"]) if told["name"] == "NameError" else None
        return LACKING.format(name[1]) if name and name[1] in self.stored else ""

    def raised(self, told: dict[str, Any]) -> BaseException:
        if told["theirs"] is not None:
            error = errors.made(told, self.classes[told["theirs"]])
        elif told["parts"]:
            error = BaseExceptionGroup(told["text"].rpartition(" (")[0], [self.raised(one) for one in told["parts"]])
            errors.annotate(error, told["notes"])
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

    def call_back(self, message: list[Any], seen: Shared) -> None:
        """The program calls a function that a test gave to it."""
        _, number, linked, changes, packed = message
        outer, self.seen = self.seen, seen if linked else Shared()
        try:
            deeply(self.seen.apply, changes, self.known)
            given = [deeply(unpack, packed, self.known, self.seen)]
            self.seen.settle()
            reply = self.called(number, given, self.seen)
            self.loose = self.loose or (not linked and bool(self.seen.held(given)))
        finally:
            self.seen = outer
        send(self.stream, reply)

    def called(self, number: int, given: list[Any], seen: Shared) -> list[Any]:
        """What a function of the test makes of its arguments; nothing refers to these later unless it kept them."""
        known = len(seen.objects)
        try:
            args, kwargs = given.pop()
            given += [self.functions[number](*args, **dict(kwargs))]
            changes = deeply(seen.changes, self.number)
            reply = ["value", deeply(pack, given[0], self.number, seen), changes]
        except Exception as error:
            seen.forget(known)
            self.thrown.append(error)
            own = [] if is_programs(error) else errors.lineage(type(error), self.class_number)
            described = {**errors.described(error), "chain": own, "thrown": len(self.thrown) - 1}
            reply = ["error", described, deeply(seen.changes, self.number)]
        seen.settle()
        return reply

    def class_number(self, kind: type) -> int:
        """The number of a class of exceptions that the test defines."""
        if kind not in self.classes:
            self.classes.append(kind)
        return self.classes.index(kind)

    def number(self, value: Any) -> dict[str, Any]:
        """What stands for a value that is no plain data."""
        if is_remote(value):
            return {OBJECT: object.__getattribute__(value, "_sk_number")}
        if type(value) is types.CoroutineType:
            number = next((number for number, one in self._coroutines.items() if one is value), None)
            if number is not None:
                return {OBJECT: number}
        number = getattr(value, "_sk_number", None)  # what came from the program goes back as itself
        if isinstance(value, errors.Stand) and value._sk_remote is not None:
            return self.number(value._sk_remote)
        if type(number) is int and (base_of(value) or isinstance(value, type)):
            return {OBJECT: number}
        if issubclass(type(value), BaseException):
            return self.error_number(value)
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
            return {
                "like": [pack(BASES[base](value), self.number, self.seen), type(value).__name__, self._fields(value)]
            }
        if type(value) in self._flags.values():
            return {"flag": [type(value)._sk_number, value.value]}
        if given.mark(value, self.names.get(type(value).__name__), self.shapes):
            return pack(value, self.number, self.seen)  # type: ignore[no-any-return]
        if not callable(value):
            raise self.opaque(
                f"a {type(value).__name__} cannot be handed to the program: pass plain data or a function"
            )
        self.functions.append(value)
        called, text = (getattr(value, one, None) for one in ("__name__", "__doc__"))
        told = [called if type(called) is str else "function", text if type(text) is str else None]
        return {FUNCTION: [len(self.functions) - 1, *told]}

    def error_number(self, error: BaseException) -> dict[str, Any]:
        """What stands for an exception that is handed to the program."""
        known = getattr(error, "_sk_value", None)
        if type(known) is int:
            return {OBJECT: known}
        own = [] if is_programs(error) else errors.lineage(type(error), self.class_number)
        return {"exception": {**errors.described(error), "chain": own}}

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
            if self.serial and library == [COROUTINES]:
                return self._coroutines.setdefault(number, self.driven(self._remotes[number]))
            return self._remotes[number]
        if tag == "raises":
            if (kind := errors.known_class(body[0])) is None:
                return self.stand_in(body[1])
            self.caught(kind)
            return kind
        if tag == "flag":
            number, name, members, value = body
            if number not in self._flags:
                self._flags[number] = flags.made(name, members, int(number), self.ask)
            return self._flags[number](value)
        if tag == "given" and body.name in self.shapes:
            return given.made(body, self.names.get(body.name))
        if tag == "exception":
            number, told = body
            self.arrived += 1
            if number not in self._values:
                self._values[number] = error = self.raised(told)
                error._sk_value = number  # type: ignore[attr-defined]
            return self._values[number]
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

    async def driven(self, remote: Remote) -> Any:
        """A coroutine of the program: its own process runs it from start to end, in a loop for each of the test's."""
        asyncio = sys.modules.get("asyncio")
        loop = None if asyncio is None else asyncio._get_running_loop()
        if loop is None:
            raise self.opaque(DRIVEN)
        if loop not in self._loops:
            self._loops.append(loop)
        try:
            return self.ask("drive", remote, self._loops.index(loop))
        finally:
            if not self.trouble and self.ask("pending") is not False:
                self.unknown = self.unknown or PENDING

    def caught(self, kind: type[BaseException]) -> None:
        """The program names a class of Python's own: a handler of the test for it also catches what the test raises."""
        if issubclass(AssertionError, kind) or self.raises:
            self.doubt = f"an exception class of the program is Python's own {kind.__name__}, {CAUGHT}"

    def _like(self, packed: Any, name: str, fields: list[str], number: int, traits: list[str]) -> Any:
        """Plain data of a class of the program: its value, and for what else it has the program is asked."""
        value = unpack(packed, self.known, self.seen)
        if number in self._alike:
            self.known(OBJECT, [number, traits])
            return self._alike[number]
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
