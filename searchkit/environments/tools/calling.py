"""What a model may call, and its calls read: never evaluated, bounded in length and depth."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from searchkit.environments.tools.signature import Refused
from searchkit.environments.tools.tool import Effect, Tool
from searchkit.environments.tools.worlds import action_of, call_of
from searchkit.errors import ConfigError
from searchkit.function import in_thread, is_async
from searchkit.protocols import Run
from searchkit.tool_calls import parsed

THREADS = 32  # synchronous calls at once in a search, of tools without a world
NAMED = 40  # tools that are named to a model that called none of them

Perform = Callable[[Mapping[str, Any], Run, float], Awaitable[str]]


@dataclass(frozen=True)
class Offer:
    """A tool as models and searches see it. world: the number of the world that its calls need, None for none.

    read: a JSON value to arguments; raises `Refused`. perform: does a call without a world, in so many seconds.
    """

    name: str
    effect: Effect
    spec: str
    read: Callable[[Any], Any]
    world: int | None
    perform: Perform

    @classmethod
    def of(cls, tool: Tool) -> Offer:
        world = 0 if tool.form.takes_world else None
        return cls(tool.name, tool.effect, tool.spec, tool.form.read, world, partial(_perform, tool))


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose arguments fit. action: what is done in a world, see `action_of`."""

    offer: Offer
    arguments: Any
    action: str


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
        """The call, or what is wrong with it."""
        offer = self.offers.get(name)
        if offer is None:
            known = ", ".join(list(self.offers)[:NAMED])
            return f"there is no tool {name[:100]!r}. The tools are: {known}."
        try:
            value = parsed(arguments)
        except ValueError as error:
            return f"{name} was not called: its arguments are no JSON that can be read in one way: {error}"
        try:
            return Call(offer, offer.read(value), action_of(name, value))
        except Refused as error:
            return f"{name} was not called: its arguments do not fit: {error}"

    def call(self, action: str) -> Call:
        """The call that an action is. Raises `ConfigError` if the tool is not there any more."""
        name, arguments = call_of(action)
        if name not in self.offers:
            raise ConfigError(f"there is no tool {name} any more")
        return Call(self.offers[name], self.offers[name].read(arguments), action)


def refusal(wrong: str) -> str:
    """How a model is told what is wrong with a call."""
    return f"Error: {wrong}"


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
