"""Numbers in order, of which those above a level are counted and added up in less than one step for each."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Iterator
from itertools import chain

MOST = 512  # numbers a part: what is added up one by one


class Ranked:
    """Numbers in ascending order, in parts that know their sums.

    Cost: about the square root of their number, to ask for the sum above a level after one was added; to add one next
    to nothing, as a part is added up when somebody asks. Sums are exact to one rounding of each part (`math.fsum`).
    """

    __slots__ = ("_changed", "_count", "_firsts", "_parts", "_sums")

    def __init__(self) -> None:
        self._parts: list[list[float]] = []
        self._firsts: list[float] = []  # the least number of each part
        self._sums: list[float] = []
        self._changed: set[int] = set()  # parts whose sums are not those of their numbers any more
        self._count: int = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[float]:
        return chain.from_iterable(self._parts)

    @property
    def total(self) -> float:
        self._add_up()
        return math.fsum(self._sums)

    def add(self, number: float) -> None:
        self._count += 1
        if not self._parts:
            self._parts.append([])
            self._firsts.append(number)
            self._sums.append(0.0)
        i = max(0, bisect_right(self._firsts, number) - 1)
        part = self._parts[i]
        insort(part, number)
        self._changed.add(i)
        if len(part) > MOST:
            self._add_up()
            self._parts[i : i + 1] = part[: MOST // 2], part[MOST // 2 :]
            self._firsts[i : i + 1] = part[0], part[MOST // 2]
            self._sums[i : i + 1] = math.fsum(part[: MOST // 2]), math.fsum(part[MOST // 2 :])
        else:
            self._firsts[i] = part[0]

    def _add_up(self) -> None:
        for i in self._changed:
            self._sums[i] = math.fsum(self._parts[i])
        self._changed.clear()

    def above(self, level: float) -> tuple[int, float]:
        """How many are greater than `level`, and their sum."""
        self._add_up()
        i = bisect_right(self._firsts, level) - 1
        if i < 0:
            return self._count, self.total
        part = self._parts[i]
        k = bisect_right(part, level)
        later = sum(map(len, self._parts[i + 1 :]))
        return len(part) - k + later, math.fsum(chain(part[k:], self._sums[i + 1 :]))
