"""Laws 1, 3, 4, 5 and 11 over agents with real clients on a real server, and its faults."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from searchkit import Budget, Function, Result, solve
from searchkit.agents import Endpoint, Upstream, async_client, client
from searchkit.engine.journal import Journal
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing.server import FAULTS, Faults, Server
from searchkit.testing.strategies import LengthScore, _truncate
from tests.helpers.agents import MODEL, final
from tests.helpers.collected import collect
from tests.helpers.servers import until

URL = [""]
"""Of the server of the running test."""


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """After each test: agents that are cancelled leave connections, which a later test would be blamed for."""
    yield
    collect()


class Shuffling(Server):
    """Latencies in an order of its own; what it says is a matter of seeds."""

    order, most = 0, 0.02

    def _begin(self, connection: Any, request: Any) -> None:
        self.latency = random.Random(f"{self.order}/{request.body['seed']}").uniform(0, self.most)
        super()._begin(connection, request)


@pytest.fixture
def server() -> Iterator[Shuffling]:
    with Shuffling() as running:
        URL[0] = running.url
        yield running


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 12, **more}


def said(reply: Any) -> str:
    return str(reply.choices[0].message.content)


async def ask(client: Any, text: str) -> str:
    """What a model says; "" where the budget does not let it."""
    try:
        return said(await client.chat.completions.create(**body(text)))
    except openai.APIStatusError as error:
        if error.status_code != 402:
            raise
        return ""


async def gathered(client: Any, text: str) -> str:
    """Two conversations side by side, and two questions that are the same; then one about it all."""

    async def talk(name: str) -> str:
        first = await ask(client, f"{text} {name}")
        return await ask(client, f"{name}: {first}")

    *talks, one, other = await asyncio.gather(talk("a"), talk("b"), ask(client, text), ask(client, text))
    told = [talks, sorted((one, other))]
    return await ask(client, json.dumps(told)) or json.dumps(told)


async def ambient(text: str) -> str:
    async with openai.AsyncOpenAI(base_url=URL[0], api_key="k", http_client=async_client()) as one:
        return await gathered(one, text)


async def by_endpoint(text: str, endpoint: Endpoint) -> str:
    async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as one:
        return await gathered(one, text)


def threaded(ask_one: Callable[[str], str], text: str, start: Callable[..., Any]) -> str:
    """As `gathered`, in threads of the agent's own."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        same = [pool.submit(start, ask_one, text) for _ in range(2)]
        firsts = [pool.submit(start, ask_one, f"{text} {name}") for name in "ab"]
        seconds = [
            pool.submit(start, ask_one, f"{name}: {first.result()}") for name, first in zip("ab", firsts, strict=True)
        ]
        told = [[second.result() for second in seconds], sorted(one.result() for one in same)]
    return ask_one(json.dumps(told)) or json.dumps(told)


def in_threads(text: str) -> str:
    """Its threads run in a copy of its context."""
    context = contextvars.copy_context()

    def start(fn: Callable[..., Any], *args: Any) -> Any:
        return context.copy().run(fn, *args)

    with openai.OpenAI(base_url=URL[0], api_key="k", http_client=client()) as one:
        return threaded(lambda asked: _ask_sync(one, asked), text, start)


def in_threads_by_endpoint(text: str, endpoint: Endpoint) -> str:
    """Its threads know nothing of us; neither does its client, which is no SDK."""

    def ask_one(asked: str) -> str:
        with httpx2.Client(timeout=60) as http:
            reply = http.post(f"{endpoint.base_url}/chat/completions", json=body(asked))
        assert reply.status_code in (200, 402)
        return "" if reply.is_error else str(reply.json()["choices"][0]["message"]["content"])

    return threaded(ask_one, text, lambda fn, *args: fn(*args))


def _ask_sync(one: openai.OpenAI, text: str) -> str:
    try:
        return said(one.chat.completions.create(**body(text)))
    except openai.APIStatusError as error:
        if error.status_code != 402:
            raise
        return ""


AGENTS = [ambient, by_endpoint, in_threads, in_threads_by_endpoint]
CALLS = 7


def function(agent: Any) -> Function:
    return Function(agent, upstream=Upstream(openai_url=URL[0], openai_key="k"))


