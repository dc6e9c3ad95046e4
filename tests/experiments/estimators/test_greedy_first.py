"""best@k with sample 0 always included, against all subsets."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest

from searchkit.errors import ConfigError
from searchkit.experiments import best_at_k
from searchkit.experiments.estimators.greedy_first import greedy_first_best_at_k
from tests.helpers.selecting import reward_model_rows


def by_hand(scores, correct, k):
    """The mean over all (k-1)-subsets of the others, ties split uniformly; nothing to choose counts as wrong."""
    subsets, total = list(combinations(range(1, len(correct)), k - 1)), 0.0
    for others in subsets:
        seen = [i for i in (0, *others) if scores[i] is not None]
        best = [i for i in seen if scores[i] == max(scores[j] for j in seen)]
        total += sum(correct[i] for i in best) / len(best) if best else 0.0
    return total / len(subsets)


@pytest.mark.parametrize("levels", [2, 4, 100])
def test_it_is_the_mean_over_all_subsets(levels):
    """Random pools of 1 to 8 samples, many ties, some without scores, all k."""
    rng = random.Random(levels)
    for _ in range(60):
        n = rng.randint(1, 8)
        scores = [None if rng.random() < 0.15 else rng.randrange(levels) / 3 for _ in range(n)]
        correct = [rng.random() < 0.4 for _ in range(n)]
        for k in range(1, n + 1):
            assert greedy_first_best_at_k(scores, correct, k) == pytest.approx(by_hand(scores, correct, k))


def test_a_table_that_can_be_checked_by_hand():
    """Sample 0 is wrong at 0.5; one of three others is right, at 0.9: drawn with probability (k - 1) / 3."""
    scores, correct = [0.5, 0.9, 0.1, 0.2], [False, True, False, False]
    assert [greedy_first_best_at_k(scores, correct, k) for k in (1, 2, 3, 4)] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_its_ends_and_its_middle():
    """k = 1 is sample 0, k = n is best@n, and the mean over who comes first is best@k of exchangeable samples."""
    rng = random.Random(3)
    scores, correct = [rng.randrange(4) for _ in range(9)], [rng.random() < 0.5 for _ in range(9)]
    assert greedy_first_best_at_k(scores, correct, 1) == correct[0]
    assert greedy_first_best_at_k(scores, correct, 9) == pytest.approx(best_at_k(scores, correct, 9))
    for k in (2, 5, 8):
        first = [
            greedy_first_best_at_k(
                [scores[i], *scores[:i], *scores[i + 1 :]], [correct[i], *correct[:i], *correct[i + 1 :]], k
            )
            for i in range(9)
        ]
        assert sum(first) / 9 == pytest.approx(best_at_k(scores, correct, k))


def test_an_oracle_is_coverage_and_a_constant_the_mean():
    """With the truth as score: 1 - the chance that all drawn are wrong; a constant score: the mean of what is drawn."""
    correct = [False, True, False, True, False, False]
    for k in range(1, 7):
        oracle = greedy_first_best_at_k([float(c) for c in correct], correct, k)
        assert oracle == pytest.approx(1 - math.comb(3, k - 1) / math.comb(5, k - 1))
        assert greedy_first_best_at_k([1.0] * 6, correct, k) == pytest.approx((k - 1) * 2 / 5 / k)


def test_large_pools_stay_exact():
    """A thousand samples, where no binomial coefficient is a float: sample 0 wrong and worst, the best one right."""
    scores, correct = [0.0, *range(1, 1000)], [False] * 999 + [True]
    assert greedy_first_best_at_k(scores, correct, 500) == pytest.approx(499 / 999)


def test_on_recorded_data_it_is_the_mean_over_all_subsets():
    """The first 25 MATH problems with a reward model's logits, k = 4."""
    for _, right, logits in reward_model_rows()[:25]:
        assert greedy_first_best_at_k(logits, right, 4) == pytest.approx(by_hand(logits, right, 4))


def test_mistakes_are_named():
    """One clear sentence each."""
    for scores, correct, k, word in (
        ([0.1], [True], 2, "in \\[1, 1\\]"),
        ([], [], 1, "in \\[1, 0\\]"),
        ([0.1, 0.2], [True], 1, "2 scores for 1"),
        ([math.nan], [True], 1, "finite"),
    ):
        with pytest.raises(ConfigError, match=word):
            greedy_first_best_at_k(scores, correct, k)
