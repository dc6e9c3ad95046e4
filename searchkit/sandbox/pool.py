"""Warm pairs of interpreters for event loops: as many as there are cores, shared by all verifiers of this process.

Each thread runs one program at a time and does little but wait: the work is done by the interpreters' children, which
the kernel spreads over the cores. Worker processes of joblib would add a hop to each program and could not be killed.
Interpreters are started and ended by these threads alone, which no signal interrupts; nobody waits for the threads
themselves when Python ends.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import queue
import threading
from concurrent.futures import Future, wait

from searchkit.engine.sync import awaited
from searchkit.sandbox.crowd import members
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pair import Pair
from searchkit.sandbox.process import Broken
from searchkit.sandbox.report import Case, Report

PATIENCE = 5.0
"""Seconds for a thread to return whose interpreters were killed; it needs more only in a checker of the user's own."""


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool:
    """Pairs at any level, at most `size` at work; safe from several threads and event loops."""

    _waiting: queue.SimpleQueue[_Turn | None]
    _lock: threading.Lock
    _idle: dict[tuple[str, tuple[str, ...]], list[Pair]]
    _turns: set[_Turn]
    _threads: int

    def __init__(self, size: int) -> None:
        self.size: int = size
        self._forget()

    async def run(self, level: str, case: Case, limits: Limits) -> Report:
        """The report; first come, first served. Raises `Broken`.

        A cancelled call's program is killed, whatever it is at; once that is raised, nothing of it is left.
        """
        turn = self._begin(level, case, limits)
        try:
            return await asyncio.wrap_future(turn.done)
        except asyncio.CancelledError:
            turn.stop()
            left = asyncio.wrap_future(turn.done)
            left.add_done_callback(lambda one: one.cancelled() or one.exception())  # looked at: asyncio prints no error
            await asyncio.wait([left], timeout=PATIENCE)
            raise

    def wait(self, level: str, case: Case, limits: Limits) -> Report:
        """The same, for who has no event loop. Interrupted, it ends the program first."""
        turn = self._begin(level, case, limits)
        try:
            return awaited(turn.done)
        except BaseException:
            turn.stop()
            _wait([turn])
            raise

    def close(self) -> None:
        """Kill all interpreters that are idle; the next program starts others."""
        with self._lock:
            pairs, self._idle = [pair for pairs in self._idle.values() for pair in pairs], {}
        for pair in pairs:
            pair.close()

    def seen(self) -> bool:
        """Whether the processes of its idle interpreters can be seen, and so the threads of programs be counted."""
        with self._lock:
            pairs = [pair for pairs in self._idle.values() for pair in pairs]
        groups = {one.group for pair in pairs for one in (pair.player, pair.judge) if one is not None}
        return bool(groups) and members(groups).keys() == groups

    def end(self) -> None:
        """End all programs, and the threads; nothing is left."""
        with self._lock:
            turns, threads, self._threads = list(self._turns), self._threads, 0
        for turn in turns:
            turn.stop()
        _wait(turns)
        self.close()
        for _ in range(threads):
            self._waiting.put(None)

    def forget(self) -> None:
        """In a forked child, which has neither the threads nor interpreters of its own."""
        pairs = [pair for pairs in self._idle.values() for pair in pairs]
        for pair in [*pairs, *(turn.pair for turn in self._turns if turn.pair is not None)]:
            pair.forget()
        self._forget()

    def take(self, level: str, libraries: tuple[str, ...]) -> Pair:
        with self._lock:
            idle = self._idle.get((level, libraries))
            return idle.pop() if idle else Pair(level, libraries)

    def give(self, pair: Pair) -> None:
        with self._lock:
            self._idle.setdefault((pair.level, pair.libraries), []).append(pair)

    def _forget(self) -> None:
        self._waiting, self._lock, self._idle = queue.SimpleQueue(), threading.Lock(), {}
        self._turns, self._threads = set(), 0

    def _begin(self, level: str, case: Case, limits: Limits) -> _Turn:
        """A program's turn, which waits for a thread."""
        turn = _Turn(self, level, case, limits)
        with self._lock:
            self._turns.add(turn)
            more = self._threads < min(self.size, len(self._turns))
            self._threads += more
        turn.done.add_done_callback(lambda _: self._turns.discard(turn))
        self._waiting.put(turn)
        if more:
            threading.Thread(target=_serve, args=(self._waiting,), name="searchkit-code", daemon=True).start()
        return turn


def _wait(turns: list[_Turn]) -> None:
    """Until they have ended that were stopped; those that have not begun are over at once."""
    wait([turn.done for turn in turns if not turn.done.done()], PATIENCE)


def _serve(waiting: queue.SimpleQueue[_Turn | None]) -> None:
    """One turn after the other."""
    while (turn := waiting.get()) is not None:
        turn.take()
        del turn


class _Turn:
    """One program's turn with a pair. done: what comes of it."""

    def __init__(self, pool: Pool, level: str, case: Case, limits: Limits) -> None:
        self.pool: Pool = pool
        self.level: str = level
        self.case: Case = case
        self.limits: Limits = limits
        self.pair: Pair | None = None
        self.stopped: bool = False
        self.lock: threading.Lock = threading.Lock()
        self.done: Future[Report] = Future()

    def take(self) -> None:
        """On a thread of the pool."""
        if self.done.set_running_or_notify_cancel():
            try:
                report = self._run()
            except BaseException as error:
                self.done.set_exception(error)
            else:
                self.done.set_result(report)

    def stop(self) -> None:
        """End it wherever it is, without waiting for that. From any thread."""
        if self.done.cancel():
            return
        with self.lock:
            self.stopped = True
            if self.pair is not None:
                self.pair.stop()

    def _run(self) -> Report:
        """An idle pair may have died meanwhile, so that one failure is no proof."""
        with self.lock:
            if self.stopped:
                raise Broken("it was stopped")
            pair = self.pair = self.pool.take(self.level, self.case.libraries)
        try:
            with contextlib.suppress(Broken):
                return pair.run(self.case, self.limits)
            return pair.run(self.case, self.limits)
        finally:
            with self.lock:
                self.pair = None
            if self.stopped:
                pair.close()
            else:
                self.pool.give(pair)


POOL = Pool(cores())
atexit.register(POOL.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forget)
