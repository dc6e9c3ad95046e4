"""The coverage law, McNemar's test, regret, self-correction and compute, against closed forms and brute force."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool
from searchkit.experiments.estimators.compute import compute
from searchkit.experiments.statistics.coverage_law import CoverageLaw, coverage_law
from searchkit.experiments.statistics.mcnemar import mcnemar
from searchkit.experiments.statistics.regret import regret
from searchkit.experiments.statistics.self_correction import SelfCorrection, self_correction

quickly = settings(max_examples=60)
KS = (1, 2, 4, 8, 16, 32)

# ---------------------------------------------------------------- the coverage law


@quickly
@given(st.floats(-4, -0.1), st.floats(-1.5, -0.1))
def test_the_law_is_recovered_from_its_own_points(a, b):
    """Points of a law give its parameters, predict the points, and leave no variance."""
    values = [math.exp(a * k**b) for k in KS]
    law = coverage_law(KS, values)
    assert (law.a, law.b, law.ks, law.r2) == (pytest.approx(a), pytest.approx(b), (1, 32), pytest.approx(1))
    assert [law.predict(k) for k in KS] == pytest.approx(values)


def test_the_fit_is_least_squares():
    """Equal to numpy's polynomial through the same points, and its R^2 to the squared correlation."""
    values = [0.05, 0.11, 0.15, 0.3, 0.35, 0.6]
    x, y = np.log(KS), np.log(-np.log(values))
    slope, intercept = np.polyfit(x, y, 1)
    law = coverage_law(KS, values)
    assert (law.b, law.a) == (pytest.approx(slope), pytest.approx(-math.exp(intercept)))
    assert law.r2 == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)


def test_saturated_points_are_left_out_and_the_range_says_so():
    """Coverages of 0 and 1 have no double logarithm."""
    law = coverage_law(KS, [0.0, 0.2, 0.4, 0.6, 1.0, 1.0])
    assert law.ks == (2, 8)
    assert law == coverage_law((2, 4, 8), [0.2, 0.4, 0.6])
    assert math.isnan(coverage_law((1, 2), [0.5, 0.5]).r2)


def test_a_curve_of_a_pool_follows_its_law():
    """Many problems of mixed difficulty: within the range the fitted law is close to the curve."""
    rng = np.random.default_rng(0)
    rates = rng.beta(0.4, 3.0, 200)
    pool = Pool({str(i): tuple(Entry("", correct=bool(c)) for c in rng.random(32) < p) for i, p in enumerate(rates)})
    curve = pool.curve("pass@k")
    law = coverage_law(curve.ks, curve.mean)
    assert law.b < 0
    assert law.r2 > 0.98
    assert [law.predict(k) for k in curve.ks] == pytest.approx(curve.mean, abs=0.05)


# ---------------------------------------------------------------- McNemar's test


def test_mcnemar_equals_all_sign_patterns():
    """For n problems that differ, all 2^n ways to share them out: those at least as lopsided, exactly."""
    for n in range(9):
        for only in range(n + 1):
            first, second = [True] * only + [False] * (n - only), [False] * only + [True] * (n - only)
            patterns = [bin(pattern).count("1") for pattern in range(2**n)]
            extreme = sum(abs(2 * count - n) >= abs(2 * only - n) for count in patterns)
            found = mcnemar([*first, True, False], [*second, True, False])
            assert (found.only_first, found.only_second) == (only, n - only)
            assert found.p == float(Fraction(extreme, 2**n))


def test_mcnemar_of_many_problems_is_the_binomial_sum():
    """Beyond what floats can hold as counts."""
    n, fewer = 1200, 560
    tail = sum(math.comb(n, i) for i in range(fewer + 1))
    found = mcnemar([True] * fewer + [False] * (n - fewer), [False] * fewer + [True] * (n - fewer))
    assert found.p == pytest.approx(float(Fraction(2 * tail, 2**n)))
    assert 0.001 < found.p < 0.05


def test_mcnemar_is_exact_in_level():
    """Equal methods are told apart in at most 5 % of all outcomes; agreement alone says nothing."""
    for n in (5, 10, 20):
        rejected = sum(
            math.comb(n, i)
            for i in range(n + 1)
            if mcnemar([True] * i + [False] * (n - i), [False] * i + [True] * (n - i)).p <= 0.05
        )
        assert rejected / 2**n <= 0.05
    assert mcnemar([True, False], [True, False]).p == 1.0


# ---------------------------------------------------------------- regret


@pytest.mark.parametrize(
    ("tokens", "accuracy", "budget", "area"),
    [
        ((100,), (1.0,), 100, 50),  # a triangle
        ((100,), (1.0,), 200, 50 + 100),  # and what follows at full height
        ((100,), (0.5,), 50, 50 * 0.25 / 2),  # cut in the middle of the first rise
        ((100, 200), (0.5, 0.5), 400, 25 + 50 + 100),
        ((100, 300), (0.8, 0.4), 300, 40 + 120),  # a trapezium that falls
        ((100, 300), (0.8, 0.4), 200, 40 + 100 * (0.8 + 0.6) / 2),
        ((10,), (0.0,), 1000, 0),
    ],
)
def test_regret_is_what_polygons_leave(tokens, accuracy, budget, area):
    """Areas worked out by hand."""
    assert regret(tokens, accuracy, budget) == pytest.approx(1 - area / budget)


