"""Does a choice get worse with more samples? Where a curve falls, with an interval, and one for having looked there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.intervals import Interval, paired_bootstrap, snapped

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FallingCurve:
    """A curve that surely falls: at `last` it is lower than at a smaller number of samples.

    - peak: from how many samples on it falls: of those that `last` is surely below, the one that it is farthest below.
    - first: the smallest number that is surely below a smaller one.
    - last: the greatest such number.
    - difference: the accuracy at `last` less that at `peak`, below 0, with a paired interval over problems that
      excludes 0. It holds for this pair, had it been named before.
    - of_all: the same difference with an interval that holds for all pairs of points at once, since all were looked at.
      Where it excludes 0 too, the fall is sure in spite of the looking.
    """

    peak: int
    first: int
    last: int
    difference: Interval
    of_all: Interval

    @property
    def sure(self) -> bool:
        """Whether chance is ruled out although all pairs were looked at."""
        return bool(self.of_all.high < 0)

    def __str__(self) -> str:
        """``falls from 64 samples on: at 256 it is -5.0 [-7.7, -2.3] points; ...``, in points."""
        first = f", surely lower from {self.first:,} on" if self.first != self.last else ""
        looked = "for all pairs at once" + ("" if self.sure else ", so that it may be chance")
        return (
            f"falls from {self.peak:,} samples on{first}: at {self.last:,} it has changed by "
            f"{_points(self.difference)} points, {_points(self.of_all, bounds=True)} {looked}"
        )


def fall(
    ks: Sequence[int], per_problem: ArrayLike, *, draws: int = 2000, seed: int = 0, level: float = 0.95
) -> FallingCurve | None:
    """Where a curve falls: ``fall(curve.ks, curve.per_problem)``; None where no point is surely below an earlier one.

    ks: ascending numbers of samples. per_problem: [problems, points], the expected accuracy of each problem. Surely:
    the paired difference of the two points, resampled over problems, has an interval at `level` that lies below 0. A
    single problem is never sure of anything.

    Many pairs are looked at, 55 for eleven points, and points far apart vary together: a flat curve shows a fall in
    far more than 5 % of studies. `FallingCurve.of_all` allows for that: its bounds are as many standard errors away as
    the greatest deviation of any pair is in `level` of the resamples (max-t). Cost: draws x problems x points,
    milliseconds.

    Source: over-optimisation of a proxy by best-of-N, Gao et al. 2022, Scaling Laws for Reward Model Overoptimization.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> hacked = (rng.random(200) < 0.3)[:, None]  # of 30 % the best sample scores worse than a wrong one
        >>> found = fall([1, 4, 16], np.where(hacked, [0.5, 0.6, 0.1], [0.5, 0.6, 0.7]))
        >>> found.peak, found.first, found.last, found.difference.high < 0
        (4, 16, 16, True)
    """
    values = np.asarray(per_problem, dtype=float)
    if values.ndim != 2 or values.shape[1] != len(ks) or not len(values) or list(ks) != sorted(set(ks)):
        raise ConfigError(f"a fall is looked for in [problems, points] with ascending ks, got {values.shape} and {ks}")
    pairs = list(combinations(range(len(ks)), 2))
    if not pairs:
        return None
    smaller, greater = (list(side) for side in zip(*pairs, strict=True))
    found = paired_bootstrap(values[:, greater], values[:, smaller], draws, seed, level)
    below = np.flatnonzero(found.high < 0)  # NaN is not
    if not len(below):
        return None
    last = max(greater[i] for i in below)
    deepest = min((i for i in below if greater[i] == last), key=lambda i: (found.mean[i], smaller[i]))
    low, high = _at_once(values[:, greater] - values[:, smaller], draws, seed, level)
    return FallingCurve(
        ks[smaller[deepest]],
        ks[min(greater[i] for i in below)],
        ks[last],
        Interval(found.mean[deepest], found.low[deepest], found.high[deepest]),
        Interval(found.mean[deepest], low[deepest], high[deepest]),
    )


def _at_once(differences: Array, draws: int, seed: int, level: float) -> tuple[Array, Array]:
    """[pairs] bounds of the means over problems that hold for all of them at once."""
    problems, values = len(differences), snapped(differences)
    mean = values.mean(axis=0)
    times = np.random.default_rng(seed).multinomial(problems, np.full(problems, 1 / problems), size=draws)
    off = times @ values / problems - mean
    error = off.std(axis=0)
    varies = error > 0
    reach = np.quantile(np.abs(off[:, varies] / error[varies]).max(axis=1), level) if varies.any() else 0.0
    return snapped(mean - reach * error), snapped(mean + reach * error)


def _points(interval: Interval, *, bounds: bool = False) -> str:
    mean, low, high = (100 * float(value) for value in (interval.mean, interval.low, interval.high))
    return f"[{low:z.1f}, {high:z.1f}]" if bounds else f"{mean:z.1f} [{low:z.1f}, {high:z.1f}]"
