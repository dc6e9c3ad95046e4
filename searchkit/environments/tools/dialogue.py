"""Dialogue: a conversation of a model with its tools, as a value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from searchkit.environments.tools.signature import NAME
from searchkit.tool_calls import LONGEST, parsed, written
from searchkit.types import Finish, Message, Prompt, StepSpan, Text, ToolCall

INVALID = "INVALID_JSON"  # the key under which arguments stand that are no JSON object: servers refuse to be sent such


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model said, and what was observed of each call in it, in their order.

    written: calls that stand in its text, where there are none beside it.
    """

    message: Message
    observations: tuple[str, ...] = ()
    written: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """An irreversible call that was not done: where its observation stands, and what was asked for."""

    turn: int
    place: int
    asked: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A state of a `ToolEnvironment`.

    prompt: the task, with the tools. turns: what was said and observed since. worlds: where each world of the branch
    is, the environment's own first. pending: what is put off. ended: nothing follows. finish: "length" where that is
    no answer: cut off, or out of turns. answer: what the state is worth as an answer.
    """

    prompt: Prompt
    turns: tuple[Turn, ...] = ()
    worlds: tuple[Any, ...] = field(default=(), repr=False)
    pending: tuple[Pending, ...] = ()
    ended: bool = False
    finish: Finish = "stop"
    answer: Any = ""

    @property
    def said(self) -> str:
        """The model's last words to the user; "" where it has not come to an end."""
        return self.turns[-1].message.text if self.ended and self.turns and not self.turns[-1].observations else ""

    def messages(self) -> tuple[Message, ...]:
        """The whole conversation: after each turn with calls a tool's message for each, in their order.

        After one whose calls stand in its text, what was observed is the user's turn.
        """
        return (*self.prompt.messages, *(message for turn in self.turns for message in _messages(turn)))

    def story(self) -> tuple[str, tuple[StepSpan, ...]]:
        """What was said, called and observed, as a text with a step for each turn."""
        text, steps = "", list[StepSpan]()
        for turn in self.turns:
            told = "".join(f"{line}\n" for line in _lines(turn))
            steps.append(StepSpan(len(text), len(text) + len(told)))
            text += told
        return text, tuple(steps)

    def observed(self, at: Pending, observation: str) -> Dialogue:
        """The same dialogue with another observation of one call."""
        turn = self.turns[at.turn]
        seen = (*turn.observations[: at.place], observation, *turn.observations[at.place + 1 :])
        turns = (*self.turns[: at.turn], replace(turn, observations=seen), *self.turns[at.turn + 1 :])
        return replace(self, turns=turns)


def _messages(turn: Turn) -> Iterator[Message]:
    yield turn.message
    if turn.written:
        yield Message("user", (Text("\n".join(turn.observations)),))
        return
    for call, seen in zip(turn.message.tool_calls, turn.observations, strict=True):
        yield Message("tool", (Text(seen),), tool_call_id=call.id)


def _lines(turn: Turn) -> Iterator[str]:
    if turn.message.text.strip():
        yield turn.message.text
    if turn.written:
        yield from turn.observations
        return
    for call, seen in zip(turn.message.tool_calls, turn.observations, strict=True):
        yield written((call,))
        yield seen


def placed(call: ToolCall, turn: int, place: int) -> ToolCall:
    """A call as it stands in the history: its id by its place, and nothing in it that a server would refuse.

    Nine letters and digits make an id, as some servers want it. A server that takes apart the arguments, for its chat
    template say, fails on what is no JSON object: such a text becomes a value in one.
    """
    name = call.name if NAME.fullmatch(call.name) else re.sub(r"[^a-zA-Z0-9_-]", "_", call.name)[:64] or "unnamed"
    return ToolCall(f"call{turn % 1000:03d}{place % 100:02d}", name, _arguments(call.arguments))


def _arguments(text: str) -> str:
    try:
        if isinstance(parsed(text), dict):
            return text if text.strip() else "{}"
    except ValueError:
        pass
    return json.dumps({INVALID: text[:LONGEST]})


def cut(text: str, longest: int) -> str:
    """`text` as it is, or of a longer one the first and the last characters, `longest` together, and what is left out.

    What no UTF-8 can hold becomes a question mark.

    >>> print(cut("abcdefgh", 4))
    ab
    [4 of 8 characters left out]
    gh
    """
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= longest:
        return text
    head, tail = longest - longest // 2, longest // 2
    note = f"\n[{len(text) - longest:,} of {len(text):,} characters left out]\n"
    return text[:head] + note + (text[-tail:] if tail else "")
