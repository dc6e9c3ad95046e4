"""Answers of chat completions, written by a server. `searchkit.wire.choices` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from searchkit.types import Sample
from searchkit.wire.logprobs import rows
from searchkit.wire.usage import Counts, for_choices
from searchkit.wire.values import WireRequest


def render(
    request: WireRequest, samples: Sequence[Sample[Any]], counts: Counts, *, id: str, created: int
) -> dict[str, Any]:
    """The body of the answer, a choice a sample."""
    return {
        "id": f"chatcmpl-{id}",
        "object": "chat.completion",
        "created": created,
        "model": request.model,
        "choices": [_choice(sample, i, request, id) for i, sample in enumerate(samples)],
        "usage": for_choices(counts),
    }


def stopped(sample: Sample[Any]) -> dict[str, str]:
    """The stop string that fired, as vLLM says it: the OpenAI API does not."""
    return {"stop_reason": sample.stop_reason} if sample.finish == "stop" and sample.stop_reason else {}


def _choice(sample: Sample[Any], index: int, request: WireRequest, id: str) -> dict[str, Any]:
    listed = rows(sample.logprobs) if request.params.logprobs is not None else None
    return {
        "index": index,
        "message": _message(sample, f"call_{id}_{index}"),
        "logprobs": None if listed is None else {"content": listed},
        "finish_reason": sample.finish,
        **stopped(sample),
    }


def _message(sample: Sample[Any], id: str) -> dict[str, Any]:
    said = sample.message
    calls = said.tool_calls if said is not None else ()
    message: dict[str, Any] = {"role": "assistant", "content": sample.text if sample.text or not calls else None}
    message["refusal"] = None
    if said is not None and said.reasoning:
        message["reasoning_content"] = said.reasoning
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id or f"{id}_{i}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for i, call in enumerate(calls)
        ]
    return message
