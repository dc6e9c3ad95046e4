"""No more calls in flight than an endpoint can bear."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators.in_order import each
from searchkit.generators.openai.probe import Capabilities
from searchkit.generators.wrappers.coalescing import grouping
from searchkit.protocols import Backend
from searchkit.types import Sample

PATIENCE = 50  # successes after which the gate is one wider, or as many as it is wide: of so many one may be refused


class Gate:
    """A semaphore whose width adapts to overload, shared by all event loops of the process.

    A refusal takes its permit along: it says that one call was too many. Every 50 successes bring one back, or as many
    as the gate is wide, where that is fewer. So it settles where at most one call in 50 is refused: where a server
    refuses what it has no room for, at its capacity; where it refuses one call in a hundred whatever it is asked, at
    the full width. A burst of refusals halves it at most: only calls admitted after that count further. Nothing blocks,
    nobody waits in a thread, and a waiter that is cancelled hands on the permit that it may already have been given.
    """

    def __init__(self, most: int) -> None:
        self.most = self.width = most
        self.active = 0  # permits given
        self._bursts = self._successes = 0
        self._widest = most  # since the last burst
        # Re-entrant: the garbage collector may end an abandoned `acquire` in the middle of anything.
        self._lock = threading.RLock()
        self._waiters: OrderedDict[_Waiter, None] = OrderedDict()  # the longest waiting first

    def __reduce__(self) -> tuple[type[Gate], tuple[int]]:
        return Gate, (self.most,)

    async def acquire(self) -> int:
        """Wait for a permit, first come, first served. Returns the number of bursts so far, for `release`."""
        with self._lock:
            if self.active < self.width and not self._waiters:
                self.active += 1
                return self._bursts
            waiter = _Waiter(asyncio.get_running_loop())
            self._waiters[waiter] = None
        try:
            return await waiter.admitted
        except BaseException:
            with self._lock:
                if waiter.chosen:
                    self.active -= 1
                    self._admit()
                else:
                    self._waiters.pop(waiter, None)  # it is not there if its loop was found dead
            raise

    def release(self, admitted: int, refused: bool | None) -> None:
        """Give a permit back. `refused`: whether the server was overloaded; None if the call says nothing about it."""
        with self._lock:
            self.active -= 1
            if refused and admitted == self._bursts:
                self._narrow()
            elif refused is False:
                self._successes += 1
                if self._successes >= min(self.width, PATIENCE):
                    self.width = min(self.most, self.width + 1)
                    self._widest = max(self._widest, self.width)
                    self._successes = 0
            self._admit()

    def _narrow(self) -> None:
        self.width = max(1, self.width - 1)
        if self.width <= self._widest // 2:
            self._bursts += 1
            self._widest = self.width

    def _admit(self) -> None:
        """Hand free permits to the longest waiting. The lock is held."""
        while self._waiters and self.active < self.width:
            waiter, _ = self._waiters.popitem(last=False)
            if waiter.wake(self._bursts):
                self.active += 1


class _Waiter:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.admitted: asyncio.Future[int] = loop.create_future()
        self.chosen = False

    def wake(self, bursts: int) -> bool:
        """Tell the waiter, in its own loop, that it holds a permit; False if that loop is gone."""
        try:
            self._loop.call_soon_threadsafe(self._resolve, bursts)
        except RuntimeError:
            return False
        self.chosen = True
        return True

    def _resolve(self, bursts: int) -> None:
        if not self.admitted.done():  # cancelled in the meantime: `acquire` sees `chosen` and returns the permit
            self.admitted.set_result(bursts)


@dataclass(frozen=True)
class Limited:
    """A `Backend` with at most `concurrency` calls in flight, fewer while the server answers 429 or 503 (see `Gate`).

    The limit belongs to this object: share it between everything that talks to the same endpoint. Waiting for a permit
    has no time limit; a call's own time-out begins after it.
    """

    backend: Backend
    concurrency: int = 64
    gate: Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ConfigError(f"concurrency must be >= 1, got {self.concurrency}")
        object.__setattr__(self, "gate", Gate(self.concurrency))

    @property
    def name(self) -> str:
        return self.backend.name

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """A list is sent one request at a time: a permit is one call."""

        async def one(request: Request) -> Sample[str] | CallError:
            [entry] = await self._admitted(self.backend.complete, [request])
            return entry

        return await each(one, requests)

    async def complete_group(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """One permit for one merged call; for `Coalescing` around a limited backend."""
        return await self._admitted(grouping(self.backend).complete_group, requests)

    async def probe(self) -> Capabilities:
        """What the backend's server honours."""
        return await grouping(self.backend).probe()

    async def _admitted(
        self, call: Callable[[Sequence[Request]], Awaitable[list[Sample[str] | CallError]]], requests: Sequence[Request]
    ) -> list[Sample[str] | CallError]:
        for request in requests:
            request.waiting(True)
        admitted = await self.gate.acquire()
        for request in requests:
            request.waiting(False)
        refused = None
        try:
            entries = await call(requests)
            refused = _refused(entries[0])
            return entries
        finally:
            self.gate.release(admitted, refused)


def _refused(entry: Sample[str] | CallError) -> bool | None:
    if isinstance(entry, CallError):
        return True if entry.kind == "rate_limit" else None
    return False
