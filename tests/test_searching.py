"""A handle on a search: what it tells, its best so far, and how it ends when somebody ends it."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from searchkit import (
    Budget,
    BudgetExhausted,
    CallError,
    ConfigError,
    Journal,
    JournalError,
    Model,
    Problem,
    Result,
    Run,
    Sample,
    Searching,
    SearchWarning,
    Strategy,
    run_sync,
    solve,
    solve_many,
    solve_sync,
    start,
)
from searchkit.calls import Request
from searchkit.engine import reader
from searchkit.engine.sync import STOP
from searchkit.events import Began, Ended, Event, Found, Lost, Opened, Over, Planted, Stopping, in_order
from searchkit.experiments import Sweep
from searchkit.strategies import MCTS, BestOfN, Fallback, Race, SelfConsistency, Soft, Vote
from searchkit.testing import Counting, Scripted, Shuffled
from searchkit.testing.anytime import Turning, check_causal, check_trace
from searchkit.testing.law_worlds import Drafting, Marks
from searchkit.testing.strategies import LengthScore
from searchkit.types import Prompt
from searchkit.verifiers import Exact, Predicate

SCORES = {"a": 0.1, "b": 0.7, "c": 0.4, "d": 0.9}


def by_score(text: str) -> float:
    return SCORES[text]


def never(text: str) -> bool:
    return False


BY_SCORE, NOTHING = Predicate(by_score), Predicate(never)
MODEL = Model(Scripted(lambda request: "abcd"[request.index % 4]))


@dataclass
class Gated:
    """A backend that answers call i, once it has been let: it says "abcd"[i]."""

    let: dict[int, asyncio.Event]
    in_flight: int = 0
    name: str = "gated"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        self.in_flight += 1
        try:
            await self.let.setdefault(requests[0].index, asyncio.Event()).wait()
        finally:
            self.in_flight -= 1
        return [Sample("abcd"[requests[0].index % 4])]

    async def answer(self, *numbers: int) -> None:
        for number in numbers:
            self.let.setdefault(number, asyncio.Event()).set()
            for _ in range(20):
                await asyncio.sleep(0)


@dataclass
class Named:
    """A backend that answers "ends" always, "goes on" twice and "begins" never: with "abc" in turn.

    linger: a call that is cancelled takes some more turns of the loop to end.
    """

    linger: bool = False
    in_flight: int = 0
    name: str = "named"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        index, asked = requests[0].index, requests[0].prompt.text
        self.in_flight += 1
        try:
            if index >= {"ends": 9, "goes on": 2, "begins": 0}[asked]:
                await asyncio.sleep(60)
        finally:
            for _ in range(30 if self.linger else 0):
                await asyncio.sleep(0)
            self.in_flight -= 1
        return [Sample("abc"[index])]


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(main())


def test_its_events_end_with_over_and_it_returns_what_solve_returns() -> None:
    """One reader beside one listener: the same events. The result is that of `solve`."""

    async def main() -> None:
        told = list[Event]()
        search = start("q", BestOfN(4, BY_SCORE), generator=MODEL, listen=told.append)
        read = [event async for event in search]
        assert read == told
        check_causal(read)
        result = await search
        assert (result.answer, result.stopped) == ("d", "done")
        assert read[-1].result is result  # type: ignore[attr-defined]
        check_trace(read, result)
        plain = await solve("q", BestOfN(4, BY_SCORE), generator=MODEL)
        assert plain.trace.canonical() == result.trace.canonical()
        assert search.done
        assert search.best() is not None
        assert search.best() == next(c for c in result.candidates if c.sample.text == "d")
        assert search.usage == result.usage

    run(main)


def test_the_best_so_far_follows_what_has_come_back() -> None:
    """By the score; by the majority, where the strategy votes; what comes back first does not matter."""

    async def main() -> None:
        backend = Gated({})
        search = start("q", BestOfN(4, BY_SCORE), generator=Model(backend))
        assert search.best() is None
        seen = list[Any]()
        for number in (2, 0, 1):
            await backend.answer(number)
            best = search.best()
            seen.append(None if best is None else (best.sample.text, best.score))
        assert seen == [("c", 0.4), ("c", 0.4), ("b", 0.7)]
        search.stop()
        result = await search
        assert (result.answer, result.stopped, len(result.candidates)) == ("b", "cancelled", 3)
        assert backend.in_flight == 0

    run(main)


def test_a_vote_is_what_a_voting_strategy_would_answer_now() -> None:
    """Of 1, 2, 2: 2, though 1 came first; also as the result of a search that is stopped, and for a budget."""

    async def main() -> None:
        backend = Gated({})
        search = start("q", SelfConsistency(6, key=lambda text: text in "bd"), generator=Model(backend))
        await backend.answer(0, 1, 3)
        assert search.best() is not None
        search.stop()
        assert (await search).answer == "b"

    run(main)


def test_a_rule_that_draws_lots_or_asks_does_not_fail_the_look() -> None:
    """A rule with randomness has some, the same at each look; one that would ask a model leaves it to the score."""

    @dataclass(frozen=True)
    class Asking:
        async def select(self, prompt: Prompt, scored: Any, run: Run) -> Any:
            await run.sample(None, prompt)
            raise AssertionError("it was answered")

    async def main() -> None:
        for select in (Soft(1e-6), Vote(key=str), Asking()):
            backend = Gated({})
            search = start("q", BestOfN(6, BY_SCORE, select=select), generator=Model(backend))  # type: ignore[arg-type]
            await backend.answer(0, 1, 2)
            looks = {search.best() for _ in range(3)}
            assert [look.sample.text for look in looks if look] == ["a" if isinstance(select, Vote) else "b"]
            search.stop()
            assert (await search).answer == ("a" if isinstance(select, Vote) else "b")

    run(main)


async def _interrupted(**options: Any) -> tuple[Searching[Any], Gated]:
    """A best-of-4 of which two have come back."""
    backend = Gated({})
    search = start("q", BestOfN(4, BY_SCORE), generator=Model(backend), **options)
    told = aiter(search)
    await backend.answer(2, 0)
    judged = 0
    while judged < 2:
        event = await anext(told)
        judged += isinstance(event, Found) and event.scored.score is not None
    return search, backend


def test_a_time_limit_leaves_the_best_so_far_and_nothing_in_flight() -> None:
    """`wait_for` raises TimeoutError as it would; with `partial` it returns the result so far."""

    async def main() -> None:
        search, backend = await _interrupted()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(search, 0.01)
        assert backend.in_flight == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert search.best() is not None
        assert search.best().sample.text == "c"  # type: ignore[union-attr]
        assert (await search).stopped == "cancelled"  # whoever asks later has it
        search, backend = await _interrupted(partial=True)
        result = await asyncio.wait_for(search, 0.01)
        assert (result.answer, result.stopped, backend.in_flight) == ("c", "cancelled", 0)
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    run(main)


def test_solve_returns_what_it_has_when_it_is_told_to() -> None:
    """`wait_for(solve(..., partial=True))`, `asyncio.timeout`, and a task that is cancelled and goes on."""

    async def main() -> None:
        for way in ("wait_for", "timeout", "cancel"):
            backend = Gated({})
            work = solve("q", BestOfN(4, BY_SCORE), generator=Model(backend), partial=True)
            task = asyncio.create_task(_within(way, work))
            await backend.answer(2, 0)
            if way == "cancel":
                task.cancel()
            result = await task
            assert (result.answer, result.stopped, backend.in_flight) == ("c", "cancelled", 0)

    run(main)


async def _within(way: str, work: Coroutine[Any, Any, Result[Any]]) -> Result[Any]:
    if way == "wait_for":
        return await asyncio.wait_for(work, 0.2)
    if way == "timeout":
        async with asyncio.timeout(0.2):
            return await work
    result = await work
    async with asyncio.timeout(5):  # the task is as good as new
        await asyncio.sleep(0.001)
    return result


def test_without_a_candidate_there_is_nothing_to_return() -> None:
    """A cancellation is then raised, partial or not, and the search is over."""

    async def main() -> None:
        for partial in (False, True):
            told = list[Event]()
            backend = Gated({})
            search = start("q", BestOfN(4, BY_SCORE), generator=Model(backend), partial=partial, listen=told.append)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(search, 0.01)
            assert search.best() is None
            assert backend.in_flight == 0
            assert isinstance(told[-1], Over)
            assert isinstance(told[-1].error, asyncio.CancelledError)
            with pytest.raises(asyncio.CancelledError):
                await search

    run(main)


def test_cancelled_before_its_first_step_it_is_over() -> None:
    """A search that is stopped at once never begins, tells of its end, and leaves nothing open."""

    async def main(tmp: Path) -> None:
        told = list[Event]()
        search = start("q", BestOfN(4, BY_SCORE), generator=MODEL, listen=told.append, journal=tmp)
        search.stop()
        with pytest.raises(asyncio.CancelledError):
            await search
        assert [type(event) for event in told] == [Opened, Over]

    asyncio.run(main(Path("never-opened.db")))
    assert not Path("never-opened.db").exists()


def test_cancelled_again_while_it_ends_it_still_ends_everything() -> None:
    """The second cancellation reaches a search whose clean-up waits; it goes on to who waited."""

    @dataclass(frozen=True)
    class Slow(Strategy):
        async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
            [sample] = await run.sample(None, prompt)
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(60)
            return sample

    async def main() -> None:
        search = start("q", Slow(), generator=MODEL, partial=True)
        waiting = asyncio.ensure_future(search)
        for _ in range(2):
            await asyncio.sleep(0.01)
            waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert search.best() is not None

    run(main)


def test_who_is_cancelled_while_the_search_is_closed_loses_nothing() -> None:
    """The strategy has its answer; what was opened is closed to the end; with `partial` the answer is there."""

    @dataclass
    class Opened:
        closed: bool = False

        async def close(self) -> None:
            await asyncio.sleep(0.02)
            self.closed = True

    @dataclass(frozen=True)
    class Opening(Strategy):
        opened: Opened

        async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
            run.resource(self, lambda: self.opened)
            [sample] = await run.sample(None, prompt)
            return sample

    async def main() -> None:
        for partial in (False, True):
            opened = Opened()
            search = start("q", Opening(opened), generator=MODEL, partial=partial)
            waiting = asyncio.ensure_future(search)
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert opened.closed
            assert waiting.cancelled() is not partial
            assert (await search).stopped == "done"

    run(main)


def test_an_error_is_raised_and_told_of() -> None:
    """To who waits; `Over` has it. Nobody who waits: asyncio prints nothing."""

    def refused(request: Request) -> str:
        raise CallError("no")

    async def main() -> None:
        told = list[Event]()
        search = start("q", BestOfN(2, BY_SCORE), generator=Model(Scripted(refused)), listen=told.append)
        with pytest.raises(CallError, match="no"):
            await search
        assert isinstance(told[-1], Over)
        assert isinstance(told[-1].error, CallError)
        assert told[-1].result is told[-1].stopped is None
        start("q", BestOfN(2, BY_SCORE), generator=Model(Scripted(refused)))
        await asyncio.sleep(0.01)
        gc.collect()

    complaints = list[Any]()

    async def quiet() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        await main()

    run(quiet)
    assert not complaints


def test_a_slow_reader_loses_details_and_is_told_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten are kept: what is read and what is lost are all that a listener was told, and the end is there."""
    monkeypatch.setattr(reader, "MOST", 10)

    async def main() -> None:
        told, read = list[Event](), list[Event]()
        search = start("q", BestOfN(20, LengthScore()), generator=MODEL, listen=told.append)
        events = aiter(search)
        for _ in range(3):
            read.append(await anext(events))
        await search
        async for event in events:
            read.append(event)
        place = 0
        for event in read:  # each says where the next one stands
            place += event.n if isinstance(event, Lost) else 1
            assert isinstance(event, Lost) or event is told[place - 1]
        assert place == len(told)
        assert read[-10:] == told[-10:]
        assert isinstance(read[-1], Over)
        assert sum(isinstance(event, Lost) for event in read) > 0
        assert len(read) < len(told)

    run(main)


