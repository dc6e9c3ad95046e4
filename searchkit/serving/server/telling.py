"""What a client that asked for a stream hears: comments or progress while its search goes on, then the answer.

The stream begins after a pause, or with the first progress. Until then a refusal keeps its HTTP status; after that it
is told as the event with which the API reports errors.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from searchkit import wire
from searchkit.events import Found
from searchkit.searching import Searching
from searchkit.serving.server.asking import Asked
from searchkit.serving.server.refusing import Refusal
from searchkit.serving.waiting import pause_of
from searchkit.wire import refusals
from searchkit.wire.sse import event

Send = Callable[[dict[str, Any]], Awaitable[None]]
LONGEST = 10.0
"""Seconds between comments, however long a client waits: proxies in between give up sooner."""
EVENTS = b"text/event-stream; charset=utf-8"


class Telling:
    """The stream of one answer. id, created: of the answer. headers: of the request, sent: of the answer."""

    def __init__(self, send: Send, asked: Asked, id: str, created: int, headers: Mapping[str, str], sent: Any) -> None:
        self._send, self._asked, self._sent = send, asked, sent
        self._head = {"id": f"chatcmpl-{id}", "created": created, "model": asked.request.model}
        self._pause = min(pause_of(headers), LONGEST)
        self._reasons = asked.choice.progress == "reasoning" and asked.request.route == "chat"
        self._searching: Searching[Any] | None = None
        self._begun = False
        self._tasks = [asyncio.create_task(self._wait())]

    def follow(self, searching: Searching[Any]) -> None:
        """Tell of this search, too."""
        self._searching = searching
        if self._reasons:
            self._tasks.append(asyncio.create_task(self._progress(searching)))

    async def end(self, answer: Mapping[str, Any]) -> None:
        """The answer, and nothing more."""
        await self._quiet()
        request = self._asked.request
        await self._say(b"".join(wire.events(request.route, answer, usage=request.include_usage)), more=False)

    async def refuse(self, refusal: Refusal) -> bool:
        """Whether the refusal was told here, because the stream had begun."""
        await self._quiet()
        if self._begun:
            said = refusals.in_stream(self._asked.request.route, refusal.status, refusal.message)
            await self._say(said, more=False)
        return self._begun

    async def leave(self) -> None:
        """Nobody listens any more."""
        await self._quiet()

    # ---------------------------------------------------------------- while it goes on

    async def _wait(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            await self._say(self._comment())

    def _comment(self) -> bytes:
        if self._asked.request.route == "messages":
            return event({"type": "ping"}, "ping")
        usage = self._searching.usage if self._searching is not None else None
        said = "queued" if usage is None else f"{usage.model_calls} calls, {usage.generated_tokens} tokens"
        return f": {said}\n\n".encode()

    async def _progress(self, searching: Searching[Any]) -> None:
        found = set[int]()
        async for happened in searching:
            if isinstance(happened, Found) and not happened.inner:
                found.add(id(happened.scored.sample))
                await self._say(self._delta(_line(happened, len(found))))

    def _delta(self, line: str) -> bytes:
        choice = {"index": 0, "delta": {"reasoning_content": line}, "logprobs": None, "finish_reason": None}
        return event({**self._head, "object": "chat.completion.chunk", "choices": [choice]})

    # ---------------------------------------------------------------- sending

    async def _say(self, data: bytes, *, more: bool = True) -> None:
        if not self._begun:
            self._begun = True
            headers = [(b"content-type", EVENTS), (b"cache-control", b"no-cache"), *self._sent]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _quiet(self) -> None:
        """End what tells of the search; the answer must not be cut into two by it."""
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(self._tasks)


def _line(happened: Found, number: int) -> str:
    score = happened.scored.score
    told = "" if score is None else f", score {score + 0.0:.4g}"
    return f"answer {number}{told}{', the best so far' if happened.best else ''}\n"
