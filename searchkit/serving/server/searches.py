"""The searches that go on in a server: begun when it is their turn, stopped when their client leaves or the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from searchkit.engine.journal import Journal
from searchkit.result import Result
from searchkit.searching import Searching, start
from searchkit.serving.server.asking import Asked
from searchkit.serving.server.keys import Key
from searchkit.serving.server.refusing import Refusal
from searchkit.serving.server.telling import Telling
from searchkit.serving.server.turns import Turns

STOPPING = "the server is stopping: ask again, there or elsewhere"


class Searches:
    """Those that go on, by their id: 128 random bits."""

    def __init__(self, turns: Turns, journal: Journal | None = None) -> None:
        self._turns, self._journal = turns, journal
        self.going: dict[str, Searching[Any]] = {}
        self.stopping: bool = False
        self._stopped = False

    async def result(self, id: str, asked: Asked, key: Key, telling: Telling | None) -> Result[Any]:
        """What the search comes to. Raises `Refusal` if there is no turn for it, and what stopped it without an answer.

        Cancelled, it ends the search, and what is in flight is charged.
        """
        if self.stopping:
            raise Refusal(503, STOPPING, headers={"retry-after": "1"})
        async with self._turns.turn(key):
            if self._stopped:
                raise Refusal(503, STOPPING, headers={"retry-after": "1"})
            return await self._searched(id, asked, telling)

    async def _searched(self, id: str, asked: Asked, telling: Telling | None) -> Result[Any]:
        async with self._going(id, asked) as searching:
            if telling is not None:
                telling.follow(searching)
            return await searching

    @asynccontextmanager
    async def _going(self, id: str, asked: Asked) -> AsyncIterator[Searching[Any]]:
        searching = start(
            asked.problem, asked.strategy, generator=asked.generator, params=asked.params, budget=asked.budget,
            seed=asked.seed, journal=self._journal,
        )  # fmt: skip
        self.going[id] = searching
        try:
            yield searching
        finally:
            del self.going[id]

    def stop(self) -> None:
        """Ask all that go on to end: each answers with its best so far. None begins any more."""
        self.stopping = self._stopped = True
        for searching in list(self.going.values()):
            searching.stop()


async def until_left(work: asyncio.Task[Any], left: asyncio.Future[Any]) -> bool:
    """Whether `work` has ended. Once the client has left it is cancelled, and waited for; so it is if we are."""
    try:
        await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
        return work.done()
    finally:
        left.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
