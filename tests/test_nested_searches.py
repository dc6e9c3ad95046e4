"""`@search` inside `@search`: one budget, one trace, one journal, one end, whether the two are synchronous or not."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchkit import Budget, BudgetExhausted, CallError, ConfigError, Result, Run, Usage, search, solve, solve_sync
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import Predicate

MADE: list[str] = []


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    MADE.clear()


@search(BestOfN(4, Predicate(len, range=(0, 99)), first_pass=False))
def write(topic: str, index: int, seed: int) -> str:
    MADE.append(f"{topic} {seed}")
    return topic + "!" * index


@search(BestOfN(4, Predicate(len, range=(0, 99))))
async def write_later(topic: str, index: int, seed: int) -> str:
    MADE.append(f"{topic} {seed}")
    await asyncio.sleep(0)
    return topic + "!" * index


def sync_in_sync(topic: str) -> str:
    return write(topic)  # type: ignore[call-arg]


async def async_in_async(topic: str) -> str:
    return await write_later(topic)  # type: ignore[call-arg]


async def sync_in_async(topic: str) -> str:
    return write(topic)  # type: ignore[call-arg]


async def sync_in_a_thread_of_async(topic: str) -> str:
    return await asyncio.to_thread(write, topic)  # type: ignore[call-arg]


def async_in_sync(topic: str) -> str:
    return asyncio.run(async_in_async(topic))


KINDS = [sync_in_sync, async_in_async, sync_in_async, sync_in_a_thread_of_async, async_in_sync]


def detailed(agent: Callable[..., Any], n: int = 3, **options: Any) -> Result[Any]:
    """An outer search of `n` attempts; of a coroutine once on a loop of the caller's, else on that of the facade."""
    outer: Any = search(SelfConsistency(n), **options)(agent)
    return asyncio.run(outer.detailed("t")) if asyncio.iscoroutinefunction(agent) else outer.detailed("t")


@pytest.mark.parametrize("agent", KINDS, ids=lambda agent: agent.__name__)
def test_six_generations_are_six_calls(agent: Callable[..., Any]) -> None:
    """Three attempts, each of which would draw four: under a budget of six, six are made and six are charged."""
    result = detailed(agent, budget=Budget(generations=6))
    assert len(MADE) == 6
    assert result.usage.generations == result.usage.model_calls == result.paid.generations == 6
    assert result.trace.total() == result.usage
    assert result.stopped == "budget"
    assert result.overshoot == {}
    assert result.answer == "t!"


@pytest.mark.parametrize("agent", KINDS, ids=lambda agent: agent.__name__)
def test_on_the_loop_of_the_facade(agent: Callable[..., Any]) -> None:
    """`solve_sync` runs coroutines on searchkit's own loop: an inner search that blocks it still ends."""
    result = solve_sync("t", SelfConsistency(3), generator=agent, budget=Budget(generations=6))
    assert (len(MADE), result.usage.generations) == (6, 6)


@pytest.mark.parametrize("agent", KINDS, ids=lambda agent: agent.__name__)
def test_without_a_budget_all_are_made(agent: Callable[..., Any]) -> None:
    """Three times four; the same seeds again, whichever way the two searches are put together."""
    result = detailed(agent)
    assert (len(MADE), result.usage.generations, result.usage.verifications) == (12, 12, 12)
    assert len(set(MADE)) == 12
    assert result.answer == "t!!!"
    first = sorted(MADE)
    MADE.clear()
    assert detailed(agent).trace.canonical() == result.trace.canonical()
    assert sorted(MADE) == first


@pytest.mark.parametrize("agent", KINDS, ids=lambda agent: agent.__name__)
def test_it_stands_in_the_outer_trace(agent: Callable[..., Any]) -> None:
    """Each attempt has a span of the inner search's name, with the inner strategy and its calls below."""
    spans = list(detailed(agent, 2).trace.walk())
    inner = [span for span in spans if span.name in ("write", "write_later")]
    assert [span.kind for span in inner] == ["search", "search"]
    assert [[child.name for child in span.children] for span in inner] == [["BestOfN"], ["BestOfN"]]
    assert [span.total().generations for span in inner] == [4, 4]


