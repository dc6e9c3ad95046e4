"""`Calibrated` and its maps: against brute force over their families, on separable and senseless scores, and in use."""

from __future__ import annotations

import asyncio
import itertools
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit import Model, Problem, solve
from searchkit.errors import ConfigError
from searchkit.experiments import auroc, calibration_error
from searchkit.generators import Recorded
from searchkit.strategies import BestOfN
from searchkit.testing.doubles import Counting, Scripted
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Verdict
from searchkit.verifiers import (
    Agreement,
    Calibrated,
    Exact,
    Isotonic,
    Judge,
    OutcomeReward,
    Platt,
    Predicate,
    ProcessReward,
    Temperature,
)
from tests.helpers.judges import PROMPT, judged, says

MAPS = [Platt, Temperature, Isotonic]
PAIRS = st.lists(st.tuples(st.integers(0, 20).map(lambda i: i / 20), st.booleans()), min_size=2, max_size=12).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


def split(pairs):
    return [score for score, _ in pairs], [label for _, label in pairs]


def logit(p):
    return math.log(p / (1 - p))


def draw(rng, n, *, scale=1.0, shift=0.0):
    """Chances p, labels that come true with chance p, and over-confident scores sigmoid(scale * logit(p) + shift)."""
    logits = rng.normal(0, 1, n)
    right = rng.random(n) < 1 / (1 + np.exp(-logits))
    return 1 / (1 + np.exp(-(scale * logits + shift))), right


# ---------------------------------------------------------------- Platt and temperature


def likelihood(logits, targets):
    """Mean log-likelihood in nats, [grid points]; logits [grid points, pairs]."""
    return -(targets * np.logaddexp(0, -logits) + (1 - targets) * np.logaddexp(0, logits)).mean(-1)


def smoothed(right):
    """Platt's labels: the shares of right ones if both kinds had one right and one wrong pair more."""
    right = np.asarray(right)
    return np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))


def zoom(loss, centre, width, rounds=12, points=21):
    """The maximiser of `loss(grid)` over a box, by grids ever finer: no derivative is used."""
    for _ in range(rounds):
        axes = [np.linspace(c - width, c + width, points) for c in centre]
        grid = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")])
        centre = grid[:, np.argmax(loss(grid))]
        width *= 0.25
    return centre


@pytest.mark.parametrize("seed", range(4))
def test_platt_is_the_maximum_of_the_likelihood(seed):
    """Slope and intercept agree with grid search; on raw scores from -3 to 3."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(-3, 3, 60)
    right = rng.random(60) < 1 / (1 + np.exp(-(1.5 * scores - 0.5)))
    targets = smoothed(right)
    best = zoom(lambda g: likelihood(g[0][:, None] * scores + g[1][:, None], targets), (0, 0), 8)
    fitted = Platt.fit(scores, right)
    assert (fitted.slope, fitted.intercept) == pytest.approx(tuple(best), abs=2e-6)


@pytest.mark.parametrize("seed", range(4))
def test_temperature_is_the_maximum_of_the_likelihood(seed):
    """The inverse temperature agrees with grid search, for over-confident and for timid scores."""
    scores, right = draw(np.random.default_rng(seed), 80, scale=(3.0, 0.4)[seed % 2])
    logits, targets = np.log(scores / (1 - scores)), smoothed(right)
    [best] = zoom(lambda g: likelihood(g[0][:, None] * logits, targets), (4.0,), 3.999)
    assert 1 / Temperature.fit(scores, right).temperature == pytest.approx(best, abs=2e-6)


@settings(max_examples=60)
@given(PAIRS, st.sampled_from([(1.0, 0.0), (1e-3, 0.0), (1e4, -7e5), (1.0, 1e6)]))
def test_at_the_maximum_the_likelihood_has_no_slope(pairs, units):
    """The derivatives vanish (or the slope is 0 and the likelihood falls from there), in whatever units scores come."""
    unit, shift = units
    scores, right = split([(score * unit + shift, label) for score, label in pairs])
    fitted, targets = Platt.fit(scores, right), smoothed(right)
    gaps = targets - [fitted(score) for score in scores]
    assert math.fsum(gaps) == pytest.approx(0, abs=1e-6)
    slope = math.fsum((x - scores[0]) / unit * gap for x, gap in zip(scores, gaps, strict=True))
    assert slope == pytest.approx(0, abs=1e-6) if fitted.slope else slope <= 1e-6


def test_separable_scores_have_a_steep_but_finite_map():
    """Four right above four wrong: nearly the smoothed labels 5/6 and 1/6 on both sides, never 0 or 1."""
    scores, right = [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9], [False] * 4 + [True] * 4
    platt, temperature = Platt.fit(scores, right), Temperature.fit(scores, right)
    for fitted in (platt, temperature):
        assert 0.5 < fitted(0.6) < fitted(0.9) < 0.95
        assert fitted(0.1) == pytest.approx(1 - fitted(0.9))
    far = Platt.fit([0.0] * 4 + [1.0] * 4, right)
    assert (far(0), far(1)) == pytest.approx((1 / 6, 5 / 6))


def test_scores_that_say_nothing_or_the_contrary_have_one_chance():
    """Platt's is the mean of the smoothed labels, temperature's about one half, isotonic's the share of right ones."""
    right = [True, True, True, False]
    for scores in ([0.5] * 4, [0.1, 0.2, 0.3, 0.9]):
        share = float(np.mean(smoothed(right)))
        assert [Platt.fit(scores, right)(s) for s in (0.0, 0.5, 1.0)] == pytest.approx([share] * 3)
        assert [Temperature.fit(scores, right)(s) for s in (0.0, 0.5, 1.0)] == pytest.approx([0.5] * 3, abs=1e-4)
        assert [Isotonic.fit(scores, right)(s) for s in (0.0, 0.5, 1.0)] == [0.75] * 3


