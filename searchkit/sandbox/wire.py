"""What goes between the processes: messages with a length in front, and values as JSON, never pickles.

A value that arrives is plain data and nothing else: it has no code in it, and compares as Python compares plain data.
Objects that are no plain data travel as numbers under which the sender knows them. Runs inside the sandbox and outside:
imports nothing but the standard library.
"""

from __future__ import annotations

import json
import socket
import struct
from collections import deque
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

HEADER = struct.Struct(">I")
EXACT = 2**53  # integers up to here are written as they are

# The first type that fits is taken, so subclasses stand before what they extend; a Counter travels as a dict, an
# IntEnum as an int: they compare alike.
TAGS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "int": (int, lambda number: f"{number:x}", lambda digits: int(digits, 16)),  # no limit on digits in this base
    "tuple": (tuple, list, tuple),
    "dict": (dict, lambda mapping: [[key, item] for key, item in mapping.items()], dict),
    "set": (set, list, set),
    "frozenset": (frozenset, list, frozenset),
    "deque": (deque, list, deque),
    "bytes": (bytes, bytes.hex, bytes.fromhex),
    "bytearray": (bytearray, bytearray.hex, bytearray.fromhex),
    "complex": (complex, lambda z: [z.real, z.imag], lambda parts: complex(*parts)),
    "range": (range, lambda r: [r.start, r.stop, r.step], lambda parts: range(*parts)),
    "fraction": (Fraction, str, Fraction),
    "decimal": (Decimal, str, Decimal),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "timedelta": (timedelta, lambda t: [t.days, t.seconds, t.microseconds], lambda parts: timedelta(*parts)),
}
OBJECT, FUNCTION = "object", "function"  # tags of what is known by number: on the program's side, on the tests'


def pack(value: Any, number: Callable[[Any], Any]) -> Any:
    """`value` as JSON; `number` says what stands for a part that is no plain data. Raises for cycles."""
    if value is None or value is True or value is False or isinstance(value, str):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int) and -EXACT < value < EXACT:
        return int(value)
    if isinstance(value, list):
        return [pack(item, number) for item in value]
    for tag, (kind, parts, _) in TAGS.items():
        if isinstance(value, kind):
            return {tag: pack(parts(value), number)}
    return number(value)


def unpack(packed: Any, known: Callable[[str, Any], Any]) -> Any:
    """The value; `known(tag, number)` is the object with that number. Raises whatever it likes for a bad message."""
    if isinstance(packed, list):
        return [unpack(item, known) for item in packed]
    if not isinstance(packed, dict):
        return packed
    [(tag, body)] = packed.items()
    if tag not in TAGS:
        return known(tag, body)
    return TAGS[tag][2](unpack(body, known))


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
