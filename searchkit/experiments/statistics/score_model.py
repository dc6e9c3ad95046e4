"""How a verifier errs: what scores it gives to right and to wrong samples, learned from samples with a known truth."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.pool.pool import Pool
from searchkit.verifiers.combining.calibration import Platt


@dataclass(frozen=True)
class ScoreModel:
    """How the scores of right and of wrong samples spread: `right` and `wrong` are the shares in each bin of scores.

    edges: ascending, one less than there are bins; a score equal to an edge is above it.
    """

    edges: tuple[float, ...]
    right: tuple[float, ...]
    wrong: tuple[float, ...]

    @classmethod
    def fit(cls, pool: Pool, bins: int = 48) -> ScoreModel:
        """From samples with a known truth, of other problems than those to be solved.

        Bins hold equally many scores, except that equal scores share one. The chance that a sample is right is fitted
        to the bin's place among all (as a normal score) by `Platt`: a higher score never speaks against a sample, and
        a thousand samples are enough. Raises `ConfigError` unless there are scores of right and of wrong samples.
        """
        entries = [entry for column in pool.entries.values() for entry in column if not entry.unknown]
        known = [(entry.score, entry.correct) for entry in entries if entry.score is not None]
        if len({right for _, right in known}) < 2:
            raise ConfigError("a score model needs a pool with scores of right and of wrong samples: draw more samples")
        if bins < 2:
            raise ConfigError(f"bins must be >= 2, got {bins}")
        values, labels = zip(*known, strict=True)
        edges = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="higher"))
        edges = edges[edges > min(values)]
        place = np.searchsorted(edges, values, side="right")
        share = 1.0 + np.bincount(place, minlength=len(edges) + 1)
        share /= share.sum()
        normal = [NormalDist().inv_cdf(middle) for middle in np.cumsum(share) - share / 2]
        chance = Platt.fit([normal[i] for i in place], labels)
        right = share * [chance(score) for score in normal]
        wrong = share - right
        return cls(tuple(edges.tolist()), tuple((right / right.sum()).tolist()), tuple((wrong / wrong.sum()).tolist()))

    def bins(self, scores: ArrayLike) -> NDArray[np.intp]:
        """The bin of each score."""
        return np.searchsorted(np.array(self.edges), scores, side="right")