def go(agent: Any, strategy: Any = None, **options: Any) -> Result[Any]:
    strategy = strategy or BestOfN(3, LengthScore())
    return asyncio.run(solve("what now?", strategy, generator=function(agent), **options))


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_law_01_latencies_do_not_change_the_trace(agent: Any, server: Shuffling) -> None:
    """In whatever order the answers come: the same trace, candidates and answer; the server's counts are ours."""
    plain = go(agent)
    assert plain.usage.model_calls == plain.paid.model_calls == len(server.requests) == 3 * CALLS
    assert plain.usage.generated_tokens == server.generated_tokens
    assert plain.usage.prompt_tokens == server.prompt_tokens
    assert len({request.body["seed"] for request in server.requests}) == 3 * CALLS
    for server.order in range(1, 4):
        assert final(go(agent)) == final(plain)


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(
    "budget", [Budget(generations=2), Budget(model_calls=9), Budget(generated_tokens=100), Budget(total_tokens=700)]
)
def test_law_03_ceilings_hold(agent: Any, budget: Budget, server: Shuffling) -> None:
    """An agent that makes do with what it gets: by the server's own count nothing is exceeded, and all is counted."""
    result = go(agent, budget=budget)
    assert not result.overshoot
    assert result.usage.model_calls == len(server.requests) > 0
    assert result.usage.generated_tokens == server.generated_tokens
    for name, ceiling in budget.ceilings():
        assert getattr(result.usage, name) <= ceiling
    assert result.stopped == ("done" if result.usage.model_calls == 3 * CALLS else "budget")
    assert server.in_flight == 0


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_law_04_resuming_pays_only_for_what_was_not_finished(agent: Any, server: Shuffling, tmp_path: Path) -> None:
    """Killed after any number of rows and resumed: the same bytes; no finished call is made again."""
    whole = tmp_path / "whole.db"
    uninterrupted = go(agent, journal=whole)
    with Journal(whole) as journal:
        count = len(journal)
    for rows in (0, 1, count // 3, count // 2, count - 1, count):
        part = tmp_path / f"{rows}.db"
        _truncate(whole, part, rows)
        before = len(server.requests)
        resumed = go(agent, journal=part)
        assert final(resumed) == final(uninterrupted)
        assert resumed.paid.model_calls == len(server.requests) - before <= 3 * CALLS - (rows - 6)
        assert resumed.diverged == 0


@pytest.mark.slow
@pytest.mark.parametrize("agent", [ambient, by_endpoint])
def test_law_05_cancellation_leaves_nothing_behind(agent: Any, server: Shuffling) -> None:
    """Cancelled at any moment: no task, and soon no request, is left; the next search works."""
    expected = go(agent).answer

    async def main() -> str:
        for moment in range(10):
            task = asyncio.create_task(solve("what now?", BestOfN(3, LengthScore()), generator=function(agent)))
            await asyncio.wait([task], timeout=0.01 + 0.02 * moment)
            task.cancel()
            await asyncio.wait([task])
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left
            until(lambda: server.in_flight == 0)
        return str((await solve("what now?", BestOfN(3, LengthScore()), generator=function(agent))).answer)

    assert asyncio.run(main()) == expected


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_law_11_paid_is_what_the_server_counted_after_a_first_pass(agent: Any, server: Shuffling) -> None:
    """The first attempt ends the search: the calls of the others are cancelled, down to the socket, and counted."""
    result = go(agent, BestOfN(4, LengthScore(), threshold=0.0, first_pass=True))
    until(lambda: server.in_flight == 0)
    assert result.stopped == "threshold"
    assert len(server.requests) == result.paid.model_calls


# ---------------------------------------------------------------- faults


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK waits half a second before it tries again; not here."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.05)


async def _patient(text: str, make: Callable[..., Any], **options: Any) -> str:
    async with make(max_retries=20, timeout=2.0, **options) as one:
        told = [await ask(one, f"{text} {number}") for number in range(4)]
        return await ask(one, json.dumps(told))


async def patient(text: str) -> str:
    return await _patient(text, openai.AsyncOpenAI, base_url=URL[0], api_key="k", http_client=async_client())


async def patient_by_endpoint(text: str, endpoint: Endpoint) -> str:
    return await _patient(text, openai.AsyncOpenAI, base_url=endpoint.base_url, api_key=endpoint.api_key)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("agent", [patient, patient_by_endpoint])
@pytest.mark.parametrize("kinds", [*((kind,) for kind in FAULTS), FAULTS])
def test_faults_lose_nothing_and_every_request_is_counted_once(agent: Any, kinds: tuple[str, ...]) -> None:
    """A third of all requests go wrong: the agent's SDK tries again, what comes of it is as if nothing had happened."""
    strategy = SelfConsistency(6, key=str)
    with Server() as server:
        URL[0], port = server.url, server.port
        whole = go(agent, strategy)
    with Server(faults=Faults(0.3, kinds, seed=3), port=port) as server:
        result = go(agent, strategy)
        until(lambda: server.in_flight == 0)
        failed = [request for request in server.requests if request.fault]
        assert len(failed) > 3
        assert len(server.requests) == 30 + len(failed) == result.paid.model_calls == result.usage.model_calls
    assert not result.errors
    assert result.trace.canonical() == whole.trace.canonical()
    assert result.answer == whole.answer
    usage, unknown = result.usage, sum(request.fault in ("truncated", "hang", "reset") for request in failed)
    assert usage.estimated_tokens == 12 * unknown + usage.prompt_tokens - whole.usage.prompt_tokens
    assert usage.generated_tokens == whole.usage.generated_tokens + 12 * unknown
