"""Requests and samples as the JSON of the OpenAI API, with the fields that vLLM, SGLang and llama.cpp add. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from searchkit.errors import CapabilityError, ConfigError
from searchkit.types import Finish, Image, Message, Params, Prompt, Sample, Text, Token, ToolCall, Usage

Route = Literal["chat", "completions"]
PATHS: Mapping[Route, str] = {"chat": "/chat/completions", "completions": "/completions"}

_FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens. `cached`: prompt tokens found in the server's cache; None costs `prompt`."""

    prompt: float
    generated: float
    cached: float | None = None

    def __post_init__(self) -> None:
        if not (self.prompt >= 0 and self.generated >= 0 and (self.cached is None or self.cached >= 0)):
            raise ConfigError(f"a price must be >= 0 dollars for a million tokens, got {self}")

    def usd(self, prompt: int, cached: int, generated: int) -> float:
        """Dollars for these token counts; `cached` is a part of `prompt`."""
        rate = self.prompt if self.cached is None else self.cached
        return ((prompt - cached) * self.prompt + cached * rate + generated * self.generated) / 1e6


# ---------------------------------------------------------------- requests


def body(
    model: str, route: Route, prompt: Prompt, params: Params, seed: int, render: Callable[[Prompt], str] | None
) -> dict[str, Any]:
    """The body of a request with the documented fields only; `CapabilityError` if the route cannot carry the prompt."""
    wire: dict[str, Any] = {
        "model": model,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "seed": seed,
    }
    if params.max_tokens is not None:
        wire["max_tokens"] = params.max_tokens
    if params.stop:
        wire["stop"] = list(params.stop)
    if route == "completions":
        wire["prompt"] = _plain(prompt, render) + prompt.prefix
        if params.logprobs is not None:
            wire["logprobs"] = params.logprobs
        return wire
    wire["messages"] = [_message(m) for m in prompt.messages]
    if prompt.prefix:
        wire["messages"].append({"role": "assistant", "content": prompt.prefix})
    if prompt.tools:
        wire["tools"] = [json.loads(tool) for tool in prompt.tools]
    if params.logprobs is not None:
        wire |= {"logprobs": True, "top_logprobs": params.logprobs}
    return wire


def extras(route: Route, prompt: Prompt, params: Params) -> dict[str, Any]:
    """The fields outside the OpenAI API: sent to every server but those known to refuse them."""
    # Off is -1 for all of them; SGLang refuses 0.
    wire: dict[str, Any] = {"top_k": params.top_k or -1, "min_p": params.min_p}
    if params.stop:  # vLLM and SGLang: keep the stop text, which then says which stop fired
        wire |= {"include_stop_str_in_output": True, "no_stop_trim": True}
    if prompt.prefix and route == "chat":
        wire |= {"continue_final_message": True, "add_generation_prompt": False}
    return wire


def _plain(prompt: Prompt, render: Callable[[Prompt], str] | None) -> str:
    if render is not None:
        return render(prompt)
    only = prompt.messages[0]
    if len(prompt.messages) > 1 or only.role != "user" or prompt.tools or any(isinstance(p, Image) for p in only.parts):
        raise CapabilityError(
            "the completions route takes one user message as plain text: pass render= with the model's chat template, "
            'or use route="chat"'
        )
    return only.text


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role}
    if any(isinstance(part, Image) for part in message.parts):
        wire["content"] = [
            {"type": "text", "text": part.text}
            if isinstance(part, Text)
            else {"type": "image_url", "image_url": {"url": part.url}}
            for part in message.parts
        ]
    else:  # a plain string: some chat templates do not take lists
        wire["content"] = message.text
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in message.tool_calls
        ]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


# ---------------------------------------------------------------- answers


def samples(raw: bytes, params: Params, price: Price | None) -> list[Sample[str]]:
    """The samples of an answer, one a choice, by index. Raises ValueError if it is not a completion."""
    return read(json.loads(raw), params, price)


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
        prompt, cached, generated = _counts(answer)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a field is missing or of another type: {error}") from error
    shares = _shares(drawn, generated, params.max_tokens)
    return [
        _charged(sample, prompt if i == 0 else 0, cached if i == 0 else 0, share, generated is None, price, i == 0)
        for i, (sample, share) in enumerate(zip(drawn, shares, strict=True))
    ]


def cached_tokens(answer: Mapping[str, Any]) -> int | None:
    """Prompt tokens that the server reports as found in its prefix cache; None if it does not report them."""
    details = (answer.get("usage") or {}).get("prompt_tokens_details") or {}
    found = details.get("cached_tokens")
    return found if found is not None else (answer.get("timings") or {}).get("cache_n")


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
    finish = _FINISHES.get(reason or "stop", "stop")
    if finish == "stop" and params.stop:
        # Generation ends where a stop string appears, so a text that ends with one was ended by it.
        kept = max((s for s in params.stop if text.endswith(s)), key=len, default=None)
        stop = named if (named := fired(choice)) in params.stop else kept
        text = text.removesuffix(stop or "")
    said = Message("assistant", (Text(text),) if text else (), calls, None, reasoning)
    return Sample(text, said, finish, stop, logprobs=tokens(choice.get("logprobs")))


def tokens(logprobs: Mapping[str, Any] | None) -> tuple[Token, ...] | None:
    """The tokens that a choice of either route lists; None if it lists none."""
    if not logprobs:
        return None
    if logprobs.get("content") is not None:
        return tuple(
            _token(row["token"], row["logprob"], ((r["token"], r["logprob"]) for r in row.get("top_logprobs") or ()))
            for row in logprobs["content"]
        )
    if logprobs.get("tokens") is None:
        return None
    rivals = logprobs.get("top_logprobs") or [None] * len(logprobs["tokens"])
    return tuple(
        _token(text, p, (top or {}).items())
        for text, p, top in zip(logprobs["tokens"], logprobs["token_logprobs"], rivals, strict=True)
    )


def _token(text: Any, p: Any, rivals: Iterable[tuple[Any, Any]]) -> Token:
    return Token(_text(text), _number(p), tuple((_text(t), _number(q)) for t, q in rivals))


def _number(value: Any) -> float:
    """A JSON number; a text is none, though `float` reads "nan"."""
    if isinstance(value, str):
        raise ValueError(f"a log-probability is a number, got {value!r:.40}")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is of type {type(value).__name__}")
    # JSON can spell half a surrogate pair, which no file and no server would take back.
    return value if value.isascii() else value.encode(errors="replace").decode()


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"a token count is {value!r}")
    return value


def _counts(answer: Mapping[str, Any]) -> tuple[int, int, int | None]:
    """Prompt, cached and generated tokens; the latter None if the server does not report usage."""
    usage = answer.get("usage") or {}
    prompt, cached = _count(usage.get("prompt_tokens") or 0), _count(cached_tokens(answer) or 0)
    generated = usage.get("completion_tokens")
    return prompt, min(cached, prompt), None if generated is None else _count(generated)


def _shares(drawn: list[Sample[str]], total: int | None, most: int | None) -> list[int]:
    rows = [None if s.logprobs is None else len(s.logprobs) for s in drawn]
    counted = [n for n in rows if n is not None]
    if total is None:
        return counted if len(counted) == len(drawn) else [most or 0] * len(drawn)
    if len(counted) == len(drawn) and sum(counted) == total:
        return counted
    share, rest = divmod(total, len(drawn))
    return [share + (i < rest) for i in range(len(drawn))]


def _charged(
    sample: Sample[str], prompt: int, cached: int, generated: int, unreported: bool, price: Price | None, first: bool
) -> Sample[str]:
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
