"""Opening a search: `solve` for one problem, `solve_many` for a list, `solve_sync` outside of async code."""

from __future__ import annotations

import asyncio
import functools
import time
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from searchkit.ambient import CURRENT, Attempt, current
from searchkit.calls import CallError
from searchkit.engine.candidates import Search
from searchkit.engine.journal import Journal
from searchkit.engine.progress import bar
from searchkit.engine.run import Run
from searchkit.engine.sync import STOP, run_sync
from searchkit.engine.threads import Searches
from searchkit.errors import ConfigError, JournalError, SearchWarning, UncertainEffect
from searchkit.function import Function, as_generator, warn_of_ceilings
from searchkit.kinds import is_whole, told
from searchkit.memory import Memory
from searchkit.memory.passing import Passing
from searchkit.mistakes import (
    check_callback,
    check_ids,
    check_parts,
    check_prices,
    check_references,
    check_search,
    lacking_await,
    no_sample,
    verifiers_of,
)
from searchkit.protocols import Generator
from searchkit.result import Result
from searchkit.strategy import Strategy
from searchkit.survived import Survived, any_failed, survived
from searchkit.trace import Span
from searchkit.tree import Tree
from searchkit.types import Budget, Message, Outcome, Params, Problem, Prompt, Promptable, Sample, Scored, Stopped

NO_BUDGET, DEEPEST = Budget(), 64
Agent = Generator | Callable[..., Any]


async def solve(
    problem: Promptable,
    strategy: Generator,
    *,
    generator: Agent | None = None,
    params: Params | None = None,
    budget: Budget = NO_BUDGET,
    seed: int = 0,
    journal: Journal | str | Path | None = None,
    listen: Callable[[Span], None] | None = None,
    watch: Callable[[Tree], None] | None = None,
) -> Result[Any]:
    """Search for an answer to `problem`: a text, a list of messages (OpenAI's too), a `Prompt` or a `Problem`.

    strategy: a strategy, or any generator for a single sample. generator: what the strategy's own `generator` field
    falls back to; a plain callable is wrapped. params: sampling parameters for all generation. journal: a file that
    makes the search resumable: with the same seed and journal, nothing finished is paid again. listen: called with the
    span of each finished call. watch: called with the tree of each tree search as it is planted; it grows from then on.

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
    check_search(strategy, params, budget, seed)
    check_callback("listen", listen)
    check_callback("watch", watch)
    problem, source = Problem.of(problem), None if generator is None else as_generator(generator)
    check_parts(source)
    check_prices(_sources(strategy, source), budget)
    bound = check_references(verifiers_of(strategy), problem)
    with ExitStack() as stack:
        search = Search(problem, source, _open(journal, stack), listen, watch)
        search.bound.update({id(pair[0]): pair for pair in bound})
        result = await _closing(search, _solve(search, strategy, Run.root(search, seed, budget), params, budget))
    _warn(strategy, source, budget, result)
    return result


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
        opened = _open(journal, stack) if around.journal is None else around.journal
        search = Search(problem, generator, opened, around.listen, around.watch, around)
        async with _turn(searches, outer.ledger.bounded, alone):
            try:
                run = outer.inside(search, name, place, budget, alone=alone)
                result = await _closing(search, _solve(search, strategy, run, None, budget))
            finally:
                around.errors += search.errors
                around.diverged += search.diverged
                around.left_out |= search.left_out
    _warn(strategy, generator, budget, result)
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


def _sources(strategy: Generator, generator: Generator | None) -> list[Generator]:
    """What may propose in a search."""
    own = strategy.sources() if isinstance(strategy, Strategy) else (strategy,)
    return [source for source in (generator, *own) if source is not None]


def _warn(strategy: Generator, generator: Generator | None, budget: Budget, result: Result[Any]) -> None:
    """Of ceilings that did not bind: only afterwards is it known whether an agent's own calls were seen."""
    if result.usage.generated_tokens or any(span.place for span in result.trace.walk()):
        if budget.usd is not None and not result.usage.usd:
            warnings.warn(
                "Budget(usd=...) could not bind: nothing that was called has a price. Give async_client(price=...), "
                "Upstream(price=...), or a backend its prices={...}; or limit generated_tokens",
                SearchWarning,
                stacklevel=3,
            )
        return
    functions = {id(source): source for source in _sources(strategy, generator) if isinstance(source, Function)}
    for function in functions.values():
        warn_of_ceilings(function, budget)


async def _closing(search: Search, work: Coroutine[Any, Any, Result[Any]]) -> Result[Any]:
    """What `work` returns. Strategies and verifiers are no agents: a search that they open is not of our attempt."""
    before = CURRENT.set(None)
    try:
        return await work
    finally:
        CURRENT.reset(before)
        await search.close()


