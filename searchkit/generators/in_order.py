"""Concurrent calls whose results come back in order: what every backend around many requests needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741


async def each(fn: Callable[[I], Awaitable[O]], items: Sequence[I]) -> list[O]:
    """`fn` of every item, concurrently. If one raises, the others are cancelled and awaited before it is raised."""
    if len(items) == 1:  # the common case: no task
        return [await fn(items[0])]

    async def call(item: I) -> O:
        return await fn(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call(item)) for item in items]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]
