"""What lies between coverage and the answer that is chosen, at every budget: what selection loses, and why."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from searchkit.experiments.estimators.curves import Curve, estimate, picture, points_of
from searchkit.experiments.estimators.intervals import Interval
from searchkit.experiments.pool.pool import Pool
from searchkit.experiments.statistics.chosen import Chosen, ReadAs, chosen, confidence_of
from searchkit.experiments.statistics.falling import FallingCurve, fall
from searchkit.experiments.statistics.ranking import auroc_within, labelled
from searchkit.experiments.unknown import of_pool
from searchkit.markup.tables import html_table, html_text

EXPLAINED = (
    "lost: what the score leaves of coverage, paired; AUROC, off by (calibration error) and promised (mean confidence) "
    "are those of the samples that are chosen"
)


@dataclass(frozen=True)
class GapReport:
    """Coverage and what is made of it with k samples, for each k. All intervals are over problems.

    - coverage: pass@k, what an exact check would choose.
    - selected: best@k, what the score chooses; None where no sample has a score.
    - majority: maj@k, what a vote chooses; None where no sample has a key.
    - lost: coverage less selected, paired, an entry for each k; None without scores.
    - within: AUROC of the score within problems, see `auroc_within`; None where no problem has both kinds.
    - chosen: for each k the samples that the score chooses, see `Chosen`; () without scores.
    - fall: where selection gets worse with more samples; None where it surely does not.
    - unknown: the share of all samples of which nobody knows whether they are right.
    - note: what is unknown, for people; "" if nothing is.
    """

    coverage: Curve
    selected: Curve | None
    majority: Curve | None
    lost: Interval | None
    within: Interval | None
    chosen: tuple[Chosen, ...] = field(repr=False)
    fall: FallingCurve | None
    unknown: float
    note: str = ""

    @property
    def ks(self) -> tuple[int, ...]:
        """The numbers of samples, one a line."""
        return self.coverage.ks

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Coverage and those of the other two that there are, to plot."""
        return tuple(curve for curve in (self.coverage, self.selected, self.majority) if curve is not None)

    def grid(self) -> list[tuple[str, ...]]:
        """A head and a line for each k, in percent, of the columns that there are."""
        columns = list(self._columns())
        return [tuple(name for name, _ in columns), *zip(*(cells for _, cells in columns), strict=True)]

    def sentences(self) -> tuple[str, ...]:
        """What the table says, for people: where selection falls, how well the score ranks, what is unknown."""
        return tuple(self._sentences())

    def table(self) -> str:
        """The grid as text, with the sentences under it."""
        grid = self.grid()
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in grid)
        return "\n".join([*lines, *self.sentences()])

    def to_json(self) -> str:
        """All of it but the values of each problem; bounds that are not defined are null."""
        falls = None if self.fall is None else {
            "peak": self.fall.peak, "first": self.fall.first, "last": self.fall.last,
            "difference": _listed(self.fall.difference), "of_all": _listed(self.fall.of_all),
        }  # fmt: skip
        lines = [
            {"k": one.k, "auroc": _listed(one.auroc), "calibration": _listed(one.calibration),
             "promised": _plain(one.promised), "unknown": one.unknown}
            for one in self.chosen
        ]  # fmt: skip
        told: dict[str, Any] = {
            "ks": self.ks, "lost": _listed(self.lost), "within": _listed(self.within), "chosen": lines, "fall": falls,
            "unknown": self.unknown, "note": self.note,
        }  # fmt: skip
        curves = {curve.name: _listed(Interval(curve.mean, curve.low, curve.high)) for curve in self.curves}
        return json.dumps({**told, "curves": curves}, allow_nan=False)

    def _repr_html_(self) -> str:
        """A picture, the table and the sentences, for notebooks."""
        head, *rows = ([cell.replace(" ", "\u00a0") for cell in row] for row in self.grid())  # each on one line
        said = "".join(f"<p>{html_text(sentence)}</p>" for sentence in self.sentences())
        return picture(self.curves) + html_table(head, rows) + said

    def _columns(self) -> Iterator[tuple[str, list[str]]]:
        yield "k", [f"{k:,}" for k in self.ks]
        names = ("coverage (%)", "selected (%)", "majority (%)")
        for name, curve in zip(names, (self.coverage, self.selected, self.majority), strict=True):
            if curve is not None:
                yield name, [_cell(*point) for point in zip(curve.mean, curve.low, curve.high, strict=True)]
                if curve.at_most:
                    yield "at most", [_percent(value) for value in curve.at_most]
        if self.lost is not None:
            yield "lost (%)", [_cell(*point) for point in zip(*self.lost.columns(), strict=True)]
        if self.chosen:
            yield "AUROC (%)", [_cells(one.auroc) for one in self.chosen]
        if any(one.calibration for one in self.chosen):
            yield "off by (%)", [_cells(one.calibration) for one in self.chosen]
            yield "promised (%)", [_percent(one.promised) for one in self.chosen]
        if self.unknown:
            yield (
                "unknown (%)",
                [_percent(one.unknown) for one in self.chosen] or [_percent(self.unknown) for _ in self.ks],
            )

    def _sentences(self) -> Iterator[str]:
        if self.selected is not None:
            perhaps = "" if self.fall is None or self.fall.sure else "perhaps "
            yield f"selection {perhaps}{self.fall}" if self.fall else "selection nowhere surely falls with more samples"
        if self.within is not None:
            yield f"a right sample scores above a wrong one of its problem in {_cells(self.within)} % of pairs (AUROC)"
        if self.chosen:
            yield EXPLAINED
        if self.note:
            yield f"{_percent(self.unknown)} % of the samples are unknown, and count as wrong: {self.note}"