def test_who_comes_late_is_first_told_what_goes_on() -> None:
    """Of each span that is open, and no other; from then on all. After the end: the first event and the last."""

    async def main() -> None:
        backend = Gated({})
        search = start("q", BestOfN(3, BY_SCORE), generator=Model(backend))
        await backend.answer(0)
        events = aiter(search)
        began = [(e.at, e.name) for e in events._unread.events if isinstance(e, Began)]  # type: ignore[attr-defined]
        assert began == [
            ((0,), "BestOfN"), ((0, 0), "draw"), ((0, 0, 1), "draw"), ((0, 0, 1, 0), "gated"), ((0, 0, 2), "draw"),
            ((0, 0, 2, 0), "gated"),
        ]  # fmt: skip
        await backend.answer(1, 2)
        read = [event async for event in events]
        check_causal(read)
        assert [e.at for e in read if isinstance(e, Ended) and e.name == "score"] == [(0, 0, 1, 1), (0, 0, 2, 1)]
        assert [type(event) async for event in search] == [Opened, Over]
        result = await search
        assert type(result.trace).__name__ == "Span"
        assert all(type(span).__name__ == "Span" for span in result.trace.walk())

    run(main)


def test_the_loop_over_events_may_be_left_and_entered_again() -> None:
    """The search goes on meanwhile."""

    async def main() -> None:
        search = start("q", BestOfN(4, BY_SCORE), generator=Model(Shuffled(MODEL.backend)))
        async for event in search:
            if isinstance(event, Found):
                break
        rest = [type(event) async for event in search]
        assert rest[0] is Opened
        assert rest[-1] is Over
        assert (await search).answer == "d"

    run(main)


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("mine"), StopIteration("mine"), StopAsyncIteration("mine"), asyncio.CancelledError("mine"),
     GeneratorExit("mine"), BaseExceptionGroup("mine", [GeneratorExit()])],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_listener_that_fails_is_told_nothing_more_and_costs_nothing(error: BaseException) -> None:
    """The result is the same; a warning says so, once, also where several searches share it."""
    plain = solve_sync("q", BestOfN(4, BY_SCORE), generator=MODEL)
    heard = list[Event]()

    def fails(event: Event) -> None:
        heard.append(event)
        if len(heard) == 3:
            raise error

    with pytest.warns(SearchWarning, match=f"a listener failed.*{type(error).__name__}: mine") as warned:
        result = solve_sync("q", BestOfN(4, BY_SCORE), generator=MODEL, listen=fails)
    assert (len(heard), len(warned)) == (3, 1)
    assert result.trace.canonical() == plain.trace.canonical()
    assert result.usage.generated_tokens == plain.usage.generated_tokens
    heard.clear()
    with pytest.warns(SearchWarning, match=f"a listener failed.*{type(error).__name__}: mine") as warned:
        outcomes = run_sync(solve_many(["q", "r"], BestOfN(4, BY_SCORE), generator=MODEL, listen=fails))
    assert (len(heard), len(warned)) == (3, 1)
    assert [outcome.unwrap().answer for outcome in outcomes] == ["d", "d"]


