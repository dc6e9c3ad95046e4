"""How many threads a program has: counted from outside, since the kernel counts them for a whole user at best.

One thread for all interpreters of this process looks at those at work, and ends a program that has too many. It looks
at a program for the first time when that is a tick old, so that short ones, by far the most, cost nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import Protocol

from searchkit.sandbox.limits import MOST_THREADS

TICK = 0.1
"""Seconds between two looks."""
PROC = "/proc"


class Counted(Protocol):
    """An interpreter. group: of its processes. grows: others may join them, as nothing keeps a program from forking."""

    group: int
    grows: bool

    def crowded(self, reason: str) -> None:
        """Told once its program was ended."""


def supported() -> bool:
    """Whether this system shows the threads of its processes."""
    return os.path.exists(f"{PROC}/self/stat")


class Watch:
    """The interpreters that are at work, and the thread that looks at them."""

    _at_work: dict[Counted, tuple[float, list[int]]]
    _lock: threading.Lock
    _some: threading.Event
    _thread: threading.Thread | None

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """In a forked child, which has no thread of its own to look, and none of the interpreters."""
        self._at_work, self._lock, self._some, self._thread = {}, threading.Lock(), threading.Event(), None

    def add(self, one: Counted) -> None:
        with self._lock:
            self._at_work[one] = time.monotonic(), []
            if self._thread is None and supported():
                self._thread = threading.Thread(target=self._look, name="searchkit-crowd", daemon=True)
                self._thread.start()
        self._some.set()

    def remove(self, one: Counted) -> None:
        with self._lock:
            self._at_work.pop(one, None)

    def _look(self) -> None:
        while True:
            self._some.wait()
            time.sleep(TICK)
            with self._lock:
                due = {one: pids for one, (began, pids) in self._at_work.items() if time.monotonic() - began >= TICK}
                if not self._at_work:
                    self._some.clear()
            if unknown := {one.group for one, pids in due.items() if not pids or one.grows}:
                found = members(unknown)
                due = {one: found.get(one.group, pids) for one, pids in due.items()}
            for one, pids in due.items():
                self._check(one, pids)

    def _check(self, one: Counted, pids: list[int]) -> None:
        """End the program of an interpreter if it has too many threads, or if they cannot be counted."""
        counts = {pid: threads(pid) for pid in pids}
        if sum(counts.values()) <= MOST_THREADS + len(pids):
            with self._lock:
                if one in self._at_work:
                    self._at_work[one] = self._at_work[one][0], pids
            return
        with self._lock:
            if one not in self._at_work:  # it has ended by itself
                return
            one.crowded(f"more than {MOST_THREADS} threads")
            others = sorted((pid for pid in counts if pid != one.group), key=counts.__getitem__)
            for pid in others if one.grows else others[-1:]:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)


def members(groups: set[int]) -> dict[int, list[int]]:
    """The processes of these process groups."""
    found = dict[int, list[int]]()
    for name in os.listdir(PROC):
        if name.isdigit():
            group = int((_stat(name) or ["", "", "0"])[2])
            if group in groups:
                found.setdefault(group, []).append(int(name))
    return found


def threads(pid: int) -> int:
    """How many threads a process has; none of one that is gone, more than any may have where that cannot be read."""
    try:
        fields = _stat(str(pid))
        return 0 if fields is None else int(fields[17])
    except (OSError, ValueError, IndexError):
        return MOST_THREADS * MOST_THREADS


def _stat(pid: str) -> list[str] | None:
    """What stands behind the name of a process, from its state on; None for one that is gone. Raises `OSError`."""
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].decode().split()
    except (FileNotFoundError, ProcessLookupError):
        return None


WATCH = Watch()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WATCH.forget)
