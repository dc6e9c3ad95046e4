"""One strategy under one budget: what its searches came to, and how tables show it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from searchkit.experiments.estimators.intervals import bootstrap
from searchkit.experiments.sweep.rows import Finished, Row
from searchkit.experiments.unknown import among_known
from searchkit.markup.words import columns_of, one_line

LEVEL = 0.95
HEAD = ("strategy", "budget", "searches", "failed", "unknown", "accuracy (%)", "tokens", "sequential", "calls")
LEAST = ("sequential", "of known (%)", "searches", "calls")  # first to go where a terminal is narrow
SHORTEST = 8  # columns to which names are cut
BOUNDS = ("at most (%)", "of known (%)")  # shown where something is unknown, behind the accuracy


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
    - oracle: the verifiers that saw what is right during one of the searches (`Row.oracle`); "" if none did.
    - arms: of `Router` and `Escalate` the share of searches that each arm answered (`Row.arm`).
    - deciding_tokens: generated ones that it took to choose; a mean over searches, and a part of `tokens`.
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
    oracle: str
    arms: dict[str, float]
    deciding_tokens: float
    problems: tuple[str, ...] = field(repr=False)
    per_problem: NDArray[np.float64] = field(repr=False, compare=False)
    unknown_share: NDArray[np.float64] = field(repr=False, compare=False)

    @property
    def chosen(self) -> str:
        """``small-first under calls=9 asked 0 for 61 %, 1 for 39 %, with 12 tokens to decide``; "" if it chose none."""
        shares = ", ".join(f"{arm} for {100 * share:.0f} %" for arm, share in self.arms.items())
        deciding = f", with {self.deciding_tokens:,.0f} tokens to decide" if self.deciding_tokens else ""
        return f"{self.strategy} under {self.budget} asked {shares}{deciding}" if shares else ""


class Summaries(list[Summary]):
    """Summaries as a list, which a notebook shows as a table."""

    def _repr_html_(self) -> str:
        from searchkit.markup.tables import html_text

        told = told_of((one.strategy, one.oracle) for one in self)
        return html(self) + (f"<p>{html_text(told)}</p>" if told else "")


def summarize(finished: Sequence[Finished], seed: int) -> Summary:
    """The searches of one strategy under one budget, together. seed: for the bootstrap."""
    by_problem: dict[str, list[Row]] = {}
    for one in finished:
        by_problem.setdefault(one.row.problem, []).append(one.row)
    values = np.array([np.mean([row.right for row in rows]) for rows in by_problem.values()], dtype=float)
    unknown = np.array([np.mean([row.unknown for row in rows]) for rows in by_problem.values()], dtype=float)
    found, first = bootstrap(values, seed=seed, level=LEVEL), finished[0].row
    right, unread = (sum(getattr(one.row, name) for one in finished) for name in ("right", "unknown"))
    return Summary(
        first.strategy, first.budget, len(finished), sum(bool(one.row.error) for one in finished), unread,
        float(found.mean), float(found.low), float(found.high), float((values + unknown).mean()),
        among_known(right, unread, len(finished)),
        _mean(one.row.generated_tokens + one.lost.generated_tokens for one in finished),
        _mean(one.row.prompt_tokens + one.lost.prompt_tokens for one in finished),
        _mean(one.row.sequential_tokens for one in finished),
        _mean(one.row.model_calls + one.lost.model_calls for one in finished),
        _mean(one.row.usd + one.lost.usd for one in finished),
        _mean(one.wall_s for one in finished), oracles(one.row for one in finished),
        _arms([one.row.arm for one in finished]), _mean(one.row.deciding_tokens for one in finished),
        tuple(by_problem), values, unknown,
    )  # fmt: skip


def _arms(asked: Sequence[str]) -> dict[str, float]:
    return {arm: asked.count(arm) / len(asked) for arm in sorted(set(asked)) if arm}


def oracles(rows: Iterable[Row]) -> str:
    """All verifiers that saw what is right, with commas."""
    return ", ".join(sorted({name for row in rows for name in row.oracle.split(", ") if name}))


def told_of(strategies: Iterable[tuple[str, str]]) -> str:
    """Who was told what is right, of names with their `oracles`; "" if nobody was.

    Theirs is no accuracy to compare with: nobody has the reference where an answer is needed.
    """
    said = "; ".join(f"{name} ({verifiers})" for name, verifiers in dict.fromkeys(strategies) if verifiers)
    return f"oracle: verifiers saw what is right while these searched: {said}" if said else ""


def interval(mean: float, low: float, high: float) -> str:
    """In percent: ``61.0 [55.5, 66.0]``."""
    bounds = f"[{100 * low:.1f}, {100 * high:.1f}]" if low == low else "[no interval]"
    return f"{100 * mean:.1f} {bounds}"


def grid(summaries: Sequence[Summary], each: int | None = None) -> list[tuple[str, ...]]:
    """The head and the lines of a table. each: searches that a line should have, said where it has fewer."""
    bounded = any(s.unknown for s in summaries)
    place = HEAD.index("accuracy (%)") + 1
    head = (*HEAD[:place], *(BOUNDS if bounded else ()), *HEAD[place:])
    return [head, *(_cells(summary, bounded, each) for summary in summaries)]


def fitted(rows: list[tuple[str, ...]], columns: int | None) -> list[tuple[str, ...]]:
    """The rows with columns left out until they are at most so wide: first those of zeros, then what matters least.

    At last the names are cut. None is any width.
    """

    def wide(found: list[tuple[str, ...]]) -> int:
        return sum(max(map(columns_of, column)) + 2 for column in zip(*found, strict=True)) - 2

    def without(found: list[tuple[str, ...]], name: str) -> list[tuple[str, ...]]:
        place = found[0].index(name)
        return [row[:place] + row[place + 1 :] for row in found]

    if columns is None:
        return rows
    head, *lines = rows
    zeros = [name for name in ("failed", "unknown") if all(line[head.index(name)] == "0" for line in lines)]
    for name in (*zeros, *(name for name in LEAST if name in rows[0])):
        if wide(rows) > columns and name in rows[0]:
            rows = without(rows, name)
    while (over := wide(rows) - columns) > 0:
        longest = max(range(2), key=lambda i: max(columns_of(row[i]) for row in rows))
        most = max(columns_of(row[longest]) for row in rows)
        if most <= SHORTEST:
            break
        keep = max(SHORTEST, most - over)
        rows = [tuple(one_line(c, keep) if i == longest else c for i, c in enumerate(row)) for row in rows]
    return rows


def html(summaries: Sequence[Summary], each: int | None = None) -> str:
    """The same table for a notebook."""
    from searchkit.markup.tables import html_table

    head, *rows = grid(summaries, each)
    return html_table(head, rows, words=(0, 1))


def _cells(s: Summary, bounded: bool, each: int | None) -> tuple[str, ...]:
    searches = f"{s.searches:,} of {each:,}" if each is not None and s.searches < each else f"{s.searches:,}"
    known = "-" if math.isnan(s.of_known) else f"{100 * s.of_known:.1f}"
    bounds = (f"{100 * s.at_most:.1f}", known) if bounded else ()
    means = (f"{s.tokens:,.0f}", f"{s.sequential_tokens:,.0f}", f"{s.model_calls:,.1f}")
    counts = (searches, f"{s.failed:,}", f"{s.unknown:,}")
    return s.strategy, s.budget, *counts, interval(s.accuracy, s.low, s.high), *bounds, *means


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