def gap_report(
    pool: Pool,
    ks: Sequence[int] | None = None,
    *,
    confidence: ReadAs | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> GapReport:
    """What lies between coverage and the chosen answer, for each number of samples.

    - pool: with scores for what selection makes of them, with keys for what a vote does.
    - ks: ascending, by default 1, 2, 4, ... up to the smallest number of samples a problem has.
    - confidence: how a score is read as the chance of being right, such as ``Platt.fit(...)`` on other problems.
      Without it scores are chances where all of them are in [0, 1]; elsewhere there is no calibration.
    - seed: of all resampling.
    - level: of all intervals.

    Which sample is chosen is not drawn: each counts with its chance of being the best of k (`chosen_at_k`), so that
    AUROC and calibration error of the chosen ones are exact too. At k = 1 they are those of all samples. With more
    samples the chosen ones are those in whose favour the verifier errs most: what it promises rises above what is kept.

    Raises `ConfigError` where a confidence is outside [0, 1]. Cost: that of the curves, and
    of `auroc_pooled` for each k: of 200 problems with 1,024 samples seconds, with keys a minute; no model call.

    Example:
        >>> from searchkit.experiments import Entry
        >>> rng = np.random.default_rng(0)
        >>> def entry(rate):
        ...     right = bool(rng.random() < rate)
        ...     return Entry("", "a" if right else "b", float(rng.random() + right) / 2, right)
        >>> found = gap_report(Pool({f"p{i}": tuple(entry(i / 30) for _ in range(8)) for i in range(30)}))
        >>> found.ks, found.fall, len(found.chosen)
        ((1, 2, 4, 8), None, 4)
        >>> bool((found.lost.mean > -1e-9).all())
        True
    """
    points, entries = points_of(pool, ks), [entry for _, entry in pool.samples()]
    drawing: dict[str, Any] = {"seed": seed, "level": level}
    scored, voting = (any(getattr(entry, name) is not None for entry in entries) for name in ("score", "key"))
    coverage = estimate(pool, "pass@k", points, **drawing)
    selected = estimate(pool, "best@k", points, **drawing) if scored else None
    scores, right = labelled(pool)
    ranks = any(0 < sum(column) < len(column) for column in right)
    read = confidence_of(pool, confidence)
    return GapReport(
        coverage, selected, estimate(pool, "maj@k", points, **drawing) if voting else None,
        None if selected is None else coverage.minus(selected, seed=seed),
        auroc_within(scores, right, **drawing) if ranks else None,
        tuple(chosen(pool, k, read, drawing) for k in points) if scored else (),
        None if selected is None else fall(points, selected.per_problem, **drawing),
        sum(entry.unknown for entry in entries) / len(entries), of_pool(pool),
    )  # fmt: skip


def _percent(value: float) -> str:
    return f"{100 * value:z.1f}" if math.isfinite(value) else "-"


def _cell(mean: float, low: float, high: float) -> str:
    return f"{_percent(mean)} [{_percent(low)}, {_percent(high)}]" if math.isfinite(low) else _percent(mean)


def _cells(interval: Interval | None) -> str:
    return "-" if interval is None else _cell(float(interval.mean), float(interval.low), float(interval.high))


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _listed(interval: Interval | None) -> dict[str, Any] | None:
    """Mean and bounds: numbers, or lists of one for each k."""
    if interval is None:
        return None
    sides = {name: np.asarray(getattr(interval, name), dtype=float).tolist() for name in ("mean", "low", "high")}
    return {name: [*map(_plain, side)] if isinstance(side, list) else _plain(side) for name, side in sides.items()}
