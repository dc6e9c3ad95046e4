"""What brings tools to a branch's world: the work that an environment inside does is a tool's call, as JSON text."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from searchkit.environments.folder import FolderEnvironment
from searchkit.environments.git import GitEnvironment
from searchkit.environments.live import LiveEnvironment
from searchkit.environments.replay import ReplayEnvironment
from searchkit.environments.snapshot import SnapshotEnvironment
from searchkit.environments.tools.tool import Effect, Failed, Tool
from searchkit.errors import ConfigError
from searchkit.kinds import told
from searchkit.types import ToolCall

FILES = (FolderEnvironment, GitEnvironment)
World = LiveEnvironment | FolderEnvironment | GitEnvironment


def action_of(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as what is done in a world: equal calls are equal texts."""
    return json.dumps({"tool": name, "arguments": arguments}, sort_keys=True)


def call_of(action: str) -> tuple[str, dict[str, Any]]:
    """The name and the arguments in an action; inverse to `action_of`."""
    read = json.loads(action)
    return read["tool"], read["arguments"]


def as_call(action: str) -> ToolCall:
    """An action as the call that it is, without an id."""
    name, arguments = call_of(action)
    return ToolCall("", name, json.dumps(arguments, sort_keys=True))


@dataclass(frozen=True)
class Toolbox:
    """Does an action with one of these tools: in a folder, as `act` of an environment of files.

    That a pure call failed is an observation: the world is as it was. Any other that fails leaves it nobody knows how,
    and raises `Failed`, so that it is given up.
    """

    tools: Mapping[str, Tool]

    def __call__(self, world: Any, action: str) -> str | Awaitable[str]:
        name, arguments = call_of(action)
        tool = self.tools[name]
        try:
            seen = tool.perform(tool.form.read(arguments), world)
        except Failed as failed:
            return said(failed, tool.name, tool.effect)
        return seen if isinstance(seen, str) else self._awaited(seen, tool)

    async def _awaited(self, seen: Awaitable[str], tool: Tool) -> str:
        try:
            return await seen
        except Failed as failed:
            return said(failed, tool.name, tool.effect)


def said(failed: Failed, name: str, effect: Effect) -> str:
    """What is seen of a pure call that failed; raises it for any other."""
    if effect != "pure":
        raise failed
    return failed.of(name)


class Bench:
    """A live environment: the world that `make` makes, with the tools that work in it."""

    def __init__(self, make: Callable[[], Any], toolbox: Toolbox) -> None:
        self._make, self._toolbox = make, toolbox
        self.world: Any = None

    def reset(self) -> Any:
        """A new world; the one before is closed."""
        closing = self.close()
        if inspect.isawaitable(closing):
            return self._renewed(closing)
        return self._entered(self._make())

    async def _renewed(self, closing: Awaitable[Any]) -> str:
        await closing
        entered = self._entered(self._make())
        return entered if isinstance(entered, str) else await entered

    def _entered(self, made: Any) -> Any:
        if inspect.isawaitable(made):
            return self._awaited(made)
        self.world = made
        return ""

    async def _awaited(self, made: Awaitable[Any]) -> str:
        self.world = await made
        return ""

    def step(self, action: str) -> Any:
        seen = self._toolbox(self.world, action)
        return (seen, None, False) if isinstance(seen, str) else self._seen(seen)

    async def _seen(self, seen: Awaitable[str]) -> tuple[str, None, bool]:
        return await seen, None, False

    def close(self) -> Any:
        world, self.world = self.world, None
        close = getattr(world, "close", None)
        return close() if callable(close) else None


def furnished(world: Any, tools: Mapping[str, Tool], seconds: float) -> World:
    """`world` with tools that work in it, each call bound by so many seconds. Raises `ConfigError` for what is none."""
    toolbox = Toolbox(tools)
    if isinstance(world, FILES):
        if world.act is not None:
            raise ConfigError(
                f"the world of tools is changed by them alone: leave out act= of {type(world).__name__}(...), and make "
                "a tool of it"
            )
        return replace(world, act=toolbox, seconds=seconds)
    if isinstance(world, SnapshotEnvironment):
        own = world
        return replace(
            own, make=_Opened(own.make, toolbox), snapshot=_Saved(own.snapshot), restore=_Restored(own.restore),
            seconds=seconds,
        )  # fmt: skip
    if isinstance(world, ReplayEnvironment):
        return replace(world, make=_Opened(world.make, toolbox), seconds=seconds)
    if callable(world):
        return ReplayEnvironment(_Opened(world, toolbox), seconds=seconds)
    raise ConfigError(
        "world is a function that makes one, or a FolderEnvironment, GitEnvironment, SnapshotEnvironment or "
        f"ReplayEnvironment, got {told(world)}"
    )


@dataclass(frozen=True)
class _Opened:
    make: Callable[[], Any]
    toolbox: Toolbox

    def __call__(self) -> Bench:
        return Bench(self.make, self.toolbox)


@dataclass(frozen=True)
class _Saved:
    snapshot: Callable[[Any], Any]

    def __call__(self, bench: Bench) -> Any:
        return self.snapshot(bench.world)


@dataclass(frozen=True)
class _Restored:
    restore: Callable[[Any, Any], Any]

    def __call__(self, bench: Bench, saved: Any) -> None:
        """May be async; what it returns, if not None, is the world from then on."""
        made: Any = self.restore(bench.world, saved)
        if inspect.isawaitable(made):
            return self._awaited(bench, made)  # type: ignore[return-value]
        bench.world = bench.world if made is None else made
        return None

    async def _awaited(self, bench: Bench, made: Awaitable[Any]) -> None:
        new = await made
        bench.world = bench.world if new is None else new


def is_files(world: World | None) -> bool:
    """Whether what is in the world is files, so that any state of it is an answer."""
    return isinstance(world, FILES)
