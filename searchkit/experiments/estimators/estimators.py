"""What a method would have scored with k samples, estimated from one pool of n samples of a problem.

Every estimate is an expectation over the k-subsets of the pool, drawn uniformly without replacement: exact where a
closed form or a short sum exists, so that curves have no sampling noise of their own. Resampling *with*
replacement would estimate something else, since it draws duplicates that independent samples would not give.

All values are in [0, 1]. Rules that hold throughout, so that results do not depend on the order of the pool:
ties are split uniformly; a sample without a score (or key) is drawn like any other but cannot be chosen; a subset in
which nothing can be chosen counts as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.voting import majority

Array = NDArray[np.float64]


def budgets(n: int) -> tuple[int, ...]:
    """The subset sizes that curves use: 1, 2, 4, ... up to n, and n itself."""
    if n < 1:
        raise ConfigError(f"a curve needs at least one sample a problem, got n={n}")
    return (*(2**i for i in range((n - 1).bit_length())), n)


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that at least one of k samples is right, where c of n are: 1 - C(n-c, k) / C(n, k).

    Computed as a product of c factors, so that no binomial coefficient can overflow. The plug-in 1 - (1 - c/n)^k is
    biased downwards.
    """
    _check(n, k)
    if not 0 <= c <= n:
        raise ConfigError(f"the number of right samples must be in [0, {n}], got {c}")
    if n - c < k:
        return 1.0
    return float(-np.expm1(np.log1p(-k / np.arange(n - c + 1, n + 1)).sum()))


def best_at_k(scores: Sequence[float | None], correct: Sequence[bool], k: int) -> float:
    """Accuracy of choosing the sample of the highest score among k (`chosen_at_k`). O(n log n)."""
    _check(len(correct), k, scores)
    return float(chosen_at_k(scores, k) @ np.asarray(correct, dtype=float))


def chosen_at_k(scores: Sequence[float | None], k: int) -> Array:
    """[n], for each sample the chance that it is chosen: drawn among k, with the highest score. O(n log n).

    Samples are ranked by ascending score and grouped by ties; the group at ranks [i, j) provides the winner with
    probability (C(j, k) - C(i, k)) / C(n, k), and each of its members is then equally likely. They sum to 1 less the
    chance that none of the k has a score.
    """
    n = _check(len(scores), k)
    known = np.array([i for i, score in enumerate(scores) if score is not None], dtype=int)
    found = np.zeros(n)
    if not len(known):
        return found
    values = np.array([score for score in scores if score is not None], dtype=float)
    for score in values[~np.isfinite(values)]:
        _finite(float(score))
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends = n - len(known) + np.cumsum(sizes)
    below = tails(n, k)
    found[known] = ((below[ends] - below[ends - sizes]) / sizes)[group]
    return found


def maj_at_k(keys: Sequence[Hashable | None], correct: Sequence[bool], k: int) -> float:
    """Accuracy of a majority vote among k samples: exact (`voting.py`).

    keys: the canonical answer of each sample; None abstains. Several classes may be right. Where one key holds right
    and wrong samples (an imperfect key), the vote returns any member of the winning class with equal chance. Cost:
    milliseconds for n = 100, some tens for n = 1,000.
    """
    n = _check(len(correct), k, keys)
    return majority(_classes(keys, correct), n, k)


def weighted_at_k(
    keys: Sequence[Hashable | None],
    scores: Sequence[float | None],
    correct: Sequence[bool],
    k: int,
    *,
    seed: int = 0,
    draws: int = 1000,
) -> float:
    """Accuracy of a vote in which every sample adds its score to its answer's total, among k samples.

    There is no closed form: all subsets are enumerated if there are at most `draws` of them, otherwise `draws` are
    drawn from `seed` (standard error at most 0.5 / sqrt(draws)). A sample votes if it has both a key and a score.
    Totals closer than 1e-12 of the sum of all absolute scores tie, which absorbs the rounding of sums.
    """
    n = _check(len(correct), k, keys, scores)
    if draws < 1:
        raise ConfigError(f"draws must be >= 1, got {draws}")
    voters = [i for i in range(n) if keys[i] is not None and scores[i] is not None]
    names = {key: c for c, key in enumerate(dict.fromkeys(keys[i] for i in voters))}
    member, weight = np.zeros((n, len(names))), np.zeros(n)
    for i in voters:
        member[i, names[keys[i]]], weight[i] = 1.0, _finite(scores[i] or 0.0)
    if not names:
        return 0.0
    drawn = _subsets(n, k, seed, draws)
    votes = drawn @ member  # [subsets, classes]
    totals = np.where(votes > 0, drawn @ (member * weight[:, None]), -np.inf)
    best = totals.max(axis=1, keepdims=True)
    top = totals >= best - 1e-12 * np.abs(weight).sum()
    share = drawn @ (member * np.asarray(correct, dtype=float)[:, None]) / np.maximum(votes, 1.0)
    return float((np.where(top, share, 0.0).sum(axis=1) / top.sum(axis=1)).mean())


def _check(n: int, k: int, *columns: Sequence[object]) -> int:
    if not 1 <= k <= n:
        raise ConfigError(f"k must be in [1, {n}], the number of samples in the pool, got {k}")
    if any(len(column) != n for column in columns):
        raise ConfigError(f"every sample needs one entry in each column: got lengths {[*map(len, columns)]} and {n}")
    return n


def _finite(score: float) -> float:
    if not math.isfinite(score):
        raise ConfigError(f"scores must be finite numbers, or None for a verifier that abstained, got {score}")
    return score


def tails(n: int, k: int) -> Array:
    """C(r, k) / C(n, k) for r = 0 ... n."""
    factors = np.maximum(0.0, 1.0 - k / np.arange(1, n + 1))
    return np.append(np.cumprod(factors[::-1])[::-1], 1.0)


def _classes(keys: Sequence[Hashable | None], correct: Sequence[bool]) -> list[tuple[int, float]]:
    """(size, share of right samples) of every answer class."""
    members: dict[Hashable, list[bool]] = {}
    for key, right in zip(keys, correct, strict=True):
        if key is not None:
            members.setdefault(key, []).append(right)
    return [(len(rights), sum(rights) / len(rights)) for rights in members.values()]


def _subsets(n: int, k: int, seed: int, draws: int) -> Array:
    """0/1 rows [subsets, n]: all k-subsets if there are at most `draws`, else as many at random."""
    if math.comb(n, k) <= draws:
        chosen = np.array(list(combinations(range(n), k)))
    else:
        chosen = np.random.default_rng(seed).random((draws, n)).argpartition(k - 1, axis=1)[:, :k]
    rows = np.zeros((len(chosen), n))
    np.put_along_axis(rows, chosen, 1.0, axis=1)
    return rows
