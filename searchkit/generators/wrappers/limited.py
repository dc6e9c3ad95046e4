"""No more calls in flight than an endpoint can bear."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators.in_order import each
from searchkit.generators.openai.probe import Capabilities
from searchkit.generators.wrappers.coalescing import grouping
from searchkit.protocols import Backend
from searchkit.types import Sample


class Gate:
    """A semaphore whose width adapts to overload, shared by all event loops of the process.

    Additive increase, multiplicative decrease: halved by a refusal, one wider after as many successes as it is wide. A
    burst of refusals counts once: only calls admitted after the last halving can halve it again. Nothing blocks, nobody
    waits in a thread, and a waiter that is cancelled hands on the permit that it may already have been given.
    """

    def __init__(self, most: int) -> None:
        self.most = self.width = most
        self.active = 0  # permits given
        self._halvings = self._successes = 0
        # Re-entrant: the garbage collector may end an abandoned `acquire` in the middle of anything.
        self._lock = threading.RLock()
        self._waiters: deque[_Waiter] = deque()

    def __reduce__(self) -> tuple[type[Gate], tuple[int]]:
        return Gate, (self.most,)

    async def acquire(self) -> int:
        """Wait for a permit, first come, first served. Returns the number of halvings so far, for `release`."""
        with self._lock:
            if self.active < self.width and not self._waiters:
                self.active += 1
                return self._halvings
            waiter = _Waiter(asyncio.get_running_loop())
            self._waiters.append(waiter)
        try:
            return await waiter.admitted
        except BaseException:
            with self._lock:
                if waiter.chosen:
                    self.active -= 1
                    self._admit()
                elif waiter in self._waiters:  # not so if its loop was found dead
                    self._waiters.remove(waiter)
            raise

    def release(self, admitted: int, refused: bool | None) -> None:
        """Give a permit back. `refused`: whether the server was overloaded; None if the call says nothing about it."""
        with self._lock:
            self.active -= 1
            if refused and admitted == self._halvings:
                self.width = max(1, self.width // 2)
                self._halvings += 1
                self._successes = 0
            elif refused is False:
                self._successes += 1
                if self._successes >= self.width:
                    self.width = min(self.most, self.width + 1)
                    self._successes = 0
            self._admit()

    def _admit(self) -> None:
        """Hand free permits to the longest waiting. The lock is held."""
        while self._waiters and self.active < self.width:
            waiter = self._waiters.popleft()
            if waiter.wake(self._halvings):
                self.active += 1


class _Waiter:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.admitted: asyncio.Future[int] = loop.create_future()
        self.chosen = False

    def wake(self, halvings: int) -> bool:
        """Tell the waiter, in its own loop, that it holds a permit; False if that loop is gone."""
        try:
            self._loop.call_soon_threadsafe(self._resolve, halvings)
        except RuntimeError:
            return False
        self.chosen = True
        return True

    def _resolve(self, halvings: int) -> None:
        if not self.admitted.done():  # cancelled in the meantime: `acquire` sees `chosen` and returns the permit
            self.admitted.set_result(halvings)


@dataclass(frozen=True)
class Limited:
    """A `Backend` with at most `concurrency` calls in flight, fewer while the server answers 429 or 503.

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
