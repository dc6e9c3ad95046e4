"""What goes between the processes: messages with a length in front, and values as JSON, never pickles.

A value that arrives is plain data and nothing else: it has no code in it, and compares as Python compares plain data.
Objects that are no plain data travel as numbers under which the sender knows them. Mutable containers are counted on
both sides in the same order, so that one that comes up again travels as a reference, and is the same object there.
Runs inside the sandbox and outside: imports nothing but the standard library.
"""

from __future__ import annotations

import gc
import itertools
import json
import socket
import struct
import sys
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

from searchkit.sandbox import arrays, given, moments, named
from searchkit.sandbox.limits import ANSWER

HEADER = struct.Struct(">I")
EXACT = 2**53  # integers up to here are written as they are
OBJECT, FUNCTION = "object", "function"  # tags of what is known by number: on the program's side, on the tests'
ALONE, LINKED, FIRST = range(3)
"""Of a request: containers cross as copies; with the table of those that both sides hold; with an empty one."""
LIST, REFERENCE = "list", "reference"
UNKNOWN = "unknown"  # what the program's process says of an answer that cannot cross
LONG = f"an answer of more than {ANSWER:,} bytes cannot be handed to the tests"
BORN = b"."  # what a program's process says first, on the way by which its interpreter says how it ended
STARTED = "started"  # what the tests' process says before the tests
_set_limit = sys.setrecursionlimit  # a test's process puts one in its place that the program hears of
_ENCODER, _DECODER = json.JSONEncoder(check_circular=False), json.JSONDecoder()
DEEP = 20_000  # the limit of recursion while a message is made or read: values may be nested deeper than calls
MOST_DIGITS, MOST_POWER = 100_000, 100_000  # of a fraction and a decimal: a short text may stand for a huge number


def _viewed(view: Any) -> list[Any]:
    """The dictionary that a view is of: so the other side's is one, too."""
    [mapping] = gc.get_referents(view)
    return [mapping if type(mapping) in KINDS else dict.copy(mapping)]


def _mapping(parts: list[Any]) -> dict[Any, Any]:
    [mapping] = parts
    if type(mapping) not in (dict, Counter, OrderedDict, defaultdict):
        raise TypeError(type(mapping).__name__)
    return mapping  # type: ignore[no-any-return]


