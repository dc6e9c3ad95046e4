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
from dataclasses import dataclass
from typing import Protocol

from searchkit.sandbox.limits import MOST_THREADS

TICK = 0.08
"""Seconds between two looks."""
PROC = "/proc"


class Counted(Protocol):
    """An interpreter. group: of its processes. grows: others may join them, as nothing keeps a program from forking."""

    group: int
    grows: bool

    def program(self) -> int:
        """The process of its program; 0 while it is not known, which is before anything of it runs."""

    def crowded(self, reason: str) -> None:
        """Told before its program is ended."""

    def signal(self) -> None:
        """End all its processes."""


@dataclass(frozen=True, eq=False)
class Program:
    """One program of an interpreter, and when it began."""

    of: Counted
    began: float


def supported() -> bool:
    """Whether this system shows the threads of its processes."""
    return os.path.exists(f"{PROC}/self/stat")


class Watch:
    """The programs that run, and the thread that looks at them."""

    _running: dict[Counted, Program]
    _lock: threading.Lock
    _some: threading.Event
    _thread: threading.Thread | None

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """In a forked child, which has no thread of its own to look, and none of the interpreters."""
        self._running, self._lock, self._some, self._thread = {}, threading.Lock(), threading.Event(), None

    def add(self, one: Counted) -> None:
        """An interpreter has begun a program."""
        with self._lock:
            self._running[one] = Program(one, time.monotonic())
            if self._thread is None and supported():
                self._thread = threading.Thread(target=self._look, name="searchkit-crowd", daemon=True)
                self._thread.start()
        self._some.set()

    def remove(self, one: Counted) -> None:
        """Its program has ended."""
        with self._lock:
            self._running.pop(one, None)

    def _look(self) -> None:
        while True:
            self._some.wait()
            time.sleep(TICK)
            with self._lock:
                due = [one for one in self._running.values() if time.monotonic() - one.began >= TICK]
                if not self._running:
                    self._some.clear()
            growing = {one.of.group for one in due if one.of.grows}
            found = members(growing) if growing else {}
            for one in due:
                if one.of.grows:
                    self._check(one, found.get(one.of.group, []))
                elif program := one.of.program():
                    self._check(one, [program])

    def _check(self, one: Program, pids: list[int]) -> None:
        """End a program that has too many threads, or whose threads cannot be counted."""
        counts = {pid: threads(pid) for pid in pids}
        if pids and sum(counts.values()) <= MOST_THREADS + len(counts):
            return
        with self._lock:
            if self._running.get(one.of) is not one:  # it has ended by itself
                return
            one.of.crowded(f"more than {MOST_THREADS} threads" if pids else "its threads cannot be counted")
            others = sorted((pid for pid in counts if pid != one.of.group), key=counts.__getitem__)
            for pid in others if one.of.grows else others[-1:]:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        if not pids:  # the program is among those that cannot be seen
            one.of.signal()


def members(groups: set[int]) -> dict[int, list[int]]:
    """The processes of these process groups, as far as they can be seen; nothing of a group that has none."""
    found = dict[int, list[int]]()
    with contextlib.suppress(OSError, ValueError, IndexError):
        for name in filter(str.isdigit, os.listdir(PROC)):
            fields = _stat(name)
            if fields is not None and (group := int(fields[2])) in groups:
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
