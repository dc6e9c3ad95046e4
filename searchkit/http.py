"""HTTP/1.1 to one server, as little of it as JSON calls need: the fast route of the `OpenAI` backend and of agents.

Keep-alive connections on asyncio alone, TLS, chunked answers, a limit on their size; a cancelled call closes its
connection, as one does that has read enough, so that the server stops generating. It follows no redirect, reads no
proxy setting, repeats no request.
Why it exists: the official client spends 1.4 to 9 ms of CPU on each call, this 0.05 (measured; see docs/log.md).
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

HEAD_LIMIT = 64 * 1024  # bytes
BODY_LIMIT = 256 * 1024 * 1024  # bytes; 32k tokens with 20 rivals each are some 50 MB
KEEP_ALIVE = 4.0  # seconds; uvicorn, which vLLM and SGLang run on, closes idle connections after 5

Enough = Callable[[bytes], bool]

_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: |$)")
_HEX = re.compile(rb"[0-9a-fA-F]{1,8}")


class Unreachable(Exception):
    """No connection could be made: nothing was sent."""


class Broken(Exception):
    """The connection ended, or what came was not HTTP, after the request was sent: the server may have worked on it."""


@dataclass(frozen=True, slots=True)
class HTTPReply:
    """An answer of any status. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Pool:
    """Connections to one origin, for one event loop. There are as many as calls in flight: limit those, not these."""

    def __init__(self, origin: str) -> None:
        url = urlsplit(origin)
        self._host, self._secure = url.hostname or "", url.scheme == "https"
        self._port = url.port or (443 if self._secure else 80)
        self._netloc = url.netloc
        self._idle: dict[_Connection, float] = {}  # since when, on the loop's clock
        self._open: set[_Connection] = set()
        self._tls: ssl.SSLContext | None = None

    async def request(
        self, method: str, path: str, headers: str = "", body: bytes = b"", enough: Enough | None = None
    ) -> HTTPReply:
        """One exchange. `headers` are whole lines, each ended by CRLF. Raises `Unreachable` or `Broken`.

        enough: called with the next bytes of a successful answer's body as they arrive; when it says so, the connection
        is closed, and the reply has no body.
        """
        connection = self._take() or await self._connect()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._netloc}\r\nAccept-Encoding: identity\r\n{headers}"
        try:
            whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
            reply = await connection.exchange(whole, enough)
        except BaseException:
            connection.transport.abort()
            raise
        if connection.reusable:
            self._idle[connection] = connection.loop.time()
        else:
            connection.transport.close()
        return reply

    async def close(self) -> None:
        """Close the idle connections. The pool stays usable."""
        for connection in self._idle:
            connection.transport.abort()
        self._idle.clear()
        if leaving := [c.lost for c in self._open if c.transport.is_closing()]:
            await asyncio.wait(leaving, timeout=1.0)  # sockets are closed some rounds of the loop later

    def _take(self) -> _Connection | None:
        while self._idle:
            connection, since = self._idle.popitem()
            if connection.loop.time() - since < KEEP_ALIVE and not connection.transport.is_closing():
                return connection
            connection.transport.close()
        return None

    def _gone(self, connection: _Connection) -> None:
        self._idle.pop(connection, None)
        self._open.discard(connection)

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        if self._secure and self._tls is None:
            self._tls = _tls_context()
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(loop, self._gone), self._host, self._port, ssl=self._tls
            )
        except OSError as error:
            raise Unreachable(str(error)) from error
        self._open.add(connection)
        return connection


def proxied(url: str) -> bool:
    """Whether a proxy is configured for this URL, in the environment or the system's settings."""
    parts, proxies = urlsplit(url), getproxies()
    return (parts.scheme in proxies or "all" in proxies) and not proxy_bypass(parts.hostname or "")


def _tls_context() -> ssl.SSLContext:
    """The certificates that SSL_CERT_FILE or SSL_CERT_DIR names, else those of certifi if there, else the system's."""
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & set(os.environ):
        try:
            import certifi

            return ssl.create_default_context(cafile=certifi.where())
        except ImportError:
            pass
    return ssl.create_default_context()


