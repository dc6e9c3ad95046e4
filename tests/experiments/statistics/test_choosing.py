"""Curves of choosers: by hand, by brute force, against a lot."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest

from searchkit.errors import ConfigError
from searchkit.experiments import ChoiceCurve, choice_curve, plot_choices

RIGHT = [[0, 1], [1, 1], [1, 0], [0, 0]]


def random_curve(seed: int, n: int = 30, **options: Any) -> ChoiceCurve:
    rng = random.Random(seed)
    right = [[rng.random() < 0.5, rng.random() < 0.8] for _ in range(n)]
    cost = [[rng.random(), 5 + rng.random()] for _ in range(n)]
    return choice_curve(right, cost, [rng.choice((-1, 0, 0.5, rng.random())) for _ in range(n)], **options)


def test_points_by_hand() -> None:
    """Equal margins go together; infinity sends nobody."""
    curve = choice_curve(RIGHT, (1, 9), [0.9, 0.9, 0.1, -math.inf])
    assert curve.thresholds.tolist() == [math.inf, 0.9, 0.1, -math.inf]
    assert curve.points == [(1, 0.5), (5, 0.75), (7, 0.5), (9, 0.5)]
    assert curve.ends == ((1, 0.5), (9, 0.5))
    assert curve.hull == [(1, 0.5), (5, 0.75)]
    assert math.isnan(curve.apgr)  # the ends are equally accurate
    assert math.isnan(curve.cpt(0.5))


def test_points_are_those_of_brute_force() -> None:
    """With costs that differ by problem, a cost of deciding, and the cheap one paid before the dear one."""
    for seed, cascade in itertools.product(range(5), (False, True)):
        curve = random_curve(seed, deciding=0.25, cascade=cascade)
        for threshold, (cost, right) in zip(curve.thresholds, curve.points, strict=True):
            spent, good = 0.0, 0.0
            for i, margin in enumerate(curve.margin):
                sent = margin >= threshold
                spent += curve.cost[i, int(sent)] + 0.25 + (curve.cost[i, 0] if cascade and sent else 0)
                good += curve.right[i, int(sent)]
            assert math.isclose(cost, spent / 30)
            assert math.isclose(right, good / 30, abs_tol=1e-12)
            assert [float(one.mean) for one in curve.at(threshold, draws=10)] == pytest.approx([cost, right])


def test_a_chooser_that_knows_nothing_is_worth_a_lot() -> None:
    """A constant margin has the ends alone: an APGR of 1/2 exactly, half the gap for half the calls. Random margins
    have it in expectation."""
    n, rng = 400, random.Random(1)
    right = [[rng.random() < 0.6, rng.random() < 0.85] for _ in range(n)]
    constant = choice_curve(right, (0, 1), [0.5] * n)
    assert constant.apgr == 0.5
    assert [constant.cpt(gap) for gap in (0.2, 0.5, 0.8, 1.0)] == pytest.approx([0.2, 0.5, 0.8, 1.0])
    found = [choice_curve(right, (0, 1), [rng.random() for _ in range(n)]).apgr for _ in range(200)]
    spread = np.std(found) / math.sqrt(len(found))
    assert abs(np.mean(found) - 0.5) < 4 * spread
    assert math.isclose(constant.gained(math.inf).mean, 0, abs_tol=1e-12)
    assert math.isclose(constant.saved(0.5).mean, 0, abs_tol=1e-12)


def test_no_chooser_lies_above_the_perfect_one() -> None:
    """Whose curve is its own hull, but for the end where the dear one is asked in vain."""
    for seed in range(20):
        curve = random_curve(seed)
        unit = choice_curve(curve.right, (0, 1), curve.margin)
        best = choice_curve(curve.right, (0, 1), curve.right[:, 1] - curve.right[:, 0])
        line = best.hull
        for cost, right in unit.points:
            assert right <= np.interp(cost, *zip(*line, strict=True)) + 1e-12
        assert unit.apgr <= best.apgr + 1e-12
        assert best.points[0] == best.ends[0]
        assert best.points[-1] == best.ends[1]


def test_the_hull_is_concave_and_above_all_points() -> None:
    for seed in range(20):
        curve = random_curve(seed, cascade=True)
        hull = curve.hull
        slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(hull)]
        assert all(slope > 0 for slope in slopes)
        assert slopes == sorted(slopes, reverse=True)
        for cost, right in [*curve.points, *curve.ends]:
            assert cost < hull[0][0] or right <= np.interp(cost, *zip(*hull, strict=True)) + 1e-12


def test_thresholds_are_picked_for_an_accuracy_or_a_budget() -> None:
    curve = choice_curve(RIGHT, (1, 9), [0.9, 0.2, 0.1, -1])
    assert curve.points == [(1, 0.5), (3, 0.75), (5, 0.75), (7, 0.5), (9, 0.5)]
    assert (curve.threshold(accuracy=0.75), curve.threshold(accuracy=0.5)) == (0.9, math.inf)
    assert (curve.threshold(budget=100), curve.threshold(budget=2)) == (0.9, math.inf)
    for wish in ({"accuracy": 0.9}, {"budget": 0.5}, {}, {"accuracy": 0.5, "budget": 1}):
        with pytest.raises(ConfigError):
            curve.threshold(**wish)
    for places in ([], [4], [-1], [True, False, True, True], [0.5]):
        with pytest.raises(ConfigError, match="a part has"):
            curve.part(places)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a threshold is a number"):
        curve.at(math.nan)
    part = curve.part([0, 2])
    assert (part.ends, len(part.margin)) == (((1, 0.5), (9, 0.5)), 2)


def test_what_deciding_costs_is_lift_lost() -> None:
    """By hand: always-dear has lift 0 less what it costs to decide; by lot it is 0."""
    right = [[0, 1], [0, 1], [1, 1], [1, 1]]
    assert choice_curve(right, (1, 9), [1, 0, 1, 0]).lift(1) == 0
    assert choice_curve(right, (1, 9), [1, 1, 0, 0]).lift(1) == 1
    assert choice_curve(right, (1, 9), [1, 1, 1, 1], deciding=8).lift(1) == -0.5
    assert math.isnan(choice_curve(right, (1, 9), [1, 1, 0, 0]).lift(math.inf))
    perfect = choice_curve(right, (1, 9), [1, 1, 0, 0])
    assert (perfect.saved(1).mean, perfect.gained(1).mean) == (pytest.approx(4 / 9), 0.25)
    blind = choice_curve(right, (1, 9), [1, 1, 1, 1], deciding=3)
    assert blind.saved(1).mean == pytest.approx(-3 / 9)


def test_a_cheap_one_that_is_not_cheaper_is_no_end_to_mix_with() -> None:
    """By hand: four draws of the cheap one cost more than the dear one, which is better, too."""
    right = [[0, 1], [0, 1], [1, 1], [1, 1]]
    curve = choice_curve(right, (40, 30), [1, 1, 0, 0], cascade=True)
    assert curve.at(1)[0].mean == 55
    assert curve.gained(1).mean == 0
    assert curve.gained(math.inf).mean == -0.5
    assert curve.saved(1).mean == 1 - 55 / 30
    worse = choice_curve(np.array(right)[:, ::-1], (40, 30), [1, 1, 0, 0])  # cheaper, and worse: a lot between the two
    assert worse.points[1] == (35, 0.5)
    assert (worse.gained(1).mean, worse.saved(1).mean) == (-0.25, 1 - 35 / 30)


def test_the_bar_of_a_cascade_is_the_next_number_after_its_threshold() -> None:
    """What the curve sends on is what `Escalate` sends on, ties included."""
    scores = [0.2, 0.5, 0.5, 0.9]
    curve = choice_curve(RIGHT, (1, 9), [-score for score in scores], cascade=True)
    for threshold, (cost, _) in zip(curve.thresholds, curve.points, strict=True):
        bar = math.nextafter(-threshold, math.inf)
        assert cost == sum(1 + 9 * (not score >= bar) for score in scores) / 4


def test_intervals_hold_what_they_should() -> None:
    """Of many sets from one world the 95 % interval of what a chooser gains holds the truth about as often."""
    rng, inside, n = np.random.default_rng(3), 0, 200
    for _ in range(200):
        hard = rng.random(n) < 0.5
        right = np.column_stack([rng.random(n) < np.where(hard, 0.3, 0.9), rng.random(n) < 0.9])
        found = choice_curve(right, (0, 1), hard.astype(float)).gained(1.0, draws=300)
        inside += found.low <= 0.9 - (0.6 + 0.5 * 0.3) <= found.high
    assert 0.9 * 200 <= inside <= 199


def test_one_problem_has_no_interval() -> None:
    found = choice_curve([[0, 1]], (1, 9), [1]).saved(1)
    assert (found.mean, math.isnan(found.low)) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ([[0, 1, 1]], (0, 1), [1]), ([], (0, 1), []), ([[0, 2]], (0, 1), [1]), ([[0, 1]], (0, 1), [math.nan]),
        ([[0, 1]], (0, -1), [1]), ([[0, 1]], (0, math.inf), [1]), ([[0, 1]], (0, 1, 2), [1]),
        ([[0, 1]], (0, 1), [1, 2]), ([[0, math.nan]], (0, 1), [1]),
    ],
    ids=range(9),
)  # fmt: skip
def test_shapes_and_numbers_are_checked(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError):
        choice_curve(*arguments)


def test_a_figure_shows_every_curve_and_the_line_between_the_ends() -> None:
    axes = plot_choices({"words": random_curve(0), "_price $x$": random_curve(1)}, unit="tokens")
    assert next(line.get_label() for line in axes.lines) == "by lot"
    assert len(axes.lines) == 3
    assert axes.get_xlabel() == "tokens per problem"
    axes.figure.canvas.draw()
    assert len(axes.get_legend().get_texts()) == 3  # a name that begins with "_" stands there, too
    with pytest.raises(ConfigError, match="nothing to plot"):
        plot_choices({})
