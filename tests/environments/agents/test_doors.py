"""Every door through which an agent calls its model: what is paid is what the server counted, and nothing twice."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any

import pytest

from searchkit import Budget, Function, solve
from searchkit.agents import Endpoint, Upstream, async_client, client
from searchkit.environments import AgentSteps
from searchkit.strategies import BestFirst
from searchkit.verifiers import Predicate
from tests.helpers.model_server import ModelServer
from tests.helpers.sdk_agents import SDK_AGENTS, Access, Agent, curl
from tests.helpers.servers import until

KEY = "sk-real-0123456789"
UNSEEDED = ("anthropic", "openai_responses", "openai_completions")
"""Their API has no seed, so that the server says the same again; the last calls no tools, and is led nowhere twice."""
JUDGE = Predicate(lambda value: sum(map(ord, str(value))) % 97 / 97, range=(0.0, 1.0))


def ambient(agent: Agent, server: ModelServer) -> Any:
    if inspect.iscoroutinefunction(agent):

        async def called(question: str) -> str:
            async with async_client() as http:
                return str(await agent(question, Access(server.url, server.root, KEY, http)))

        return called

    def blocking(question: str) -> str:
        with client() as http:
            return str(agent(question, Access(server.url, server.root, KEY, http)))

    return blocking


def endpoint(agent: Agent, server: ModelServer) -> Any:
    def access(given: Endpoint) -> Access:
        return Access(given.base_url, given.anthropic_url, given.api_key)

    async def called(question: str, given: Endpoint) -> str:
        return str(await agent(question, access(given)))

    def blocking(question: str, given: Endpoint) -> str:
        return str(agent(question, access(given)))

    upstream = Upstream(server.url, KEY, server.root, KEY)
    fn: Callable[..., Any] = called if inspect.iscoroutinefunction(agent) else blocking
    return Function(fn, upstream=upstream)


CASES = [(door, agent) for door in (ambient, endpoint) for agent in SDK_AGENTS] + [(endpoint, curl)]
NAMES = [f"{door.__name__}-{agent.__name__}" for door, agent in CASES]


@pytest.mark.parametrize(("door", "agent"), CASES, ids=NAMES)
def test_calls_are_those_that_the_server_counted(door, agent):
    with ModelServer() as server:
        world = AgentSteps(door(agent, server))
        search = BestFirst(JUDGE, environment=world, iterations=8)
        result = asyncio.run(solve("How much is 1 + 1?", search, seed=3, budget=Budget(model_calls=14)))
        assert result.usage.model_calls == result.paid.model_calls == server.calls > 4
        assert result.usage.prompt_tokens == server.prompt_tokens
        assert result.usage.generated_tokens == server.generated_tokens
        assert isinstance(result.answer, str)
        assert world.tally.replayed > 0 or agent.__name__.startswith(UNSEEDED)
        assert world.tally.stale == 0
        assert not result.errors
        assert all(key.endswith(KEY) for key in server.keys)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("searchkit-tests")])
