"""Episode: what happened so far in a world of actions and observations, as a value."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from searchkit.calls import CallError
from searchkit.errors import ConfigError
from searchkit.tool_calls import in_words, meant
from searchkit.types import Message, Prompt, Sample, StepSpan, Text


@dataclass(frozen=True, slots=True)
class Episode:
    """A state of an environment that is acted upon.

    prompt: the task. actions: what was done; observations: what was seen, as texts, one more than actions, since the
    first was seen before any. answer: what this state is worth as an answer. reward, ended: the environment's own
    judgement, and whether the episode is over. legal: all legal actions, None if nobody listed them. world: what brings
    the environment back here.
    """

    prompt: Prompt
    observations: tuple[str, ...]
    actions: tuple[Any, ...] = ()
    answer: Any = ()
    reward: float | None = None
    ended: bool = False
    legal: tuple[Any, ...] | None = None
    world: Any = field(default=None, repr=False)


class Conversation(Protocol):
    """What a model is asked in a state. A class: type checkers take a plain callable in a field for a method."""

    def __call__(self, state: Episode, /) -> Prompt: ...


def conversation(state: Episode) -> Prompt:
    """The task and the first observation as the user's turn, then each action as the model's and what it led to.

    Turns alternate, as many chat templates demand.
    """
    messages, first = state.prompt.messages, state.observations[0]
    if first and messages[-1].role == "user":
        messages = (*messages[:-1], replace(messages[-1], parts=(*messages[-1].parts, Text("\n\n" + first))))
    elif first:
        messages = (*messages, Message("user", (Text(first),)))
    turns = (
        turn
        for action, seen in zip(state.actions, state.observations[1:], strict=True)
        for turn in (Message("assistant", (Text(in_words(action)),)), Message("user", (Text(seen),)))
    )
    return replace(state.prompt, messages=(*messages, *turns))


def plain(action: Sample[Any]) -> Any:
    """The action that a sample names: the call in it, else its value, if a text without the blanks around it."""
    done = meant(action)
    return done.strip() if isinstance(done, str) else done


def told(state: Episode) -> Sample[Any]:
    """The state as a sample: its value is the answer, its text is the answer or else the story, an action a step."""
    if isinstance(state.answer, str):
        return Sample(state.answer, Message("assistant", (Text(state.answer),)))
    text, pieces = "", list[StepSpan]()
    for action, seen in zip(state.actions, state.observations[1:], strict=True):
        turn = f"{in_words(action)}\n{seen}\n"
        pieces.append(StepSpan(len(text), len(text) + len(turn)))
        text += turn
    return Sample(state.answer, Message("assistant", (Text(text),)), step_spans=tuple(pieces))


def outcome(
    told: Any, who: str, what: str = "(observation, reward or None, terminal)"
) -> tuple[Any, float | None, bool]:
    """What an action brought, checked: an observation, a reward if there is one, and whether the episode is over."""
    try:
        observation, reward, terminal = told
        reward = None if reward is None else float(reward)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{who} must return {what}, got {told!r:.80}") from error
    if reward is not None and math.isnan(reward):
        raise CallError(f"the reward that {who} returned is NaN: return None where there is none")
    return observation, reward, bool(terminal)
