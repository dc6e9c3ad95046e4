"""The laws hold for searches over a model with tools: 1 to 13, and after a kill at any row of the journal."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from searchkit.environments import (
    CodeActions,
    FolderEnvironment,
    SnapshotEnvironment,
    ToolEnvironment,
    irreversible,
    pure,
    reversible,
)
from searchkit.protocols import Backend, Verifier
from searchkit.sandbox import levels
from searchkit.strategies import MCTS, BeamSearch, BestFirst
from searchkit.strategy import Strategy
from searchkit.testing import StrategyTests
from searchkit.testing.strategies import LengthScore
from searchkit.types import Message, Params
from tests.environments.tools.worlds import Chat, Said, observed


@reversible
def note(world: list[str], text: str) -> str:
    """Write it down."""
    world.append(text)
    return ", ".join(world)


@pure
def count(world: list[str]) -> int:
    """How many notes there are."""
    return len(world)


@pure
async def double(n: int) -> int:
    return 2 * n


@pure
def fail(why: str) -> str:
    raise ValueError(why)


@irreversible
def send(text: str) -> str:
    raise AssertionError("done in a search")


def reply(messages: tuple[Message, ...], seed: int) -> Said:
    """One, two or three turns with calls, some of them wrong, and then an answer."""
    drawn = hashlib.blake2b(f"{seed}".encode(), digest_size=4).digest()
    turns = sum(message.role == "assistant" for message in messages)
    if turns == 3 or (turns and drawn[0] % 3 == 0):
        return f"{'; '.join(observed(messages))}: {drawn[1] % 4}"
    calls: list[tuple[str, Any]] = [
        ("note", {"text": "abc"[drawn[2] % 3]}), ("count", {}), ("double", {"n": drawn[2] % 4}), ("double", '{"n": 1'),
        ("fail", {"why": "so"}), ("nowhere", {}), ("send", {"text": "x"}),
    ]  # fmt: skip
    first = drawn[3] % len(calls)
    return [calls[first], calls[(first + drawn[1]) % len(calls)]][: 1 + drawn[1] % 2]


class TestLawsOfMCTS(StrategyTests):
    params = Params(max_tokens=4)

    def environment(self) -> ToolEnvironment:
        return ToolEnvironment([note, count, double, fail, send], list)

    def strategy(self) -> Strategy:
        return MCTS(LengthScore(), environment=self.environment(), iterations=10, width=2, in_flight=3)

    def backend(self) -> Backend:
        return Chat(reply)


class TestLawsOfBestFirst(TestLawsOfMCTS):
    def environment(self) -> ToolEnvironment:
        return ToolEnvironment([note, count, double, fail, send], SnapshotEnvironment(list))

    def strategy(self) -> Strategy:
        return BestFirst(LengthScore(), environment=self.environment(), iterations=10, width=2, in_flight=2)

    def judged(self, verifier: Verifier) -> Strategy | None:
        return None


@pytest.mark.slow
class TestLawsOfBeamSearch(TestLawsOfMCTS):
    def strategy(self) -> Strategy:
        return BeamSearch(4, 2, LengthScore(), self.environment())


@reversible
def append(world: Path, text: str) -> str:
    """Add a line."""
    with open(world / "a.txt", "a") as file:
        file.write(f"{text}\n")
    return f"added to {world / 'a.txt'}"


@pure
def read(world: Path) -> str:
    return (world / "a.txt").read_text()


def edits(messages: tuple[Message, ...], seed: int) -> Said:
    """As `reply`, over files."""
    said = reply(messages, seed)
    names = {"note": "append", "count": "read"}
    return said if isinstance(said, str) else [(names.get(name, name), given) for name, given in said]


class TestLawsOverFolders(TestLawsOfMCTS):
    """Any state is an answer, and each call has a copy of the folder."""

    def environment(self) -> ToolEnvironment:
        folder = FolderEnvironment(Path(__file__).parent / "project")
        return ToolEnvironment([append, read, double, fail, send], folder)

    def backend(self) -> Backend:
        return Chat(edits)


@pytest.mark.slow
@pytest.mark.skipif(all(levels.trouble(level) for level in levels.LEVELS), reason="no sandbox on this machine")
class TestLawsOverCode(TestLawsOfMCTS):
    """Cells instead of notes."""

    def environment(self) -> ToolEnvironment:
        return ToolEnvironment([CodeActions(copies=2), double, fail, send])

    def backend(self) -> Backend:
        return Chat(cells)


def cells(messages: tuple[Message, ...], seed: int) -> Said:
    """As `reply`, in Python."""
    said = reply(messages, seed)
    if isinstance(said, str):
        return said
    code = {"note": "x = globals().get('x', 0) + 1; x", "count": "1 / 0"}
    return [("python", {"code": code[name]}) if name in code else (name, given) for name, given in said]
