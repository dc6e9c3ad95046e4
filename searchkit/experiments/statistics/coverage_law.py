"""How coverage grows with the number of samples: a fitted law, to be extrapolated with care."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from searchkit.errors import ConfigError


@dataclass(frozen=True)
class CoverageLaw:
    """Coverage c(k) of about exp(a * k^b); where coverage rises, a and b are negative.

    ks: the smallest and the greatest k that were fitted; beyond them `predict` extrapolates. r2: the share of the
    variance of log(-log c) that the line explains; NaN where all values are equal.
    """

    a: float
    b: float
    ks: tuple[int, int]
    r2: float

    def predict(self, k: float) -> float:
        """The coverage with `k` samples, in (0, 1). Raises `ConfigError` unless k > 0."""
        if not k > 0:
            raise ConfigError(f"coverage is predicted for k > 0 samples, got {k}")
        return math.exp(self.a * k**self.b)


def coverage_law(ks: Sequence[int], coverage: Sequence[float]) -> CoverageLaw:
    """The law that fits a curve of pass@k best: ``coverage_law(curve.ks, curve.mean)``.

    Least squares of log(-log c) on log k, each point with the same weight; points at which coverage is 0 or 1 have no
    such logarithm and are left out. Raises `ConfigError` if fewer than two points are left.

    Form: Brown et al. 2024, Large Language Monkeys. It describes means over many problems: the coverage of a single one
    is 1 - (1 - p)^k, which is no such law.
    """
    if len(ks) != len(coverage) or any(k < 1 for k in ks) or not all(0 <= c <= 1 for c in coverage):
        raise ConfigError(f"a coverage law needs a coverage in [0, 1] for every k >= 1, got {ks} and {coverage}")
    points = [(k, c) for k, c in zip(ks, coverage, strict=True) if 0 < c < 1]
    if len({k for k, _ in points}) < 2:
        raise ConfigError(
            f"a line needs two ks with a coverage other than 0 and 1, got {len(points)}: draw more problems or samples"
        )
    x, y = (np.log(column) for column in zip(*((k, -math.log(c)) for k, c in points), strict=True))
    b = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    intercept = float(y.mean() - b * x.mean())
    left, whole = float(((y - intercept - b * x) ** 2).sum()), float(((y - y.mean()) ** 2).sum())
    fitted = [k for k, _ in points]
    return CoverageLaw(-math.exp(intercept), b, (min(fitted), max(fitted)), 1 - left / whole if whole else math.nan)
