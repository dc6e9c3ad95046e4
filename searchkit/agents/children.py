"""Processes that an agent started and that outlive it: found by the key of its endpoint in their environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_PROCESSES = Path("/proc")
_ROUNDS = 20  # looks at most, of which each finds what was started during the one before


def end_those_with(secret: str) -> int:
    """Kill all processes of this user that were started with `secret` in their environment; returns how many.

    Looked for until none is found: those that were killed may have started others meanwhile. One that forks and ends
    every few milliseconds is not found, since none of its numbers lasts as long as a look. Only where the system shows
    environments as files (Linux); elsewhere none is found. Cost: a read a process, twice where some are found.
    """
    total = 0
    for _ in range(_ROUNDS):
        total += (found := _ended_once(secret))
        if not found:
            break
    return total


def _ended_once(secret: str) -> int:
    found, own = 0, os.getpid()
    for entry in _PROCESSES.glob("[0-9]*/environ"):
        pid = int(entry.parent.name)
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if pid != own and secret.encode() in entry.read_bytes():
                os.kill(pid, signal.SIGKILL)
                found += 1
    return found


async def end_beside(secret: str) -> int:
    """`end_those_with`, in a thread of its own: those of the loop may all be taken, by the agents that are to end."""
    with ThreadPoolExecutor(1) as thread:
        return await asyncio.get_running_loop().run_in_executor(thread, end_those_with, secret)
