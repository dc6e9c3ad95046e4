"""Cumulative regret: how much accuracy a long thought leaves on the table on its way to a budget of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from searchkit.errors import ConfigError


def regret(tokens: Sequence[float], accuracy: Sequence[float], budget: float) -> float:
    """The mean of 1 - accuracy over all budgets from 0 to `budget` tokens. In [0, 1], lower is better.

    A trace is cut into episodes, and after each the model is made to answer at once. tokens: ascending, > 0; the tokens
    up to there plus those of the forced answers on average. accuracy: in [0, 1], the share of those answers that are
    right. Between the points accuracy is interpolated linearly, from 0 at 0 tokens; after the last one it stays.

    Source: meta reinforcement fine-tuning (CMU-AIRe/MRT), released ``analysis/code/regret.ipynb``, there for budgets of
    4,096 to 16,384 tokens. The best possible comparator of the definition is replaced by an accuracy of 1, as there.
    """
    if len(tokens) != len(accuracy) or not len(tokens) or any(not 0 <= p <= 1 for p in accuracy):
        raise ConfigError(f"each episode needs tokens and an accuracy in [0, 1], got {tokens} and {accuracy}")
    if any(not a < b for a, b in pairwise([0.0, *tokens])):
        raise ConfigError(f"the tokens after each episode must ascend and be > 0, got {tokens}")
    if not 0 < budget < np.inf:
        raise ConfigError(f"the budget is a finite number of tokens > 0, got {budget}")
    x, y = [0.0, *tokens], [0.0, *accuracy]
    corners = np.array([*(at for at in x if at < budget), budget])
    heights = np.interp(corners, x, y)
    area = ((heights[1:] + heights[:-1]) / 2 * np.diff(corners)).sum()
    return float(1 - area / budget)
