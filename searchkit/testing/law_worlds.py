"""Small worlds for the laws: drafts of which each is an answer, and actions that are tool calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit.calls import CallError, Request
from searchkit.protocols import Run, Selector
from searchkit.tool_calls import label
from searchkit.types import (
    Choice,
    Message,
    Params,
    Problem,
    Prompt,
    Sample,
    Scored,
    ToolCall,
    Transition,
    Usage,
    Verdict,
)

State = tuple[str, ...]
ACT = "What do you do next?"
LEVELS = (0.2, 0.8, 0.5, 0.4)  # what drafts are worth, one after the other: the best is neither first nor last
WORTH = {f"draft {level + 1}{'abc'[i]}": score + i / 100 for level, score in enumerate(LEVELS) for i in range(3)}


@dataclass(frozen=True)
class Drafting:
    """Each state is a draft, and so an answer; the environment lists the next ones. log: what happened, in order.

    ends: the fourth draft ends the episode; else it goes on, but there is nothing left to do.
    """

    ends: bool = True
    log: list[float | None] = field(default_factory=list, compare=False, repr=False)

    async def start(self, prompt: Prompt, run: Run) -> State:
        return ()

    def prompt(self, state: State) -> Prompt:
        return Prompt.of("\n".join(("write drafts", *state)))

    def step_params(self, run: Run) -> Params | None:
        return run.params or Params()

    def actions(self, state: State) -> list[str]:
        """The three drafts of the next level. That it was asked is noted as None."""
        self.log.append(None)
        return list(WORTH)[3 * len(state) : 3 * len(state) + 3]

    async def step(self, state: State, action: Sample[Any], run: Run) -> Transition[State]:
        await _pause()
        after = (*state, action.text)
        return Transition(after, terminal=self.ends and len(after) == len(LEVELS))

    def candidate(self, state: State) -> Sample[str]:
        return Sample(state[-1] if state else "")

    def complete(self, state: State) -> bool:
        return bool(state)


@dataclass(frozen=True)
class Marks:
    """The verifier that knows what drafts are worth, and notes the score of each."""

    log: list[float | None] = field(default_factory=list, compare=False, repr=False)
    key: str = "marks"
    range: tuple[float, float] = (0.0, 1.0)
    joint: bool = False

    def bind(self, problem: Problem) -> Marks:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        await _pause()
        scores = [WORTH.get(sample.text, 0.0) for sample in samples]
        self.log.extend(scores)
        return [Verdict(score) for score in scores]


async def _pause() -> None:
    """Let everything that is in flight get as far."""
    for _ in range(8):
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Listening:
    """A selector that keeps what it was given to choose from, the last time."""

    selector: Selector
    heard: list[Scored] = field(default_factory=list, compare=False, repr=False)

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        self.heard[:] = scored
        return await self.selector.select(prompt, scored, run)


@dataclass(frozen=True)
class Acting:
    """Two actions, whatever they are, make an episode; its states know them by their labels."""

    async def start(self, prompt: Prompt, run: Run) -> State:
        return ()

    def prompt(self, state: State) -> Prompt:
        return Prompt.of("\n".join((ACT, *state)))

    def step_params(self, run: Run) -> Params | None:
        return run.params or Params()

    async def step(self, state: State, action: Sample[Any], run: Run) -> Transition[State]:
        after = (*state, label(action))
        return Transition(after, terminal=len(after) == 2)

    def candidate(self, state: State) -> Sample[str]:
        return Sample("\n".join(state))


@dataclass(frozen=True)
class Caller:
    """A backend that makes one of three tool calls, by the seed, each under an id of its own and laid out in two ways.

    speaks: it says in a text what it would call, as it does wherever it is asked for something else than an action.
    """

    speaks: bool
    name: str = "caller"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        return [self._one(request.seed, self.speaks or ACT not in request.prompt.text) for request in requests]

    def _one(self, seed: int, speaks: bool) -> Sample[str]:
        room, other = seed % 3 + 1, seed // 3 % 2
        arguments = f'{{"room":{room}, "floor":0}}' if other else f'{{"floor": 0, "room": {room}}}'
        usage = Usage(model_calls=1, prompt_tokens=1, generated_tokens=2)
        if speaks:
            return Sample(f'look({{"floor": 0, "room": {room}}})', None, "tool_calls", usage=usage)
        message = Message("assistant", (), (ToolCall(f"call-{seed}", "look", arguments),))
        return Sample("", message, "tool_calls", usage=usage)
