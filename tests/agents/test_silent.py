"""Attempts that end before their first call: they are model calls only if nothing shows that this agent's are seen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from searchkit import Function, Result, solve
from searchkit.agents import async_client
from searchkit.strategies import BestOfN
from searchkit.verifiers import Predicate
from tests.helpers.attempts import CHAT, calls
from tests.helpers.model_server import ModelServer

FIRST = Predicate(lambda said: said.startswith("first"), name="first")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def search(agent: Any, strategy: Any, **options: Any) -> Result[Any]:
    return asyncio.run(solve("q", strategy, generator=Function(agent, name="agent"), **options))


async def said(server: ModelServer) -> str:
    async with openai.AsyncOpenAI(base_url=server.url, api_key="k", http_client=async_client()) as api:
        return str((await api.chat.completions.create(**CHAT)).choices[0].message.content)  # type: ignore[call-overload]


def whole(result: Result[Any]) -> None:
    """Totals are those of the spans."""
    assert result.trace.total().model_calls == result.usage.model_calls


def test_cancelled_before_their_first_call(server: ModelServer) -> None:
    async def agent(question: str, index: int) -> str:
        if index:
            await asyncio.sleep(60)
        return "first " + await said(server)

    result = search(agent, BestOfN(8, FIRST, first_pass=True))
    assert (result.usage.generations, result.usage.model_calls, result.paid.model_calls) == (8, 1, 1)
    assert server.calls == len(calls(result.trace)) == 1
    whole(result)


@pytest.mark.filterwarnings("ignore:.*attempts failed")
@pytest.mark.parametrize("late", range(4))
def test_failed_before_their_first_call(server: ModelServer, late: int, tmp_path: Path) -> None:
    """Whichever is the slowest; and the same from the journal."""

    async def agent(question: str, index: int) -> str:
        await asyncio.sleep(0.1 if index == late else 0)
        if index % 2:
            raise RuntimeError("no file")
        return await said(server)

    for _ in range(2):
        result = search(agent, BestOfN(4, FIRST), journal=tmp_path / "run.db")
        assert (result.usage.generations, result.usage.model_calls, server.calls) == (4, 2, 2)
        whole(result)


@pytest.mark.filterwarnings("ignore:.*attempts failed")
@pytest.mark.parametrize("error", [RuntimeError, None])
def test_of_an_agent_whose_calls_nobody_sees_each_is_a_call(error: type[Exception] | None) -> None:
    async def agent(question: str, index: int) -> str:
        if index and error is not None:
            raise error("no file")
        await asyncio.sleep(60 if index else 0)
        return "first"

    result = search(agent, BestOfN(4, FIRST, first_pass=error is None))
    assert (result.usage.generations, result.usage.model_calls) == (4, 4)
    whole(result)
