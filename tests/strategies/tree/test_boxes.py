"""Boxes with recall: the index opens them in the order of the optimal policy, found by enumeration."""

from __future__ import annotations

import functools
import random

import pytest

from searchkit.strategies.tree.policies.evidence import Evidence

Box = tuple[tuple[float, ...], float]  # equally likely values, and the cost of opening it


def boxes(seed: int) -> list[Box]:
    """Two to five boxes of two to four values in [0, 1], each at a cost of its own."""
    rng = random.Random(seed)
    return [
        (tuple(round(rng.random(), 2) for _ in range(rng.randint(2, 4))), round(rng.uniform(0.01, 0.2), 3))
        for _ in range(2 + seed % 4)
    ]


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_opening_is_the_optimal_policys(seed: int) -> None:
    """In every state (boxes left, best value so far) the box of the greatest index is an optimal one to open next, and
    to stop is optimal exactly where none has an index above the best value. Weitzman 1979, theorem 1."""
    found = boxes(seed)
    index = [Evidence().reservation(values, cost) for values, cost in found]

    @functools.cache
    def value(left: frozenset[int], best: float) -> float:
        """What the optimal policy gets from here on: by enumeration of all orders and outcomes."""
        return max(best, *(opened(box, left, best) for box in left)) if left else best

    def opened(box: int, left: frozenset[int], best: float) -> float:
        values, cost = found[box]
        return sum(value(left - {box}, max(best, v)) for v in values) / len(values) - cost

    waiting, seen, decided = [(frozenset(range(len(found))), 0.0)], set[tuple[frozenset[int], float]](), 0
    while waiting:
        left, best = state = waiting.pop()
        if not left or state in seen:
            continue
        seen.add(state)
        box = max(left, key=lambda b: index[b])
        if index[box] > best:
            assert opened(box, left, best) == pytest.approx(value(left, best), abs=1e-9)
            decided += opened(box, left, best) > max((opened(b, left, best) for b in left - {box}), default=-1) + 1e-9
        else:
            assert best == pytest.approx(value(left, best), abs=1e-9)
        waiting += [(left - {b}, max(best, v)) for b in left for v in found[b][0]]
    assert decided  # somewhere it is the only right choice
