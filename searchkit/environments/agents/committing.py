"""What an agent does in the real world: done once, and only told to a search that is resumed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from searchkit import codec
from searchkit.calls import CallError
from searchkit.codec import Codec
from searchkit.environments.agents.live import LiveAgent
from searchkit.environments.agents.stable import Stable
from searchkit.environments.agents.state import AgentState, Crashed, differ
from searchkit.errors import ConfigError, StaleBranch, UncertainEffect
from searchkit.function import Function
from searchkit.protocols import Run
from searchkit.types import Sample

GONE = (
    "an earlier process carried out a part of this in the real world, and the agent that stood there is gone with it: "
    "another one would do that part again. Look at what was done, and go on from there by a search of its own"
)
UNSTORED = (
    "this was carried out by an earlier process, but what the agent returned could not be recorded ({}): give "
    "Function(agent, codec=...)"
)


async def carried_out(
    state: AgentState, stable: Stable, work: Callable[[LiveAgent], Awaitable[AgentState]], function: Function, run: Run
) -> AgentState:
    """`state` as `work` leaves it in the real world, or as an earlier process recorded that it did.

    Raises `UncertainEffect` where an earlier process began it and recorded no end, or did a part of what is to be done
    now. What failed with `StaleBranch` or `CallError` once fails so again; a world that did not open is tried again.
    """
    passing, after = None, None

    async def perform(child: Run) -> str:
        nonlocal passing, after
        if stable.gone in state.marks:
            return json.dumps({"gone": True})
        try:
            after = await stable.commit(state, False, work, child)
        except Exception as error:
            if not stable.acted:
                passing = error
                return json.dumps({"again": True})
            if not isinstance(error, StaleBranch | CallError):
                raise
            return json.dumps({"failed": str(error), "stale": isinstance(error, StaleBranch)})
        return json.dumps(_recorded(after, function))

    with run.child("commit", role="plan") as committing:
        while True:
            with committing.child("attempt") as attempt:
                told = json.loads(await committing.once("commit", partial(perform, attempt)))
            if passing is not None:  # just now; what an earlier process was told to try again is tried again here
                raise passing
            if not told.get("again"):
                break
    return after if after is not None else _told(state, told, stable, function)


def ended_with(value: Any, state: AgentState, *, worldly: bool) -> AgentState:
    """`state`, in which the committed agent returned `value`. Raises `StaleBranch` if that is another end.

    worldly: it has a world, of which the value may tell.
    """
    if isinstance(value, Crashed) and not state.crashed:
        raise StaleBranch(f"in the real world the agent did not end as in the search: {value.message}")
    if not worldly and differ(value, state.value):
        raise StaleBranch(
            "answered as in the search, the agent returned something else: what it returns must come from its "
            "task, its seed and what it was answered, not from a clock, chance or what other agents did"
        )
    return replace(state, value=value)


def _recorded(after: AgentState, function: Function) -> dict[str, Any]:
    """What a resumed search has to know of a commit."""
    if not after.ended:
        return {"ended": False}
    if isinstance(after.value, Crashed):
        return {"ended": True, "crashed": after.value.message}
    try:
        return {"ended": True, "value": codec.dump_sample(Sample(after.value), _codec(function))}
    except ConfigError as error:
        return {"ended": True, "unstored": str(error)}


def _told(state: AgentState, told: dict[str, Any], stable: Stable, function: Function) -> AgentState:
    """`state` as it was left by the process that recorded it."""
    if told.get("gone"):
        raise UncertainEffect(GONE)
    if "failed" in told:
        raise (StaleBranch if told["stale"] else CallError)(told["failed"])
    if "unstored" in told:
        raise UncertainEffect(UNSTORED.format(told["unstored"]))
    if "crashed" in told:
        return replace(state, value=Crashed(told["crashed"]))
    if told["ended"]:
        return replace(state, value=codec.load_sample(told["value"], _codec(function)).value)
    stable.gone = state.marks[-1]
    return state


def _codec(function: Function) -> Codec | None:
    """How values are stored; None where only JSON can be."""
    try:
        return function.stored
    except ConfigError:
        return None
