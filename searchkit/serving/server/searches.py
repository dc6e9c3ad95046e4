"""The searches that go on in a server: begun when it is their turn, stopped when their client leaves or the server."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from searchkit.engine.journal import Journal
from searchkit.result import Result
from searchkit.searching import Searching, start
from searchkit.serving.accounts import Accounts
from searchkit.serving.server.asking import Asked
from searchkit.serving.server.keys import Key
from searchkit.serving.server.refusing import Refusal, later
from searchkit.serving.server.telling import Telling
from searchkit.serving.server.turns import Turns
from searchkit.strategy import Strategy
from searchkit.types import NO_USAGE, Budget, Usage
from searchkit.views.runs import RunPages

Tell = Callable[[Usage], object]
STOPPING = "the server is stopping: ask again, there or elsewhere"


class Searches:
    """Those that go on, by their id: 128 random bits.

    accounts: what keys have spent, if one of them may only spend so much. journal: of requests with an idempotency key.
    pages: where a key looks at its searches.
    """

    def __init__(
        self, turns: Turns, accounts: Accounts | None = None, journal: Journal | None = None,
        pages: RunPages | None = None,
    ) -> None:  # fmt: skip
        self._turns, self._accounts, self._journal = turns, accounts, journal
        self._pages: RunPages = pages or RunPages()
        self.going: dict[str, Searching[Any]] = {}
        self.stopping: bool = False
        self._stopped = False

    async def result(self, id: str, asked: Asked, key: Key, telling: Telling | None, tell: Tell) -> Result[Any]:
        """What the search comes to. Raises `Refusal` if there is no turn for it, and what stopped it without an answer.

        Cancelled, it ends the search, and what is in flight is charged. tell: told in the end what was paid.
        """
        if self.stopping:
            raise _stopping()
        async with self._turns.turn(key), self._held(asked, key, tell) as held:
            if self._stopped:
                raise _stopping()
            with self._going(id, asked, held.budget) as searching:
                held.searching = searching
                self._pages.show(id, searching, key.name)
                if telling is not None:
                    telling.follow(searching)
                held.result = await searching
                return held.result

    @asynccontextmanager
    async def _held(self, asked: Asked, key: Key, tell: Tell) -> AsyncIterator[_Held]:
        """What the search may spend, set aside in the account of its key; in the end what it has spent is charged."""
        hold, began = None, perf_counter()
        if self._accounts is not None and list(key.budget.ceilings()):
            hold = await self._accounts.hold(key.digest, key.budget, wanted(asked))
        held = _Held(asked.budget if hold is None else hold.budget)
        try:
            yield held
        finally:
            tell(held.spent())
            if self._accounts is not None and hold is not None:
                await self._accounts.settle(hold, held.spent(), perf_counter() - began)

    @contextmanager
    def _going(self, id: str, asked: Asked, budget: Budget) -> Iterator[Searching[Any]]:
        searching = start(
            asked.problem, asked.strategy, generator=asked.generator, params=asked.params, budget=budget,
            seed=asked.seed, journal=self._journal if asked.kept else None,
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


@dataclass
class _Held:
    """One search as its account sees it: what it may spend, and in the end what it has."""

    budget: Budget
    searching: Searching[Any] | None = None
    result: Result[Any] | None = None

    def spent(self) -> Usage:
        """What was paid; of a search that went on from a journal, not what was paid before."""
        if self.result is not None:
            return self.result.paid
        return NO_USAGE if self.searching is None else self.searching.usage


def wanted(asked: Asked) -> Budget:
    """What to set aside for a search: what it asks for; of samples and verdicts, no more than its strategy takes."""
    most = asked.strategy.worst_case(Usage(generations=1)) if isinstance(asked.strategy, Strategy) else _ONE
    if most is None:
        return asked.budget
    bounds = {"generations": most.generations, "verifications": most.verifications}
    least = {name: bound for name, bound in bounds.items() if bound <= _of(asked.budget, name)}
    return replace(asked.budget, **least)


def _of(budget: Budget, name: str) -> Any:
    found = getattr(budget, name)
    return math.inf if found is None else found


_ONE = Usage(generations=1)


def _stopping() -> Refusal:
    return Refusal(503, STOPPING, headers=later(1))


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
            if not work.cancelled():
                work.exception()  # nobody is told any more; left alone it would be written down, with what was said
