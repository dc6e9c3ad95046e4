"""What a program may use up. Also runs inside the sandbox: imports nothing but the standard library."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

FILES = 64
"""Open files at a time."""
SCRATCH = 2**26
"""Bytes of all files in the scratch folder together."""
MOST_FILES = 1000
"""Files and folders in the scratch folder."""
MOST_THREADS = 128
"""Threads at a time."""
ANSWER = 2**24
"""Bytes of a program's answer to one call, as JSON."""


@dataclass(frozen=True)
class Limits:
    """The limits of one program, which is one process: what holds for the process holds for the program.

    cpu: whole seconds of CPU time. wall: seconds from start to end, for a program that waits; more than `cpu`, since
    the machine may be busy. memory: bytes of address space. output: bytes that a program may print, and may put into
    one file. The tests have the same limits, in a process of their own.
    """

    cpu: int = 5
    wall: float = 20.0
    memory: int = 2**30
    output: int = 2**20


DEFAULT = Limits()


def apply(limits: Limits) -> None:
    """Bind this process to its limits, for good. Limits that the system lacks are left out."""
    import resource

    for kind, soft, hard in (
        (resource.RLIMIT_CPU, limits.cpu, limits.cpu + 1),  # a signal that says why; a later one that none can block
        (resource.RLIMIT_AS, limits.memory, limits.memory),
        (resource.RLIMIT_FSIZE, limits.output, limits.output),
        (resource.RLIMIT_NOFILE, FILES, FILES),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        most = resource.getrlimit(kind)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        with contextlib.suppress(ValueError, OSError):  # macOS has no say over address space
            resource.setrlimit(kind, (soft, hard))
