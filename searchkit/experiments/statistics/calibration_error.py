"""Does a confidence of 0.8 mean that 80 % are right? Calibration error, and a published script's form of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.intervals import Interval

Array = NDArray[np.float64]


def calibration_error(
    confidence: Sequence[ArrayLike],
    right: Sequence[ArrayLike],
    *,
    weights: Sequence[ArrayLike] | None = None,
    bins: int = 10,
    power: Literal[1, 2] = 1,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """How far confidence and share of right ones lie apart, over bins weighted by their size. In [0, 1].

    One array a problem in `confidence` (each in [0, 1]) and in `right`; and in `weights`, how often each sample counts
    (>= 0), once by default. power: 1 takes the mean distance (the expected calibration error), 2 the root mean square.
    Bins hold equally many samples, except that equal confidences share one.
    The interval resamples problems, with the bins as they are. Chance differences within a bin count too, so that value
    and interval lie a little high: with 100 samples a bin, by up to 0.04 for power 1.
    """
    values = np.concatenate([np.asarray(c, dtype=float) for c in confidence])
    labels = np.concatenate([np.asarray(r, dtype=float) for r in right])
    counts = np.ones(len(values)) if weights is None else np.concatenate([np.asarray(w, dtype=float) for w in weights])
    if values.shape != labels.shape or not len(values) or not ((values >= 0) & (values <= 1)).all():
        raise ConfigError("every sample needs a confidence in [0, 1] and a label: map scores with Platt or Isotonic")
    if counts.shape != values.shape or not (counts >= 0).all() or not counts.any():
        raise ConfigError("weights say how often each sample counts: >= 0, one for each, and not all 0")
    if bins < 1 or power not in (1, 2):
        raise ConfigError(f"bins must be >= 1 and power 1 or 2, got bins={bins}, power={power}")
    n = len(confidence)
    problem = np.repeat(np.arange(n), [np.size(c) for c in confidence])
    place = _bins(values, counts, bins)
    count, gap = np.zeros((n, bins)), np.zeros((n, bins))
    np.add.at(count, (problem, place), counts)
    np.add.at(gap, (problem, place), counts * (values - labels))

    def error(times: Array) -> Array:
        sizes, gaps = times @ count, np.abs(times @ gap)
        whole = sizes.sum(-1)
        mean = (gaps**power / np.where(sizes > 0, sizes, 1) ** (power - 1)).sum(-1) / np.where(whole > 0, whole, np.nan)
        found: Array = mean ** (1 / power)
        return found

    if n == 1:
        return Interval(error(np.ones(n)), np.array(np.nan), np.array(np.nan))
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws).astype(float)
    low, high = np.nanquantile(error(times), [(1 - level) / 2, (1 + level) / 2])
    return Interval(error(np.ones(n)), low, high)


def _bins(values: Array, counts: Array, bins: int) -> NDArray[np.intp]:
    """The bin of each value, by the middle of its rank where each counts so often; equal ones share theirs."""
    _, group = np.unique(values, return_inverse=True)
    sizes = np.bincount(group, counts)
    middle = np.cumsum(sizes) - sizes / 2
    found: NDArray[np.intp] = np.minimum((middle * bins / sizes.sum()).astype(np.intp), bins - 1)[group]
    return found


def hle_compat(confidence: ArrayLike, right: ArrayLike, size: int = 100) -> float:
    """Calibration error as the script of Humanity's Last Exam has it in its copies, to compare with such figures only.

    Root mean square over bins of `size` answers in the order of confidence, the last bin taking the remainder; then the
    last bin is forgotten: the surest `size` to 2 * `size` - 1 answers add nothing, although they count as answers. With
    fewer than 2 * `size` answers the result is 0 whatever they are. Equal confidences keep their order here. Raises
    `ConfigError` for fewer than `size` answers, where the script fails. Otherwise use `calibration_error(power=2)`.
    """
    values, labels = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    if values.shape != labels.shape or values.ndim != 1 or size < 1 or len(values) < size:
        raise ConfigError(f"this form needs a label for each confidence, and {size} of them at least")
    order = np.argsort(values, kind="stable")
    counted = order[: (len(order) // size - 1) * size].reshape(-1, size)
    gaps = values[counted].mean(axis=1) - labels[counted].mean(axis=1)
    return float(np.sqrt((size / len(values) * gaps**2).sum()))
