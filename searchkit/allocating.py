"""One budget for many problems: `solve_many(total=...)`, where the next sample goes to the problem it may help most.

All searches are open at once, and each waits before its next sample. When all that go on wait, the allocation chooses
who gets one, from the scores so far. So its choices depend on scores alone, never on latencies, and a search that is
resumed from a journal makes the same ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from operator import index
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from searchkit.conduct import opened, together, warn_of_budget
from searchkit.engine.journal import Journal
from searchkit.engine.ledger import CEILINGS, cost_of
from searchkit.engine.progress import bar
from searchkit.engine.sync import told_to_stop
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.events import Ended, Event, Found, Over
from searchkit.function import as_generator
from searchkit.kinds import told
from searchkit.protocols import Generator, Run
from searchkit.result import Result
from searchkit.searching import Agent, start
from searchkit.strategies.sampling.best_of_n import BestOfN
from searchkit.tally import Tally
from searchkit.types import Budget, Outcome, Params, Problem, Prompt, Sample, Usage

MOST_AT_ONCE, PARTS = 16, 8  # a wave is an eighth of the problems, at most 16: `allocate` plays pools in the same
EACH = ("generations", "verifications", "model_calls")  # of each a sample takes one at least


@runtime_checkable
class Allocator(Protocol):
    """Says which problems get the next samples, such as `searchkit.experiments.Allocation`. Pure."""

    def next_problems(self, histories: Sequence[Sequence[float | None]], k: int) -> Sequence[int]:
        """The numbers of `k` problems (all, if there are fewer), the one that a sample helps most first.

        histories: of each problem the scores of its samples, in their order, None of one that has none.
        """


def wave_of(problems: int) -> int:
    """How many problems get a sample at once, before the allocation looks at the scores again."""
    return min(MOST_AT_ONCE, max(1, problems // PARTS))


@dataclass(frozen=True)
class Gate:
    """`generator`, for samples of one problem: each waits for its turn; what verifiers ask does not.

    unused: called where the problem's own budget refused the sample, before anything was asked.
    """

    generator: Generator
    turn: Callable[[], Any] = field(repr=False, compare=False)
    unused: Callable[[], None] = field(repr=False, compare=False)

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        if getattr(run, "role", "generate") != "generate":
            return await self.generator.generate(prompt, run, params=params)
        async with await self.turn():
            try:
                return await self.generator.generate(prompt, run, params=params)
            except BudgetExhausted:
                here: Any = run
                if all(span.usage == Usage() for span in here.span.walk()):
                    self.unused()
                raise


class Turns:
    """Who waits for a sample, and what came of those before."""

    def __init__(self, problems: int, concurrency: int) -> None:
        self.histories: list[list[float | None]] = [[] for _ in range(problems)]
        self.waiting: dict[int, asyncio.Future[None]] = {}
        self.granted: int = 0
        self._over: set[int] = set()
        self._score: dict[int, float | None] = {}
        self._room = asyncio.Semaphore(concurrency)
        self._moved = asyncio.Event()
        self._ceiling = ""

    def at(self, problem: int) -> Callable[[], Any]:
        """What the gate of a problem waits for; raises `BudgetExhausted` once all is spent."""

        async def turn() -> asyncio.Semaphore:
            if self._ceiling:
                raise BudgetExhausted(self._ceiling)
            mine = self.waiting[problem] = asyncio.get_running_loop().create_future()
            self._score.pop(problem, None)
            self._moved.set()
            await mine
            return self._room

        return turn

    def hears(self, problem: int, listen: Callable[[Event], object] | None) -> Callable[[Event], None]:
        """Notes the score of each sample of a problem once it is judged, or has failed, and the end of its search."""
        depth = 4  # the place of a draw: the problem, the strategy, its group, the draw

        def hear(event: Event) -> None:
            if isinstance(event, Found) and not event.inner:
                self._score[problem] = event.scored.score
            elif isinstance(event, Ended) and event.kind == "item" and len(event.at) == depth and not self._ceiling:
                self.histories[problem].append(self._score.pop(problem, None))
            elif isinstance(event, Over):
                self._over.add(problem)
                self.waiting.pop(problem, None)
                self._moved.set()
            if listen is not None:
                listen(event)

        return hear

    async def settled(self) -> list[int]:
        """When every search waits or is over: those that wait."""
        while len(self.waiting) + len(self._over) < len(self.histories):
            self._moved.clear()
            await self._moved.wait()
        return sorted(self.waiting)

    def unused(self) -> None:
        """A turn was not taken."""
        self.granted -= 1

    def grant(self, problems: Sequence[int]) -> None:
        self.granted += len(problems)
        for problem in problems:
            self.waiting.pop(problem).set_result(None)

    def close(self, ceiling: str) -> None:
        """All that wait, and all that come, are refused."""
        self._ceiling = ceiling
        for mine in self.waiting.values():
            if not mine.done():
                mine.set_exception(BudgetExhausted(ceiling))
        self.waiting.clear()


async def spend(
    problems: Sequence[Problem],
    strategy: Generator,
    total: Budget,
    allocation: Allocator,
    *,
    generator: Agent | None,
    params: Params | None,
    budget: Budget,
    seed: int,
    journal: Journal | str | Path | None,
    concurrency: int,
    progress: bool,
    finished: Callable[[Problem, Outcome[Result[Any]]], None] | None,
    listen: Callable[[Event], object] | None,
    partial: bool = False,
) -> list[Outcome[Result[Any]]]:
    """`solve_many` under one budget for all; see there."""
    check(problems, strategy, total, allocation)
    assert isinstance(strategy, BestOfN)
    given = None if generator is None else as_generator(generator)
    source = given if strategy.generator is None else strategy.generator
    if source is None:
        raise ConfigError("there is no generator: pass generator= to the strategy or to solve_many()")
    turns, outcomes = Turns(len(problems), concurrency), dict[int, Outcome[Result[Any]]]()
    searches: dict[int, Any] = {}
    with ExitStack() as stack:
        kept = opened(journal, stack)
        shown = stack.enter_context(bar(total.generations or len(problems), "sample")) if progress else None

        async def search(i: int, problem: Problem) -> None:
            gated = replace(strategy, generator=Gate(source, turns.at(i), turns.unused), window=1)
            searches[i] = start(
                problem, gated, generator=given, params=params, budget=budget, seed=seed, journal=kept,
                listen=turns.hears(i, listen), place=(i,),
            )  # fmt: skip
            try:
                outcomes[i] = Outcome(i, result := await searches[i])
                if result.stopped == "cancelled":
                    return
            except ConfigError:
                raise
            except Exception as error:
                outcomes[i] = Outcome(i, None, error)
            if finished is not None:
                finished(problem, outcomes[i])

        async def allocate() -> None:
            while able := await turns.settled():
                spent, granted = _spent(searches.values()), turns.granted
                if told_to_stop() or (ceiling := _reached(total, spent, granted, 0)):
                    turns.close(ceiling if not told_to_stop() else "generations")
                    return
                chosen = able if not any(turns.histories) else _chosen(allocation, turns.histories, able)
                while chosen and (ceiling := _reached(total, spent, granted, len(chosen))):
                    chosen = chosen[:-1]
                if not chosen:
                    turns.close(ceiling)
                    return
                turns.grant(chosen)
                if shown is not None:
                    shown.update(len(chosen))

        tasks = [asyncio.create_task(search(i, problem)) for i, problem in enumerate(problems)]
        await together([*tasks, asyncio.create_task(allocate())], partial)
        for one in [outcome.value for outcome in outcomes.values() if outcome.value is not None][:1]:
            warn_of_budget(strategy, given, total, one)
    return [outcomes[i] for i in sorted(outcomes)]


def check(problems: Sequence[Problem], strategy: Generator, total: Budget, allocation: Allocator) -> None:
    """Raises `ConfigError` for what cannot share a budget, before anything is asked."""
    if not isinstance(total, Budget) or not list(total.ceilings()):
        raise ConfigError(f"total is one budget for all problems, such as Budget(generations=800), got {told(total)}")
    if not callable(getattr(allocation, "next_problems", None)) or isinstance(allocation, type):
        raise ConfigError(
            "allocation says which problem gets the next sample, such as "
            f"Allocation(ScoreModel.fit(pool)) of searchkit.experiments, got {told(allocation)}"
        )
    if not isinstance(strategy, BestOfN) or strategy.verifier.joint:
        raise ConfigError(
            "a total budget goes where scores say that it helps: the strategy is BestOfN(n, verifier), with a verifier "
            f"that judges each sample by itself, got {told(strategy)}"
        )
    if total.seconds is not None:
        raise ConfigError("a total of seconds would depend on latencies: give each problem its own with budget=")
    for name, ceiling in total.ceilings():
        if name in EACH and ceiling < len(problems):
            raise ConfigError(f"total {name}={ceiling} is less than one sample for each of {len(problems)} problems")


def _chosen(allocation: Allocator, histories: Sequence[Sequence[float | None]], able: Sequence[int]) -> list[int]:
    """The problems of the next wave, among those that may have a sample more."""
    free = set(able)
    named = allocation.next_problems(histories, len(histories))
    try:
        ranked = [index(i) for i in named]
    except TypeError:
        ranked = []
    if sorted(ranked) != list(range(len(histories))):
        raise ConfigError(
            f"{type(allocation).__name__}.next_problems(histories, {len(histories)}) names the number of each of the "
            f"{len(histories)} problems once, the one that a sample helps most first, got {told(named)}"
        )
    return [i for i in ranked if i in free][: wave_of(len(histories))]


def _reached(total: Budget, spent: Usage, granted: int, more: int) -> str:
    """The ceiling that `more` samples would break, each as dear as the mean so far; "" for none. Generations are those
    that were granted."""
    costs = dict(zip(CEILINGS, cost_of(spent), strict=True))
    for name, ceiling in total.ceilings():
        used = granted if name == "generations" else costs[name]
        each = 1.0 if name == "generations" else used / granted if granted else 0.0
        if used + more * each > ceiling or (not more and used >= ceiling):
            return name
    return ""


def _spent(searches: Any) -> Usage:
    tally = Tally()
    for one in searches:
        tally.add(one.usage)
    return tally.usage
