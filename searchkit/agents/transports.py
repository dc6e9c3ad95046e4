"""HTTP clients for frameworks that take one: each model call made with them belongs to the attempt that makes it.

    AsyncOpenAI(http_client=async_client())      # OpenAI's SDK, and what is built on it
    Anthropic(http_client=client())

The attempt is found by a context variable, which tasks and our threads inherit; threads that an agent starts by itself
do not: give these an `Endpoint`. A call that no attempt makes goes straight to its server, and is warned about once.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Mapping
from typing import Any

from searchkit.agents.exchange import Answer, Ask, sent_on
from searchkit.agents.relayed import Manner, relayed
from searchkit.agents.upstream import Client, http_module
from searchkit.ambient import CURRENT, Attempt
from searchkit.calls import CallError
from searchkit.errors import SearchkitError, SearchWarning
from searchkit.wire import route_of
from searchkit.wire.usage import Price


def async_client(*, keep_seeds: bool = False, price: Price | None = None, **options: Any) -> Any:
    """An `httpx.AsyncClient` whose model calls are those of the attempt that makes them.

    keep_seeds, price: see `Upstream`. options: of the client (`verify`, `proxy`, `headers`, ...).
    """
    module = http_module()
    return module.AsyncClient(transport=_async_transport(Manner(keep_seeds, price), options), **options)


def client(*, keep_seeds: bool = False, price: Price | None = None, **options: Any) -> Any:
    """An `httpx.Client`, else as `async_client`. Called on the loop of the search it would stop it: an error."""
    module = http_module()
    return module.Client(transport=_transport(Manner(keep_seeds, price), options), **options)


def _async_transport(manner: Manner, options: Mapping[str, Any]) -> Any:
    module = http_module()

    class Relaying(module.AsyncBaseTransport):  # type: ignore[name-defined, misc]
        """Of an asynchronous client."""

        def __init__(self) -> None:
            self._straight = module.AsyncHTTPTransport(**_of_transport(options))

        async def handle_async_request(self, request: Any) -> Any:
            attempt = _attempt(request)
            if attempt is None:
                return await self._straight.handle_async_request(request)
            ask = _ask(request, await request.aread())
            work: Awaitable[Answer]
            if asyncio.get_running_loop() is not attempt.loop:
                elsewhere = asyncio.run_coroutine_threadsafe(_answered(attempt, ask, manner, options), attempt.loop)
                work = asyncio.wrap_future(elsewhere)
            else:
                work = _answered(attempt, ask, manner, options)
            return _reply(module, request, await _raised(module, work))

        async def aclose(self) -> None:
            await self._straight.aclose()

    return Relaying()


def _transport(manner: Manner, options: Mapping[str, Any]) -> Any:
    module = http_module()

    class Relaying(module.BaseTransport):  # type: ignore[name-defined, misc]
        """Of a synchronous client."""

        def __init__(self) -> None:
            self._straight = module.HTTPTransport(**_of_transport(options))

        def handle_request(self, request: Any) -> Any:
            attempt = _attempt(request)
            if attempt is None:
                return self._straight.handle_request(request)
            if _running() is attempt.loop:
                raise SearchkitError(
                    "a synchronous HTTP client was called by an agent that is a coroutine: the search would stand "
                    "still. Use the asynchronous client, or make the agent a plain def, which runs in a thread"
                )
            ask = _ask(request, request.read())
            work = asyncio.run_coroutine_threadsafe(_answered(attempt, ask, manner, options), attempt.loop)
            try:
                return _reply(module, request, work.result())
            except CallError as error:
                raise _as_http(module, error) from error

        def close(self) -> None:
            self._straight.close()

    return Relaying()


def _attempt(request: Any) -> Attempt | None:
    """The attempt that a request belongs to; None for what is no model call of an attempt."""
    attempt = CURRENT.get()
    path = request.url.path
    if attempt is None and request.method == "POST" and route_of(path) is not None:
        _warn()
    return attempt


def _warn() -> None:
    warnings.warn(  # from here, so that Python shows it once
        "a model call was made through searchkit's HTTP client outside of a search: it went straight to its server, "
        "uncounted. In a thread that an agent starts, run it with contextvars.copy_context().run",
        SearchWarning,
        stacklevel=1,
    )


def _ask(request: Any, body: bytes) -> Ask:
    timeout = (request.extensions.get("timeout") or {}).get("read")
    return Ask(request.method, str(request.url), sent_on(dict(request.headers)), body, timeout)


async def _answered(attempt: Attempt, ask: Ask, manner: Manner, options: Mapping[str, Any]) -> Answer:
    http: Client = attempt.run.resource(options, lambda: Client(options))
    return await relayed(attempt.run, ask, http.send, manner)


async def _raised(module: Any, work: Any) -> Answer:
    try:
        answer: Answer = await work
    except CallError as error:
        raise _as_http(module, error) from error
    return answer


def _as_http(module: Any, error: CallError) -> Exception:
    """The error as the client's own, which its SDK may try again."""
    kind = module.ReadTimeout if error.kind == "timeout" else module.ConnectError
    found: Exception = kind(str(error))
    return found


def _reply(module: Any, request: Any, answer: Answer) -> Any:
    return module.Response(
        answer.status, headers={"content-type": answer.content_type}, content=answer.body, request=request
    )


def _of_transport(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a client that its transport takes, too."""
    return {
        name: options[name] for name in ("verify", "cert", "trust_env", "http1", "http2", "proxy") if name in options
    }


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
