"""The gateway: one loopback server a search, with a URL an attempt, whose requests are model calls of that attempt.

It runs in a thread of its own, so that an agent may block its thread; what it is asked runs on the search's loop, where
it is held, counted and cancelled like every call. Needs `pip install 'searchkit[serve]'`.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from searchkit.agents.endpoint import Endpoint
from searchkit.agents.exchange import Answer, Ask, refused, sent_on
from searchkit.agents.relayed import GONE, Manner, failed, relayed
from searchkit.agents.upstream import Client, Upstream
from searchkit.ambient import Attempt
from searchkit.calls import CallError
from searchkit.serving.listening import Listener
from searchkit.serving.routes import foreign, key_of, unknown
from searchkit.serving.waiting import Waiting
from searchkit.wire.fields import LARGEST

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
        self._doors: dict[str, Door] = {}
        self._ended: set[str] = set()
        self._listener = Listener(self._app)

    async def open(self, attempt: Attempt, upstream: Upstream) -> tuple[str, Endpoint]:
        """A token, and the endpoint that it opens."""
        await self._listener.started()
        token = secrets.token_urlsafe(24)
        http: Client = attempt.run.resource(upstream, Client)
        self._doors[token] = Door(attempt, upstream, http)
        base = f"{self._listener.url}/r/{token}"
        return token, Endpoint(f"{base}/v1", base, key_of(token), upstream.keys())

    def shut(self, token: str) -> None:
        """The attempt has ended: its token opens nothing any more."""
        self._ended.add(token)
        self._doors.pop(token, None)

    async def close(self) -> None:
        """Stop listening."""
        await self._listener.close()

    # ---------------------------------------------------------------- requests

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import ClientDisconnect, Request
        from starlette.responses import Response

        request = Request(scope, receive)
        try:
            answer = await self._answered(request, send)
        except ClientDisconnect:
            return
        if answer is not None:
            headers = {"content-type": answer.content_type or "application/octet-stream", **answer.headers}
            await Response(answer.body, answer.status, media_type=None, headers=headers)(scope, receive, send)

    async def _answered(self, request: Any, send: Any) -> Answer | None:
        """None where the client has left, or has been told its answer."""
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
        with self._listener.upload():
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    return refused(url, 413, f"the request has more than {LARGEST} bytes")
        query = request.scope["query_string"].decode("latin-1")
        ask = door.upstream.ask(request.method, f"v1/{path}", query, headers, bytes(body))
        waiting = Waiting(send, headers, urlsplit(ask.url).path, ask.body)
        answer = await _until_left(request, Work(door, ask))
        return None if await waiting.end(answer) else answer


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
            return failed(self._ask, error)

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
