"""Connections to one server."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

from searchkit.http.connecting import connect, tls_context
from searchkit.http.connection import Connection
from searchkit.http.room import Held, Room
from searchkit.http.unpacking import unpacked
from searchkit.http.values import ERROR_LIMIT, Enough, HTTPReply, Unreadable

# Seconds. uvicorn, which vLLM and SGLang run on, closes idle connections after 5; where its loop was held up, before it
# reads a request that came in time. With 4 that was met on a busy machine.
KEEP_ALIVE = 2.0


class Pool:
    """Connections to one origin, for one event loop. There are as many as calls in flight: limit those, not these.

    room: how many bytes of answers are held at once.
    """

    def __init__(self, origin: str) -> None:
        url = urlsplit(origin)
        self._host, self._secure = url.hostname or "", url.scheme == "https"
        self._port = url.port or (443 if self._secure else 80)
        self._netloc = url.netloc
        self._idle: dict[Connection, float] = {}  # since when, on the loop's clock
        self._open: set[Connection] = set()
        self._tls: ssl.SSLContext | None = None
        self._known = False  # whether there has been a connection
        self.room: Room = Room()

    async def request(
        self,
        method: str,
        path: str,
        headers: str = "",
        body: bytes = b"",
        enough: Enough | None = None,
        held: Held | None = None,
    ) -> HTTPReply:
        """One exchange. `headers` are whole lines, each ended by CRLF. Raises `Unreachable` or `Broken`.

        - enough: called with the next bytes of a successful answer's body as they arrive; when it says so, the
          connection is closed, and the reply has no body. Of an answer that was packed it gets all at once, at its end.
        - held: bounds the body, from `room`; its caller keeps it until the answer has been read. None: `BODY_LIMIT`.
        """
        if held is None:
            with self.room.call() as own:
                return await self.request(method, path, headers, body, enough, own)
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._netloc}\r\nAccept-Encoding: identity\r\n{headers}"
        message = f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        reply = await self._exchange(message, held, enough)
        if codings := reply.headers.get("content-encoding"):
            reply = await opened(reply, codings, held)
            if enough is not None and reply.success and enough(reply.body):
                return HTTPReply(reply.status, reply.headers, b"")
        return reply

    async def close(self) -> None:
        """Close the idle connections. The pool stays usable."""
        for connection in self._idle:
            connection.transport.abort()
        self._idle.clear()
        if leaving := [c.lost for c in self._open if c.transport.is_closing()]:
            await asyncio.wait(leaving, timeout=1.0)  # sockets are closed some rounds of the loop later

    async def _exchange(self, message: bytes, held: Held, enough: Enough | None) -> HTTPReply:
        connection = self._take() or await self._connect()
        try:
            reply = await connection.exchange(message, held, enough)
        except BaseException:
            connection.transport.abort()
            raise
        if connection.reusable:
            self._idle[connection] = connection.loop.time()
        else:
            connection.transport.close()
        return reply

    def _take(self) -> Connection | None:
        while self._idle:
            connection, since = self._idle.popitem()
            if connection.loop.time() - since < KEEP_ALIVE and not connection.transport.is_closing():
                return connection
            connection.transport.close()
        return None

    def _gone(self, connection: Connection) -> None:
        self._idle.pop(connection, None)
        self._open.discard(connection)

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        if self._secure and self._tls is None:
            self._tls = tls_context()
        made = await connect(self._host, self._port, self._tls, lambda: Connection(loop, self._gone), known=self._known)
        self._known = True
        self._open.add(made)
        return made


async def opened(reply: HTTPReply, codings: str, held: Held) -> HTTPReply:
    """A reply with its body unpacked, in a thread and one at a time. Raises `Unreadable`."""
    await held.turn()
    limit = held.limit if reply.success else ERROR_LIMIT
    try:
        body = await asyncio.to_thread(unpacked, reply.body, codings, limit, cut=not reply.success)
    except ValueError as error:
        if reply.success:
            raise Unreadable(str(error)) from error
        body = b""
    return HTTPReply(reply.status, reply.headers, body)