def test_a_judge_that_is_certain_and_errs_is_forgiven():
    """Scores of exactly 1 of which 3 in 4 are right: temperature makes them about that, at a finite loss."""
    fitted = Temperature.fit([1.0] * 400, [True, True, True, False] * 100)
    assert fitted(1.0) == pytest.approx(0.75, abs=0.005)
    assert fitted(0.0) == pytest.approx(0.25, abs=0.005)


def test_platt_takes_scores_without_end():
    """Also where they say nothing: infinity times zero is no number."""
    assert [Platt(2.0, 1.0)(s) for s in (-math.inf, -1e9, math.inf)] == [0, 0, 1]
    assert [Platt(0.0, 0.0)(s) for s in (-math.inf, math.inf)] == [0.5, 0.5]


# ---------------------------------------------------------------- isotonic


def brute(pairs):
    """The share of each score in the best monotone step function: all cuts of the scores into runs are tried.

    Least squares over all non-falling functions is attained at the runs' own shares, in exact fractions.
    """
    levels = sorted({score for score, _ in pairs})
    labels = {level: [int(label) for score, label in pairs if score == level] for level in levels}
    best = None
    for cuts in itertools.product((False, True), repeat=len(levels) - 1):
        runs = [[levels[0]]]
        for level, cut in zip(levels[1:], cuts, strict=True):
            runs.append([level]) if cut else runs[-1].append(level)
        shares = []
        for run in runs:
            members = [label for level in run for label in labels[level]]
            shares.append(Fraction(sum(members), len(members)))
        if shares != sorted(shares):
            continue
        values = {level: share for run, share in zip(runs, shares, strict=True) for level in run}
        loss = sum((label - values[score]) ** 2 for score, label in pairs)
        if best is None or loss < best[0]:
            best = loss, values
    return best[1]


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=14))
def test_isotonic_is_the_best_of_all_monotone_functions(pairs):
    """On up to seven different scores, ties and all, it is the minimum of squares, to the last bit."""
    if len({label for _, label in pairs}) < 2:
        return
    fitted = Isotonic.fit(*split(pairs))
    for score, share in brute(pairs).items():
        assert fitted(score) == float(share)


@settings(max_examples=50)
@given(PAIRS)
def test_blocks_have_their_own_share_and_the_whole_mean_is_kept(pairs):
    """Where the map has one value, that is the share of right samples there; the mean score becomes the mean label."""
    fitted = Isotonic.fit(*split(pairs))
    blocks = {}
    for score, label in pairs:
        blocks.setdefault(fitted(score), []).append(label)
    assert all(value == sum(labels) / len(labels) for value, labels in blocks.items())
    assert sum(fitted(s) for s, _ in pairs) == pytest.approx(sum(label for _, label in pairs))


def test_isotonic_by_hand():
    """Ties first: 2, 2, 2 are one block of 2/3 beside the pooled 1/2 of 0 and 1; then 3; lines between the blocks."""
    scores, right = [0, 1, 2, 2, 2, 3], [True, False, False, True, True, True]
    fitted = Isotonic.fit(scores, right)
    assert fitted == Isotonic((0.0, 1.0, 2.0, 3.0), (0.5, 0.5, 2 / 3, 1.0))
    assert [fitted(s) for s in (-9, 0.5, 1.5, 2.5, 9)] == pytest.approx([0.5, 0.5, 7 / 12, 5 / 6, 1])
    assert [fitted(s) for s in (-math.inf, math.inf)] == [0.5, 1]


