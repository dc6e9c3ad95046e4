"""Confidence intervals that treat a problem, not a sample, as the unit that was drawn from the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from searchkit.errors import ConfigError

Array = NDArray[np.float64]
BLOCK = 2**23  # entries of the matrix of resampled problems that is in memory
ROUNDING = 1e-12  # of the greatest value, at least of 1: a difference below is what floating-point numbers leave of 0


@dataclass(frozen=True, eq=False, repr=False)
class Interval:
    """Mean over problems with its lower and upper bound: [points] each, or floats if the values were [problems]."""

    mean: Any  # a union would make type checkers refuse `mean[-1]` and `f"{mean:.2f}"` alike
    low: Any
    high: Any

    def __post_init__(self) -> None:
        for name in ("mean", "low", "high"):
            column = getattr(self, name)
            object.__setattr__(self, name, column if np.ndim(column) else float(column))

    def columns(self) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
        """Mean, lower and upper bound, an entry for each point."""
        mean, low, high = (tuple(np.atleast_1d(column).tolist()) for column in (self.mean, self.low, self.high))
        return mean, low, high

    def __str__(self) -> str:
        """``0.130 [0.075, 0.183]``, a line for each point."""
        rows = zip(*self.columns(), strict=True)
        return "\n".join(f"{m:z.3f} [{a:z.3f}, {b:z.3f}]" if a == a else f"{m:z.3f} [no interval]" for m, a, b in rows)

    def __repr__(self) -> str:
        columns = ((name, np.asarray(getattr(self, name)).tolist()) for name in ("mean", "low", "high"))
        return f"Interval({', '.join(f'{name}={column}' for name, column in columns)})"

    def _repr_html_(self) -> str:
        from searchkit.markup.tables import html_pre

        return html_pre(str(self))


def bootstrap(
    per_problem_values: ArrayLike | Sequence[Sequence[float]], draws: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Percentile bootstrap of the mean over problems.

    per_problem_values: [problems] or [problems, points]. Whole problems are resampled with replacement, so all samples
    of a problem and all points of a curve stay together. Two limits of the method: if all problems have the same value
    the interval has no width, and a single problem says nothing about others, so its bounds are NaN.
    """
    values = np.asarray(per_problem_values, dtype=float)
    if values.ndim not in (1, 2) or len(values) == 0 or not np.isfinite(values).all():
        raise ConfigError(f"values must be finite, of shape [problems] or [problems, points], got shape {values.shape}")
    if draws < 1 or not 0 < level < 1:
        raise ConfigError(f"draws must be >= 1 and level in (0, 1), got draws={draws}, level={level}")
    problems, mean = len(values), values.mean(axis=0)
    if problems == 1:
        return Interval(mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan))
    # How often each problem is drawn says all that a resampled mean needs: one matrix product for all points.
    rng, even, step = np.random.default_rng(seed), np.full(problems, 1 / problems), max(1, BLOCK // problems)
    sizes = [min(step, draws - done) for done in range(0, draws, step)]  # all at once, but for a great many problems
    means = np.concatenate([rng.multinomial(problems, even, size=size) @ values for size in sizes]) / problems
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    scale = float(np.abs(values).max())
    return Interval(*(snapped(bound, scale) for bound in (mean, low, high)))


def paired_bootstrap(a: ArrayLike, b: ArrayLike, draws: int = 2000, seed: int = 0, level: float = 0.95) -> Interval:
    """`bootstrap` of a - b, where row i of both is the same problem.

    Problems differ in difficulty far more than methods do, and pairing takes that out: two overlapping intervals may
    still hide a clear difference. The difference is significant at 1 - level where the interval excludes 0.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape:
        raise ConfigError(f"paired values need the same problems and points, got {first.shape} and {second.shape}")
    scale = float(max(np.abs(first).max(initial=0.0), np.abs(second).max(initial=0.0)))
    return bootstrap(snapped(first - second, scale), draws, seed, level)


def snapped(values: ArrayLike, scale: float = 1.0) -> Array:
    """The same values, but 0 where they are nothing but rounding errors, such as 0.1 + 0.2 - 0.3.

    scale: of the values that were subtracted. Equal shares then differ by exactly 0, and an interval holds it.
    """
    found = np.asarray(values, dtype=float)
    return np.where(np.abs(found) < ROUNDING * max(1.0, scale), 0.0, found)
