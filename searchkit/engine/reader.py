"""Reading the events of a search one by one, with a bounded memory of those that nobody has read yet."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from time import perf_counter

from searchkit.engine.feed import Feed
from searchkit.events import Event, Lost, Over

MOST = 4096  # events kept for a slow reader


class Unread:
    """What was told and not read yet. Of more than `MOST` the oldest are lost.

    It knows who waits for more, and not the reader: one that was left is gone, and is told nothing more.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.events: deque[Event] = deque()
        self.lost = 0
        self.over = False
        self._waiting: tuple[asyncio.Future[None], ...] = ()

    def put(self, event: Event) -> None:
        """Keep `event` until it is read. From any thread."""
        if len(self.events) == MOST:
            self.events.popleft()
            self.lost += 1
        self.events.append(event)
        if self._waiting:
            self.wake()

    def wake(self) -> None:
        """Let all who wait look again."""
        waiting, self._waiting = self._waiting, ()
        here = asyncio._get_running_loop() is self.loop
        for one in waiting:
            if here:
                _wake(one)
            else:
                self.loop.call_soon_threadsafe(_wake, one)

    async def more(self) -> None:
        """Wait until something was put, or all is over."""
        waiting = self.loop.create_future()
        self._waiting = (*self._waiting, waiting)
        await waiting


class Reader:
    """The events of a search, for ``async for``. Of more than `MOST` that were not read the oldest are lost.

    Tasks that share one reader share its events: each is read once.
    """

    def __init__(self, feed: Feed) -> None:
        self._unread = Unread()
        put = self._unread.put
        feed.add(put)
        weakref.finalize(self, feed.remove, put).atexit = False

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> Event:
        """The next event. `Over` is the last, and never lost."""
        unread = self._unread
        while not unread.events:
            if unread.over:
                raise StopAsyncIteration
            await unread.more()
        if unread.lost:
            lost, unread.lost = unread.lost, 0
            return Lost((), perf_counter(), lost)
        event = unread.events.popleft()
        if isinstance(event, Over):
            unread.over = True
            unread.wake()
        return event


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
