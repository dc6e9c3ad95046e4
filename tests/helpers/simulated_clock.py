"""An event loop in which waiting takes no time: its clock jumps to whatever is due next."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.SelectSelector):
    """Never waits: it tells for how long it would have."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found:
            assert timeout is not None, "nothing is due any more"
            self.passed += timeout
        return found


class SimulatedLoop(asyncio.SelectorEventLoop):
    """`time` is the simulated one, from 0 on."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on a simulated clock."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)
