"""The attempt that is running: what a search called inside an agent's function belongs to.

A context variable, the one piece of state that no argument carries: between an agent and the `@search` that it calls
stands code of its author's, which knows nothing of runs. It is set only while an agent's function runs, is copied into
the thread of a synchronous one and into the tasks that it makes, and is empty for everything else.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass

from searchkit.protocols import Run


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """An agent's function while it runs: the run that it was given, and the loop on which that run lives."""

    run: Run
    loop: asyncio.AbstractEventLoop


CURRENT: ContextVar[Attempt | None] = ContextVar("searchkit.attempt", default=None)
