"""Sweep: every combination of strategy, budget and seed over a set of problems, resumable, here or on a cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from searchkit.allocating import Allocator
from searchkit.allocating import check as check_total
from searchkit.engine.feed import Shared
from searchkit.errors import ConfigError
from searchkit.events import Event
from searchkit.experiments.sweep import executors, manifest
from searchkit.experiments.sweep.executors import Executor
from searchkit.experiments.sweep.progress import Progress
from searchkit.experiments.sweep.results import SweepResults
from searchkit.experiments.sweep.routing import place
from searchkit.experiments.sweep.rows import LOG, RESULTS, Finished, Key, logged, write
from searchkit.experiments.sweep.search import Cell, blind
from searchkit.experiments.sweep.shard import Shard
from searchkit.function import Function, as_generator
from searchkit.mistakes import (
    check_callback,
    check_ids,
    check_references,
    check_verifier,
    listed,
    suggesting,
    verifiers_of,
)
from searchkit.protocols import Generator, Verifier
from searchkit.strategies.sampling.best_of_n import BestOfN
from searchkit.types import Budget, Problem

NO_BUDGET = Budget()


LISTS = {
    "problems": "[Problem(id, Prompt.of(text), reference)]",
    "budgets": "[Budget(generations=8)]",
    "seeds": "[0, 1, 2]",
    "endpoints": "[Model(backend)]",
}
OF_RUN = ("out", "executor", "jobs", "concurrency", "progress", "retry_failed")


@suggesting(**{name: f"run: Sweep(...).run(folder, {name}=...)" for name in OF_RUN})
@dataclass(frozen=True)
class Sweep:
    """Every strategy under every budget with every seed, for every problem: one search and one row each.

    - problems: with ids that differ.
    - strategies: by the names that rows and tables show.
    - budgets: for one search each.
    - seeds: whole numbers; each search is made with each.
    - truth: says what is right (`Verdict.passed`), after the search has ended: a search sees no reference and is not
      charged for it.
    - endpoints: generators that serve one and the same model; each problem is always asked of one of them, chosen by
      its id. None is needed where the strategies have their own.
    - common: whether strategies that declare independent draws (`Strategy.INDEPENDENT`: `BestOfN`, `SelfConsistency`,
      `FieldVote`) and have no generator of their own share one pool of samples, by problem, prompt, parameters, seed
      and number: sample j is the same in all of them, and paid once. Their arms are then paired, and tables say so. The
      samples are others than in `solve`, whose seeds come from the strategy.
    - totals: budgets, each for all problems together, with each seed. Strategies that are `BestOfN` spend them where
      `allocation` says, as in `solve_many(total=...)`, behind all other searches, whose samples are not paid again.
      Their rows stand under "total generations=800"; `SweepResults.savings` says what they save against `budgets`. They
      need one endpoint and the executor "asyncio"; `listen` hears nothing of them.
    - allocation: which problems get the next samples of a total, such as `Allocation(ScoreModel.fit(pool))`.

    With equal seeds, `solve(blind(problem), strategy, budget=..., seed=...)` repeats one search of a sweep
    (`sweep.search.blind`).

    It may grow: with more problems, strategies, budgets or seeds, in the folder where it ran before, what is new is
    searched and what is there is kept. Where no search has ended yet, as when a mistake in the settings ended the sweep
    at its first search, the settings may be any others: what was sampled is there, and is not paid again.

    Raises `ConfigError` before any call where the truth, or a verifier of a strategy, does not fit a problem, and for a
    joint truth; and as soon as the truth gives a score without saying what passed. Cost: problems x strategies x
    budgets x seeds searches. Under its budgets (those without a ceiling on seconds) a strategy asks a model with equal
    seeds for the same things first: these calls are paid once, and rows tell of each search what it would have cost
    alone. Strategies share nothing, unless `common` (to estimate many methods from one set of samples use `draw`).
    """

    problems: Sequence[Problem]
    strategies: Mapping[str, Generator]
    budgets: Sequence[Budget] = (NO_BUDGET,)
    seeds: Sequence[int] = (0,)
    _: KW_ONLY
    truth: Verifier
    endpoints: Sequence[Generator | Callable[..., Any]] = ()
    common: bool = False
    totals: Sequence[Budget] = ()
    allocation: Allocator | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.strategies, Mapping):
            raise ConfigError(f"strategies must be a mapping from names to strategies, got {self.strategies!r:.80}")
        for name, such_as in LISTS.items():
            object.__setattr__(self, name, listed(name, getattr(self, name), such_as))
        object.__setattr__(self, "totals", tuple(listed("totals", self.totals, "[Budget(generations=800)]")))
        object.__setattr__(self, "strategies", dict(self.strategies))
        check_verifier("truth= of a sweep", self.truth)
        models = [manifest.describe(generator) for generator in self.generators]
        checks = {
            "problems must be Problem(id, Prompt.of(text), reference) objects": _are(Problem, self.problems),
            "strategies must be strategies, such as SelfConsistency(8)": _are(Generator, self.strategies.values())
            and not any(isinstance(strategy, type) for strategy in self.strategies.values()),
            "the names of strategies must be texts that can be printed in a line": _are(str, self.strategies)
            and all(name.strip() and name.isprintable() for name in self.strategies),
            "budgets must be Budget objects": _are(Budget, self.budgets),
            "budgets must differ": _differ(self.budgets),
            "seeds must be whole numbers": _are(int, self.seeds),
            "seeds must differ": _differ(self.seeds),
            "all endpoints must serve one model with the same parameters": all(m == models[0] for m in models),
            "truth must judge each answer by itself, such as Exact()": not getattr(self.truth, "joint", False),
            "common=True shares single calls of models, and an agent is asked anew each time: leave common out": not (
                self.common and any(isinstance(one, Function) for one in self.generators)
            ),
        }
        for name in ("problems", "strategies", "budgets", "seeds"):
            if not getattr(self, name):
                raise ConfigError(f"a sweep needs at least one of each, and {name} is empty")
        for rule, holds in checks.items():
            if not holds:
                raise ConfigError(f"a sweep needs at least one of each, and {rule}")
        check_ids([problem.id for problem in self.problems])
        self._check_totals()

    def _check_totals(self) -> None:
        if not self.totals:
            return
        if self.allocation is None or not self.spending:
            raise ConfigError(
                "totals= are spent where allocation= says, by strategies that are BestOfN(n, verifier): give both"
            )
        if len(self.endpoints) > 1:
            raise ConfigError("a total is spent at one endpoint: give one, or no totals")
        if not _differ(self.totals):
            raise ConfigError("totals must differ")
        for total in self.totals:
            check_total(self.problems, self.strategies[self.spending[0]], total, self.allocation)

    @property
    def spending(self) -> tuple[str, ...]:
        """The strategies that spend the totals."""
        known = self.strategies.items() if self.totals else ()
        return tuple(name for name, one in known if isinstance(one, BestOfN) and not one.verifier.joint)

    @property
    def generators(self) -> tuple[Generator, ...]:
        """The endpoints, callables wrapped."""
        return tuple(map(as_generator, self.endpoints))

    @property
    def paired(self) -> tuple[str, ...]:
        """The strategies that have their samples in common."""
        known = self.strategies.items() if self.common else ()
        return tuple(name for name, one in known if getattr(one, "INDEPENDENT", False) and _asks_endpoint(one))

    def cells(self) -> Iterator[Cell]:
        """All combinations, strategies first."""
        for name, strategy in self.strategies.items():
            for budget in self.budgets:
                for seed in self.seeds:
                    yield Cell(name, label(budget), seed, strategy, budget, name in self.paired)
        for name in self.spending:
            for total in self.totals:
                for seed in self.seeds:
                    yield Cell(
                        name,
                        total_label(total),
                        seed,
                        self.strategies[name],
                        total,
                        name in self.paired,
                        self.allocation,
                    )

    def configuration(self) -> dict[str, Any]:
        """All that the results depend on, as JSON; see `searchkit.experiments.sweep.manifest`."""
        return {
            "problems": manifest.problem_set(self.problems),
            "strategies": manifest.describe(self.strategies),
            "budgets": [label(budget) for budget in self.budgets],
            "seeds": list(self.seeds),
            "model": manifest.describe(self.generators[0]) if self.endpoints else None,
            "truth": manifest.describe(self.truth),
            "common": self.common,
            "paired": list(self.paired),
            "totals": [total_label(total) for total in self.totals],
            "spending": list(self.spending),
            "allocation": manifest.describe(self.allocation) if self.totals else None,
        }

    def run(
        self,
        out: str | os.PathLike[str],
        *,
        executor: Executor = "asyncio",
        jobs: int | None = None,
        concurrency: int = 32,
        progress: bool = False,
        retry_failed: bool = False,
        listen: Callable[[Event], object] | None = None,
    ) -> SweepResults:
        """Run what is not finished in the folder `out`, and return all rows.

        executor: see `executors.execute`; results do not depend on it. jobs: workers, by default one for each CPU; a
        sweep that has begun keeps its number of shards, which is the most that can work at once. concurrency: searches
        at once at each endpoint, of all workers together. progress: a bar on stderr. retry_failed: search anew what
        ended in an error. listen: called with the events of all searches (`searchkit.events`), as by `solve`; their
        places begin with a number of the problem and that of the cell in `cells`. Only with the executor "asyncio",
        since the others work in processes of their own.

        A search that fails is a row that counts as wrong; one whose answer the truth does not decide is `Row.unknown`,
        which is not right either, and is told apart. Killed at any moment and run again, what was finished is not
        paid again. Ctrl-C keeps what was paid for and returns the rows so far: `SweepResults.complete` is False then,
        and tables say how many searches are done.
        """
        executors.check(executor)
        if self.totals and executor != "asyncio":
            raise ConfigError(f'a total is spent over all problems at once: executor="asyncio", not {executor!r}')
        if concurrency < 1 or (jobs is not None and jobs < 1):
            raise ConfigError(f"concurrency and jobs must be >= 1, got {concurrency} and {jobs}")
        check_callback("listen", listen)
        if listen is not None and executor != "asyncio":
            raise ConfigError(f'listen= hears what happens in this process: executor="asyncio", not {executor!r}')
        self.check_bound()
        folder, workers = Path(out), jobs or os.cpu_count() or 1
        heard = None if listen is None else Shared(listen)
        each = manifest.digests(self.problems)
        if self.totals and folder.exists() and manifest.shards_of(folder) > 1:
            raise ConfigError(f"{folder} has several shards, and a total is spent over all problems at once: "
                              "choose another folder")  # fmt: skip
        begun = manifest.begin(folder, self.configuration(), 1 if executor == "asyncio" else workers, each)
        return self.work(
            folder, [0] * begun["shards"], self, executor=executor, jobs=workers, concurrency=concurrency,
            progress=progress, retry_failed=retry_failed, listen=heard,
        )  # fmt: skip

    def work(
        self,
        folder: Path,
        copied: Sequence[int],
        by: Sweep,
        *,
        executor: Executor = "asyncio",
        jobs: int = 1,
        concurrency: int = 32,
        progress: bool = False,
        retry_failed: bool = False,
        listen: Callable[[Event], object] | None = None,
    ) -> SweepResults:
        """`run` in a folder whose manifest is written.

        copied: for each shard, the last row of its journal that another sweep wrote. by: this sweep, or its like whose
        searches are made in its stead.
        """
        shards = len(copied)
        logs = _logs(folder, shards)
        missing = len(self._found(logs, retry_failed)) < self.searches
        if missing:
            (folder / RESULTS).unlink(missing_ok=True)
            with Progress(logs, self.searches) if progress else contextlib.nullcontext():
                at_once = max(1, concurrency // shards)
                executors.execute(by._shards(folder, copied, at_once, retry_failed, listen), executor, jobs)
        found, own = list(self._found(logs).values()), self.configuration()
        results = SweepResults.of(found, own)
        if results.complete and (missing or not (folder / RESULTS).exists()) and manifest.holds(folder, own):
            write(folder, found)
        return results

    def check_bound(self) -> None:
        """Raises `ConfigError` where the truth, or a verifier of a strategy, cannot be bound to a problem."""
        for problem in self.problems:
            check_references([self.truth], problem)
            for name, strategy in self.strategies.items():
                try:
                    check_references(verifiers_of(strategy), blind(problem))
                except ConfigError as error:
                    hidden = "" if problem.reference is None else " (a search of a sweep does not see the references)"
                    raise ConfigError(f"strategy {name!r}, {error}{hidden}") from error

    @property
    def searches(self) -> int:
        """How many there are in all."""
        return len(self.problems) * sum(1 for _ in self.cells())

    def done(self, folder: Path, shards: int) -> int:
        """How many of its searches have a row in a folder with so many shards."""
        return len(self._found(_logs(folder, shards)))

    def _shards(
        self,
        folder: Path,
        copied: Sequence[int],
        concurrency: int,
        retry_failed: bool,
        listen: Callable[[Event], object] | None,
    ) -> list[Shard]:
        parts: list[list[Problem]] = [[] for _ in copied]
        for problem in self.problems:
            parts[place(problem.id, len(parts), "shard")].append(problem)
        firsts = list(accumulate(map(len, parts), initial=0))
        cells, models = tuple(self.cells()), self.generators
        return [
            Shard(
                part, cells, models, self.truth, folder / f"shard-{i}", concurrency, retry_failed, listen, firsts[i],
                copied[i],
            )
            for i, part in enumerate(parts)
            if part
        ]  # fmt: skip

    def _found(self, logs: Sequence[Path], without_failed: bool = False) -> dict[Key, Finished]:
        """The last row of each search of this sweep. Another process may have made it grow, and added others."""
        cells = {(cell.strategy, cell.budget, cell.seed) for cell in self.cells()}
        problems = {problem.id for problem in self.problems}
        found = {finished.row.key: finished for log in logs for finished in logged(log)}
        return {
            key: one
            for key, one in found.items()
            if key[:3] in cells and key[3] in problems and not (without_failed and one.row.error)
        }


def _logs(folder: Path, shards: int) -> list[Path]:
    return [folder / f"shard-{i}" / LOG for i in range(shards)]


def label(budget: Budget) -> str:
    """A budget as tables show it: ``generations=16 seconds=5.0``, or ``unlimited``."""
    return " ".join(f"{name}={ceiling}" for name, ceiling in budget.ceilings()) or "unlimited"


def total_label(total: Budget) -> str:
    """``total generations=800``."""
    return f"total {label(total)}"


def _asks_endpoint(strategy: Any) -> bool:
    return getattr(strategy, "generator", None) is None


def _are(kind: Any, values: Any) -> bool:
    return bool(values) and all(isinstance(value, kind) for value in values)


def _differ(values: Sequence[Any]) -> bool:
    return len(set(map(repr, values))) == len(values)
