"""AUROC, calibration error and RewardBench accuracy, against all pairs, all choices and plain loops."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool
from searchkit.experiments.statistics import ranking
from searchkit.experiments.statistics.calibration_error import calibration_error, hle_compat
from searchkit.experiments.statistics.ranking import auroc, auroc_pooled, auroc_within, labelled
from searchkit.experiments.statistics.reward_bench import found_among, reward_bench

SAMPLES = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=2, max_size=10)
quickly = settings(max_examples=60)


def brute_auroc(samples):
    """The share of (right, wrong) pairs in order, ties as half; None without pairs."""
    pairs = [(r, w) for r, right in samples if right for w, wrong in samples if not wrong]
    return sum((r > w) + 0.5 * (r == w) for r, w in pairs) / len(pairs) if pairs else None


def study(rng, problems=60, samples=8, signal=1.0):
    """(scores, right): problems of all difficulties, and scores that tell right from wrong by `signal`."""
    rates = rng.beta(0.5, 0.5, problems)
    right = rng.random((problems, samples)) < rates[:, None]
    return rng.normal(signal * right, 1.0), right


# ---------------------------------------------------------------- AUROC


@quickly
@given(SAMPLES)
def test_auroc_equals_all_pairs(samples):
    """With ties; refused where there are no pairs."""
    want, columns = brute_auroc(samples), tuple(zip(*samples, strict=True))
    if want is None:
        with pytest.raises(ConfigError, match="must be both"):
            auroc(*columns)
    else:
        assert auroc(*columns) == pytest.approx(want)


@quickly
@given(st.lists(SAMPLES, min_size=1, max_size=5))
def test_within_and_pooled_equal_all_pairs(problems):
    """Within: the mean over problems that have both. Pooled: one pot."""
    scores, right = ([[row[i] for row in problem] for problem in problems] for i in (0, 1))
    each = [value for problem in problems if (value := brute_auroc(problem)) is not None]
    pot = brute_auroc([row for problem in problems for row in problem])
    if each:
        assert auroc_within(scores, right, draws=10).mean == pytest.approx(np.mean(each))
    else:
        with pytest.raises(ConfigError, match="no problem has"):
            auroc_within(scores, right)
    if pot is not None:
        assert auroc_pooled(scores, right, draws=10).mean == pytest.approx(pot)


def test_a_verifier_that_knows_only_difficulty_ranks_nothing_within_problems():
    """One score for all samples of a problem: 1/2 within, far more over all samples."""
    _, right = study(np.random.default_rng(0), samples=16)
    scores = np.repeat(right.mean(axis=1), 16).reshape(right.shape)
    within, pooled = auroc_within(scores, right), auroc_pooled(scores, right)
    assert (within.mean, within.low, within.high) == (0.5, 0.5, 0.5)
    assert pooled.mean > 0.8


def test_pooled_bounds_are_those_of_resampled_problems():
    """Three problems have 27 equally likely resamples: their AUROCs, pair by pair, have the same percentiles."""
    scores, right = [[0.1, 0.6, 0.7], [0.2, 0.9], [0.4, 0.5, 0.3]], [[0, 1, 0], [0, 1], [1, 0, 1]]
    rows = [list(zip(s, r, strict=True)) for s, r in zip(scores, right, strict=True)]
    every = [brute_auroc(rows[i] + rows[j] + rows[k]) for i in range(3) for j in range(3) for k in range(3)]
    found = auroc_pooled(scores, right, draws=20_000, level=0.8)
    assert [found.low, found.high] == pytest.approx(np.quantile(every, [0.1, 0.9]).tolist(), abs=1e-9)


def test_pooled_intervals_cover_the_truth():
    """Of 150 studies of 60 problems with a true AUROC of Phi(1 / sqrt 2), the 95 % interval misses few.

    All rates are equal for the truth to be known; between 90 and 99 % is 3 standard errors around 95 %.
    """
    rng, inside, truth = np.random.default_rng(3), 0, 0.5 * (1 + math.erf(0.5))
    for seed in range(150):
        right = rng.random((60, 4)) < 0.5
        found = auroc_pooled(rng.normal(right, 1.0), right, draws=200, seed=seed)
        inside += bool(found.low <= truth <= found.high)
    assert 0.90 <= inside / 150 <= 0.99


def test_labelled_leaves_out_what_has_no_score():
    """Abstentions are not ranked."""
    pool = Pool({"p": (Entry("a", score=0.5, correct=True), Entry("b"), Entry("c", score=0.1)), "q": (Entry("d"),)})
    assert labelled(pool) == ([[0.5, 0.1], []], [[True, False], []])
    assert auroc_within(*labelled(pool)).mean == 1.0


# ---------------------------------------------------------------- calibration


def brute_calibration(confidence, right, bins, power):
    """Bins of equally many samples in order of confidence, by a loop; confidences are distinct."""
    order = sorted(range(len(confidence)), key=lambda i: confidence[i])
    total = 0.0
    for b in range(bins):
        inside = [i for place, i in enumerate(order) if int((place + 0.5) * bins / len(order)) == b]
        if inside:
            gap = sum(confidence[i] - right[i] for i in inside) / len(inside)
            total += len(inside) / len(order) * abs(gap) ** power
    return total ** (1 / power)


@quickly
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40, unique_by=lambda row: row[0]))
def test_calibration_error_equals_a_loop_over_bins(samples):
    """Mean and root mean square, with bins that do not divide the samples."""
    confidence, right = zip(*samples, strict=True)
    for bins, power in ((1, 1), (4, 1), (7, 2)):
        want = brute_calibration(confidence, right, bins, power)
        found = calibration_error([[c] for c in confidence], [[r] for r in right], bins=bins, power=power, draws=5)
        assert found.mean == pytest.approx(want, abs=1e-9)


def test_calibration_by_hand():
    """Says 0.9 four times and is right twice; says 0.2 four times and is right once: gaps 0.4 and 0.05."""
    confidence, right = [[0.9] * 4, [0.2] * 4], [[1, 1, 0, 0], [1, 0, 0, 0]]
    assert calibration_error(confidence, right, bins=2).mean == pytest.approx(0.225)
    assert calibration_error(confidence, right, bins=2, power=2).mean == pytest.approx(math.sqrt((0.16 + 0.0025) / 2))
    assert calibration_error(confidence, right, bins=2).low < 0.225 < 0.4
    assert math.isnan(calibration_error(confidence[:1], right[:1]).low)


def test_equal_confidences_share_a_bin():
    """A constant of the right height has no error, although any split of its samples would show one."""
    right = [[True, True, False, False], [True, False, True, False]]
    assert calibration_error([[0.5] * 4] * 2, right, bins=5).mean == 0.0


def published_hle(confidence, right, size):
    """The published loop: all bins but the last, which has taken the remainder."""
    order = sorted(range(len(confidence)), key=lambda i: confidence[i])
    bins = [order[i * size : (i + 1) * size] for i in range(len(order) // size)]
    bins[-1] = order[(len(bins) - 1) * size :]
    total = 0.0
    for inside in bins[:-1]:
        gap = np.mean([confidence[i] for i in inside]) - np.mean([right[i] for i in inside])
        total += len(inside) / len(order) * gap**2
    return math.sqrt(total)


@pytest.mark.parametrize("n", [100, 150, 199, 200, 250, 301, 1000])
def test_hle_compat_forgets_the_surest_answers(n):
    """Equal to the published loop; 0 below two bins; blind to what the last bin says."""
    rng = np.random.default_rng(n)
    confidence, right = rng.random(n), rng.random(n) < 0.3
    found = hle_compat(confidence, right)
    assert found == pytest.approx(published_hle(confidence, right, 100))
    assert (found == 0) == (n < 200)
    surest = np.argsort(confidence)[(n // 100 - 1) * 100 :]
    assert hle_compat(confidence, np.where(np.isin(np.arange(n), surest), ~right, right)) == pytest.approx(found)
    assert calibration_error([confidence], [right], bins=n // 100, power=2).mean > found


# ---------------------------------------------------------------- RewardBench


def test_a_constant_reward_model_gets_a_quarter():
    """Where numpy's argmax gives it everything."""
    assert reward_bench([[1.0] * 4] * 20).mean == 0.25
    assert np.mean([np.argmax([1.0] * 4) == 0] * 20) == 1.0


