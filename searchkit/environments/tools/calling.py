"""What a model may call, and its calls read: never evaluated, bounded in length and depth."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

from searchkit.environments.live import LiveEnvironment
from searchkit.environments.tools.signature import Refused
from searchkit.environments.tools.tool import Effect, Tool
from searchkit.environments.tools.worlds import action_of, call_of
from searchkit.errors import ConfigError
from searchkit.function import in_thread, is_async
from searchkit.protocols import Run
from searchkit.tool_calls import parsed
from searchkit.types import ToolCall

THREADS = 32  # synchronous calls at once in a search, of tools without a world
NAMED = 40  # tools that are named to a model that called none of them

Perform = Callable[[Mapping[str, Any], Run, float], Awaitable[str]]


@dataclass(frozen=True)
class Offer:
    """A tool as models and searches see it. spec: what models are told, "" for nothing.

    read: a JSON value to arguments; raises `Refused`. perform: does a call in so many seconds; None where that needs
    the world number `world`. called: what it is called there, if not by its name.
    """

    name: str
    effect: Effect
    spec: str
    read: Callable[[Any], Any]
    world: int = 0
    perform: Perform | None = None
    called: str = ""

    @classmethod
    def of(cls, tool: Tool) -> Offer:
        perform = None if tool.form.takes_world else partial(_perform, tool)
        return cls(tool.name, tool.effect, tool.spec, tool.form.read, perform=perform)


@runtime_checkable
class Provider(Protocol):
    """Several tools that work in a world of their own, such as a server's."""

    def world(self, seconds: float) -> LiveEnvironment:
        """A world whose actions are calls, see `action_of`, each bound by so many seconds."""
        ...

    async def offers(self, world: int, look: Callable[[str], Awaitable[str]]) -> list[Offer]:
        """The tools. world: the number of that world among all; look: what is seen there of an action."""
        ...

    def written(self, text: str) -> Sequence[ToolCall]:
        """The calls that stand in what a model wrote, where it made none beside it."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose arguments fit. arguments: as they were read; sent: as JSON values."""

    offer: Offer
    arguments: Any
    sent: Any

    @property
    def asked(self) -> str:
        """What the model asked for, see `action_of`."""
        return action_of(self.offer.name, self.sent)

    @property
    def action(self) -> str:
        """What is done in a world."""
        return action_of(self.offer.called or self.offer.name, self.sent)


class Table:
    """The tools of one search, by name."""

    def __init__(self) -> None:
        self.offers: dict[str, Offer] = {}

    @classmethod
    def of(cls, offers: Iterable[Offer]) -> Table:
        table = cls()
        table.fill(offers)
        return table

    def fill(self, offers: Iterable[Offer]) -> None:
        """Raises `ConfigError` where two have one name."""
        found = dict[str, Offer]()
        for offer in offers:
            if offer.name in found:
                raise ConfigError(f"two tools are called {offer.name}: give one another name, such as Tool(..., name=)")
            found[offer.name] = offer
        self.offers = found

    def close(self) -> None:
        self.offers = {}

    def read(self, name: str, arguments: str) -> Call | str:
        """The call, or what the model is told that is wrong with it."""
        offer = self.offers.get(name)
        if offer is None:
            known = ", ".join(list(self.offers)[:NAMED])
            return f"Error: there is no tool {name[:100]!r}. The tools are: {known}."
        try:
            value = parsed(arguments)
        except ValueError as error:
            return f"Error: {name} was not called: its arguments are no JSON that can be read in one way: {error}"
        try:
            return Call(offer, offer.read(value), value)
        except Refused as error:
            return f"Error: {name} was not called: its arguments do not fit: {error}"

    def call(self, asked: str) -> Call:
        """The call again, see `Call.asked`. Raises `ConfigError` if the tool is not there any more."""
        name, arguments = call_of(asked)
        if name not in self.offers:
            raise ConfigError(f"there is no tool {name} any more")
        return Call(self.offers[name], self.offers[name].read(arguments), arguments)


async def _perform(tool: Tool, arguments: Mapping[str, Any], run: Run, seconds: float) -> str:
    """A call of a tool without a world. Raises `Failed`, and `TimeoutError`."""
    if is_async(tool.fn):
        async with asyncio.timeout(seconds):
            made = tool.perform(arguments)
            return made if isinstance(made, str) else await made
    seen = await in_thread(lambda: tool.perform(arguments), run, "tools", THREADS, seconds)
    if isinstance(seen, str):
        return seen
    async with asyncio.timeout(seconds):
        return str(await seen)