def test_what_a_tree_search_and_an_early_stop_tell() -> None:
    """Where a tree was planted; that a threshold was reached; and that nobody takes what was in flight then."""
    told = list[Event]()
    mcts = MCTS(Marks(), environment=Drafting(), iterations=4)
    result = solve_sync("q", mcts, generator=MODEL, listen=told.append)
    [planted] = [event for event in told if isinstance(event, Planted)]
    assert planted.tree is result.tree
    told.clear()
    early = BestOfN(8, BY_SCORE, threshold=0.7, window=4)
    solve_sync("q", early, generator=Model(Shuffled(MODEL.backend)), listen=told.append)
    assert [(e.at, e.reason) for e in told if isinstance(e, Stopping)] == [((0,), "threshold")]
    assert [e.scored.sample.text for e in in_order(told) if isinstance(e, Found)] == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    ("strategy", "budget"),
    [
        (BestOfN(8, LengthScore()), Budget()),
        (BestOfN(8, LengthScore(), threshold=0.5, window=4), Budget()),
        (BestOfN(8, LengthScore()), Budget(generations=5)),
        (SelfConsistency(3, generator=BestOfN(3, LengthScore(), threshold=0.4)), Budget()),
        (MCTS(Marks(), environment=Drafting(), iterations=6, in_flight=3), Budget()),
    ],
    ids=["best-of-8", "early stop", "budget", "nested", "mcts"],
)
def test_the_order_of_events_is_the_same_for_20_shuffles_of_latencies(strategy: Strategy, budget: Budget) -> None:
    """In program order they are equal; as they came they are not, or the shuffles would show nothing."""
    model, orders, arrivals = MODEL.backend, list[list[Event]](), Counter[tuple[Any, ...]]()
    for order in range(20):
        told = list[Event]()
        result = solve_sync("q", strategy, generator=Model(Turning(model, order)), budget=budget, listen=told.append)
        check_causal(told)
        check_trace(told, result)
        orders.append(in_order(told))
        arrivals[tuple((type(event), event.at) for event in told)] += 1
    assert all(one == orders[0] for one in orders)
    assert len(arrivals) > 10 or isinstance(strategy, MCTS)