async def _solve(search: Search, strategy: Generator, run: Run, params: Params | None, budget: Budget) -> Result[Any]:
    began, stopped, failure = time.perf_counter(), None, None
    try:
        sample = await strategy.generate(search.problem.prompt, run, params=params)
        if not isinstance(sample, Sample):
            raise no_sample(f"generate of {type(strategy).__name__}", sample)
        run.span.end("ok")
        candidates = sample.candidates or (Scored(sample),)
    except BaseException as raised:
        error = lacking_await(raised) or raised
        run.span.fail(error)
        frame = run.frame.inner[0] if run.frame.inner else run.frame
        best, stopped = frame.best(), _reason(error)
        if error is not raised:
            raise error from raised
        if best is None or stopped is None:
            raise
        sample, candidates, failure = best.sample, frame.candidates(), error
    if search.journal is not None:
        search.journal.check_kept()
    search.count_silent()
    if search.mistakes or any_failed(run.span):
        _say(search, survived(run.span))
    errors = {id(e): e for _, e in sorted(search.errors, key=lambda entry: entry[0])}
    if isinstance(failure, Exception):
        errors[id(failure)] = failure
    frame = run.frame.inner[0] if run.frame.inner else run.frame
    wall = time.perf_counter() - began
    overshoot = run.ledger.overshoot()
    if budget.seconds is not None and wall > budget.seconds:
        overshoot["seconds"] = wall - budget.seconds
    return Result(
        sample.value, sample, candidates, tuple(errors.values()), search.usage, search.paid,
        run.span.sequential_tokens(), run.span, frame.tree, wall, overshoot, stopped or frame.stopped,
        len(search.diverged), tuple(sorted(search.left_out)),
    )  # fmt: skip


def _say(search: Search, what: Survived) -> None:
    """Warn of what was survived; raise what is no accident: a verifier none of whose answers are verdicts."""
    if search.mistakes and what.verdicts == what.unjudged <= len(search.mistakes):
        _, first = min(search.mistakes, key=lambda entry: entry[0])
        raise ConfigError(f"no sample was judged: {first}") from first
    if what.warning:
        warnings.warn(f"problem {search.problem.id!r}: {what.warning}", SearchWarning, stacklevel=2)


def _reason(error: BaseException) -> Stopped | None:
    """Why a search ended by `error` may still return its best so far; None if the error must be raised."""
    if isinstance(error, asyncio.CancelledError):
        return "cancelled" if error.args[:1] == (STOP,) else None
    raised = ConfigError | JournalError | UncertainEffect
    return "error" if isinstance(error, Exception) and not isinstance(error, raised) else None


def _open(journal: Journal | str | Path | None, stack: ExitStack) -> Journal | None:
    if journal is not None and not isinstance(journal, (Journal, str, Path)):
        raise ConfigError(f'journal= is the name of a file, such as "run.db", or a Journal, got {told(journal)}')
    return stack.enter_context(Journal(journal)) if isinstance(journal, (str, Path)) else journal


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
    lag: int = 1,
    progress: bool = False,
    finished: Callable[[Problem, Outcome[Result[Any]]], None] | None = None,
) -> list[Outcome[Result[Any]]]:
    """`solve` for every problem, at most `concurrency` at once; outcomes in the order of `problems`.

    What is no `Problem` yet (a text, a list of messages, a `Prompt`) gets its place in the list as id: "0", "1", ...
    A problem that fails is an outcome with an error and stays in the list; one whose reference a verifier cannot use
    is a `ConfigError` that names it, before anything is paid. `budget` is for each problem. `progress`
    shows a bar on stderr; `finished` is called as each problem ends. Resumable with a journal, like `solve`. Problem
    ids must differ, since each problem's randomness derives from its id. Stopped by Ctrl-C (under `run_sync`), it
    returns what there is by then.

    memory: notes that a problem is shown of others, and to which it adds its own, in the order of `problems`; see
    `Memory`. Problem j reads it as it was after problem j - `lag`, so that at most `lag` are in flight: with 1 each
    learns from all before it, one after the other. How many are in flight changes nothing.
    """
    problems = _numbered(problems)
    check_search(strategy, params, budget, seed)
    check_callback("finished", finished)
    if not is_whole(concurrency) or concurrency < 1:
        raise ConfigError(f"concurrency must be >= 1, a whole number, got {concurrency!r}")
    passing = None if memory is None else Passing(memory, strategy, problems, lag)
    for problem in problems:
        check_references([*verifiers_of(strategy), *([] if memory is None else [memory.verifier])], problem)
    outcomes: list[Outcome[Result[Any]] | None] = [None] * len(problems)
    queue = iter(enumerate(problems))
    with ExitStack() as stack:
        opened = _open(journal, stack)
        shown = stack.enter_context(bar(len(problems), "problem")) if progress else None

        async def worker() -> None:
            for i, problem in queue:
                try:
                    asked = strategy if passing is None else await passing.strategy(i)
                    result = await solve(
                        problem, asked, generator=generator, params=params, budget=budget, seed=seed, journal=opened
                    )
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

        await _all([asyncio.create_task(worker()) for _ in range(min(concurrency, len(problems)))])
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


async def _all(workers: list[asyncio.Task[None]]) -> None:
    """Until all have ended, or one has failed. Asked to stop, they are too, and may still hand in what they have."""
    pending = set(workers)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    except asyncio.CancelledError as error:
        if _reason(error) is None:
            raise
        for task in pending:
            task.cancel(STOP)
        await asyncio.wait(pending)
    finally:
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)
        for task in workers:
            task.cancelled() or task.exception()  # the first was raised: asyncio need not print the others


@functools.wraps(solve)
def solve_sync(*args: Any, **kwargs: Any) -> Result[Any]:
    """`solve` for synchronous code and notebooks. Ctrl-C returns the best so far, with ``stopped="cancelled"``."""
    return run_sync(solve(*args, **kwargs))
