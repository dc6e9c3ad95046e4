"""Horizons against plain loops and the closed form of a constant step accuracy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.errors import ConfigError
from searchkit.experiments import horizon
from tests.helpers.pages import Page

STEPS = st.lists(st.sampled_from([True, True, False, None]), max_size=6)
SETS = st.lists(st.lists(STEPS, min_size=1, max_size=4), min_size=1, max_size=4)


def brute(sets, step):
    """(accuracy, accuracy after right steps, at risk) of one step, by looking at every trajectory."""
    known = [one[step] for each in sets for one in each if len(one) > step and one[step] is not None]
    after = [
        one[step] for each in sets for one in each
        if len(one) > step and one[step] is not None and all(before is True for before in one[:step])
    ]  # fmt: skip
    return (np.mean(known) if known else math.nan, np.mean(after) if after else math.nan, len(after))


@settings(max_examples=80)
@given(SETS)
def test_every_step_equals_a_loop(sets):
    """Shares, risk sets, the product, and the horizon as the longest prefix that survives."""
    if not any(step is not None for each in sets for one in each for step in one):
        with pytest.raises(ConfigError, match="known to be right or wrong"):
            horizon(sets)
        return
    found, surviving, length = horizon(sets, draws=20), 1.0, 0
    most = max(len(one) for each in sets for one in each)
    assert len(found.at_risk) == most
    for step in range(most):
        accuracy, after, risk = brute(sets, step)
        surviving *= after
        assert found.accuracy.mean[step] == pytest.approx(accuracy, nan_ok=True)
        assert found.after_right.mean[step] == pytest.approx(after, nan_ok=True)
        assert found.surviving.mean[step] == pytest.approx(surviving, nan_ok=True)
        assert found.at_risk[step] == risk
        length += length == step and surviving >= 0.5
    beyond = length == sum(risk > 0 for risk in found.at_risk)
    assert found.length.mean == (math.inf if beyond else length)
    found.table()
    Page(found._repr_html_())


@pytest.mark.parametrize(("p", "share"), [(0.9, 0.5), (0.95, 0.5), (0.97, 0.8)])
def test_a_constant_accuracy_has_the_closed_form(p, share):
    """Exactly that accuracy at each step of the risk set: the horizon is ln(share) / ln(p), rounded down."""
    alive, at_risk, most = 10**6, [], 40
    for _ in range(most):  # of those still right a share of 1 - p fails at each step
        failing = round(alive * (1 - p))
        at_risk.append(failing)
        alive -= failing
    weights = np.array(at_risk) / 10**6
    trajectories = [[True] * i + [False] for i in range(most) for _ in range(round(weights[i] * 4000))]
    trajectories += [[True] * most] * (4000 - len(trajectories))
    found = horizon([trajectories, trajectories], share=share, draws=10)
    assert found.length.mean == math.floor(math.log(share) / math.log(p))
    assert found.surviving.mean[9] == pytest.approx(p**10, abs=0.01)


def test_short_tasks_are_neither_failures_nor_successes_of_long_ones():
    """Half of the trajectories end after two right steps: the third is about the others alone."""
    found = horizon([[[True, True]] * 10, [[True, True, False]] * 5 + [[True, True, True]] * 5])
    assert found.at_risk == (20, 20, 10)
    assert found.surviving.mean.tolist() == [1.0, 1.0, 0.5]
    assert found.length.mean == math.inf  # at half it still survives where the longest ends
    assert "over 3" in str(found)


def test_an_unknown_step_ends_what_is_known():
    """What comes after it counts as a step, and not as one after right steps."""
    found = horizon([[[True, None, False], [True, True, True]]])
    assert found.at_risk == (2, 1, 1)
    assert found.accuracy.mean.tolist() == [1.0, 1.0, 0.5]
    assert found.after_right.mean.tolist() == [1.0, 1.0, 1.0]
    assert math.isnan(found.length.low)  # a single problem says nothing of others


def test_errors_that_breed_errors_are_seen():
    """After a wrong step the next are wrong too: the plain accuracy falls, that after right steps does not."""
    rng, sets = np.random.default_rng(0), []
    for _ in range(200):
        steps, alive = [], True
        for _ in range(20):
            alive = bool(rng.random() < (0.95 if alive else 0.1))
            steps.append(alive)
        sets.append([steps])
    found = horizon(sets)
    assert found.accuracy.high[-1] < 0.85
    assert found.after_right.mean[:8].mean() == pytest.approx(0.95, abs=0.02)
    assert found.length.low <= 13 <= found.length.high


def test_intervals_hold_the_truth():
    """Of 40 sets of 60 problems with 4 trajectories of accuracy 0.93, the interval misses the horizon of 9 in few."""
    rng, inside = np.random.default_rng(5), 0
    for seed in range(40):
        sets = [[(rng.random(30) < 0.93).tolist() for _ in range(4)] for _ in range(60)]
        found = horizon(sets, draws=100, seed=seed)
        inside += found.length.low <= 9 <= found.length.high
    assert inside >= 34


def test_what_is_no_set_of_trajectories_is_refused():
    """No steps, nothing known, a share outside (0, 1)."""
    for sets in ([], [[]], [[[]]], [[[None]]]):
        with pytest.raises(ConfigError, match="a horizon needs"):
            horizon(sets)
    for step in ("wrong", 0.5, 2, [True], math.nan):
        with pytest.raises(ConfigError, match="a step is right"):
            horizon([[[True, step]]])
    for share in (0.0, 1.0, 50):
        with pytest.raises(ConfigError, match="in \\(0, 1\\)"):
            horizon([[[True]]], share=share)
