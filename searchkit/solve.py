"""Opening a search: `solve` for one problem, `solve_many` for a list, `solve_sync` outside of async code."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from searchkit.allocating import Allocator, spend
from searchkit.ambient import Attempt, current
from searchkit.calls import CallError
from searchkit.conduct import closing, conduct, opened, together, warn_of_budget
from searchkit.engine.candidates import Search
from searchkit.engine.feed import Shared
from searchkit.engine.journal import Journal
from searchkit.engine.progress import bar
from searchkit.engine.run import Run
from searchkit.engine.sync import run_sync, told_to_stop
from searchkit.engine.threads import Searches
from searchkit.errors import ConfigError
from searchkit.events import Event
from searchkit.kinds import is_whole, told
from searchkit.memory import Memory
from searchkit.memory.passing import Passing
from searchkit.mistakes import check_callback, check_ids, check_references, check_search, verifiers_of
from searchkit.protocols import Generator
from searchkit.result import Result
from searchkit.searching import NO_BUDGET, Agent, start
from searchkit.types import Budget, Message, Outcome, Params, Problem, Prompt, Promptable

DEEPEST = 64


async def solve(
    problem: Promptable,
    strategy: Generator,
    *,
    generator: Agent | None = None,
    params: Params | None = None,
    budget: Budget = NO_BUDGET,
    seed: int = 0,
    journal: Journal | str | Path | None = None,
    listen: Callable[[Event], object] | None = None,
    partial: bool = False,
) -> Result[Any]:
    """Search for an answer to `problem`: a text, a list of messages (OpenAI's too), a `Prompt` or a `Problem`.

    strategy: a strategy, or any generator for a single sample. generator: what the strategy's own `generator` field
    falls back to; a plain callable is wrapped. params: sampling parameters for all generation. journal: a file that
    makes the search resumable: with the same seed and journal, nothing finished is paid again. listen: called with each
    event (`searchkit.events`) as it happens; it must be quick, and runs in the search's thread. partial: cancelled, as
    by `asyncio.wait_for`, it returns its best so far, if there is one. It is ``await start(...)``: for a handle on the
    search see there.

    Returns the best answer so far whatever stops the search (`Result.stopped` says what); raises what stopped it if
    there is no candidate yet, and `ConfigError` for a mistake: before anything is paid for where the arguments show it.
    Warns (`SearchWarning`) of a ceiling on tokens or money that could not bind, once it has ended: only then is it
    known that no call of the agent was seen. Called inside an agent, it is a search of
    its own, with its own budget, journal and trace; what is a part of the search around the agent is a function under
    `@search`. Cost: the strategy's; see its docstring.

    A failed attempt is survived while others succeed. An attempt is one generation: a call of a model or of a callable,
    with all its retries. Where more than half of a search's attempts failed, or every verdict did, a `SearchWarning`
    says how many, and the first error; `Result.errors` has them all.
    """
    return await start(
        problem, strategy, generator=generator, params=params, budget=budget, seed=seed, journal=journal,
        listen=listen, partial=partial,
    )  # fmt: skip


async def solve_inside(
    attempt: Attempt,
    problem: Problem,
    strategy: Generator,
    *,
    name: str,
    place: str,
    generator: Generator,
    budget: Budget = NO_BUDGET,
    journal: Journal | str | Path | None = None,
    alone: bool = False,
) -> Result[Any]:
    """`solve` as a part of the search in one of whose attempts it is called.

    It draws on the attempt's part of the budget, with `budget` as ceilings of its own, stands in its trace and journal
    (`journal` only if that has none), takes its seeds from `place`, and ends with it. name: of its span. alone: see
    `Run.inside`. Cost: the strategy's, charged to both searches; the attempt then costs nothing of its own.
    """
    outer: Any = attempt.run
    around, searches = outer._search, outer.threads.searches
    if around.depth >= DEEPEST:
        raise ConfigError(f"searches are nested more than {DEEPEST} deep: does {name} call itself without an end?")
    with ExitStack() as stack:
        kept = opened(journal, stack) if around.journal is None else around.journal
        search = Search(problem, generator, kept, around.feed, around)
        async with _turn(searches, outer.ledger.bounded, alone):
            try:
                run = outer.inside(search, name, place, budget, alone=alone)
                result = await closing(search, conduct(search, strategy, run, None, budget))
            finally:
                around.errors += search.errors
                around.diverged += search.diverged
                around.left_out |= search.left_out
                around.oracles |= search.oracles
    warn_of_budget(strategy, generator, budget, result)
    if result.stopped in ("budget", "deadline") and budget == NO_BUDGET:
        outer.stop(result.stopped)
    return result


@asynccontextmanager
async def _turn(searches: Searches, bounded: bool, alone: bool) -> AsyncIterator[None]:
    """One of the searches of an attempt: it ends with the attempt, and under a budget it waits for its turn."""
    task = asyncio.current_task()
    if alone or task is None:  # on another loop; its own stands still, and so do all others there
        yield
        return
    searches.tasks.add(task)
    try:
        async with searches.turn if bounded else nullcontext():
            while bounded and searches.flying:
                await searches.landing()
            yield
    finally:
        searches.tasks.discard(task)


def ongoing() -> Attempt | None:
    """The attempt in which this is called, if it still goes on.

    Raises `CallError` if it has been stopped, and `ConfigError` where a search decides what it is answered.
    """
    attempt = current()
    if attempt is not None and attempt.steps is not None:
        raise ConfigError(
            "an agent under AgentSteps opens a search: it is part of one already, which decides what its model "
            "answers; give it the function without @search"
        )
    if attempt is None or not isinstance(attempt.run, Run) or attempt.run.threads.ended == "done":
        return None
    if attempt.run.threads.ended == "stopped" or attempt.loop.is_closed():
        raise CallError("the attempt that this search is a part of has been stopped")
    return attempt


async def solve_many(
    problems: Iterable[Promptable],
    strategy: Generator,
    *,
    generator: Agent | None = None,
    params: Params | None = None,
    budget: Budget = NO_BUDGET,
    seed: int = 0,
    journal: Journal | str | Path | None = None,
    concurrency: int = 32,
    memory: Memory | None = None,
    lag: int | None = None,
    progress: bool = False,
    finished: Callable[[Problem, Outcome[Result[Any]]], None] | None = None,
    listen: Callable[[Event], object] | None = None,
    partial: bool = False,
    total: Budget | None = None,
    allocation: Allocator | None = None,
) -> list[Outcome[Result[Any]]]:
    """`solve` for every problem, at most `concurrency` at once; outcomes in the order of `problems`.

    What is no `Problem` yet (a text, a list of messages, a `Prompt`) gets its place in the list as id: "0", "1", ...
    A problem that fails is an outcome with an error and stays in the list; one whose reference a verifier cannot use
    is a `ConfigError` that names it, before anything is paid. `budget` is for each problem. `progress`
    shows a bar on stderr; `finished` is called as each problem ends. `listen` is called with the events of all, as by
    `solve`, their places after the number of the problem in the list. Resumable with a journal, like `solve`. Problem
    ids must differ, since each problem's randomness derives from its id. partial: cancelled, as by `asyncio.wait_for`,
    it returns what there is by then: the problems that have ended, and the best so far of those that go on. Stopped by
    Ctrl-C (under `run_sync`), it does so without being told.

    memory: notes that a problem is shown of others, and to which it adds its own, in the order of `problems`; see
    `Memory`. Problem j reads it as it was after problem j - `lag`, so that at most `lag` are in flight: with 1, the
    default, each learns from all before it, one after the other. How many are in flight changes nothing. Without a
    memory there is nothing to lag behind, and `lag` is refused.

    total: one budget for all problems together, spent where `allocation` says, one such as
    `searchkit.experiments.Allocation`; the strategy is then `BestOfN`, whose `n` is the most that a problem may get.
    Every problem gets a sample; then an eighth of them at a time (at most 16), those that a further sample helps most,
    by the scores so far. The answers are as if each problem had been given its samples by `BestOfN` alone, with the
    same seed. Generations are never exceeded; other ceilings are looked at before each wave, whose samples are taken to
    cost what the mean so far did. All searches are open at once: `concurrency` is of samples then.
    """
    problems = _numbered(problems)
    check_search(strategy, params, budget, seed)
    check_callback("finished", finished)
    check_callback("listen", listen)
    if not is_whole(concurrency) or concurrency < 1:
        raise ConfigError(f"concurrency must be >= 1, a whole number, got {concurrency!r}")
    if memory is None and lag is not None:
        raise ConfigError(
            f"lag={lag!r} says how far problems read a memory behind: give memory=Memory(verifier), or leave lag out "
            "(concurrency= says how many problems are searched at once)"
        )
    passing = None if memory is None else Passing(memory, strategy, problems, 1 if lag is None else lag)
    for problem in problems:
        check_references([*verifiers_of(strategy), *([] if memory is None else [memory.verifier])], problem)
    heard = None if listen is None else Shared(listen)
    if total is not None or allocation is not None:
        if total is None or allocation is None or memory is not None:
            raise ConfigError("total= and allocation= go together, and not with memory=, which takes problems in order")
        return await spend(
            problems, strategy, total, allocation, generator=generator, params=params, budget=budget, seed=seed,
            journal=journal, concurrency=concurrency, progress=progress, finished=finished, listen=heard,
            partial=partial,
        )  # fmt: skip
    outcomes: list[Outcome[Result[Any]] | None] = [None] * len(problems)
    queue = iter(enumerate(problems))
    with ExitStack() as stack:
        kept = opened(journal, stack)
        shown = stack.enter_context(bar(len(problems), "problem")) if progress else None

        async def worker() -> None:
            for i, problem in queue:
                try:
                    asked = strategy if passing is None else await passing.strategy(i)
                    result = await start(
                        problem, asked, generator=generator, params=params, budget=budget, seed=seed, journal=kept,
                        listen=heard, place=(i,),
                    )  # fmt: skip
                    outcomes[i] = Outcome(i, result)
                    if result.stopped == "cancelled":
                        return
                except ConfigError:
                    raise
                except Exception as error:
                    outcomes[i] = Outcome(i, None, error)
                if passing is not None:
                    passing.end(i)
                if shown is not None:
                    shown.update()
                if finished is not None:
                    finished(problem, outcomes[i])  # type: ignore[arg-type]
                if told_to_stop():
                    return

        await together([asyncio.create_task(worker()) for _ in range(min(concurrency, len(problems)))], partial)
    return [outcome for outcome in outcomes if outcome is not None]


def _numbered(problems: Iterable[Promptable]) -> list[Problem]:
    """Every problem with an id. Raises `ConfigError` for a single one, and for two with the same id."""
    if isinstance(problems, (str, bytes, Prompt, Problem, Mapping)) or not isinstance(problems, Iterable):
        raise ConfigError(f"solve_many needs a list of problems: pass [problem], or use solve, got {told(problems)}")
    given = list(problems)
    if given and all(isinstance(one, (Message, Mapping)) for one in given):
        raise ConfigError("these messages are one conversation: pass [messages] to solve_many, or use solve")
    numbered = [Problem.of(one, str(i)) for i, one in enumerate(given)]
    check_ids([problem.id for problem in numbered])
    return numbered


@functools.wraps(solve)
def solve_sync(*args: Any, **kwargs: Any) -> Result[Any]:
    """`solve` for synchronous code and notebooks. Ctrl-C returns the best so far, with ``stopped="cancelled"``."""
    return run_sync(solve(*args, **kwargs))
