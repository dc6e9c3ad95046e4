"""What a sweep came to: accuracy and cost of every strategy under every budget, with intervals."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.compute import Compute
from searchkit.experiments.estimators.curves import Curve
from searchkit.experiments.estimators.intervals import Interval, bootstrap, paired_bootstrap
from searchkit.experiments.sweep import manifest
from searchkit.experiments.sweep import rows as sweep_rows
from searchkit.experiments.sweep.rows import Finished, Row
from searchkit.experiments.unknown import Unknown, among_known, diagnosis

LEVEL = 0.95
HEAD = ("strategy", "budget", "searches", "failed", "unknown", "accuracy (%)", "tokens", "sequential", "calls")
BOUNDS = ("at most (%)", "of known (%)")  # shown where something is unknown, behind the accuracy
EXPLAINED = "unknown verdicts count as wrong in accuracy, as right in 'at most', and are left out of 'of known'"


@dataclass(frozen=True)
class Summary:
    """One strategy under one budget.

    - strategy, budget: their names in the sweep.
    - searches: how many there are.
    - failed: how many of them failed: wrong ones, or unknown ones whose answer could not be judged.
    - unknown: of how many nobody knows whether they are right (`Row.unknown`).
    - accuracy: in [0, 1], over problems; unknown ones count as wrong.
    - low, high: its 95 % interval (NaN for a single problem).
    - at_most: the accuracy if all unknown ones were right.
    - of_known: the share of right ones among the searches that are not unknown; NaN if all are.
    - tokens: generated ones; like all that follows a mean over searches. Of tokens, calls and money, what was lost
      counts too (`rows.Lost`).
    - prompt_tokens, sequential_tokens, model_calls, usd: likewise.
    - seconds: as long as the search took beside the others.
    - problems: their ids.
    - per_problem: [problems], the share of a problem's seeds with a right answer, in the order of `problems`.
    - unknown_share: [problems], likewise the share of unknown ones.
    """

    strategy: str
    budget: str
    searches: int
    failed: int
    unknown: int
    accuracy: float
    low: float
    high: float
    at_most: float
    of_known: float
    tokens: float
    prompt_tokens: float
    sequential_tokens: float
    model_calls: float
    usd: float
    seconds: float
    problems: tuple[str, ...] = field(repr=False)
    per_problem: NDArray[np.float64] = field(repr=False, compare=False)
    unknown_share: NDArray[np.float64] = field(repr=False, compare=False)


@dataclass(frozen=True)
class SweepResults:
    """The rows of a sweep, sorted, with the time that each took.

    strategies, budgets: their names, in the order of tables. complete: False if the sweep was interrupted.
    """

    finished: Sequence[Finished] = field(repr=False)
    strategies: tuple[str, ...]
    budgets: tuple[str, ...]
    complete: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "finished", tuple(sorted(self.finished, key=lambda one: one.row.key)))

    @classmethod
    def load(cls, out: str | os.PathLike[str]) -> SweepResults:
        """The results in the folder of a finished sweep; `ConfigError` if it is not finished, or damaged."""
        configuration = manifest.load(Path(out))["configuration"]
        return cls(sweep_rows.read(Path(out)), tuple(configuration["strategies"]), tuple(configuration["budgets"]))

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(one.row for one in self.finished)

    @property
    def diagnosis(self) -> str:
        """What is unknown, with an example, and what may help; "" if every answer is known to be right or wrong."""
        unknown = (Unknown(r.answer, r.feedback, r.finish == "length") for r in self.rows if r.unknown)
        return diagnosis(unknown, len(self.finished))

    def summaries(self, *, seed: int = 0) -> list[Summary]:
        """One for each strategy and budget of which there are rows. seed: for the bootstrap."""
        groups: dict[tuple[str, str], list[Finished]] = {}
        for one in self.finished:
            groups.setdefault((one.row.strategy, one.row.budget), []).append(one)
        order = [(s, b) for s in self.strategies for b in self.budgets if (s, b) in groups]
        return [_summary(groups[cell], seed) for cell in order]

    def curves(self) -> list[Curve]:
        """Accuracy against compute: a curve for each strategy, a point for each budget, in the order of their tokens.

        `Curve.ks` only numbers the points: ``plot(results.curves(), "tokens")`` draws them.
        """
        found: list[Curve] = []
        points, note = self.summaries(), self.diagnosis
        for name in self.strategies:
            own = sorted((p for p in points if p.strategy == name), key=lambda p: p.tokens)
            if not own or any(p.problems != own[0].problems for p in own):
                raise ConfigError(f"{name!r} has not seen the same problems under all budgets: finish the sweep first")
            mean, low, high = zip(*((p.accuracy, p.low, p.high) for p in own), strict=True)
            values = np.array([p.per_problem for p in own]).T
            ks = tuple(range(1, len(own) + 1))
            at_most = tuple(p.at_most for p in own) if any(p.unknown for p in own) else ()
            found.append(Curve(name, ks, mean, low, high, _compute(own), own[0].problems, values, LEVEL, at_most, note))
        return found

    def table(self) -> str:
        """As text: accuracy with its interval, then means for one search; under it what is unknown, if anything is."""
        rows = self._table()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        aligned = [str.ljust] * 2 + [str.rjust] * (len(widths) - 2)
        lines = ("  ".join(a(cell, w) for a, cell, w in zip(aligned, row, widths, strict=True)) for row in rows)
        return "\n".join([*(line.rstrip() for line in lines), *self._notes()])

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        from searchkit.markup.tables import html_table, html_text

        head, *rows = self._table()
        unfinished = "" if self.complete else "<p>The sweep is not finished.</p>"
        notes = "".join(f"<p>{html_text(note)}</p>" for note in self._notes())
        return unfinished + html_table(head, rows, words=(0, 1)) + notes

    def _table(self) -> list[tuple[str, ...]]:
        """The head and the lines of the table."""
        summaries = self.summaries()
        bounded = any(s.unknown for s in summaries)
        place = HEAD.index("accuracy (%)") + 1
        head = (*HEAD[:place], *(BOUNDS if bounded else ()), *HEAD[place:])
        return [head, *(_cells(summary, bounded) for summary in summaries)]

    def _notes(self) -> list[str]:
        return [EXPLAINED, found] if (found := self.diagnosis) else []


def difference(a: Summary, b: Summary, *, seed: int = 0) -> tuple[tuple[str, ...], Interval]:
    """The problems that both have, and the paired difference of a's accuracy to b's over these, at 95 %."""
    first, second = (dict(zip(s.problems, s.per_problem.tolist(), strict=True)) for s in (a, b))
    common = tuple(problem for problem in a.problems if problem in second)
    if not common:
        raise ConfigError(f"{a.strategy!r} and {b.strategy!r} have no problem in common: compare sweeps over one set")
    return common, paired_bootstrap([first[p] for p in common], [second[p] for p in common], seed=seed, level=LEVEL)


def difference_bounds(a: Summary, b: Summary) -> tuple[float, float]:
    """The least and the greatest difference of a's accuracy to b's, on the problems that both have, that what is
    unknown leaves open: where a's unknown answers are wrong and b's right, and the other way round."""
    own, unknown = (dict(zip(a.problems, column.tolist(), strict=True)) for column in (a.per_problem, a.unknown_share))
    rows = zip(b.problems, b.per_problem.tolist(), b.unknown_share.tolist(), strict=True)
    found = [(own[p] - right - open, own[p] + unknown[p] - right) for p, right, open in rows if p in own]
    least, greatest = np.mean(found, axis=0).tolist()
    return least, greatest


def _summary(finished: Sequence[Finished], seed: int) -> Summary:
    by_problem: dict[str, list[Row]] = {}
    for one in finished:
        by_problem.setdefault(one.row.problem, []).append(one.row)
    values = np.array([np.mean([row.right for row in rows]) for rows in by_problem.values()], dtype=float)
    unknown = np.array([np.mean([row.unknown for row in rows]) for rows in by_problem.values()], dtype=float)
    found, first = bootstrap(values, seed=seed, level=LEVEL), finished[0].row
    right, unread = (sum(getattr(one.row, name) for one in finished) for name in ("right", "unknown"))
    return Summary(
        first.strategy, first.budget, len(finished), sum(bool(one.row.error) for one in finished), unread,
        float(found.mean), float(found.low), float(found.high), float(found.mean + unknown.mean()),
        among_known(right, unread, len(finished)),
        _mean(one.row.generated_tokens + one.lost.generated_tokens for one in finished),
        _mean(one.row.prompt_tokens + one.lost.prompt_tokens for one in finished),
        _mean(one.row.sequential_tokens for one in finished),
        _mean(one.row.model_calls + one.lost.model_calls for one in finished),
        _mean(one.row.usd + one.lost.usd for one in finished),
        _mean(one.wall_s for one in finished), tuple(by_problem), values, unknown,
    )  # fmt: skip


def _compute(points: Sequence[Summary]) -> Compute:
    rows = ((p.tokens, p.prompt_tokens, p.sequential_tokens, p.seconds, p.usd) for p in points)
    return Compute(*(column if any(column) else () for column in zip(*rows, strict=True)))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def interval(mean: float, low: float, high: float) -> str:
    """In percent: ``61.0 [55.5, 66.0]``."""
    bounds = f"[{100 * low:.1f}, {100 * high:.1f}]" if low == low else "[no interval]"
    return f"{100 * mean:.1f} {bounds}"


def _cells(s: Summary, bounded: bool) -> tuple[str, ...]:
    counts = (f"{s.searches:,}", f"{s.failed:,}", f"{s.unknown:,}")
    known = "-" if math.isnan(s.of_known) else f"{100 * s.of_known:.1f}"
    bounds = (f"{100 * s.at_most:.1f}", known) if bounded else ()
    means = (f"{s.tokens:,.0f}", f"{s.sequential_tokens:,.0f}", f"{s.model_calls:,.1f}")
    return s.strategy, s.budget, *counts, interval(s.accuracy, s.low, s.high), *bounds, *means