# ---------------------------------------------------------------- all maps


@pytest.mark.parametrize("kind", MAPS)
@settings(max_examples=40)
@given(pairs=PAIRS)
def test_maps_never_fall_and_stay_within_the_unit_interval(kind, pairs):
    """On a grid finer than the pairs, and at the floats next to each score."""
    fitted = kind.fit(*split(pairs))
    near = [f for s, _ in pairs for f in (math.nextafter(s, -1), s, math.nextafter(s, 2)) if 0 <= f <= 1]
    values = [fitted(s) for s in sorted([*near, *np.linspace(0, 1, 97)])]
    assert all(0 <= value <= 1 for value in values)
    assert all(later >= value for value, later in itertools.pairwise(values))


@pytest.mark.parametrize("kind", MAPS)
def test_maps_pickle_and_their_repr_is_their_source(kind):
    """To the last bit; equal pairs in any order and of any number type give an equal map."""
    scores, right = draw(np.random.default_rng(1), 50, scale=2.0)
    fitted = kind.fit(scores, right)
    assert eval(repr(fitted), {kind.__name__: kind}) == fitted == pickle.loads(pickle.dumps(fitted))
    again = kind.fit(scores.astype(float).tolist()[::-1], right.astype(int).tolist()[::-1])
    probes = [0.1, 0.5, 0.9]
    assert [again(s) for s in probes] == pytest.approx([fitted(s) for s in probes], rel=1e-12)
    with pytest.raises(AttributeError):
        fitted.slope = 1.0


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize(
    ("scores", "right", "sentence"),
    [
        ([0.1, 0.2], [True], "one label, True or False, for each of the 2 scores, got 1"),
        ([0.1, 0.2], [True, 0.5], "one label, True or False"),
        ([0.1, None], [True, False], "leave out the samples on which the verifier abstained"),
        ([0.1, math.nan], [True, False], "finite numbers"),
        ([0.1, 0.2], [True, True], "there must be both"),
        ([], [], "there must be both"),
    ],
)
def test_pairs_that_fit_nothing_are_refused(kind, scores, right, sentence):
    """One sentence each that names the fix."""
    with pytest.raises(ConfigError, match=sentence):
        kind.fit(scores, right)


