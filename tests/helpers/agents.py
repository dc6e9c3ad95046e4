"""Agents of ten calls over OpenAI's SDK, by either door, and searches over them in processes that can be killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai

from searchkit import Result, solve
from searchkit.agents import CommandAgent, Endpoint, Upstream, async_client
from searchkit.environments import AgentSteps
from searchkit.function import Function
from searchkit.strategies import MCTS, BestOfN
from searchkit.testing.strategies import LengthScore
from tests.helpers.commands import COMMANDS

MODEL, CALLS, ATTEMPTS = "test-model", 10, 8
WHERE: dict[str, Any] = {}
"""In a process of a search: `url` of the server, `starts`, a folder in which fickle attempts count their beginnings."""


async def talk(client: Any, question: str, fickle: str = "") -> str:
    """A conversation of ten turns; in the fifth an agent that is `fickle` says so."""
    said: list[dict[str, str]] = [{"role": "user", "content": question}]
    for turn in range(CALLS):
        reply = await client.chat.completions.create(model=MODEL, messages=said, max_tokens=12)
        said.append({"role": "assistant", "content": reply.choices[0].message.content})
        said.append({"role": "user", "content": f"and then? {turn}{fickle if turn == 4 else ''}"})
    return " / ".join(one["content"] for one in said if one["role"] == "assistant")


async def ambient(question: str) -> str:
    async with openai.AsyncOpenAI(base_url=WHERE["url"], api_key="k", http_client=async_client()) as client:
        return await talk(client, question)


async def by_endpoint(question: str, endpoint: Endpoint) -> str:
    async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as client:
        return await talk(client, question)


async def fickle(question: str, index: int) -> str:
    """What it asks depends on how often this attempt was begun."""
    counter = Path(WHERE["starts"]) / str(index)
    starts = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(starts))
    async with openai.AsyncOpenAI(base_url=WHERE["url"], api_key="k", http_client=async_client()) as client:
        return await talk(client, question, f" (start {starts})")


AGENTS: dict[str, Callable[..., Any]] = {one.__name__: one for one in (ambient, by_endpoint, fickle)}
AGENTS |= {name: CommandAgent([*command, str(CALLS)]) for name, command in COMMANDS.items()}


def stepped(journal: str | None) -> Result[Any]:
    """A tree search over the decisions of the agent."""
    world = AgentSteps(Function(ambient, name="stepped"), live=6)
    strategy = MCTS(LengthScore(), environment=world, iterations=40, in_flight=3)
    return asyncio.run(solve("what now?", strategy, journal=journal))


def searched(agent: str, journal: str | None) -> Result[Any]:
    """Best-of-8 of an agent."""
    if agent == "stepped":
        return stepped(journal)
    function = Function(AGENTS[agent], upstream=Upstream(openai_url=WHERE["url"], openai_key="k"))
    return asyncio.run(solve("what now?", BestOfN(ATTEMPTS, LengthScore()), generator=function, journal=journal))


def final(result: Result[Any]) -> str:
    """All of a result that must not depend on how often its process was killed."""
    used = result.usage
    return json.dumps(
        [
            result.answer, [[c.sample.text, c.score] for c in result.candidates], result.trace.canonical(),
            [used.generations, used.verifications, used.model_calls, used.prompt_tokens, used.generated_tokens],
            result.sequential_tokens, result.stopped, [str(error) for error in result.errors],
        ]
    )  # fmt: skip


def work(agent: str, journal: str, url: str, starts: str, out: str) -> None:
    """The main function of a process: search, then write down what came of it."""
    WHERE.update(url=url, starts=starts)
    result = searched(agent, journal)
    told = {"final": final(result), "paid": result.paid.model_calls, "diverged": result.diverged}
    Path(out).write_text(json.dumps(told))