# tag: the type, its parts in a row, and the value made of them. A type that is not here is the sender's business.
TAGS: dict[str, tuple[type, Callable[[Any], Iterable[Any]], Callable[[list[Any]], Any]]] = {
    "int": (int, lambda number: [f"{number:x}"], lambda parts: int(parts[0], 16)),  # no limit on digits in this base
    LIST: (list, iter, list),
    "tuple": (tuple, iter, tuple),
    "dict": (dict, lambda mapping: itertools.chain(*mapping.items()), lambda parts: _pairs(dict, parts)),
    "counter": (Counter, lambda mapping: itertools.chain(*mapping.items()), lambda parts: Counter(_pairs(dict, parts))),
    "ordered": (
        OrderedDict,
        lambda mapping: itertools.chain(*mapping.items()),
        lambda parts: _pairs(OrderedDict, parts),
    ),
    "set": (set, iter, set),
    "frozenset": (frozenset, iter, frozenset),
    "default": (
        defaultdict,
        lambda mapping: [mapping.default_factory, *itertools.chain(*mapping.items())],
        lambda parts: defaultdict(parts[0], _pairs(dict, parts[1:])),
    ),
    "deque": (deque, lambda queue: [queue.maxlen, *queue], lambda parts: deque(parts[1:], parts[0])),
    "keys": (type({}.keys()), _viewed, lambda parts: _mapping(parts).keys()),
    "values": (type({}.values()), _viewed, lambda parts: _mapping(parts).values()),
    "items": (type({}.items()), _viewed, lambda parts: _mapping(parts).items()),
    "bytes": (bytes, lambda data: [data.hex()], lambda parts: bytes.fromhex(parts[0])),
    "bytearray": (bytearray, lambda data: [data.hex()], lambda parts: bytearray.fromhex(parts[0])),
    "complex": (complex, lambda z: [z.real, z.imag], lambda parts: complex(*parts)),
    "range": (range, lambda r: [r.start, r.stop, r.step], lambda parts: range(*parts)),
    "slice": (slice, lambda s: [s.start, s.stop, s.step], lambda parts: slice(*parts)),
    "fraction": (
        Fraction,
        lambda number: [f"{number.numerator:x}", f"{number.denominator:x}"],
        lambda parts: Fraction(int(_short(parts[0]), 16), int(_short(parts[1]), 16)),
    ),
    "decimal": (Decimal, lambda number: [str(number)], lambda parts: _bounded(Decimal(_short(parts[0])))),
    "datetime": (datetime, moments.parts, lambda parts: moments.made(datetime, parts)),
    "date": (date, lambda at: [at.isoformat()], lambda parts: date.fromisoformat(parts[0])),
    "time": (time, moments.parts, lambda parts: moments.made(time, parts)),
    "offset": (timezone, moments.offset_parts, moments.offset),
    "zone": (moments.Zone, moments.zone_parts, moments.zone),
    "timedelta": (timedelta, lambda t: [t.days, t.seconds, t.microseconds], lambda parts: timedelta(*parts)),
    "array": (arrays.Array, arrays.parts, arrays.made),
    "numbers": (array, lambda numbers: [numbers.typecode, *numbers], lambda parts: array(parts[0], parts[1:])),
    "given": (given.Given, given.parts, given.Given),
    "named": (named.Named, named.parts, named.made),
}
KINDS: dict[type, str] = {kind: tag for tag, (kind, _, _) in TAGS.items()}
MUTABLE = (list, dict, set, bytearray, deque, Counter, OrderedDict, defaultdict, array)
NESTED = {list, dict}  # of JSON
TEXTS = {str, float, bool, type(None)}  # what is the same as JSON, whatever its value


def is_mutable(value: Any) -> bool:
    """Whether it can be changed, so that it has to be the same one on both sides."""
    return type(value) in MUTABLE or arrays.is_array(value) or given.is_given(value)


class Cyclic(ValueError):
    """A container that contains itself."""


