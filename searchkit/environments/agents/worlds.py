"""What each live agent has to itself: a world that is made for it and closed with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from searchkit.arguments import namespace, resolved
from searchkit.errors import ConfigError
from searchkit.function import Function, label

NAME = "world"
"""The parameter that a world is handed to where none declares its type."""


class Worlds:
    """The world of one agent. make: opens it; None: there is none."""

    def __init__(self, make: Callable[[], Any] | None) -> None:
        self._make, self._stack = make, AsyncExitStack()

    async def open(self, function: Function) -> dict[str, Any]:
        """The world, under the name of the parameter of `function` that takes it."""
        if self._make is None:
            return {}
        made = self._make()
        if inspect.isawaitable(made):
            made = await made
        if hasattr(made, "__aenter__"):
            world = await self._stack.enter_async_context(made)
        elif hasattr(made, "__enter__"):
            world = self._stack.enter_context(made)
        else:
            world = made
            if callable(close := getattr(made, "close", None)):
                self._stack.push_async_callback(_closed, close)
        return {parameter_for(function, world): world}

    async def close(self) -> None:
        await self._stack.aclose()


async def _closed(close: Callable[[], Any]) -> None:
    ended = close()
    if inspect.isawaitable(ended):
        await ended


def parameter_for(function: Function, world: Any) -> str:
    """The parameter of an agent that takes `world`: declared with its type, else called "world"."""
    fn = function.called or function.fn
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):
        parameters = {}  # type: ignore[assignment]
    names = namespace(fn)
    for name, parameter in parameters.items():
        annotation = resolved(parameter.annotation, names)
        plain = isinstance(annotation, type) and annotation not in (object, inspect.Parameter.empty, str)
        if plain and isinstance(world, annotation):
            return name
    if NAME in parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return NAME
    raise ConfigError(
        f"{label(fn)} has no parameter for its world: declare one with the type {type(world).__name__}, or one that is "
        f"called {NAME!r}"
    )