def test_ctrl_c_in_many_problems_still_returns_what_there_is() -> None:
    """Asked to stop by the message that Ctrl-C sends: finished problems, and the best so far of the others."""

    async def main() -> None:
        backend = Gated({})
        work = asyncio.create_task(
            solve_many(["q", "r"], BestOfN(3, BY_SCORE), generator=Model(backend), concurrency=2)
        )
        await backend.answer(0, 2)
        work.cancel(STOP)
        outcomes = await work
        assert [o.unwrap().answer for o in outcomes] == ["c", "c"]
        assert {o.unwrap().stopped for o in outcomes} == {"cancelled"}

    run(main)


@pytest.mark.parametrize("by_clock", [False, True])
@pytest.mark.parametrize("partial", [False, True])
def test_a_list_that_is_cancelled_returns_what_there_is_if_it_is_told_to(partial: bool, by_clock: bool) -> None:
    """What has ended, and the best so far of what goes on; nothing of what has found nothing, and nothing in flight."""

    async def main() -> None:
        backend = Named()
        many = solve_many(
            ["ends", "goes on", "begins"], BestOfN(3, BY_SCORE), generator=Model(backend), partial=partial
        )
        limit = asyncio.timeout(None)

        async def limited() -> Any:
            async with limit:
                return await many

        work = asyncio.ensure_future(limited())
        for _ in range(60):
            await asyncio.sleep(0)
        if by_clock:
            limit.reschedule(asyncio.get_running_loop().time())
        else:
            work.cancel()
        await asyncio.wait([work])
        assert backend.in_flight == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if not partial:
            assert work.cancelled() or isinstance(work.exception(), TimeoutError)
            return
        found = [(o.index, o.unwrap().stopped, o.unwrap().answer) for o in work.result() if o.error is None]
        assert found == [(0, "done", "b"), (1, "cancelled", "b")]

    run(main)


