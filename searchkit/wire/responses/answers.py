"""Answers of the responses API: written by a server, read by a client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from searchkit.types import Finish, Message, Params, Sample, Text, Token, ToolCall
from searchkit.wire.charging import charged
from searchkit.wire.errors import Reported
from searchkit.wire.fields import objects, text
from searchkit.wire.logprobs import of_rows, rows
from searchkit.wire.usage import Counts, Price, for_response, of_response
from searchkit.wire.values import WireRequest

# What an answer repeats of its request, and what it says where the request does not.
ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
}
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def render(
    request: WireRequest, samples: Sequence[Sample[Any]], counts: Counts, *, id: str, created: int
) -> dict[str, Any]:
    """The body of the answer: one sample."""
    [sample] = samples
    reason = _REASONS.get(sample.finish)
    said = {key: request.body.get(key) for key in ECHOED}
    return {
        "id": f"resp_{id}",
        "object": "response",
        "created_at": float(created),
        "status": "incomplete" if reason else "completed",
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": request.model,
        "output": _output(sample, request, id),
        **{key: default if said[key] is None else said[key] for key, default in ECHOED.items()},
        "usage": for_response(counts),
    }


def _output(sample: Sample[Any], request: WireRequest, id: str) -> list[dict[str, Any]]:
    said, found = sample.message, list[dict[str, Any]]()
    status = "incomplete" if sample.finish in _REASONS else "completed"
    if said is not None and said.reasoning:
        thought = [{"type": "reasoning_text", "text": said.reasoning}]
        found.append({"id": f"rs_{id}", "type": "reasoning", "summary": [], "content": thought})
    calls = said.tool_calls if said is not None else ()
    if sample.text or not calls:
        listed = rows(sample.logprobs) if request.params.logprobs is not None else None
        part = {"type": "output_text", "text": sample.text, "annotations": [], "logprobs": listed or []}
        message = {"id": f"msg_{id}", "type": "message", "role": "assistant", "status": status}
        found.append({**message, "content": [part]})
    for i, call in enumerate(calls):
        named = {"call_id": call.id or f"call_{id}_{i}", "name": call.name, "arguments": call.arguments}
        found.append({"id": f"fc_{id}_{i}", "type": "function_call", "status": status, **named})
    return found


def read(answer: Any, params: Params, price: Price | None, prompt: int = 0, choices: int = 1) -> list[Sample[str]]:
    """The sample of an answer. Raises ValueError if it is none, or not finished; `Reported` if it failed."""
    if not isinstance(answer, dict) or not isinstance(answer.get("output"), list):
        raise ValueError("it has no output")
    if answer.get("status") in ("failed", "cancelled"):
        raise Reported(f"the response is {answer['status']}")
    if answer.get("status") in ("queued", "in_progress"):
        raise ValueError(f"the response is not finished: {answer['status']}")
    try:
        counts, drawn = of_response(answer), _sample(answer)
    except (KeyError, TypeError, AttributeError, OverflowError) as wrong:
        raise ValueError(f"a field is missing or of another type: {wrong}") from wrong
    return charged([drawn], counts, params, price, prompt, choices)


def _sample(answer: Mapping[str, Any]) -> Sample[str]:
    texts, thoughts, calls, drawn, refused = list[str](), list[str](), list[ToolCall](), list[Token](), False
    for item in objects(answer["output"], "output"):
        if item.get("type") == "message":
            for part in objects(item.get("content") or [], "content"):
                refused |= part.get("type") == "refusal"
                texts.append(text(part.get("refusal" if part.get("type") == "refusal" else "text"), "text"))
                drawn += of_rows(part.get("logprobs") or ())
        elif item.get("type") == "function_call":
            calls.append(ToolCall(*(text(item.get(key), key) for key in ("call_id", "name", "arguments"))))
        elif item.get("type") == "reasoning":
            said = [*(item.get("summary") or ()), *(item.get("content") or ())]
            thoughts += [text(part.get("text"), "reasoning") for part in objects(said, "reasoning")]
    finish = "content_filter" if refused else _finish(answer, bool(calls))
    whole = "".join(texts)
    message = Message("assistant", (Text(whole),) if whole else (), tuple(calls), None, "".join(thoughts))
    return Sample(whole, message, finish, None, logprobs=tuple(drawn) or None)


def _finish(answer: Mapping[str, Any], calls: bool) -> Finish:
    """A status that says nothing of an end leaves the text unfinished, so that it never votes."""
    if answer.get("status") == "completed":
        return "tool_calls" if calls else "stop"
    reason = (answer.get("incomplete_details") or {}).get("reason")
    return "content_filter" if reason == "content_filter" else "length"
