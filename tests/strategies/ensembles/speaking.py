"""Agents for the tests of ensembles: each says who it is and how often it has spoken, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit import Model, Result, solve
from searchkit.calls import CallError, Request
from searchkit.strategy import Strategy
from searchkit.testing import Counting, Scripted
from searchkit.testing.doubles import Shuffled

TASK = "the task"


@dataclass
class Agent:
    """Says "<name.level>": level is one more than the highest that it was shown. fails: at which levels it fails.

    asked: what it was asked, in order.
    """

    name: str
    fails: tuple[int, ...] = ()
    says: Callable[[int], str] | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> str:
        text = request.prompt.text
        level = 1 + max((int(number) for number in re.findall(r"<\w+\.(\d+)>", text)), default=-1)
        self.asked.append(text)
        if level in self.fails:
            raise CallError("gone")
        return f"<{self.name}.{level}>" + (self.says(level) if self.says else "")


def team(names: str, order: int = 0, **options: Any) -> tuple[list[Agent], tuple[Model, ...]]:
    """An agent for each letter, and the models that they are; order: of their latencies."""
    agents = [Agent(name, **options) for name in names]
    return agents, tuple(Model(Shuffled(Scripted(agent), order)) for agent in agents)


def seen(prompt: str) -> list[str]:
    """Who is quoted in a prompt, in that order."""
    return re.findall(r"<\w+\.\d+>", prompt)


def run(strategy: Strategy, reply: Any = None, task: Any = TASK, **options: Any) -> tuple[Result[Any], int]:
    """The result, and how many calls the shared backend has seen."""
    backend = Counting(reply if hasattr(reply, "complete") else Scripted(reply or (lambda request: "7")))
    return asyncio.run(solve(task, strategy, generator=Model(backend), **options)), backend.calls


def ring(agent: int, number: int) -> Sequence[int]:
    """Each of three sees the one before it."""
    return [(agent - 1) % 3]


def in_turn(agent: int, number: int) -> Sequence[int] | None:
    """One after the other, each of whom sees all that was said."""
    return range(agent) if agent == number else None


def round_robin(agent: int, number: int) -> Sequence[int] | None:
    """Two who speak by turns."""
    return (0, 1) if number % 2 == agent else None