def test_a_list_that_is_cancelled_again_while_it_ends_returns_nothing() -> None:
    """Who cancels twice wants an end, and gets it only when nothing is in flight."""

    async def main() -> None:
        backend = Named(linger=True)
        many = solve_many(["ends", "goes on"], BestOfN(3, BY_SCORE), generator=Model(backend), partial=True)
        work = asyncio.ensure_future(many)
        for times in (60, 3, 3):
            for _ in range(times):
                await asyncio.sleep(0)
            work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()
        assert backend.in_flight == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


def test_a_journal_resumes_what_was_interrupted(tmp_path: Path) -> None:
    """Stopped by a handle: what had come back is not paid for again, and the journal is closed."""

    async def main() -> None:
        path = tmp_path / "run.db"
        search, _ = await _interrupted(journal=path)
        search.stop()
        first = await search
        with Journal(path) as journal:
            assert len(journal) == 4  # two answers and two verdicts
        counting = Counting(MODEL.backend)
        second = await solve("q", BestOfN(4, BY_SCORE), generator=Model(counting), journal=path)
        assert (first.answer, second.answer, counting.calls) == ("c", "d", 4)

    run(main)


@dataclass
class Noting:
    """Which requests `backend` has answered, and with that were paid for."""

    backend: Any
    answered: set[int]
    name: str = "scripted"  # as in the trace of `MODEL`

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        replies: list[Sample[str] | CallError] = await self.backend.complete(requests)
        self.answered |= {request.seed for request in requests}
        return replies


@pytest.mark.parametrize(
    "strategy",
    [BestOfN(8, LengthScore(), window=3), Fallback((Race((BestOfN(2, LengthScore()), None), NOTHING), None), NOTHING)],
    ids=["best", "nested"],
)
def test_stopped_at_any_moment_nothing_that_was_answered_is_paid_again(strategy: Strategy, tmp_path: Path) -> None:
    """What had come back is in the journal, also what nobody could take any more; resumed, the trace is whole."""

    async def main() -> None:
        whole, replayed = await solve("q", strategy, generator=MODEL), 0
        for turns in (4, 9, 14, 27):
            path, first, second = tmp_path / f"{turns}.db", set[int](), set[int]()
            search = start("q", strategy, generator=Model(Noting(Turning(MODEL.backend, turns), first)), journal=path)
            for _ in range(turns):
                await asyncio.sleep(0 if turns % 2 else 0.0005)  # the journal is written by a thread
            search.stop()
            await asyncio.wait([asyncio.ensure_future(search)])  # type: ignore[type-var]
            resumed = await solve("q", strategy, generator=Model(Noting(MODEL.backend, second)), journal=path)
            assert not first & second
            assert resumed.trace.canonical() == whole.trace.canonical()
            replayed += len(first)
        assert replayed > 4

    run(main)


