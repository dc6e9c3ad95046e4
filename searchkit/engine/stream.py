"""Concurrent items in order: the one place where searchkit starts, orders, limits and cancels tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter
from types import TracebackType
from typing import Any, Generic, TypeVar

from searchkit.engine.begin import accident, begin, cancel, ended
from searchkit.engine.ledger import Share, Wave
from searchkit.engine.position import Position
from searchkit.engine.threads import Threads
from searchkit.errors import ConfigError
from searchkit.mistakes import lacking_await
from searchkit.protocols import LATER
from searchkit.trace import Span
from searchkit.types import Outcome

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
END: Any = object()
TURN = 0.02  # seconds that a search may run before others have a turn
DEEPEST = 32  # places in `Position.order`, two for each item inside of another


class Stream(Generic[I, O]):
    """Outcomes of concurrent items, in the order of the items. Made by `Run.stream`; enter it before iterating."""

    def __init__(
        self,
        run: Position,
        fn: Callable[[I, Any], Awaitable[O]],
        items: Iterable[I],
        n: int,
        window: int,
        name: str,
    ) -> None:
        if window < 1:
            raise ConfigError(f"a window must be >= 1, got {window}")
        self._run, self._fn, self._items, self._n = run, fn, iter(items), n
        self._window, self._name = window, name
        self._begun: list[asyncio.Task[Outcome[O]] | Outcome[O]] = []
        self._shares: list[Share | None] = []
        self._spans: list[Span] = []
        self._taken, self._entered = 0, False
        self._wave = Wave(run.ledger, n) if run.ledger.bounded else None

    async def __aenter__(self) -> Stream[I, O]:
        self._ordinal = self._run.next_ordinal()
        self._group = self._run.span.add(self._name, "group", role=self._run.role)
        self._entered = True
        return self

    def __aiter__(self) -> Stream[I, O]:
        if not self._entered:
            raise ConfigError("enter the stream first: async with run.stream(...) as stream: async for ... in stream")
        return self

    async def __anext__(self) -> Outcome[O]:
        if not self._more():
            raise StopAsyncIteration
        return self._take(await self._outcome())

    async def all(self) -> list[Outcome[O]]:
        """All outcomes that nobody has taken."""
        found = []
        while self._more():
            item = self._begun[self._taken]
            at_hand = isinstance(item, Outcome) and self._wave is None
            found.append(self._take(item if at_hand else await self._outcome()))  # type: ignore[arg-type]
        return found

    def _more(self) -> bool:
        """Start what may start now; whether there is an outcome to be taken.

        What is started ahead of the outcomes may never be needed, and does not begin before somebody waits.
        """
        start: Callable[..., Any] = begin if self._window == 1 or self._window >= self._n else asyncio.create_task
        while len(self._spans) < min(self._n, self._taken + self._window):
            if start is begin and not self._at_once():
                start = asyncio.create_task  # and so all that follow: they start in order
            if not self._launch(start):
                break
        return self._taken < len(self._spans)

    async def _outcome(self) -> Outcome[O]:
        """Wait for the item whose outcome is to be taken next."""
        item, share = self._begun[self._taken], self._shares[self._taken]
        if self._wave is not None and share is not None:
            self._wave.expect(share)
        if isinstance(item, Outcome):
            return item
        if not item.done():
            await ended(item)
        return item.result()

    def _take(self, outcome: Outcome[O]) -> Outcome[O]:
        share = self._shares[self._taken]
        if self._wave is not None and share is not None:
            self._wave.deliver(share)
        self._taken += 1
        if isinstance(outcome.error, ConfigError):  # a mistake to be mended, not an accident to be survived
            raise outcome.error
        if outcome.error is not None:
            self._run.fail(outcome.error)
        return outcome

    def _launch(self, start: Callable[..., Any]) -> bool:
        """Start the next item, which is asked for only now: it may depend on the outcomes taken so far."""
        item, index = next(self._items, END), len(self._spans)
        if item is END:
            self._n = index
        if item is END or item is LATER:
            return False
        share = None if self._wave is None else self._wave.launch()
        span = self._group.add(self._name, "item", index, self._run.role)
        if self._taken:
            span.after = self._taken
        child = self._run.spawned(self._name, self._ordinal, index, span, share or self._run.ledger)
        self._shares.append(share)
        self._spans.append(span)
        search = self._run._search
        search.beginning += 1
        try:
            self._begun.append(start(self._item(item, child, share)))
        finally:
            search.beginning -= 1
        return True

    def _at_once(self) -> bool:
        """Whether an item may begin at once, and not in the loop's next turn, which others need from time to time.

        Items inside of items that begin at once do so too, so that all of it happens in the order of the program; but
        not if they are nested so deep that they would end the interpreter's stack.
        """
        search = self._run._search
        if not len(self._run.order) % DEEPEST:
            return False
        if search.beginning or (now := perf_counter()) - search.turned < TURN:
            return True
        search.turned = now
        return False

    async def _item(self, item: I, child: Position, share: Share | None) -> Outcome[O]:
        """Run one item to its outcome. Only our own cancellation and what must end the process get out."""
        index = child.index
        child.threads = threads = Threads(child.threads.held)
        try:
            try:
                value = await self._fn(item, child)
            except BaseException as end:
                await threads.close_after(end)
                raise
            threads.ended = "done"
            if threads.opened:
                await threads.close()
            child.span.end("ok")
            return Outcome(index, value)
        except Exception as raised:
            error = raised if (mistake := lacking_await(raised)) is None else _caused(mistake, raised)
            child.span.end("error", error)
            return Outcome(index, None, error)
        except asyncio.CancelledError as stray:
            failure = accident(stray)
            if failure is None:
                child.span.end("cancelled")
                raise
            failure.__cause__ = stray
            child.span.end("error", failure)
            return Outcome(index, None, failure)
        finally:
            if self._wave is not None and share is not None:
                self._wave.finish(share)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Cancel what is in flight and wait until it has ended; results that nobody took leave the canonical trace."""
        if kind is None and self._taken == len(self._spans):  # by far the most
            return self._group.end("ok")
        try:
            await cancel(item for item in self._begun[self._taken :] if isinstance(item, asyncio.Task))
        finally:  # also if we are cancelled while we wait
            self._group.drop(self._spans[self._taken :])
            for share in self._shares[self._taken :]:
                if self._wave is not None and share is not None:
                    self._wave.forfeit(share)
            if kind is None and self._taken < len(self._spans):
                # How far the items in flight had come is a matter of latency: nothing may depend on it.
                self._run.forget(self._ordinal, self._taken)
            self._group.end("cancelled" if kind is asyncio.CancelledError else "ok" if kind is None else "error")


def _caused(error: Exception, cause: Exception) -> Exception:
    """`error` as if raised from `cause`."""
    error.__cause__ = cause
    return error
