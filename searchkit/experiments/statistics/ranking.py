"""Does a verifier rank right samples above wrong ones? AUROC within problems and over all samples, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.intervals import Interval, bootstrap
from searchkit.experiments.pool.pool import Pool

Array = NDArray[np.float64]
SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")
Columns = tuple[list[list[float]], list[list[bool]]]


def labelled(pool: Pool) -> Columns:
    """(scores, right) of a pool: for each problem one entry a sample that has a score and is right or wrong.

    A sample of which nobody knows has no label, and is left out.
    """
    kept = [
        [(e.score, e.correct) for e in entries if e.score is not None and not e.unknown]
        for entries in pool.entries.values()
    ]
    return [[score for score, _ in rows] for rows in kept], [[right for _, right in rows] for rows in kept]


def ranks(values: ArrayLike) -> Array:
    """Ranks 1 ... n, equal values sharing their mean."""
    _, place, counts = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    found: Array = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return found


def auroc(scores: ArrayLike, right: ArrayLike) -> float:
    """The chance that a random right sample has a higher score than a random wrong one, ties counting half.

    `ConfigError` unless there are both, and as many scores as labels. O(n log n).
    """
    values, labels = np.asarray(scores, dtype=float), np.asarray(right, dtype=bool)
    if values.shape != labels.shape or values.ndim != 1:
        raise ConfigError(f"every score needs a label, got shapes {values.shape} and {labels.shape}")
    positive, negative = int(labels.sum()), int((~labels).sum())
    if not positive or not negative:
        raise ConfigError("AUROC compares right samples with wrong ones: there must be both")
    return float((ranks(values)[labels].sum() / positive - (positive + 1) / 2) / negative)


def auroc_within(
    scores: Sequence[ArrayLike], right: Sequence[ArrayLike], *, draws: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Mean AUROC within a problem, over the problems that have right and wrong samples: what best-of-N lives on.

    One array a problem in `scores` and in `right`. The interval resamples problems. `ConfigError` if no problem has
    both.
    """
    columns = zip(scores, right, strict=True)
    values = [auroc(s, r) for s, r in columns if 0 < np.count_nonzero(r) < np.size(r)]
    if not values:
        raise ConfigError("no problem has a right and a wrong sample: draw more samples of each")
    return bootstrap(values, draws, seed, level)


def auroc_pooled(
    scores: Sequence[ArrayLike],
    right: Sequence[ArrayLike],
    *,
    weights: Sequence[ArrayLike] | None = None,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """AUROC over the samples of all problems together: what a threshold for all problems lives on.

    A verifier that only knows how hard a problem is does well here, and within problems it is worth nothing. weights:
    one array a problem, how often each sample counts (>= 0); once by default. The interval resamples whole problems;
    draws without right or without wrong samples are left out. O(draws * samples).
    """
    values = np.concatenate([np.asarray(s, dtype=float) for s in scores])
    labels = np.concatenate([np.asarray(r, dtype=bool) for r in right])
    counts = np.ones(len(values)) if weights is None else np.concatenate([np.asarray(w, dtype=float) for w in weights])
    problem, n = np.repeat(np.arange(len(scores)), [np.size(s) for s in scores]), len(scores)
    if values.shape != labels.shape or values.shape != counts.shape or not (counts >= 0).all():
        raise ConfigError("every score needs a label, and a weight >= 0 if there are any")
    kept = counts > 0
    values, labels, counts, problem = values[kept], labels[kept], counts[kept], problem[kept]
    if not labels.any() or labels.all():
        raise ConfigError("AUROC compares right samples with wrong ones: there must be both")
    resampled = _of_pairs(values, labels, counts, problem)
    mean = resampled(np.ones(n))
    if n == 1:
        return Interval(np.array(mean), np.array(np.nan), np.array(np.nan))
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    low, high = np.nanquantile([resampled(times) for times in drawn], [(1 - level) / 2, (1 + level) / 2])
    return Interval(np.array(mean), low, high)


def _of_pairs(
    values: Array, labels: NDArray[np.bool_], counts: Array, problem: NDArray[np.intp]
) -> Callable[[NDArray[Any]], float]:
    """AUROC as a function of how often each problem was drawn; NaN where that leaves no pair of right and wrong."""
    wrong = np.flatnonzero(~labels)[np.argsort(values[~labels], kind="stable")]
    lower, upper = (np.searchsorted(values[wrong], values[labels], side) for side in SIDES)
    for_right, for_wrong, of_right, of_wrong = counts[labels], counts[wrong], problem[labels], problem[wrong]
    below = np.zeros(len(wrong) + 1)  # how much the wrong samples weigh that are among the lowest so many

    def auroc_of(times: NDArray[Any]) -> float:
        np.cumsum(times[of_wrong] * for_wrong, out=below[1:])
        weights = times[of_right] * for_right
        pairs = weights.sum() * below[-1]
        return float(weights @ (below[lower] + below[upper]) / 2 / pairs) if pairs else np.nan

    return auroc_of
