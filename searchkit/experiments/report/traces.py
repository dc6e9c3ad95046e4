"""Searches of a sweep replayed from its journal, unpaid, for their candidates, their traces and their trees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from searchkit.calls import CallError
from searchkit.engine.journal import Journal, Origin
from searchkit.engine.journal.rows import NOWHERE
from searchkit.engine.keys import shown
from searchkit.errors import JournalError
from searchkit.experiments.entry import is_json
from searchkit.experiments.report.data import cut, finite
from searchkit.experiments.sweep.routing import place
from searchkit.experiments.sweep.rows import Finished, Row
from searchkit.experiments.sweep.search import Cell, Section, blind, said, taken
from searchkit.experiments.sweep.shard import JOURNAL
from searchkit.experiments.sweep.silent import ABSENT, silent
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.markup import trees
from searchkit.markup.cut import most_visited
from searchkit.result import Result
from searchkit.solve import solve_sync
from searchkit.trace import Span
from searchkit.tree import Tree
from searchkit.types import Problem, Sample

MOST_SAMPLES, MOST_STEPS, MOST_NODES = 64, 200, 200  # of one search
LONGEST_SAMPLE, LONGEST_STEP = 2_000, 200  # characters
MOST_TRACED = 16_000_000  # characters of all traces


class Recorded(Section):
    """A section that is read only: whatever would be new fails."""

    @property
    def read_only(self) -> bool:
        """Not of itself: a call that is absent fails like the one that was made, and others are survived."""
        return False

    async def put(self, key: bytes, outcome: str, origin: Origin = NOWHERE) -> None:
        raise CallError(ABSENT)


def traces(sweep: Sweep, folder: Path, shards: int, finished: Sequence[Finished], most: int) -> dict[str, Any]:
    """Replays of the searches for `most` problems, by their places in `finished`; `untraced` of them did not fit.

    The problems are those on which strategies and budgets differ most, then those that come first in the sweep.
    """
    quiet = replace(sweep, strategies=silent(sweep.strategies), endpoints=silent(sweep.generators))
    cells = {(cell.strategy, cell.budget, cell.seed): cell for cell in quiet.cells()}
    rows: dict[str, list[tuple[int, Row]]] = {}
    for number, one in enumerate(finished):
        rows.setdefault(one.row.problem, []).append((number, one.row))
    chosen = sorted((p for p in sweep.problems if p.id in rows), key=lambda p: -_spread(rows[p.id]))[:most]
    journals: dict[Path, Journal | str] = {}
    found: dict[str, Any] = {}
    room = MOST_TRACED
    with ExitStack() as stack:
        for done, problem in enumerate(chosen):
            path = folder / f"shard-{place(problem.id, shards, 'shard')}" / JOURNAL
            if path not in journals:
                journals[path] = _opened(path, stack)
            jobs = [(number, cells[row.key[:3]], row) for number, row in rows[problem.id]]
            told = {str(number): _replayed(problem, cell, row, quiet, journals[path]) for number, cell, row in jobs}
            room -= len(json.dumps(told))
            if room < 0:
                return {"traces": found, "untraced": len(chosen) - done}
            found |= told
    return {"traces": found, "untraced": 0}


def _opened(path: Path, stack: ExitStack) -> Journal | str:
    """The journal, or why nothing can be replayed from it."""
    if not path.exists():
        return "the journal of this search is gone"
    try:
        return stack.enter_context(Journal(path, read_only=True))
    except JournalError as error:  # the rows of the sweep are still good
        return said(error)


def _spread(rows: Sequence[tuple[int, Row]]) -> float:
    """How far apart the best and the worst strategy under any budget are, in shares of right answers."""
    cells: dict[tuple[str, str], list[bool]] = {}
    for _, row in rows:
        cells.setdefault((row.strategy, row.budget), []).append(row.right)
    shares = [sum(right) / len(right) for right in cells.values()]
    return max(shares) - min(shares)


def _replayed(problem: Problem, cell: Cell, row: Row, sweep: Sweep, journal: Journal | str) -> dict[str, Any]:
    if isinstance(journal, str):
        return {"error": journal}
    try:
        result = solve_sync(
            blind(problem), cell.search, generator=cell.asks(next(iter(sweep.generators), None)),
            budget=cell.ceilings, seed=cell.seed, journal=Recorded(journal, cell),
        )  # fmt: skip
        return _trace(result, row)
    except Exception as error:  # as in the sweep: one row, not the end of the page
        return {"error": said(error)}


def _trace(result: Result[Any], row: Row) -> dict[str, Any]:
    """One search. exact: whether the replay came to what the row says."""
    value = result.answer if is_json(result.answer) else shown(result.sample)
    made = taken(result.trace)[0].generated_tokens
    same = json.dumps(value) == json.dumps(row.answer) and (made, result.stopped) == (row.generated_tokens, row.stopped)
    chosen = replace(result.sample, candidates=())
    samples = [
        [cut(_text(one.sample), LONGEST_SAMPLE), finite(one.score), one.sample.finish,
         replace(one.sample, candidates=()) == chosen]
        for one in result.candidates[:MOST_SAMPLES]
    ]  # fmt: skip
    steps = _steps(result.trace)
    return {
        "exact": same, "samples": samples, "samples_in_all": len(result.candidates), "steps": steps[:MOST_STEPS],
        "steps_in_all": len(steps), "tree": None if result.tree is None else _tree(result.tree),
    }  # fmt: skip


def _text(sample: Sample[Any]) -> str:
    try:
        return sample.text
    except Exception:
        return shown(sample)  # an agent's value may not even be printable


def _steps(trace: Span) -> list[list[Any]]:
    """[depth, name, status, generated tokens, what was said] of each span, in program order, but for cancelled ones."""
    steps: list[list[Any]] = []
    stack = [(trace, 0)]
    while stack:
        span, depth = stack.pop()
        if span.status != "cancelled":
            name = f"{span.name} {span.index}" if span.kind == "item" else span.name
            words = cut(span.error or span.text, LONGEST_STEP)
            steps.append([depth, name, span.status, span.usage.generated_tokens, words])
            stack += [(child, depth + 1) for child in reversed(span.children)]
    return steps


def _tree(tree: Tree) -> dict[str, Any]:
    """The columns that the tree page draws."""
    columns = trees.data(tree, most_visited(tree, MOST_NODES))
    columns["text"] = [text[:LONGEST_SAMPLE] for text in columns["text"]]
    return columns