def test_reward_bench_by_hand():
    """Alone on top 1, tied with one other 1/2, tied with two 1/3, below 0."""
    rows = [[3, 1, 1, 1], [2, 2, 1, 0], [2, 2, 2, 0], [1, 0, 0, 2]]
    assert reward_bench(rows).mean == pytest.approx((1 + 1 / 2 + 1 / 3 + 0) / 4)


@quickly
@given(SAMPLES, st.integers(1, 3))
def test_found_among_equals_all_choices(samples, wrong):
    """Every right sample with every choice of wrong ones."""
    chosen = [s for s, right in samples if right]
    against = [s for s, right in samples if not right]
    if not chosen or len(against) < wrong:
        with pytest.raises(ConfigError, match="needs a right sample"):
            found_among(*zip(*samples, strict=True), wrong)
        return
    every = [
        (score == max((*rest, score))) / (1 + rest.count(score))
        for score in chosen
        for rest in combinations(against, wrong)
    ]
    assert found_among(*zip(*samples, strict=True), wrong) == pytest.approx(np.mean(every))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: auroc([1.0], [True, False]), "needs a label"),
        (lambda: calibration_error([[1.5]], [[True]]), r"in \[0, 1\]"),
        (lambda: calibration_error([[0.5]], [[True]], bins=0), "bins must be"),
        (lambda: calibration_error([[0.5]], [[True]], power=3), "power 1 or 2"),
        (lambda: hle_compat([0.5] * 99, [True] * 99), "100 of them"),
        (lambda: reward_bench([]), "chosen completion's first"),
        (lambda: reward_bench([[1.0, 2.0], [1.0]]), "same number of scores"),
        (lambda: reward_bench([[1.0, math.nan]]), "finite"),
    ],
)
def test_impossible_arguments_are_refused(call, says):
    """Every mistake gets a sentence that names what is allowed."""
    with pytest.raises(ConfigError, match=says):
        call()


@pytest.mark.parametrize("distinct", [1, 2, 5, 1000])
def test_pairs_of_problems_give_what_a_pass_over_the_samples_gives(monkeypatch, distinct):
    rng = np.random.default_rng(distinct)
    scores = [rng.integers(0, distinct, n).astype(float) for n in (1, 40, 300, 77, 0, 150)]
    scores[2][:200] = 0.0  # more equal ones than are compared each with each
    right = [rng.random(len(s)) < rate for s, rate in zip(scores, (0, 0.2, 0.5, 0.9, 1, 1), strict=True)]
    weights = [rng.random(len(s)) for s in scores]
    got = auroc_pooled(scores, right, weights=weights, draws=200)
    monkeypatch.setattr(ranking, "MOST", 0)
    want = auroc_pooled(scores, right, weights=weights, draws=200)
    assert [got.mean, got.low, got.high] == pytest.approx([want.mean, want.low, want.high], abs=1e-12)
