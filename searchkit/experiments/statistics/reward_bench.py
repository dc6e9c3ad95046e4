"""Does a reward model find the right one of four? RewardBench's accuracy, without its gift to constant models."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.intervals import Interval, bootstrap


def reward_bench(
    scores: Sequence[Sequence[float]], *, draws: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Share of items whose first completion, the chosen one, has the highest score; ties are drawn by lot.

    scores: one row an item, the chosen completion first, then the rejected ones: four columns in RewardBench 2. The
    expected value over the lots is computed, so a constant model of four scores 0.25, where taking the first maximum
    (as numpy's argmax in the released script) would give it 1. A mean over sections weighted by their sizes, as
    RewardBench 2 reports, is this over all their items. Items with several right completions are not of this kind.
    """
    if not scores or any(len(row) != len(scores[0]) or len(row) < 2 for row in scores):
        raise ConfigError("each item needs the same number of scores, two at least, the chosen completion's first")
    values = [found_among(row, [i == 0 for i in range(len(row))], len(row) - 1) for row in scores]
    return bootstrap(values, draws, seed, level)


def found_among(scores: Sequence[float], right: Sequence[bool], wrong: int = 3) -> float:
    """How often a random right sample has the highest score among `wrong` random wrong ones, ties drawn by lot.

    Exact over all choices. The same question for samples of one problem of which several are right. `ConfigError`
    unless there are a right sample and `wrong` wrong ones.
    """
    against = np.array([s for s, r in zip(scores, right, strict=True) if not r], dtype=float)
    chosen = [s for s, r in zip(scores, right, strict=True) if r]
    if not chosen or wrong < 1 or len(against) < wrong:
        raise ConfigError(f"finding the right one among {wrong} wrong ones needs a right sample and {wrong} wrong ones")
    if not np.isfinite([*against, *chosen]).all():
        raise ConfigError("scores must be finite numbers")
    total = 0.0
    for score in chosen:
        below, equal = int((against < score).sum()), int((against == score).sum())
        total += sum(comb(equal, j) * comb(below, wrong - j) / (j + 1) for j in range(wrong + 1))
    return total / len(chosen) / comb(len(against), wrong)
