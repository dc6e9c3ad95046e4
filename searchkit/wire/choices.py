"""Answers of chat and completions, read: one sample a choice. Both routes at once, as servers mix their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from searchkit.types import Finish, Message, Params, Sample, Text, ToolCall, Usage
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


def samples(raw: bytes, params: Params, price: Price | None) -> list[Sample[str]]:
    """The samples of an answer, one a choice, by index. Raises ValueError if it is not a completion."""
    return read(read_answer(raw), params, price)


def read(answer: Any, params: Params, price: Price | None) -> list[Sample[str]]:
    """The samples of an answer that is parsed already.

    The first sample carries the call and the prompt; generated tokens are the server's sum, split over the choices by
    their log-probability rows if there are any, else evenly.
    """
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not choices:
        raise ValueError("it has no choices")
    try:
        drawn = [_sample(choice, params) for choice in sorted(choices, key=lambda c: c.get("index", 0))]
        counts = of_choices(answer)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a field is missing or of another type: {error}") from error
    shares = _shares(drawn, counts.generated, params.max_tokens)
    unreported = counts.generated is None
    return [
        charged(
            sample, counts.prompt if i == 0 else 0, counts.cached if i == 0 else 0, share, unreported, price, i == 0
        )
        for i, (sample, share) in enumerate(zip(drawn, shares, strict=True))
    ]


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
    calls = tuple(
        ToolCall(_text(c.get("id") or ""), _text(c["function"]["name"]), _text(c["function"]["arguments"]))
        for c in message.get("tool_calls") or ()
    )
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


def _shares(drawn: list[Sample[str]], total: int | None, most: int | None) -> list[int]:
    rows = [None if s.logprobs is None else len(s.logprobs) for s in drawn]
    counted = [n for n in rows if n is not None]
    if total is None:
        return counted if len(counted) == len(drawn) else [most or 0] * len(drawn)
    if len(counted) == len(drawn) and sum(counted) == total:
        return counted
    share, rest = divmod(total, len(drawn))
    return [share + (i < rest) for i in range(len(drawn))]


def charged(
    sample: Sample[str], prompt: int, cached: int, generated: int, unreported: bool, price: Price | None, first: bool
) -> Sample[str]:
    """`sample` with what it cost; the `first` of an answer carries the call."""
    usage = Usage(
        model_calls=1 if first else 0,
        prompt_tokens=prompt,
        cached_tokens=cached,
        generated_tokens=generated,
        estimated_tokens=generated if unreported and sample.logprobs is None else 0,
        usd=price.usd(prompt, cached, generated) if price else 0.0,
        longest_context=prompt + generated,
    )
    # Built anew: dataclasses.replace is several times slower, and this is the path of every call.
    return Sample(sample.value, sample.message, sample.finish, sample.stop_reason, usage, None, sample.logprobs)
