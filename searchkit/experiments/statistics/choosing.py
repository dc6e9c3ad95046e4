"""What choosing between a cheap and a dear generator is worth: cost against accuracy at every threshold.

The end points are always-cheap and always-dear; choosing by lot gives the straight line between them. A chooser is
worth something where its curve lies above that line, with what it costs to decide counted in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.chosen import choice_in
from searchkit.experiments.estimators.intervals import Interval, snapped
from searchkit.kinds import is_number, told
from searchkit.result import Result
from searchkit.types import NO_USAGE, Usage

Array = NDArray[np.float64]
Point = tuple[float, float]  # mean cost, accuracy


@dataclass(frozen=True, eq=False)
class ChoiceCurve:
    """A chooser between two generators on recorded outcomes: the dear one is asked where `margin` >= a threshold.

    - right: [problems, 2], whether the cheap one and the dear one are right, or shares in [0, 1].
    - cost: [problems, 2], of each asked alone, without a chooser.
    - paid: [problems, 2], what a problem costs here where the cheap one's answer stands, and where the dear one's does:
      what it takes to decide is in both, and in a cascade the cheap one's cost is in the second.
    - margin: [problems], how much the dear one is wanted; of a cascade minus the score of the cheap answer.

    A point of the curve is a threshold. Thresholds that were picked on the problems they are measured on flatter: pick
    them with `threshold` on one part and measure on another (`part`). See `choice_curve`.
    """

    right: Array
    cost: Array
    paid: Array
    margin: Array

    @cached_property
    def thresholds(self) -> Array:
        """[points]: infinity, which asks the cheap one alone, and then every margin that there is, falling."""
        return np.array([math.inf, *np.unique(self.margin)[::-1]])

    @cached_property
    def points(self) -> list[Point]:
        """(mean cost, accuracy) at each of `thresholds`."""
        order = np.argsort(-self.margin, kind="stable")
        ends = np.searchsorted(-self.margin[order], -self.thresholds, side="right")
        costs, accuracies = (
            (column[:, 0].sum() + np.concatenate([[0.0], np.cumsum(column[order, 1] - column[order, 0])])[ends])
            / len(self.margin)
            for column in (self.paid, self.right)
        )
        return list(zip(costs.tolist(), accuracies.tolist(), strict=True))

    @property
    def ends(self) -> tuple[Point, Point]:
        """(mean cost, accuracy) of the cheap one alone and of the dear one alone."""
        (cheap, dear), (low, high) = self.cost.mean(axis=0).tolist(), self.right.mean(axis=0).tolist()
        return (cheap, low), (dear, high)

    @property
    def hull(self) -> list[Point]:
        """The upper hull of the points and both ends, from the cheapest: what mixing two of them by lot gives."""
        best: list[Point] = []
        for point in sorted({*self.points, *self.ends}, key=lambda p: (p[0], -p[1])):
            if best and (point[0] == best[-1][0] or point[1] <= best[-1][1]):
                continue  # dearer, and no better
            while len(best) > 1 and _turns_up(best[-2], best[-1], point):
                best.pop()
            best.append(point)
        return best

    @property
    def apgr(self) -> float:
        """The average performance gap recovered: the mean over all costs between the ends of the share of the gap in
        accuracy that the curve has closed there. By lot 1/2; NaN where the ends are equally accurate or cost the same.

        Source: RouteLLM (Ong et al. 2024), where the cost is the share of questions that the dear one is asked: so
        it is here with costs (0, 1).
        """
        at, gap = self._line()
        return float(((gap[1:] + gap[:-1]) / 2 * np.diff(at)).sum())

    def cpt(self, gap: float) -> float:
        """The call-performance threshold: the least share of the cost between the ends at which so much of the gap in
        accuracy is closed, in [0, 1]; between two points as by lot. NaN as of `apgr`."""
        if not is_number(gap) or not 0 < gap <= 1:
            raise ConfigError(f"the part of the gap to recover is in (0, 1], got {told(gap)}")
        at, closed = self._line()
        if np.isnan(closed).any():
            return math.nan
        first = int(np.argmax(closed >= gap - 1e-12))
        low, high = closed[max(first - 1, 0)], closed[first]
        part = (gap - low) / (high - low) if high > low else 1.0
        return float(at[max(first - 1, 0)] + min(1.0, part) * (at[first] - at[max(first - 1, 0)]))

    def _line(self) -> tuple[Array, Array]:
        """Shares of the cost between the ends, rising from 0 to 1, and how much of the gap is closed there."""
        (cheap, low), (dear, high) = self.ends
        if not dear > cheap or high == low:
            return np.array([0.0, 1.0]), np.array([math.nan, math.nan])
        inside = sorted({point for point in self.points if cheap <= point[0] <= dear})
        line = np.array([(cheap, low), *inside, (dear, high)])
        return (line[:, 0] - cheap) / (dear - cheap), (line[:, 1] - low) / (high - low)

    def part(self, problems: Sequence[int] | NDArray[np.intp]) -> ChoiceCurve:
        """The same chooser on some of the problems, by their places."""
        at = np.asarray(problems)
        if (
            at.ndim != 1
            or at.dtype.kind not in "iu"
            or not len(at)
            or not (at >= 0).all()
            or at.max() >= len(self.right)
        ):
            raise ConfigError(f"a part has one place or more, from 0 to {len(self.right) - 1}, got {told(problems)}")
        return ChoiceCurve(self.right[at], self.cost[at], self.paid[at], self.margin[at])

    def threshold(self, *, accuracy: float | None = None, budget: float | None = None) -> float:
        """The threshold of the cheapest point that is at least so accurate, or of the most accurate one that costs no
        more on average than `budget`; of equals the highest. Raises `ConfigError` where no point is."""
        if (accuracy is None) == (budget is None):
            raise ConfigError("a threshold is picked for an accuracy or within a budget: give one of the two")
        found = list(zip(self.points, self.thresholds.tolist(), strict=True))
        if accuracy is not None:
            able = [(cost, -t) for (cost, right), t in found if right >= accuracy - 1e-12]
        else:
            assert budget is not None
            able = [(-right, -t) for (cost, right), t in found if cost <= budget + 1e-12 * abs(budget)]
        if not able:
            raise ConfigError(f"no threshold does that: the curve goes from {self.points[0]} to {self.points[-1]}")
        return float(-min(able)[1])

    def at(
        self, threshold: float, *, draws: int = 2000, seed: int = 0, level: float = 0.95
    ) -> tuple[Interval, Interval]:
        """(mean cost, accuracy) at a threshold, with intervals over problems."""
        return (
            self._resampled(threshold, lambda means: means[:, 0], draws, seed, level),
            self._resampled(threshold, lambda means: means[:, 1], draws, seed, level),
        )

    def gained(self, threshold: float, *, draws: int = 2000, seed: int = 0, level: float = 0.95) -> Interval:
        """How much more accurate than choosing by lot at the same mean cost, beyond the ends at theirs: below 0 where
        it does not pay. Where the cheap one is not cheaper, and no better, it is compared with the dear one. The
        interval resamples problems."""

        def gain(m: Array) -> Array:
            cost, right, cheap, dear, low, high = m.T
            share = np.clip((cost - cheap) / (dear - cheap), 0, 1)
            found: Array = right - low - np.where(_pointless(m), 1.0, share) * (high - low)
            return found

        return self._resampled(threshold, gain, draws, seed, level)

    def saved(self, threshold: float, *, draws: int = 2000, seed: int = 0, level: float = 0.95) -> Interval:
        """The share of the cost of choosing by lot that is saved at equal accuracy: below 0 where it does not pay.

        What is more accurate than the dear one is compared with that, as is all where the cheap one is not cheaper, and
        no better. The interval resamples problems.
        """

        def saving(m: Array) -> Array:
            cost, right, cheap, dear, low, high = m.T
            closed = np.clip((right - low) / (high - low), 0, 1)
            found: Array = 1 - cost / (cheap + np.where(_pointless(m), 1.0, closed) * (dear - cheap))
            return found

        return self._resampled(threshold, saving, draws, seed, level)

    def lift(self, threshold: float, least: float = 0.05) -> float:
        """By how much a unit of cost buys more accuracy than between the ends, as a share of that: 0 by lot.

        NaN where fewer than `least` of the problems go to the dear one: the slope explodes. Source: AutoMix (Aggarwal
        et al. 2024), its incremental benefit per cost.
        """
        (cheap, low), (dear, high) = self.ends
        sent = self.margin >= threshold
        cost, right = (float(np.where(sent, c[:, 1], c[:, 0]).mean()) for c in (self.paid, self.right))
        if sent.mean() < least or not cost > cheap or not dear > cheap or high == low:
            return math.nan
        return (right - low) / (cost - cheap) / ((high - low) / (dear - cheap)) - 1

    def _resampled(
        self, threshold: float, value: Callable[[Array], Array], draws: int, seed: int, level: float
    ) -> Interval:
        """`value` of [sets, 6] means: cost and accuracy at the threshold, costs of the ends, accuracies of the ends."""
        if not is_number(threshold) or math.isnan(threshold):
            raise ConfigError(f"a threshold is a number, such as one of `thresholds`, got {told(threshold)}")
        sent, n = self.margin >= threshold, len(self.margin)
        columns = np.column_stack(
            [*(np.where(sent, c[:, 1], c[:, 0]) for c in (self.paid, self.right)), self.cost, self.right]
        )
        even = np.full(n, 1 / n)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = value((even @ columns)[None])[0]
            if n == 1:
                return Interval(np.array(mean), np.array(np.nan), np.array(np.nan))
            times = np.random.default_rng(seed).multinomial(n, even, draws) / n
            found = value(times @ columns)
        known = found[np.isfinite(found)]
        ends = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]) if len(known) else (np.nan, np.nan)
        return Interval(*(snapped(bound) for bound in (mean, *ends)))


def choice_curve(
    right: ArrayLike, cost: ArrayLike, margin: ArrayLike, *, deciding: ArrayLike = 0.0, cascade: bool = False
) -> ChoiceCurve:
    """The curve of a chooser between a cheap and a dear generator, from recorded outcomes of both.

    - right: [problems, 2], the cheap one first: whether it is right, or a share in [0, 1].
    - cost: [problems, 2], or [2] if it is the same for all: of each asked alone. (0, 1) counts calls of the dear one.
    - margin: [problems], how much the dear one is wanted: the difference of two chances (`Router.chances`), or minus
      the score of the cheap answer. Infinite ones are always, or never, sent on.
    - deciding: [problems] or one number: what it costs to decide, which every problem pays.
    - cascade: the dear one is asked after the cheap one, which is then paid, too. A margin at the threshold is sent on,
      so the bar of `Escalate` is the next number: ``math.nextafter(-threshold, math.inf)``.

    With the margin ``right[:, 1] - right[:, 0]`` it is the curve of a perfect router, which no chooser lies above.
    Cost: no model calls, O(problems log problems). Raises `ConfigError` for shapes that do not match, and NaN.

    >>> from searchkit.experiments import choice_curve
    >>> curve = choice_curve([[0, 1], [1, 1], [1, 0]], (0, 1), [0.9, 0.2, -0.5])
    >>> [(round(cost, 2), round(right, 2)) for cost, right in curve.points]
    [(0.0, 0.67), (0.33, 1.0), (0.67, 1.0), (1.0, 0.67)]
    """
    outcomes, wanted = np.asarray(right, dtype=float), np.asarray(margin, dtype=float)
    if outcomes.ndim != 2 or outcomes.shape[1] != 2 or not len(outcomes) or wanted.shape != outcomes.shape[:1]:
        raise ConfigError(
            f"right is [problems, 2] and margin [problems], got shapes {outcomes.shape} and {wanted.shape}"
        )
    if not ((outcomes >= 0) & (outcomes <= 1)).all() or np.isnan(wanted).any():
        raise ConfigError("right is True, False or a share in [0, 1], and a margin is a number")
    try:
        alone = np.broadcast_to(np.asarray(cost, dtype=float), outcomes.shape)
        decided = np.broadcast_to(np.asarray(deciding, dtype=float), wanted.shape)
    except ValueError as error:
        raise ConfigError(f"cost is [problems, 2] or [2], and deciding [problems] or a number: {error}") from error
    if not (np.isfinite(alone).all() and (alone >= 0).all() and np.isfinite(decided).all() and (decided >= 0).all()):
        raise ConfigError("costs are finite numbers >= 0")
    paid = alone + decided[:, None]
    if cascade:
        paid = paid + np.column_stack([np.zeros(len(wanted)), alone[:, 0]])
    return ChoiceCurve(outcomes, alone.astype(float), paid, wanted)


def choices(results: Iterable[Result[object]]) -> tuple[dict[str, int], Usage]:
    """Which arm gave the answer of each search by `Router` or `Escalate`, and what deciding cost them all together.

    Of `Escalate` the arms are "0", "1", ..., how far it went: all but "0" escalated. Deciding is what was spent under
    "choose", or on the verdicts of the steps. Where such strategies are nested the outermost one of a search counts;
    searches without any are left out. Read from the traces; no model calls.
    """
    arms, spent = dict[str, int](), NO_USAGE
    for arm, deciding in filter(None, (choice_in(result.trace) for result in results)):
        arms[arm] = arms.get(arm, 0) + 1
        spent += deciding
    return dict(sorted(arms.items())), spent


def _pointless(means: Array) -> NDArray[np.bool_]:
    """[sets]: whether the dear one is no dearer than the cheap one, and as accurate: nobody would choose by lot."""
    _, _, cheap, dear, low, high = means.T
    found: NDArray[np.bool_] = (dear <= cheap) & (high >= low)
    return found


def _turns_up(first: Point, middle: Point, last: Point) -> bool:
    """Whether the middle one lies on or below the line between the others."""
    (x0, y0), (x1, y1), (x2, y2) = first, middle, last
    return (y1 - y0) * (x2 - x0) <= (y2 - y0) * (x1 - x0)
