"""An agent that is running: its model calls wait here until a search has chosen their answers."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from searchkit import wire
from searchkit.ambient import Attempt
from searchkit.calls import CallError
from searchkit.environments.agents.quiet import waits_alone
from searchkit.environments.agents.state import AgentState, Pending
from searchkit.environments.agents.worlds import Worlds
from searchkit.environments.pool import PATIENCE, digest
from searchkit.errors import AttemptEnded, ConfigError
from searchkit.function import Function, is_async
from searchkit.protocols import Run
from searchkit.types import Prompt, Sample
from searchkit.wire.values import WireRequest

GONE = "the search has no more use for this agent"
TURNS = 8
"""Turns of the loop in which an agent stays quiet before that is believed: who waits for a task that is done learns of
it a turn later, and may cancel others."""
SETTLE = 0.05
"""Seconds without news after which an agent whose threads or processes we cannot look into is taken to wait for us."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A model call that has no answer yet. asker: the task or the thread that waits for it, None if unknown."""

    pending: Pending
    content: str
    number: int
    answer: asyncio.Future[Sample[Any]]
    asker: object


class LiveAgent:
    """One call of an agent's function, from its start until it ends or is closed. at: the mark of the state where it
    stands, b"" if nobody knows. begun: whether its world is open, so that it may have done something. expected: what it
    had to ask where it was led."""

    def __init__(self, function: Function, worlds: Worlds, number: int) -> None:
        self.number: int = number
        self.at: bytes = b""
        self.begun: bool = False
        self.waiting: dict[bytes, Waiting] = {}
        self.asides: dict[bytes, str] = {}
        self.headers: dict[str, Mapping[str, str]] = {}
        self.replayed: int = 0
        self.expected: Pending | None = None
        self._function, self._worlds = function, worlds
        self._taken: defaultdict[str, set[int]] = defaultdict(set)
        self._news = asyncio.Event()
        self._task: asyncio.Task[Sample[Any]] | None = None
        self._attempt: Attempt | None = None
        self._mistake: ConfigError | None = None
        self._thread: int | None = None
        self._closed = False
        self._run: Run | None = None
        self._stepping = asyncio.Event()
        self._held = 0

    # ---------------------------------------------------------------- asked by the agent

    async def asked(
        self, request: WireRequest, url: str, headers: Mapping[str, str], thread: int | None
    ) -> tuple[Sample[Any], str]:
        asker = asyncio.current_task() if thread is None else thread
        if self._closed:
            _unheard(asker)
        self._refuse(request)
        self.headers[url] = headers
        content = wire.content(request)
        number = next(i for i in range(len(self._taken[content]) + 1) if i not in self._taken[content])
        self._taken[content].add(number)
        place = digest(content, number)
        answer: asyncio.Future[Sample[Any]] = asyncio.get_running_loop().create_future()
        self.waiting[place] = Waiting(Pending(place, request, url), content, number, answer, asker)
        self._news.set()
        try:
            sample = await answer
        except BaseException:
            self._taken[content].discard(number)
            raise
        finally:
            del self.waiting[place]
            self._news.set()
        return sample, place.hex()[:24]

    def _refuse(self, request: WireRequest) -> None:
        if self._closed:
            raise AttemptEnded(GONE)
        if request.n > 1:
            self._mistake = ConfigError(
                f"the agent asks for {request.n} choices at once, and AgentSteps answers with one: let it ask for one"
            )
            self._news.set()
            raise AttemptEnded(str(self._mistake))

    async def aside(self, name: str, perform: Callable[[Run], Awaitable[str]]) -> str:
        number = len(self._taken[name])
        self._taken[name].add(number)
        place = digest("aside", name, number)
        if place not in self.asides:
            self._held += 1
            self._news.set()
            try:
                while self._run is None and not self._closed:  # nobody pays for it while others have their turn
                    await self._stepping.wait()
            finally:
                self._held -= 1
            if self._closed or self._run is None:
                raise AttemptEnded(GONE)
            with self._run.child("aside", role="plan") as aside:
                self.asides[place] = await perform(aside)
        return self.asides[place]

    # ---------------------------------------------------------------- told by the search

    def start(self, prompt: Prompt, offered: Mapping[str, Any], run: Run) -> Attempt:
        """Call the agent, in a task of its own."""
        self._attempt = attempt = Attempt(run, asyncio.get_running_loop(), self)
        self._task = asyncio.create_task(self._played(attempt, prompt, offered))
        self._task.add_done_callback(self._ended)
        return attempt

    async def _played(self, attempt: Attempt, prompt: Prompt, offered: Mapping[str, Any]) -> Sample[Any]:
        given = await self._worlds.open(self._function)
        self.begun = True
        function = replace(self._function, kwargs={**(self._function.kwargs or {}), **given})
        if not is_async(function.fn) and not function.factory:
            function = replace(function, fn=self._noting(function.fn))
        return await function.played(attempt, prompt, offered)

    def _noting(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """`fn`, which notes the thread that it runs in."""

        @functools.wraps(fn)
        def noting(*args: Any, **kwargs: Any) -> Any:
            self._thread = threading.get_ident()
            return fn(*args, **kwargs)

        return noting

    def _ended(self, task: asyncio.Task[Sample[Any]]) -> None:
        if not task.cancelled():
            task.exception()  # retrieved: of an agent that nobody waits for, nobody wants to know
        self._news.set()

    def answer(self, place: bytes, sample: Sample[Any]) -> None:
        """Let the agent go on. The call at `place` must be waiting."""
        self.waiting[place].answer.set_result(sample)

    async def led(self, state: AgentState, run: Run | None, within: float | None) -> bool:
        """Whether the agent got to `state`, by the answers that led there from where it stands, one by one as then.

        run: pays for side calls that are not recorded; None: it is not led on where one comes up. Raises what `settled`
        raises.
        """
        self.asides.update(state.asides)
        if self.at not in state.marks:
            await self.settled(run, within)
        done = state.marks.index(self.at) if self.at in state.marks else 0
        self.at = b""
        for turn in state.turns[done:]:
            self.expected = turn.asked
            if (self._held and run is None) or not self.waits_for(turn.asked):
                return False
            self.answer(turn.asked.place, turn.action)
            self.replayed += 1
            await self.settled(run, within)
        self.expected = state.pending
        return self.arrived(state) and not (self._held and run is None)

    async def settled(self, run: Run | None, within: float | None = None) -> None:
        """Until the agent waits for nothing but us, or has ended; without a run also until it waits to be paid for.

        Raises `TimeoutError` after `within` seconds, and `ConfigError` for what it asks that nobody can answer here.
        """
        self._run = run
        if run is not None:
            self._stepping.set()
        try:
            async with asyncio.timeout(within):
                await self._until_quiet()
        finally:
            self._run = None
            self._stepping.clear()
        if self._mistake is not None:
            raise self._mistake

    async def _until_quiet(self) -> None:
        assert self._task is not None
        quiet, pause = 0.0, 0.0  # what was waited, and not by the clock: work on the loop can take any time
        while not self._task.done() and self._mistake is None and not (self._held and self._run is None):
            self._news.clear()
            if self._open and (await self._stays_quiet() or quiet >= SETTLE):
                break
            try:
                async with asyncio.timeout(pause if self._open else None):
                    await self._news.wait()
                quiet = 0.0
            except TimeoutError:
                quiet += pause
            pause = min(max(2 * pause, 0.0005), SETTLE / 4)

    async def _stays_quiet(self) -> bool:
        for _ in range(TURNS):
            if not self._quiet:
                return False
            await asyncio.sleep(0)
        return self._quiet

    @property
    def _quiet(self) -> bool:
        assert self._task is not None
        if self._news.is_set():
            return False
        if any(one.asker == self._thread for one in self._open if self._thread is not None):
            return True
        return waits_alone(self._task, {one.asker for one in self._open if isinstance(one.asker, asyncio.Task)})

    @property
    def _open(self) -> list[Waiting]:
        """The calls that wait for an answer; not those that were given up just now."""
        return [one for one in self.waiting.values() if not one.answer.done()]

    @property
    def asks(self) -> list[Pending]:
        """The calls that wait for an answer."""
        return [one.pending for one in self._open]

    @property
    def next(self) -> Pending | None:
        """The call to answer next: of those that wait, the first by what they ask."""
        first = min(self._open, key=lambda one: (one.content, one.number), default=None)
        return None if first is None else first.pending

    @property
    def stands(self) -> bool:
        """Whether it waits for an answer, so that a search can go on with it."""
        return self.over is None and not self._closed and self.next is not None

    def waits_for(self, asked: Pending | None) -> bool:
        """Whether this call waits for its answer. It may have been given up since the agent was left."""
        return asked is not None and any(one.pending.place == asked.place for one in self._open)

    def arrived(self, state: AgentState) -> bool:
        """Whether it asks what is pending in `state`, or has ended as it did."""
        return self.over is not None if state.pending is None else self.waits_for(state.pending)

    @property
    def over(self) -> asyncio.Task[Sample[Any]] | None:
        """The agent's own end, once it has come."""
        return self._task if self._task is not None and self._task.done() else None

    @property
    def mistake(self) -> BaseException | None:
        """Why it could not be called: its world did not open, say. What it raised by itself is a `CallError`."""
        error = None if self.over is None or self.over.cancelled() else self.over.exception()
        return None if isinstance(error, CallError | GeneratorExit) else error

    async def close(self) -> None:
        """End the agent: its calls are refused, its tasks cancelled, its world closed. A thread is told to end, and
        left alone if it does not."""
        self._closed = True
        self._stepping.set()
        for waiting in self.waiting.values():
            if not waiting.answer.done():
                _unheard(waiting.asker)
                waiting.answer.set_exception(AttemptEnded(GONE))
        task = self._task
        if task is not None and not task.done():
            if is_async(self._function.called or self._function.fn):
                task.cancel()
            await asyncio.wait({task}, timeout=PATIENCE)
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=PATIENCE)
            if not task.done() and self._attempt is not None:
                self._attempt.run.abandon()
        try:
            await self._worlds.close()
        except Exception as error:  # nothing that was paid for is lost for it
            if self._attempt is not None:
                self._attempt.run.fail(error)


def _unheard(asker: object) -> None:
    """Nothing is to be logged of the error that a task of an agent ends with because its call is refused: whoever began
    it may have been ended before."""
    if isinstance(asker, asyncio.Task):
        asker.add_done_callback(lambda task: task.cancelled() or task.exception())
