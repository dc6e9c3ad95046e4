"""Tasks that agents began and left behind. They are told of and not ended: others may share them, such as a pool's."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Collection
from contextvars import Context
from pathlib import Path
from typing import Any

import searchkit
from searchkit.ambient import CURRENT, Attempt
from searchkit.errors import SearchWarning

GRACE = 0.2  # seconds in which what is about to end does
NAMED = 3
OURS = (str(Path(searchkit.__file__).parent), "uvicorn")
LEFT = (
    "agents have left {} of their tasks behind ({}), which go on after the search: let the agent end them, by a task "
    "group, or in a finally"
)


async def tell_of_left(attempts: Collection[Attempt]) -> None:
    """Warn of the tasks of agents whose search has ended, if any go on."""
    if left := _left_by(attempts):
        await asyncio.wait(left, timeout=GRACE)
        if left := {task for task in left if not task.done()}:
            names = sorted({_name(task) for task in left})
            named = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
            warnings.warn(LEFT.format(len(left), named), SearchWarning, stacklevel=2)


def _left_by(attempts: Collection[Attempt]) -> set[asyncio.Task[Any]]:
    own = asyncio.current_task()
    return {task for task in asyncio.all_tasks() - {own} if _attempt_of(task) in attempts and not _is_ours(task)}


def _attempt_of(task: asyncio.Task[Any]) -> Attempt | None:
    """The attempt that was running where a task was made."""
    get = getattr(task, "get_context", None)  # before Python 3.12 only the garbage collector tells
    context = get() if get is not None else next((x for x in gc.get_referents(task) if isinstance(x, Context)), None)
    return None if context is None else context.get(CURRENT)


def _is_ours(task: asyncio.Task[Any]) -> bool:
    """Whether it serves the search, and is ended with it."""
    code = getattr(task.get_coro(), "cr_code", None)
    return any(part in getattr(code, "co_filename", "") for part in OURS)


def _name(task: asyncio.Task[Any]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", task.get_name()))
