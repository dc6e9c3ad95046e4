"""What an answer says it cost, in the words of each API, and what that is in money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.errors import ConfigError
from searchkit.types import Sample

MOST = 10**12
"""Tokens of one answer; more is no count."""


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

    prompt, generated: None if the server does not say. cached: the part of prompt that the server still knew.
    reasoning: the part of generated that is no visible text; None if it is not said.
    """

    prompt: int | None
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
    found = _said(_usage(answer).get("prompt_tokens_details"), "cached_tokens")
    return found if found is not None else _said(answer.get("timings"), "cache_n")


def _usage(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    found = answer.get("usage")
    return found if isinstance(found, dict) else {}  # as JSON is; `Mapping` takes four times as long


def _said(counts: Any, key: str) -> int | None:
    """A count; None where there is none, or something that is none: a fraction, a text, less than 0."""
    value = counts.get(key) if isinstance(counts, dict) else None
    if type(value) is not int:  # nearly all are
        value = _whole(value)
    return value if value is not None and 0 <= value <= MOST else None


def _whole(value: Any) -> int | None:
    """A whole number that is written as a text or with a point."""
    if isinstance(value, str) and len(value) <= 13 and value.isascii() and value.isdigit():
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else None


def of_choices(answer: Mapping[str, Any]) -> Counts:
    """Of chat and completions."""
    usage = _usage(answer)
    prompt, cached = _said(usage, "prompt_tokens"), cached_tokens(answer) or 0
    reasoning = _said(usage.get("completion_tokens_details"), "reasoning_tokens")
    return Counts(prompt, min(cached, prompt or 0), _said(usage, "completion_tokens"), reasoning)


def of_response(answer: Mapping[str, Any]) -> Counts:
    """Of the responses API."""
    usage = _usage(answer)
    prompt, cached = _said(usage, "input_tokens"), _said(usage.get("input_tokens_details"), "cached_tokens") or 0
    reasoning = _said(usage.get("output_tokens_details"), "reasoning_tokens")
    return Counts(prompt, min(cached, prompt or 0), _said(usage, "output_tokens"), reasoning)


def of_message(answer: Mapping[str, Any]) -> Counts:
    """Of Anthropic's messages, whose input_tokens leave out what was read from its cache or written to it."""
    usage = _usage(answer)
    parts = [_said(usage, f"{kind}input_tokens") for kind in ("", "cache_creation_", "cache_read_")]
    prompt = None if parts == [None] * 3 else sum(part or 0 for part in parts)
    reasoning = _said(usage.get("output_tokens_details"), "thinking_tokens")
    return Counts(prompt, parts[2] or 0, _said(usage, "output_tokens"), reasoning)


def for_choices(counts: Counts) -> dict[str, Any]:
    """As chat and completions word them."""
    prompt, generated = counts.prompt or 0, counts.generated or 0
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": generated,
        "total_tokens": prompt + generated,
        "prompt_tokens_details": {"cached_tokens": counts.cached},
    }
    if counts.reasoning is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": counts.reasoning}
    return usage


def for_response(counts: Counts) -> dict[str, Any]:
    """As the responses API words them; it has no way to leave the reasoning open."""
    prompt, generated = counts.prompt or 0, counts.generated or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": 0},
        "output_tokens": generated,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning or 0},
        "total_tokens": prompt + generated,
    }


def for_message(counts: Counts) -> dict[str, Any]:
    """As Anthropic's messages word them."""
    usage: dict[str, Any] = {
        "input_tokens": (counts.prompt or 0) - counts.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": counts.cached,
        "output_tokens": counts.generated or 0,
    }
    if counts.reasoning is not None:
        usage["output_tokens_details"] = {"thinking_tokens": counts.reasoning}
    return usage
