"""Tools and models for the tests: what a script says, as chat models say it, and worlds that count what is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit import Model
from searchkit.calls import Request
from searchkit.types import Message, Params, Sample, Text, ToolCall, Usage

Said = str | list[tuple[str, Any]]


def answered(said: Said, ids: str = "id", finish: Any = None) -> Sample[str]:
    """An assistant's turn: a text, or calls as (name, arguments), which are JSON already if they are a text."""
    calls = ()
    if not isinstance(said, str):
        texts = [(name, given if isinstance(given, str) else json.dumps(given)) for name, given in said]
        calls = tuple(ToolCall(f"{ids}{i}", name, given) for i, (name, given) in enumerate(texts))
    text = said if isinstance(said, str) else ""
    finish = finish or ("tool_calls" if calls else "stop")
    usage = Usage(model_calls=1, prompt_tokens=1, generated_tokens=1)
    return Sample(text, Message("assistant", (Text(text),) if text else (), calls), finish, usage=usage)


@dataclass(frozen=True)
class Chat:
    """A backend whose answers are a function of the conversation and the seed."""

    reply: Callable[[tuple[Message, ...], int], Said]
    name: str = "chat"

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        found = []
        for request in requests:
            seed = request.seed if request.params.temperature else 0
            found.append(answered(self.reply(request.prompt.messages, seed), ids=f"r{request.seed}-"))
        return found


def model(reply: Callable[[tuple[Message, ...], int], Said]) -> Model:
    return Model(Chat(reply), Params(max_tokens=4))


def observed(messages: Sequence[Message]) -> list[str]:
    """What tools have said so far."""
    return [message.text for message in messages if message.role == "tool"]
