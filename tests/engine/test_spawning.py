"""`run.spawn` and `run.join`: graphs of dependent items that grow while they run, their order, budgets and ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import Budget, CallError, ConfigError, Model, Outcome, Params, Prompt, Result, Run, Sample, solve
from searchkit.calls import Request
from searchkit.generators import Simulated
from searchkit.protocols import Backend, Generator
from searchkit.strategy import Strategy
from searchkit.testing import Counting, Scripted, Shuffled, StrategyTests
from searchkit.testing.strategies import ANSWERS

Body = Callable[[Run], Awaitable[Any]]


@dataclass(frozen=True)
class Program(Strategy):
    """A strategy whose body is a function of the run; its answer is what that returns."""

    body: Body
    generator: Generator | None = None

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        return Sample(await self.body(run))


def echo(request: Request) -> str:
    return f"<{request.prompt.text}>"


def run(body: Body, backend: Backend | None = None, **options: Any) -> Result[Any]:
    model = Model(backend or Scripted(echo), Params(max_tokens=8))
    return asyncio.run(solve("q", Program(body), generator=model, **options))


async def ask(question: str, child: Run, *before: Outcome[str]) -> str:
    """One sample for the question with the answers before it behind it, "!" for a failed one."""
    told = " ".join([question, *("!" if o.value is None else o.value for o in before)])
    [sample] = await child.sample(None, Prompt.of(told))
    return sample.text


# ---------------------------------------------------------------- order and dependencies


def test_outcomes_come_in_the_order_asked_for() -> None:
    """Whichever ended first; each item has a run, a seed and a span of its own."""

    async def body(run: Run) -> list[str]:
        handles = [await run.spawn(ask, f"part {i}") for i in range(6)]
        return [o.unwrap() for o in await run.join(*reversed(handles))]

    for order in range(4):
        backend = Counting(Scripted(echo))
        result = run(body, Shuffled(backend, order, most=0.01))
        assert result.answer == [f"<part {i}>" for i in reversed(range(6))]
        assert len(set(backend.seeds)) == 6
        assert result.trace.canonical() == run(body).trace.canonical()


def test_an_item_waits_for_those_before_it_and_is_given_their_outcomes() -> None:
    """In the order of `after`; a failed one is passed on as a failure and stays an outcome."""

    def reply(request: Request) -> str:
        if request.prompt.text == "b":
            raise CallError("no", kind="server")
        return echo(request)

    async def body(run: Run) -> list[Outcome[str]]:
        a, b = await run.spawn(ask, "a"), await run.spawn(ask, "b")
        c = await run.spawn(ask, "c", after=(b, a))
        d = await run.spawn(ask, "d", after=[c])
        return await run.join(d, b, a)

    for order in range(4):
        result = run(body, Shuffled(Scripted(reply), order))
        d, b, a = result.answer
        assert (d.value, a.value) == ("<d <c ! <a>>>", "<a>")
        assert isinstance(b.error, CallError)
        assert [type(e) for e in result.errors] == [CallError]


def test_a_graph_grows_while_it_runs() -> None:
    """A join returns when its own have ended; others go on, and what they said is there later."""
    gate: list[asyncio.Event] = []

    async def slow(item: str, child: Run) -> str:
        await gate[0].wait()
        return item

    async def body(run: Run) -> list[str]:
        gate.append(asyncio.Event())
        held, quick = await run.spawn(slow, "held"), await run.spawn(ask, "quick")
        [first] = await run.join(quick)
        more = await run.spawn(ask, "more", after=[quick])
        [second] = await run.join(more)
        gate[0].set()
        [third] = await run.join(held)
        return [o.unwrap() for o in (first, second, third)]

    assert run(body).answer == ["<quick>", "<more <quick>>", "held"]


def plan(seed: int) -> list[tuple[list[int], bool]]:
    """A random graph: for each item those before it, and whether there is a join behind it."""
    rng = random.Random(seed)
    return [(rng.sample(range(i), min(i, rng.choice([0, 0, 1, 2]))), rng.random() < 0.4) for i in range(7)]


def over(graph: list[tuple[list[int], bool]], calls: int) -> Body:
    """Run the graph: each item makes up to `calls` calls after another; its answer names those before it."""

    async def work(i: int, child: Run, *before: Outcome[str]) -> str:
        told = [str(i), *("!" if o.value is None else o.value for o in before)]
        for _ in range(1 + i % calls):
            await child.sample(None, Prompt.of(f"item {i}"))
        return f"({' '.join(told)})"

    async def body(run: Run) -> list[str]:
        handles, answers = [], []
        for i, (before, joins) in enumerate(graph):
            handles.append(await run.spawn(work, i, after=[handles[j] for j in before]))
            if joins:
                [outcome] = await run.join(handles[i // 2])
                answers.append(repr(outcome.value))
        return [*answers, *(repr(o.value) for o in await run.join(*handles))]

    return body


def expected(graph: list[tuple[list[int], bool]]) -> list[str]:
    """What it comes to without a budget, computed one after another."""
    said: list[str] = []
    for i, (before, _) in enumerate(graph):
        said.append(f"({' '.join([str(i), *(said[j] for j in before)])})")
    return [repr(said[i // 2]) for i, (_, joins) in enumerate(graph) if joins] + [repr(text) for text in said]


@pytest.mark.parametrize("seed", range(6))
def test_any_graph_gives_what_it_gives_one_after_another(seed: int) -> None:
    """Against a sequential evaluation; and the trace does not depend on latencies."""
    graph = plan(seed)
    results = [run(over(graph, 3), Shuffled(Scripted(echo), order)) for order in range(3)]
    assert [r.answer for r in results] == [expected(graph)] * 3
    assert all(r.trace.canonical() == results[0].trace.canonical() for r in results)


@pytest.mark.parametrize("seed", range(6))
def test_under_a_budget_nothing_depends_on_latencies(seed: int) -> None:
    """Any graph at any budget ends, within its ceilings, in the same outcomes and trace."""
    graph, least = plan(seed), []
    for generations in (0, 1, 3, 6, 9, 14, 40):
        results = [
            run(over(graph, 3), Shuffled(Scripted(echo), order), budget=Budget(generations=generations))
            for order in range(3)
        ]
        assert all(r.usage.generations <= generations for r in results)
        assert all(r.answer == results[0].answer for r in results)
        assert all(r.trace.canonical() == results[0].trace.canonical() for r in results)
        least.append("None" in results[0].answer)
    assert least[0]
    assert results[0].answer == expected(graph)


@pytest.mark.parametrize("slow", [False, True])
def test_leftovers_are_not_split_while_another_item_is_about_to_begin(slow: bool) -> None:
    """What is left when one item ends is for those that waited for it too, whether or not others asked first."""
    drawn = {"hungry": 0, "late": 0}

    async def idle(item: str, child: Run) -> None:
        if slow:  # by then "hungry" has spent its share and waits
            await asyncio.sleep(0.02)

    async def hungry(item: str, child: Run, *before: Outcome[None]) -> None:
        while True:
            await child.sample(None, Prompt.of(item))
            drawn[item] += 1

    async def body(run: Run) -> None:
        first, empty = await run.spawn(hungry, "hungry"), await run.spawn(idle, "idle")
        await run.join(first, await run.spawn(hungry, "late", after=[empty]))

    run(body, budget=Budget(generations=8))  # 2 for each of the three and the parent; "idle" leaves its 2
    assert drawn == {"hungry": 3, "late": 3}


def test_the_parent_keeps_a_share_to_go_on_with() -> None:
    """However much the items want, one of n + 1 equal shares is left for the run that spawned them."""

    async def greedy(item: int, child: Run) -> None:
        for _ in range(100):
            await child.sample(None, Prompt.of("more"))

    async def body(run: Run) -> int:
        await run.join(*[await run.spawn(greedy, i) for i in range(3)])
        drawn = 0
        try:
            while True:
                await run.sample(None, Prompt.of("mine"))
                drawn += 1
        finally:
            run.offer(Sample(drawn))

    result = run(body, budget=Budget(generations=20))
    assert [c.sample.value for c in result.candidates if isinstance(c.sample.value, int)] == [5]
    assert (result.usage.generations, result.stopped) == (20, "budget")


# ---------------------------------------------------------------- ends


def test_what_is_not_joined_ends_with_the_body() -> None:
    """Cancelled, out of the canonical trace, without candidates; also where an item of a map spawned it."""

    async def item(i: int, child: Run) -> str:
        await child.spawn(ask, "never joined")
        part = child.child("part")
        await part.spawn(ask, "nor this")
        [outcome] = await child.join(await child.spawn(ask, f"joined {i}"))
        return outcome.unwrap()

    async def main(budget: Budget) -> None:
        backend = Counting(Shuffled(Scripted(echo), most=0.01))

        async def body(run: Run) -> list[str]:
            await run.spawn(ask, "never joined")
            outcomes = await run.map(item, range(3))
            assert backend.in_flight <= 1
            return [o.unwrap() for o in outcomes]

        result = await solve("q", Program(body), generator=Model(backend, Params(max_tokens=8)), budget=budget)
        assert result.answer == [f"<joined {i}>" for i in range(3)]
        assert backend.in_flight == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert result.paid.model_calls == backend.calls
        names = [s.status for s in result.trace.walk() if s.name == "ask"]
        assert (names.count("ok"), names.count("cancelled")) == (3, 7)
        assert "nor this" not in str(result.trace.canonical())
        assert [c.sample.value for c in result.candidates] == [f"<joined {i}>" for i in range(3)]

    asyncio.run(main(Budget()))
    asyncio.run(main(Budget(generations=40)))


@pytest.mark.parametrize("budget", [Budget(), Budget(generations=9)])
def test_what_nobody_joined_is_forgotten_when_the_body_fails(budget: Budget) -> None:
    """How far it had come by then is a matter of latency; what was joined is still there to be returned."""

    async def two(item: str, child: Run) -> str:
        await ask(item, child)
        return await ask(item, child)

    async def body(run: Run) -> None:
        joined, *_ = [await run.spawn(two, name) for name in "abc"]
        await run.join(joined)
        raise LookupError("a mistake of the program")

    for order in range(6):
        result = run(body, Shuffled(Scripted(echo), order), budget=budget)
        assert (result.stopped, [c.sample.value for c in result.candidates]) == ("error", ["<a>", "<a>"])
        assert [type(e) for e in result.errors] == [LookupError]


def test_what_an_item_of_a_map_spawned_ends_with_the_item() -> None:
    """Not with the search: other items may go on for long."""
    ended: list[int] = []

    async def hang(i: int, child: Run) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(i)

    async def item(i: int, child: Run) -> None:
        await child.spawn(hang, i)
        await child.sample(None, Prompt.of("a"))

    async def body(run: Run) -> list[int]:
        await run.map(item, range(3))
        await run.join(await run.spawn(item, 3))
        return sorted(ended)

    assert run(body, Shuffled(Scripted(echo))).answer == [0, 1, 2, 3]


def test_cancelling_the_parent_cancels_its_children() -> None:
    """At any moment, those that wait for others or for money included."""

    async def main() -> None:
        for moment in range(12):
            backend = Counting(Shuffled(Scripted(echo), moment, most=0.01))
            model = Model(backend, Params(max_tokens=8))
            budget = Budget(generations=9) if moment % 2 else Budget()
            task = asyncio.create_task(solve("q", Program(over(plan(moment), 3)), generator=model, budget=budget))
            await asyncio.wait([task], timeout=0.002 * moment)
            task.cancel()
            await asyncio.wait([task])
            assert backend.in_flight == 0
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_generator_given_to_solve_may_spawn_too() -> None:
    """At the top there is no strategy whose body could end: the search's end is the end."""

    @dataclass(frozen=True)
    class Agent:
        async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[str]:
            await run.spawn(ask, "left behind")
            [outcome] = await run.join(await run.spawn(ask, "wanted"))
            return Sample(outcome.unwrap())

    async def main() -> None:
        backend = Counting(Shuffled(Scripted(echo), 3))
        result = await solve("q", Agent(), generator=Model(backend))
        assert result.answer == "<wanted>"
        assert backend.in_flight == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_mistakes_are_named() -> None:
    """Handles of another run, and what is no handle at all."""

    async def foreign(run: Run) -> None:
        await run.join(await run.child("part").spawn(ask, "a"))

    async def no_handle(run: Run) -> None:
        await run.spawn(ask, "a", after=["a"])  # type: ignore[list-item]

    async def wrong(run: Run) -> None:
        async def mistaken(item: str, child: Run) -> None:
            raise ConfigError("mend this")

        await run.join(await run.spawn(mistaken, "a"))

    for body, message in ((foreign, "of the same run"), (no_handle, "after= takes"), (wrong, "mend this")):
        with pytest.raises(ConfigError, match=message):
            run(body)


