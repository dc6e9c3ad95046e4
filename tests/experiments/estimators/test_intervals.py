"""Bootstrap intervals against exact enumeration, and their coverage in simulated experiments."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.intervals import bootstrap, paired_bootstrap


def test_bounds_equal_the_enumerated_bootstrap_distribution():
    """Four problems have 4^4 equally likely resamples; the percentiles of all of them are the exact bounds."""
    values = [0.0, 0.1, 0.5, 1.0]
    means = np.array([np.mean(draw) for draw in product(values, repeat=4)])
    found = bootstrap(values, draws=100_000, level=0.8)
    assert found.mean == pytest.approx(0.4)
    assert [found.low, found.high] == pytest.approx(np.quantile(means, [0.1, 0.9]).tolist(), abs=1e-9)


def test_coverage_is_near_nominal_when_samples_of_a_problem_are_alike():
    """In 250 experiments of 60 problems x 16 samples the true mean lies inside 95 % of the time (3 standard errors).

    Problems are hard or easy (Beta(0.5, 1) success rates, mean 1/3), so the usual interval that takes the 960 samples
    as independent is far too narrow: the second count shows that this test can tell.
    """
    rng = np.random.default_rng(0)
    inside = naive_inside = 0
    for experiment in range(250):
        rates = rng.beta(0.5, 1.0, size=60)
        right = rng.random((60, 16)) < rates[:, None]
        found = bootstrap(right.mean(axis=1), draws=500, seed=experiment)
        inside += bool(found.low <= 1 / 3 <= found.high)
        naive_inside += bool(abs(found.mean - 1 / 3) <= 1.96 * np.sqrt(found.mean * (1 - found.mean) / right.size))
    assert abs(inside / 250 - 0.95) <= 3 * (0.95 * 0.05 / 250) ** 0.5
    assert naive_inside / 250 < 0.75


def test_paired_difference_covers_and_is_narrower_than_unpaired():
    """A gain of 0.05 on every problem: the paired interval holds it 95 % of the time at a fraction of the width."""
    rng = np.random.default_rng(1)
    inside, widths = 0, []
    for experiment in range(200):
        base = rng.random(50)
        a, b = base + 0.05 + rng.normal(0, 0.05, 50), base + rng.normal(0, 0.05, 50)
        paired = paired_bootstrap(a, b, draws=400, seed=experiment)
        inside += bool(paired.low <= 0.05 <= paired.high)
        single = bootstrap(a, draws=400, seed=experiment)
        widths.append((paired.high - paired.low) / (single.high - single.low))
    assert abs(inside / 200 - 0.95) <= 3 * (0.95 * 0.05 / 200) ** 0.5
    assert np.mean(widths) < 0.4


def test_points_of_a_curve_are_resampled_together():
    """Each column equals its own bootstrap under the same seed; equal columns get equal bounds."""
    values = np.random.default_rng(2).random((20, 3))
    values[:, 2] = values[:, 0]
    together = bootstrap(values, seed=5)
    for point in range(3):
        alone = bootstrap(values[:, point], seed=5)
        assert together.low[point] == pytest.approx(float(alone.low))
        assert together.high[point] == pytest.approx(float(alone.high))
    assert together.low[2] == pytest.approx(together.low[0])
    assert together.mean.shape == together.low.shape == together.high.shape == (3,)


def test_seed_and_level_decide_the_interval():
    """The same seed repeats itself, another does not, and a higher level is wider."""
    values = np.random.default_rng(3).random(30)
    first, again, other = bootstrap(values, seed=1), bootstrap(values, seed=1), bootstrap(values, seed=2)
    assert (first.low, first.high) == (again.low, again.high)
    assert (first.low, first.high) != (other.low, other.high)
    wide = bootstrap(values, seed=1, level=0.99)
    assert wide.low < first.low < first.mean < first.high < wide.high


def test_one_problem_has_no_interval():
    """A single problem says nothing about others: the bounds are NaN, not a false certainty."""
    found = bootstrap([[0.25, 0.5]])
    assert found.mean.tolist() == [0.25, 0.5]
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: bootstrap([]), "shape"),
        (lambda: bootstrap([0.5, float("nan")]), "finite"),
        (lambda: bootstrap(np.zeros((2, 2, 2))), "shape"),
        (lambda: bootstrap([0.5, 1.0], level=1.0), "level"),
        (lambda: bootstrap([0.5, 1.0], draws=0), "draws"),
        (lambda: paired_bootstrap([0.5, 1.0], [0.5]), "same problems"),
    ],
)
def test_impossible_arguments_are_refused(call, says):
    """Every mistake gets a sentence that names what is allowed."""
    with pytest.raises(ConfigError, match=says):
        call()


@pytest.mark.parametrize("problems", [1, 2, 7, 40])
def test_equal_shares_differ_by_exactly_nothing(problems):
    """0.1 + 0.2 and 0.3, thirds summed in another order, numbers and points: mean and bounds are 0."""
    pairs = [(0.1 + 0.2, 0.3), (sum([1 / 3] * 3), 1.0), (1 - 0.9, 0.1), (0.0, 1e-17), (0.7, 0.7)]
    for a, b in pairs:
        for first, second in (([a] * problems, [b] * problems), ([[a, b]] * problems, [[b, a]] * problems)):
            found = paired_bootstrap(first, second)
            bounds = [found.mean] if problems == 1 else [found.mean, found.low, found.high]
            assert all((np.asarray(bound) == 0).all() for bound in bounds)


def test_differences_that_cancel_hold_0():
    """+0.3 on some problems and -0.3 on as many, and what rounding leaves of their sums."""
    found = paired_bootstrap([0.1 + 0.2, 0.0] * 3, [0.0, 0.3] * 3)
    assert float(found.mean) == 0.0
    assert found.low < 0 < found.high


def test_real_differences_are_kept():
    """A sample in a million, values far below 1, and tokens, whose rounding errors are larger."""
    assert float(paired_bootstrap([0.5 + 1e-6] * 5, [0.5] * 5).low) == pytest.approx(1e-6)
    assert float(bootstrap([1e-9, 2e-9]).mean) == pytest.approx(1.5e-9)
    assert float(paired_bootstrap([1e6 + 1e-10] * 5, [1e6] * 5).mean) == 0.0


def test_the_repr_has_plain_numbers():
    """Of one number, and of several points."""
    assert repr(bootstrap([0.25, 0.25])) == "Interval(mean=0.25, low=0.25, high=0.25)"
    assert repr(bootstrap([[0.25, 0.5]] * 2)) == "Interval(mean=[0.25, 0.5], low=[0.25, 0.5], high=[0.25, 0.5])"