class _Connection(asyncio.Protocol):
    """One connection with at most one exchange at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gone: Callable[[_Connection], None]) -> None:
        self.loop, self._gone = loop, gone
        self.lost: asyncio.Future[None] = loop.create_future()
        self._answer: asyncio.Future[HTTPReply] | None = None
        self.reusable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    async def exchange(self, message: bytes, enough: Enough | None) -> HTTPReply:
        self._answer, self._enough = self.loop.create_future(), enough
        self._buffer, self._head = bytearray(), None
        self.reusable = False
        if self.transport.is_closing():
            raise Broken("the server closed the connection")
        self.transport.write(message)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            return self.transport.abort()  # nobody asked: whatever it is, the connection is no longer in step
        self._buffer += data
        try:
            self._read(ended=False)
        except ValueError as error:
            self._fail(str(error))

    def connection_lost(self, error: Exception | None) -> None:
        self._gone(self)
        self.lost.set_result(None)
        if self._answer is not None and not self._answer.done():
            try:
                self._read(ended=True)
            except ValueError as wrong:
                self._fail(str(wrong))
            if not self._answer.done():
                self._fail(str(error) if error else "the server closed the connection before its answer was complete")

    _head: _Head | None
    _buffer: bytearray
    _enough: Enough | None

    def _read(self, *, ended: bool) -> None:
        """Go on with what has arrived. Raises ValueError if it is not HTTP."""
        while self._head is None or self._head.status < 200:
            end = self._buffer.find(b"\r\n\r\n")
            if end > HEAD_LIMIT or (end < 0 and len(self._buffer) > HEAD_LIMIT):
                raise ValueError(f"the answer's header is longer than {HEAD_LIMIT} bytes")
            if end < 0:
                return
            self._head = _Head.parse(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        if len(self._buffer) > BODY_LIMIT:
            raise ValueError(f"the answer is longer than {BODY_LIMIT} bytes")
        body = self._head.body(self._buffer, ended=ended)
        streamed = self._enough if 200 <= self._head.status < 300 else None
        if streamed is not None and streamed(self._head.news(self._buffer)):
            body, self._head.keeps_alive = b"", False
            self.transport.abort()  # to close would wait, over TLS, for the server's farewell
        if body is not None and self._answer is not None and not self._answer.done():
            self.reusable = self._head.keeps_alive and self._head.consumed == len(self._buffer) and not ended
            self._answer.set_result(HTTPReply(self._head.status, self._head.headers, body))

    def _fail(self, reason: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Broken(reason))
        self.transport.abort()


class _Head:
    """The status and headers of an answer, and how far its body has been read."""

    def __init__(self, minor: int, status: int, headers: dict[str, str]) -> None:
        self.status, self.headers = status, headers
        self.consumed = 0
        self._told = 0  # chunks, or bytes where there are none
        self._chunks: list[bytes] = []
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self._length: int | None = None
        if "transfer-encoding" in headers and not self._chunked:
            raise ValueError(f"unknown transfer encoding {headers['transfer-encoding']!r}")
        if status in (204, 304) or status < 200:
            self._length = 0
        elif "content-length" in headers and not self._chunked:
            if not headers["content-length"].isdecimal():
                raise ValueError(f"content length {headers['content-length']!r} is no number")
            self._length = int(headers["content-length"])
        self.keeps_alive = minor == 1 and "close" not in headers.get("connection", "").lower()

    @classmethod
    def parse(cls, head: bytes) -> _Head:
        first, *lines = head.split(b"\r\n")
        matched = _STATUS.match(first)
        if matched is None:
            raise ValueError(f"the answer is not HTTP/1.1: it begins with {first[:40]!r}")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.decode("latin-1").partition(":")
            key, value = name.lower(), value.strip()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        return cls(int(matched[1]), int(matched[2]), headers)

    def body(self, buffer: bytearray, *, ended: bool) -> bytes | None:
        """The whole body, or None if more of it has to come. `ended`: the connection is closed."""
        if self._chunked:
            return self._join_chunks(buffer)
        if self._length is None:  # neither length nor chunks: the body ends with the connection
            self.consumed = len(buffer)
            return bytes(buffer) if ended else None
        self.consumed = self._length
        return bytes(buffer[: self._length]) if len(buffer) >= self._length else None

    def news(self, buffer: bytearray) -> bytes:
        """What of the body has come since the last call; to be asked after `body`."""
        if self._chunked:
            first, self._told = self._told, len(self._chunks)
            return b"".join(self._chunks[first:])
        first, self._told = self._told, len(buffer) if self._length is None else min(self._length, len(buffer))
        return bytes(buffer[first : self._told])

    def _join_chunks(self, buffer: bytearray) -> bytes | None:
        while (end := buffer.find(b"\r\n", self.consumed)) >= 0:
            size = _HEX.match(buffer, self.consumed, end)
            if size is None:
                raise ValueError("a chunk of the answer has no size")
            length = int(size[0], 16)
            if length == 0:
                stop = buffer.find(b"\r\n\r\n", end)  # trailers, if any, end with an empty line
                if stop < 0:
                    return None
                self.consumed = stop + 4
                return b"".join(self._chunks)
            if len(buffer) < end + 2 + length + 2:
                return None
            self._chunks.append(bytes(buffer[end + 2 : end + 2 + length]))
            self.consumed = end + 2 + length + 2
        return None
