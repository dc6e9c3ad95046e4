"""The laws of a search that is looked at and stopped while it runs: its events, and the best so far."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.calls import CallError, Request
from searchkit.engine.candidates import Search
from searchkit.engine.run import Run
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.events import Began, Dropped, Ended, Event, Found, Opened, Over, Place, beats, in_order
from searchkit.protocols import Backend
from searchkit.result import Result
from searchkit.searching import Searching, start
from searchkit.strategy import Strategy
from searchkit.tally import Tally
from searchkit.testing.doubles import Counting, Shuffled
from searchkit.trace import Span
from searchkit.types import Budget, Problem, Sample, Scored, Usage

MOMENTS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89)  # turns of the event loop


class AnytimeTests:
    """A part of `StrategyTests`."""

    prompt: str
    moments: Sequence[int] = MOMENTS  # after how many turns of the loop a search is stopped

    def strategy(self) -> Strategy:
        raise NotImplementedError

    def backend(self) -> Backend:
        raise NotImplementedError

    def model(self, backend: Backend | None = None) -> Any:
        raise NotImplementedError

    def started(self, backend: Backend, told: list[Event], **options: Any) -> Searching[Any]:
        return start(self.prompt, self.strategy(), generator=self.model(backend), listen=told.append, **options)

    def test_law_14_events_are_in_causal_order_and_the_same_at_any_latency(self) -> None:
        """A span begins after the one around it and ends before it; all are those of the trace; what they cost adds up.

        In program order they are equal whatever the latencies.
        """

        async def main(backend: Backend) -> tuple[list[Event], Result[Any]]:
            told = list[Event]()
            return told, await self.started(backend, told)

        plain, _ = asyncio.run(main(self.backend()))
        for order in range(3):
            told, result = asyncio.run(main(Shuffled(self.backend(), order)))
            check_causal(told)
            check_trace(told, result)
            assert in_order(told) == in_order(plain)

    def test_law_15_stopped_at_any_moment_the_best_so_far_is_that_of_what_was_found(self) -> None:
        """By the strategy's own rule, among all whose spans had ended; nothing is in flight afterwards."""
        whole = list[Event]()

        async def complete() -> None:
            await self.started(self.backend(), whole)

        asyncio.run(complete())
        for number, turns in enumerate(self.moments):
            asyncio.run(self.stopped(number, turns, in_order(whole)))

    async def stopped(self, number: int, moment: float, whole: Sequence[Event]) -> bool:
        """One search, waited for by a task that is cancelled; whether it was still going on, and had found something.

        number: of the latencies; with every other one the result so far is returned. moment: after so many turns of the
        loop if it is whole, else after so many seconds, by `wait_for`. whole: what a search that is not stopped tells.
        """
        told, backend = list[Event](), Counting(Turning(self.backend(), number))
        search = self.started(backend, told, partial=number % 2 == 0)
        by_clock = isinstance(moment, float)
        waiting = asyncio.ensure_future(asyncio.wait_for(search, moment) if by_clock else search)
        for _ in range(0 if by_clock else int(moment)):
            await asyncio.sleep(0)
        if not by_clock:
            waiting.cancel()
        await asyncio.wait([waiting])
        if not waiting.cancelled():
            waiting.exception()  # looked at, so that a time limit that came with the end is no error nobody took
        assert backend.in_flight == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        check_causal(told)
        best = search.best()
        if search.stopped_early:
            await self._check_best(best, told, whole)
            if number % 2 == 0 and best is not None:
                assert waiting.result().stopped == "cancelled"
                assert waiting.result().answer == best.sample.value
            elif by_clock:
                assert isinstance(waiting.exception(), TimeoutError)
            else:
                assert waiting.cancelled()
        return search.stopped_early and best is not None

    async def may_be_chosen(self, found: Sequence[Scored]) -> list[Scored]:
        """What the strategy may choose among these. Override it where its rule is given to `Run.so_far`."""
        return await may_be_chosen(self.strategy(), self.prompt, found)

    async def _check_best(self, best: Scored | None, told: Sequence[Event], whole: Sequence[Event]) -> None:
        """`best` is what the strategy's rule chooses among what was found, and all was found that had ended."""
        found = candidates(told)
        assert not missed(told, whole), "a span had ended, and what came of it was no candidate"
        if found:
            chosen = await self.may_be_chosen(found)
            assert best in chosen or beats_by_a_part(best, chosen, told)
        elif best is not None:  # of a strategy inside
            assert any(isinstance(e, Found) and e.inner and e.scored.sample is best.sample for e in told)


@dataclass(frozen=True)
class Turning:
    """`backend` with latencies that are counted in turns of the event loop, so that each moment can be met again."""

    backend: Backend
    order: int = 0
    most: int = 12

    @property
    def name(self) -> str:
        return self.backend.name

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        for _ in range(random.Random(f"{self.order}/{requests[0].seed}").randrange(self.most)):
            await asyncio.sleep(0)
        return await self.backend.complete(requests)


