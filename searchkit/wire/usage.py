"""What an answer says it cost, in the words of each API, and what that is in money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.errors import ConfigError
from searchkit.types import Sample


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


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens of one answer, over all its choices.

    cached: the part of prompt that the server still knew. generated: None if the server does not say. reasoning: the
    part of generated that is no visible text; None if it is not said.
    """

    prompt: int
    cached: int
    generated: int | None
    reasoning: int | None = None

    @classmethod
    def of(cls, samples: Sequence[Sample[Any]], reasoning: int | None = None) -> Counts:
        """The sum over the choices of one answer, of which the first carries the prompt."""
        used = [sample.usage for sample in samples]
        prompt, cached = sum(u.prompt_tokens for u in used), sum(u.cached_tokens for u in used)
        return cls(prompt, cached, sum(u.generated_tokens for u in used), reasoning)


def cached_tokens(answer: Mapping[str, Any]) -> int | None:
    """Prompt tokens that the server reports as found in its prefix cache; None if it does not report them."""
    details = (answer.get("usage") or {}).get("prompt_tokens_details") or {}
    found = details.get("cached_tokens")
    return found if found is not None else (answer.get("timings") or {}).get("cache_n")


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"a token count is {value!r}")
    return value


def _part(details: Any, key: str) -> int | None:
    return None if not details or details.get(key) is None else _count(details[key])


def of_choices(answer: Mapping[str, Any]) -> Counts:
    """Of chat and completions. Raises TypeError or AttributeError for what are no counts."""
    usage = answer.get("usage") or {}
    prompt, cached = _count(usage.get("prompt_tokens") or 0), _count(cached_tokens(answer) or 0)
    generated = usage.get("completion_tokens")
    reasoning = _part(usage.get("completion_tokens_details"), "reasoning_tokens")
    return Counts(prompt, min(cached, prompt), None if generated is None else _count(generated), reasoning)


def of_response(answer: Mapping[str, Any]) -> Counts:
    """Of the responses API. Raises TypeError or AttributeError for what are no counts."""
    usage = answer.get("usage") or {}
    prompt, generated = _count(usage.get("input_tokens") or 0), usage.get("output_tokens")
    cached = _part(usage.get("input_tokens_details"), "cached_tokens") or 0
    reasoning = _part(usage.get("output_tokens_details"), "reasoning_tokens")
    return Counts(prompt, min(cached, prompt), None if generated is None else _count(generated), reasoning)


def of_message(answer: Mapping[str, Any]) -> Counts:
    """Of Anthropic's messages, whose input_tokens leave out what was read from its cache or written to it."""
    usage = answer.get("usage") or {}
    cached = _count(usage.get("cache_read_input_tokens") or 0)
    fresh = _count(usage.get("input_tokens") or 0) + _count(usage.get("cache_creation_input_tokens") or 0)
    generated = usage.get("output_tokens")
    reasoning = _part(usage.get("output_tokens_details"), "thinking_tokens")
    return Counts(fresh + cached, cached, None if generated is None else _count(generated), reasoning)


def for_choices(counts: Counts) -> dict[str, Any]:
    """As chat and completions word them."""
    generated = counts.generated or 0
    usage: dict[str, Any] = {
        "prompt_tokens": counts.prompt,
        "completion_tokens": generated,
        "total_tokens": counts.prompt + generated,
        "prompt_tokens_details": {"cached_tokens": counts.cached},
    }
    if counts.reasoning is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": counts.reasoning}
    return usage


def for_response(counts: Counts) -> dict[str, Any]:
    """As the responses API words them; it has no way to leave the reasoning open."""
    generated = counts.generated or 0
    return {
        "input_tokens": counts.prompt,
        "input_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": 0},
        "output_tokens": generated,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning or 0},
        "total_tokens": counts.prompt + generated,
    }


def for_message(counts: Counts) -> dict[str, Any]:
    """As Anthropic's messages word them."""
    usage: dict[str, Any] = {
        "input_tokens": counts.prompt - counts.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": counts.cached,
        "output_tokens": counts.generated or 0,
    }
    if counts.reasoning is not None:
        usage["output_tokens_details"] = {"thinking_tokens": counts.reasoning}
    return usage
