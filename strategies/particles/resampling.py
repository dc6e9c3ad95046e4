"""Resampling: which particles go on, and how often each. Pure functions on weights; all randomness is `rng`'s.

A scheme takes `weights` (finite, >= 0, not all 0; they need not sum to 1), the number `n` of places and `rng`, and
returns `n` ancestors as indices into `weights`, in ascending order. With w_i the normalised weights, every scheme is
unbiased: i gets n * w_i copies in expectation, and none if its weight is 0. They differ in the noise around that.
Cumulative weights are added up as exact fractions, so no rounding can run past the end or cost a particle its copy.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Literal

from searchkit.errors import ConfigError

Resampling = Literal["multinomial", "stratified", "systematic", "residual"]
Number = float | Fraction


def multinomial(weights: Sequence[Number], n: int, rng: random.Random) -> list[int]:
    """`n` independent draws. Noise: the variance of i's copies is n * w_i * (1 - w_i). Takes `n` random numbers."""
    return _chosen(_shares(weights), sorted(Fraction(rng.random()) for _ in range(n)))


def stratified(weights: Sequence[Number], n: int, rng: random.Random) -> list[int]:
    """One draw in each of `n` equal strata of the cumulative weights. Takes `n` random numbers."""
    return _chosen(_shares(weights), ((k + Fraction(rng.random())) / n for k in range(n)))


def systematic(weights: Sequence[Number], n: int, rng: random.Random) -> list[int]:
    """The same place in each of `n` equal strata: i gets n * w_i copies, rounded down or up. Takes 1 random number."""
    place = Fraction(rng.random())
    return _chosen(_shares(weights), ((k + place) / n for k in range(n)))


def residual(weights: Sequence[Number], n: int, rng: random.Random) -> list[int]:
    """First n * w_i copies rounded down, then the rest by independent draws from the remainders."""
    expected = [n * share for share in _shares(weights)]
    kept = [i for i, copies in enumerate(expected) for _ in range(math.floor(copies))]
    rest = n - len(kept)
    return sorted(kept + (multinomial([copies % 1 for copies in expected], rest, rng) if rest else []))


SCHEMES: Mapping[str, Callable[[Sequence[Number], int, random.Random], list[int]]] = {
    "multinomial": multinomial,
    "stratified": stratified,
    "systematic": systematic,
    "residual": residual,
}


def normalised(log_weights: Sequence[float]) -> list[float]:
    """Weights that sum to 1 from natural logarithms of any size; -inf is weight 0.

    If all are -inf the weights are equal: nobody is better than the others. Raises `ConfigError` for none at all, NaN
    and +inf.
    """
    top = _top(log_weights)
    if top == -math.inf:
        return [1 / len(log_weights)] * len(log_weights)
    weights = [math.exp(log - top) for log in log_weights]  # at most 1: cannot overflow
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def log_mean(log_weights: Sequence[float]) -> float:
    """The logarithm of the mean weight; -inf if all are. Raises like `normalised`."""
    top = _top(log_weights)
    if top == -math.inf:
        return top
    return top + math.log(math.fsum(math.exp(log - top) for log in log_weights) / len(log_weights))


def effective_size(weights: Sequence[Number]) -> float:
    """The effective sample size 1 / sum(w_i ** 2): from 1 (one has all the weight) to len(weights) (all are equal)."""
    return float(1 / sum(share**2 for share in _shares(weights)))


def _top(log_weights: Sequence[float]) -> float:
    if not log_weights or any(math.isnan(log) or log == math.inf for log in log_weights):
        raise ConfigError(f"log-weights must be at least one, finite or -inf, got {list(log_weights)}")
    return max(log_weights)


def _shares(weights: Sequence[Number]) -> list[Fraction]:
    """The normalised weights, exactly."""
    if not all(0 <= weight < math.inf for weight in weights) or not any(weights):
        raise ConfigError(f"weights must be finite and >= 0, and one of them > 0, got {list(weights)}")
    exact = [Fraction(weight) for weight in weights]
    total = sum(exact)
    return [weight / total for weight in exact]


def _chosen(shares: Sequence[Fraction], places: Iterable[Fraction]) -> list[int]:
    """The particle in whose stretch of [0, 1) each of the ascending `places` lies."""
    chosen, i, end = list[int](), 0, shares[0]
    for place in places:
        while place >= end:
            i += 1
            end += shares[i]
        chosen.append(i)
    return chosen
