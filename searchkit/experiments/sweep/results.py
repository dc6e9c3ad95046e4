"""What a sweep came to: accuracy and cost of every strategy under every budget, with intervals."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.compute import Compute
from searchkit.experiments.estimators.curves import Curve, Curves
from searchkit.experiments.estimators.intervals import Interval, paired_bootstrap, snapped
from searchkit.experiments.sweep import manifest, voting
from searchkit.experiments.sweep import rows as sweep_rows
from searchkit.experiments.sweep.rows import Finished, Row
from searchkit.experiments.sweep.saving import Saving, savings
from searchkit.experiments.sweep.summary import (
    LEVEL,
    Summaries,
    Summary,
    fitted,
    grid,
    html,
    oracles,
    summarize,
    told_of,
)
from searchkit.experiments.unknown import Unknown, diagnosis
from searchkit.markup.words import columns_of

SAME_PROBLEMS, SAME_SAMPLES = 5, 20  # how many, and how many beyond the first ones, before sameness is told
EXPLAINED = "unknown verdicts count as wrong in accuracy, as right in 'at most', and are left out of 'of known'"


@dataclass(frozen=True)
class SweepResults:
    """The rows of a sweep, sorted, with the time that each took.

    - finished: the searches that are done.
    - strategies, budgets: their names, in the order of tables.
    - complete: False if the sweep was interrupted.
    - expected: how many searches the whole sweep has.
    - votes: by the name of a strategy, the keys that it compares answers by, see `sweep.voting`.
    - paired: the strategies that had their samples in common (`Sweep.common`).
    - totals: of `budgets`, those that were spent over all problems together.
    - each: how many searches each line of a table has in the end.
    """

    finished: Sequence[Finished] = field(repr=False)
    strategies: tuple[str, ...]
    budgets: tuple[str, ...]
    complete: bool
    expected: int
    votes: Mapping[str, frozenset[str]] = field(repr=False)
    paired: tuple[str, ...] = ()
    totals: tuple[str, ...] = ()
    each: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "finished", tuple(sorted(self.finished, key=lambda one: one.row.key)))

    @classmethod
    def of(cls, finished: Sequence[Finished], configuration: Mapping[str, Any]) -> SweepResults:
        """The results of a sweep with this `Sweep.configuration`, as its manifest has it too."""
        strategies, budgets = configuration["strategies"], tuple(configuration["budgets"])
        totals, each = tuple(configuration["totals"]), configuration["problems"]["count"] * len(configuration["seeds"])
        searches = each * (len(strategies) * len(budgets) + len(configuration["spending"]) * len(totals))
        votes = {name: voting.keys_of(told) for name, told in strategies.items()}
        return cls(
            finished,
            tuple(strategies),
            (*budgets, *totals),
            len(finished) == searches,
            searches,
            votes,
            tuple(configuration["paired"]),
            totals,
            each,
        )

    @classmethod
    def load(cls, out: str | os.PathLike[str]) -> SweepResults:
        """The results in the folder of a finished sweep; `ConfigError` if it is not finished, or damaged."""
        configuration = manifest.load(Path(out))["configuration"]
        return cls.of(sweep_rows.read(Path(out)), configuration)

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(one.row for one in self.finished)

    @property
    def unfinished(self) -> str:
        """How many searches are done, where the sweep was interrupted; else ""."""
        if self.complete:
            return ""
        done = f"{len(self.finished):,} of {self.expected:,} searches are done"
        return f"incomplete: {done}, the sweep is not finished; run again in the same folder, it goes on"

    @property
    def unknown(self) -> str:
        """What is unknown, with an example, and what may help; "" if every answer is known to be right or wrong."""
        return self._unknown(self.rows)

    @property
    def oracle(self) -> str:
        """Which strategies were told what is right while they searched, and by which verifiers; "" if none was."""
        return _oracle(self.rows)

    @property
    def sameness(self) -> str:
        """Which strategies drew one text again and again, of enough problems to be told; "" if none did."""
        return _sameness(self.rows, self.strategies)

    @property
    def pairing(self) -> str:
        """Which strategies had their samples in common; "" if each had its own."""
        timed = [budget for budget in self.budgets if " seconds=" in f" {budget}"]  # there nothing is shared
        if len(self.paired) < 2 or len(timed) == len(self.budgets):
            return ""
        but = f", but under {', '.join(timed)}" if timed else ""
        return f"paired arms: sample j of a problem is the same in {', '.join(self.paired)}{but}"

    @property
    def chosen(self) -> str:
        """How often `Router` and `Escalate` asked each arm, and what it took to decide; "" if none chose."""
        return "; ".join(told for summary in self.summaries() if (told := summary.chosen))

    @property
    def diagnosis(self) -> str:
        """Whether the sweep is `unfinished`, what is `unknown`, whose samples show `sameness`, who saw an `oracle`,
        whose arms are paired, which arms were `chosen`, and what totals save; "" if there is none of it."""
        said = (
            self.unfinished, self.unknown, self.sameness, self.oracle, self.pairing, self.chosen, self.allocated,
        )  # fmt: skip
        return ". ".join(filter(None, said))

    def summaries(self, *, seed: int = 0) -> Summaries:
        """One for each strategy and budget of which there are rows. seed: for the bootstrap."""
        groups: dict[tuple[str, str], list[Finished]] = {}
        for one in self.finished:
            groups.setdefault((one.row.strategy, one.row.budget), []).append(one)
        order = [(s, b) for s in self.strategies for b in self.budgets if (s, b) in groups]
        return Summaries(summarize(groups[cell], seed) for cell in order)

    def curves(self) -> Curves:
        """Accuracy against compute: a curve for each strategy, a point for each budget, in the order of their tokens.

        Its totals are a curve of their own.

        `Curve.ks` only numbers the points: ``plot(results.curves(), "tokens")`` draws them.
        """
        points, found = self.summaries(), list[Curve]()
        for name in self.strategies:
            own = [p for p in points if p.strategy == name]
            found.append(self._curve(name, name, [p for p in own if p.budget not in self.totals]))
            if shared := [p for p in own if p.budget in self.totals]:
                found.append(self._curve(f"{name}, totals", name, shared))
        return Curves(found)

    def savings(self) -> list[Saving]:
        """What each total saves against equal budgets of the same strategy, where there are such rows."""
        equal = [budget for budget in self.budgets if budget not in self.totals]
        return savings(self.finished, self.strategies, equal, self.totals)

    @property
    def allocated(self) -> str:
        """The `savings`, in words; "" if there are none."""
        return "; ".join(map(str, self.savings()))

    def _curve(self, label: str, name: str, points: Sequence[Summary]) -> Curve:
        own = sorted(points, key=lambda p: p.tokens)
        if not own or any(p.problems != own[0].problems for p in own):
            raise ConfigError(f"{name!r} has not seen the same problems under all budgets: finish the sweep first")
        mean, low, high = zip(*((p.accuracy, p.low, p.high) for p in own), strict=True)
        values = np.array([p.per_problem for p in own]).T
        ks = tuple(range(1, len(own) + 1))
        at_most = tuple(p.at_most for p in own) if any(p.unknown for p in own) else ()
        unknown = self._unknown([row for row in self.rows if row.strategy == name])
        told = _oracle([row for row in self.rows if row.strategy == name])
        note = ". ".join(filter(None, (self.unfinished, unknown, told)))
        return Curve(label, ks, mean, low, high, _compute(own), own[0].problems, values, LEVEL, at_most, note)

    def table(self, columns: int | None = None) -> str:
        """As text: accuracy with its interval, then means for one search; under it what is missing or unknown.

        columns: of the terminal, to which a wider table is fitted (`summary.fitted`); None is any width.
        """
        rows = fitted(grid(self.summaries(), self.each), columns)
        widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(_padded(cell, w, i >= 2) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
                 for row in rows)  # fmt: skip
        return "\n".join([*(line.rstrip() for line in lines), *self._notes()])

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        from searchkit.markup.tables import html_text

        notes = "".join(f"<p>{html_text(note)}</p>" for note in self._notes())
        return html(self.summaries(), self.each) + notes

    def _notes(self) -> list[str]:
        unknown = self.unknown
        explained = [EXPLAINED, unknown] if unknown else []
        notes = (
            self.unfinished, *explained, self.sameness, self.oracle, self.pairing, self.chosen, self.allocated,
        )  # fmt: skip
        return [note for note in notes if note]

    def _unknown(self, rows: Sequence[Row]) -> str:
        unknown = [row for row in rows if row.unknown]
        votes = frozenset[str]().union(*(self.votes[row.strategy] for row in unknown))
        said = (Unknown(row.answer, row.feedback, row.finish == "length") for row in unknown)
        return diagnosis(said, len(rows), votes=votes)


class Difference(NamedTuple):
    """problems: those that both strategies have. interval: the paired difference of their accuracy, at 95 %."""

    problems: tuple[str, ...]
    interval: Interval

    def __str__(self) -> str:
        """``0.130 [0.075, 0.183] on 20 problems``."""
        return f"{self.interval} on {len(self.problems):,} problems"

    def _repr_html_(self) -> str:
        from searchkit.markup.tables import html_pre

        return html_pre(str(self))


def difference(a: Summary, b: Summary, *, seed: int = 0) -> Difference:
    """The problems that both have, and the paired difference of a's accuracy to b's over these, at 95 %."""
    first, second = (dict(zip(s.problems, s.per_problem.tolist(), strict=True)) for s in (a, b))
    common = tuple(problem for problem in a.problems if problem in second)
    if not common:
        raise ConfigError(f"{a.strategy!r} and {b.strategy!r} have no problem in common: compare sweeps over one set")
    found = paired_bootstrap([first[p] for p in common], [second[p] for p in common], seed=seed, level=LEVEL)
    return Difference(common, found)


def difference_bounds(a: Summary, b: Summary) -> tuple[float, float]:
    """The least and the greatest difference of a's accuracy to b's, on the problems that both have, that what is
    unknown leaves open: where a's unknown answers are wrong and b's right, and the other way round."""
    own, unknown = (dict(zip(a.problems, column.tolist(), strict=True)) for column in (a.per_problem, a.unknown_share))
    rows = zip(b.problems, b.per_problem.tolist(), b.unknown_share.tolist(), strict=True)
    found = [(own[p] - right - open, own[p] + unknown[p] - right) for p, right, open in rows if p in own]
    least, greatest = snapped(np.mean(found, axis=0)).tolist()
    return least, greatest


def _compute(points: Iterable[Summary]) -> Compute:
    rows = ((p.tokens, p.prompt_tokens, p.sequential_tokens, p.seconds, p.usd) for p in points)
    return Compute(*(column if any(column) else () for column in zip(*rows, strict=True)))


def _padded(cell: str, columns: int, right: bool) -> str:
    """A cell of a table, as wide as its column on the terminal: characters of Chinese and the like take two."""
    blanks = " " * (columns - columns_of(cell))
    return blanks + cell if right else cell + blanks


def _sameness(rows: Sequence[Row], strategies: Iterable[str]) -> str:
    drawn = {name: [row for row in rows if row.strategy == name and row.drawn > 1] for name in strategies}
    same = {name: own for name, own in drawn.items() if own and all(row.distinct == 1 for row in own)}
    every = [row for own in same.values() for row in own]
    problems, samples = len({row.problem for row in every}), sum(row.drawn for row in every)
    if problems < SAME_PROBLEMS or samples - len(every) < SAME_SAMPLES:
        return ""
    return (
        f"no two samples of a search differ in {', '.join(same)} ({samples:,} samples of {problems:,} problems): "
        "more of them change nothing. If the model is not that sure, it does not sample: temperature is 0, or the "
        'server ignores it (transformers serve does unless generation_config.json says "do_sample": true)'
    )


def _oracle(rows: Sequence[Row]) -> str:
    by_strategy: dict[str, list[Row]] = {}
    for row in rows:
        by_strategy.setdefault(row.strategy, []).append(row)
    return told_of((name, oracles(own)) for name, own in by_strategy.items())
