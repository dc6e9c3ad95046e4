"""Allocation of samples over problems: gains against loops, what it may look at, and what it saves in simulation."""

from __future__ import annotations

import math
import random
from functools import cache
from statistics import NormalDist

import numpy as np
import pytest

from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool
from searchkit.experiments.statistics import allocation
from searchkit.experiments.statistics.allocation import Allocation, allocate
from searchkit.experiments.statistics.ranking import auroc_pooled, labelled
from searchkit.experiments.statistics.score_model import ScoreModel

APART = math.sqrt(2) * NormalDist().inv_cdf(0.8)  # distance of two normal distributions with an AUROC of 0.8
EXACT = ScoreModel((0.5,), (0.0001, 0.9999), (0.9999, 0.0001))  # all but an exact verifier: 0 or 1
NOISY = ScoreModel((0.2, 0.6, 0.8), (0.1, 0.2, 0.3, 0.4), (0.4, 0.3, 0.2, 0.1))


def study(seed, problems=200, samples=24):
    """(right, scores): p ~ Beta(0.5, 0.5), and a score that is the chance of being right if half of all were."""
    rng = np.random.default_rng(seed)
    right = rng.random((problems, samples)) < rng.beta(0.5, 0.5, problems)[:, None]
    height = rng.normal(APART * right, 1.0)
    return right, 1 / (1 + np.exp(APART**2 / 2 - APART * height))


def pool_of(right, scores):
    return Pool(
        {
            str(i): tuple(Entry("", score=float(s), correct=bool(r)) for s, r in zip(scores[i], row, strict=True))
            for i, row in enumerate(right)
        }
    )


@cache
def fitted():
    """The model of the simulated verifier, from 200 other problems with 8 samples each."""
    return ScoreModel.fit(pool_of(*study(1_000_000, samples=8)))


# ---------------------------------------------------------------- the policy


def brute_gains(model, histories):
    """Bayes' rule with loops: the likeliest prior of all that are tried, a posterior a problem, every next score."""
    bins = [[sum(score >= edge for edge in model.edges) for score in scores] for scores in histories]

    def likelihood(history, p):
        return math.prod(p * model.right[b] + (1 - p) * model.wrong[b] for b in history)

    def prior(mean, size):
        a, b = mean * size, (1 - mean) * size
        weights = [p ** (a - 0.5) * (1 - p) ** (b - 0.5) for p in allocation.RATES]
        return [weight / sum(weights) for weight in weights]

    def evidence(weights):
        each = (sum(w * likelihood(h, p) for w, p in zip(weights, allocation.RATES, strict=True)) for h in bins)
        return sum(map(math.log, each))

    weights = max((prior(mean, size) for mean in allocation.MEANS for size in allocation.SIZES), key=evidence)
    found = []
    for history in bins:
        joint = [w * likelihood(history, p) for w, p in zip(weights, allocation.RATES, strict=True)]
        gain = 0.0
        for p, mass in zip(allocation.RATES, joint, strict=True):

            def right(b, p=p):
                return p * model.right[b] / (p * model.right[b] + (1 - p) * model.wrong[b])

            for b in range(len(model.right)):
                chance = p * model.right[b] + (1 - p) * model.wrong[b]
                if not history:
                    gain += mass * chance * right(b)
                elif b > max(history):
                    gain += mass * chance * (right(b) - right(max(history)))
        found.append(gain / sum(joint))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_gains_equal_bayes_rule_by_loops(seed):
    """Problems with no, few and many scores."""
    rng = random.Random(seed)
    histories = [[rng.random() for _ in range(rng.choice([0, 1, 2, 5, 12]))] for _ in range(5)]
    model = (NOISY, EXACT)[seed % 2]
    assert Allocation(model).gains(histories).tolist() == pytest.approx(brute_gains(model, histories))


def test_with_an_exact_verifier_the_least_tried_unsolved_problem_is_next():
    """A solved problem gains nothing; among the unsolved each failure makes the next sample less promising."""
    histories = [[0, 0, 0], [0, 1], [0], [1], [0, 0], []]
    policy = Allocation(EXACT)
    assert policy.next_problems(histories, 4) == [5, 2, 4, 0]
    assert policy.gains(histories)[[1, 3]].tolist() == pytest.approx([0, 0], abs=1e-3)
    assert len(policy.next_problems(histories, 99)) == 6


def test_a_verifier_that_says_nothing_spreads_samples_equally():
    """All gains are 0 then: the problem with the fewest samples comes first."""
    policy = Allocation(ScoreModel((0.5,), (0.5, 0.5), (0.5, 0.5)))
    assert policy.next_problems([[0.9] * 3, [0.1], [0.7] * 2], 3) == [1, 2, 0]


def test_the_policy_is_pure():
    """The same histories, in any order of their scores, give the same problems; nothing is changed."""
    histories = [[0.1, 0.9, 0.3], [0.5, 0.2], [0.7]]
    shuffled = [[0.9, 0.3, 0.1], [0.2, 0.5], [0.7]]
    policy = Allocation(NOISY)
    assert policy.gains(histories).tolist() == pytest.approx(policy.gains(shuffled).tolist())
    assert histories == [[0.1, 0.9, 0.3], [0.5, 0.2], [0.7]]
    assert eval(repr(policy)) == policy


