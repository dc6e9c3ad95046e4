"""The laws of strategies over an agent whose decisions they make."""

from __future__ import annotations

import asyncio
from typing import Any

import openai

from searchkit.agents import async_client, client
from searchkit.environments import AgentSteps
from searchkit.strategies import ABMCTS, MCTS, BeamSearch, BestFirst
from searchkit.strategy import Strategy
from searchkit.testing import StrategyTests
from searchkit.testing.strategies import LengthScore
from tests.helpers.collected import collected  # noqa: F401 (a fixture)

NOWHERE: dict[str, Any] = {"base_url": "http://nowhere.invalid/v1", "api_key": "none", "max_retries": 0}


def api() -> Any:
    return openai.AsyncOpenAI(**NOWHERE, http_client=async_client())


async def said(text: str) -> str:
    async with api() as client:
        reply = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    return reply.choices[0].message.content or ""


async def asking(question: str) -> str:
    """Two calls, one after the other."""
    first = await said(question)
    return f"{first} {await said(f'{question} {first}')}"


async def once_only(question: str) -> str:
    """The model's answer as it is."""
    return await said(question)


async def gathering(question: str) -> str:
    """Two calls at once, and a third about what they said."""
    found = await asyncio.gather(said(f"{question} and why?"), said(f"{question} and how?"))
    return " ".join([*found, await said(" ".join(found))])


def blocking(question: str) -> str:
    """Two calls, made by a thread."""
    with openai.OpenAI(**NOWHERE, http_client=client()) as sdk:
        text = question
        for _ in range(2):
            reply = sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
            text += f" {reply.choices[0].message.content}"
    return text


class OverSteps(StrategyTests):
    agent: Any = staticmethod(asking)
    live: int = 3

    def world(self) -> AgentSteps:
        return AgentSteps(type(self).agent, live=self.live)


class TestBestFirstOverAsking(OverSteps):
    def strategy(self) -> Strategy:
        return BestFirst(LengthScore(), environment=self.world(), iterations=6)


class TestBestFirstInFlightOverGathering(OverSteps):
    agent = staticmethod(gathering)

    def strategy(self) -> Strategy:
        return BestFirst(LengthScore(), environment=self.world(), iterations=8, in_flight=3, width=2)


class TestMCTSOverAsking(OverSteps):
    def strategy(self) -> Strategy:
        return MCTS(LengthScore(), environment=self.world(), iterations=8)


class TestMCTSOverOneBlockingAgent(OverSteps):
    agent = staticmethod(blocking)
    live = 1

    def strategy(self) -> Strategy:
        return MCTS(LengthScore(), environment=self.world(), iterations=5)


class TestABMCTSOverGathering(OverSteps):
    agent = staticmethod(gathering)

    def strategy(self) -> Strategy:
        return ABMCTS(LengthScore(), environment=self.world(), iterations=8)


class TestBeamSearchOverAsking(OverSteps):
    def strategy(self) -> Strategy:
        return BeamSearch(4, 2, LengthScore(), environment=self.world())

    def narrow(self) -> Strategy:
        return BeamSearch(1, 1, LengthScore(), environment=AgentSteps(once_only))
