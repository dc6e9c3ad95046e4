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
from searchkit.agents.relayed import GONE, Manner, failed, refused, relayed
from searchkit.agents.upstream import Client, Upstream
from searchkit.ambient import Attempt
from searchkit.calls import CallError
from searchkit.errors import ConfigError
from searchkit.serving.routes import foreign, key_of, unknown
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
        return token, Endpoint(f"{base}/v1", base, key_of(token), upstream.keys())

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
            headers = {"content-type": answer.content_type or "application/octet-stream", **answer.headers}
            await Response(answer.body, answer.status, media_type=None, headers=headers)(scope, receive, send)

    async def _answered(self, request: Any) -> Answer | None:
        """None where the client has left."""
        url = request.scope["raw_path"].decode("latin-1")
        empty, prefix, token, path = (*url.split("/", 3), "", "", "")[:4]
        if empty or prefix != "r" or not path:
            return refused(url, 404, "there is nothing here: use the base URL that the attempt was given")
        door = self._doors.get(token)
        if door is None:
            known = token in self._ended
            return refused(url, 410 if known else 401, GONE if known else "no such attempt")
        headers = sent_on(dict(request.headers))
        while path.startswith("v1/"):  # some clients add their own
            path = path.removeprefix("v1/")
        if (why := foreign(headers, token)) or (why := unknown(request.method, path)):
            return refused(url, *why)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return refused(url, 413, f"the request has more than {LARGEST} bytes")
        query = request.scope["query_string"].decode("latin-1")
        ask = door.upstream.ask(request.method, f"v1/{path}", query, headers, bytes(body))
        return await _until_left(request, Work(door, ask))


class Work:
    """What one request makes the search's loop do. begun: it has turned to it, as it does not while an agent on it
    waits for us."""

    def __init__(self, door: Door, ask: Ask) -> None:
        self._door, self.url, self.begun = door, ask.url, False
        self._ask = ask

    async def __call__(self) -> Answer:
        self.begun = True
        upstream = self._door.upstream
        manner = Manner(upstream.keep_seeds, upstream.price)
        try:
            return await relayed(self._door.attempt, self._ask, self._door.http.send, manner)
        except CallError as error:
            return failed(self.url, error)

    def start(self) -> asyncio.Future[Answer]:
        """Its answer, on the gateway's loop. Raises RuntimeError if the search's is closed."""
        work = self()
        try:
            return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._door.attempt.loop))
        except RuntimeError:
            work.close()
            raise


async def _until_left(request: Any, work: Work) -> Answer | None:
    """What `work` comes to; it is cancelled if the client leaves, or if the search's loop does not turn to it."""
    try:
        answer = work.start()
    except RuntimeError:
        return refused(work.url, 410, GONE)
    left = asyncio.ensure_future(request.receive())
    await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED, timeout=ANSWERS)
    if blocked := not (work.begun or answer.done() or left.done()):
        answer.cancel()
    elif not answer.done():
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
    left.cancel()
    if blocked:
        return refused(work.url, 503, "the agent blocks the loop of its search: use an asynchronous client, or a def")
    if not answer.done():
        answer.cancel()
        return None
    try:
        return answer.result()
    except asyncio.CancelledError:
        return refused(work.url, 410, GONE)
    except Exception as error:
        return refused(work.url, 500, f"{type(error).__name__}: {error}")
