"""A backend that counts how many of its calls are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.protocols import Backend


@dataclass
class Flying:
    """Answers as `backend` does, after a moment. now: calls in flight; most: the most so far."""

    backend: Backend
    now: int = 0
    most: int = 0

    @property
    def name(self) -> str:
        return self.backend.name

    async def complete(self, requests: Sequence[Any]) -> list[Any]:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        return await self.backend.complete(requests)
