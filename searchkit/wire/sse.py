"""Server-sent events, read and written: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.

Two things differ from the standard. Text that is no UTF-8 is an error, not replaced: it would be another answer. An
event that the end of the stream cuts off before its blank line is kept by `end`, as most servers' last line is whole.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from searchkit.wire.errors import Malformed

EVENT_LIMIT = 16 * 2**20  # bytes: a whole answer of the responses API stands in one

_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. name: its type, "" where it has none. data: its lines, joined."""

    name: str
    data: str


class EventReader:
    """The events of a stream, from its bytes as they arrive, in whatever pieces. Takes linear time.

    limit: bytes of one event, of its longest line and of all its lines; `Malformed` beyond.

    >>> reader = EventReader()
    >>> reader.feed(b": keep-alive\\r\\n\\r\\ndata: on"), reader.feed(b"e\\n\\n")
    ([], [Event(name='', data='one')])
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._line = bytearray()  # of which the end has not arrived
        self._cr = False  # whether the last byte ended a line, of which a line feed would be a part
        self._first = True
        self._name, self._data, self._size = "", list[str](), 0

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        found = list[Event]()
        if not data:
            return found
        if self._cr:
            data = data.removeprefix(b"\n")
        start = 0
        for end in _END.finditer(data):
            self._line += memoryview(data)[start : end.start()]
            start = end.end()
            self._take(found)
        self._cr = data.endswith(b"\r")
        self._line += memoryview(data)[start:]
        if len(self._line) + self._size > self._limit:
            raise Malformed(f"an event is longer than {self._limit} bytes")
        return found

    def end(self) -> list[Event]:
        """The event that the end of the stream leaves without its blank line, if there is one."""
        found = list[Event]()
        if self._line:
            self._take(found)
        self._dispatch(found)
        return found

    def _take(self, found: list[Event]) -> None:
        raw, self._line = bytes(self._line), bytearray()
        if self._first:
            raw, self._first = raw.removeprefix(b"\xef\xbb\xbf"), False
        if not raw:
            return self._dispatch(found)
        self._size += len(raw)
        if self._size > self._limit:
            raise Malformed(f"an event is longer than {self._limit} bytes")
        try:
            name, _, value = raw.decode().partition(":")
        except UnicodeDecodeError as error:
            raise Malformed(f"an event is no UTF-8: {error}") from None
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        else:  # comments, ids, and how long to wait before a new connection
            self._size -= len(raw)

    def _dispatch(self, found: list[Event]) -> None:
        if self._data:
            found.append(Event(self._name, "\n".join(self._data)))
        self._name, self._data, self._size = "", [], 0


def event(value: Any, name: str = "") -> bytes:
    """An event with a JSON value, or with a text as it is (``[DONE]``); ASCII only, so that no client can cut it wrong.

    >>> event({"a": "é"}, "delta"), event("[DONE]")
    (b'event: delta\\ndata: {"a":"\\\\u00e9"}\\n\\n', b'data: [DONE]\\n\\n')
    """
    data = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return f"event: {name}\ndata: {data}\n\n".encode() if name else f"data: {data}\n\n".encode()