def check_causal(told: Sequence[Event]) -> None:
    """Each span begins once, inside of one that goes on, and ends once, after all inside of it; `Over` is the last."""
    open_at, ended = dict[Place, int]({(): 0}), set[Place]()
    assert isinstance(told[0], Opened)
    assert isinstance(told[-1], Over)
    for event in told[1:-1]:
        assert not isinstance(event, Opened | Over)
        at, around = event.at, event.at[:-1]
        if isinstance(event, Began):
            assert at not in open_at
            assert at not in ended
            open_at[around] += 1
            open_at[at] = 0
        elif isinstance(event, Ended):
            assert open_at.pop(at) == 0, "it ended before what is inside of it"
            open_at[around] -= 1
            ended.add(at)
        elif isinstance(event, Dropped):
            assert at in ended
            assert around in open_at
        else:
            assert at in open_at, event
    assert open_at == {(): 0}


def check_trace(told: Sequence[Event], result: Result[Any]) -> None:
    """The spans that ended are those of the trace, and what they cost is what was charged. None is left open."""
    spent, spans = Tally(), dict[Place, Span]()
    stack: list[tuple[Place, Span]] = [((), result.trace)]
    while stack:
        at, span = stack.pop()
        spans[at] = span
        stack.extend(((*at, i), child) for i, child in enumerate(span.children))
    ends = {event.at: event for event in told if isinstance(event, Ended)}
    gone = {event.at for event in told if isinstance(event, Dropped)}
    assert set(ends) == set(spans) - {()}
    for at, end in ends.items():
        span = spans[at]
        status = "cancelled" if at in gone else end.status
        assert status != "open", f"nobody ended the span {span.name!r}: `with run.child(...) as part:` does"
        assert (span.name, span.kind, span.index, span.role, span.status) == (*_named(end), status)
        assert (span.text, span.error) == (end.text, end.error)
        spent.add(end.usage)
        spent.add(end.retried)
    assert _counted(spent.usage) == _counted(result.usage)


def _named(end: Ended) -> tuple[str, str, int, str]:
    return end.name, end.kind, end.index, end.role


def _counted(usage: Usage) -> tuple[int, ...]:
    return usage.generations, usage.verifications, usage.model_calls, usage.prompt_tokens, usage.generated_tokens


def candidates(told: Sequence[Event]) -> list[Scored]:
    """The candidates of the search's own strategy, in program order, each with what was said of it last."""
    first, last = dict[int, Place](), dict[int, tuple[Place, Scored]]()
    for event in told:
        if isinstance(event, Found) and not event.inner:
            key, at = id(event.scored.sample), event.at
            if key not in last or at < first[key][: len(at)]:  # not only above it
                first[key] = at
            if key not in last or at >= last[key][0][: len(at)]:
                last[key] = at, event.scored
    return [last[key][1] for key in sorted(last, key=lambda key: first[key])]  # stable: of one place as they came


def beats_by_a_part(best: Scored | None, chosen: Sequence[Scored], told: Sequence[Event]) -> bool:
    """Whether a part that goes on has found it, with a higher score: it counts if the same verifier has judged it."""
    inside = (event.scored for event in told if isinstance(event, Found) and event.inner)
    return best is not None and best in inside and all(beats(best, one) and one.score is not None for one in chosen)


def missed(told: Sequence[Event], whole: Sequence[Event]) -> list[Event]:
    """What the whole search found in spans inside of which all had ended here, and was not found.

    So much is known of it without asking whoever told of what was found: a search that is not stopped finds the same.
    """
    ended = {event.at for event in told if isinstance(event, Ended) and event.status == "ok"}
    here = {(event.at, event.scored.sample.text, event.scored.score) for event in told if isinstance(event, Found)}
    calls = {event.at for event in whole if isinstance(event, Ended) and event.kind == "call"}
    missing = list[Event]()
    for event in whole:
        if isinstance(event, Found):
            inside = {at for at in calls if at[: len(event.at)] == event.at}
            said = event.at, event.scored.sample.text, event.scored.score
            if inside and inside <= ended and event.at in ended and said not in here:
                missing.append(event)
    return missing


async def may_be_chosen(strategy: Strategy, prompt: str, found: Sequence[Scored]) -> list[Scored]:
    """What the strategy's own rule may choose, each time with a run of its own.

    One, unless it draws lots; where it would ask somebody or chooses nothing, the first with the highest score, or the
    first that is whole.
    """
    problem, select, picked = Problem.of(prompt), strategy.selector(), list[Scored]()
    for seed in range(4 if select is not None else 0):
        run = Run.root(Search(problem), seed, Budget(model_calls=0, generations=0, verifications=0))
        try:
            choice = await select.select(problem.prompt, found, run)  # type: ignore[union-attr]
        except (BudgetExhausted, ConfigError):
            continue
        if choice.index is not None:
            picked.append(found[choice.index])
    if not picked:
        best = found[0]
        for scored in found:
            best = scored if beats(scored, best) else best
        return [best]
    return picked if all(one == picked[0] for one in picked) else list(found)
