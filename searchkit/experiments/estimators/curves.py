"""Accuracy against the number of samples: one pool, every method, every budget, with intervals over problems."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from typing import Literal, SupportsIndex, get_args

import numpy as np
from numpy.typing import NDArray

from searchkit.engine import seeds
from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry, Sampled
from searchkit.experiments.estimators import estimators
from searchkit.experiments.estimators.compute import Compute, compute
from searchkit.experiments.estimators.intervals import Interval, bootstrap, paired_bootstrap
from searchkit.experiments.estimators.optimistic import optimistic
from searchkit.experiments.unknown import of_pool
from searchkit.markup.charts import Line, chart
from searchkit.markup.tables import html_table, html_text
from searchkit.mistakes import listed

Name = Literal["pass@k", "best@k", "maj@k", "weighted@k"]
Column = tuple[str, Mapping[int, str]]


@dataclass(frozen=True)
class Curve:
    """Accuracy in [0, 1] of one method at each number of samples.

    - name: what the method is called.
    - ks: numbers of samples, one a point.
    - mean: over problems, one a point.
    - low, high: one a point; they bound the mean over problems at `level` (NaN for a single problem).
    - compute: what a problem costs there; its columns have one entry a point.
    - problems: their ids.
    - per_problem: [problems, points], rows in the order of `problems`.
    - level: of the intervals.
    - at_most: the mean if everything unknown were right, one a point; () where nothing is unknown. `mean` counts it as
      not right.
    - note: what is unknown, for people; "" if nothing is.
    """

    name: str
    ks: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    compute: Compute
    problems: tuple[str, ...] = field(repr=False)
    per_problem: NDArray[np.float64] = field(repr=False, compare=False)
    level: float = 0.95
    at_most: tuple[float, ...] = ()
    note: str = ""

    @property
    def tokens(self) -> tuple[float, ...]:
        """Generated tokens that a problem costs at each point, on average; zeros where none were recorded."""
        return self.compute.generated

    def minus(self, other: Curve, *, draws: int = 2000, seed: int = 0) -> Interval:
        """The difference to another curve over the same problems and ks, with a paired interval at this level."""
        if self.problems != other.problems or self.ks != other.ks:
            raise ConfigError(
                f"{self.name!r} and {other.name!r} differ in problems or ks: compare curves that share both"
            )
        return paired_bootstrap(self.per_problem, other.per_problem, draws, seed, self.level)

    def table(self) -> str:
        """The curve as text, in percent: ``k  tokens  mean [low, high]``."""
        return table([self])

    def to_json(self) -> str:
        """All fields as JSON; bounds that are not defined are null."""
        points = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("problems", "per_problem")}
        bounds = {name: [None if v != v else v for v in points[name]] for name in ("low", "high")}
        known = {name: column for name, column in asdict(self.compute).items() if column}
        rows = dict(zip(self.problems, self.per_problem.tolist(), strict=True))
        return json.dumps({**points, **bounds, "compute": known, "per_problem": rows}, allow_nan=False)

    def _repr_html_(self) -> str:
        """A picture and the table, for notebooks."""
        return _html([self])


class Curves(tuple[Curve, ...]):
    """Several curves, which a notebook shows as one picture and one table."""

    def _repr_html_(self) -> str:
        return _html(self) if self else ""


def estimate(
    pool: Sampled, name: Name, ks: Sequence[int] | None = None, *, seed: int = 0, level: float = 0.95
) -> Curve:
    """The curve of one method over a pool.

    name: "pass@k" (any of k is right), "best@k" (highest score), "maj@k" (majority of keys), "weighted@k" (sum of
    scores by key; sampled, see `weighted_at_k`). ks: ascending, by default 1, 2, 4, ... up to the smallest number of
    samples a problem has. seed: for the bootstrap, and for "weighted@k". Samples of which nobody knows whether they are
    right count as wrong; what they leave open is `Curve.at_most` (`optimistic.py`).
    """
    points = points_of(pool, ks)
    if name not in get_args(Name):
        raise ConfigError(f"unknown curve {name!r}: choose one of {', '.join(get_args(Name))}")
    if not _supports(pool, name):
        raise ConfigError(
            f"{name} needs {_NEEDS[name]}, and no sample of this pool has any: draw it with a {_FIX[name]}"
        )
    values = _table_of(name, pool, points, seed)
    values.setflags(write=False)
    bound = optimistic(pool)
    at_most = () if bound is None else tuple(_table_of(name, bound, points, seed).mean(axis=0).tolist())
    interval = bootstrap(values, seed=seed, level=level)
    return Curve(
        name,
        points,
        *interval.columns(),
        compute(pool, points),
        tuple(pool.entries),
        values,
        level,
        at_most,
        of_pool(pool),
    )


def points_of(pool: Sampled, ks: Sequence[int] | None) -> tuple[int, ...]:
    """`ks`, checked; by default 1, 2, 4, ... up to the smallest number of samples a problem has."""
    given = estimators.budgets(pool.size) if ks is None else listed("ks", ks, "[1, 2, 4]")
    points = tuple(int(k) if isinstance(k, SupportsIndex) else k for k in given)  # those of numpy, too
    if not points or points[0] < 1 or points[-1] > pool.size or any(a >= b for a, b in pairwise(points)):
        raise ConfigError(f"ks must ascend within [1, {pool.size}], the samples that every problem has, got {points}")
    return points


def curves(pool: Sampled) -> Curves:
    """All exact curves that the pool's columns allow, in the order pass@k, best@k, maj@k."""
    names: tuple[Name, ...] = ("pass@k", "best@k", "maj@k")
    return Curves(estimate(pool, name) for name in names if _supports(pool, name))