def test_an_abstention_counts_as_a_low_score():
    """So that a problem on which the verifier never speaks does not swallow the budget."""
    policy = Allocation(NOISY)
    assert policy.gains([[None, 0.7], [None]]).tolist() == pytest.approx(policy.gains([[0.0, 0.7], [0.0]]).tolist())


def test_the_score_model_knows_how_well_the_verifier_ranks():
    """Shares sum to 1, a higher bin never speaks against a sample, and the model's AUROC is that of its samples."""
    model, pool = fitted(), pool_of(*study(1_000_000, samples=8))
    right, wrong = np.array(model.right), np.array(model.wrong)
    assert (right.sum(), wrong.sum()) == (pytest.approx(1), pytest.approx(1))
    assert (np.diff(right / wrong) > 0).all()
    above = (right * (np.cumsum(wrong) - wrong / 2)).sum()
    assert above == pytest.approx(float(auroc_pooled(*labelled(pool), draws=2).mean), abs=0.01)


def test_scores_of_two_values_have_two_bins():
    """A verifier that only passes and fails: 3 of 4 right samples pass, 1 of 4 wrong ones."""
    rows = [(1.0, True)] * 300 + [(0.0, True)] * 100 + [(1.0, False)] * 100 + [(0.0, False)] * 300
    model = ScoreModel.fit(Pool({"p": tuple(Entry("", score=s, correct=r) for s, r in rows)}))
    assert model.bins([0.0, 1.0]).tolist() == [0, 1]
    assert model.right == pytest.approx((0.25, 0.75), abs=0.01)
    assert model.wrong == pytest.approx((0.75, 0.25), abs=0.01)


# ---------------------------------------------------------------- the driver


def test_the_budget_is_spent_to_the_sample_and_the_best_that_was_seen_is_chosen():
    """Whatever the wave: every problem has one sample at least, and the choice is the highest of those it got."""
    right, scores = study(7, problems=30, samples=12)
    for wave, budget in ((1, 30), (1, 100), (7, 200), (64, 360)):
        found = allocate(pool_of(right, scores), Allocation(fitted()), budget, wave)
        assert found.samples.sum() == budget
        assert found.samples.min() >= 1
        assert found.samples.max() <= 12
        best = [row[:n].argmax() for row, n in zip(scores, found.samples, strict=True)]
        assert found.correct.tolist() == right[np.arange(30), best].tolist()


def test_what_was_not_drawn_and_what_is_right_decide_nothing():
    """Other truths and other scores behind the last one drawn: the same samples go to the same problems."""
    right, scores = study(8, problems=30, samples=12)
    policy = Allocation(fitted())
    found = allocate(pool_of(right, scores), policy, 120)
    unread = np.arange(12) >= found.samples[:, None]
    other = allocate(pool_of(~right, np.where(unread, 1 - scores, scores)), policy, 120)
    assert other.samples.tolist() == found.samples.tolist()
    assert other.correct.tolist() == (1 - found.correct).tolist()


def test_a_problem_without_scores_is_wrong():
    """Nothing can be chosen there."""
    pool = Pool({"p": (Entry("", correct=True),) * 3, "q": (Entry("", score=0.9, correct=True),)})
    assert allocate(pool, Allocation(NOISY), 4).correct.tolist() == [0.0, 1.0]


# ---------------------------------------------------------------- what it saves


def uniform(right, scores, n, passing):
    """(correct, samples) of best-of-n that stops a problem at its first score of `passing` or more."""
    passed = scores[:, :n] >= passing
    used = np.where(passed.any(axis=1), passed.argmax(axis=1), n - 1) + 1
    best = np.where(np.arange(n) < used[:, None], scores[:, :n], -1.0).argmax(axis=1)
    return right[np.arange(len(right)), best], used


@pytest.mark.parametrize("passing", [0.95, 2.0])
def test_three_quarters_of_the_samples_reach_the_accuracy_of_uniform_best_of_8(passing):
    """Twenty studies of 200 problems, verifier AUROC 0.8: not less accurate than best-of-8 that stops at a score of
    0.95, or never, with 75 % of its samples.
    """
    ours, theirs = [], []
    for seed in range(20):
        right, scores = study(2_000_000 + seed)
        correct, used = uniform(right, scores, 8, passing)
        found = allocate(pool_of(right, scores), Allocation(fitted()), int(0.75 * used.sum()), wave=32)
        ours.append(found.correct.mean())
        theirs.append(correct.mean())
    assert np.mean(ours) >= np.mean(theirs)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ScoreModel.fit(Pool({"p": (Entry("", score=1.0, correct=True),)})), "right and of wrong"),
        (lambda: ScoreModel.fit(pool_of(*study(0, 9, 9)), bins=1), "bins"),
        (lambda: Allocation(NOISY).next_problems([[0.5]], 0), "k must be"),
        (lambda: Allocation(NOISY).next_problems([], 1), "no problems"),
        (lambda: allocate(pool_of(*study(0, 9, 9)), Allocation(NOISY), 8), r"in \[9, 81\]"),
        (lambda: allocate(pool_of(*study(0, 9, 9)), Allocation(NOISY), 82), r"in \[9, 81\]"),
        (lambda: allocate(pool_of(*study(0, 9, 9)), Allocation(NOISY), 9, 0), "wave"),
    ],
)
def test_impossible_arguments_are_refused(call, says):
    """Every mistake gets a sentence that names what is allowed."""
    with pytest.raises(ConfigError, match=says):
        call()
