"""Warm pairs of interpreters for event loops: as many as there are cores, shared by all verifiers of this process.

Each thread runs one program at a time and does little but wait: the work is done by the interpreters' children, which
the kernel spreads over the cores. Worker processes of joblib would add a hop to each program and could not be killed.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pair import Pair
from searchkit.sandbox.process import Broken
from searchkit.sandbox.report import Case, Report


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool:
    """Pairs at any level, at most `size` at work; safe from several threads and event loops."""

    def __init__(self, size: int) -> None:
        self.size: int = size
        self._threads: ThreadPoolExecutor = ThreadPoolExecutor(size, "searchkit-code")
        self._lock: threading.Lock = threading.Lock()
        self._idle: dict[tuple[str, tuple[str, ...]], list[Pair]] = {}

    async def run(self, level: str, case: Case, limits: Limits) -> Report:
        """The report; first come, first served. A cancelled call's program is killed. Raises `Broken`."""
        turn = _Turn(self, level, case.libraries)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, turn.run, case, limits)
        except asyncio.CancelledError:
            turn.cancel()
            raise

    def close(self) -> None:
        """Kill all interpreters; the next program starts others."""
        with self._lock:
            pairs, self._idle = [pair for pairs in self._idle.values() for pair in pairs], {}
        for pair in pairs:
            pair.close()

    def forget(self) -> None:
        """In a forked child, which has neither the threads nor interpreters of its own."""
        for pairs in self._idle.values():
            for pair in pairs:
                pair.forget()
        self._threads = ThreadPoolExecutor(self.size, "searchkit-code")
        self._lock, self._idle = threading.Lock(), {}

    def take(self, level: str, libraries: tuple[str, ...]) -> Pair:
        with self._lock:
            idle = self._idle.get((level, libraries))
            return idle.pop() if idle else Pair(level, libraries)

    def give(self, pair: Pair) -> None:
        with self._lock:
            self._idle.setdefault((pair.level, pair.libraries), []).append(pair)


class _Turn:
    """One program's turn with a pair."""

    def __init__(self, pool: Pool, level: str, libraries: tuple[str, ...]) -> None:
        self.pool: Pool = pool
        self.level: str = level
        self.libraries: tuple[str, ...] = libraries
        self.pair: Pair | None = None
        self.cancelled: bool = False
        self.lock: threading.Lock = threading.Lock()

    def run(self, case: Case, limits: Limits) -> Report:
        """On a thread of the pool. An idle pair may have died meanwhile, so that one failure is no proof."""
        with self.lock:
            pair = self.pair = self.pool.take(self.level, self.libraries)
        try:
            try:
                return pair.run(case, limits)
            except Broken:
                if self.cancelled:
                    raise
                return pair.run(case, limits)
        finally:
            with self.lock:
                self.pair = None
            self.pool.give(pair)

    def cancel(self) -> None:
        with self.lock:
            self.cancelled = True
            if self.pair is not None:
                self.pair.close()


POOL = Pool(cores())
atexit.register(POOL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forget)
