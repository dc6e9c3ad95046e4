"""Answers of Anthropic's messages: written by a server, read by a client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from searchkit.types import Finish, Message, Params, Sample, Text, ToolCall
from searchkit.wire.charging import charged
from searchkit.wire.fields import mapping, objects, text
from searchkit.wire.tools import arguments_object, arguments_text
from searchkit.wire.usage import Counts, Price, for_message, of_message
from searchkit.wire.values import WireRequest

# Natural ends; every other reason (max_tokens, pause_turn, ...) leaves a text unfinished, which never votes.
FINISHES: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def render(
    request: WireRequest, samples: Sequence[Sample[Any]], counts: Counts, *, id: str, created: int
) -> dict[str, Any]:
    """The body of the answer: one sample. It has no place for `created`, nor for log-probabilities."""
    [sample] = samples
    reason, stop = _reason(sample)
    return {
        "id": f"msg_{id}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": _blocks(sample, id),
        "stop_reason": reason,
        "stop_sequence": stop,
        "usage": for_message(counts),
    }


def _reason(sample: Sample[Any]) -> tuple[str, str | None]:
    if sample.finish == "stop" and sample.message is not None and sample.message.tool_calls:
        return "tool_use", None  # a named tool, which other APIs say "stop" of
    if sample.finish == "stop" and sample.stop_reason:
        return "stop_sequence", sample.stop_reason
    named = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
    return named[sample.finish], None


def _blocks(sample: Sample[Any], id: str) -> list[dict[str, Any]]:
    said, found = sample.message, list[dict[str, Any]]()
    if said is not None and said.reasoning:  # nobody but Anthropic can sign it
        found.append({"type": "thinking", "thinking": said.reasoning, "signature": ""})
    if sample.text:
        found.append({"type": "text", "text": sample.text, "citations": None})
    for i, call in enumerate(said.tool_calls if said is not None else ()):
        given = arguments_object(call.arguments)
        found.append({"type": "tool_use", "id": call.id or f"toolu_{id}_{i}", "name": call.name, "input": given})
    return found


def read(answer: Any, params: Params, price: Price | None, prompt: int = 0, choices: int = 1) -> list[Sample[str]]:
    """The sample of an answer. Raises ValueError if it is none."""
    if not isinstance(answer, dict) or not isinstance(answer.get("content"), list):
        raise ValueError("it has no content")
    try:
        counts = of_message(answer)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"a field is missing or of another type: {error}") from error
    return charged([_sample(answer)], counts, params, price, prompt, choices)


def _sample(answer: Mapping[str, Any]) -> Sample[str]:
    texts, thoughts, calls = list[str](), list[str](), list[ToolCall]()
    for block in objects(answer["content"], "content"):
        kind = block.get("type")
        if kind == "text":
            texts.append(text(block.get("text"), "text"))
        elif kind == "thinking":
            thoughts.append(text(block.get("thinking"), "thinking"))
        elif kind == "tool_use":
            given = arguments_text(mapping(block.get("input"), "input"))
            calls.append(ToolCall(text(block.get("id"), "id"), text(block.get("name"), "name"), given))
    said, stop = "".join(texts), answer.get("stop_sequence")
    finish = FINISHES.get(str(answer.get("stop_reason")), "length")
    fired = stop if answer.get("stop_reason") == "stop_sequence" and isinstance(stop, str) else None
    message = Message("assistant", (Text(said),) if said else (), tuple(calls), None, "".join(thoughts))
    return Sample(said, message, finish, fired)
