"""The attempt that is running: what a search called inside an agent's function belongs to.

A context variable, the one piece of state that no argument carries: between an agent and the `@search` that it calls
stands code of its author's, which knows nothing of runs. It is set only while an agent's function runs, is copied into
the thread of a synchronous one and into the tasks that it makes, and is empty for everything else. A forked process
inherits it, but not the loop behind it: ask `current`, which knows.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from searchkit.protocols import Run
from searchkit.types import Sample
from searchkit.wire.values import WireRequest


class Stepwise(Protocol):
    """Who decides what an agent is answered, where a search takes it step by step: see `AgentSteps`."""

    async def asked(
        self, request: WireRequest, url: str, headers: Mapping[str, str], thread: int | None
    ) -> tuple[Sample[Any], str]:
        """The answer to a model call, once there is one, and a name for it. thread: the one that waits for it.

        Raises `AttemptEnded` where nobody will answer any more.
        """
        ...

    async def aside(self, name: str, perform: Callable[[Run], Awaitable[str]]) -> str:
        """What `perform` returns: done once, and recorded for all that go the same way again."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """An agent's function while it runs: the run that it was given, the loop on which that run lives, its process.

    steps: answers its model calls, where it is not the run that makes them.
    """

    run: Run
    loop: asyncio.AbstractEventLoop
    steps: Stepwise | None = None
    process: int = field(default_factory=os.getpid)


CURRENT: ContextVar[Attempt | None] = ContextVar("searchkit.attempt", default=None)


def current() -> Attempt | None:
    """The attempt that is running here; None outside of one, and in a forked process, which its loop never answers."""
    attempt = CURRENT.get()
    return attempt if attempt is not None and attempt.process == os.getpid() else None
