"""Whether an agent waits for nothing but the answers that it asked for.

Told by what its tasks wait for, down from the one that runs the agent's function: answers of ours, or tasks that do.
Threads and clients in other processes cannot be looked into; there the caller waits a moment instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from typing import Any

_DEEPEST = 64


def waits_alone(task: asyncio.Task[Any], asking: Collection[Any], deep: int = 0) -> bool:
    """Whether nothing that `task` waits for goes on without us. asking: the tasks that wait for our answers."""
    if task.done() or task in asking:
        return True
    waiter = getattr(task, "_fut_waiter", None)  # what a debugger reads; nothing public says it before Python 3.14
    if waiter is None or waiter.done() or deep > _DEEPEST:
        return False
    inner = list(_awaited(task, waiter))
    return bool(inner) and all(waits_alone(one, asking, deep + 1) for one in inner)


def _awaited(task: asyncio.Task[Any], waiter: Any) -> Iterator[asyncio.Task[Any]]:
    """The tasks that `task` waits for: by itself, by `gather`, `wait`, `wait_for`, or as a group of them."""
    children = getattr(waiter, "_children", None)
    if isinstance(waiter, asyncio.Task):
        yield waiter
    elif children is not None:
        yield from (child for child in children if isinstance(child, asyncio.Task))
    else:
        found = _innermost(task.get_coro())
        held = found.cr_frame.f_locals if found is not None and found.cr_frame is not None else {}
        group = getattr(held.get("self"), "_tasks", None)
        for name in ("fs", "futs", "fut"):
            group = held.get(name) if group is None else group
        many = [group] if isinstance(group, asyncio.Future) else list(group or ())
        yield from (one for one in many if isinstance(one, asyncio.Task))


def _innermost(coroutine: Any) -> Any:
    """The coroutine in which a suspended one stands."""
    for _ in range(10 * _DEEPEST):
        inner = getattr(coroutine, "cr_await", None)
        if inner is None or not hasattr(inner, "cr_await"):
            return coroutine if hasattr(coroutine, "cr_frame") else None
        coroutine = inner
    return None
