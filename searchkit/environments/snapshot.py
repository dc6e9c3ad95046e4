"""SnapshotEnvironment: search in a world whose state can be saved and restored."""

from __future__ import annotations

import copy as copying
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from searchkit.environments.episode import Episode
from searchkit.environments.live import LiveEnvironment
from searchkit.environments.pool import NEW, Copy, Seen, itself
from searchkit.errors import ConfigError


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """A snapshot, equal to itself alone: two that look alike may differ in what cannot be seen."""

    value: Any


def instead(live: Any, value: Any) -> Any:
    return value


@dataclass(frozen=True)
class SnapshotEnvironment(LiveEnvironment):
    """States hold a snapshot of a live environment; to come back to one, it is restored.

    snapshot: a live environment to a value. restore: brings a live environment into the state that a value describes;
    what it returns, if not None, is used from then on in its place. By default the live environment is the value: a
    plain Python object, which needs no `reset` then. Values are copied deeply on the way in and out, so that no step
    can change a state; give a snapshot of bytes, text and numbers where that is slow or impossible.

    For all other fields see `LiveEnvironment`. Cost of a step: one live step, one snapshot, and a restoration unless
    the live environment is still there.
    """

    snapshot: Callable[[Any], Any] = itself
    restore: Callable[[Any, Any], Any] = instead

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("snapshot", "restore"):
            if not callable(getattr(self, name)):
                raise ConfigError(f"{name} must be a callable, got {getattr(self, name)!r}")

    def _near(self, at: Any, state: Episode) -> int:
        return int(at is state.world)

    async def _begin(self, copy: Copy) -> Seen:
        """Reset; an object that cannot be reset is made anew."""
        if hasattr(copy.live, "reset"):
            return await copy.reset()
        if copy.at is not NEW:
            await copy.open()
        return await copy.look()

    async def _bring(self, copy: Copy, state: Episode) -> None:
        def become(live: Any) -> None:
            copy.become(copy.live if live is None else live)

        if copy.at is not state.world:
            copy.at = None
            await copy.call(lambda: self.restore(copy.live, _copied(state.world.value)), become)
            copy.at = state.world

    async def _place(self, copy: Copy, before: Episode | None, action: Any, seen: Seen) -> tuple[Any, Any]:
        saved = Saved(await copy.call(lambda: self.snapshot(copy.live), _copied))
        return saved, saved


def _copied(value: Any) -> Any:
    try:
        return copying.deepcopy(value)
    except Exception as error:
        raise ConfigError(
            f"a snapshot of type {type(value).__name__} cannot be copied ({type(error).__name__}: {error}): give "
            "snapshot= and restore= that turn the live environment into bytes, text or numbers and back"
        ) from error
