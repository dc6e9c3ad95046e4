"""Resampling: expected copies by exact enumeration, bounds on copies by random weights, weights from logarithms."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit import ConfigError
from searchkit.strategies.particles.resampling import (
    SCHEMES,
    effective_size,
    log_mean,
    multinomial,
    normalised,
    residual,
    stratified,
    systematic,
)

ALL = sorted(SCHEMES)
WEIGHTS = st.lists(st.floats(0, 1e6) | st.floats(0, 1e-300), min_size=1, max_size=12).filter(any)
PLACES = st.integers(1, 20)
EXTREMES = (0.0, 1 - 2**-53)  # the least and the greatest number that random() can give


class Given(random.Random):
    """A generator whose random() returns the numbers it is given."""

    def __init__(self, numbers: Iterable[float]) -> None:
        super().__init__(0)
        self.numbers = itertools.cycle(numbers)

    def random(self) -> float:
        return next(self.numbers)


def expected(weights: list[float], n: int) -> list[Fraction]:
    """n * w_i, exactly."""
    total = sum(map(Fraction, weights))
    return [n * Fraction(weight) / total for weight in weights]


def copies(ancestors: list[int], weights: list[float]) -> list[int]:
    return [ancestors.count(i) for i in range(len(weights))]


@pytest.mark.parametrize("scheme", ALL)
@pytest.mark.parametrize(("weights", "n"), [([3, 4, 0, 1], 3), ([2, 1, 5], 2), ([1, 7], 4), ([1, 1, 1, 5], 3)])
def test_every_scheme_is_unbiased(scheme: str, weights: list[float], n: int) -> None:
    """n * w_i copies in expectation, by enumeration.

    Weights are multiples of 1/8, so it only matters in which eighth of [0, 1) a random number is, and the middle of
    each stands for all of it. "residual" draws as many as are left over, from as many eighths.
    """
    left_over = n - sum(math.floor(copies) for copies in expected(weights, n))
    numbers = {"systematic": 1, "residual": left_over}.get(scheme, n)
    parts = 8 * left_over if scheme == "residual" else 8
    grid = [(j + 0.5) / parts for j in range(parts)]
    total, cases = [0] * len(weights), 0
    for draws in itertools.product(grid, repeat=numbers):
        ancestors = SCHEMES[scheme](weights, n, Given(draws))
        total = [t + c for t, c in zip(total, copies(ancestors, weights), strict=True)]
        cases += 1
    assert [Fraction(t, cases) for t in total] == expected(weights, n)


@pytest.mark.parametrize("scheme", ALL)
def test_unbiased_on_uneven_weights(scheme: str) -> None:
    """2,000 drawings at a fixed seed: within 4 standard errors of n * w_i of independent draws."""
    weights, n, rng, rounds = [0.05, 0.31, 0.0, 0.6, 0.04], 7, random.Random(0), 2000
    total = [0] * len(weights)
    for _ in range(rounds):
        total = [t + c for t, c in zip(total, copies(SCHEMES[scheme](weights, n, rng), weights), strict=True)]
    for count, weight in zip(total, weights, strict=True):
        assert abs(count / rounds - n * weight) <= 4 * math.sqrt(n * weight * (1 - weight) / rounds)


def test_multinomial_draws_are_independent() -> None:
    """The variance of the number of copies is n * w * (1 - w); residual, stratified and systematic have less."""
    weights, n, rounds = [0.3, 0.7], 10, 2000
    spread = {}
    for scheme in ALL:
        rng = random.Random(1)
        counts = [SCHEMES[scheme](weights, n, rng).count(0) for _ in range(rounds)]
        spread[scheme] = sum((c - 3) ** 2 for c in counts) / rounds
    assert spread["multinomial"] == pytest.approx(2.1, rel=3 * math.sqrt(2 / rounds))  # 3 standard errors
    assert max(spread["residual"], spread["stratified"], spread["systematic"]) < 1


@given(WEIGHTS, PLACES, st.randoms(use_true_random=False))
def test_ancestors_are_as_many_as_asked_in_order_and_have_weight(
    weights: list[float], n: int, rng: random.Random
) -> None:
    for scheme in SCHEMES.values():
        ancestors = scheme(weights, n, rng)
        assert len(ancestors) == n
        assert ancestors == sorted(ancestors)
        assert all(weights[i] > 0 for i in ancestors)


@given(WEIGHTS, PLACES, st.floats(0, 1, exclude_max=True) | st.sampled_from(EXTREMES))
def test_systematic_copies_are_the_expected_ones_rounded(weights: list[float], n: int, place: float) -> None:
    for count, share in zip(copies(systematic(weights, n, Given([place])), weights), expected(weights, n), strict=True):
        assert math.floor(share) <= count <= math.ceil(share)


@given(WEIGHTS, PLACES, st.randoms(use_true_random=False))
def test_residual_copies_are_at_least_the_expected_ones_rounded_down(
    weights: list[float], n: int, rng: random.Random
) -> None:
    for count, share in zip(copies(residual(weights, n, rng), weights), expected(weights, n), strict=True):
        assert count >= math.floor(share)


@given(WEIGHTS, PLACES, st.randoms(use_true_random=False))
def test_stratified_copies_differ_by_less_than_two(weights: list[float], n: int, rng: random.Random) -> None:
    """A stretch of length x covers at least x - 2 and touches at most x + 2 strata."""
    for count, share in zip(copies(stratified(weights, n, rng), weights), expected(weights, n), strict=True):
        assert abs(count - share) < 2


@given(st.floats(1e-300, 1e300), st.integers(1, 30), st.sampled_from(EXTREMES) | st.floats(0, 1, exclude_max=True))
def test_equal_weights_give_every_particle_once(weight: float, n: int, place: float) -> None:
    """Also for weights such as 1/3, whose sums are not whole in floating point, and at both ends of random()."""
    for scheme in (systematic, stratified, residual):
        assert scheme([weight] * n, n, Given([place])) == list(range(n))


def test_by_hand() -> None:
    """Cumulative weights 0.2, 0.2, 0.9, 1.0; n = 4."""
    weights = [2.0, 0.0, 7.0, 1.0]
    assert systematic(weights, 4, Given([0.5])) == [0, 2, 2, 2]  # 0.125 0.375 0.625 0.875
    assert systematic(weights, 4, Given([0.9])) == [2, 2, 2, 3]  # 0.225 0.475 0.725 0.975
    assert stratified(weights, 4, Given([0.9, 0.0, 0.0, 0.9])) == [2, 2, 2, 3]  # 0.225 0.25 0.5 0.975
    assert multinomial(weights, 4, Given([0.95, 0.1, 0.5, 0.0])) == [0, 0, 2, 3]
    assert residual(weights, 4, Given([0.39, 0.99])) == [0, 2, 2, 3]  # two of 2; then of remainders 0.8 0 0.8 0.4


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [1.0, -1.0], [math.inf, 1.0], [math.nan, 1.0]])
def test_impossible_weights_are_named(weights: list[float]) -> None:
    for scheme in SCHEMES.values():
        with pytest.raises(ConfigError, match="weights"):
            scheme(weights, 3, random.Random(0))


def test_weights_from_logarithms_of_any_size() -> None:
    """Neither overflow nor underflow; -inf is 0; nothing but -inf gives equal weights."""
    assert normalised([1000.0, 1000.0]) == [0.5, 0.5]
    assert normalised([-1000.0, -1000.0 + math.log(3)]) == pytest.approx([0.25, 0.75])
    assert normalised([-math.inf, 5.0, -2000.0]) == [0.0, 1.0, 0.0]
    assert normalised([-math.inf] * 4) == [0.25] * 4
    assert log_mean([1000.0, 1000.0 + math.log(3)]) == pytest.approx(1000 + math.log(2))
    assert log_mean([-math.inf, 0.0]) == pytest.approx(math.log(0.5))
    assert log_mean([-math.inf, -math.inf]) == -math.inf
    for wrong in ([], [math.nan], [math.inf, 0.0]):
        for function in (normalised, log_mean):
            with pytest.raises(ConfigError, match="log-weights"):
                function(wrong)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=10), st.floats(-1e3, 1e3))
def test_a_common_factor_changes_nothing(logs: list[float], shift: float) -> None:
    plain = [math.exp(log) for log in logs]
    weights = normalised([log + shift for log in logs])
    assert weights == pytest.approx([w / math.fsum(plain) for w in plain], abs=1e-9)
    assert log_mean([log + shift for log in logs]) - shift == pytest.approx(
        math.log(math.fsum(plain) / len(plain)), abs=1e-9
    )


def test_the_effective_size_by_hand() -> None:
    """All equal: their number, exactly. One alone: 1. (3/4, 1/4): 1 / (9/16 + 1/16) = 1.6."""
    for n in (1, 3, 7, 10, 49):
        assert effective_size([1 / n] * n) == n
    assert effective_size([0.0, 1.0, 0.0]) == 1
    assert effective_size([0.75, 0.25]) == 1.6
    assert effective_size([3, 1]) == 1.6
