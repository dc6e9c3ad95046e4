"""How a call reaches a server: directly, or through the official client where a proxy is configured."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from searchkit.http import Broken, Enough, HTTPReply, Pool, Unreachable, proxied


class Transport(Protocol):
    """Exchanges with one server, for one event loop. Raises `Unreachable`, `Broken` or TimeoutError; never retries."""

    async def request(
        self, path: str, headers: Mapping[str, str], body: dict[str, Any] | None = None, enough: Enough | None = None
    ) -> HTTPReply:
        """POST of `body`, or GET without one. `path` is relative to the base URL; `headers` say who asks.

        enough: takes the body of a successful answer as it arrives, and says when to close the connection.
        """
        ...

    async def close(self) -> None: ...


class Direct:
    """Our own connections: plain HTTP or TLS, no proxy."""

    def __init__(self, base_url: str) -> None:
        self._base = urlsplit(base_url).path
        self._pool = Pool(base_url)

    async def request(
        self, path: str, headers: Mapping[str, str], body: dict[str, Any] | None = None, enough: Enough | None = None
    ) -> HTTPReply:
        lines = "Content-Type: application/json\r\nAccept: application/json\r\n"
        if "user-agent" not in {name.lower() for name in headers}:
            lines += "User-Agent: searchkit\r\n"
        lines += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if body is None:
            return await self._pool.request("GET", self._base + path, lines)
        return await self._pool.request("POST", self._base + path, lines, json.dumps(body).encode(), enough)

    async def close(self) -> None:
        await self._pool.close()


class Official:
    """The `openai` package, with its own retries off and its answers left unparsed."""

    def __init__(self, base_url: str) -> None:
        import openai

        self._errors = openai
        self._omitted = openai.Omit()  # else a call without a key would say that its key is "none"
        # The key travels with each request; the client wants one at construction. The time-out is the caller's.
        self._client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=None)

    async def request(
        self, path: str, headers: Mapping[str, str], body: dict[str, Any] | None = None, enough: Enough | None = None
    ) -> HTTPReply:
        known = "authorization" in {name.lower() for name in headers}
        options: Any = {"headers": dict(headers) if known else {"Authorization": self._omitted, **headers}}
        try:
            if enough is not None:
                await self._stream(path, body, options, enough)
                text = ""
            elif body is None:
                text = await self._client.get(path, cast_to=str, options=options)
            else:
                text = await self._client.post(path, cast_to=str, body=body, options=options)
        except self._errors.APIStatusError as error:
            return HTTPReply(error.status_code, dict(error.response.headers), error.response.content)
        except self._errors.APITimeoutError as error:
            raise TimeoutError from error
        except self._errors.APIConnectionError as error:
            # By name: the class comes from httpx or httpx2, depending on the client's version.
            raised = Unreachable if type(error.__cause__).__name__ == "ConnectError" else Broken
            raise raised(str(error.__cause__ or error)) from None
        return HTTPReply(200, {}, text.encode())

    async def _stream(self, path: str, body: Any, options: Any, enough: Enough) -> None:
        options["headers"]["X-Stainless-Raw-Response"] = "stream"  # what its `with_streaming_response` sets
        response: Any = await self._client.post(path, cast_to=str, body=body, options=options)
        try:
            async for data in response.iter_bytes():
                if enough(data):
                    break
        finally:
            await response.close()

    async def close(self) -> None:
        await self._client.close()


def make(base_url: str) -> Transport:
    """The official client if a proxy is configured for this URL (environment or system settings), else our own."""
    return Official(base_url) if proxied(base_url) else Direct(base_url)


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

    def __reduce__(self) -> tuple[type[PerLoop], tuple[()]]:
        return type(self), ()

    async def here(self, factory: Callable[[], Transport]) -> Here:
        """This loop's entry, with a transport made by `factory` at the first call."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if (found := self._all.get(loop)) is not None:
                return found
            for old in [other for other in self._all if other.is_closed()]:  # a transport keeps its loop alive
                del self._all[old]
            made = self._all[loop] = Here(factory())
        await anext(made.closer)
        return made

    async def close(self) -> None:
        """Close this loop's transport, if there is one."""
        with self._lock:
            found = self._all.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.closer.aclose()
