"""The program's process: executes a program, then answers calls of its functions.

Nothing here is trusted: the program can change all of it. It never sees a test or an expected value, only arguments,
and its answers are plain data that is compared elsewhere; so there is nothing to forge. Runs inside the sandbox.
"""

from __future__ import annotations

import builtins
import collections
import functools
import importlib
import io
import random
import socket
import sys
import types
from typing import Any

from searchkit.sandbox import arrays, errors, flags, given, libraries
from searchkit.sandbox.limits import ANSWER
from searchkit.sandbox.operations import COMPARISONS, DRAWN, OPERATIONS, TOUCHED, builtin_name, traits
from searchkit.sandbox.plain import BASES, IMMUTABLE, base_of
from searchkit.sandbox.program import execute, module
from searchkit.sandbox.remote import OVERRIDDEN, PLAIN
from searchkit.sandbox.shared import MOST_WORK, Shared, overlaps
from searchkit.sandbox.wire import (
    FIRST,
    FUNCTION,
    KINDS,
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


def play(channel: socket.socket, job: dict[str, Any]) -> None:
    """Execute the program, say how that went, and answer requests until the channel ends."""
    player = Player(channel, module("program", job["prelude"]))
    sys.modules["__main__"] = player.module  # where a program looks for itself
    player.empty, player.shapes = job["empty"], frozenset(job["shapes"])
    trouble = execute(job, player.module)
    send(channel, [STARTED, None if trouble is None else player.told(trouble), player.functions(job["taken"])])
    while True:
        player.answer(deeply(receive, channel, sys.maxsize))


class Player:
    """Answers requests of the tests' process, which knows the objects of this one by number."""

    def __init__(self, channel: socket.socket, program: types.ModuleType) -> None:
        self.channel: socket.socket = channel
        self.module: types.ModuleType = program
        self.shapes: frozenset[str] = frozenset()  # classes of the prompt and the setup
        self.empty: str = ""  # the entry point, where what is called so is the prompt's empty function
        self.shared: Shared = Shared()
        self.seen: Shared = self.shared  # the table of the call that is answered
        self.depth: int = 0  # of calls within calls
        self.frozen: bool = False  # whether functions of the test are told no more of changes
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.touched: bool = False  # whether files were used
        self.runner: tuple[int, Any] | None = None  # of coroutines, with the number of the tests' loop
        self.pending: bool = False  # whether the last of them left something that goes on
        self.printed: list[io.StringIO] = []
        self.theirs: dict[int, type] = {}  # classes that stand for exceptions of the tests' own
        self.operations: dict[str, Any] = {
            **OPERATIONS, "entry": self.entry, "listen": self.listen, PLAIN: plain, "watch": self.watch,
            "drive": self.drive, "pending": lambda: self.pending, "moved": lambda: bool(self.shared.moved()),
            "limit": sys.setrecursionlimit, DRAWN: self.drawn, TOUCHED: lambda: self.touched,
        }  # fmt: skip

    def answer(self, request: list[Any]) -> None:
        """Do what was asked, and send what came of it."""
        operation, linked, changes, packed = request
        if linked == FIRST:
            self.shared, self.frozen = Shared(), False
        outer, self.seen = self.seen, self.shared if linked else Shared()
        self.depth += 1
        try:
            answer = self.done(operation, changes, packed, self.seen)
            self.channel.sendall(self.crossing(answer, self.seen))
        finally:
            self.seen = outer
            self.depth -= 1

    def done(self, operation: str, changes: list[Any], packed: Any, seen: Shared) -> list[Any]:
        """The answer in a list, or what was raised behind it. Nothing else refers to the answer, nor to arguments."""
        known = len(seen.objects)
        try:
            positional, named = deeply(self.given, changes, packed, seen)
        except BaseException as error:
            seen.forget(known)
            return [None, error]
        try:
            return [self.operations[operation](*positional, **dict(named))]
        except BaseException as error:
            return [None, error.with_traceback(None)]  # whose frames would hold the arguments

    def given(self, changes: list[Any], packed: Any, seen: Shared) -> Any:
        """The arguments, once all that the test has changed is here as it is there."""
        seen.apply(changes, self.known)
        arguments = unpack(packed, self.known, seen)
        seen.settle()
        return arguments

    def crossing(self, answer: list[Any], seen: Shared) -> bytes:
        """The message for an answer, or for what was raised: what comes of it, what has changed, what stays held."""
        known = len(seen.objects)
        try:
            told = ["error", self.told(answer[1])] if len(answer) > 1 else ["value", self.packed(answer[0], seen)]
            body: bytes = deeply(self.message, told, known, answer, seen)
        except BaseException as error:
            seen.forget(known)
            return encoded(["error", self.told(error), known, [], ["", ""], None])
        return body if len(body) <= ANSWER else encoded([UNKNOWN, LONG])

    def message(self, told: list[Any], known: int, answer: list[Any], seen: Shared) -> bytes:
        changes = seen.changes(self.number)
        seen.settle()
        return encoded([*told, known, changes, self.said(), self.kept(answer, seen)])

    def kept(self, answer: list[Any], seen: Shared) -> list[Any] | None:
        """The places of containers that are held here from now on, and whether an array among these shares elements.

        None within a call that goes on.
        """
        if self.depth > 1:
            return None
        places = seen.held(answer)
        overlap = any(overlaps(seen.objects[i]) for i in places)
        if seen is self.shared:
            seen.keep(places)
        return [places, overlap]

    def packed(self, value: Any, seen: Shared) -> Any:
        """The answer. What contains itself, or is nested too deep, crosses as an object: it equals no plain data."""
        known = len(seen.objects)
        try:
            return deeply(pack, value, self.number, seen)
        except (Cyclic, RecursionError):
            seen.forget(known)
            kind: Any = type(value)
            own = [one for one in _traits(kind, object) if one not in COMPARISONS]
            return {OBJECT: [self.place(value), own, library_of(kind)]}

    # ---------------------------------------------------------------- requests of their own

    def entry(self, name: str) -> Any:
        """What the program calls so; else the method of that name of a class Solution, as some sites want it."""
        missing = name == self.empty or not hasattr(self.module, name)
        if missing and hasattr(getattr(self.module, "Solution", None), name):
            return getattr(self.module.Solution(), name)
        if name == self.empty:
            raise AttributeError(name)
        return getattr(self.module, name)

    def functions(self, names: list[str]) -> dict[str, Any]:
        """Those of these names that are plain functions, as the tests will ask for them."""
        own = vars(self.module)
        found = {name: own[name] for name in names if name != self.empty and type(own.get(name)) is types.FunctionType}
        return {name: self.number(function)[OBJECT] for name, function in found.items()}

    def listen(self) -> None:
        """From now on, answer with what a call prints, too."""
        sys.stdout, sys.stderr = self.printed = [io.StringIO(), io.StringIO()]

    def watch(self) -> None:
        """From now on, notice what is done with files."""
        sys.addaudithook(self.notice)

    def notice(self, event: str, _: Any) -> None:
        self.touched = self.touched or event.startswith(("open", "os.", "shutil.", "tempfile.", "glob.", "sqlite3."))

    def drive(self, coroutine: Any, loop: int) -> Any:
        """What a coroutine returns. A loop of the tests is one here, until they go on with another one."""
        if self.runner is None or self.runner[0] != loop:
            if self.runner is not None:
                self.runner[1].close()
            self.runner = loop, importlib.import_module("asyncio").Runner()
        return self.runner[1].run(self.to_its_end(coroutine))

    async def to_its_end(self, coroutine: Any) -> Any:
        """What it returns; whether something would go on after it, were it in the tests' own loop."""
        asyncio: Any = sys.modules["asyncio"]
        try:
            return await coroutine
        finally:
            loop = asyncio.get_running_loop()
            timers = any(not one.cancelled() for one in getattr(loop, "_scheduled", ()))
            self.pending = timers or bool(getattr(loop, "_ready", ())) or len(asyncio.all_tasks(loop)) > 1

    def drawn(self) -> bool:
        """Whether random numbers were drawn from the generators that a seed is for, or these were seeded."""
        found = random.getstate() != random.Random(0).getstate()
        if "numpy.random" in sys.modules:
            numpy = sys.modules["numpy.random"]
            found = found or repr(numpy.get_state()) != repr(numpy.RandomState(0).get_state())
        return found

    def said(self) -> list[str]:
        """What was printed since this was asked last, if anybody listens."""
        if not self.printed:
            return ["", ""]
        texts = [stream.getvalue() for stream in self.printed]
        for stream in self.printed:
            stream.seek(0)
            stream.truncate()
        return texts

    # ---------------------------------------------------------------- what is no plain data

    def number(self, value: Any) -> dict[str, Any]:
        kind: Any = type(value)
        if issubclass(kind, type) and issubclass(value, BaseException) and not errors.is_own(value):
            return {"raises": self.raises(value)}
        if issubclass(kind, BaseException) and errors.is_plain(value):
            return {"exception": [self.place(value), self.told(value)]}
        if name := builtin_name(value):
            return {"builtin": name}
        if known := arrays.class_name(value):
            return {"class": known}
        if arrays.is_scalar(value):
            return {"scalar": [pack(arrays.parts(value), self.number), pack(value.item(), self.number)]}
        if _is_flag(kind) and flags.is_whole(value):
            return {"flag": [self.place(kind), kind.__name__, flags.members(kind), value._value_]}
        if given.mark(value, vars(self.module).get(kind.__name__), self.shapes):
            return pack(value, self.number, self.seen)  # type: ignore[no-any-return]
        base = base_of(value)
        own_ones = _traits(kind, base or object)
        if base is None or COMPARISONS.intersection(own_ones):
            return {OBJECT: [self.place(value), own_ones if base is None else _traits(kind, object), library_of(kind)]}
        if base not in IMMUTABLE:
            own = [*_traits(kind, object), PLAIN, *(OVERRIDDEN + name for name in own_ones)]
            return {OBJECT: [self.place(value), own, library_of(kind)]}
        fields = [str(name) for name in getattr(kind, "_fields", ())] if base is tuple else []
        packed = pack(BASES[base](value), self.number, self.seen)
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
            packed, name, fields = body
            value = unpack(packed, self.known, self.seen)
            return _tuples(name, tuple(fields))(*value) if fields else value
        if tag == "class":
            return arrays.known_class(*body)
        if tag == "raises":
            return self.their_class(body)
        if tag == "error":
            importlib.import_module(body[0])
            return errors.known_class(body)
        if tag == "exception":
            return self.their_error(body)
        if tag == "flag":
            return self.objects[body[0]](body[1])
        if tag == "given":
            return given.made(body, vars(self.module).get(body.name))
        number, name, text = body

        def function(*args: Any, **kwargs: Any) -> Any:
            return self.call_back(number, args, kwargs)

        function.__name__, function.__qualname__, function.__doc__ = name, name, text
        return function

    def their_class(self, chain: list[list[Any]]) -> type:
        """The class that stands for the first of the tests' classes of exceptions that are listed."""
        for number, name, bases in reversed(chain):
            if number not in self.theirs:
                own = [self.theirs[one] if type(one) is int else errors.nearest(one) for one in bases]
                self.theirs[number] = type(name, tuple(dict.fromkeys(own)), {"_sk_theirs": number})
        return self.theirs[chain[0][0]]

    def told(self, error: BaseException) -> dict[str, Any]:
        """An exception, described for the tests' process."""
        return {
            **errors.described(error, self.place),
            "library": libraries.lacking(error),
            "thrown": getattr(error, "_sk_thrown", None),
        }

    def call_back(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function of the test. What it is given, and gives, is in the table of the call that calls it.

        Once that takes too long, it has a table of its own: what it keeps is then no longer what the program has.
        """
        self.frozen = self.frozen or self.seen.work > MOST_WORK
        outer, self.seen = self.seen, Shared() if self.frozen else self.seen
        try:
            return self.called(number, (args, tuple(kwargs.items())), self.seen)
        finally:
            self.seen = outer

    def called(self, number: int, given: Any, seen: Shared) -> Any:
        known = len(seen.objects)
        try:
            changes = deeply(seen.changes, self.number)
            packed = deeply(pack, given, self.number, seen)
        except BaseException:
            seen.forget(known)
            raise
        seen.settle()
        send(self.channel, [FUNCTION, number, not self.frozen, changes, packed])
        while (message := deeply(receive, self.channel, sys.maxsize))[0] not in ("value", "error"):
            self.answer(message)  # the function called the program in turn
        kind, told, changes = message
        deeply(seen.apply, changes, self.known)
        value = deeply(unpack, told, self.known, seen) if kind == "value" else None
        seen.settle()
        if kind == "value":
            return value
        error = self.their_error(told)
        error._sk_thrown = told["thrown"]
        raise error

    def their_error(self, told: dict[str, Any]) -> Any:
        """An exception of the tests'."""
        return errors.made(told, self.their_class(told["chain"]) if told["chain"] else None)


@functools.cache
def _tuples(name: str, fields: tuple[str, ...]) -> Any:
    """A class of named tuples, as the tests have one."""
    return collections.namedtuple(name, fields)


@functools.cache
def _is_flag(kind: Any) -> bool:
    return flags.is_plain(kind)


@functools.cache
def _traits(kind: Any, base: Any) -> list[str]:
    return traits(kind, base)


@functools.cache
def library_of(kind: Any) -> str:
    """A class of a module that the program has imported, such as "sympy.Integer", or one of Python's own.

    For a class of the program, the class of containers that it extends, as one of Python's own; "" if it extends none.
    """
    root = str(getattr(kind, "__module__", "")).partition(".")[0]
    if root not in ("program", "__main__"):
        return f"{root}.{kind.__name__}"
    base = next((one for one in kind.__mro__ if one in KINDS), None)
    return "" if base is None else f"builtins.{base.__name__}"


def plain(value: Any) -> Any:
    """The contents of a container of a class of the program's own."""
    base = base_of(value)
    return BASES[base](value) if base else value
