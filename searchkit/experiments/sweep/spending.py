"""One total of a sweep: a strategy that spends one budget over all problems, a row for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from searchkit.engine.journal import Journal
from searchkit.errors import ConfigError, JournalError
from searchkit.events import Ended, Event
from searchkit.experiments.sweep.rows import Finished
from searchkit.experiments.sweep.search import Cell, Section, blind, failed, judged, longest, succeeded
from searchkit.protocols import Generator, Verifier
from searchkit.result import Result
from searchkit.solve import solve_many
from searchkit.types import Outcome, Problem


async def spend(
    problems: Sequence[Problem],
    cell: Cell,
    endpoint: Generator | None,
    truth: Verifier,
    opened: Journal,
    concurrency: int,
    copied: int = 0,
) -> list[Finished] | None:
    """The rows of one total, for all problems; None if somebody stopped it.

    `Finished.wall_s` is what a search's own calls took, without what it waited for its turns.
    """
    journal = Section(opened, cell, copied)
    ends: list[list[Ended]] = [[] for _ in problems]

    def listen(event: Event) -> None:
        if isinstance(event, Ended):
            ends[event.at[0]].append(event)

    assert cell.allocation is not None
    try:
        outcomes = await solve_many(
            [blind(problem) for problem in problems], cell.search, generator=cell.asks(endpoint), seed=cell.seed,
            journal=journal, concurrency=concurrency, total=cell.ceilings, allocation=cell.allocation, listen=listen,
        )  # fmt: skip
        if len(outcomes) < len(problems) or any(map(_cancelled, outcomes)):
            return None
        return [await _row(problems[one.index], one, cell, truth, journal, ends[one.index]) for one in outcomes]
    except ConfigError as error:
        raise ConfigError(f"strategy {cell.strategy!r}, {cell.budget}: {error}") from error


def _cancelled(outcome: Outcome[Result[object]]) -> bool:
    return outcome.value is not None and outcome.value.stopped == "cancelled"


async def _row(
    problem: Problem, outcome: Outcome[Result[object]], cell: Cell, truth: Verifier, journal: Section, ends: list[Ended]
) -> Finished:
    if isinstance(outcome.error, JournalError):  # nothing that follows could be kept
        raise outcome.error
    result = outcome.value
    if result is None:
        assert isinstance(outcome.error, Exception)
        return failed(problem, cell, outcome.error, ends, 0.0, journal.resumed)
    known = await judged(problem, result.sample, cell, truth, journal)
    return succeeded(problem, cell, result, known, longest(result.trace, replayed=True), journal.resumed)


def totals(cells: Sequence[Cell]) -> Iterator[Cell]:
    """The cells that are totals."""
    return (cell for cell in cells if cell.allocation is not None)
