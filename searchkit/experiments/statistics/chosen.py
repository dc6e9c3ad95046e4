"""The samples that a score chooses among k: does it tell which of them are right, and is it as sure as they are?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.estimators import chosen_at_k
from searchkit.experiments.estimators.intervals import Interval
from searchkit.experiments.pool.pool import Pool
from searchkit.experiments.statistics.calibration_error import calibration_error
from searchkit.experiments.statistics.ranking import auroc_pooled

NEGLIGIBLE = 1e-12  # a chance of being chosen that is left out
Array = NDArray[np.float64]
ReadAs = Callable[[float], float]


@dataclass(frozen=True)
class Chosen:
    """The samples that have the best score of k, each counted with its chance of being that one.

    - k: samples a problem.
    - auroc: the chance that a right one of them scores above a wrong one, of all problems together; None where they are
      all right or all wrong.
    - calibration: how far their confidence and the share of right ones lie apart (`calibration_error`); None where
      scores are no chances.
    - promised: their mean confidence; NaN where scores are no chances. More samples raise it, whatever becomes of the
      accuracy.
    - unknown: the share of which nobody knows whether they are right. They are in none of the above.
    """

    k: int
    auroc: Interval | None
    calibration: Interval | None
    promised: float
    unknown: float


def chosen(pool: Pool, k: int, confidence: ReadAs | None, drawing: Mapping[str, Any]) -> Chosen:
    """Of a pool with scores. confidence: what a score means (`confidence_of`), None: nothing. drawing: seed, level."""
    columns = list(pool.entries.values())
    weights = [chosen_at_k([entry.score for entry in column], k) for column in columns]
    unknown = [np.array([entry.unknown for entry in column]) for column in columns]
    known = [np.where(open_ | (w < NEGLIGIBLE), 0.0, w) for w, open_ in zip(weights, unknown, strict=True)]
    right = [np.array([entry.correct for entry in column]) for column in columns]
    counted = np.concatenate(known) > 0
    both = len(np.unique(np.concatenate(right)[counted])) == 2
    return Chosen(
        k,
        auroc_pooled(_read(pool, float), right, weights=known, **drawing) if both else None,
        calibration_error(_read(pool, confidence), right, weights=known, **drawing)
        if confidence is not None and counted.any()
        else None,
        _mean(_read(pool, confidence), known) if confidence is not None and counted.any() else np.nan,
        float(np.mean([w[open_].sum() for w, open_ in zip(weights, unknown, strict=True)])),
    )


def confidence_of(pool: Pool, confidence: ReadAs | None) -> ReadAs | None:
    """`confidence`, checked; without one the score itself where all scores of the pool are in [0, 1], else None.

    Raises `ConfigError` where it makes something else than a chance of a score.
    """
    scores = {entry.score for _, entry in pool.samples() if entry.score is not None}
    if confidence is None:
        return float if scores and all(0 <= score <= 1 for score in scores) else None
    for score in scores:
        if not 0 <= confidence(score) <= 1:
            raise ConfigError(f"confidence= makes a chance in [0, 1] of a score, got {confidence(score)} of {score}")
    return confidence


def _read(pool: Pool, confidence: ReadAs) -> list[Array]:
    """What is read of each score; 0 where there is none, which has no weight."""
    return [
        np.array([0.0 if entry.score is None else confidence(entry.score) for entry in column])
        for column in pool.entries.values()
    ]


def _mean(values: list[Array], weights: list[Array]) -> float:
    return float(np.average(np.concatenate(values), weights=np.concatenate(weights)))
