"""Branches to which no agent could be led back: what it asked otherwise, and a search that mostly meets such."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from searchkit import wire
from searchkit.environments.agents.state import Pending
from searchkit.errors import SearchWarning, StaleBranch

BEFORE, AFTER = 40, 60  # characters that are shown of a request, around the first that differs
OTHERWISE = (
    "the agent asked something else than when this branch was explored: {}; what it asks must come from its task, its "
    "seed, its world and what it was answered, not from a clock, chance or what other agents did"
)
WASTED = (
    "{} of {} answers of this search ({:.0%}) were lost to branches that went stale: the agent could not be led there "
    "again. The first time {}"
)


class Wasted:
    """What became of the answers of one search."""

    def __init__(self) -> None:
        self.answers: int = 0
        self.lost: int = 0
        self._first = ""

    def note(self, error: StaleBranch) -> None:
        """An answer was lost to a branch that went stale."""
        self.lost += 1
        self._first = self._first or str(error)

    def tell(self) -> None:
        """Warn if most of the answers were lost."""
        if 2 * self.lost > self.answers:
            told = WASTED.format(self.lost, self.answers, self.lost / self.answers, self._first)
            warnings.warn(told, SearchWarning, stacklevel=2)


def asked_otherwise(then: Pending | None, now: Iterable[Pending]) -> StaleBranch:
    """The error that says so. then: what was asked before, None if the agent had returned. now: what waits today."""
    open = {place.place: wire.content(place.request) for place in now}
    if then is None:
        return StaleBranch(
            OTHERWISE.format(f"it had returned, and now asks {_about(min(open.values(), default=''), 0)}")
        )
    before = wire.content(then.request)
    if not open:
        return StaleBranch(OTHERWISE.format(f"it has ended, where it asked {_about(before, 0)}"))
    shared, after = max((_shared(before, text), text) for text in open.values())
    if before == after:
        return StaleBranch(OTHERWISE.format(f"it asks {_about(before, 0)} another number of times"))
    return StaleBranch(OTHERWISE.format(f"it asks {_about(after, shared)}, where it asked {_about(before, shared)}"))


def _shared(text: str, other: str) -> int:
    """How many characters they begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))


def _about(content: str, at: int) -> str:
    """A request around the character `at`: JSON, and so without any that does something on a terminal."""
    first, last = max(at - BEFORE, 0), at + AFTER
    return f"{'...' if first else ''}{content[first:last]}{'...' if last < len(content) else ''}"
