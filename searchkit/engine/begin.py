"""How a concurrent item starts, so that what never has to wait takes no turn of the event loop.

A task usually starts in the loop's next turn. One that is begun here runs at once, up to where it first has to wait, as
a task of its own all the same: it has its own context, and is the current task meanwhile. Python 3.12 can do that by
itself. (A task that is made only once it has to wait would be cheaper by a microsecond or two, but in Python 3.11 such
a task crashes the interpreter when others look at it.)
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def _natively(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    return asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)  # type: ignore[call-arg, unused-ignore]


def _by_hand(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """The same in Python 3.11, which gets no more changes: the task's first step is taken out of the loop's queue.

    A loop of another make keeps it there, and the task starts in its next turn.
    """
    loop = asyncio.get_running_loop()
    task, queue, around = asyncio.Task(work, loop=loop), getattr(loop, "_ready", None), asyncio.current_task(loop)
    if not queue or around is None:
        return task
    step = queue.pop()
    asyncio.tasks._leave_task(loop, around)
    try:
        step._run()
    finally:
        asyncio.tasks._enter_task(loop, around)
    return task


_started: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]
_started = _natively if sys.version_info >= (3, 12) else _by_hand


def begin(work: Coroutine[Any, Any, T]) -> T | asyncio.Task[T]:
    """Run a coroutine up to where it first has to wait: what it comes to, or a task for the rest of it."""
    task: asyncio.Task[T] = _started(work)
    return task.result() if task.done() and not task.cancelled() else task


async def ended(task: asyncio.Task[Any]) -> None:
    """Wait until `task`, which goes on, has ended. Unlike ``await task``, leaves it alone if we are cancelled."""
    waiting = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: None if waiting.done() else waiting.set_result(None))
    await waiting
