"""Agents that end in odd ways: by errors of any kind, with values that cannot be shown, with tasks left waiting."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

import openai
import pytest

from searchkit import Budget, solve
from searchkit.agents import client
from searchkit.environments import AgentSteps
from searchkit.environments.agents.state import differ, words
from searchkit.strategies import MCTS, BestFirst, RecedingHorizon
from searchkit.verifiers import Predicate
from tests.helpers.stepped import NOWHERE, ask, letters, sdk

FAIR = Predicate(lambda value: 0.5, range=(0.0, 1.0))


class Own(BaseException):
    """No `Exception`."""


class Silent:
    """What nobody can show."""

    def __repr__(self) -> str:
        raise ValueError("not shown")


class Marked(str):
    """A text that is joined in ways of its own."""

    def __str__(self) -> str:
        raise RuntimeError("not joined")


def looped() -> list[Any]:
    held: list[Any] = []
    held.append(held)
    return held


def searched(agent, strategy=MCTS, calls: int = 12):
    world = AgentSteps(agent)
    return asyncio.run(
        solve("go", strategy(FAIR, environment=world), generator=letters(), budget=Budget(model_calls=calls), seed=1)
    )


def blocking(act):
    """The same by a synchronous client, in a thread."""

    def agent(task: str) -> str:
        with client() as http:
            api = openai.OpenAI(base_url=NOWHERE, api_key="none", http_client=http)
            said: Any = api.chat.completions.create(model="m", messages=[{"role": "user", "content": task}])
            return act(said.choices[0].message.content)

    return agent


def awaiting(act):
    async def agent(task: str) -> str:
        return act(await ask(sdk(), task))

    return agent


@pytest.mark.parametrize("door", [awaiting, blocking])
@pytest.mark.parametrize(
    "error",
    [Own("x"), BaseExceptionGroup("both", [Own("x"), ValueError("y")]), GeneratorExit(), StopAsyncIteration()],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_any_kind_ends_one_branch(door, error):
    def act(said: str) -> str:
        if said == "a":
            raise error
        return said

    result = searched(door(act))
    assert result.answer in ("b", "c")
    assert any(type(error).__name__ in str(one) for one in result.errors)


@pytest.mark.parametrize("strategy", [MCTS, lambda *a, **o: RecedingHorizon(BestFirst(*a, iterations=3, **o))])
@pytest.mark.parametrize("make", [Silent, lambda: Marked("m"), looped], ids=["silent", "marked", "looped"])
def test_a_value_that_cannot_be_shown_or_stored_is_an_answer(make, strategy):
    result = searched(awaiting(lambda said: make()), strategy)
    assert type(result.answer) is type(make())
    assert not result.errors


def test_what_such_values_say_and_whether_they_differ():
    assert words(Silent()) == "<Silent that cannot be shown: ValueError>"
    assert words(Marked("m")) == "m"
    assert not differ(Silent(), Silent())
    assert differ(Silent(), 1)
    assert not differ(looped(), looped())
    assert differ(looped(), [1])


async def completing(api, task: str) -> str:
    return "".join([await one for one in asyncio.as_completed([ask(api, f"{task} {i}") for i in range(3)])])


async def shielding(api, task: str) -> str:
    return await asyncio.shield(asyncio.ensure_future(ask(api, task))) + await ask(api, f"{task} again")


async def going_on(api, task: str) -> str:
    """Asks once more when it is refused."""

    async def stubborn() -> str:
        try:
            return await ask(api, task)
        except openai.APIStatusError:
            return await ask(api, task)

    return await asyncio.shield(asyncio.ensure_future(stubborn())) + await ask(api, f"{task} again")


@pytest.mark.parametrize("way", [completing, shielding, going_on])
def test_of_calls_that_ended_agents_leave_waiting_nothing_is_logged(way, caplog):
    async def agent(task: str) -> str:
        return await way(sdk(), task)

    with caplog.at_level(logging.DEBUG, "asyncio"):
        result = searched(agent)
        gc.collect()
    assert not result.errors
    assert not [one for one in caplog.records if "never retrieved" in one.getMessage()]
