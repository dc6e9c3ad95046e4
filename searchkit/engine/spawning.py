"""Threads: concurrent work that a program starts item by item, and whose outcomes it takes when it wants them.

`Run.map` is the shorter way where all items are known at once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

from searchkit import protocols
from searchkit.engine.begin import cancel, ended
from searchkit.engine.ledger import CEILINGS, Ledger, Share, Wave, children_budget
from searchkit.engine.position import Position
from searchkit.engine.stream import Stream
from searchkit.engine.threads import closing
from searchkit.errors import ConfigError
from searchkit.trace import Span
from searchkit.types import Outcome

O = TypeVar("O")  # noqa: E741


class Handle(Generic[O]):
    """What was spawned: give it to `Run.join` for its outcome, or to `Run.spawn(after=...)` to wait for it.

    index: its number among all that its run has spawned, from 0.
    """

    __slots__ = (
        "after", "blocked", "child", "dependents", "fn", "index", "item", "joined", "level", "ordinal", "ready", "run",
        "share", "task",
    )  # fmt: skip

    def __init__(
        self,
        run: Position,
        child: Position,
        ordinal: int,
        fn: Callable[..., Awaitable[O]],
        item: Any,
        after: list[Handle[Any]],
        level: int,
    ) -> None:
        self.run: Position = run
        self.child: Position = child
        self.ordinal: int = ordinal
        self.fn: Callable[..., Awaitable[O]] = fn
        self.item: Any = item
        self.after: list[Handle[Any]] = after
        self.index: int = child.index
        self.level: int = level
        self.share: Share | None = None
        self.task: asyncio.Task[Outcome[O]] | None = None
        self.joined: bool = False
        self.ready: asyncio.Event = asyncio.Event()
        self.dependents: list[Handle[Any]] = []
        self.blocked: int = 0  # how many of those before it have not ended
        for other in after:
            if other.task is None or not other.task.done():
                other.dependents.append(self)
                self.blocked += 1

    @property
    def outcome(self) -> Outcome[O]:
        """What became of it. Only once it has ended."""
        assert self.task is not None
        return self.task.result()


class Family(Stream[Handle[Any], Any]):
    """What one run has spawned. Results do not depend on latencies as long as the program goes by outcomes alone.

    Without a budget an item starts at once. Under a budget all are one wave, which can tell when none of them can go on
    without the leftovers of others; an item that waits for another one does not count as running there.
    """

    def __init__(self, run: Position) -> None:
        super().__init__(run, self._work, (), 0, 1, "spawn")
        self._handles: list[Handle[Any]] = []
        self._levels: list[Span] = []  # groups since the last join: items of one do not wait for one another
        self._since: int = 0
        if self._wave is not None:
            self._wave = Wave(Ledger(parent=run.ledger), 0)

    def spawn(
        self, fn: Callable[..., Awaitable[O]], item: Any, after: Iterable[protocols.Handle[Any]], name: str
    ) -> Handle[O]:
        before, index, run = self._own(after, "after="), len(self._handles), self._run
        level = max((other.level + 1 for other in before if other.index >= self._since), default=0)
        if level == len(self._levels):
            self._levels.append(run.span.add("spawn", "group", role=run.role))
            self._spans.append(self._levels[level])
        span, ordinal = self._levels[level].add(name, "item", index, run.role), run.next_ordinal()
        child = run.spawned(name, ordinal, index, span, run.ledger)
        handle = Handle(run, child, ordinal, fn, item, before, level)
        self._handles.append(handle)
        if self._wave is None:
            self._begin(handle)
        return handle

    async def join(self, handles: Iterable[protocols.Handle[Any]]) -> list[Outcome[Any]]:
        asked = self._own(handles, "join")
        if self._wave is not None:
            self._share_out(self._wave)
        self._levels, self._since = [], len(self._handles)
        for handle in _with_those_before(asked):  # whoever is waited for is the first to get leftovers
            await self._join(handle)
        return [handle.outcome for handle in asked]

    def _own(self, handles: Iterable[protocols.Handle[Any]], where: str) -> list[Handle[Any]]:
        asked = list(handles)
        given = [handle for handle in asked if isinstance(handle, Handle) and handle.run is self._run]
        if len(given) < len(asked):
            raise ConfigError(f"{where} takes what `await run.spawn(...)` of the same run returned")
        return given

    def _share_out(self, wave: Wave) -> None:
        """Start what was spawned since the last join: only now is it known among how many the budget is to be shared.

        Each has an equal part; one more stays with the parent, and leftovers of the others never touch it.
        """
        fresh, owner = [handle for handle in self._handles if handle.task is None], wave.owner
        if not fresh:
            return
        together = children_budget(self._run.ledger, len(fresh))
        limits = dict(together.ceilings()) if together is not None else {}
        for i, name in enumerate(CEILINGS):
            owner.limit[i] = limits.get(name, math.inf) + owner.spent[i] + owner.held[i] + owner.forfeited[i]
        wave.n += len(fresh)
        for handle in fresh:
            handle.child.ledger = handle.share = wave.launch()
            wave.running -= handle.blocked > 0
            self._begin(handle)

    def _begin(self, handle: Handle[Any]) -> None:
        handle.task = asyncio.create_task(self._item(handle, handle.child, handle.share))

    async def _work(self, handle: Handle[Any], child: Position) -> Any:
        try:
            if handle.blocked:
                await handle.ready.wait()
            return await closing(child, handle.fn(handle.item, child, *(other.outcome for other in handle.after)))
        finally:
            self._count(handle.blocked > 0)  # cancelled while it waited for others
            for other in handle.dependents:
                other.blocked -= 1
                if not other.blocked:
                    # At once: leftovers must not be split between our end and its beginning.
                    self._count(other.share is not None)
                    other.ready.set()

    def _count(self, running: bool) -> None:
        if self._wave is not None:
            self._wave.running += running

    async def _join(self, handle: Handle[Any]) -> None:
        wave, share, task = self._wave, handle.share, handle.task
        assert task is not None
        if wave is not None and share is not None:
            wave.expect(share)
        if not task.done():
            await ended(task)
        if wave is not None and share is not None:
            wave.deliver(share)
        handle.joined = True
        outcome = handle.outcome
        if isinstance(outcome.error, ConfigError):  # a mistake to be mended, not an accident to be survived
            raise outcome.error
        if outcome.error is not None:
            self._run.note_failure(outcome.error)
            self._run.fail(outcome.error)

    async def close(self, *, stopped: bool) -> None:
        """Cancel what was not joined and wait until it has ended. stopped: by a clock or a person, from outside."""
        left = [handle for handle in self._handles if not handle.joined]
        try:
            await cancel([handle.task for handle in left if handle.task is not None])
        finally:  # also if we are cancelled while we wait
            for handle in left:
                if self._wave is not None and handle.share is not None:
                    self._wave.forfeit(handle.share)
                if not stopped:  # how far it had come is a matter of latency: nothing may depend on it
                    self._run.forget(handle.ordinal, handle.index)
            gone = {id(handle.child.span) for handle in left}
            for group in self._spans:
                if gone:
                    group.drop([span for span in group.children if id(span) in gone])
                group.end("ok")


def _with_those_before(handles: Iterable[Handle[Any]]) -> list[Handle[Any]]:
    """`handles` and all that must end before them, but for those joined already, in the order of spawning."""
    found, stack = dict[int, Handle[Any]](), list(handles)
    while stack:
        handle = stack.pop()
        if not handle.joined and handle.index not in found:
            found[handle.index] = handle
            stack.extend(handle.after)
    return [found[index] for index in sorted(found)]
