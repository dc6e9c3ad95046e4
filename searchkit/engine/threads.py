"""What a function has started and not waited for: it ends with the function that was given the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

from searchkit.engine.begin import cancel
from searchkit.engine.held import Held
from searchkit.engine.position import Position
from searchkit.errors import BudgetExhausted

F = TypeVar("F")
O = TypeVar("O")  # noqa: E741


class Searches:
    """What one agent has opened: the tasks of its searches and calls, and how often each search was asked for.

    turn: they draw on one share, whose leftovers only one at a time may wait for; under a budget they take turns.
    flying: how many of its calls are under way. landed: set when one of them ends.
    """

    __slots__ = ("_counts", "flying", "landed", "tasks", "turn")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self.turn: asyncio.Lock = asyncio.Lock()
        self.flying: int = 0
        self.landed: asyncio.Event = asyncio.Event()

    def count(self, place: str) -> int:
        """How often `place` was asked for, this time included."""
        self._counts[place] = self._counts.get(place, 0) + 1
        return self._counts[place]

    async def landing(self) -> None:
        """Wait until one of the calls that are under way has ended."""
        self.landed.clear()
        await self.landed.wait()


class Threads:
    """All that one function has spawned, by the run that spawned it: it ends with the function.

    So do the searches that an agent has opened, and the calls that it made. ended: "done", or "stopped" if a clock or
    a person ended it. held: what is set aside for the agent that all of it happens in, if it does.
    """

    __slots__ = ("_families", "_searches", "ended", "held")

    def __init__(self, held: Held | None = None) -> None:
        self.held: Held | None = held
        self._families: dict[Position, Any] | None = None
        self._searches: Searches | None = None
        self.ended: Literal["", "done", "stopped"] = ""

    @property
    def searches(self) -> Searches:
        """Made when it is asked for: few functions are agents that search."""
        if self._searches is None:
            self._searches = Searches()
        return self._searches

    def of(self, run: Position, make: Callable[[Position], F]) -> F:
        """The family of `run`, made when it is asked for."""
        if self._families is None:
            self._families = {}
        if run not in self._families:
            self._families[run] = make(run)
        family: F = self._families[run]
        return family

    @property
    def opened(self) -> bool:
        """Whether there is anything to end."""
        return self._families is not None or self._searches is not None

    async def close_after(self, error: BaseException) -> None:
        """The function ended by `error`."""
        late = isinstance(error, BudgetExhausted) and error.ceiling == "seconds"
        await self.close(stopped=late or isinstance(error, asyncio.CancelledError))

    async def close(self, *, stopped: bool = False) -> None:
        self.ended = "stopped" if stopped else "done"
        families, self._families = self._families, None
        if families is not None:
            for family in families.values():
                await family.close(stopped=stopped)
        if self._searches is not None:
            await cancel(self._searches.tasks)


async def closing(run: Position, work: Awaitable[O]) -> O:
    """What `work` returns, the function that was given `run`. What it spawned and did not join ends with it."""
    run.threads = threads = Threads(run.held if run.held is not None else run.threads.held)
    try:
        value = await work
    except BaseException as error:
        await threads.close_after(error)
        raise
    threads.ended = "done"
    if threads.opened:
        await threads.close()
    return value
