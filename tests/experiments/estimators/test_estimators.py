"""Estimators against brute force over all subsets, closed forms in exact arithmetic, and the invariants of a pool."""

from __future__ import annotations

import math
import random
from collections import Counter
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.estimators import best_at_k, budgets, maj_at_k, pass_at_k, weighted_at_k

CLOSE = {"rel": 1e-9, "abs": 1e-9}

SAMPLES = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", "c", "d"]),  # few keys, so that votes tie
        st.sampled_from([None, -1.0, 0.0, 0.5, 2.0]),  # few scores, so that ranks tie
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)
quickly = settings(max_examples=150)


def columns(samples):
    """(keys, scores, correct) of a drawn pool."""
    return tuple(list(column) for column in zip(*samples, strict=True))


def average(pool, k, judge):
    """The mean of `judge(subset)` over all k-subsets, as an exact fraction."""
    subsets = list(combinations(pool, k))
    return sum((judge(subset) for subset in subsets), Fraction(0)) / len(subsets)


def share(members):
    """The chance that one of `members` (key, score, correct), chosen uniformly, is right."""
    return Fraction(sum(right for *_, right in members), len(members))


def judge_best(subset):
    scored = [s for s in subset if s[1] is not None]
    top = max((s[1] for s in scored), default=None)
    return share([s for s in scored if s[1] == top]) if scored else Fraction(0)


def judge_vote(subset, weight):
    totals = Counter()
    for key, score, _ in subset:
        if key is not None and weight(score) is not None:
            totals[key] += Fraction(weight(score))
    winners = [key for key in totals if totals[key] == max(totals.values())]
    rights = [share([s for s in subset if s[0] == key and weight(s[1]) is not None]) for key in winners]
    return sum(rights, Fraction(0)) / len(winners) if winners else Fraction(0)


@quickly
@given(SAMPLES)
def test_every_estimator_equals_enumeration(samples):
    """At every k, each value is the average over all subsets, with ties, abstentions and impure keys."""
    keys, scores, correct = columns(samples)
    for k in range(1, len(samples) + 1):
        want = average(samples, k, lambda s: Fraction(any(right for *_, right in s)))
        assert pass_at_k(len(samples), sum(correct), k) == pytest.approx(float(want), **CLOSE)
        want = average(samples, k, judge_best)
        assert best_at_k(scores, correct, k) == pytest.approx(float(want), **CLOSE)
        want = average(samples, k, lambda s: judge_vote(s, lambda _: 1))
        assert maj_at_k(keys, correct, k) == pytest.approx(float(want), **CLOSE)
        want = average(samples, k, lambda s: judge_vote(s, lambda score: score))
        assert weighted_at_k(keys, scores, correct, k) == pytest.approx(float(want), **CLOSE)


@quickly
@given(SAMPLES)
def test_invariants(samples):
    """k = 1 is the mean accuracy of those that can be chosen, k = n coverage; nothing exceeds coverage."""
    keys, scores, correct = columns(samples)
    n, c = len(samples), sum(correct)
    assert pass_at_k(n, c, 1) == pytest.approx(c / n)
    assert best_at_k(scores, correct, 1) == pytest.approx(sum(r for _, s, r in samples if s is not None) / n)
    assert maj_at_k(keys, correct, 1) == pytest.approx(sum(r for key, _, r in samples if key is not None) / n)
    assert pass_at_k(n, c, n) == any(correct)
    for k in range(1, n + 1):
        ceiling = pass_at_k(n, c, k) + 1e-12
        for value in (
            best_at_k(scores, correct, k), maj_at_k(keys, correct, k), weighted_at_k(keys, scores, correct, k)
        ):  # fmt: skip
            assert 0 <= value <= ceiling


@quickly
@given(SAMPLES, st.randoms())
def test_order_does_not_matter(samples, rng):
    """Shuffling the pool changes no estimate."""
    shuffled = rng.sample(samples, len(samples))
    (keys, scores, correct), (other_keys, other_scores, other_correct) = columns(samples), columns(shuffled)
    for k in range(1, len(samples) + 1):
        assert best_at_k(scores, correct, k) == pytest.approx(best_at_k(other_scores, other_correct, k), **CLOSE)
        assert maj_at_k(keys, correct, k) == pytest.approx(maj_at_k(other_keys, other_correct, k), **CLOSE)
        want = weighted_at_k(other_keys, other_scores, other_correct, k)
        assert weighted_at_k(keys, scores, correct, k) == pytest.approx(want, **CLOSE)


@quickly
@given(SAMPLES)
def test_special_verifiers(samples):
    """An oracle gives coverage, a constant the mean accuracy, any monotone transform and equal weights the same."""
    keys, scores, correct = columns(samples)
    n = len(samples)
    for k in range(1, n + 1):
        assert best_at_k([float(r) for r in correct], correct, k) == pytest.approx(pass_at_k(n, sum(correct), k))
        assert best_at_k([7.0] * n, correct, k) == pytest.approx(sum(correct) / n)
        warped = [None if s is None else math.exp(3 * s) - 5 for s in scores]
        assert best_at_k(warped, correct, k) == pytest.approx(best_at_k(scores, correct, k), **CLOSE)
        assert weighted_at_k(keys, [0.1] * n, correct, k) == pytest.approx(maj_at_k(keys, correct, k), **CLOSE)