def test_many_problems_tell_of_themselves_by_their_numbers() -> None:
    """Each problem's events are those of its own search, behind its number in the list."""
    told = list[Event]()
    outcomes = run_sync(solve_many(["q", "r", "s"], BestOfN(3, BY_SCORE), generator=MODEL, listen=told.append))
    for number, outcome in enumerate(outcomes):
        own = [replace(event, at=event.at[1:]) for event in told if event.at[0] == number]
        check_causal(own)
        check_trace(own, outcome.unwrap())
        assert own[0].problem.id == str(number)  # type: ignore[attr-defined]
    assert sum(isinstance(event, Over) for event in told) == 3


def test_a_sweep_tells_of_its_searches_by_problem_and_cell(tmp_path: Path) -> None:
    """Two strategies on two problems: four searches; what they cost is what the rows say. Elsewhere it cannot hear."""
    told = list[Event]()
    problems = [Problem(name, Prompt.of(name), reference="d") for name in "xy"]
    strategies = {"four": BestOfN(4, BY_SCORE), "two": BestOfN(2, BY_SCORE)}
    sweep = Sweep(problems, strategies, [Budget(generations=8)], truth=Exact(), endpoints=[MODEL])
    results = sweep.run(tmp_path / "out", listen=told.append)
    opened = {event.at: (event.problem.id, event.strategy) for event in told if isinstance(event, Opened)}
    assert opened == {
        (i, j): (problem.id, strategies[cell.strategy])
        for i, problem in enumerate(problems)
        for j, cell in enumerate(sweep.cells())
    }
    for at in opened:
        check_causal([replace(event, at=event.at[2:]) for event in told if event.at[:2] == at])
    ends = [event for event in told if isinstance(event, Ended)]
    assert sum(end.usage.model_calls for end in ends) == sum(row.model_calls for row in results.rows) == 12
    with pytest.raises(ConfigError, match='executor="asyncio"'):
        sweep.run(tmp_path / "other", executor="processes", listen=told.append)


def test_mistakes_are_said_at_once() -> None:
    """Outside of a loop; and what `solve` refuses, before anything is awaited."""
    with pytest.raises(ConfigError, match=r"running event loop: .*solve_sync"):
        start("q", BestOfN(2, BY_SCORE), generator=MODEL)

    async def main() -> None:
        with pytest.raises(ConfigError, match="seed"):
            start("q", BestOfN(2, BY_SCORE), generator=MODEL, seed="x")  # type: ignore[arg-type]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


def test_nothing_is_warned_of_where_nothing_is_wrong() -> None:
    """A stopped search makes no noise."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        async def main() -> None:
            search, _ = await _interrupted()
            search.stop()
            await search
            gc.collect()

        run(main)


@pytest.mark.parametrize("concurrency", [1, 2, 3])
def test_a_list_that_is_told_to_stop_begins_nothing_more(concurrency: int) -> None:
    """Also where it hears of it just when a search is done, whose result says nothing of it."""

    async def stopped(at: int) -> tuple[int, int]:
        main, calls = asyncio.current_task(), list[Request]()

        def reply(request: Request) -> str:
            calls.append(request)
            if len(calls) == at and main is not None:
                main.cancel(STOP)
            return "4"

        pair = BestOfN(2, Predicate(lambda value: 1.0), generator=Model(Scripted(reply)))
        return len(await solve_many([str(i) for i in range(12)], pair, concurrency=concurrency)), len(calls)

    for at in range(1, 13):
        begun = -(-at // (2 * concurrency)) * concurrency  # those in flight end first
        assert asyncio.run(stopped(at)) == (begun, 2 * begun)


def test_no_span_of_a_search_that_has_ended_is_open(tmp_path: Path) -> None:
    """Stopped before its first step, with a journal that cannot be opened, or with a part that its budget lacks."""
    (tmp_path / "none.db").write_text("this is no journal")
    model, best_of = Model(Scripted(lambda request: "4")), BestOfN(2, LengthScore())

    async def main() -> None:
        stopped = start("q", best_of, generator=model)
        stopped.stop()
        unopened = start("q", best_of, generator=model, journal=tmp_path / "none.db")
        poor = start("q", BestOfN(1, LengthScore(), generator=best_of), generator=model, budget=Budget(model_calls=0))
        for search in (stopped, unopened, poor):
            with pytest.raises((asyncio.CancelledError, JournalError, BudgetExhausted)):
                await search
            assert "open" not in {span.status for span in search.trace.walk()}

    asyncio.run(main())
