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
STRETCH = 64  # samples in a row that are compared each with each
PAIRS_A_SAMPLE, MOST = 64, 4096  # of problems: where the matrix of their pairs is worth its making, and fits in memory
Labels = NDArray[np.bool_]
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
    draws without right or without wrong samples are left out. Cost: O(64 * samples + draws * problems^2); of a great
    many problems with few samples O(draws * samples).
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
    # A matrix of all pairs of problems where that is less work than a pass over the samples for each draw, and fits.
    few = n * n <= PAIRS_A_SAMPLE * len(values) and n <= MOST
    resampled = (_of_problems if few else _of_samples)(values, labels, counts, problem, n)
    mean = resampled(np.ones((1, n)))[0]
    if n == 1:
        return Interval(np.array(mean), np.array(np.nan), np.array(np.nan))
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    low, high = np.nanquantile(resampled(drawn), [(1 - level) / 2, (1 + level) / 2])
    return Interval(np.array(mean), low, high)


def _of_problems(
    values: Array, labels: Labels, counts: Array, problem: NDArray[np.intp], problems: int
) -> Callable[[NDArray[Any]], Array]:
    """[draws] AUROCs as a function of how often each problem was drawn, [draws, problems]; NaN where no pair is."""
    above = _pairs(values, labels, counts, problem, problems)
    right, wrong = (np.bincount(problem[side], counts[side], problems) for side in (labels, ~labels))

    def aurocs_of(drawn: NDArray[Any]) -> Array:
        times = drawn.astype(float)
        return _share(((times @ above) * times).sum(axis=1), (times @ right) * (times @ wrong))

    return aurocs_of


def _pairs(values: Array, labels: Labels, counts: Array, problem: NDArray[np.intp], problems: int) -> Array:
    """[p, q], how much the right samples of p weigh against the wrong ones of q below them; ties count half.

    Sorted by score, all in one stretch of samples stand above all in the stretches before it, which is one product of
    matrices; within a stretch each is compared with each. Equal scores never part: of a stretch that they fill alone
    all pairs count half. O(samples * STRETCH + problems^2 * samples / STRETCH).
    """
    order = np.argsort(values, kind="stable")
    values, labels, weight, problem = values[order], labels[order], counts[order], problem[order]
    _, start, sizes = np.unique(values, return_index=True, return_counts=True)
    length = max(STRETCH, len(values) // MOST)  # so that stretches stay few enough for memory
    level = np.repeat(start, sizes)  # the place of the first of its score: equal scores are of one stretch
    many = np.append(False, sizes > length)  # and those of which there are many have one for themselves
    parts = np.append(True, np.diff(start // length) > 0) | many[1:] | many[:-1]
    stretch = np.repeat(np.cumsum(parts) - 1, sizes)
    whole, found = int(stretch[-1]) + 1, np.zeros((problems, problems))
    right, wrong = (
        np.bincount(problem[side] * whole + stretch[side], weight[side], problems * whole).reshape(problems, whole)
        for side in (labels, ~labels)
    )
    found += right @ (np.cumsum(wrong, axis=1) - wrong / 2).T
    # Half of all pairs within a stretch is in it by now: half more where the right one is above, half less where below.
    ends = np.searchsorted(stretch, np.arange(whole), "right")
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        if level[first] == level[end - 1]:
            continue
        inside = np.arange(first, end)
        ups, downs = inside[labels[inside]], inside[~labels[inside]]
        half = np.sign(level[ups, None] - level[downs]) * (weight[ups, None] * weight[downs] / 2)
        np.add.at(found, (problem[ups, None], problem[downs]), half)
    return found


def _of_samples(
    values: Array, labels: Labels, counts: Array, problem: NDArray[np.intp], _: int
) -> Callable[[NDArray[Any]], Array]:
    """The same, with a pass over the samples for each draw."""
    wrong = np.flatnonzero(~labels)[np.argsort(values[~labels], kind="stable")]
    lower, upper = (np.searchsorted(values[wrong], values[labels], side) for side in SIDES)
    for_right, for_wrong, of_right, of_wrong = counts[labels], counts[wrong], problem[labels], problem[wrong]
    below = np.zeros(len(wrong) + 1)  # how much the wrong samples weigh that are among the lowest so many

    def auroc_of(times: NDArray[Any]) -> tuple[float, float]:
        np.cumsum(times[of_wrong] * for_wrong, out=below[1:])
        weights = times[of_right] * for_right
        return float(weights @ (below[lower] + below[upper])) / 2, float(weights.sum() * below[-1])

    return lambda drawn: _share(*np.array([auroc_of(times) for times in drawn]).T)


def _share(won: Array, pairs: Array) -> Array:
    found: Array = np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)
    return found