@pytest.mark.parametrize("agent", KINDS, ids=lambda agent: agent.__name__)
def test_it_stands_in_the_outer_journal(agent: Callable[..., Any], tmp_path: Path) -> None:
    """The agents run again, their inner calls do not; what they cost is charged again, and nothing is paid."""
    path = tmp_path / "run.db"
    first = detailed(agent, journal=path)
    MADE.clear()
    second = detailed(agent, journal=path)
    assert MADE == []
    assert (second.answer, second.usage.generations, second.paid) == (first.answer, 12, Usage(cpu_seconds=0.0))


def test_the_inner_search_has_its_own_result() -> None:
    """Its usage is its own, its trace a part of the outer one, and its ceilings hold beside the outer ones."""
    inner: list[Result[str]] = []
    capped = search(SelfConsistency(4), budget=Budget(generations=3))(write_later.__wrapped__)  # type: ignore[attr-defined]

    async def agent(topic: str) -> str:
        inner.append(await capped.detailed(topic))
        return inner[-1].answer

    outer = detailed(agent, 2)
    assert [(r.usage.generations, r.stopped) for r in inner] == [(3, "budget")] * 2
    assert (outer.usage.generations, outer.stopped) == (6, "done")
    assert all(r.trace in list(outer.trace.walk()) for r in inner)


def test_three_searches_deep() -> None:
    """Two by two by two: eight calls, and under a budget of five just five."""

    @search(SelfConsistency(2))
    async def inner(topic: str) -> str:
        MADE.append(topic)
        return topic

    @search(SelfConsistency(2))
    async def middle(topic: str) -> str:
        return await inner(topic)

    assert detailed(middle, 2).usage.generations == len(MADE) == 8
    MADE.clear()
    assert detailed(middle, 2, budget=Budget(generations=5)).usage.generations == len(MADE) == 5


@pytest.mark.parametrize("ceiling", [None, 7])
def test_several_inner_searches_of_one_attempt(ceiling: int | None) -> None:
    """Begun side by side, in any order: the same seeds; under a budget one after another, and never over it."""

    def agent(order: list[str]) -> Callable[..., Any]:
        async def both(topic: str) -> str:
            found = await asyncio.gather(*(write_later(t) for t in order), return_exceptions=True)  # type: ignore[call-arg]
            return " ".join(sorted(f for f in found if isinstance(f, str)))

        return both

    budget = Budget(generations=ceiling)
    result = detailed(agent(["a", "b"]), 2, budget=budget)
    assert result.usage.generations == len(MADE) == (ceiling or 16)
    if ceiling is None:
        first = sorted(MADE)
        MADE.clear()
        detailed(agent(["b", "a"]), 2)
        assert sorted(MADE) == first


@pytest.mark.parametrize("generations", [None, 3, 6, 8, 11])
def test_latencies_change_nothing(generations: int | None) -> None:
    """Attempts that search, some twice and some not at all, in six orders of latency: one trace, the budget never over.

    The number of generations that are asked for differs, so that leftovers have to be shared.
    """

    def traced(order: random.Random) -> tuple[Any, Any, Any]:
        async def pause() -> None:
            for _ in range(order.randrange(6)):
                await asyncio.sleep(0)

        @search(BestOfN(3, Predicate(len, range=(0, 99))))
        async def inner(topic: str, index: int) -> str:
            await pause()
            return topic + "!" * index

        async def agent(topic: str, index: int) -> str:
            await pause()
            if index == 1:
                return topic
            first = await inner(topic)  # type: ignore[call-arg]
            await pause()
            return first if index % 2 else await inner(first)  # type: ignore[call-arg]

        result = detailed(agent, 4, budget=Budget(generations=generations))
        return result.trace.canonical(), result.answer, result.usage.generations

    results = [traced(random.Random(seed)) for seed in range(6)]
    assert all(result == results[0] for result in results)
    assert results[0][2] <= (16 if generations is None else generations)


def test_agents_that_search_and_agents_that_do_not() -> None:
    """An attempt that opens no search costs one generation, as ever; one that does costs what its search costs."""

    def agent(topic: str, index: int) -> str:
        return write(topic) if index else topic  # type: ignore[call-arg]

    usage = detailed(agent, 2).usage
    assert (usage.generations, usage.model_calls) == (1 + 4, 1 + 4)


