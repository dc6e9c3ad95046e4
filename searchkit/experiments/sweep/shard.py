"""One shard of a sweep: the searches of some of its problems, in one event loop, with one journal and one log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.conduct import together
from searchkit.engine.journal import Journal
from searchkit.engine.sync import STOP, run_sync, told_to_stop
from searchkit.errors import ConfigError
from searchkit.events import Event, Place
from searchkit.experiments.sweep.breaker import Breaker
from searchkit.experiments.sweep.routing import place
from searchkit.experiments.sweep.rows import LOCK, LOG, Key, Log, logged
from searchkit.experiments.sweep.search import Cell, search
from searchkit.experiments.sweep.spending import spend, totals
from searchkit.protocols import Generator, Verifier
from searchkit.types import Problem

JOURNAL = "journal.db"


@dataclass(frozen=True)
class Shard:
    """What one worker does: all `cells` for these problems, `concurrency` searches at once at each endpoint.

    listen: is told what happens, in this process. first: how many problems of the sweep are in the shards before.
    copied: the last row of its journal that another sweep wrote.
    """

    problems: Sequence[Problem]
    cells: Sequence[Cell]
    endpoints: Sequence[Generator]
    truth: Verifier
    folder: Path
    concurrency: int
    retry_failed: bool = False
    listen: Callable[[Event], object] | None = None
    first: int = 0
    copied: int = 0


class Opened:
    """A shard whose files are open, and locked against every other process."""

    def __init__(self, shard: Shard, stack: ExitStack) -> None:
        shard.folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(_locked(shard.folder / LOCK))
        self._shard, again = shard, shard.retry_failed
        self._done: set[Key] = {f.row.key for f in logged(shard.folder / LOG) if not (again and f.row.error)}
        self._log = Breaker(stack.enter_context(Log(shard.folder / LOG)))
        self._journal = stack.enter_context(Journal(shard.folder / JOURNAL))

    async def work(self) -> None:
        """All searches that are not finished, those of a problem close together, so that prefix caches hit."""
        endpoints = self._shard.endpoints or (None,)
        routed: list[list[Problem]] = [[] for _ in endpoints]
        for problem in self._shard.problems:
            routed[place(problem.id, len(endpoints), "endpoint")].append(problem)
        workers = []
        for endpoint, problems in zip(endpoints, routed, strict=True):
            queue = self._jobs(problems)
            busy = min(self._shard.concurrency, len(problems) * len(self._shard.cells))  # more would find nothing to do
            workers += [asyncio.create_task(self._worker(queue, endpoint)) for _ in range(busy)]
        await together(workers)
        await self._spend(endpoints[0])

    async def _spend(self, endpoint: Generator | None) -> None:
        """The totals, behind all else: what equal budgets have sampled is not sampled again.

        One for whose problems a row is missing is spent anew, over all of them: what each gets depends on the others.
        """
        shard = self._shard
        for cell in totals(shard.cells):
            missing = {(cell.strategy, cell.budget, cell.seed, p.id) for p in shard.problems} - self._done
            if told_to_stop() or not missing:
                continue
            found = await spend(
                shard.problems, cell, endpoint, shard.truth, self._journal, shard.concurrency, shard.copied
            )  # fmt: skip
            if found is not None:
                self._log.extend(found)

    def _jobs(self, problems: Iterable[Problem]) -> Iterator[tuple[Problem, list[tuple[Cell, Place]]]]:
        """Searches that are made one after the other, because they share calls: none is in flight twice."""
        numbers = {problem.id: self._shard.first + i for i, problem in enumerate(self._shard.problems)}
        for problem in problems:
            lines: dict[tuple[str, int], list[tuple[Cell, Place]]] = {}
            for number, cell in enumerate(self._shard.cells):
                known = (cell.strategy, cell.budget, cell.seed, problem.id) in self._done
                if not known and cell.allocation is None:
                    lines.setdefault((cell.shared, cell.seed), []).append((cell, (numbers[problem.id], number)))
            for line in lines.values():
                yield problem, line

    async def _worker(
        self, jobs: Iterator[tuple[Problem, list[tuple[Cell, Place]]]], endpoint: Generator | None
    ) -> None:
        told, truth, copied = self._shard.listen, self._shard.truth, self._shard.copied
        for problem, line in jobs:
            for cell, at in line:
                number = self._log.begin()
                finished = await search(problem, cell, endpoint, truth, self._journal, told, at, copied)
                if finished is None:
                    return
                self._log.append(number, finished)
                if told_to_stop():
                    return


def work(shards: Iterable[Shard], parent: int | None = None) -> None:
    """Work on `shards` in this process until all have finished or Ctrl-C stops them; what is paid for is kept.

    parent: the process to work for; when it is gone, the work stops as by Ctrl-C.
    """
    with ExitStack() as stack:
        run_sync(_together([Opened(shard, stack) for shard in shards], parent))


async def _together(opened: Iterable[Opened], parent: int | None) -> None:
    main = asyncio.current_task()
    watch = asyncio.create_task(_watch(main, parent)) if main is not None and parent is not None else None
    try:
        await together([asyncio.create_task(one.work()) for one in opened])
    finally:
        if watch is not None:
            watch.cancel()


async def _watch(main: asyncio.Task[Any], parent: int) -> None:
    while os.getppid() == parent:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    main.cancel(STOP)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock that dies with its process; waits for whoever has it, such as a worker that has lost its parent."""
    with contextlib.closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as db:
        while True:
            try:
                db.execute("BEGIN EXCLUSIVE")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise ConfigError(f"{path} cannot be locked ({error}): is the folder writable?") from error
        yield
