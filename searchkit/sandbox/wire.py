"""What goes between the processes: messages with a length in front, and values as JSON, never pickles.

A value that arrives is plain data and nothing else: it has no code in it, and compares as Python compares plain data.
Objects that are no plain data travel as numbers under which the sender knows them. Mutable containers are counted on
both sides in the same order, so that one that comes up again travels as a reference, and is the same object there.
Runs inside the sandbox and outside: imports nothing but the standard library.
"""

from __future__ import annotations

import itertools
import json
import socket
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from searchkit.sandbox import arrays

HEADER = struct.Struct(">I")
EXACT = 2**53  # integers up to here are written as they are
OBJECT, FUNCTION = "object", "function"  # tags of what is known by number: on the program's side, on the tests'
LIST, REFERENCE = "list", "reference"
STARTED, END = "started", "end"  # what the tests' process says before and after the tests

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
    "deque": (deque, iter, deque),
    "bytes": (bytes, lambda data: [data.hex()], lambda parts: bytes.fromhex(parts[0])),
    "bytearray": (bytearray, lambda data: [data.hex()], lambda parts: bytearray.fromhex(parts[0])),
    "complex": (complex, lambda z: [z.real, z.imag], lambda parts: complex(*parts)),
    "range": (range, lambda r: [r.start, r.stop, r.step], lambda parts: range(*parts)),
    "slice": (slice, lambda s: [s.start, s.stop, s.step], lambda parts: slice(*parts)),
    "fraction": (Fraction, lambda number: [str(number)], lambda parts: Fraction(parts[0])),
    "decimal": (Decimal, lambda number: [str(number)], lambda parts: Decimal(parts[0])),
    "datetime": (datetime, lambda at: [at.isoformat()], lambda parts: datetime.fromisoformat(parts[0])),
    "date": (date, lambda at: [at.isoformat()], lambda parts: date.fromisoformat(parts[0])),
    "time": (time, lambda at: [at.isoformat()], lambda parts: time.fromisoformat(parts[0])),
    "timedelta": (timedelta, lambda t: [t.days, t.seconds, t.microseconds], lambda parts: timedelta(*parts)),
    "array": (arrays.Array, arrays.parts, arrays.made),
}
KINDS: dict[type, str] = {kind: tag for tag, (kind, _, _) in TAGS.items()} | {defaultdict: "dict"}
MUTABLE = (list, dict, set, bytearray, deque, Counter, OrderedDict, defaultdict)


class Seen:
    """The mutable containers of one call, in the order in which both sides come across them."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self._places: dict[int, int] = {}

    def add(self, value: Any) -> None:
        if type(value) in MUTABLE or arrays.is_array(value):
            self._places[id(value)] = len(self.objects)
            self.objects.append(value)

    def place(self, value: Any) -> int | None:
        return self._places.get(id(value))


def pack(value: Any, number: Callable[[Any], Any], seen: Seen | None = None) -> Any:
    """`value` as JSON; `number` says what stands for a part that is no plain data. Raises for cycles.

    seen: the mutable containers that the other side knows already; those of `value` are added behind them.
    """
    kind = type(value)
    if value is None or kind in (bool, str, float) or (kind is int and -EXACT < value < EXACT):
        return value
    tag = KINDS.get(kind) or ("array" if arrays.is_array(value) else "")
    if not tag:
        return number(value)
    if seen is None:
        return shallow(value, number, seen)
    place = seen.place(value)
    if place is not None:
        return {REFERENCE: place}
    packed = shallow(value, number, seen)
    seen.add(value)
    return packed


def shallow(value: Any, number: Callable[[Any], Any], seen: Seen | None) -> Any:
    """A container with all its parts, whether it is known or not."""
    tag = KINDS.get(type(value), "array")
    parts = [pack(part, number, seen) for part in TAGS[tag][1](value)]
    return parts if tag == LIST else {tag: parts}


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
    if seen is not None:
        seen.add(value)
    return value


def contents(packed: Any, known: Callable[[str, Any], Any], seen: Seen | None) -> Any:
    """What `shallow` packed, as a container of its own."""
    tag, body = next(iter(packed.items())) if isinstance(packed, dict) else (LIST, packed)
    return TAGS[tag][2]([unpack(part, known, seen) for part in body])


def refill(target: Any, value: Any) -> None:
    """Give a container the contents of another one of its kind."""
    if arrays.is_array(target) and arrays.is_array(value):
        target[...] = value
    elif type(target) not in MUTABLE or KINDS[type(target)] != KINDS.get(type(value)):
        raise TypeError(type(value).__name__)
    else:
        target.clear()
        target.update(value) if isinstance(target, dict | set) else target.extend(value)


def _pairs(made: Callable[[Any], Any], parts: list[Any]) -> Any:
    return made(zip(parts[::2], parts[1::2], strict=True))


def send(stream: socket.socket, message: Any) -> None:
    """One message."""
    body = json.dumps(message).encode()
    stream.sendall(HEADER.pack(len(body)) + body)


def receive(stream: socket.socket, most: int) -> Any:
    """The next message; `EOFError` at the end of the stream. Raises `ValueError` for one of more than `most` bytes."""
    [length] = HEADER.unpack(_exactly(stream, HEADER.size))
    if length > most:
        raise ValueError(f"a message of {length:,} bytes, more than {most:,}")
    return json.loads(_exactly(stream, length))


def _exactly(stream: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = stream.recv(min(length, 2**16))
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
