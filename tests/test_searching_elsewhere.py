"""A search that is stopped, or waited for, from an unusual place: inside of it, another thread, a signal handler."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import (
    Budget,
    CallError,
    ConfigError,
    Model,
    Problem,
    Prompt,
    Run,
    Sample,
    Searching,
    Strategy,
    search,
    solve,
    start,
)
from searchkit.calls import Request
from searchkit.events import Ended, Event, Found
from searchkit.generators import Simulated
from searchkit.protocols import Generator
from searchkit.strategies import BestOfN, Budgeted, SelfConsistency, Then
from searchkit.testing import Scripted
from searchkit.types import Usage, Verdict
from searchkit.verifiers import Exact

RIGHT = Exact(reference="42")
AT_ONCE = Model(Simulated({"42": 0.3, "43": 0.7}))
LONG = Model(Simulated({"42": 1.0}, latency=60))


@pytest.mark.parametrize("kind", [Found, Ended])
@pytest.mark.parametrize(
    "strategy",
    [BestOfN(8, RIGHT, window=1), BestOfN(8, RIGHT), SelfConsistency(8), BestOfN(1, RIGHT)],
    ids=["one-by-one", "at-once", "vote", "single"],
)
def test_stopped_by_a_listener_nothing_that_was_found_is_lost(strategy: Strategy, kind: type[Event]) -> None:
    """At each event: also at one in the last step of the search, which ends before it could be stopped."""

    async def stopped(at: int) -> bool:
        handle, heard = list[Searching[Any]](), list[Event]()

        def listen(event: Event) -> None:
            if isinstance(event, kind):
                heard.append(event)
                if len(heard) == at:
                    handle[0].stop()

        handle.append(start("q", strategy, generator=AT_ONCE, listen=listen))
        if kind is Found or at > 4:
            result = await handle[0]
            assert result.stopped in ("cancelled", "done")
            best = handle[0].best()
            assert best is not None
            assert best.sample.value == result.answer
        else:  # nothing may have been found yet: then the end is a cancellation
            await asyncio.wait([asyncio.ensure_future(handle[0])])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return len(heard) >= at

    at = 1
    while asyncio.run(stopped(at)):
        at += 1
    assert at > 1


def test_stopped_from_another_thread_it_ends_though_its_loop_sleeps() -> None:
    """Nothing else would wake the loop for a minute."""

    async def main() -> None:
        one = start("q", BestOfN(4, RIGHT), generator=LONG)
        thread = threading.Timer(0.05, one.stop)
        thread.start()
        waiting = asyncio.ensure_future(one)
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert one.stopped_early
        thread.join()

    assert _within(20, lambda: asyncio.run(main()))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_stopped_by_a_signal_handler_it_ends_though_its_loop_sleeps() -> None:
    """A handler of Python's runs between two instructions, and the selector then goes on sleeping."""

    async def main() -> None:
        one = start("q", BestOfN(4, RIGHT), generator=LONG)
        before = signal.signal(signal.SIGUSR1, lambda *_: one.stop())
        sending = threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1))
        try:
            sending.start()
            waiting = asyncio.ensure_future(one)
            await asyncio.wait([waiting], timeout=20)
            assert waiting.cancelled()
        finally:
            signal.signal(signal.SIGUSR1, before)

    asyncio.run(main())


def test_stopped_several_times_it_is_stopped_once() -> None:
    """What it cancels may need time to end, and is not cancelled again meanwhile."""
    cancelled = list[int]()

    class Slow:
        name = "slow"

        async def complete(self, requests: Any) -> list[Sample[str]]:
            if requests[0].index:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    cancelled.append(1)
                    await asyncio.sleep(0.01)
                    cancelled.append(2)
                    raise
            return [Sample("42", usage=Usage(model_calls=1, generated_tokens=1))]

    async def main() -> None:
        one = start("q", BestOfN(2, RIGHT), generator=Model(Slow()))
        await asyncio.sleep(0.01)
        for _ in range(4):
            one.stop()
            await asyncio.sleep(0)
        result = await one
        assert (result.stopped, len(result.candidates), cancelled) == ("cancelled", 1, [1, 2])

    asyncio.run(main())


def test_waited_for_in_another_loop_says_so() -> None:
    """It would wait for ever; once the search has ended anybody may have its result."""
    said = list[object]()

    async def wait(one: Searching[Any]) -> Any:
        return (await one).answer

    def elsewhere(one: Searching[Any]) -> None:
        try:
            said.append(asyncio.run(wait(one)))
        except ConfigError as error:
            said.append(str(error))

    async def main() -> None:
        one = start("q", BestOfN(2, RIGHT), generator=Model(Simulated({"42": 1.0}, latency=0.2)))
        await asyncio.to_thread(elsewhere, one)
        assert not one.done
        await one
        await asyncio.to_thread(elsewhere, one)

    assert _within(20, lambda: asyncio.run(main()))
    assert "another event loop" in str(said[0])
    assert said[1] == "42"


