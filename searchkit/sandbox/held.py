"""Containers that the tests and an object of the program hold both: what one changes later, the other does not see.

Where that has happened, a test that failed may have failed for it. Runs inside the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from searchkit.sandbox.wire import KINDS, TAGS

VALUES = (str, int, tuple)  # parts that are made anew each time


class Held:
    """Remembers what containers held when they crossed."""

    def __init__(self) -> None:
        self._known: list[tuple[Any, list[Any], Callable[[], Any] | None]] = []

    def add(self, container: Any, again: Callable[[], Any] | None = None) -> None:
        """again: what asks the program for the same container."""
        self._known.append((container, _parts(container), again))

    def changed(self) -> bool:
        """Whether one is no longer what it was, here or there."""
        known, self._known = self._known, []  # asking again adds to them
        return any(_differ(_parts(one), before) or _elsewhere(one, again) for one, before, again in known)


def _elsewhere(container: Any, again: Callable[[], Any] | None) -> bool:
    if again is None:
        return False
    try:
        return bool(repr(again()) != repr(container))
    except BaseException:  # the program cannot say
        return True


def _parts(container: Any) -> list[Any]:
    """What it holds. Containers in it cross, and are remembered, by themselves."""
    return list(TAGS[KINDS.get(type(container), "array")][1](container))


def _differ(parts: list[Any], before: list[Any]) -> bool:
    return len(parts) != len(before) or any(
        one is not other and not (type(one) in VALUES and type(other) is type(one) and one == other)
        for one, other in zip(parts, before, strict=True)
    )
