"""Agents that do not ask the same again: what differed is named, and a search that mostly meets such says so once."""

from __future__ import annotations

import asyncio
import itertools
import re
import warnings

import pytest

from searchkit import Budget, solve
from searchkit.environments import AgentSteps
from searchkit.errors import SearchWarning, StaleBranch
from searchkit.strategies import MCTS, BestFirst
from searchkit.types import Prompt, Sample
from tests.environments.live_worlds import drive
from tests.helpers.stepped import JUDGE, ask, letters, sdk, spelling

FAR = "Read this first. " * 30


def ticking(depth: int = 3):
    """An agent that puts the time into its prompts."""
    api, clock = sdk(), itertools.count()

    async def agent(task: str) -> str:
        word = ""
        for _ in range(depth):
            word += await ask(api, f"{FAR}It is {next(clock):04}. {task} {word} {FAR}")
        return word

    return agent


def searched(agent, calls: int = 20, **options):
    """The environment after a search, the result, and the warnings."""
    world = AgentSteps(agent, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SearchWarning)
        search = MCTS(JUDGE, environment=world)
        result = asyncio.run(solve("go", search, generator=letters(), budget=Budget(model_calls=calls), seed=1))
    return world, result, [str(one.message) for one in caught]


def test_a_clock_in_the_prompt_is_warned_of_once_with_the_share_and_what_differed():
    world, result, [said] = searched(ticking())
    lost, answers, share = map(int, re.findall(r"(\d+) of (\d+) answers of this search \((\d+)%\)", said)[0])
    assert (lost, answers) == (world.tally.stale, world.tally.steps)
    assert lost > answers / 2
    assert share == round(100 * lost / answers)
    now, then = re.findall(r"asks \S*.*?It is (\d+)\..*?where it asked \S*.*?It is (\d+)\.", said)[0]
    assert now != then
    assert len(said) < 800
    stale = next(error for error in result.errors if isinstance(error, StaleBranch))
    assert str(stale) in said


def test_every_stale_branch_says_what_differed():
    _, result, _ = searched(ticking())
    stale = [str(error) for error in result.errors if isinstance(error, StaleBranch)]
    assert stale
    assert all("asked something else" in said and "It is 0000" in said for said in stale)


@pytest.mark.parametrize(("again", "warned"), [(1, False), (2, False), (3, True)])
def test_only_where_most_answers_are_lost_anything_is_said(again, warned):
    """Two answers lead on, and so many do not."""
    api, clock = sdk(), itertools.count()

    async def agent(task: str) -> str:
        first = await ask(api, task)
        return await ask(api, f"{task} {first} at {next(clock)}")

    world = AgentSteps(agent, live=1)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        second = (await world.step(first, Sample("a"), run)).state
        await world.step(first, Sample("b"), run)
        for _ in range(again):
            with pytest.raises(StaleBranch):
                await world.step(second, Sample("c"), run)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SearchWarning)
        drive(body)
    assert world.tally.stale == again
    assert [f"{again} of {2 + again} answers" in str(one.message) for one in caught] == [True] * warned


def test_an_agent_that_asks_the_same_is_not_warned_of():
    world, _, said = searched(spelling(), live=1)
    assert world.tally.replayed > 0
    assert said == []


def test_each_search_counts_for_itself():
    world = AgentSteps(ticking())
    search = BestFirst(JUDGE, environment=world)
    for _ in range(2):
        with pytest.warns(SearchWarning, match="answers of this search") as caught:
            asyncio.run(solve("go", search, generator=letters(), budget=Budget(model_calls=12), seed=1))
        [said] = [str(one.message) for one in caught if "stale" in str(one.message)]
        lost, answers = map(int, re.findall(r"(\d+) of (\d+) answers", said)[0])
        assert lost <= answers <= 12


def differing(first, again, *, live: int = 1):
    """Why the branch is stale of an agent that goes on in one way, and in another when it is led there once more."""
    api, runs = sdk(), itertools.count()

    async def agent(task: str) -> str:
        return await (first if next(runs) == 0 else again)(api)

    world, result, _ = searched(agent, calls=6, live=live)
    assert world.tally.stale
    return next(str(error) for error in result.errors if isinstance(error, StaleBranch))


async def asks(api, *texts: str) -> str:
    for text in texts:
        await ask(api, text)
    return "done"


def test_one_that_has_ended_is_said_to_have():
    said = differing(lambda api: asks(api, "a", "b"), lambda api: asks(api))
    assert "it has ended, where it asked" in said
    assert '"content":"a"' in said


def test_what_it_says_is_shown_as_json():
    said = differing(lambda api: asks(api, "\x1b[2Ja\nb", "b"), lambda api: asks(api, "\x1b[2Ja\nc", "b"))
    assert said.isprintable()
    assert r"\u001b[2Ja\nc" in said
    assert r"\u001b[2Ja\nb" in said


def test_one_that_asks_several_things_is_compared_with_the_nearest():
    async def both(api, *texts: str) -> str:
        return "".join(await asyncio.gather(*(ask(api, text) for text in texts)))

    said = differing(
        lambda api: both(api, "red 1", "the sky at 1"), lambda api: both(api, "blue", "the sky at 2", "red 2")
    )
    assert "red 2" in said
    assert "blue" not in said


def test_a_broken_search_is_not_told_of_what_it_did_not_pay():
    """An agent that a mistake of its author's ends is no stale branch."""

    async def agent(task: str) -> str:
        return await ask(sdk(), task, n=2)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Exception, match="choices at once"):
            asyncio.run(solve("go", MCTS(JUDGE, environment=AgentSteps(agent)), generator=letters()))