def test_a_constant_reward_model_is_chance_on_best_of_four():
    """One right answer among four and a constant score is 25 %, wherever the right one stands in the list."""
    for place in range(4):
        assert best_at_k([1.0] * 4, [i == place for i in range(4)], 4) == pytest.approx(0.25)


def test_majority_by_hand():
    """Three samples (right, right, wrong): two of them are right-right in 1 of 3 draws, else a coin decides."""
    keys, correct = ["x", "x", "y"], [True, True, False]
    #                                         xx   xy   xy
    assert maj_at_k(keys, correct, 2) == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert maj_at_k(keys, correct, 3) == pytest.approx(1)
    # An abstention is drawn but does not vote: {x, None} is right, {y, None} wrong, {x, y} a coin.
    assert maj_at_k(["x", "y", None], [True, False, False], 2) == pytest.approx((1 + 0 + 0.5) / 3)
    # Both x and y count as right, and nobody votes in the draw {None, None}.
    assert maj_at_k(["x", "y", None, None], [True, True, False, False], 2) == pytest.approx(5 / 6)


@pytest.mark.parametrize(("n", "c", "k"), [(100, 3, 10), (1_000, 1, 999), (10_000, 5_000, 3), (100_000, 7, 50_000)])
def test_coverage_of_large_pools_is_exact(n, c, k):
    """Pools far beyond the range of floating-point binomials agree with exact integers."""
    want = 1 - Fraction(math.comb(n - c, k), math.comb(n, k))
    assert pass_at_k(n, c, k) == pytest.approx(float(want), rel=1e-12)


@pytest.mark.parametrize("k", [1, 2, 17, 256, 511, 512])
def test_best_of_large_pools_is_exact(k):
    """Every rank of 512 distinct scores, in exact integers."""
    rng = random.Random(0)
    correct = [rng.random() < 0.3 for _ in range(512)]
    total = sum(Fraction(math.comb(rank, k - 1)) for rank, right in enumerate(correct) if right)
    assert best_at_k([float(i) for i in range(512)], correct, k) == pytest.approx(float(total / math.comb(512, k)))


@pytest.mark.parametrize(("n", "right", "k"), [(400, 180, 101), (400, 180, 100), (1200, 700, 64)])
def test_majority_of_large_two_class_pools_is_hypergeometric(n, right, k):
    """With two answers the vote is a hypergeometric tail plus half of the tie; binomials here overflow a float."""
    keys = ["yes"] * right + ["no"] * (n - right)
    ways = {a: math.comb(right, a) * math.comb(n - right, k - a) for a in range(max(0, k - n + right), k + 1)}
    wins = sum(w for a, w in ways.items() if 2 * a > k) + Fraction(ways.get(k / 2, 0), 2)
    value = maj_at_k(keys, [key == "yes" for key in keys], k)
    assert value == pytest.approx(float(Fraction(wins) / math.comb(n, k)), rel=1e-9)


def test_sampled_vote_agrees_with_enumeration():
    """Where subsets are too many to enumerate, the estimate is within 4 standard errors, and its seed decides it."""
    rng = random.Random(1)
    keys = [rng.choice("abc") for _ in range(14)]
    scores, correct = [rng.random() for _ in keys], [key == "a" for key in keys]
    exact = weighted_at_k(keys, scores, correct, 7, draws=math.comb(14, 7))
    sampled = weighted_at_k(keys, scores, correct, 7, seed=3, draws=2000)
    assert 0.05 < exact < 0.95
    assert sampled == pytest.approx(exact, abs=4 * 0.5 / math.sqrt(2000))
    assert sampled != exact
    assert sampled == weighted_at_k(keys, scores, correct, 7, seed=3, draws=2000)
    assert sampled != weighted_at_k(keys, scores, correct, 7, seed=4, draws=2000)


@pytest.mark.parametrize(
    ("n", "want"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (100, (1, 2, 4, 8, 16, 32, 64, 100))]
)
def test_budgets_double_and_end_at_the_pool(n, want):
    """Powers of two, then the pool's own size, each once."""
    assert budgets(n) == want


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: pass_at_k(3, 1, 4), r"k must be in \[1, 3\]"),
        (lambda: pass_at_k(3, 1, 0), r"k must be in \[1, 3\]"),
        (lambda: pass_at_k(3, 4, 1), r"right samples must be in \[0, 3\]"),
        (lambda: best_at_k([1.0], [True, False], 1), "one entry in each column"),
        (lambda: best_at_k([math.nan], [True], 1), "finite"),
        (lambda: maj_at_k(["x"], [True, False], 1), "one entry in each column"),
        (lambda: weighted_at_k(["x"], [math.inf], [True], 1), "finite"),
        (lambda: weighted_at_k(["x"], [1.0], [True], 1, draws=0), "draws must be >= 1"),
        (lambda: budgets(0), "at least one sample"),
    ],
)
def test_impossible_arguments_are_refused(call, says):
    """Every mistake gets a sentence that names what is allowed."""
    with pytest.raises(ConfigError, match=says):
        call()
