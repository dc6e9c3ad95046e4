"""Calibration maps: from a score to the chance that the sample is right, fitted on recorded scores.

`Platt`, `Temperature` and `Isotonic` are fitted on pairs (score, right or wrong) of samples that the search will not
see, and are monotone: no order of scores is turned round. That matters where scores of different verifiers meet, where
they are weights of votes, and where a threshold means a probability. Fitting takes plain Python of the order of a
microsecond a pair and iteration (Platt, Temperature) or a sort (Isotonic).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from numbers import Real
from operator import itemgetter, mul

from searchkit.errors import ConfigError

CLOSEST = 1e-6  # probabilities count as no nearer than this to 0 and 1: a judge that says 1 and errs is forgiven
HOTTEST = 1e6  # the temperature of scores that say nothing, or the contrary of what is right: all become about 0.5


@dataclass(frozen=True)
class Platt:
    """The chance that a sample with score s is right: 1 / (1 + exp(-(slope * s + intercept))), for scores of any range.

    Slope >= 0. Platt 1999, "Probabilistic outputs for support vector machines".
    """

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not 0 <= self.slope < math.inf or not math.isfinite(self.intercept):
            raise ConfigError(f"Platt needs a finite slope >= 0 and a finite intercept, got {self}")

    def __call__(self, score: float) -> float:
        return _sigmoid(self.slope * score + self.intercept if self.slope else self.intercept)  # scores may be infinite

    @classmethod
    def fit(cls, scores: Iterable[float], right: Iterable[bool]) -> Platt:
        """The map of greatest likelihood, found by Newton's method.

        Not of the labels 1 and 0 but of Platt's smoothed ones, (r + 1) / (r + 2) for r right samples and 1 / (w + 2)
        for w wrong ones. Their likelihood has a finite maximum also where a score separates right from wrong: the map
        is steep then, with about those values on both sides. Scores that fall where rightness rises have slope 0: one
        chance for all. Raises `ConfigError` unless there are as many finite scores as labels, right and wrong ones.
        """
        xs, labels = _pairs(scores, right)
        targets, middle = _smoothed(labels), math.fsum(xs) / len(xs)
        slope, height = _logistic([x - middle for x in xs], targets) if min(xs) < max(xs) else (0.0, 0.0)
        if slope <= 0:
            share = math.fsum(targets) / len(targets)
            return cls(0.0, math.log(share / (1 - share)))
        return cls(slope, height - slope * middle)


@dataclass(frozen=True)
class Temperature:
    """A probability p made less sure by `temperature` > 1, and surer by one below: sigmoid(logit(p) / temperature).

    For scores in [0, 1] that mean a chance already, such as P(yes). 0.5 stays 0.5: where scores lean to one side, take
    `Isotonic`, or `Platt` on log-odds. After Guo et al. 2017, arXiv 1706.04599, for two classes. Raises `ConfigError`
    for a score outside [0, 1].
    """

    temperature: float

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ConfigError(f"a temperature is a finite number > 0, got {self.temperature}")

    def __call__(self, score: float) -> float:
        return _sigmoid(_logit(score) / self.temperature)

    @classmethod
    def fit(cls, scores: Iterable[float], right: Iterable[bool]) -> Temperature:
        """The temperature of greatest likelihood, with Platt's smoothed labels, found by Newton's method.

        So scores that separate right from wrong have a finite one too; scores that say nothing, or the contrary of what
        is right, have 1e6, at which all are about 0.5. Raises `ConfigError` as `Platt.fit` does.
        """
        probabilities, labels = _pairs(scores, right)
        sharpness, _ = _logistic([_logit(p) for p in probabilities], _smoothed(labels), level=False)
        return cls(min(HOTTEST, 1 / sharpness) if sharpness > 0 else HOTTEST)


@dataclass(frozen=True)
class Isotonic:
    """A line through the points (`scores`, `values`), level before the first and after the last: any that never falls.

    Needs some hundred pairs: with few it follows chance, up to 0 and 1 at the ends.
    """

    scores: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        xs, ys = list(self.scores), list(self.values)
        if not xs or len(xs) != len(ys) or xs != sorted(set(xs)) or ys != sorted(ys) or not 0 <= ys[0] <= ys[-1] <= 1:
            raise ConfigError("Isotonic needs scores that rise and as many values in [0, 1] that do not fall: use fit")
        if not math.isfinite(xs[-1] - xs[0]):
            raise ConfigError(f"Isotonic needs finite scores, got {xs[0]} to {xs[-1]}")

    def __call__(self, score: float) -> float:
        above = bisect_right(self.scores, score)
        if above in (0, len(self.scores)):
            return self.values[min(above, len(self.scores) - 1)]
        (x0, x1), (y0, y1) = (of[above - 1 : above + 1] for of in (self.scores, self.values))
        return min(y1, y0 + (y1 - y0) * ((score - x0) / (x1 - x0)))

    @classmethod
    def fit(cls, scores: Iterable[float], right: Iterable[bool]) -> Isotonic:
        """The non-falling values nearest to the labels in the sum of squares, by pooling adjacent violators.

        Equal scores are one block from the start; a block whose share of right samples is not above that of the block
        before it joins it. Every score of a block has the block's share; between blocks the line runs straight. Raises
        `ConfigError` as `Platt.fit` does.
        """
        blocks: list[tuple[float, float, int, int]] = []  # first score, last score, right ones, all
        for score, pairs in groupby(sorted(zip(*_pairs(scores, right), strict=True)), key=itemgetter(0)):
            labels = [label for _, label in pairs]
            first, good, size = score, sum(labels), len(labels)
            # Whole numbers, multiplied crosswise: the comparison of two shares is exact.
            while blocks and blocks[-1][2] * size >= good * blocks[-1][3]:
                first, _, more_good, more = blocks.pop()
                good, size = good + more_good, size + more
            blocks.append((first, score, good, size))
        points = {score: good / size for first, last, good, size in blocks for score in (first, last)}
        return cls(tuple(points), tuple(points.values()))


def _pairs(scores: Iterable[float], right: Iterable[bool]) -> tuple[list[float], list[bool]]:
    found, labels = list(scores), list(right)
    if len(found) != len(labels) or any(label not in (0, 1) for label in labels):
        raise ConfigError(f"give one label, True or False, for each of the {len(found)} scores, got {len(labels)}")
    if not all(isinstance(score, Real) and math.isfinite(score) for score in found):
        raise ConfigError("scores are finite numbers: leave out the samples on which the verifier abstained")
    if len(set(labels)) < 2:
        raise ConfigError("a map is fitted on right samples and wrong ones: there must be both")
    return [float(score) for score in found], [bool(label) for label in labels]


def _smoothed(labels: Sequence[bool]) -> list[float]:
    right = sum(labels)
    wrong = len(labels) - right
    return [(right + 1) / (right + 2) if label else 1 / (wrong + 2) for label in labels]


def _logistic(xs: Sequence[float], targets: Sequence[float], *, level: bool = True) -> tuple[float, float]:
    """The slope and height of the logistic curve of greatest likelihood; height 0 unless `level` is to be found too.

    Newton's method; a step that would raise the loss is halved until it does not, so it cannot run away.
    """
    slope = height = 0.0
    for _ in range(100):  # it takes about ten
        chances = [_sigmoid(slope * x + height) for x in xs]
        gaps = [p - t for p, t in zip(chances, targets, strict=True)]
        bends = [p * (1 - p) for p in chances]
        down, down_level = math.fsum(map(mul, gaps, xs)), math.fsum(gaps) if level else 0.0
        curve = math.fsum(bend * x * x for bend, x in zip(bends, xs, strict=True))
        mixed, curve_level = (math.fsum(map(mul, bends, xs)), math.fsum(bends)) if level else (0.0, 1.0)
        volume = curve * curve_level - mixed * mixed
        if volume <= 0:  # flat: the scores do not tell
            break
        step = (down * curve_level - down_level * mixed) / volume, (down_level * curve - down * mixed) / volume
        gain = down * step[0] + down_level * step[1]  # twice what the step gains, were the loss a parabola
        size, last = 1.0, gain <= 1e-10 * len(xs)  # so near that the next step would be the square of this one
        loss = math.inf if last else _loss(xs, targets, slope, height)
        while size > 1e-9 and _loss(xs, targets, slope - size * step[0], height - size * step[1]) > loss:
            size /= 2
        slope, height = slope - size * step[0], height - size * step[1]
        if last:
            break
    return slope, height


def _loss(xs: Sequence[float], targets: Sequence[float], slope: float, height: float) -> float:
    """Minus the log-likelihood, in nats."""
    logits = [slope * x + height for x in xs]
    return math.fsum(max(u, 0) + math.log1p(math.exp(-abs(u))) - t * u for u, t in zip(logits, targets, strict=True))


def _sigmoid(logit: float) -> float:
    # In this form it never falls, not by a rounding either, as exp(x) / (1 + exp(x)) does; exp(709) is the last finite.
    return 1 / (1 + math.exp(-logit)) if logit > -709 else 0.0


def _logit(p: float) -> float:
    if not 0 <= p <= 1:
        raise ConfigError(f"a temperature is for scores in [0, 1] that are chances, got {p}: use Platt or Isotonic")
    near = min(max(p, CLOSEST), 1 - CLOSEST)
    return math.log(near / (1 - near))