def test_an_explicit_solve_is_a_search_of_its_own() -> None:
    """`solve` and `solve_sync` inside an agent open another search: nothing of it is charged here."""

    async def awaited(topic: str) -> str:
        return str((await solve(topic, SelfConsistency(2), generator=lambda text: text)).answer)

    def synchronous(topic: str) -> str:
        return str(solve_sync(topic, SelfConsistency(2), generator=lambda text: text).answer)

    assert detailed(awaited).usage.generations == detailed(synchronous).usage.generations == 3


def test_an_agent_of_an_explicit_solve_belongs_to_that() -> None:
    """The nearest search around an agent is the one that its own `@search` is a part of."""
    inner: list[Result[Any]] = []

    async def agent(topic: str) -> str:
        inner.append(await solve(topic, SelfConsistency(1), generator=async_in_async))
        return str(inner[-1].answer)

    assert detailed(agent, 1).usage.generations == 1
    assert inner[0].usage.generations == 4


@pytest.mark.parametrize("agent", [sync_in_sync, async_in_async], ids=lambda agent: agent.__name__)
def test_a_failed_inner_search_is_a_failed_attempt(agent: Callable[..., Any]) -> None:
    """Out of budget before its first call, it raises what the outer search raises then."""
    with pytest.raises(BudgetExhausted):
        detailed(agent, budget=Budget(generations=0))
    assert MADE == []


@pytest.mark.slow
def test_it_is_cancelled_with_the_outer_search() -> None:
    """An inner search that waits for ever: the outer deadline ends its calls."""
    begun = threading.Event()

    @search(SelfConsistency(2))
    async def forever(topic: str) -> str:
        begun.set()
        await asyncio.sleep(3600)
        return topic

    async def awaited(topic: str, index: int) -> str:
        return "early" if index == 0 else await forever(topic)

    result = detailed(awaited, 2, budget=Budget(seconds=2.0))
    assert (result.answer, result.stopped, begun.is_set()) == ("early", "deadline", True)
    assert [span.status for span in result.trace.walk() if span.name == "forever"] == ["cancelled"]


@pytest.mark.slow
def test_a_thread_is_let_go_when_its_search_is_cancelled() -> None:
    """A synchronous agent waits for its inner search: cancelled, the wait ends, and a further search is refused."""
    refused: list[BaseException] = []
    ended = threading.Event()

    @search(SelfConsistency(1))
    def forever(topic: str) -> str:
        threading.Event().wait(30)
        return topic

    def agent(topic: str, index: int) -> str:
        if index == 0:
            return "early"
        for _ in range(2):
            try:
                forever(topic)
            except BaseException as error:
                refused.append(error)
        ended.set()
        return "late"

    result = detailed(agent, 2, budget=Budget(seconds=2.0))
    assert (result.answer, result.stopped) == ("early", "deadline")
    assert ended.wait(30)
    assert isinstance(refused[1], CallError)
    assert "stopped" in str(refused[1])


def test_what_an_agent_left_behind_opens_searches_of_its_own() -> None:
    """A task that outlives the attempt is no part of it any more."""
    later: list[asyncio.Task[str]] = []
    gate = asyncio.Event()

    async def behind() -> str:
        await gate.wait()
        return await write_later("behind")  # type: ignore[call-arg]

    async def agent(topic: str) -> str:
        later.append(asyncio.create_task(behind()))
        return topic

    async def main() -> Usage:
        usage = (await solve("t", SelfConsistency(1), generator=agent)).usage
        gate.set()
        assert await later[0] == "behind!!!"
        return usage

    assert asyncio.run(main()).generations == 1


def test_what_an_agent_did_not_wait_for_ends_with_it() -> None:
    """An inner search begun in a task and left there is cancelled when the attempt ends."""
    tasks: list[asyncio.Task[str]] = []

    @search(SelfConsistency(2))
    async def forever(topic: str) -> str:
        await asyncio.sleep(3600)
        return topic

    async def agent(topic: str) -> str:
        tasks.append(asyncio.create_task(forever(topic)))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        return topic

    assert detailed(agent, 1).answer == "t"
    assert tasks[0].cancelled()


def test_mistakes_of_the_inner_search_end_the_outer_one() -> None:
    """A `ConfigError` is a mistake to be mended, wherever it is made."""

    @search(SelfConsistency(2))
    async def wrong(topic: str, run: Run) -> str:
        raise ConfigError("mend me")

    async def agent(topic: str) -> str:
        return await wrong(topic)  # type: ignore[call-arg]

    with pytest.raises(ConfigError, match="mend me"):
        detailed(agent)
