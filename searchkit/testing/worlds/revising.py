"""What it costs to revise drafts until one is good enough, by dynamic programming on a grid of qualities."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from statistics import NormalDist

CELLS = 400
CLOSE = 1e-9


@cache
def revising(first: tuple[float, float], goal: float, spread: float, bias: float, cells: int = CELLS) -> float:
    """Expected draws until a quality of at least `goal`, of the best policy that sees all qualities.

    Revising the better of two drafts is never worse, since where it leads is stochastically greater, so that all that
    matters is the best quality so far: V(q) = 1 + min(E V(max(q, first)), E V(max(q, revised q))), 0 from the goal on.
    Solved from the goal down: V(q) stands on both sides only where a draw leaves q the best. The grid has `cells` cells
    up to the goal; a quality counts as the middle of its cell, so that the error falls with their width.
    """
    width = goal / cells
    fresh = _masses(lambda x: _beta_cdf(x, *first), width, cells)
    worth = [0.0] * cells
    for cell in reversed(range(cells)):
        middle = (cell + 0.5) * width
        revised = _masses(NormalDist(middle + bias, spread).cdf, width, cells)
        costs = []
        for masses in (fresh, revised):
            better = sum(masses[cell + 1 :])
            gained = sum(mass * worth[cell + 1 + i] for i, mass in enumerate(masses[cell + 1 : cells]))
            costs.append((1 + gained) / better if better > CLOSE else math.inf)
        worth[cell] = min(costs)
    return 1 + sum(mass * value for mass, value in zip(fresh, worth, strict=False))


def _masses(cdf: Callable[[float], float], width: float, cells: int) -> list[float]:
    """The chance of each cell, the first one with all below it, and of the goal at the end."""
    bounds = [0.0, *(cdf(cell * width) for cell in range(1, cells + 1)), 1.0]
    return [high - low for low, high in pairwise(bounds)]


def _beta_cdf(x: float, a: float, b: float, steps: int = 200) -> float:
    """The distribution function of Beta(a, b), by Simpson's rule in s, x = s^4: smooth at 0, however small a is."""
    if x >= 1:
        return 1.0

    def density(s: float) -> float:
        return float(4 * s ** (4 * a - 1) * (1 - s**4) ** (b - 1))

    step: float = x**0.25 / steps
    inner = sum((4 if i % 2 else 2) * density(i * step) for i in range(1, steps))
    norm: float = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
    return norm * step / 3 * (density(0.0) + inner + density(steps * step))
