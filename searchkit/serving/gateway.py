"""The gateway: one loopback server a search, with a URL an attempt, whose requests are model calls of that attempt.

It runs in a thread of its own, so that an agent may block its thread; what it is asked runs on the search's loop, where
it is held, counted and cancelled like every call. Needs `pip install 'searchkit[serve]'`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import threading
from dataclasses import dataclass
from typing import Any

from searchkit.agents.endpoint import Endpoint
from searchkit.agents.exchange import Answer, Ask, sent_on
from searchkit.agents.relayed import Manner, failed, relayed
from searchkit.agents.upstream import Client, Upstream
from searchkit.ambient import Attempt
from searchkit.calls import CallError
from searchkit.errors import ConfigError
from searchkit.wire import Route, refusals, route_of
from searchkit.wire.fields import LARGEST

STARTED = 30.0
"""Seconds in which the server must be there."""
ANSWERS = 10.0
"""Seconds after which a loop that does not answer is taken for blocked."""


@dataclass(frozen=True, slots=True)
class Door:
    """What a token opens."""

    attempt: Attempt
    upstream: Upstream
    http: Client


class Gateway:
    """The server. Made by a search for the first attempt that asks for an endpoint, closed with the search."""

    def __init__(self) -> None:
        try:
            import uvicorn
        except ImportError:
            raise ConfigError("an Endpoint needs a server: pip install 'searchkit[serve]'") from None
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sends at once on sockets that say so
        self._socket.bind(("127.0.0.1", 0))
        self._doors: dict[str, Door] = {}
        self._ended: set[str] = set()
        config = uvicorn.Config(
            self._app, log_config=None, access_log=False, lifespan="off", interface="asgi3", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="searchkit-gateway", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(SystemExit):
            self._server.run(sockets=[self._socket])

    @property
    def url(self) -> str:
        """Its address."""
        return "http://{}:{}".format(*self._socket.getsockname())

    async def open(self, attempt: Attempt, upstream: Upstream) -> tuple[str, Endpoint]:
        """A token, and the endpoint that it opens."""
        async with asyncio.timeout(STARTED):
            while not self._server.started:
                if not self._thread.is_alive():
                    raise ConfigError("the gateway could not be started on 127.0.0.1")
                await asyncio.sleep(0.01)
        token = secrets.token_urlsafe(24)
        http: Client = attempt.run.resource(upstream, Client)
        self._doors[token] = Door(attempt, upstream, http)
        base = f"{self.url}/r/{token}"
        return token, Endpoint(f"{base}/v1", base, f"sk-searchkit-{token}", upstream.keys())

    def shut(self, token: str) -> None:
        """The attempt has ended: its token opens nothing any more."""
        self._ended.add(token)
        self._doors.pop(token, None)

    async def close(self) -> None:
        """Stop listening."""
        self._server.should_exit = True
        await asyncio.to_thread(self._thread.join, 5)
        self._socket.close()

    # ---------------------------------------------------------------- requests

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import ClientDisconnect, Request
        from starlette.responses import Response

        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            answer = await self._answered(request)
        except ClientDisconnect:
            return
        if answer is not None:
            kind = answer.content_type or "application/octet-stream"
            await Response(answer.body, answer.status, media_type=None, headers={"content-type": kind})(
                scope, receive, send
            )

    async def _answered(self, request: Any) -> Answer | None:
        """None where the client has left."""
        empty, prefix, token, path = (*request.url.path.split("/", 3), "", "", "")[:4]
        route: Route = route_of(path) or "chat"
        if empty or prefix != "r" or not path:
            return _refusal(route, 404, "there is nothing here: use the base URL that the attempt was given")
        door = self._doors.get(token)
        if door is None:
            known = token in self._ended
            return _refusal(route, 410 if known else 401, "the attempt has ended" if known else "no such attempt")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return _refusal(route, 413, f"the request has more than {LARGEST} bytes")
        headers = sent_on(dict(request.headers))
        ask = door.upstream.ask(request.method, path, request.url.query, headers, bytes(body))
        return await _until_left(request, Work(door, ask), route)


def _refusal(route: Route, status: int, why: str) -> Answer:
    return Answer(status, refusals.body(route, status, why))


class Work:
    """What one request makes the search's loop do. begun: it has turned to it, as it does not while an agent on it
    waits for us."""

    def __init__(self, door: Door, ask: Ask) -> None:
        self._door, self._ask, self.begun = door, ask, False

    async def __call__(self) -> Answer:
        self.begun = True
        door = self._door
        try:
            manner = Manner(door.upstream.keep_seeds, door.upstream.price)
            return await relayed(door.attempt.run, self._ask, door.http.send, manner)
        except CallError as error:
            return failed(error)

    def start(self) -> asyncio.Future[Answer]:
        """Its answer, on the gateway's loop."""
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self(), self._door.attempt.loop))


async def _until_left(request: Any, work: Work, route: Route) -> Answer | None:
    """What `work` comes to; it is cancelled if the client leaves, or if the search's loop does not turn to it."""
    try:
        answer = work.start()
    except RuntimeError:  # the loop is closed
        return _refusal(route, 410, "the attempt has ended")
    left = asyncio.ensure_future(request.receive())
    await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED, timeout=ANSWERS)
    if blocked := not (work.begun or answer.done() or left.done()):
        answer.cancel()
    elif not answer.done():
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
    left.cancel()
    if blocked:
        return _refusal(route, 503, "the agent blocks the loop of its search: use an asynchronous client, or a def")
    if not answer.done():
        answer.cancel()
        return None
    try:
        return answer.result()
    except asyncio.CancelledError:
        return _refusal(route, 410, "the attempt has ended")
