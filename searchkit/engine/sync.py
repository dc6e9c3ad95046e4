"""The synchronous facade: one background thread with an event loop, so that it works inside a notebook's own loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from searchkit.errors import ConfigError

T = TypeVar("T")
THREADS = 512  # they are started when they are needed
BEAT = 0.5  # seconds in which Ctrl-C is noticed at the latest
STOP = "the search was asked to stop, and has no candidate to return"  # the message of a cancellation that asks for one


def told_to_stop() -> bool:
    """Whether the current task was asked for what it has by now, so that it must begin nothing more.

    A search that was already done when it was asked has a result as any other.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@functools.cache
def _loop(process: int) -> asyncio.AbstractEventLoop:
    """That of a process: a forked one has the threads of its parent no more."""
    loop = asyncio.new_event_loop()
    # Attempts that wait for one another, under a ceiling on tokens, may all be in `asyncio.to_thread`: of asyncio's own
    # threads, a few more than there are cores, none would be left for those that the others wait for.
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(THREADS, "searchkit-executor"))
    threading.Thread(target=_forever, args=(loop,), name="searchkit-loop", daemon=True).start()
    return loop


def _forever(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop for good: a task that raises SystemExit ends its own search, not everybody's."""
    while not loop.is_closed():
        with contextlib.suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()


def awaited(future: concurrent.futures.Future[T]) -> T:
    """Its result, for who blocks. Raises what it raised, and `KeyboardInterrupt`.

    Looks up from time to time: a signal that comes just before the main thread blocks, or to another thread, does not
    wake it.
    """
    while not concurrent.futures.wait([future], BEAT).done:
        pass
    return future.result()


def run_sync(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on the background loop and return its result.

    Ctrl-C stops the search inside: `solve` then returns its best so far, with ``stopped="cancelled"``. A second Ctrl-C
    is raised as usual. Raises `ConfigError` when called from the loop itself, where it could only wait forever.
    """
    loop = _loop(os.getpid())
    try:
        inside = asyncio.get_running_loop() is loop
    except RuntimeError:
        inside = False
    if inside:
        main.close()
        raise ConfigError("this code already runs inside searchkit's loop: use `await solve(...)` here")

    async def start() -> asyncio.Task[T]:
        return asyncio.ensure_future(main)

    async def finish(task: asyncio.Task[T]) -> T:
        return await task

    task = asyncio.run_coroutine_threadsafe(start(), loop).result()
    waiting = asyncio.run_coroutine_threadsafe(finish(task), loop)
    try:
        return awaited(waiting)
    except KeyboardInterrupt:
        loop.call_soon_threadsafe(task.cancel, STOP)
        try:
            return awaited(waiting)
        except (concurrent.futures.CancelledError, KeyboardInterrupt):
            raise KeyboardInterrupt from None
