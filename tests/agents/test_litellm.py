"""litellm's calls, by whichever of its ways: those of OpenAI's SDK and its own HTTP handlers."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from searchkit import Budget, ConfigError, Result, SearchkitError, SearchWarning, solve
from searchkit.agents import Endpoint, Upstream
from searchkit.agents.litellm import litellm_calls
from searchkit.function import Function
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import Predicate
from tests.helpers.model_server import ModelServer
from tests.helpers.sdk_agents import CHAT_TOOLS, MOST, Access, begun, chat_answer
from tests.helpers.servers import until

pytestmark = [
    pytest.mark.slow,  # its import alone takes seconds
    pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed: pip install litellm"),
    pytest.mark.filterwarnings("ignore::Warning"),
]
KEY = "sk-real-0123456789"
PLACES = (
    "client_session", "aclient_session", "in_memory_llm_clients_cache", "module_level_client", "module_level_aclient",
)  # fmt: skip


def lite() -> Any:
    return import_module("litellm")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def asked(provider: str, access: Access, messages: list[Any]) -> dict[str, Any]:
    base = access.base_url if provider == "openai" else access.anthropic_url
    given = {"model": f"{provider}/m", "api_base": base, "api_key": access.key}
    return {**given, "messages": messages, "tools": CHAT_TOOLS, "max_tokens": MOST}


async def asynchronous(question: str, access: Access, provider: str, stream: bool) -> str:
    messages, said = begun(question), None
    while said is None:
        answer = await lite().acompletion(**asked(provider, access, messages), stream=stream)
        if stream:
            answer = lite().stream_chunk_builder([chunk async for chunk in answer])
        said = chat_answer(messages, answer.choices[0].message)
    return said


def synchronous(question: str, access: Access, provider: str, stream: bool) -> str:
    messages, said = begun(question), None
    while said is None:
        answer = lite().completion(**asked(provider, access, messages), stream=stream)
        if stream:
            answer = lite().stream_chunk_builder(list(answer))
        said = chat_answer(messages, answer.choices[0].message)
    return said


async def responses(question: str, access: Access, provider: str, stream: bool) -> str:
    for number in range(3):
        answer = await lite().aresponses(
            model="openai/m", input=f"{question} {number}", api_base=access.base_url, api_key=access.key, stream=stream
        )
        if stream:
            _ = [event async for event in answer]
    return "done"


def built(agent: Callable[..., Any], server: ModelServer, door: str, provider: str, stream: bool) -> Callable[..., Any]:
    def told(question: str, index: int) -> str:
        return f"{question} slowly" if index else question

    straight = Access(server.url, server.root, KEY)
    if door == "endpoint":

        def by_url(question: str, endpoint: Endpoint, index: int) -> Any:
            access = Access(endpoint.base_url, endpoint.anthropic_url, endpoint.api_key)
            return agent(told(question, index), access, provider, stream)

        return by_url
    if inspect.iscoroutinefunction(agent):

        async def called(question: str, index: int) -> Any:
            return await agent(told(question, index), straight, provider, stream)

        return called
    return lambda question, index: agent(told(question, index), straight, provider, stream)


def run(called: Callable[..., Any], server: ModelServer, strategy: Any, **options: Any) -> Result[Any]:
    function = Function(called, upstream=Upstream(server.url, KEY, server.root, KEY))
    with litellm_calls():
        return asyncio.run(solve("How much?", strategy, generator=function, **options))


every_way = pytest.mark.parametrize(
    ("agent", "provider", "stream"),
    [
        (agent, provider, stream)
        for stream in (False, True)
        for agent, provider in (
            (asynchronous, "openai"), (asynchronous, "anthropic"), (synchronous, "openai"), (synchronous, "anthropic"),
            (responses, "openai"),
        )
    ],
    ids=lambda part: getattr(part, "__name__", str(part)),
)  # fmt: skip
every_door = pytest.mark.parametrize("door", ["ambient", "endpoint"])


@every_door
@every_way
def test_calls_and_tokens_are_those_that_the_server_counted(
    agent: Callable[..., Any], provider: str, stream: bool, door: str, server: ModelServer
) -> None:
    result = run(built(agent, server, door, provider, stream), server, SelfConsistency(3, key=str))
    assert not result.errors
    assert server.calls == result.usage.model_calls == 9
    assert (result.usage.prompt_tokens, result.usage.generated_tokens) == (
        server.prompt_tokens,
        server.generated_tokens,
    )
    assert result.usage.generations == 3
    assert result.usage.estimated_tokens == 0


@every_door
@every_way
def test_a_ceiling_binds(
    agent: Callable[..., Any], provider: str, stream: bool, door: str, server: ModelServer
) -> None:
    for budget in (Budget(generated_tokens=100), Budget(model_calls=5)):
        calls, generated = server.calls, server.generated_tokens
        try:
            result = run(
                built(agent, server, door, provider, stream),
                server,
                BestOfN(8, Predicate(lambda _: 0.0)),
                budget=budget,
            )
        except SearchkitError:
            pass
        else:
            assert result.stopped == "budget"
        assert server.generated_tokens - generated <= (budget.generated_tokens or 999)
        assert server.calls - calls <= (budget.model_calls or 99)


@every_door
@every_way
def test_the_first_pass_leaves_nothing_in_flight(
    agent: Callable[..., Any], provider: str, stream: bool, door: str
) -> None:
    with ModelServer(60.0, slow="slowly", least=3) as server:
        strategy = BestOfN(4, Predicate(lambda _: True), first_pass=True)
        result = run(built(agent, server, door, provider, stream), server, strategy)
        assert result.stopped == "threshold"
        until(lambda: server.in_flight == 0)
        assert server.aborted == 3


def test_what_was_there_before_is_put_back(server: ModelServer) -> None:
    before = {name: vars(lite()).get(name) for name in PLACES}
    with litellm_calls():
        inside = {name: vars(lite()).get(name) for name in PLACES}
        assert all(inside[name] is not before[name] for name in PLACES)
        with litellm_calls():
            assert {name: vars(lite()).get(name) for name in PLACES} == inside
        assert {name: vars(lite()).get(name) for name in PLACES} == inside
    assert {name: vars(lite()).get(name) for name in PLACES} == before
    with contextlib.suppress(ZeroDivisionError), litellm_calls():
        raise ZeroDivisionError
    assert {name: vars(lite()).get(name) for name in PLACES} == before


def test_blocks_that_overlap_put_back_what_was_there_first(server: ModelServer) -> None:
    before = {name: vars(lite()).get(name) for name in PLACES}
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with litellm_calls():
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=other)
    with litellm_calls():
        thread.start()
        assert entered.wait(30)
    assert vars(lite())["client_session"] is not before["client_session"]  # the other block is open
    leave.set()
    thread.join()
    assert {name: vars(lite()).get(name) for name in PLACES} == before


def test_outside_of_an_attempt_calls_go_straight_and_are_warned_about(server: ModelServer) -> None:
    straight = Access(server.url, server.root, KEY)
    with litellm_calls():
        with pytest.warns(SearchWarning, match="outside of a search"):
            assert synchronous("hello", straight, "openai", False)
        assert asyncio.run(asynchronous("hello", straight, "anthropic", True))
    assert server.calls == 6


def test_proxies_lead_no_call_past_the_search() -> None:
    with pytest.raises(ConfigError, match="transport="), litellm_calls(transport=None):
        pass
