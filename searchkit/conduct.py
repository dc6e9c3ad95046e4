"""One search from its opening to its result, whatever stops it."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from searchkit.ambient import CURRENT
from searchkit.engine.begin import accident, cancel
from searchkit.engine.candidates import Search
from searchkit.engine.journal import Journal
from searchkit.engine.run import Run
from searchkit.engine.sync import STOP
from searchkit.errors import ConfigError, JournalError, SearchWarning, UncertainEffect
from searchkit.function import Function, warn_of_ceilings
from searchkit.kinds import told
from searchkit.mistakes import lacking_await, no_sample
from searchkit.protocols import Generator
from searchkit.result import Result
from searchkit.strategy import Strategy
from searchkit.survived import Survived, any_failed, survived
from searchkit.types import Budget, Params, Sample, Scored, Stopped


def sources_of(strategy: Generator, generator: Generator | None) -> list[Generator]:
    """What may propose in a search."""
    own = strategy.sources() if isinstance(strategy, Strategy) else (strategy,)
    return [source for source in (generator, *own) if source is not None]


def warn_of_budget(strategy: Generator, generator: Generator | None, budget: Budget, result: Result[Any]) -> None:
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
    functions = {id(source): source for source in sources_of(strategy, generator) if isinstance(source, Function)}
    for function in functions.values():
        warn_of_ceilings(function, budget)


async def closing(search: Search, work: Coroutine[Any, Any, Result[Any]]) -> Result[Any]:
    """What `work` returns. Strategies and verifiers are no agents: a search that they open is not of our attempt."""
    before = CURRENT.set(None)
    try:
        return await work
    finally:
        CURRENT.reset(before)
        search.closing = True
        try:
            if search.stopping:
                await _late_stop()
        finally:
            await search.close()


async def _late_stop() -> None:
    """Take a stop that was asked for in the last step of a search: it would cancel what comes after, and the result."""
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        if error.args[:1] != (STOP,):
            raise


async def conduct(search: Search, strategy: Generator, run: Run, params: Params | None, budget: Budget) -> Result[Any]:
    """Let `strategy` search, and say what came of it."""
    began, stopped, failure = time.perf_counter(), None, None
    try:
        sample = await strategy.generate(search.problem.prompt, run, params=params)
        if not isinstance(sample, Sample):
            raise no_sample(f"generate of {type(strategy).__name__}", sample)
        run.span.end("ok")
        candidates = sample.candidates or (Scored(sample),)
    except BaseException as raised:
        mistake = lacking_await(raised)
        error = mistake or accident(raised) or raised
        run.span.fail(error)
        frame = run.frame.outermost
        best, stopped = frame.best(), reason_to_end(error, stopping=search.stopping)
        if mistake is not None or best is None or stopped is None:
            if error is not raised:
                raise error from raised
            raise
        sample, candidates, failure = best.sample, frame.candidates(), error
        if frame.rule is None and not any(one.sample is sample for one in candidates):  # of a part that went on
            candidates = (*candidates, best)
    if search.journal is not None:
        search.journal.check_kept()
    search.count_silent()
    if search.mistakes or any_failed(run.span):
        _say(search, survived(run.span))
    errors = {id(e): e for _, e in sorted(search.errors, key=lambda entry: entry[0])}
    if isinstance(failure, Exception):
        errors[id(failure)] = failure
    frame = run.frame.outermost
    if frame.tree is not None:
        frame.tree.choose(sample)
    wall = time.perf_counter() - began
    overshoot = run.ledger.overshoot()
    if budget.seconds is not None and wall > budget.seconds:
        overshoot["seconds"] = wall - budget.seconds
    return Result(
        sample.value, sample, candidates, tuple(errors.values()), search.usage, search.paid,
        run.span.sequential_tokens(), run.span, frame.tree, wall, overshoot, stopped or frame.stopped,
        len(search.diverged), tuple(sorted(search.left_out)), tuple(sorted(search.oracles)),
        search.abandoned,
    )  # fmt: skip


def _say(search: Search, what: Survived) -> None:
    """Warn of what was survived; raise what is no accident: a verifier none of whose answers are verdicts."""
    if search.mistakes and what.verdicts == what.unjudged <= len(search.mistakes):
        _, first = min(search.mistakes, key=lambda entry: entry[0])
        raise ConfigError(f"no sample was judged: {first}") from first
    if what.warning:
        warnings.warn(f"problem {search.problem.id!r}: {what.warning}", SearchWarning, stacklevel=2)


def reason_to_end(error: BaseException, *, stopping: bool = False) -> Stopped | None:
    """Why a search ended by `error` may still return its best so far; None if the error must be raised.

    stopping: it was asked to end, so that a cancellation is what was to be expected.
    """
    if isinstance(error, asyncio.CancelledError):
        return "cancelled" if stopping or error.args[:1] == (STOP,) else None
    raised = ConfigError | JournalError | UncertainEffect
    return "error" if isinstance(error, Exception) and not isinstance(error, raised) else None


def opened(journal: Journal | str | Path | None, stack: ExitStack) -> Journal | None:
    """The journal, opened for as long as `stack` is, if it was given by its name."""
    if journal is not None and not isinstance(journal, (Journal, str, Path)):
        raise ConfigError(f'journal= is the name of a file, such as "run.db", or a Journal, got {told(journal)}')
    return stack.enter_context(Journal(journal)) if isinstance(journal, (str, Path)) else journal


async def together(workers: list[asyncio.Task[None]], partial: bool = False) -> None:
    """Until all have ended, or one has failed. Asked to stop, they are too, and may still hand in what they have.

    partial: any cancellation asks so.
    """
    pending = set(workers)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    except asyncio.CancelledError as error:
        asked, waiting = reason_to_end(error) is not None, asyncio.current_task()
        if not asked and not partial:
            raise
        for task in pending:
            task.cancel(STOP)
        await asyncio.wait(pending)
        if not asked and waiting is not None:
            waiting.uncancel()
    finally:
        try:
            await cancel(pending)
        finally:
            for task in workers:
                task.cancelled() or task.exception()  # the first was raised: asyncio need not print the others
