"""How a call reaches a server: directly, or through the official client where a proxy is configured."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from searchkit.generators.openai.official import Official
from searchkit.http import Enough, Held, HTTPReply, Pool, Room, proxied


class Transport(Protocol):
    """Exchanges with one server, for one event loop. Raises `Unreachable`, `Broken` or TimeoutError; never retries.

    room: bounds what all of them hold together.
    """

    room: Room

    async def request(
        self,
        path: str,
        headers: Mapping[str, str],
        held: Held,
        body: dict[str, Any] | None = None,
        enough: Enough | None = None,
    ) -> HTTPReply:
        """POST of `body`, or GET without one. `path` is relative to the base URL; `headers` say who asks.

        held: bounds the answer; the caller keeps it until it has been read.
        enough: takes the body of a successful answer as it arrives, and says when to close the connection.
        """
        ...

    async def close(self) -> None: ...


class Direct:
    """Our own connections: plain HTTP or TLS, no proxy."""

    def __init__(self, base_url: str) -> None:
        self._base = urlsplit(base_url).path
        self._pool = Pool(base_url)
        self.room: Room = self._pool.room

    async def request(
        self,
        path: str,
        headers: Mapping[str, str],
        held: Held,
        body: dict[str, Any] | None = None,
        enough: Enough | None = None,
    ) -> HTTPReply:
        lines = "Content-Type: application/json\r\nAccept: application/json\r\n"
        if "user-agent" not in {name.lower() for name in headers}:
            lines += "User-Agent: searchkit\r\n"
        lines += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if body is None:
            return await self._pool.request("GET", self._base + path, lines, held=held)
        return await self._pool.request("POST", self._base + path, lines, json.dumps(body).encode(), enough, held)

    async def close(self) -> None:
        await self._pool.close()


def is_official(transport: str, base_url: str) -> bool:
    """Whether the official client carries the calls: "auto" takes it where a proxy is configured for this URL, in the
    environment or the system's settings."""
    return transport == "official" or (transport == "auto" and proxied(base_url))


async def make(transport: str, base_url: str) -> Transport:
    """The transport of that name. The official client is imported in a thread: that takes two seconds."""
    if is_official(transport, base_url):
        return await asyncio.to_thread(Official, base_url)
    return Direct(base_url)


class Here:
    """What one event loop has of a backend: its transport, and a lock under which it asks the server something once."""

    def __init__(self, transport: Transport) -> None:
        self.transport: Transport = transport
        self.lock: asyncio.Lock = asyncio.Lock()
        self.closer = self._close_at_end()

    async def _close_at_end(self) -> AsyncGenerator[None, None]:
        # asyncio.run finishes open asynchronous generators before it closes its loop: the one moment at which idle
        # connections can be closed without asking the user to do it.
        try:
            yield
        finally:
            await self.transport.close()


class PerLoop:
    """One `Here` for each event loop that asks, closed with its loop. Not part of a configuration: pickles empty."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: WeakKeyDictionary[asyncio.AbstractEventLoop, Here] = WeakKeyDictionary()
        self._making: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[type[PerLoop], tuple[()]]:
        return type(self), ()

    async def here(self, transport: str, base_url: str) -> Here:
        """This loop's entry, with a transport that is made at the first call."""
        loop = asyncio.get_running_loop()
        if (found := self._of(loop)) is not None:
            return found
        with self._lock:
            making = self._making.setdefault(loop, asyncio.Lock())
        async with making:
            if (found := self._of(loop)) is not None:
                return found
            made = Here(await make(transport, base_url))
            with self._lock:
                for old in [other for other in self._all if other.is_closed()]:  # a transport keeps its loop alive
                    del self._all[old]
                self._all[loop] = made
        await anext(made.closer)
        return made

    def _of(self, loop: asyncio.AbstractEventLoop) -> Here | None:
        with self._lock:
            return self._all.get(loop)

    async def close(self) -> None:
        """Close this loop's transport, if there is one."""
        with self._lock:
            found = self._all.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.closer.aclose()
