"""What a call was asked and what it answered, as the conventions write messages: JSON in an attribute.

https://github.com/open-telemetry/semantic-conventions-genai/blob/v0.1.0/docs/gen-ai/gen-ai-input-messages.json and
gen-ai-output-messages.json beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from searchkit.events import Asked, Ended
from searchkit.telemetry.attributes import FINISHES, Said, Secrets
from searchkit.types import Image, Message, Prompt, Sample

LONGEST, MOST = 4096, 64  # characters of a part; messages, the last ones


def asked(event: Asked, secrets: Secrets) -> Said:
    """What was asked."""
    if event.what == "tool":
        return {}
    if isinstance(event.prompt, Prompt):
        messages = [_message(one, secrets) for one in event.prompt.messages[-MOST:]]
        if event.prompt.prefix:
            messages.append(_said("assistant", event.prompt.prefix, secrets))
    else:
        messages = list(_relayed(event.request, secrets))
    return {"gen_ai.input.messages": json.dumps(messages)}


def answered(event: Ended, asked: Asked | None, answer: Sample[Any] | None, secrets: Secrets) -> Said:
    """What came of it; of what is no answer of a model or an agent, the text in the trace."""
    text = _cut(event.text, secrets)
    if asked is not None and asked.what == "tool":
        return {"gen_ai.tool.call.result": text}
    if asked is None or answer is None:
        return {"searchkit.text": text} if text else {}
    told = _said("assistant", event.text if asked.request else _text(answer), secrets)
    if answer.message is not None and not asked.request:
        told = _message(answer.message, secrets)
    return {
        "gen_ai.output.messages": json.dumps([{**told, "finish_reason": FINISHES.get(answer.finish, answer.finish)}])
    }


def _text(sample: Sample[Any]) -> str:
    """An agent's value may not even be printable."""
    try:
        return sample.text
    except Exception as error:
        return f"<{type(sample.value).__name__} that cannot be shown: {type(error).__name__}>"


def _said(role: str, text: str, secrets: Secrets) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": secrets.out_of(text, LONGEST)}]}


def _message(message: Message, secrets: Secrets) -> dict[str, Any]:
    if message.role == "tool":
        part = {"type": "tool_call_response", "id": message.tool_call_id, "response": _cut(message.text, secrets)}
        return {"role": "tool", "parts": [part]}
    parts: list[dict[str, Any]] = []
    if message.reasoning:
        parts.append({"type": "reasoning", "content": _cut(message.reasoning, secrets)})
    for one in message.parts:
        if isinstance(one, Image):
            parts.append({"type": "uri", "modality": "image", "uri": _cut(one.url, secrets)})
        else:
            parts.append({"type": "text", "content": _cut(one.text, secrets)})
    for call in message.tool_calls:
        told = {"id": _cut(call.id, secrets), "name": _cut(call.name, secrets)}
        parts.append({"type": "tool_call", **told, "arguments": _cut(call.arguments, secrets)})
    return {"role": message.role, "parts": parts}


def _cut(text: str, secrets: Secrets) -> str:
    return secrets.out_of(text, LONGEST)


def _relayed(request: str, secrets: Secrets) -> Iterator[dict[str, Any]]:
    """The messages of a request that an agent made by itself; what is no text stands as the JSON that it is."""
    if not request.startswith("["):
        yield _said("user", request, secrets)
        return
    _, body = json.loads(request)
    said = next((body[key] for key in ("messages", "input", "prompt") if key in body), "")
    for one in said[-MOST:] if isinstance(said, list) else [said]:
        role, told = ("user", one) if not isinstance(one, Mapping) else (one.get("role"), one.get("content", one))
        yield _said(
            role if isinstance(role, str) else "user", told if isinstance(told, str) else json.dumps(told), secrets
        )
