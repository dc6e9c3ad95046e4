"""The first lines of an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD_LIMIT = 64 * 1024  # bytes
MOST_INTERIM = 16  # answers of status 1xx before the one that counts

_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: |$)")
_BEGIN = b"HTTP/1."


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers, by small names; those that came twice are joined by commas."""

    minor: int
    status: int
    headers: dict[str, str]

    @property
    def keeps_alive(self) -> bool:
        return self.minor == 1 and "close" not in self.headers.get("connection", "").lower()


class HeadReader:
    """Takes heads off the front of a buffer, and passes over those of status 1xx."""

    def __init__(self) -> None:
        self._interim = 0
        self._seen = 0  # bytes of the buffer in which no end of a head was found

    def take(self, buffer: bytearray) -> Head | None:
        """None while more has to come. Raises ValueError for what is no HTTP."""
        while True:
            if not _BEGIN.startswith(begin := bytes(buffer[: len(_BEGIN)])) and begin != _BEGIN:
                raise ValueError(f"the answer is not HTTP/1.1: it begins with {bytes(buffer[:40])!r}")
            end = buffer.find(b"\r\n\r\n", max(0, self._seen - 3))
            if end > HEAD_LIMIT or (end < 0 and len(buffer) > HEAD_LIMIT):
                raise ValueError(f"the answer's header is longer than {HEAD_LIMIT} bytes")
            if end < 0:
                self._seen = len(buffer)
                return None
            found, self._seen = parse(bytes(buffer[:end])), 0
            del buffer[: end + 4]
            if found.status >= 200:
                return found
            self._interim += 1
            if self._interim > MOST_INTERIM:
                raise ValueError(f"more than {MOST_INTERIM} interim answers came, and no answer")


def parse(head: bytes) -> Head:
    """A head without its last empty line. Raises ValueError."""
    first, *lines = head.split(b"\r\n")
    matched = _STATUS.match(first)
    if matched is None:
        raise ValueError(f"the answer is not HTTP/1.1: it begins with {first[:40]!r}")
    status = int(matched[2])
    if status < 100 or status == 101:
        raise ValueError(f"the answer is not HTTP/1.1: its status is {matched[2].decode()}")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode("latin-1").partition(":")
        key, value = name.lower(), value.strip()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Head(int(matched[1]), status, headers)
