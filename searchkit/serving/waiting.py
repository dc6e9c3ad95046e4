"""What a client that asked for a stream hears while its answer is not there: it gives up on a server that is silent.

After a pause the stream begins, with comments; then follow the events of the answer. Until then a refusal keeps its
HTTP status; after that it is told as the event with which the API reports errors.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from searchkit.agents.exchange import Answer
from searchkit.agents.relayed import EVENTS
from searchkit.wire import refusals, route_of
from searchkit.wire.sse import event
from searchkit.wire.values import Route

PAUSE = 5.0
"""Seconds, where the client does not say how long it waits."""
_SHORTEST = 0.02
_PATIENCE = ("x-stainless-read-timeout", "x-stainless-timeout")  # seconds; the official clients say it
_COMMENT: Mapping[bool, bytes] = {True: event({"type": "ping"}, "ping"), False: b": waiting\n\n"}

Send = Callable[[dict[str, Any]], Awaitable[None]]


def pause_of(headers: Mapping[str, str]) -> float:
    """A third of the time in which the client gives up.

    >>> pause_of({"x-stainless-read-timeout": "60"}), pause_of({"x-stainless-read-timeout": "never"})
    (20.0, 5.0)
    """
    for name in _PATIENCE:
        try:
            patience = float(headers.get(name, ""))
        except ValueError:
            continue
        if 0 < patience < 1e6:
            return max(patience / 3, _SHORTEST)
    return PAUSE


class Waiting:
    """One request whose answer is being made. headers, path, body: of the request."""

    def __init__(self, send: Send, headers: Mapping[str, str], path: str, body: bytes) -> None:
        self._send, self._route, self._body = send, route_of(path), body
        self._pause = pause_of(headers)
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._begin)
        self._told: asyncio.Task[None] | None = None

    def _begin(self) -> None:
        if self._route is not None and _streamed(self._body):
            self._told = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        headers = [(b"content-type", EVENTS.encode()), (b"cache-control", b"no-cache")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        while True:
            comment = _COMMENT[self._route == "messages"]
            await self._send({"type": "http.response.body", "body": comment, "more_body": True})
            await asyncio.sleep(self._pause)

    async def end(self, answer: Answer | None) -> bool:
        """Whether `answer` was told here, because its stream had begun. None: the client has left."""
        self._timer.cancel()
        if self._told is None:
            return False
        self._told.cancel()
        await asyncio.wait([self._told])
        if answer is not None and self._route is not None:
            said = answer.body if answer.content_type == EVENTS else _error(self._route, answer)
            await self._send({"type": "http.response.body", "body": said, "more_body": False})
        return True


def _streamed(body: bytes) -> bool:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(asked, dict) and asked.get("stream") is True


def _error(route: Route, answer: Answer) -> bytes:
    """A refusal as an event: what the server said, as it worded it, else its status and text."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    found = said.get("error") if isinstance(said, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("message"), str):
        text = answer.body[:500].decode(errors="replace") if said is None or found is None else str(found)[:500]
        return refusals.in_stream(route, answer.status, f"the server answered {answer.status}: {text}")
    if route == "messages":
        return event({"type": "error", "error": found}, "error")
    if route == "responses":
        kind = found.get("code") or found.get("type")
        return refusals.in_stream(route, answer.status, found["message"], kind=kind if isinstance(kind, str) else None)
    return event({"error": found})
