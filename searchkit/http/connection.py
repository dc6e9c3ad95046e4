"""One connection, with at most one exchange at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from searchkit.http.framing import Framing
from searchkit.http.head import Head, HeadReader
from searchkit.http.room import Held
from searchkit.http.values import ERROR_LIMIT, Broken, Enough, HTTPReply, Unreadable

CLOSED = "the server closed the connection before its answer was complete"


class Connection(asyncio.Protocol):
    """reusable: the last answer came whole, and nothing behind it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gone: Callable[[Connection], None]) -> None:
        self.loop, self._gone = loop, gone
        self.lost: asyncio.Future[None] = loop.create_future()
        self._answer: asyncio.Future[HTTPReply] | None = None
        self.reusable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    async def exchange(self, message: bytes, held: Held, enough: Enough | None) -> HTTPReply:
        """Send a request and take its answer, whose body is as it was packed. Raises `Broken`."""
        self._answer, self._held, self._enough = self.loop.create_future(), held, enough
        self._buffer, self._body = bytearray(), bytearray()
        self._heads, self._head = HeadReader(), None
        self.reusable = self._waits = False
        if self.transport.is_closing():
            raise Broken("the server closed the connection")
        self.transport.write(message)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            return self.transport.abort()  # nobody asked: whatever it is, the connection is no longer in step
        self._buffer += data
        try:
            self._read()
        except ValueError as error:
            self._fail(Unreadable(str(error)))

    def connection_lost(self, error: Exception | None) -> None:
        self._gone(self)
        self.lost.set_result(None)
        if self._answer is None or self._answer.done():
            return
        while self._head is not None and self._framing.stopped and not self._answer.done():
            self._go_on()
        if self._answer.done():
            return
        if self._head is not None and self._framing.to_end:
            self._finish()
        else:
            begun = f"; it had sent {bytes(self._buffer[:40])!r}" if self._head is None and self._buffer else ""
            self._fail(Broken(str(error) if error else CLOSED + begun))

    _head: Head | None
    _framing: Framing
    _buffer: bytearray
    _body: bytearray
    _held: Held
    _enough: Enough | None

    def _read(self) -> None:
        """Go on with what has arrived. Raises ValueError if it is not HTTP, or too long."""
        if self._head is None:
            self._head = self._heads.take(self._buffer)
            if self._head is None:
                return
            self._begin(self._head)
        done = self._take(self._framing.take(self._buffer))
        if done or self._framing.done:
            self._finish(whole=not done)
        elif self._framing.stopped and not self.transport.is_closing():
            self.transport.pause_reading()
            self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Read the rest of what has arrived, and then what arrives."""
        if self._answer is None or self._answer.done():
            return
        try:
            self._read()
        except ValueError as error:
            return self._fail(Unreadable(str(error)))
        if not (self._answer.done() or self._framing.stopped or self._waits):
            self.transport.resume_reading()

    def _admitted(self) -> None:
        self._waits = False
        self.transport.resume_reading()

    def _begin(self, head: Head) -> None:
        self._framing = Framing(head)
        self._success = 200 <= head.status < 300
        length = self._framing.length
        if self._success and length is not None and length > self._held.limit:
            raise ValueError(f"the answer has more than {self._held.limit} bytes: {length}")
        if not self._success or head.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            self._enough = None  # what is packed is read when all of it has come

    def _take(self, piece: bytes) -> bool:
        """The next of the body. True: no more of it is wanted."""
        if not self._success:
            self._body += piece[: ERROR_LIMIT - len(self._body)]
            return len(self._body) >= ERROR_LIMIT
        reads_on = self._held.add(len(piece))
        self._body += piece
        if self._enough is not None and self._enough(piece):
            self._body = bytearray()
            return True
        if not (reads_on or self._framing.done):
            self._waits = True
            self.transport.pause_reading()
            self._held.wait(self._admitted)
        return False

    def _finish(self, *, whole: bool = True) -> None:
        assert self._head is not None
        assert self._answer is not None
        self.reusable = whole and self._head.keeps_alive and not self._buffer and not self._framing.to_end
        if not whole:
            self.transport.abort()  # to close would wait, over TLS, for the server's farewell
        elif self.reusable:
            self.transport.resume_reading()
        self._answer.set_result(HTTPReply(self._head.status, self._head.headers, bytes(self._body)))
        self._body = bytearray()

    def _fail(self, error: Broken) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self._body = bytearray()
        self.transport.abort()
