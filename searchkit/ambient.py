"""The attempt that is running: what a search called inside an agent's function belongs to.

A context variable, the one piece of state that no argument carries: between an agent and the `@search` that it calls
stands code of its author's, which knows nothing of runs. It is set only while an agent's function runs, is copied into
the thread of a synchronous one and into the tasks that it makes, and is empty for everything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
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
    """An agent's function while it runs: the run that it was given, and the loop on which that run lives.

    steps: answers its model calls, where it is not the run that makes them.
    """

    run: Run
    loop: asyncio.AbstractEventLoop
    steps: Stepwise | None = None


CURRENT: ContextVar[Attempt | None] = ContextVar("searchkit.attempt", default=None)
