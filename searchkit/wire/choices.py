"""Answers of chat and completions, read: one sample a choice. Both routes at once, as servers mix their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from searchkit.types import Finish, Message, Params, Sample, Text, ToolCall
from searchkit.wire.charging import charged
from searchkit.wire.fields import read_answer
from searchkit.wire.logprobs import text_of as _text
from searchkit.wire.logprobs import tokens
from searchkit.wire.usage import Price, of_choices

FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def samples(raw: bytes, params: Params, price: Price | None, prompt: int = 0) -> list[Sample[str]]:
    """The samples of an answer, one a choice, by index. Raises ValueError if it is not a completion."""
    return read(read_answer(raw), params, price, prompt)


def read(answer: Any, params: Params, price: Price | None, prompt: int = 0, choices: int = 1) -> list[Sample[str]]:
    """The samples of an answer that is parsed already; see `charged` for what they cost."""
    found = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(found, list) or not found:
        raise ValueError("it has no choices")
    try:
        drawn = [_sample(choice, params) for choice in sorted(found, key=lambda c: c.get("index", 0))]
        counts = of_choices(answer)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a field is missing or of another type: {error}") from error
    return charged(drawn, counts, params, price, prompt, choices)


def fired(choice: Mapping[str, Any]) -> str | None:
    """The stop string that the server names as the one that ended the text; None if it names none."""
    named = choice.get("stop_reason", choice.get("matched_stop"))
    return named if isinstance(named, str) else None  # a number is the id of a stop token


def text_of(choice: Mapping[str, Any]) -> str:
    """The visible text of a choice, of either route."""
    content = choice["message"].get("content") if "message" in choice else choice["text"]
    if isinstance(content, list):
        return "".join(_text(part["text"]) for part in content if part.get("type") == "text")
    return _text(content or "")


def _sample(choice: Mapping[str, Any], params: Params) -> Sample[str]:
    message = choice.get("message") or {}
    called = [(c.get("id") or "", c["function"]) for c in message.get("tool_calls") or ()]
    if message.get("function_call"):  # the older spelling, which has no ids
        called.append(("", message["function_call"]))
    calls = tuple(ToolCall(_text(id), _text(f["name"]), _text(f["arguments"])) for id, f in called)
    reasoning = _text(message.get("reasoning_content") or message.get("reasoning") or "")
    text, reason, stop = text_of(choice), choice.get("finish_reason"), None
    if reason in ("abort", "error"):
        raise ValueError(f'the server gave up on it (finish_reason "{reason}")')
    finish = FINISHES.get(reason or "stop", "stop")
    if finish == "stop" and params.stop:
        # Generation ends where a stop string appears, so a text that ends with one was ended by it.
        kept = max((s for s in params.stop if text.endswith(s)), key=len, default=None)
        stop = named if (named := fired(choice)) in params.stop else kept
        text = text.removesuffix(stop or "")
    said = Message("assistant", (Text(text),) if text else (), calls, None, reasoning)
    return Sample(text, said, finish, stop, logprobs=tokens(choice.get("logprobs")))
