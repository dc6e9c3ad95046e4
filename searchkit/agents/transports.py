"""HTTP clients for frameworks that take one: each model call made with them belongs to the attempt that makes it.

    AsyncOpenAI(http_client=async_client())      # OpenAI's SDK, and what is built on it
    Anthropic(http_client=client())

The attempt is found by a context variable, which tasks and our threads inherit; threads that an agent starts by itself
do not: give these an `Endpoint`. A call that no attempt makes goes straight to its server, and is warned about once.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import warnings
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from searchkit.agents.endpoint import is_endpoint
from searchkit.agents.exchange import Answer, Ask, refused, sent_on
from searchkit.agents.relayed import GONE, Manner, failed, relayed
from searchkit.agents.upstream import Client, http_module
from searchkit.ambient import Attempt, current
from searchkit.calls import CallError
from searchkit.errors import ConfigError, SearchWarning
from searchkit.wire import route_of
from searchkit.wire.usage import Price

_OF_CONNECTIONS = ("verify", "cert", "trust_env", "http1", "http2", "proxy", "limits")
_PLAIN: Mapping[str, Any] = MappingProxyType({})  # one object, by which the attempts of a search share connections
_LOOK = 1.0  # seconds after which a thread that waits looks whether the loop is still there
_BLOCKING = (
    "a synchronous HTTP client was called by an agent that is a coroutine: the search would stand still; use "
    "searchkit.agents.async_client(), or make the agent a plain def, which runs in a thread"
)


def async_client(
    *, module: ModuleType | None = None, keep_seeds: bool = False, price: Price | None = None, **options: Any
) -> Any:
    """An `httpx.AsyncClient` whose model calls are those of the attempt that makes them.

    - module: `httpx` or `httpx2`, whichever the framework takes clients of; None: what OpenAI's SDK takes.
    - keep_seeds, price: see `Upstream`.
    - options: of the client (`verify`, `proxy`, `headers`, ...), but for `transport` and `mounts` (`ConfigError`).
    """
    module = module or http_module()
    kept = _of_client(options)
    return module.AsyncClient(transport=async_transport(module, Manner(keep_seeds, price), options), **kept)


def client(
    *, module: ModuleType | None = None, keep_seeds: bool = False, price: Price | None = None, **options: Any
) -> Any:
    """An `httpx.Client`, else as `async_client`. Called on the loop of the search it would stop it: answered 400."""
    module = module or http_module()
    kept = _of_client(options)
    return module.Client(transport=transport(module, Manner(keep_seeds, price), options), **kept)


def async_transport(module: ModuleType, manner: Manner, options: Mapping[str, Any]) -> Any:
    """What carries the requests of an `async_client`."""
    base: Any = module.AsyncBaseTransport
    connections = _of_connections(options)

    class Relaying(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self._straight: dict[int, Any] = {}  # by process: a forked one must not use its parent's connections

        async def handle_async_request(self, request: Any) -> Any:
            attempt = _attempt(request)
            if attempt is None:
                if os.getpid() not in self._straight:
                    self._straight[os.getpid()] = module.AsyncClient(**connections)
                return await self._straight[os.getpid()].send(request, stream=True)
            ask = _ask(request, await request.aread())
            work = _answered(attempt, ask, manner, connections)
            try:
                here = asyncio.get_running_loop() is attempt.loop
                answer = await (work if here else _elsewhere(attempt, ask, work))
            except CallError as error:
                answer = _failed(module, ask, error)
            return _reply(module, request, answer)

        async def aclose(self) -> None:
            if (straight := self._straight.pop(os.getpid(), None)) is not None:
                await straight.aclose()

    return Relaying()


def transport(module: ModuleType, manner: Manner, options: Mapping[str, Any]) -> Any:
    """What carries the requests of a `client`."""
    base: Any = module.BaseTransport
    connections = _of_connections(options)

    class Relaying(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self._straight: dict[int, Any] = {}  # by process: a forked one must not use its parent's connections

        def handle_request(self, request: Any) -> Any:
            attempt = _attempt(request)
            if attempt is None:
                if os.getpid() not in self._straight:
                    self._straight[os.getpid()] = module.Client(**connections)
                return self._straight[os.getpid()].send(request, stream=True)
            ask = _ask(request, request.read())
            if _running() is attempt.loop:
                return _reply(module, request, refused(ask.url, 400, _BLOCKING))
            work = _submitted(attempt, _answered(attempt, ask, manner, connections, threading.get_ident()))
            try:
                answer = refused(ask.url, 410, GONE) if work is None else _result(work, attempt.loop)
            except concurrent.futures.CancelledError:
                answer = refused(ask.url, 410, GONE)
            except CallError as error:
                answer = _failed(module, ask, error)
            return _reply(module, request, answer)

        def close(self) -> None:
            if (straight := self._straight.pop(os.getpid(), None)) is not None:
                straight.close()

    return Relaying()


# -------------------------------------------------------------------- to the attempt


def _attempt(request: Any) -> Attempt | None:
    """The attempt that a request belongs to; None for what is sent straight: it has none, or an endpoint counts it."""
    if is_endpoint(str(request.url)):
        return None
    attempt = current()
    if attempt is None and request.method == "POST" and route_of(request.url.path) is not None:
        _warn()
    return attempt


def _warn() -> None:
    warnings.warn(  # from here, so that Python shows it once
        "a model call was made through searchkit's HTTP client outside of a search: it went straight to its server, "
        "uncounted. In a thread that an agent starts, run it with contextvars.copy_context().run; in a process, let it "
        "call the attempt's Endpoint",
        SearchWarning,
        stacklevel=1,
    )


def _ask(request: Any, body: bytes) -> Ask:
    timeout = (request.extensions.get("timeout") or {}).get("read")
    headers = dict[str, str]()
    for raw, value in request.headers.raw:  # as they will be sent: read otherwise, some could not be written again
        name, said = raw.decode("latin-1").lower(), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {said}" if name in headers else said
    return Ask(request.method, str(request.url), sent_on(headers), body, timeout)


async def _answered(
    attempt: Attempt, ask: Ask, manner: Manner, connections: Mapping[str, Any], thread: int | None = None
) -> Answer:
    http: Client = attempt.run.resource(connections, lambda: Client(connections))
    return await relayed(attempt, ask, http.send, manner, thread)


def _submitted(attempt: Attempt, work: Any) -> concurrent.futures.Future[Answer] | None:
    """`work` on the loop of its search; None where that has ended."""
    try:
        return asyncio.run_coroutine_threadsafe(work, attempt.loop)
    except RuntimeError:  # the loop is closed
        work.close()
        return None


def _result(work: concurrent.futures.Future[Answer], loop: asyncio.AbstractEventLoop) -> Answer:
    """What `work` comes to. A loop that ends just when it is handed over never turns to it."""
    while True:
        try:
            return work.result(timeout=_LOOK)
        except TimeoutError:
            if work.done():
                raise
            if loop.is_closed():
                raise concurrent.futures.CancelledError from None


async def _elsewhere(attempt: Attempt, ask: Ask, work: Any) -> Answer:
    """What `work` comes to, for an agent with a loop of its own."""
    submitted, task = _submitted(attempt, work), asyncio.current_task()
    if submitted is None:
        return refused(ask.url, 410, GONE)
    try:
        return await asyncio.wrap_future(submitted)
    except asyncio.CancelledError:
        if task is not None and task.cancelling():  # the agent gave it up, and with it the call
            raise
        return refused(ask.url, 410, GONE)


# -------------------------------------------------------------------- in the client's terms


def _failed(module: ModuleType, ask: Ask, error: CallError) -> Answer:
    """What the agent is told. Where nothing came the client's own error is raised, which its SDK may try again."""
    if error.kind in ("timeout", "connection"):
        raise (module.ReadTimeout if error.kind == "timeout" else module.ConnectError)(str(error)) from error
    return failed(ask, error)


def _reply(module: ModuleType, request: Any, answer: Answer) -> Any:
    headers = {"content-type": answer.content_type, **answer.headers}
    return module.Response(answer.status, headers=headers, content=answer.body, request=request)


def _of_client(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the client itself is given: a proxy there would lead around our transport."""
    for name in ("transport", "mounts"):
        if name in options:
            raise ConfigError(f"{name}= would lead calls past the search: leave it out, or give the agent an Endpoint")
    return {name: value for name, value in options.items() if name != "proxy"}


def _of_connections(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """What whoever opens the connections is given."""
    return {name: options[name] for name in _OF_CONNECTIONS if name in options} or _PLAIN


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
