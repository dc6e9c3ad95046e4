"""Agents that ask several things at once: led somewhere again, they are answered in the order of the search."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib

import pytest

from searchkit.environments import AgentSteps
from searchkit.errors import StaleBranch
from searchkit.strategies import MCTS
from searchkit.types import Prompt, Sample
from searchkit.verifiers import Predicate
from tests.environments.live_worlds import drive
from tests.helpers.stepped import ask, sdk, searched

HASHED = Predicate(lambda value: hashlib.sha256(str(value).encode()).digest()[0] / 255, range=(0, 1))


def gathering():
    """What it returns comes in the order in which it was answered, which is not that in which it asks."""
    api = sdk()

    async def agent(task: str) -> str:
        found = []

        async def part(number: int) -> None:
            found.append(f"{number}{await ask(api, f'{task} {9 - number}')}")

        await asyncio.gather(*(part(number) for number in range(3)))
        return " ".join(found)

    return agent


def chaining():
    """Its later prompts say in which order the earlier ones were answered."""
    api = sdk()

    async def agent(task: str) -> str:
        found = []

        async def part(number: int) -> None:
            for turn in range(2):
                found.append(f"{number}{await ask(api, f'{turn} {9 - number} {found}')}")

        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(part(number))
        return " ".join(found)

    return agent


def completing():
    api = sdk()

    async def agent(task: str) -> str:
        asked = [asyncio.create_task(ask(api, f"{task} {9 - number}")) for number in range(3)]
        found = [await one for one in asyncio.as_completed(asked)]
        return await ask(api, f"{task} {found}")

    return agent


def queueing():
    api = sdk()

    async def agent(task: str) -> str:
        answered: asyncio.Queue[str] = asyncio.Queue()

        async def part(number: int) -> None:
            await answered.put(f"{number}{await ask(api, f'{task} {9 - number}')}")

        await asyncio.gather(*(part(number) for number in range(3)))
        return " ".join(answered.get_nowait() for _ in range(3))

    return agent


def racing():
    """The first answer wins, and the others are given up."""
    api = sdk()

    async def agent(task: str) -> str:
        asked = [asyncio.create_task(ask(api, f"{task} {number}")) for number in range(3)]
        done, rest = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        for one in rest:
            one.cancel()
        return await ask(api, f"won {done.pop().result()}")

    return agent


def failing():
    """The first answer fails the group, and so the others."""
    api = sdk()

    async def agent(task: str) -> str:
        async def part(number: int) -> None:
            said = await ask(api, f"{task} {number}")
            if number == 0:
                raise ValueError(said)

        try:
            async with asyncio.TaskGroup() as group:
                for number in range(3):
                    group.create_task(part(number))
        except* ValueError:
            pass
        return await ask(api, "mend")

    return agent


def nesting():
    """A race of races: who lost is told some turns of the loop after."""
    api = sdk()

    async def first(*works) -> str:
        tasks = [asyncio.create_task(work) for work in works]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for one in rest:
            one.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        return done.pop().result()

    async def agent(task: str) -> str:
        def pair(name: str):
            return first(ask(api, f"{name} 1"), ask(api, f"{name} 2"))

        return await ask(api, f"won {await first(pair('a'), pair('b'))}")

    return agent


@pytest.mark.parametrize("make", [gathering, chaining, completing, queueing, racing, failing, nesting])
def test_a_search_is_the_same_however_many_agents_live(make):
    found = []
    for live, in_flight in ((16, 3), (1, 3), (2, 3)):
        world = AgentSteps(make(), live=live)
        result = searched(MCTS(HASHED, environment=world, iterations=16, in_flight=in_flight), seed=3)
        assert not result.errors
        assert world.tally.stale == world.tally.lost == 0
        found.append([(one.sample.value, one.score) for one in result.candidates])
    assert found[0] == found[1] == found[2]
    assert world.tally.replayed > 0


@pytest.mark.parametrize("make", [gathering, chaining, completing, queueing])
def test_a_committed_agent_ends_as_it_did_in_the_search(make):
    world = AgentSteps(make(), live=1)

    async def body(prompt, run):
        state = await world.start(Prompt.of("go"), run)
        for answer in "abcde":
            if not state.ended:
                state = (await world.step(state, Sample(answer), run)).state
        assert state.ended
        assert (await world.commit(state, run)).state.value == state.value

    drive(body)


@pytest.mark.parametrize("wrap", [str, lambda text: {"said": text}, lambda text: [text], Exception])
def test_an_agent_that_ends_otherwise_is_stale(wrap):
    api, times = sdk(), [0]

    async def agent(task: str):
        times[0] += 1
        number = times[0]
        await ask(api, task)
        return wrap(f"the {number}th")

    world = AgentSteps(agent)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        end = (await world.step(first, Sample("a"), run)).state
        with pytest.raises(StaleBranch, match="returned"):
            await world.commit(end, run)

    drive(body)


@dataclasses.dataclass
class Report:
    text: str


class Opaque:
    pass


@pytest.mark.parametrize("make", [lambda: "same", lambda: Report("same"), Opaque, lambda: [Opaque()], lambda: None])
def test_an_agent_that_ends_alike_is_committed(make):
    api = sdk()

    async def agent(task: str):
        await ask(api, task)
        return make()

    world = AgentSteps(agent)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        end = (await world.step(first, Sample("a"), run)).state
        assert (await world.commit(end, run)).terminal

    drive(body)


def test_where_a_call_was_given_up_another_agent_is_led():
    api, gone = sdk(), []

    async def agent(task: str) -> str:
        word = ""
        for _ in range(3):
            asking = [asyncio.create_task(ask(api, f"{number} {task} {word}")) for number in range(2)]
            gone.append(asking[0])
            said = await asyncio.gather(*asking, return_exceptions=True)
            word += " ".join(map(str, said))
        return word

    world = AgentSteps(agent)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        gone[-1].cancel()  # and the agent, whose other call waits, has not heard of it
        second = (await world.step(first, Sample("a"), run)).state
        assert world.tally.lost == 1
        third = (await world.step(second, Sample("b"), run)).state
        gone[-1].cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (await world.step(third, Sample("c"), run)).state.answer == ("a", "b", "c")
        assert world.tally.lost == 2
        assert world.tally.stale == 0

    drive(body)
