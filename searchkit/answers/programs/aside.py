"""Reading long texts beside the event loop: what a model wrote must not keep other calls waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
QUICK = 4_000
"""Characters that are read at once: the slowest texts of this length take 50 ms."""


async def aside(length: int, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `read(*args, **kwargs)` returns, by a thread where it has more than `QUICK` characters to read.

    length: characters in all.

    >>> asyncio.run(aside(5, str.upper, "short"))
    'SHORT'
    """
    return read(*args, **kwargs) if length <= QUICK else await asyncio.to_thread(read, *args, **kwargs)