@quickly
@given(
    st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), min_size=1, max_size=6, unique_by=lambda row: row[0]),
    st.integers(1, 80),
)
def test_regret_equals_a_fine_sum(points, budget):
    """Midpoints of 1/64 of a token, where a linear piece is summed exactly."""
    tokens, accuracy = zip(*sorted(points), strict=True)
    middles = (np.arange(budget * 64) + 0.5) / 64
    want = 1 - np.interp(middles, [0, *tokens], [0, *accuracy]).mean()
    assert regret(tokens, accuracy, budget) == pytest.approx(want)


# ---------------------------------------------------------------- self-correction

TRIALS = st.lists(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6), min_size=1, max_size=5
)  # (right before, right after)


@quickly
@given(TRIALS)
def test_self_correction_equals_its_definition(problems):
    """Conditional chances problem by problem, weighted by p_q and 1 - p_q; and the identities between the figures."""
    before, after = ([[trial[i] for trial in problem] for problem in problems] for i in (0, 1))
    found, right, kept, mended = self_correction(before, after), 0.0, 0.0, 0.0
    for problem in problems:
        p = sum(old for old, _ in problem) / len(problem)
        right += p
        if p > 0:
            kept += p * sum(old and new for old, new in problem) / sum(old for old, _ in problem)
        if p < 1:
            mended += (1 - p) * sum(new and not old for old, new in problem) / sum(not old for old, _ in problem)
    first, wrong = right / len(problems), len(problems) - right
    assert found.before == pytest.approx(first)
    assert found.after == pytest.approx(np.mean([np.mean(row) for row in after]))
    assert found.confidence == (pytest.approx(kept / right) if right else pytest.approx(math.nan, nan_ok=True))
    assert found.critique == (pytest.approx(mended / wrong) if wrong > 1e-9 else pytest.approx(math.nan, nan_ok=True))
    if 0 < first < 1:
        assert found.after == pytest.approx(first * found.confidence + (1 - first) * found.critique)


@quickly
@given(st.floats(0.01, 0.99), st.floats(0, 1))
def test_the_relative_score_is_0_and_1_at_its_ends(before, share):
    """In [0, 1] exactly between before^2 and 2 * before - before^2; 1/2 where nothing changes."""
    low, high = before**2, 2 * before - before**2
    at = low + share * (high - low)
    assert SelfCorrection(before, at, math.nan, math.nan).score == pytest.approx(share, abs=1e-9)
    assert SelfCorrection(before, before, math.nan, math.nan).score == pytest.approx(0.5)
    assert SelfCorrection(before, high + 0.01, math.nan, math.nan).score > 1


def test_nothing_can_be_said_of_what_never_happens():
    """Without right answers there is no confidence, without wrong ones no critique, and neither has a score."""
    never, always = self_correction([[False]], [[True]]), self_correction([[True, True]], [[True, False]])
    assert math.isnan(never.confidence)
    assert never.critique == 1.0
    assert math.isnan(always.critique)
    assert always.confidence == 0.5
    assert math.isnan(never.score)
    assert math.isnan(always.score)


# ---------------------------------------------------------------- compute


def test_compute_equals_all_subsets():
    """The longest of k on average, and k times the rest."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(0, 6, (3, 5)).tolist()
    pool = Pool(
        {
            str(i): tuple(Entry("", generated_tokens=n, prompt_tokens=7 + i) for n in row)
            for i, row in enumerate(lengths)
        }
    )
    found = compute(pool, (1, 2, 5))
    for place, k in enumerate((1, 2, 5)):
        subsets = [[max(subset) for subset in combinations(row, k)] for row in lengths]
        assert found.sequential[place] == pytest.approx(np.mean([np.mean(s) for s in subsets]))
        assert found.generated[place] == pytest.approx(k * np.mean(lengths))
        assert found.prompt[place] == pytest.approx(k * 8)
        assert found.total[place] == pytest.approx(k * (8 + np.mean(lengths)))
        assert found.flops(1e9)[place] == pytest.approx(2e9 * found.total[place])
        assert found.cost(3, 15)[place] == pytest.approx(k * (3 * 8 + 15 * np.mean(lengths)) / 1e6)
    assert found.generated == pytest.approx(pool.curve("pass@k", (1, 2, 5)).tokens)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: coverage_law((1, 2), (0.0, 0.5)), "two ks"),
        (lambda: coverage_law((1, 2), (0.5,)), "for every k"),
        (lambda: coverage_law((1, 2), (0.5, 1.5)), r"in \[0, 1\]"),
        (lambda: CoverageLaw(-1.0, -1.0, (1, 2), 1.0).predict(0), "k > 0"),
        (lambda: mcnemar([True], []), "outcome of both"),
        (lambda: mcnemar([0.5], [1.0]), "paired_bootstrap"),
        (lambda: regret([], [], 10), "each episode"),
        (lambda: regret([10], [1.1], 10), "each episode"),
        (lambda: regret([10, 10], [0.5, 0.5], 10), "must ascend"),
        (lambda: regret([10], [0.5], 0), "budget"),
        (lambda: self_correction([[True]], [[True, False]]), "same number of trials"),
        (lambda: self_correction([[]], [[]]), "one at least"),
        (lambda: compute(Pool({"p": (Entry(""),)}), (1, 2)), r"in \[1, 1\]"),
    ],
)
def test_impossible_arguments_are_refused(call, says):
    """Every mistake gets a sentence that names what is allowed."""
    with pytest.raises(ConfigError, match=says):
        call()