def table(curves: Iterable[Curve]) -> str:
    """Curves side by side, in percent with their intervals; one row for every k that any of them has.

    Where something is unknown, a column says what accuracy it leaves open, and a line under the table why it is.
    """
    shown = list(curves)
    if not shown:
        raise ConfigError("a table needs at least one curve")
    grid = _grid(shown)
    widths = [max(len(row[i]) for row in grid) for i in range(len(grid[0]))]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in grid]
    return "\n".join([*lines, *notes_of(shown)])


def notes_of(curves: Sequence[Curve]) -> list[str]:
    """The notes under curves: one that all share as it is, else each with the name of its curve."""
    notes = {curve.note for curve in curves}
    if len(notes) == 1:
        return [note for note in notes if note]
    return [f"{curve.name}: {curve.note}" for curve in curves if curve.note]


_NEEDS: dict[Name, str] = {"best@k": "scores", "maj@k": "answer keys", "weighted@k": "samples with key and score"}
_FIX: dict[Name, str] = {"best@k": "verifier", "maj@k": "key", "weighted@k": "verifier and a key"}


def _supports(pool: Sampled, name: Name) -> bool:
    scored, keyed = name in ("best@k", "weighted@k"), name in ("maj@k", "weighted@k")
    every = (entry for entries in pool.entries.values() for entry in entries)
    return any((entry.score is not None or not scored) and (entry.key is not None or not keyed) for entry in every)


def _table_of(name: Name, pool: Sampled, ks: Sequence[int], seed: int) -> NDArray[np.float64]:
    """[problems, points]"""
    return np.array([_values(name, problem, column, ks, seed) for problem, column in pool.entries.items()])


def _values(name: Name, problem: str, entries: Sequence[Entry], ks: Sequence[int], seed: int) -> list[float]:
    correct = [entry.correct for entry in entries]
    scores, keys = [entry.score for entry in entries], [entry.key for entry in entries]
    match name:
        case "pass@k":
            return [estimators.pass_at_k(len(entries), sum(correct), k) for k in ks]
        case "best@k":
            return [estimators.best_at_k(scores, correct, k) for k in ks]
        case "maj@k":
            return [estimators.maj_at_k(keys, correct, k) for k in ks]
        case "weighted@k":
            # A stream of its own for every problem: a shared one would correlate their sampling errors.
            own = seeds.seed_of(seeds.root(seed, problem))
            return [estimators.weighted_at_k(keys, scores, correct, k, seed=own) for k in ks]


def picture(curves: Sequence[Curve]) -> str:
    """The curves as an SVG element: against generated tokens where all of them know those, else against samples."""
    spent = all(curve.tokens and all(tokens > 0 for tokens in curve.tokens) for curve in curves)
    lines = [
        Line(one.name, one.tokens if spent else one.ks, one.mean, one.low, one.high, one.at_most) for one in curves
    ]
    across = "generated tokens per problem" if spent else "samples per problem"
    return chart(lines, across, f"solved (%), {100 * curves[0].level:g} % intervals")


def _html(curves: Sequence[Curve]) -> str:
    """A picture, the table and the notes, for notebooks."""
    head, *rows = _grid(curves)
    notes = "".join(f"<p>{html_text(note)}</p>" for note in notes_of(curves))
    return picture(curves) + html_table(head, rows) + notes


def _grid(curves: Sequence[Curve]) -> list[list[str]]:
    """The head of a table and a line for every k that any of the curves has."""
    columns = _columns(curves)
    rows = [[cells.get(k, "") for _, cells in columns] for k in sorted({k for curve in curves for k in curve.ks})]
    return [[title for title, _ in columns], *rows]


def _columns(curves: Sequence[Curve]) -> list[Column]:
    """Header and cells by k. Curves of one pool share their column of tokens."""
    columns: list[Column] = [("k", {k: str(k) for curve in curves for k in curve.ks})]
    tokens: Mapping[int, str] = {}
    for curve in curves:
        own = {k: f"{t:,.0f}" for k, t in zip(curve.ks, curve.tokens, strict=True)}
        if any(curve.tokens) and own != tokens:
            tokens = own
            columns.append(("tokens", own))
        points = zip(curve.ks, curve.mean, curve.low, curve.high, strict=True)
        columns.append((f"{curve.name} (%)", {k: _cell(*bounds) for k, *bounds in points}))
        if curve.at_most:
            columns.append(
                ("at most", {k: f"{100 * most:.1f}" for k, most in zip(curve.ks, curve.at_most, strict=True)})
            )
    return columns


def _cell(mean: float, low: float, high: float) -> str:
    interval = f"[{100 * low:4.1f}, {100 * high:4.1f}]" if low == low else "[no interval]"
    return f"{100 * mean:5.1f} {interval}"
