"""The accuracy of a majority vote among k of n samples, exactly, in time that grows slowly with n."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
NEGLIGIBLE = 1e-18  # a chance that a winner has so many votes which is left out
ROUNDING = 1e-13  # what the transform leaves of 0 and of 1


def majority(classes: Sequence[tuple[int, float]], n: int, k: int) -> float:
    """The accuracy of a vote among k of n samples; ties are split evenly.

    classes: (size, share of right samples) of every answer; samples in none of them abstain. 1 <= k <= n.

    Drawing each sample independently with probability p, then conditioning on the total k, is drawing a uniform
    k-subset, whatever p is; p near k / n keeps the chance of that total large. The chance of "the winner has `top`
    votes, the total is k" is a coefficient of a product of polynomials, one for each class, which is read off their
    values at the roots of unity; all classes of a size have one polynomial. That t tied classes share the win is a
    weight of 1 / t, the integral of z^(t - 1) over [0, 1], which Gauss's nodes give. Only `top`s that have a chance
    are looked at. Cost: O(n) for each of those, each size and each node; 10 ms for most pools of n = 1,000.
    """
    sizes = sorted({size for size, _ in classes})
    if not any(share for _, share in classes):
        return 0.0
    p = (k + 0.5) / (n + 1)
    many = np.array([sum(one == size for one, _ in classes) for size in sizes])
    shares = np.array([sum(share for one, share in classes if one == size) for size in sizes])
    chance = np.zeros((len(sizes), sizes[-1] + 1))
    for row, size in zip(chance, sizes, strict=True):
        row[: size + 1] = binomial(size, p)
    roots = np.exp(2j * np.pi * np.arange(n + 1) / (n + 1))
    half = np.arange((n + 1) // 2 + 1)  # the values at the others are the conjugates of these
    times = np.where((half == 0) | (2 * half == n + 1), 1.0, np.where(2 * half > n + 1, 0.0, 2.0))
    seen, below, total = 0, np.zeros((len(sizes), len(half)), dtype=complex), 0.0
    for top in _tops(chance, many, k):
        below += chance[:, seen:top] @ roots[np.outer(np.arange(seen, top), half) % (n + 1)]
        seen = top
        rivals = [g for g, size in enumerate(sizes) if size >= top]
        free = (1 - p + p * roots[half]) ** (n - sum(int(many[g]) * sizes[g] for g in rivals))
        nodes, weight = _quadrature(min(int(many[rivals].sum()), k // top))
        every, right = np.ones(1, dtype=complex), np.zeros(1, dtype=complex)  # the product, and its derivative by win
        for g in rivals:
            one = below[g] + nodes * (chance[g, top] * roots[top * half % (n + 1)])
            others = every * one ** (int(many[g]) - 1) if many[g] > 1 else every
            right = right * one ** int(many[g]) + shares[g] * chance[g, top] * others
            every = others * one
        total += float(weight @ (right * (free * roots[(top - k) * half % (n + 1)] * times)).real.sum(axis=1))
    found = total / (n + 1) / float(binomial(n, p)[k])
    return 0.0 if found < ROUNDING else 1.0 if found > 1 - ROUNDING else found


def binomial(n: int, p: float) -> Array:
    """The chance of i hits in n independent trials, for i = 0 ... n; 0 < p < 1."""
    i = np.arange(1, n + 1)
    log_choose = np.append(0.0, np.cumsum(np.log((n - i + 1) / i)))
    hits = np.arange(n + 1)
    values: Array = np.exp(log_choose + hits * math.log(p) + (n - hits) * math.log1p(-p))
    return values


@lru_cache(maxsize=256)
def _quadrature(ties: int) -> tuple[Array, Array]:
    """Nodes [m, 1] and weights [m] of an integral over [0, 1] of a polynomial of degree below `ties`.

    Half as many nodes are exact; 8 + 4 sqrt(ties) leave z^ties, the worst, to rounding.
    """
    z, weight = np.polynomial.legendre.leggauss(min((ties + 1) // 2, 8 + 4 * math.isqrt(ties)))
    return (z[:, None] + 1) / 2, weight / 2


def _tops(chance: Array, many: NDArray[np.intp], k: int) -> list[int]:
    """From how many votes of the winner on there is a chance, and up to how many."""
    with np.errstate(divide="ignore"):
        none_above = np.exp(many @ np.log(np.minimum(1.0, np.cumsum(chance, axis=1))))
    possible = np.minimum(none_above, many @ chance) > NEGLIGIBLE
    return [int(top) for top in np.flatnonzero(possible) if 1 <= top <= k]
