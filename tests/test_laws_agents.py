"""The laws of strategies over agents that call models by themselves, several at once."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from searchkit import Function, Run, Sample, search
from searchkit.agents import Workspace
from searchkit.calls import CallError, Request
from searchkit.environments import FolderEnvironment
from searchkit.errors import BudgetExhausted
from searchkit.protocols import Backend, Verifier
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.strategy import Strategy
from searchkit.testing import StrategyTests
from searchkit.testing.strategies import LengthScore
from searchkit.types import Params, Prompt
from tests.helpers.collected import collected  # noqa: F401 (a fixture)

MOST = 12


async def asked(run: Run, backend: Backend, text: str) -> str:
    """What `backend` says, as it would to an agent's own client; "" where the budget does not allow it."""

    async def perform(seed: int, most: int | None) -> Sample[str]:
        [answer] = await backend.complete([Request(Prompt.of(text), Params(max_tokens=MOST), seed)])
        if isinstance(answer, CallError):
            raise answer
        return answer

    try:
        return (await run.relay(backend.name, text, perform, limit=MOST)).value
    except BudgetExhausted:
        return ""


def gathering(backend: Backend) -> Function:
    """Asks three at once, two of them the same, and then a fourth about what they said."""

    async def agent(text: str, run: Run) -> str:
        questions = (f"{text} and why?", f"{text} and why?", f"{text} and how?")
        said: Sequence[str] = await asyncio.gather(*(asked(run, backend, one) for one in questions))
        return await asked(run, backend, " ".join(sorted(said))) or " ".join(sorted(said))

    return Function(agent, name="gathering")


def chaining(backend: Backend) -> Function:
    """Two conversations side by side, whose turns overtake one another."""

    async def agent(text: str, run: Run) -> str:
        async def talk(name: str) -> str:
            said = f"{text} {name}"
            for _ in range(2):
                said = await asked(run, backend, said) + name
            return said

        return " ".join(await asyncio.gather(talk("a"), talk("b")))

    return Function(agent, name="chaining")


def completing(backend: Backend) -> Function:
    """Two calls through the run's own door."""

    async def agent(text: str, run: Run) -> str:
        said = ""
        for turn in range(2):
            request = Request(Prompt.of(f"{text} {turn} {said}"), Params(max_tokens=MOST), run.seed + turn)
            try:
                said = (await run.complete(backend, request)).text
            except BudgetExhausted:
                return said
        return said

    return Function(agent, name="completing")


def completing_at_once(backend: Backend) -> Function:
    """Three calls through the run's own door, at once."""

    async def agent(text: str, run: Run) -> str:
        async def one(number: int) -> str:
            request = Request(Prompt.of(f"{text} {number}"), Params(max_tokens=MOST), run.seed + number)
            try:
                return (await run.complete(backend, request)).text
            except BudgetExhausted:
                return ""

        return " ".join(await asyncio.gather(*map(one, range(3))))

    return Function(agent, name="completing at once")


def searching(backend: Backend) -> Function:
    """Each attempt is a search over agents that call models."""

    async def attempt(text: str, run: Run) -> str:
        return await asked(run, backend, await asked(run, backend, text))

    inner = search(SelfConsistency(2, key=str), name="attempt")(attempt)

    async def agent(text: str, run: Run) -> str:
        return await inner(text)  # type: ignore[call-arg]

    return Function(agent, name="searching")


def mixing(backend: Backend) -> Function:
    """A search and calls of its own, all at once."""

    async def attempt(text: str, run: Run) -> str:
        return await asked(run, backend, text)

    inner = search(SelfConsistency(2, key=str), name="inner attempt")(attempt)

    async def searched(text: str) -> str:
        try:
            return await inner(text)  # type: ignore[call-arg]
        except BudgetExhausted:
            return ""

    async def agent(text: str, run: Run) -> str:
        own = (asked(run, backend, f"{text} {name}") for name in "ab")
        return " ".join(await asyncio.gather(*own, searched(text), asked(run, backend, f"{text} c")))

    return Function(agent, name="mixing")


WORLD = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, WORLD, ignore_errors=True)
(WORLD / "notes.txt").write_text("none yet\n")


def editing(backend: Backend) -> Function:
    """Two calls, and what they said in a file of a world of its own."""

    async def agent(text: str, run: Run, workspace: Workspace) -> str:
        said = await asked(run, backend, text)
        (workspace.path / "notes.txt").write_text(said)
        (workspace.path / "more.txt").write_text(await asked(run, backend, f"{text} {said}"))
        return said

    return Function(agent, name="editing", world=FolderEnvironment(WORLD))


class OverAgents(StrategyTests):
    agent: Any

    def model(self, backend: Backend | None = None) -> Any:
        return type(self).agent(self.backend() if backend is None else backend)

    def strategy(self) -> Strategy:
        return BestOfN(4, LengthScore())

    def judged(self, verifier: Verifier) -> Strategy | None:
        return BestOfN(4, verifier)


class TestOverGathering(OverAgents):
    agent = gathering


class TestVoteOverGathering(OverAgents):
    agent = gathering

    def strategy(self) -> Strategy:
        return SelfConsistency(4, key=str)


class TestOverChaining(OverAgents):
    agent = chaining


class TestFirstPassOverChaining(OverAgents):
    agent = chaining

    def strategy(self) -> Strategy:
        return BestOfN(6, LengthScore(), threshold=0.5, window=3)


class TestOverCompleting(OverAgents):
    agent = completing


class TestOverCompletingAtOnce(OverAgents):
    agent = completing_at_once


class TestOverSearching(OverAgents):
    agent = searching


class TestOverMixing(OverAgents):
    agent = mixing


@pytest.mark.slow
class TestOverEditing(OverAgents):
    agent = editing
