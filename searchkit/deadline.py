"""The end of a search by the clock."""

from __future__ import annotations

import asyncio
from types import TracebackType

from searchkit.errors import BudgetExhausted


class Deadline:
    """Ends what runs inside at `when` (event-loop time) by raising `BudgetExhausted("seconds")`."""

    def __init__(self, when: float) -> None:
        self._timeout = asyncio.timeout_at(when)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, at)
        except TimeoutError as late:
            raise BudgetExhausted("seconds") from late
