"""Agents that call their models in the threads of the loop, `asyncio.to_thread`, as CrewAI's `akickoff` does."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from searchkit import Budget, Result, SearchkitError, solve, solve_sync
from searchkit.agents import Endpoint, Upstream
from searchkit.function import Function
from searchkit.strategies import BestOfN
from searchkit.testing.server import Server
from searchkit.verifiers import Predicate
from tests.helpers.servers import until

pytestmark = pytest.mark.slow
MORE = min(32, (os.cpu_count() or 1) + 4) + 2  # than a loop has threads


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


async def threaded(question: str, endpoint: Endpoint) -> str:
    def ask(text: str) -> str:
        with openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key, max_retries=0) as client:
            said = client.chat.completions.create(model="test-model", messages=[{"role": "user", "content": text}])
            return said.choices[0].message.content or ""

    return await asyncio.to_thread(ask, await asyncio.to_thread(ask, question))


def agent(server: Server) -> Function:
    return Function(threaded, upstream=Upstream(openai_url=server.url, openai_key="none"))


def test_more_attempts_than_threads_wait_for_one_another_under_a_ceiling(server: Server) -> None:
    """Those that have a share of the tokens left get a thread, too; else nobody would ever go on."""
    ended = list[Result[Any] | SearchkitError]()
    few = Budget(generated_tokens=5 * MORE)

    def search() -> None:
        try:
            ended.append(solve_sync("Why?", BestOfN(MORE, Predicate(len)), generator=agent(server), budget=few))
        except SearchkitError as error:
            ended.append(error)

    thread = threading.Thread(target=search, daemon=True)
    thread.start()
    thread.join(60)
    assert ended
    assert 0 < server.generated_tokens <= 5 * MORE


def test_attempts_that_take_all_threads_are_cut_off(server: Server) -> None:
    """What ends their processes does not wait for a thread of the loop: they hold all of them."""
    server.latency = 60.0

    async def cancelled() -> None:
        search = asyncio.create_task(solve("Why?", BestOfN(MORE, Predicate(len)), generator=agent(server)))
        while server.in_flight < MORE - 2:  # noqa: ASYNC110 (it counts in another thread)
            await asyncio.sleep(0.01)
        search.cancel()
        with pytest.raises(asyncio.CancelledError):
            await search

    asyncio.run(cancelled())
    until(lambda: server.in_flight == 0)
    assert server.aborted >= MORE - 2