def test_critical_path() -> None:
    """Items side by side count once, the longest; those that wait for one another add up, as do joins."""

    async def body(run: Run) -> None:
        a, b = await run.spawn(ask, "a"), await run.spawn(ask, "b b b")
        c = await run.spawn(ask, "c c", after=[a, b])
        await run.join(c)
        await run.join(await run.spawn(ask, "d"))

    result = run(body)  # answers: 1, 3, 2 + 1 + 3, 1 words, of which at most 8 are written
    assert result.usage.generated_tokens == 1 + 3 + 6 + 1
    assert result.sequential_tokens == 3 + 6 + 1


def test_long_chains_and_many_items() -> None:
    """A chain of 2,000 and 2,000 items side by side work without recursion."""

    async def count(i: int, child: Run, *before: Outcome[int]) -> int:
        return i + sum(o.unwrap() for o in before)

    async def body(run: Run) -> tuple[int, int]:
        wide = [await run.spawn(count, 1) for _ in range(2000)]
        last = await run.spawn(count, 1)
        for _ in range(1999):
            last = await run.spawn(count, 1, after=[last])
        [end] = await run.join(last)
        return end.unwrap(), sum(o.unwrap() for o in await run.join(*wide))

    assert run(body).answer == (2000, 2000)


# ---------------------------------------------------------------- laws


@dataclass(frozen=True)
class Research(Strategy):
    """Three questions, one that waits for two of them, one that comes up later, and a summary."""

    generator: Generator | None = None

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        async def ask(text: str, child: Run, *before: Outcome[Sample[Any]]) -> Sample[Any]:
            told = " ".join([text, *(o.value.text for o in before if o.value is not None)])
            [sample] = await child.sample(self.generator, Prompt.of(told), partial=True)
            return sample

        a, b, c = [await run.spawn(ask, name) for name in "abc"]
        d = await run.spawn(ask, "d", after=(a, b))
        await run.join(d)
        e = await run.spawn(ask, "e", after=[c])
        outcomes = await run.join(a, b, c, d, e)
        found = " ".join(o.value.text for o in outcomes if o.value is not None)
        [summary] = await run.sample(self.generator, Prompt.of(f"{prompt.text} {found}"))
        return summary


class TestResearch(StrategyTests):
    def strategy(self) -> Strategy:
        return Research()

    def backend(self) -> Backend:
        return Simulated(ANSWERS)
