"""A handle on a search that goes on: what happens in it, its best so far, and a way to stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Generator as Awaiting
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, Generic, TypeVar

from searchkit.ambient import current
from searchkit.conduct import closing, conduct, opened, sources_of, warn_of_budget
from searchkit.engine.begin import ended
from searchkit.engine.candidates import Search
from searchkit.engine.feed import Feed
from searchkit.engine.journal import Journal
from searchkit.engine.reader import Reader
from searchkit.engine.run import Run
from searchkit.engine.sync import STOP
from searchkit.errors import ConfigError
from searchkit.events import Event, Opened, Over, Place
from searchkit.function import as_generator
from searchkit.mistakes import check_callback, check_parts, check_prices, check_references, check_search, verifiers_of
from searchkit.protocols import Generator
from searchkit.result import Result
from searchkit.trace import Span
from searchkit.tree import Tree
from searchkit.types import Budget, Params, Problem, Promptable, Scored, Usage

T_co = TypeVar("T_co", covariant=True)
NO_BUDGET = Budget()
Agent = Generator | Callable[..., Any]


def start(
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
    place: Place = (),
) -> Searching[Any]:
    """Start a search, and return at once: a handle on it, while it goes on in a task of its own.

    The parameters are those of `solve`; place: what the places of all its events begin with. Raises `ConfigError` for a
    mistake that they show, and where no event loop runs (there, `solve_sync` searches). Cost: the strategy's.

    >>> import asyncio
    >>> from searchkit import Model, start
    >>> from searchkit.events import Found
    >>> from searchkit.strategies import BestOfN
    >>> from searchkit.testing import Scripted
    >>> from searchkit.verifiers import Predicate
    >>> async def main():
    ...     model = Model(Scripted(lambda request: ["41", "42", "4"][request.index]))
    ...     search = start("19 + 23?", BestOfN(3, Predicate(lambda text: text == "42")), generator=model)
    ...     async for event in search:
    ...         if isinstance(event, Found) and event.best and event.scored.score is not None:
    ...             print("new best:", event.scored.sample.text)
    ...     return (await search).answer
    >>> asyncio.run(main())
    new best: 41
    new best: 42
    '42'
    """
    check_search(strategy, params, budget, seed)
    check_callback("listen", listen)
    asked, source = Problem.of(problem), None if generator is None else as_generator(generator)
    check_parts(source)
    check_prices(sources_of(strategy, source), budget)
    bound = check_references(verifiers_of(strategy), asked)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError("start() needs a running event loop: outside of async code use solve_sync") from None
    search = Search(asked, source, feed=Feed(place))
    search.bound.update({id(pair[0]): pair for pair in bound})
    run = Run.root(search, seed, budget)
    feed = search.feed

    async def work() -> Result[Any]:
        feed.check()
        with ExitStack() as stack:
            search.journal = opened(journal, stack)
            result = await closing(search, conduct(search, strategy, run, params, budget))
        warn_of_budget(strategy, source, budget, result)
        feed.check()
        return result

    searching: Searching[Any] = Searching(search, run, partial)
    feed.root, feed.opened = run.span, Opened(feed.place, perf_counter(), asked, strategy, budget, seed, searching.best)
    if listen is not None:
        feed.add(listen)
    searching._begin(work())
    return searching


class Searching(Generic[T_co]):
    """A search that goes on.

    ``async for event in search`` gives what happens from then on (`searchkit.events`), after the spans that go on
    already; it may be left and entered again. ``await search`` waits for the end, in the event loop in which it was
    started, and returns the `Result`, or raises what stopped the search if there is no candidate yet. If who waits is
    cancelled, as by `asyncio.wait_for`, the search is stopped; once nothing of it is in flight any more, the
    cancellation goes on, and `best` still has the best so far. With ``partial=True`` the result is returned instead,
    with ``stopped="cancelled"``. Raises `ConfigError` in another loop, and in an agent that is a part of the search.
    """

    def __init__(self, search: Search, run: Run, partial: bool) -> None:
        self._search, self._run, self._partial = search, run, partial
        self._task: asyncio.Task[Result[T_co]]

    def _begin(self, work: Any) -> None:
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(self._close)  # before all who wait for it

    def _close(self, task: asyncio.Task[Result[T_co]]) -> None:
        """Tell of the end; also of a task that was cancelled before it began."""
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        result = None if error is not None else task.result()
        stopped = None if result is None else result.stopped
        if error is not None and self._run.span.status == "open":  # it never got as far as its strategy
            self._run.span.fail(error)
        self._search.feed.close(Over(self._search.feed.place, perf_counter(), stopped, result, error))

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._task.done()

    @property
    def stopped_early(self) -> bool:
        """Whether it was asked to end, by `stop` or by a cancellation of who waited for it, before it had."""
        return self._search.stopping

    @property
    def usage(self) -> Usage:
        """All that was charged so far."""
        return self._search.usage

    @property
    def trace(self) -> Span:
        """The trace so far, which grows."""
        return self._run.span

    @property
    def tree(self) -> Tree | None:
        """The search tree so far, which grows; None of a search that has none, or not yet."""
        return self._run.frame.outermost.tree

    def best(self) -> Scored | None:
        """The best so far, by the rule of the strategy: its vote, or the highest score; None if there is none yet.

        A rule that asks models is not asked: then it is the highest score, and where nothing has one, the first answer
        that is whole. At the end it is the answer.
        """
        task = self._task
        if not task.done() or task.cancelled() or task.exception() is not None:
            return self._run.frame.outermost.best()
        result = task.result()
        chosen = replace(result.sample, candidates=())
        same = (c for c in result.candidates if replace(c.sample, candidates=()) == chosen)
        return max(same, key=lambda c: -1e308 if c.score is None else c.score, default=Scored(result.sample))

    def stop(self) -> None:
        """Ask it to end. What is in flight is cancelled, and charged; ``await search`` returns the best so far.

        From any thread, and from a signal handler; asked twice it is asked once.
        """
        loop = self._task.get_loop()
        if asyncio._get_running_loop() is loop:
            self._stop()
        if not (self._task.done() or loop.is_closed()):
            loop.call_soon_threadsafe(self._stop)  # a loop that sleeps hears of it by nothing else

    def _stop(self) -> None:
        if not (self._task.done() or self._search.closing or self._search.stopping):
            self._search.stopping = True
            self._task.cancel(STOP)

    def __aiter__(self) -> Reader:
        return Reader(self._search.feed)

    def __await__(self) -> Awaiting[Any, None, Result[T_co]]:
        return self._ended().__await__()

    async def _ended(self) -> Result[T_co]:
        """The result; see the class."""
        if not self._task.done():
            self._check_place()
            try:
                await ended(self._task)
            except asyncio.CancelledError as error:
                await self._halted()
                if self._task.cancelled() or not (self._partial or error.args[:1] == (STOP,)):
                    raise
                waiting = asyncio.current_task()
                assert waiting is not None
                if error.args[:1] != (STOP,):  # who asks for a result asks the whole task to end: it sees that itself
                    waiting.uncancel()
        return self._task.result()

    def _check_place(self) -> None:
        """Raises `ConfigError` where who waits would wait forever: in another loop, or inside of what it waits for."""
        if asyncio.get_running_loop() is not self._task.get_loop():
            raise ConfigError(
                "this search runs in another event loop: await it there, as by asyncio.run_coroutine_threadsafe"
            )
        attempt = current()
        around: Search | None = None if attempt is None else getattr(attempt.run, "_search", None)
        while around is not None:
            if around is self._search:
                raise ConfigError("an agent waits for the search that it is a part of, which waits for the agent")
            around = around.outer

    async def _halted(self) -> None:
        """Stop, and wait until nothing is in flight. Cancelled again meanwhile, ask for no result any more."""
        self.stop()
        again: asyncio.CancelledError | None = None
        while not self._task.done():
            try:
                await ended(self._task)
            except asyncio.CancelledError as error:
                again = error
                self._search.stopping = False
                self._task.cancel()
        if again is not None:
            raise again
