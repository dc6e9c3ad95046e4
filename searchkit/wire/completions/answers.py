"""Answers of completions, written by a server. `searchkit.wire.choices` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from searchkit.types import Sample
from searchkit.wire.chat.answers import stopped
from searchkit.wire.logprobs import columns
from searchkit.wire.usage import Counts, for_choices
from searchkit.wire.values import WireRequest


def render(
    request: WireRequest, samples: Sequence[Sample[Any]], counts: Counts, *, id: str, created: int
) -> dict[str, Any]:
    """The body of the answer, a choice a sample. Tool calls and reasoning have no place in it."""
    return {
        "id": f"cmpl-{id}",
        "object": "text_completion",
        "created": created,
        "model": request.model,
        "choices": [
            {
                "index": i,
                "text": sample.text,
                "logprobs": columns(sample.logprobs) if request.params.logprobs is not None else None,
                "finish_reason": "stop" if sample.finish == "tool_calls" else sample.finish,
                **stopped(sample),
            }
            for i, sample in enumerate(samples)
        ],
        "usage": for_choices(counts),
    }
