"""Scores of any declared range as rewards."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.errors import ConfigError
from searchkit.strategies.common.sources import reward_of
from searchkit.strategies.particles.potentials import Potential
from searchkit.verifiers import Predicate

INF = math.inf


@pytest.mark.parametrize("span", [(-10.0, 30.0), (0.0, INF), (-INF, 0.0), (-INF, INF), (-1e9, -1e8)])
@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_rewards_keep_the_order_of_scores(span: tuple[float, float], parts: list[float]) -> None:
    """Within [0, 1], whatever the range, and never the other way round."""
    low, high = max(span[0], -1e6), min(span[1], 1e6)
    low, high = span if all(map(math.isfinite, span)) else (low, high)
    verifier = Predicate(float, range=span)
    scores = sorted(low + part * (high - low) for part in parts)
    rewards = [reward_of(min(score, high), verifier) for score in scores]
    assert rewards == sorted(rewards)
    assert all(0 <= reward <= 1 for reward in rewards)


def test_the_ends_of_a_range_are_the_ends_of_rewards() -> None:
    for span, least, most in (((-10.0, 30.0), -10.0, 30.0), ((0.0, INF), 0.0, INF), ((-INF, 0.0), -INF, 0.0)):
        verifier = Predicate(float, range=span)
        assert (reward_of(least, verifier), reward_of(most, verifier)) == (0.0, 1.0)
    assert reward_of(0.0, Predicate(float, range=(-INF, INF))) == 0.5
    with pytest.raises(ConfigError, match="outside"):
        reward_of(2.0, Predicate(float, range=(0.0, 1.0)))


@given(st.floats(0, 1), st.floats(-100, 100), st.floats(0.1, 100))
def test_particles_are_weighed_alike_on_any_scale(chance: float, low: float, width: float) -> None:
    """A score in a finite range weighs what the same part of [0, 1] does; without bounds it is log odds."""
    scaled = Potential("odds", 1.0, low, low + width).stayed(low + chance * width)
    if 0 <= low < low + width <= 1:  # chances as they are
        assert scaled == Potential("odds").stayed(low + chance * width)
    elif 0.01 < chance < 0.99:
        assert scaled == pytest.approx(Potential("odds").stayed(chance), rel=1e-6, abs=1e-6)
    assert Potential("odds", 1.0, -INF, INF).stayed(low) == low
    with pytest.raises(ConfigError, match="softmax"):
        Potential("prod", 1.0, 0.0, INF)
