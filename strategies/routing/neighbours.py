"""How likely each arm is right, by the recorded prompts that are most like this one: nothing is trained."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from searchkit.errors import ConfigError
from searchkit.kinds import is_number, is_whole, told
from searchkit.memory.similarity import counts
from searchkit.strategies.routing.rows import Tried, by_prompt

FAITH = 1.0  # how much of a like prompt's weight the overall share has


class _Index(Protocol):
    def nearest(self, text: str, k: int) -> list[tuple[float, int]]: ...


@dataclass(frozen=True)
class Neighbours:
    """shares: of each arm, [prompts], how often it was right there; None where it was not tried."""

    texts: tuple[str, ...] = field(repr=False)
    shares: dict[str, tuple[float | None, ...]] = field(repr=False)
    overall: dict[str, float]
    k: int
    similar: Callable[[str, str], float] | None
    postings: dict[int, list[tuple[int, float]]] = field(repr=False, compare=False)

    def __call__(self, text: str) -> dict[str, float]:
        """Of each arm the chance that it is right."""
        near = self._nearest(text)
        return {arm: self._share(arm, near) for arm in self.shares}

    def _share(self, arm: str, near: Sequence[tuple[float, int]]) -> float:
        right, weight = FAITH * self.overall[arm], FAITH
        for close, i in near:
            share = self.shares[arm][i]
            if share is not None:
                right, weight = right + close * share, weight + close
        return right / weight

    def _nearest(self, text: str) -> list[tuple[float, int]]:
        """(how close, which prompt) of the `k` closest, of equals those that came first; all have something alike."""
        if self.similar is None:
            close = self._by_trigrams(text)
        else:
            close = {i: self._closeness(text, other) for i, other in enumerate(self.texts)}
        return heapq.nsmallest(
            self.k, ((c, i) for i, c in close.items() if c > 0), key=lambda pair: (-pair[0], pair[1])
        )

    def _closeness(self, text: str, other: str) -> float:
        assert self.similar is not None
        close = self.similar(text, other)
        if not is_number(close) or not 0 <= close <= 1:
            raise ConfigError(f"similar= returns how close two texts are, in [0, 1], got {told(close)}")
        return close

    def _by_trigrams(self, text: str) -> dict[int, float]:
        found: dict[int, float] = defaultdict(float)
        grams = counts(text)
        length = math.sqrt(sum(n * n for n in grams.values()))
        for bucket, n in grams.items():
            for i, part in self.postings.get(bucket, ()):
                found[i] += n / length * part
        return found


def neighbours(
    rows: Sequence[Tried], arms: Sequence[str], k: int, similar: Callable[[str, str], float] | None
) -> Neighbours:
    """What `Router.fit(by="neighbours")` chooses by."""
    if not is_whole(k) or k < 1:
        raise ConfigError(f"k is how many like prompts count, >= 1, got {told(k)}")
    if similar is not None and not callable(similar):
        raise ConfigError(f"similar is a callable of two texts, or None for trigrams, got {told(similar)}")
    tries = by_prompt(rows, arms)
    shares = {
        arm: tuple(
            math.fsum(one[0] for one in found[arm]) / len(found[arm]) if arm in found else None
            for found in tries.values()
        )
        for arm in arms
    }
    overall = {arm: _mean(arm, [share for share in column if share is not None]) for arm, column in shares.items()}
    postings: dict[int, list[tuple[int, float]]] = {}
    for i, text in enumerate(tries if similar is None else ()):
        grams = counts(text)
        length = math.sqrt(sum(n * n for n in grams.values()))
        for bucket, n in grams.items():
            postings.setdefault(bucket, []).append((i, n / length))
    return Neighbours(tuple(tries), shares, overall, k, similar, postings)


def _mean(arm: str, shares: Sequence[float]) -> float:
    if not shares:
        raise ConfigError(f"there is no row of the arm {arm!r}: a router learns from tries of each of its arms")
    return math.fsum(shares) / len(shares)
