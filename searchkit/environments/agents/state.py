"""Where an agent stands, as a value: what it was answered, and what it asks now or came to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from searchkit import codec
from searchkit.environments.pool import digest
from searchkit.errors import ConfigError
from searchkit.tool_calls import label
from searchkit.types import Finish, Message, Prompt, Sample, StepSpan, Text
from searchkit.wire.values import WireRequest

ADDRESS = re.compile("0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Crashed:
    """The value of an agent that raised, or did not go on in time."""

    message: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A model call that an agent waits for. place: what it asks, and how often the agent asked that before."""

    place: bytes
    request: WireRequest
    url: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A model call, what it was answered, and what came of that: the results of tools, or the agent's return value."""

    asked: Pending
    action: Sample[Any]
    seen: str


@dataclass(frozen=True, slots=True)
class AgentState:
    """A state of `AgentSteps`.

    - prompt, seed: what the agent was called with.
    - turns: what it was answered so far.
    - pending: the call that it waits for; None once it has ended.
    - value: what it returned, `Crashed` if it raised; None before.
    - asides: what its tools under `once` said, by place.
    - marks: a digest of each state on the way here, this one last.
    - answer: the value of this state as an answer.
    """

    prompt: Prompt
    seed: int
    turns: tuple[Turn, ...] = ()
    pending: Pending | None = None
    value: Any = None
    asides: Mapping[bytes, str] = field(default_factory=dict, repr=False)
    marks: tuple[bytes, ...] = field(default=(), repr=False)
    answer: Any = None

    @property
    def ended(self) -> bool:
        return self.pending is None

    @property
    def crashed(self) -> bool:
        return isinstance(self.value, Crashed)

    @property
    def replies(self) -> dict[bytes, Sample[Any]]:
        """What the agent is answered, by place."""
        return {turn.asked.place: turn.action for turn in self.turns}


def marked(before: AgentState | None, action: Sample[Any] | None, pending: Pending | None) -> tuple[bytes, ...]:
    """The marks of the state that `action` leads to. Ids of calls count: agents show them to their models again."""
    place = b"" if pending is None else pending.place
    if before is None or action is None:
        return (digest(place),)
    return (*before.marks, digest(before.marks[-1], codec.content_of(action), place))


def differ(value: Any, other: Any) -> bool:
    """Whether two values that agents returned say something else, as far as they say anything: by what would be stored
    of them, else by their type and their `repr`, without addresses."""
    try:
        return codec.dump_sample(Sample(value)) != codec.dump_sample(Sample(other))
    except ConfigError:
        return type(value) is not type(other) or _shown(repr, value) != _shown(repr, other)


def words(value: Any) -> str:
    """What an agent's value says."""
    if isinstance(value, Crashed):
        return value.message
    return str.__str__(value) if isinstance(value, str) else _shown(str, value)


def _shown(show: Callable[[Any], str], value: Any) -> str:
    """What `show` says of a value, without addresses; of one that cannot be shown its type."""
    try:
        return ADDRESS.sub("", show(value))
    except Exception as error:
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def seen_between(before: Pending | None, after: Pending) -> str:
    """What a request says that the one before did not: what tools returned, what a user said."""
    messages = after.request.prompt.messages
    known = before.request.prompt.messages if before is not None else ()
    new = messages[len(known) :] if messages[: len(known)] == known else messages[-1:]
    return "\n".join(message.text for message in new if message.role != "assistant" and message.text)


def story(state: AgentState) -> tuple[str, tuple[StepSpan, ...]]:
    """What was answered and what came of it, turn by turn, and where each stands."""
    text, spans = "", list[StepSpan]()
    for turn in state.turns:
        said = f"{label(turn.action)}\n{turn.seen}\n" if turn.seen else f"{label(turn.action)}\n"
        spans.append(StepSpan(len(text), len(text) + len(said)))
        text += said
    return text, tuple(spans)


def told(state: AgentState) -> Sample[Any]:
    """The state as a sample: what the agent returned, or the story so far. One that crashed counts as cut off."""
    if isinstance(state.answer, str):
        return Sample(state.answer, Message("assistant", (Text(state.answer),)))
    text, spans = story(state)
    finish: Finish = "length" if state.crashed else "stop"
    return Sample(state.answer, Message("assistant", (Text(text),)), finish, step_spans=spans)