class Seen:
    """The mutable containers of one call, in the order in which both sides come across them."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self._places: dict[int, int] = {}
        self._open: set[int] = set()

    def enter(self, value: Any) -> None:
        """Begin with the parts of a container. Raises `Cyclic` within these."""
        if id(value) in self._open:
            raise Cyclic
        self._open.add(id(value))

    def add(self, value: Any) -> None:
        """A container whose parts are known."""
        self._open.discard(id(value))
        if is_mutable(value):
            self._places[id(value)] = len(self.objects)
            self.objects.append(value)

    def forget(self, known: int) -> None:
        """All but the first ones: the other side did not come across them."""
        self._open = set()
        if known >= len(self.objects):
            return
        self.objects = self.objects[:known]
        self._places = {id(one): i for i, one in enumerate(self.objects)}

    def place(self, value: Any) -> int | None:
        return self._places.get(id(value))


def pack(value: Any, number: Callable[[Any], Any], seen: Seen | None = None) -> Any:
    """`value` as JSON; `number` says what stands for a part that is no plain data. Raises `Cyclic`, or without `seen`
    `RecursionError`, for what contains itself.

    seen: the mutable containers that the other side knows already; those of `value` are added behind them.
    """
    kind = type(value)
    if value is None or kind in (bool, str, float) or (kind is int and -EXACT < value < EXACT):
        return value
    tag = KINDS.get(kind) or _lazy(value)
    if not tag:
        return number(value)
    if seen is None or kind is tuple:  # one that contains itself does so by something that can be changed
        return shallow(value, number, seen)
    place = seen.place(value)
    if place is not None:
        return {REFERENCE: place}
    seen.enter(value)
    packed = shallow(value, number, seen)
    seen.add(value)
    return packed


def shallow(value: Any, number: Callable[[Any], Any], seen: Seen | None) -> Any:
    """A container with all its parts, whether it is known or not."""
    tag = KINDS.get(type(value)) or _lazy(value)
    parts = list(TAGS[tag][1](value))
    if not _is_plain(parts):
        parts = [pack(part, number, seen) for part in parts]
    return parts if tag == LIST else {tag: parts}


def _lazy(value: Any) -> str:
    """The tag of what has a class in a module that is only loaded where somebody needs it; "" for none."""
    if arrays.is_array(value):
        return "array"
    if given.is_given(value):
        return "given"
    return "zone" if moments.is_zone(value) else "named" if named.is_named(value) else ""


def _is_plain(parts: list[Any]) -> bool:
    """Whether they are the same as JSON. Long lists are of one kind, and need no look at each part in Python."""
    kinds = set(map(type, parts))
    return kinds <= TEXTS or (kinds == {int} and min(parts) > -EXACT and max(parts) < EXACT)


def unpack(packed: Any, known: Callable[[str, Any], Any], seen: Seen | None = None) -> Any:
    """The value; `known(tag, body)` is what is no plain data. Raises whatever it likes for a bad message."""
    if not isinstance(packed, list | dict):
        return packed
    if isinstance(packed, dict):
        [(tag, body)] = packed.items()
        if tag == REFERENCE and seen is not None:
            return seen.objects[body]
        if tag not in TAGS:
            return known(tag, body)
    value = contents(packed, known, seen)
    if type(value) is given.Given:
        value = known("given", value)
    if seen is not None and type(value) is not tuple:
        seen.add(value)
    return value


def contents(packed: Any, known: Callable[[str, Any], Any], seen: Seen | None) -> Any:
    """What `shallow` packed, as a container of its own."""
    tag, body = next(iter(packed.items())) if isinstance(packed, dict) else (LIST, packed)
    plain = type(body) is list and NESTED.isdisjoint(map(type, body))
    return TAGS[tag][2](body if plain else [unpack(part, known, seen) for part in body])


def refill(target: Any, value: Any) -> None:
    """Give a container the contents of another one of its kind."""
    if arrays.is_array(target) and arrays.is_array(value):
        target[...] = value
    elif given.is_given(target):
        given.refill(target, value)
    elif type(target) not in MUTABLE or KINDS[type(target)] != KINDS.get(type(value)):
        raise TypeError(type(value).__name__)
    elif type(target) is array:
        target[:] = value
    else:
        target.clear()
        target.update(value) if isinstance(target, dict | set) else target.extend(value)


def deeply(function: Callable[..., Any], *args: Any) -> Any:
    """What it returns, where values may be nested deeper than calls may."""
    before = sys.getrecursionlimit()
    _set_limit(max(before, DEEP))
    try:
        return function(*args)
    finally:
        _set_limit(before)


def _short(text: str) -> str:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number of more than {MOST_DIGITS:,} digits")
    return text


def _bounded(number: Decimal) -> Decimal:
    if number.is_finite() and abs(number.adjusted()) > MOST_POWER:
        raise ValueError(f"a decimal beyond 10 to the power of {MOST_POWER:,}")
    return number


def _pairs(made: Callable[[Any], Any], parts: list[Any]) -> Any:
    return made(zip(parts[::2], parts[1::2], strict=True))


def encoded(message: Any) -> bytes:
    """The bytes of one message, which is a tree."""
    body = _ENCODER.encode(message).encode()
    return HEADER.pack(len(body)) + body


def send(stream: socket.socket, message: Any) -> None:
    """One message."""
    stream.sendall(encoded(message))


def receive(stream: socket.socket, most: int) -> Any:
    """The next message; `EOFError` at the end of the stream. Raises `ValueError` for one of more than `most` bytes."""
    [length] = HEADER.unpack(_exactly(stream, HEADER.size))
    if length > most:
        raise ValueError(f"a message of {length:,} bytes, more than {most:,}")
    text = _exactly(stream, length).decode()
    message, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("a message with something behind it")
    return message


def _exactly(stream: socket.socket, length: int) -> bytes:
    first = stream.recv(min(length, 2**16)) if length else b""
    if len(first) == length:
        return first
    parts, length = [first], length - len(first)
    while length:
        part = stream.recv(min(length, 2**16))
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
