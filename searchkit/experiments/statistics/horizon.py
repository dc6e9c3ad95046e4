"""How far does it get before the first wrong step? Accuracy a step, and the length of task that it still completes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.intervals import Interval
from searchkit.markup.charts import Line, chart
from searchkit.markup.tables import html_table, html_text

Array = NDArray[np.float64]
Steps = Iterable[bool | None]
ROWS = 12  # of a table


@dataclass(frozen=True)
class Horizon:
    """A set of trajectories, step by step. All intervals are over problems; entry i is about step i + 1.

    - accuracy: the share of right ones among the steps that are known, whatever went before. NaN where none is.
    - after_right: the same among those before which every step was right: what a step costs by itself. Where `accuracy`
      falls below it, errors breed errors.
    - surviving: the chance that all steps so far are right, the product of `after_right`.
    - at_risk: trajectories that `after_right` is about.
    - length: the horizon: the most steps that are all right with a chance of `share` at least; a bound of infinity is
      beyond the longest trajectory.
    - share: what the horizon is about.
    - level: of the intervals.
    """

    accuracy: Interval = field(repr=False)
    after_right: Interval = field(repr=False)
    surviving: Interval = field(repr=False)
    at_risk: tuple[int, ...] = field(repr=False)
    length: Interval
    share: float
    level: float

    def __str__(self) -> str:
        """``horizon at 50 %: 12 steps [9, 16], of 40``."""
        mean, low, high = (_steps(float(value), len(self.at_risk)) for value in vars(self.length).values())
        return f"horizon at {100 * self.share:g} %: {mean} steps [{low}, {high}], of {len(self.at_risk):,}"

    def table(self) -> str:
        """As text: steps 1, 2, 4, ... with their figures, and the horizon under them."""
        grid = self._grid()
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in grid)
        return "\n".join([*lines, str(self)])

    def _repr_html_(self) -> str:
        """A picture, the table and the horizon, for notebooks."""
        head, *rows = self._grid()
        return self._picture() + html_table(head, rows) + f"<p>{html_text(str(self))}</p>"

    def _picture(self) -> str:
        columns = [("right after right", self.after_right), ("all right so far", self.surviving)]
        known = [i for i, n in enumerate(self.at_risk) if n]
        if not known:
            return ""
        lines = [
            Line(name, [i + 1 for i in known], *([float(side[i]) for i in known] for side in vars(one).values()))
            for name, one in columns
        ]
        return chart(lines, "step", f"share (%), {100 * self.level:g} % intervals")

    def _grid(self) -> list[tuple[str, ...]]:
        steps, last = [0], len(self.at_risk) - 1
        while steps[-1] < last:
            steps.append(min(last, 2 * steps[-1] + 1))
        head = ("step", "right (%)", "right after right (%)", "all right so far (%)", "at risk")
        columns = (self.accuracy, self.after_right, self.surviving)
        return [head, *((f"{i + 1:,}", *(_share(one, i) for one in columns), f"{self.at_risk[i]:,}") for i in steps)]


def horizon(
    trajectories: Sequence[Sequence[Steps]],
    *,
    share: float = 0.5,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Horizon:
    """How long a task may be, from steps that were judged one by one.

    - trajectories: for each problem its trajectories, each the steps in order: True, False, or None where nobody knows.
    - share: in (0, 1), the chance with which all steps up to the horizon are right.
    - draws, seed, level: of the intervals, which resample whole problems.

    A trajectory that ends with all its steps right tells nothing of later ones, and neither does one from its first
    unknown step on: both leave the risk set (as in a Kaplan-Meier curve), so that short tasks do not count as failures,
    nor as successes of long ones. With a constant accuracy p a step the horizon is ln(share) / ln(p), rounded down:
    at 50 % about 69 steps for 99 %, 692 for 99.9 %.

    Raises `ConfigError` where no step is known, and for what is none of the three. Cost: draws x problems x steps.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> found = horizon([[list(rng.random(60) < 0.95) for _ in range(8)] for _ in range(50)])
        >>> math.floor(math.log(0.5) / math.log(0.95)), bool(found.length.low <= 13 <= found.length.high)
        (13, True)
    """
    if not 0 < share < 1:
        raise ConfigError(f"share is the chance that a horizon is about, in (0, 1), got {share}")
    sets = [[[_known(step) for step in one] for one in each] for each in trajectories]
    most = max((len(one) for each in sets for one in each), default=0)
    counts = np.array([_counts(each, most) for each in sets]).reshape(len(sets), 4, most)  # [problems, 4, steps]
    if not counts[:, 1].any():
        raise ConfigError("a horizon needs trajectories with steps that are known to be right or wrong")
    own = _figures(counts.sum(axis=0)[None], share)
    problems = len(sets)
    if problems == 1:
        unknown = [(np.full_like(one[0], np.nan),) * 2 for one in own]
    else:
        times = np.random.default_rng(seed).multinomial(problems, np.full(problems, 1 / problems), size=draws)
        drawn = _figures(np.einsum("dp,pks->dks", times.astype(float), counts), share)
        unknown = [_bounds(one, level) for one in drawn]
    accuracy, after, surviving, length = (
        Interval(one[0], low, high) for one, (low, high) in zip(own, unknown, strict=True)
    )
    at_risk = tuple(counts.sum(axis=0)[3].astype(int).tolist())
    return Horizon(accuracy, after, surviving, at_risk, length, share, level)


def _known(step: object) -> bool | None:
    if step is None:
        return None
    if not isinstance(step, (bool, int, np.bool_, np.integer)) or step not in (0, 1):
        raise ConfigError(f"a step is right (True), wrong (False) or unknown (None), got {step!r:.80}")
    return bool(step)


def _counts(trajectories: Sequence[Sequence[bool | None]], most: int) -> Array:
    """[4, steps] right and known steps; the same of those before which all were right."""
    found = np.zeros((4, most))
    for steps in trajectories:
        alive = True
        for i, step in enumerate(steps):
            if step is None:
                alive = False
                continue
            found[:2, i] += step, 1
            if alive:
                found[2:, i] += step, 1
            alive = alive and step
    return found


def _figures(counts: Array, share: float) -> tuple[Array, Array, Array, Array]:
    """Of [draws, 4, steps] counts: accuracy, that after right steps, survival [draws, steps]; the horizon [draws]."""
    right, known, right_after, at_risk = np.moveaxis(counts, 1, 0)
    accuracy = right / np.where(known > 0, known, np.nan)
    after = right_after / np.where(at_risk > 0, at_risk, np.nan)
    surviving = np.cumprod(after, axis=1)  # NaN from where nobody is left
    lasting = surviving >= share - 1e-12
    steps = np.cumprod(lasting, axis=1).sum(axis=1).astype(float)
    ended = np.isnan(surviving).argmax(axis=1)
    seen = np.where(np.isnan(surviving).any(axis=1), ended, surviving.shape[1])
    return accuracy, after, surviving, np.where(steps >= seen, np.inf, steps)


def _bounds(values: Array, level: float) -> tuple[Array, Array]:
    """Quantiles over draws, NaN left out where there is another; by rank, since horizons may be infinite."""
    values = np.where(np.isnan(values).all(axis=0), 0.0, values) if values.ndim > 1 else values
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0, method="nearest")
    return low, high


def _share(interval: Interval, i: int) -> str:
    mean, low, high = (float(side[i]) for side in vars(interval).values())
    if math.isnan(mean):
        return "-"
    return f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]" if low == low else f"{100 * mean:.1f}"


def _steps(value: float, most: int) -> str:
    return "-" if math.isnan(value) else f"{value:,.0f}" if math.isfinite(value) else f"over {most:,}"