def test_maps_that_cannot_be_are_refused():
    """Temperatures, points of a line, and scores that are no chances."""
    for make, sentence in (
        (lambda: Temperature(0.0), "finite number > 0"),
        (lambda: Temperature(math.inf), "finite number > 0"),
        (lambda: Temperature.fit([2.0, 0.5], [True, False]), "use Platt or Isotonic"),
        (lambda: Platt(-1.0, 0.0), "slope"),
        (lambda: Platt(1.0, math.nan), "slope"),
        (lambda: Isotonic((), ()), "scores that rise"),
        (lambda: Isotonic((0.0, 0.0), (0.0, 1.0)), "scores that rise"),
        (lambda: Isotonic((0.0, 1.0), (1.0, 0.0)), "do not fall"),
        (lambda: Isotonic((0.0, 1.0), (0.0,)), "as many values"),
        (lambda: Isotonic((0.0, 1.0), (0.0, 2.0)), "in \\[0, 1\\]"),
        (lambda: Isotonic((0.0, math.inf), (0.0, 1.0)), "finite scores"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            make()


def error(scores, right):
    return float(calibration_error([scores], [right], bins=20, power=2, draws=1).mean)


@pytest.mark.parametrize("kind", MAPS)
def test_calibration_error_falls_on_fresh_samples(kind):
    """Scores three times too sure (in logits) are 0.17 off; fitted on some, the map is right about others.

    About 0.03 is chance: 20 bins of 200 samples. Platt is given the logits, where a straight line is what is wanted.
    """
    rng = np.random.default_rng(7)
    train, (scores, right) = draw(rng, 4000, scale=3.0), draw(rng, 4000, scale=3.0)
    unit = logit if kind is Platt else float
    fitted = kind.fit(map(unit, train[0]), train[1])
    after = [fitted(unit(s)) for s in scores]
    assert error(scores, right) > 0.15
    assert error(after, right) < 0.05
    assert auroc(after, right) == pytest.approx(auroc(scores, right), abs=0 if kind is not Isotonic else 0.005)


def test_where_each_map_is_the_wrong_one():
    """Temperature cannot mend a shift, Platt not what is bent, as chances are between 0 and 1; isotonic mends both."""
    rng = np.random.default_rng(8)
    train, (scores, right) = draw(rng, 4000, shift=2.0), draw(rng, 4000, shift=2.0)
    left = {kind: error([*map(kind.fit(*train), scores)], right) for kind in MAPS}
    assert error(scores, right) > 0.3
    assert left[Temperature] > 0.15
    assert 0.05 < left[Platt] < 0.1
    assert left[Isotonic] < 0.05


# ---------------------------------------------------------------- the verifier


HALVED = Isotonic((0.0, 1.0), (0.0, 0.5))


def test_scores_and_steps_are_mapped_and_the_rest_stays():
    """Passed alone counts as 1, failed as 0; what abstains abstains."""
    given = [
        Verdict(0.5, True, (0.25, 0.5), "good"), Verdict(passed=True), Verdict(passed=False),
        Verdict(step_scores=(1.0, 0.5)), Verdict(feedback="no idea"),
    ]  # fmt: skip
    verdicts, usage, _ = judged(Calibrated(Predicate(lambda value: given[int(value)], name="x"), HALVED), *"01234")
    assert verdicts == [
        Verdict(0.25, True, (0.125, 0.25), "good"), Verdict(0.5, True), Verdict(0.0, False),
        Verdict(0.25, None, (0.5, 0.25)), Verdict(feedback="no idea"),
    ]  # fmt: skip
    assert (usage.verifications, usage.model_calls) == (10, 0)


def test_a_new_map_asks_no_model_again(tmp_path):
    """The verdicts inside are journaled under the verifier's own key: fit, look, fit again."""
    path = tmp_path / "journal.db"
    for fitted, calls in ((HALVED, 2), (Platt(1.0, 0.0), 0)):
        judge = Counting(Scripted(lambda request: says(score=0.5)))
        verifier = Calibrated(Judge(Model(judge), range=(0, 1)), fitted)
        result = asyncio.run(solve("q", BestOfN(2, verifier), generator=Recorded({"q": ["a", "b"]}), journal=path))
        assert [c.score for c in result.candidates] == [fitted(0.5)] * 2
        assert judge.calls == calls


def test_logits_become_chances():
    """A range without end is what Platt is for; an infinite logit is a sure thing."""
    verifier = Calibrated(OutcomeReward(lambda prompt, text: float(text), name="logit"), Platt(1.0, 0.0))
    assert verifier.range == (0.0, 1.0)
    assert [v.score for v in judged(verifier, "0", "-inf", "inf")[0]] == [0.5, 0, 1]


def test_it_binds_is_joint_and_named_as_what_it_calibrates():
    """The reference reaches the verifier inside; the key holds both."""
    inside = Calibrated(Exact(), HALVED)
    assert [v.score for v in judged(inside, "1", "2", reference="2")[0]] == [0, 0.5]
    keys = [inside.bind(Problem("p", PROMPT, reference)).key for reference in ("1", "2")]
    keys += [
        Calibrated(Exact(reference="1"), Platt(1.0, 0.0)).key,
        Calibrated(Exact(reference="1"), Platt(2.0, 0.0)).key,
    ]
    assert len(set(keys)) == 4
    assert not inside.joint
    assert Calibrated(Agreement(), HALVED).joint
    assert [v.score for v in judged(Calibrated(Agreement(), HALVED), "7", "7", "8")[0]] == [0.25, 0.25, 0]


def test_maps_and_verifiers_that_do_not_go_together_are_refused():
    """At construction, with the fix: nothing is paid before."""
    for make, sentence in (
        (lambda: Calibrated(Exact(), Platt), r"a fitted map such as Platt\.fit\(scores, right\)"),
        (lambda: Calibrated(Exact(), 0.5), "a fitted map"),
        (lambda: Calibrated(len, HALVED), r"wrap a callable as Predicate\(fn\)"),
        (lambda: Calibrated(Exact, HALVED), "an object and not its class"),
        (lambda: Calibrated(Judge(), Temperature(2.0)), "use Platt or Isotonic"),
        (lambda: Calibrated(OutcomeReward(len), Temperature(2.0)), "got -inf: use Platt or Isotonic"),
        (lambda: Calibrated(Exact(), lambda score: 1 - score), "must rise"),
        (lambda: Calibrated(Judge(), abs), r"to \[0.0, 10.0\]: it must rise in \[0, 1\]"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            make()


def step_chances(prompt, steps):
    return [len(step) / 20 for step in steps]


class TestCalibrated(VerifierTests):
    """The laws of verifiers, with scores of steps."""

    def verifier(self):
        return Calibrated(
            ProcessReward(step_chances, separator=" "), Isotonic.fit([0.0, 0.2, 0.4], [False, True, True])
        )


class TestCalibratedByTemperature(VerifierTests):
    """The laws of verifiers, with passed and failed."""

    def verifier(self):
        return Calibrated(Exact(), Temperature.fit([0.9, 0.2, 0.7], [True, False, False]))
