"""Whose turn it is: so many searches at once, so many that wait, and no more than its own of any key."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from searchkit.serving.server.keys import Key
from searchkit.serving.server.refusing import Refusal

_GUESS = 5.0
"""Seconds that a search takes, before one has ended."""
_LONGEST = 600


class Turns:
    """A queue, first come, first served.

    most: searches at once. queue: those that may wait; who comes then is refused with a time after which to come back:
    what those before it will take, by the mean of the last ones.
    """

    def __init__(self, most: int, queue: int) -> None:
        self._most, self._queue = most, queue
        self._waiting = deque[asyncio.Future[None]]()
        self._of = Counter[str]()
        self._seconds = _GUESS
        self.running: int = 0
        self.idle: asyncio.Event = asyncio.Event()
        self.idle.set()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, key: Key) -> AsyncIterator[None]:
        """Waits for a turn, and has it. Raises `Refusal` at once where there is no room to wait."""
        self._check(key)
        self._of[key.name] += 1
        try:
            await self._take()
            began = asyncio.get_running_loop().time()
            try:
                yield
            finally:
                self._seconds += 0.1 * (asyncio.get_running_loop().time() - began - self._seconds)
                self._give()
        finally:
            self._of[key.name] -= 1
            if not self._of[key.name]:
                del self._of[key.name]

    def _check(self, key: Key) -> None:
        if key.concurrency is not None and self._of[key.name] >= key.concurrency:
            why = f"this key has {key.concurrency} searches going on, as many as it may"
            raise Refusal(429, f"{why}: wait for one of them", headers=self._later(1))
        if self.running >= self._most and self.waiting >= self._queue:
            why = f"{self.running} searches go on and {self.waiting} wait: come back later"
            raise Refusal(429, why, headers=self._later(self.waiting + 1))

    def _later(self, before: int) -> dict[str, str]:
        seconds = math.ceil(self._seconds * before / self._most)
        return {"retry-after": str(min(max(seconds, 1), _LONGEST))}

    async def _take(self) -> None:
        if self.running < self._most:
            self.running += 1
            self.idle.clear()
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was its turn in the same moment
                self._give()
            elif mine in self._waiting:  # else a turn that was given passed over it in the same moment
                self._waiting.remove(mine)
            raise

    def _give(self) -> None:
        """The turn goes to who has waited longest; it is never free in between."""
        while self._waiting:
            next_one = self._waiting.popleft()
            if not next_one.done():
                next_one.set_result(None)
                return
        self.running -= 1
        if not self.running:
            self.idle.set()
