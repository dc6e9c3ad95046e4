"""Agents written with the official clients: what is counted of their calls is what their server counted itself."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from searchkit import Budget, Result, SearchkitError, solve
from searchkit.agents import Endpoint, Upstream, async_client, client
from searchkit.function import Function
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.trace import Span
from searchkit.verifiers import Predicate
from tests.helpers.model_server import ModelServer, assert_within
from tests.helpers.sdk_agents import SDK_AGENTS, Access, Agent, curl
from tests.helpers.servers import until

KEY = "sk-real-0123456789"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


Tell = Callable[[str, int], str]


def alike(question: str, index: int) -> str:
    return question


def marked(question: str, index: int) -> str:
    """All attempts but the first ask for what the server is slow to say."""
    return f"{question} slowly" if index else question


def ambient(agent: Agent, server: ModelServer, tell: Tell = alike) -> Callable[..., Any]:
    """`agent`, with an HTTP client of ours."""
    if inspect.iscoroutinefunction(agent):

        async def called(question: str, index: int) -> str:
            async with async_client() as http:
                return str(await agent(tell(question, index), Access(server.url, server.root, KEY, http)))

        return called

    def blocking(question: str, index: int) -> str:
        with client() as http:
            return str(agent(tell(question, index), Access(server.url, server.root, KEY, http)))

    return blocking


def endpoint(agent: Agent, server: ModelServer, tell: Tell = alike) -> Callable[..., Any]:
    """`agent`, with a URL of ours."""

    def access(endpoint: Endpoint) -> Access:
        return Access(endpoint.base_url, endpoint.anthropic_url, endpoint.api_key)

    if inspect.iscoroutinefunction(agent):

        async def called(question: str, index: int, endpoint: Endpoint) -> str:
            return str(await agent(tell(question, index), access(endpoint)))

        return called

    def blocking(question: str, index: int, endpoint: Endpoint) -> str:
        return str(agent(tell(question, index), access(endpoint)))

    return blocking


CASES = [(door, agent) for door in (ambient, endpoint) for agent in SDK_AGENTS] + [(endpoint, curl)]
every_door = pytest.mark.parametrize(("door", "agent"), CASES, ids=lambda part: part.__name__)


def run(called: Callable[..., Any], server: ModelServer, strategy: Any, **options: Any) -> Result[Any]:
    upstream = Upstream(server.url, KEY, server.root, KEY)
    return asyncio.run(solve("How much?", strategy, generator=Function(called, upstream=upstream), **options))


def calls(span: Span) -> list[Span]:
    """The calls of models in a trace."""
    found = [span] if span.kind == "call" and span.role == "plan" else []
    return found + [one for child in span.children for one in calls(child)]


@every_door
def test_calls_tokens_and_spans_are_those_that_the_server_counted(
    door: Callable[..., Any], agent: Agent, server: ModelServer
) -> None:
    result = run(door(agent, server), server, SelfConsistency(3, key=str))
    spans = calls(result.trace)
    assert server.calls == len(spans) == result.usage.model_calls >= 9
    assert result.usage.prompt_tokens == server.prompt_tokens == sum(span.usage.prompt_tokens for span in spans)
    assert result.usage.generated_tokens == server.generated_tokens == sum(s.usage.generated_tokens for s in spans)
    assert result.usage.generations == 3
    assert result.usage.estimated_tokens == 0
    assert not result.errors
    assert set(server.keys) <= {KEY, f"Bearer {KEY}"}


@pytest.mark.slow
@every_door
@pytest.mark.parametrize("budget", [Budget(generated_tokens=100), Budget(model_calls=5), Budget(total_tokens=400)])
def test_a_ceiling_binds(door: Callable[..., Any], agent: Agent, server: ModelServer, budget: Budget) -> None:
    """By the server's own count. The attempt that meets it ends as out of budget, whatever it makes of the 402."""
    try:
        result = run(door(agent, server), server, BestOfN(8, Predicate(lambda _: 0.0)), budget=budget)
    except SearchkitError:
        pass
    else:
        assert result.stopped == "budget"
    assert_within(server, budget)


@every_door
def test_the_first_pass_leaves_nothing_in_flight(door: Callable[..., Any], agent: Agent) -> None:
    """The other attempts are cut off within a call: their server sees them leave, and their threads end."""
    with ModelServer(60.0, slow="slowly", least=3) as server:
        called = door(agent, server, marked)
        result = run(called, server, BestOfN(4, Predicate(lambda _: True), first_pass=True))
        assert result.stopped == "threshold"
        until(lambda: server.in_flight == 0)
        assert server.aborted == 3
        until(lambda: not any("blocking" in thread.name for thread in threading.enumerate()))
        cut = [span for span in calls(result.trace) if span.status != "ok"]
        assert {span.status for span in cut} == {"cancelled"}
        assert server.calls == len(calls(result.trace))
