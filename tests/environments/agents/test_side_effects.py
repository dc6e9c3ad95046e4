"""Worlds of live agents, tools that are done once, commits, and what is put off until one."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Collection
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from searchkit import ConfigError, Function, search
from searchkit.agents import async_client, client, once
from searchkit.environments import AgentSteps, Guarded, Planned
from searchkit.errors import StaleBranch
from searchkit.strategies import MCTS, BestFirst, BestOfN, RecedingHorizon
from searchkit.testing.strategies import LengthScore
from searchkit.types import Message, Prompt, Sample, ToolCall
from tests.environments.live_worlds import drive
from tests.helpers.stepped import JUDGE, ask, letters, sdk, searched


def said(text: str) -> Sample[str]:
    return Sample(text)


class Desk:
    """A world: what was written on it. made: all of them."""

    made: list[Desk]

    def __init__(self, real: bool = False) -> None:
        self.real, self.notes, self.closed = real, [], 0
        type(self).made.append(self)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def desks():
    Desk.made = []
    return Desk.made


def writing(depth: int = 3):
    api = sdk()

    async def agent(task: str, desk: Desk) -> str:
        for _ in range(depth):
            desk.notes.append(await ask(api, f"{task} {''.join(desk.notes)}"))
        return "".join(desk.notes)

    return agent


def test_each_agent_has_a_world_of_its_own_which_is_closed_with_it(desks):
    world = AgentSteps(writing(), world=Desk, live=4)
    result = searched(BestFirst(JUDGE, environment=world, iterations=20), seed=2)
    assert len(result.answer) == 3
    assert not result.errors
    assert len(desks) == world.tally.started
    assert all(desk.closed == 1 for desk in desks)
    assert {len(desk.notes) for desk in desks} <= {0, 1, 2, 3}


def test_a_world_may_be_a_context_manager_and_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    api = sdk()

    def agent_of(api):
        async def agent(task: str, world: str) -> str:
            file = Path(world) / "word"
            file.write_text("")
            for _ in range(2):
                file.write_text(file.read_text() + await ask(api, f"{task} {file.read_text()}"))
            return file.read_text()

        return agent

    world = AgentSteps(agent_of(api), world=tempfile.TemporaryDirectory)
    result = searched(BestFirst(JUDGE, environment=world, iterations=10), seed=2)
    assert len(result.answer) == 2
    assert list(tmp_path.iterdir()) == []

    async def without(task: str) -> str:
        return await ask(api, task)

    with pytest.raises(ConfigError, match="no parameter for its world"):
        searched(BestFirst(JUDGE, environment=AgentSteps(without, world=Desk), iterations=2))


def test_commit_runs_the_winner_in_the_real_world_and_only_there(desks):
    world = AgentSteps(writing(), world=Desk, real=partial(Desk, True))

    async def body(prompt, run):
        state = await world.start(Prompt.of("go"), run)
        states = [state]
        for letter in "abc":
            states.append((await world.step(states[-1], said(letter), run)).state)
        assert not any(desk.real for desk in desks)
        first = await world.commit(states[1], run)
        assert not first.terminal
        [real] = [desk for desk in desks if desk.real]
        assert real.notes == ["a"]
        other = await world.step(first.state, said("x"), run)  # a search from there leaves it alone
        assert other.state.pending is not None
        assert real.notes == ["a"]
        end = await world.commit(states[3], run)
        assert end.terminal
        assert end.state.value == "abc"
        assert real.notes == ["a", "b", "c"]
        assert [desk for desk in desks if desk.real] == [real]
        assert real.closed == 1

    drive(body)


def test_a_commit_that_leads_elsewhere_is_stale():
    api, times = sdk(), [0]

    async def agent(task: str) -> str:
        times[0] += 1
        first = await ask(api, task)
        return await ask(api, f"{task} {first} {times[0]}")

    world = AgentSteps(agent)

    async def body(prompt, run):
        state = (await world.step(await world.start(Prompt.of("go"), run), said("a"), run)).state
        with pytest.raises(StaleBranch):
            await world.commit(state, run)

    drive(body)


@pytest.mark.parametrize("commit", ["path", "action"])
def test_a_receding_horizon_carries_out_in_one_real_world(desks, commit):
    world = AgentSteps(writing(4), world=Desk, real=partial(Desk, True))
    planner = BestFirst(JUDGE, environment=world, iterations=8)
    result = searched(RecedingHorizon(planner, rounds=8, commit=commit), seed=3)
    assert not result.errors
    [real] = [desk for desk in desks if desk.real]
    assert "".join(real.notes) == result.answer
    assert len(real.notes) == 4
    assert len(desks) > 2


def booking():
    """An agent with a tool that cannot be undone: it looks, and then it books what its model says."""
    api = sdk()

    async def agent(task: str, desk: Desk) -> str:
        room = await ask(api, f"{task}: which room?")
        desk.notes.append(f"looked at {room}")
        done = await api.chat.completions.create(
            model="m", messages=[{"role": "user", "content": f"{task}: book {room}?"}],
            tools=[{"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}],
        )  # fmt: skip
        for call in done.choices[0].message.tool_calls or ():
            desk.notes.append(f"booked {json.loads(call.function.arguments)['room']}")
        return "; ".join(desk.notes)

    return agent


def effect(state, action: Sample) -> str:
    return "irreversible" if action.message is not None and action.message.tool_calls else "reversible"


def booked(room: str) -> Sample[str]:
    return Sample("", Message("assistant", (), (ToolCall("1", "book", json.dumps({"room": room})),)), "tool_calls")


def test_what_cannot_be_undone_is_put_off_and_done_once(desks):
    world = Guarded(AgentSteps(booking(), world=Desk, real=partial(Desk, True)), effect, "defer")

    async def body(prompt, run):
        first = await world.start(Prompt.of("travel"), run)
        plans = []
        for room in "ab":
            looked = (await world.step(first, said(room), run)).state
            plan = await world.step(looked, booked(room), run)
            assert plan.terminal
            assert isinstance(world.candidate(plan.state).value, Planned)
            plans.append(plan.state)
        assert not any("booked" in note for desk in desks for note in desk.notes)
        done = await world.commit(plans[1], run)
        assert done.observation == "looked at b; booked b"
        booked_in = [desk for desk in desks if any("booked" in note for note in desk.notes)]
        assert booked_in == [desk for desk in desks if desk.real]
        assert len(booked_in) == 1

    drive(body)


def test_a_tool_under_once_is_done_a_single_time_on_each_way():
    done = Counter()
    api = sdk()

    @once
    async def order(what: str) -> dict:
        done[what] += 1
        return {"ordered": what, "number": sum(done.values())}

    async def agent(task: str) -> str:
        first = await ask(api, task)
        receipt = await order(first)
        second = await ask(api, f"{task} {receipt}")
        return f"{first}{second}{receipt['number']}"

    world = AgentSteps(agent, live=1)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        a = (await world.step(first, said("a"), run)).state
        b = (await world.step(first, said("b"), run)).state
        assert done == {"a": 1, "b": 1}
        ends = [(await world.step(state, said("z"), run)).state for state in (a, b, a, b)]
        assert [end.value for end in ends] == ["az1", "bz2", "az1", "bz2"]
        assert (await world.commit(ends[0], run)).state.value == "az1"
        assert done == {"a": 1, "b": 1}

    drive(body)


def test_synchronous_tools_and_failures_are_recorded_too():
    import openai

    done = []

    @once
    def fetch(what: str) -> str:
        done.append(what)
        if what == "b":
            raise ValueError("no b")
        return what.upper()

    def agent(task: str) -> str:
        with client() as http:
            api = openai.OpenAI(base_url="http://nowhere.invalid/v1", api_key="none", http_client=http)

            def asks(text: str) -> str:
                message = [{"role": "user", "content": text}]
                return api.chat.completions.create(model="m", messages=message).choices[0].message.content

            first = asks(task)
            try:
                told = fetch(first)
            except ValueError as error:
                told = str(error)
            return told + asks(f"{task} {told}")

    world = AgentSteps(agent, live=1)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        states = [(await world.step(first, said(letter), run)).state for letter in "ab"]
        ends = [(await world.step(state, said("z"), run)).state.value for state in states * 2]
        assert ends == ["Az", "no bz"] * 2
        assert done == ["a", "b"]

    drive(body)


def test_once_is_the_plain_function_outside_of_a_search():
    @once
    def double(x):
        return 2 * x

    @once
    async def triple(x):
        return 3 * x

    assert double(2) == 4
    assert asyncio.run(triple(2)) == 6
    assert double.__name__ == "double"


def test_what_is_no_json_and_a_plain_tool_on_the_loop_are_refused():
    api = sdk()

    @once
    async def odd() -> object:
        return object()

    @once
    def blocking() -> int:
        return 1

    async def returns_odd(task: str) -> str:
        return f"{await ask(api, task)} {await odd()}"

    async def blocks(task: str) -> str:
        return f"{await ask(api, task)} {blocking()}"

    for agent, match in ((returns_odd, "no JSON"), (blocks, "make it async")):
        with pytest.raises(ConfigError, match=match):
            searched(BestFirst(JUDGE, environment=AgentSteps(agent), iterations=2))


def test_once_under_a_plain_search_is_resumed_from_the_journal(tmp_path):
    done = []

    @once
    async def order(what: str) -> int:
        done.append(what)
        return len(done)

    async def agent(task: str) -> str:
        number = await order(task)
        if power["off"]:
            raise RuntimeError("off")
        return f"{task} {number}"

    power = {"off": True}
    judge = LengthScore()
    wrapped = search(BestOfN(3, judge), journal=str(tmp_path / "j.db"), name="agent")(agent)
    with pytest.raises(RuntimeError, match="off"):
        asyncio.run(wrapped("go"))
    assert len(done) == 3
    power["off"] = False
    assert asyncio.run(wrapped("go")).startswith("go ")
    assert len(done) == 3


def test_embeddings_are_counted_once_and_led_past_afterwards():
    import openai

    from tests.helpers.model_server import ModelServer

    with ModelServer() as server:
        api = openai.AsyncOpenAI(base_url=server.url, api_key="none", http_client=async_client())

        async def agent(task: str) -> str:
            rows = (await api.embeddings.create(model="m", input=[task])).data
            first = await ask(api, f"{task} {len(rows)}")
            return first + await ask(api, f"{task} {first}")

        world = AgentSteps(Function(agent), live=1)
        result = searched(BestFirst(JUDGE, environment=world, iterations=8), letters(), seed=1)
        routes = Counter(route for route, _ in server.bodies)
        assert world.tally.started > 1
        assert routes == {"embeddings": 1}
        assert result.usage.model_calls == result.usage.generations + 1
        assert not result.errors


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("live", [1, 3, 16])
def test_a_side_call_that_failed_is_told_again_and_not_paid_again(status, live):
    import openai

    from tests.helpers.model_server import ModelServer

    with ModelServer(refusal=(status, "not today")) as server:
        told = []

        async def agent(task: str) -> str:
            word = ""
            async with openai.AsyncOpenAI(
                base_url=server.url, api_key="none", http_client=async_client(), max_retries=0
            ) as api:
                for _ in range(3):
                    try:
                        await api.embeddings.create(model="m", input=[f"{task} {word}"])
                    except openai.APIStatusError as error:
                        told.append((word, error.status_code, "not today" in str(error)))
                    word += await ask(api, f"{task} {word}")
            return word

        world = AgentSteps(agent, live=live)
        result = searched(MCTS(JUDGE, environment=world, iterations=12, in_flight=3), letters(), seed=1)
        assert {told[1:] for told in told} == {(status, True)}
        assert not result.errors
        assert result.usage.model_calls == result.usage.generations + server.calls
        # once when the search begins, and once for each answer that led to another question
        ends = sum(len(one.sample.text) == 3 for one in result.candidates)
        assert server.calls == 1 + world.tally.steps - ends
        assert world.tally.started > 1 or live > 1


@pytest.mark.parametrize("live", [1, 2])
def test_nothing_is_paid_for_where_an_agent_is_only_prepared(live):
    """A side call that depends on who is led: new to each agent, so that it is never recorded."""
    done, api, agents = Counter(), sdk(), [0]

    @once
    async def note(number: int, word: str) -> str:
        done[number, word] += 1
        return "noted"

    async def agent(task: str) -> str:
        agents[0] += 1
        number, word = agents[0], ""
        for _ in range(3):
            await note(number, word)
            word += await ask(api, f"{task} {word}")
        return word

    world = AgentSteps(agent, live=live)
    result = searched(MCTS(JUDGE, environment=world, iterations=12, in_flight=3), letters(), seed=1)
    assert not result.errors
    assert max(done.values()) == 1
    assert len(result.answer) == 3

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        await world.step(first, said("a"), run)
        before, lost = sum(done.values()), world.tally.prepared
        stable = world._stable(run)
        stable.prepare(first, run)
        await asyncio.gather(*stable._coming.values(), return_exceptions=True)
        assert sum(done.values()) == before
        assert world.tally.prepared == lost

    drive(body)


class Rough:
    """A world that does not open, or does not close, where its number is one of these."""

    def __init__(self, number: int, shut: Collection[int], stuck: Collection[int]) -> None:
        if number in shut:
            raise OSError(f"world {number} does not open")
        self.number, self.stuck = number, stuck

    def close(self) -> None:
        if self.number in self.stuck:
            raise OSError(f"world {self.number} does not close")


def rough(shut: Collection[int] = (), stuck: Collection[int] = (), live: int = 1) -> AgentSteps:
    api, made = sdk(), count(1)

    async def agent(task: str, world: Rough) -> str:
        word = ""
        for _ in range(3):
            word += await ask(api, f"{task} {word}")
        return word

    return AgentSteps(agent, world=lambda: Rough(next(made), shut, stuck), live=live)


def test_a_world_that_does_not_open_says_so():
    world = rough(shut=range(2, 100))

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        second = (await world.step(first, said("a"), run)).state
        for state in (first, second):
            with pytest.raises(OSError, match="does not open"):
                await world.step(first, said("b"), run)
            with pytest.raises(OSError, match="does not open"):
                await world.commit(state, run)
        assert world.tally.stale == 0

    drive(body)
    found = searched(MCTS(JUDGE, environment=rough(shut=range(4, 9)), iterations=20), seed=1)
    assert all("does not open" in str(error) for error in found.errors)


@pytest.mark.parametrize("stuck", [(1,), (2,), (3, 5), range(100)])
@pytest.mark.parametrize("live", [1, 2, 16])
def test_a_world_that_does_not_close_takes_no_answer_with_it(stuck, live):
    strange, plain = rough(stuck=stuck, live=live), rough(live=live)
    found, wanted = (searched(MCTS(JUDGE, environment=one, iterations=16), seed=1) for one in (strange, plain))
    assert found.answer == wanted.answer
    assert [one.sample.value for one in found.candidates] == [one.sample.value for one in wanted.candidates]
    told = Counter(str(error) for error in found.errors)
    assert set(told.values()) <= {1}
    assert set(told) <= {f"world {number} does not close" for number in stuck}
    assert len(told) > 0 or strange.tally.started < min(stuck) or live > 1
