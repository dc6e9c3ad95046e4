"""Worlds for the tests of environments: walks over letters, live objects that keep a log, and a way to drive them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from searchkit import Result, Strategy, solve
from searchkit.protocols import Run
from searchkit.types import Prompt, Sample


@dataclass
class Log:
    """What all live objects of a world have in common. turn: part of every observation, so that the world can change.

    gate: steps named in `blocked` wait for it. done: each action that a live object did; used: (object, thread).
    """

    turn: int = 0
    opened: int = 0
    closed: int = 0
    most: int = 0
    resets: int = 0
    done: list[str] = field(default_factory=list)
    used: set[tuple[int, int]] = field(default_factory=set)
    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    blocked: str = ""


class Walk:
    """A path of letters, `depth` long at most; its reward is `worth`. The action "!" raises."""

    def __init__(self, log: Log, depth: int = 99) -> None:
        self.log, self.depth, self.path = log, depth, ""
        self._used()
        log.opened += 1
        log.most = max(log.most, log.opened - log.closed)

    def _used(self) -> None:
        self.log.used.add((id(self), threading.get_ident()))

    def _see(self) -> str:
        return f"at {self.path} in turn {self.log.turn}"

    def reset(self) -> str:
        self._used()
        self.log.resets += 1
        self.path = ""
        return self._see()

    def step(self, action: str) -> tuple[str, float, bool]:
        self._used()
        self.log.done.append(action)
        if action == self.log.blocked:
            self.log.entered.set()
            self.log.gate.wait(20)
        if action == "!":
            raise ValueError("no such way")
        self.path += action
        return self._see(), worth(self.path), len(self.path) >= self.depth

    def close(self) -> None:
        self._used()
        self.log.closed += 1


class AsyncWalk:
    """The same with asynchronous methods."""

    def __init__(self, log: Log, depth: int = 99) -> None:
        self.inner = Walk(log, depth)

    async def reset(self) -> str:
        await asyncio.sleep(0)
        return self.inner.reset()

    async def step(self, action: str) -> tuple[str, float, bool]:
        await asyncio.sleep(0)
        if action == self.inner.log.blocked:
            self.inner.log.entered.set()
            await happens(self.inner.log.gate)
        return self.inner.step(action)

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.inner.close()


def worth(path: str) -> float:
    """A value in [0, 1], different for all short paths."""
    return sum((i + 1) * 7 ** (i + 2) * ord(c) for i, c in enumerate(path)) % 997 / 997


async def happens(event: threading.Event) -> None:
    """Until an event of the threads' world has happened."""
    while not event.is_set():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


Body = Callable[[Prompt, Run], Awaitable[Any]]


@dataclass(frozen=True)
class Drive(Strategy):
    """Runs `body`; what that returns is the answer."""

    body: Body

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        return Sample(await self.body(prompt, run))


async def driven(body: Body, **options: Any) -> Result[Any]:
    return await solve("the task", Drive(body), **options)


def drive(body: Body, **options: Any) -> Any:
    """What `body(prompt, run)` returns, inside of a search."""
    return asyncio.run(driven(body, **options)).answer
