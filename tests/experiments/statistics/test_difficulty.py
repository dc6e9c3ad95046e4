"""Bins of difficulty and the strategy chosen for each: by hand, by brute force, and on noise, where none is best."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool
from searchkit.experiments.statistics.difficulty import compute_optimal, difficulty, quantile_bins


def test_difficulty_of_a_pool():
    """Share of right samples, or mean score of those that have one."""
    pool = Pool(
        {"p": (Entry("", score=1.0, correct=True), Entry("", score=2.0), Entry("")), "q": (Entry("", score=0.5),)}
    )
    assert difficulty(pool, "pass@1") == pytest.approx([1 / 3, 0])
    assert difficulty(pool, "score") == pytest.approx([1.5, 0.5])
    with pytest.raises(ConfigError, match="'r' has a score"):
        difficulty(Pool({"r": (Entry(""),)}), "score")


@pytest.mark.parametrize(("n", "bins"), [(10, 5), (11, 5), (7, 3), (5, 5), (100, 1)])
def test_bins_are_equally_filled_and_ordered(n, bins):
    """Sizes differ by one at most; whatever is in a higher bin is at least as easy."""
    values = np.random.default_rng(n).integers(0, 4, n)
    place = quantile_bins(values, bins)
    sizes = np.bincount(place, minlength=bins)
    assert sizes.max() - sizes.min() <= 1
    assert all(values[place == b].max() <= values[place == b + 1].min() for b in range(bins - 1))


def test_ties_of_difficulty_stay_in_order():
    """Equal problems are shared out by their position."""
    assert quantile_bins([1, 1, 0, 1], 2).tolist() == [0, 1, 0, 1]


def test_each_bin_gets_its_strategy():
    """Hard problems are solved by one strategy alone, easy ones by the other; the second budget inverts them."""
    ease = [0.0, 0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 1.0]
    hard, easy = np.array([1.0] * 4 + [0.0] * 4), np.array([0.0] * 4 + [1.0] * 4)
    found = compute_optimal(
        {"deep": np.stack([hard, easy], 1), "wide": np.stack([easy, hard], 1)}, ease, bins=2, folds=2
    )
    assert found.accuracy.mean.tolist() == [1.0, 1.0]
    assert found.chosen == ((("deep", "deep"), ("wide", "wide")), (("wide", "wide"), ("deep", "deep")))


def brute(tables, ease, bins, folds):
    """Held-out accuracy of each problem at one budget, with sorted lists and no arrays."""
    order = sorted(range(len(ease)), key=lambda i: ease[i])
    held_out = [0.0] * len(ease)
    for b in range(bins):
        members = [i for place, i in enumerate(order) if place * bins // len(order) == b]
        for fold in range(folds):
            learn = [i for place, i in enumerate(members) if place % folds != fold]
            best = max(tables, key=lambda name: sum(tables[name][i] for i in learn))  # the first of equals
            for place, i in enumerate(members):
                if place % folds == fold:
                    held_out[i] = tables[best][i]
    return held_out


@pytest.mark.parametrize(("bins", "folds", "seed"), [*product((1, 2, 3), (2, 3), range(4))])
def test_choice_equals_brute_force(bins, folds, seed):
    """Random small tables of quarters, so that strategies tie; difficulties tie too."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(bins * folds, 25))
    tables = {name: rng.integers(0, 5, (n, 3)) / 4 for name in "abc"}
    ease = rng.integers(0, 6, n) / 5
    found = compute_optimal(tables, ease, bins=bins, folds=folds)
    for budget in range(3):
        want = brute({name: table[:, budget].tolist() for name, table in tables.items()}, ease.tolist(), bins, folds)
        assert found.per_problem[:, budget].tolist() == want
        assert found.accuracy.mean[budget] == pytest.approx(np.mean(want))


def test_choosing_among_equal_strategies_gains_nothing():
    """Twenty coins of 1/2 on 50 problems. Chosen on all of them the best coin of each bin looks like 70 % or more;
    held out, the mean of 200 studies is 1/2 within 4 standard errors, for two folds and for five.
    """
    rng, seen, held_out = np.random.default_rng(0), [], {2: [], 5: []}
    for _ in range(200):
        tables = {str(i): (rng.random(50) < 0.5).astype(float) for i in range(20)}
        ease = rng.random(50)
        place = quantile_bins(ease)
        seen.append(np.mean([max(t[place == b].mean() for t in tables.values()) for b in range(5)]))
        for folds, means in held_out.items():
            means.append(compute_optimal(tables, ease, folds=folds, draws=1).accuracy.mean[0])
    assert np.mean(seen) > 0.7
    for means in held_out.values():
        assert np.mean(means) == pytest.approx(0.5, abs=4 * np.std(means) / np.sqrt(200))


def test_a_problem_has_no_say_in_its_own_strategy():
    """Whatever its values are, what is chosen for its fold stays the same."""
    rng = np.random.default_rng(1)
    tables, ease = {name: rng.random(24) for name in "abc"}, np.arange(24.0)
    chosen = compute_optimal(tables, ease, bins=3).chosen[0]
    for problem in range(24):
        changed = {name: np.where(np.arange(24) == problem, float(name == "b"), t) for name, t in tables.items()}
        bin_, fold = problem // 8, problem % 2
        assert compute_optimal(changed, ease, bins=3).chosen[0][bin_][fold] == chosen[bin_][fold]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: difficulty(Pool({"p": (Entry(""),)}), "luck"), "pass@1"),
        (lambda: quantile_bins([1.0], 2), "2 bins"),
        (lambda: quantile_bins([1.0, float("nan")], 2), "finite"),
        (lambda: compute_optimal({}, [1.0]), "none"),
        (lambda: compute_optimal({"a": [1.0] * 10, "b": [1.0] * 9}, [1.0] * 10), "same problems"),
        (lambda: compute_optimal({"a": [1.0] * 9}, [1.0] * 9), "5 bins of 2 folds"),
        (lambda: compute_optimal({"a": [1.0] * 10}, [1.0] * 10, folds=1), "2 at least"),
    ],
)
def test_impossible_arguments_are_refused(call, says):
    """Every mistake gets a sentence that names what is allowed."""
    with pytest.raises(ConfigError, match=says):
        call()
