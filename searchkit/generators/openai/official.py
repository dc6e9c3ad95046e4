"""The `openai` package as a transport: for proxies, which it knows how to speak to."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from typing import Any

from searchkit.http import Broken, Enough, Held, HTTPReply, Room, Unreachable, Unreadable, check_proxy, through
from searchkit.http.connecting import CONNECTING, below, is_lasting
from searchkit.http.framing import MOST_SMALL, SMALL_CHUNK
from searchkit.http.pool import opened
from searchkit.http.values import ERROR_LIMIT

_HELD: ContextVar[Held | None] = ContextVar("_HELD", default=None)
_AT_ONCE = 64  # pieces that are read before the loop goes round: each takes its parser some 50 us
_PACKED = "searchkit_packed"  # an extension of a response: how its body is packed


class Official:
    """The `openai` package, with its own retries off, its answers left unparsed, and no redirect followed.

    What it reads is bounded as on our own connections: it is given the body of an error only in part, and never
    unpacks one. Making one imports the package and reads certificates, which takes seconds: do so in a thread.
    """

    def __init__(self, base_url: str) -> None:
        import openai

        self._errors = openai
        self._omitted = openai.Omit()  # else a call without a key would say that its key is "none"
        self._httpx: Any = importlib.import_module(openai.DefaultAsyncHttpxClient.__mro__[2].__module__.split(".")[0])
        self._bounded = _bounded(self._httpx)
        self.room: Room = Room()
        self._through = through(base_url)
        self._known = False  # whether anything came
        self._starting = asyncio.Lock()
        check_proxy(base_url)
        http_client = openai.DefaultAsyncHttpxClient(
            follow_redirects=False, headers={"Accept-Encoding": "identity"}, event_hooks={"response": [self._arrived]}
        )
        timeout = self._httpx.Timeout(None, connect=CONNECTING)
        # The key travels with each request; the client wants one at construction. The time-out is the caller's.
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key="none", max_retries=0, timeout=timeout, http_client=http_client
        )

    async def request(
        self,
        path: str,
        headers: Mapping[str, str],
        held: Held,
        body: dict[str, Any] | None = None,
        enough: Enough | None = None,
    ) -> HTTPReply:
        _HELD.set(held)
        async with self._starting:  # it takes 2 ms to begin a call: 64 at once would hold up the loop for 128
            await asyncio.sleep(0)
        # Raw: what its own `with_streaming_response` sets, so that it does not read the body.
        sent = {"X-Stainless-Raw-Response": "stream", "Accept-Encoding": "identity", **headers}
        known = "authorization" in {name.lower() for name in headers}
        options: Any = {"headers": sent if known else {"Authorization": self._omitted, **sent}}
        try:
            reply, packed = await self._exchange(path, body, options, enough)
        except self._errors.APITimeoutError as error:
            if isinstance(error.__cause__, self._httpx.ConnectTimeout):
                said = f"{self._through}no connection within {CONNECTING:g} s"
                raise Unreachable(said, lasting=not self._known) from None
            raise TimeoutError from error
        except self._errors.APIConnectionError as error:
            raise self._failure(error.__cause__ or error) from None
        except self._httpx.TimeoutException as error:
            raise TimeoutError from error
        except self._httpx.HTTPError as error:
            raise self._failure(error) from None
        except ValueError as error:  # too long
            raise Unreadable(str(error)) from None
        except ExceptionGroup as error:  # of its way to connect, for what it did not think of
            raise Unreachable(f"{self._through}{_innermost(error)}", lasting=True) from None
        if packed:
            reply = await opened(reply, packed, held)
            if enough is not None and reply.success and enough(reply.body):
                return HTTPReply(reply.status, reply.headers, b"")
        return reply

    async def _exchange(self, path: str, body: Any, options: Any, enough: Enough | None) -> tuple[HTTPReply, str]:
        try:
            if body is None:
                response: Any = await self._client.get(path, cast_to=str, options=options)
            else:
                response = await self._client.post(path, cast_to=str, body=body, options=options)
        except self._errors.APIStatusError as error:
            said = error.response
            return HTTPReply(error.status_code, dict(said.headers), said.content), said.extensions[_PACKED]
        said = response.http_response
        packed, found = said.extensions[_PACKED], bytearray()
        try:
            async for piece in said.aiter_raw():
                found += piece
                if enough is not None and not packed and enough(piece):
                    found = bytearray()
                    break
        finally:
            await response.close()
        return HTTPReply(said.status_code, dict(said.headers), bytes(found)), packed

    def _failure(self, error: BaseException) -> Unreachable | Broken:
        # By name: the class comes from httpx or httpx2, depending on the client's version.
        if type(error).__name__ == "ConnectError":
            known = [one for one in below(error) if isinstance(one, OSError | UnicodeError) and _says(one)]
            said = "; ".join(dict.fromkeys(map(str, known))) or str(error)
            return Unreachable(self._through + said, lasting=bool(known) and all(map(is_lasting, known)))
        if type(error).__name__ in ("ProxyError", "UnsupportedProtocol"):
            refused = str(error)[:1] in ("4", "U")  # another attempt needs another password, or protocol
            return Unreachable(f"{self._through}{error}", lasting=refused)
        return Broken(f"no whole HTTP answer came: {error or type(error).__name__}")

    async def _arrived(self, response: Any) -> None:
        """Before a body is read: bound it, and keep the client from unpacking it."""
        self._known = True
        held = _HELD.get()
        assert held is not None
        response.extensions[_PACKED] = response.headers.pop("content-encoding", "")
        response.stream = self._bounded(response.stream, held if 200 <= response.status_code < 300 else None)

    async def close(self) -> None:
        await self._client.close()


def _innermost(error: BaseException) -> str:
    """What the first of a group of errors says."""
    found = next(one for one in below(error) if not isinstance(one, BaseExceptionGroup))
    return f"{type(found).__name__}: {found}"


def _says(error: BaseException) -> bool:
    """Whether an error is the system's, rather than one that sums up others."""
    return isinstance(error, UnicodeError) or (isinstance(error, OSError) and error.errno is not None)


def _bounded(httpx: Any) -> Any:
    """A class of streams that count what they hand on."""

    class Bounded(httpx.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, inner: Any, held: Held | None) -> None:
            self._inner, self._held = inner, held

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left, pieces, size = ERROR_LIMIT, 0, 0
            async for piece in self._inner:
                pieces, size = pieces + 1, size + len(piece)
                if pieces % _AT_ONCE == 0:
                    await asyncio.sleep(0)
                if pieces > MOST_SMALL and size < SMALL_CHUNK * pieces:
                    raise ValueError(f"the answer comes in {pieces} chunks of a few bytes")
                if self._held is None:
                    yield piece[:left]
                    left -= len(piece)
                    if left <= 0:
                        return
                else:
                    await self._held.added(len(piece))
                    yield piece

        async def aclose(self) -> None:
            await self._inner.aclose()

    return Bounded
