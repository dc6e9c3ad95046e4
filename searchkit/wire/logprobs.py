"""Sampled tokens with their log-probabilities and rivals: read from an answer, and written into one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from searchkit.types import Token
from searchkit.wire.fields import clean

LEAST = -9999.0  # what the OpenAI API says for a token of probability 0: JSON has no infinity


def text_of(value: Any) -> str:
    """A text of an answer, `clean`. Raises TypeError if it is none."""
    if not isinstance(value, str):
        raise TypeError(f"a text is of type {type(value).__name__}")
    return clean(value)


def tokens(logprobs: Mapping[str, Any] | None) -> tuple[Token, ...] | None:
    """The tokens that a choice of chat or completions lists; None if it lists none."""
    if not logprobs:
        return None
    if logprobs.get("content") is not None:
        return of_rows(logprobs["content"])
    if logprobs.get("tokens") is None:
        return None
    rivals = logprobs.get("top_logprobs") or [None] * len(logprobs["tokens"])
    return tuple(
        _token(text, p, (top or {}).items())
        for text, p, top in zip(logprobs["tokens"], logprobs["token_logprobs"], rivals, strict=True)
    )


def of_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[Token, ...]:
    """The tokens of rows as chat and the responses API write them."""
    return tuple(
        _token(row["token"], row["logprob"], ((r["token"], r["logprob"]) for r in row.get("top_logprobs") or ()))
        for row in rows
    )


def rows(drawn: Sequence[Token] | None) -> list[dict[str, Any]] | None:
    """Tokens as chat and the responses API write them; None if there are none, or one has no number."""
    if drawn is None or not _known(drawn):
        return None
    return [
        {**_row(token.text, token.logprob), "top_logprobs": [_row(text, p) for text, p in token.top]} for token in drawn
    ]


def columns(drawn: Sequence[Token] | None) -> dict[str, Any] | None:
    """Tokens as completions write them; None if there are none, or one has no number."""
    if drawn is None or not _known(drawn):
        return None
    offsets = [0]
    for token in drawn:
        offsets.append(offsets[-1] + len(token.text))
    return {
        "tokens": [token.text for token in drawn],
        "token_logprobs": [_finite(token.logprob) for token in drawn],
        "top_logprobs": [{text: _finite(p) for text, p in token.top} for token in drawn],
        "text_offset": offsets[:-1],
    }


def _token(text: Any, p: Any, rivals: Iterable[tuple[Any, Any]]) -> Token:
    return Token(text_of(text), _number(p), tuple((text_of(t), _number(q)) for t, q in rivals))


def _number(value: Any) -> float:
    """A JSON number; a text is none, though `float` reads "nan"."""
    if isinstance(value, str):
        raise ValueError(f"a log-probability is a number, got {value!r:.40}")
    return float(value)


def _row(text: str, p: float) -> dict[str, Any]:
    return {"token": text, "logprob": _finite(p), "bytes": list(text.encode("utf-8", "replace"))}


def _finite(p: float) -> float:
    return max(p, LEAST)


def _known(drawn: Sequence[Token]) -> bool:
    return not any(math.isnan(p) for token in drawn for p in (token.logprob, *(q for _, q in token.top)))
