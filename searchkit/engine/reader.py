"""Reading the events of a search one by one, with a bounded memory of those that nobody has read yet."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter

from searchkit.events import Event, Lost, Over

MOST = 4096  # events kept for a slow reader


class Reader:
    """The events of a search, for ``async for``. Of more than `MOST` that were not read the oldest are lost."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()
        self._lost = 0
        self._waiting: asyncio.Future[None] | None = None
        self._over = False

    def put(self, event: Event) -> None:
        """Keep `event` until it is read. From any thread."""
        if len(self._events) == MOST:
            self._events.popleft()
            self._lost += 1
        self._events.append(event)
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            if asyncio._get_running_loop() is self._loop:
                _wake(waiting)
            else:
                self._loop.call_soon_threadsafe(_wake, waiting)

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> Event:
        """The next event. `Over` is the last, and never lost."""
        if self._over:
            raise StopAsyncIteration
        while not self._events:
            self._waiting = self._loop.create_future()
            await self._waiting
        if self._lost:
            lost, self._lost = self._lost, 0
            return Lost((), perf_counter(), lost)
        event = self._events.popleft()
        self._over = isinstance(event, Over)
        return event


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
