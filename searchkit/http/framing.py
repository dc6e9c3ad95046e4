"""Where the body of an answer ends: by its length, in chunks, or with the connection."""

from __future__ import annotations

import re

from searchkit.http.head import HEAD_LIMIT, Head

LINE_LIMIT = 4096  # bytes of the line before a chunk, extensions included
MOST_SMALL = 4096  # chunks that may be smaller, on average, than `SMALL_CHUNK`: each costs time
SMALL_CHUNK = 16
AT_ONCE = 512  # chunks that are taken before the loop goes round

_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?\Z", re.DOTALL)


class Framing:
    """Takes the body off the front of a buffer, piece by piece. Takes linear time; raises ValueError.

    done: the whole body has come. stopped: the buffer has more chunks, for another `take`. to_end: it ends with the
    connection. length: as announced; None where it is not.
    """

    def __init__(self, head: Head) -> None:
        self.length: int | None = None
        self._chunked = head.headers.get("transfer-encoding", "").lower() == "chunked"
        if "transfer-encoding" in head.headers and not self._chunked:
            raise ValueError(f"unknown transfer encoding {head.headers['transfer-encoding'][:80]!r}")
        if head.status in (204, 304):
            self.length = 0
        elif "content-length" in head.headers and not self._chunked:
            said = head.headers["content-length"]
            if not (said.isdecimal() and len(said) < 20):
                raise ValueError(f"content length {said[:80]!r} is no number")
            self.length = int(said)
        self.to_end = self.length is None and not self._chunked
        self.done = self.length == 0
        self.stopped = False
        self._left = self.length or 0  # of the body, or of a chunk
        self._closing = self._trailing = False  # behind a chunk, behind the last one
        self._chunks = self._payload = self._trailers = 0

    def take(self, buffer: bytearray) -> bytes:
        """What of the body these bytes have; they are gone from the buffer."""
        if self._chunked:
            return self._take_chunks(buffer)
        size = len(buffer) if self.to_end else min(self._left, len(buffer))
        found = bytes(buffer[:size])
        del buffer[:size]
        if not self.to_end:
            self._left -= size
            self.done = self._left == 0
        return found

    def _take_chunks(self, buffer: bytearray) -> bytes:
        found, at = list[bytes](), 0
        last, self.stopped = self._chunks + AT_ONCE, False
        while not self.done:
            if self._chunks >= last:
                self.stopped = True
                break
            if self._left:
                piece = bytes(buffer[at : at + self._left])
                found.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._closing = not self._left
                if self._left:
                    break
            end = buffer.find(b"\r\n", at, at + LINE_LIMIT)
            if end < 0:
                if len(buffer) - at >= LINE_LIMIT:
                    raise ValueError("a chunk of the answer has no size")
                break
            self._line(bytes(buffer[at:end]))
            at = end + 2
        del buffer[:at]
        return b"".join(found)

    def _line(self, line: bytes) -> None:
        """The line before a chunk, behind one, or of the trailers, which end with an empty one."""
        if self._trailing:
            self._trailers += len(line)
            self.done = not line
            if self._trailers > HEAD_LIMIT:
                raise ValueError(f"the answer's trailers are longer than {HEAD_LIMIT} bytes")
        elif self._closing:
            self._closing = False
            if line:
                raise ValueError("a chunk of the answer is longer than its size")
        else:
            self._begin(line)

    def _begin(self, line: bytes) -> None:
        matched = _SIZE.match(line)
        if matched is None:
            raise ValueError("a chunk of the answer has no size")
        self._left = int(matched[1], 16)
        self._trailing = self._left == 0
        self._chunks, self._payload = self._chunks + 1, self._payload + self._left
        if self._chunks > MOST_SMALL and self._payload < SMALL_CHUNK * self._chunks:
            raise ValueError(f"the answer comes in {self._chunks} chunks of a few bytes")
