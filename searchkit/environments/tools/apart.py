"""Code of others awaited in a task of its own: what it does to its task it does not do to the search."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

GRACE = 1.0  # seconds for what was cancelled to end by itself; then it is closed, or where it resists that dropped


async def apart(work: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """What `work` returns, and what it raises: `CancelledError` too, where it cancels itself.

    Raises only `KeyboardInterrupt`, and `CancelledError` where we are cancelled: at most `GRACE` later, whatever
    `work` makes of it.
    """
    caught = _caught(work)
    task = asyncio.create_task(caught)
    task.add_done_callback(lambda one: one.cancelled() or one.exception())  # retrieved, if nobody waits any more
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        try:
            await asyncio.wait([task], timeout=GRACE)
        finally:
            if not task.done():
                with contextlib.suppress(RuntimeError, ValueError):  # it does not let itself be closed
                    caught.close()
                task.cancel()  # wakes it, so that it sees that it is closed
        raise
    return (None, asyncio.CancelledError()) if task.cancelled() else task.result()


async def _caught(work: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    try:
        return await work, None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # returned, since a task that raises SystemExit ends the event loop
        return None, error
