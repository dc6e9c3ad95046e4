"""Concurrent items in order: the one place where searchkit starts, orders, limits and cancels tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Generic, TypeVar

from searchkit.calls import CallError
from searchkit.engine.ledger import Share, Wave
from searchkit.engine.position import Position
from searchkit.errors import ConfigError
from searchkit.mistakes import lacking_await
from searchkit.protocols import LATER
from searchkit.trace import Span
from searchkit.types import Outcome

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
END: Any = object()


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
        self._tasks: list[asyncio.Task[Outcome[O]]] = []
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
        while len(self._tasks) < min(self._n, self._taken + self._window) and self._launch(len(self._tasks)):
            pass
        if self._taken == len(self._tasks):
            raise StopAsyncIteration
        task, share = self._tasks[self._taken], self._shares[self._taken]
        if self._wave is not None and share is not None:
            self._wave.expect(share)
        if not task.done():
            await asyncio.wait([task])  # unlike `await task`, leaves the task alone if we are cancelled
        if self._wave is not None and share is not None:
            self._wave.deliver(share)
        self._taken += 1
        outcome = task.result()
        if isinstance(outcome.error, ConfigError):  # a mistake to be mended, not an accident to be survived
            raise outcome.error
        if outcome.error is not None:
            self._run.fail(outcome.error)
        return outcome

    def _launch(self, index: int) -> bool:
        """Start the next item, which is asked for only now: it may depend on the outcomes taken so far."""
        item = next(self._items, END)
        if item is END:
            self._n = index
        if item is END or item is LATER:
            return False
        share = None if self._wave is None else self._wave.launch()
        span = self._group.add(self._name, "item", index, self._run.role)
        span.after = self._taken
        child = self._run.spawned(self._name, self._ordinal, index, span, share or self._run.ledger)
        self._shares.append(share)
        self._spans.append(span)
        self._tasks.append(asyncio.create_task(self._item(item, child, share)))
        return True

    async def _item(self, item: I, child: Position, share: Share | None) -> Outcome[O]:
        """Run one item to its outcome. Only our own cancellation and what must end the process get out."""
        index = child.index
        try:
            value = await self._fn(item, child)
            child.span.end("ok")
            return Outcome(index, value)
        except Exception as raised:
            error = raised if (mistake := lacking_await(raised)) is None else _caused(mistake, raised)
            child.span.end("error", error)
            return Outcome(index, None, error)
        except asyncio.CancelledError as stray:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                child.span.end("cancelled")
                raise
            accident = CallError("something that this item awaited was cancelled, but not by us")
            accident.__cause__ = stray
            child.span.end("error", accident)
            return Outcome(index, None, accident)
        finally:
            if self._wave is not None and share is not None:
                self._wave.finish(share)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Cancel what is in flight and wait until it has ended; results that nobody took leave the canonical trace."""
        try:
            await _cancel(self._tasks[self._taken :])
        finally:  # also if we are cancelled while we wait
            for span in self._spans[self._taken :]:
                span.status = "cancelled"
            for share in self._shares[self._taken :]:
                if self._wave is not None and share is not None:
                    self._wave.forfeit(share)
            if kind is None and self._taken < len(self._tasks):
                # How far the items in flight had come is a matter of latency: nothing may depend on it.
                self._run.forget(self._ordinal, self._taken)
            self._group.end("cancelled" if kind is asyncio.CancelledError else "ok" if kind is None else "error")


def _caused(error: Exception, cause: Exception) -> Exception:
    """`error` as if raised from `cause`."""
    error.__cause__ = cause
    return error


async def _cancel(tasks: Iterable[asyncio.Task[Outcome[O]]]) -> None:
    """Cancel `tasks` and wait for their end, even if we are cancelled again meanwhile (then raise that at the end)."""
    pending = {task for task in tasks if not task.done()}
    for task in pending:
        task.cancel()
    again: asyncio.CancelledError | None = None
    while pending:
        try:
            _, pending = await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            again = error
            pending = {task for task in pending if not task.done()}
    if again is not None:
        raise again
