"""Processes that an agent started and that outlive it: found by the key of its endpoint in their environment."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

_PROCESSES = Path("/proc")


def end_those_with(secret: str) -> int:
    """Kill all processes of this user that were started with `secret` in their environment; returns how many.

    Only where the system shows environments as files (Linux); elsewhere none is found. Cost: a read a process.
    """
    found, own = 0, os.getpid()
    for entry in _PROCESSES.glob("[0-9]*/environ"):
        pid = int(entry.parent.name)
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if pid != own and secret.encode() in entry.read_bytes():
                os.kill(pid, signal.SIGKILL)
                found += 1
    return found