@pytest.mark.parametrize("deep", [False, True])
def test_an_agent_that_waits_for_its_own_search_says_so(deep: bool) -> None:
    """The two would wait for one another, and no cancellation could end it."""
    handle = list[Searching[Any]]()

    async def waits(question: str, run: Run) -> str:
        return str((await handle[0]).answer)

    async def nested(question: str, run: Run) -> str:
        return await search(BestOfN(1, RIGHT))(waits)(question)  # type: ignore[no-any-return]

    async def main() -> None:
        handle.append(start("q", BestOfN(2, RIGHT), generator=nested if deep else waits))
        with pytest.raises(ConfigError, match="the search that it is a part of"):
            await handle[0]

    assert _within(20, lambda: asyncio.run(main()))


def test_an_agent_may_wait_for_another_search() -> None:
    async def main() -> None:
        other = start("q", BestOfN(3, RIGHT, window=1), generator=Model(Simulated({"42": 1.0}, latency=0.01)))

        async def waits(question: str, run: Run) -> str:
            return str((await other).answer)

        assert (await start("q", BestOfN(2, RIGHT), generator=waits)).answer == "42"

    asyncio.run(main())


# ---------------------------------------------------------------- cancellations that nobody asked of the search


async def awaits_what_is_cancelled() -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task


async def awaits_what_is_stopped() -> None:
    other = start("inner", BestOfN(2, RIGHT), generator=LONG)
    other.stop()
    await other


async def raises_it() -> None:
    raise asyncio.CancelledError("mine")


STRAY: list[Callable[[], Any]] = [awaits_what_is_cancelled, awaits_what_is_stopped, raises_it]


@dataclass(frozen=True)
class Straying:
    """A verifier that awaits something that is cancelled."""

    stray: Callable[[], Any]
    key: str = "straying"
    range: tuple[float, float] = (0.0, 1.0)
    joint: bool = False

    def bind(self, problem: Problem) -> Straying:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        await self.stray()
        raise AssertionError("unreachable")


@dataclass(frozen=True)
class Body(Strategy):
    """One that awaits it itself, once it has a candidate."""

    stray: Callable[[], Any]
    generator: Generator | None = None

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        [sample] = await run.sample(self.generator, prompt)
        await self.stray()
        return sample


@dataclass(frozen=True)
class Judging(Body):
    """One that asks such a verifier."""

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        [sample] = await run.sample(self.generator, prompt)
        await run.score(Straying(self.stray), prompt, [sample])
        return sample


@dataclass(frozen=True)
class Backed:
    """A backend that does."""

    stray: Callable[[], Any]
    name: str = "backed"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        await self.stray()
        raise AssertionError("unreachable")


@pytest.mark.filterwarnings("ignore:problem .* all verdicts failed")
@pytest.mark.parametrize("stray", STRAY, ids=lambda stray: stray.__name__)
@pytest.mark.parametrize("budget", [Budget(), Budget(generations=9, seconds=60)], ids=["free", "bounded"])
def test_a_cancellation_that_nobody_asked_of_the_search_is_a_failure_and_no_stop(
    stray: Callable[[], Any], budget: Budget
) -> None:
    """Of an agent, a backend, a verifier or a strategy, where no concurrent item is around: what was found stays."""

    async def agent(question: str) -> str:
        await stray()
        return "unreachable"

    model = Model(Scripted(first))
    cases: list[tuple[Strategy, Any, str]] = [
        (Then(model, None), agent, "done"),
        (Then(model, Model(Backed(stray))), model, "done"),
        (Judging(stray), model, "error"),
        (Body(stray), model, "error"),
    ]

    async def main() -> None:
        for strategy, generator, stopped in cases:
            going = start("q", strategy, generator=generator, budget=budget)
            result = await going
            assert (result.answer, result.stopped) == ("first", stopped)
            assert not going.stopped_early
            assert any(isinstance(error, CallError) and "not by us" in str(error) for error in result.errors)
        with pytest.raises(CallError, match="not by us"):
            await solve("q", Budgeted(None, Budget(generations=2)), generator=agent, budget=budget)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def first(request: Request) -> str:
    return "first"


def _within(seconds: float, call: Callable[[], object]) -> bool:
    """Whether `call` returned, or raised, by then: a failure here is one that never ends."""
    raised = list[BaseException]()

    def work() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    return not thread.is_alive()
