"""The attempt that is running: what a search called inside an agent's function belongs to.

A context variable, the one piece of state that no argument carries: between an agent and the `@search` that it calls
stands code of its author's, which knows nothing of runs. It is set only while an agent's function runs, is copied into
the thread of a synchronous one and into the tasks that it makes, and is empty for everything else. A forked process
inherits it, but not the loop behind it: ask `current`, which knows.
"""

from __future__ import annotations

import asyncio
import os
from contextvars import ContextVar
from dataclasses import dataclass, field

from searchkit.protocols import Run


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """An agent's function while it runs: the run that it was given, the loop on which that run lives, its process."""

    run: Run
    loop: asyncio.AbstractEventLoop
    process: int = field(default_factory=os.getpid)


CURRENT: ContextVar[Attempt | None] = ContextVar("searchkit.attempt", default=None)


def current() -> Attempt | None:
    """The attempt that is running here; None outside of one, and in a forked process, which its loop never answers."""
    attempt = CURRENT.get()
    return attempt if attempt is not None and attempt.process == os.getpid() else None
