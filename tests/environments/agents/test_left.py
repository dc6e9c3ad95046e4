"""Tasks that agents leave behind: told of by name, once a search, and left alone."""

from __future__ import annotations

import asyncio
import warnings

import pytest

from searchkit import Budget, Function, solve
from searchkit.agents import Endpoint, Upstream
from searchkit.environments import AgentSteps
from searchkit.errors import SearchWarning
from searchkit.strategies import MCTS
from tests.helpers.stepped import JUDGE, NOWHERE, ask, letters, sdk, spelled


async def ticking() -> None:
    await asyncio.sleep(600)


def leaving(how: str):
    api, kept = sdk(), []

    async def agent(task: str) -> str:
        word = await ask(api, task)
        if how == "ticks":
            kept.append(asyncio.create_task(ticking()))
        if how == "short":
            kept.append(asyncio.create_task(asyncio.sleep(0.01)))
        if how == "below":
            await asyncio.gather(_begins())
        if how == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0))
        if how == "ended":
            begun = asyncio.create_task(ticking())
            try:
                return word + await ask(api, f"{task} {word}")
            finally:
                begun.cancel()
        return word + await ask(api, f"{task} {word}")

    async def _begins() -> None:
        kept.append(asyncio.create_task(ticking()))

    return agent


def told(agent, others=()) -> tuple[list[str], int]:
    """The warnings, and how many tasks are left."""

    async def main():
        mine = [asyncio.create_task(one()) for one in others]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SearchWarning)
            search = MCTS(JUDGE, environment=AgentSteps(agent))
            result = await solve("go", search, generator=letters(), budget=Budget(model_calls=9), seed=1)
        assert not result.errors
        left = len(asyncio.all_tasks()) - 1 - len(mine)
        return [str(one.message) for one in caught if "behind" in str(one.message)], left

    return asyncio.run(main())


@pytest.mark.parametrize("how", ["ticks", "below"])
def test_tasks_that_go_on_are_named_once_and_left_alone(how):
    [said], left = told(leaving(how), (ticking,))
    assert f"left {left} of their tasks behind (ticking)" in said
    assert left > 1


@pytest.mark.parametrize("how", ["none", "short", "group", "ended"])
def test_of_tasks_that_end_nothing_is_said(how):
    """Nor of those that were there before."""
    assert told(leaving(how), (ticking,)) == ([], 0)


def test_threads_and_endpoints_leave_nothing():
    assert told(spelled) == ([], 0)

    async def by_endpoint(task: str, endpoint: Endpoint) -> str:
        import openai

        async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as api:
            return await ask(api, task) + await ask(api, f"{task} more")

    assert told(Function(by_endpoint, upstream=Upstream(NOWHERE, "none")))[0] == []
