"""Sampled tokens with their log-probabilities and rivals: read from an answer, and written into one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from searchkit.confidence import CERTAIN
from searchkit.types import Token
from searchkit.wire.fields import clean

LEAST = -9999.0  # what the OpenAI API says for a token of probability 0: JSON has no infinity


def text_of(value: Any) -> str:
    """A text of an answer, `clean`. Raises TypeError if it is none."""
    if not isinstance(value, str):
        raise TypeError(f"a text is of type {type(value).__name__}")
    return clean(value)


def tokens(logprobs: Any) -> tuple[Token, ...] | None:
    """The tokens that a choice of chat or completions lists; None if it lists none.

    What is not said of a token, or not as a number, is NaN; a rival of which something is not said is left out, but
    for that of a certain token, which can only be impossible: JSON has no -inf.
    """
    if logprobs and isinstance(logprobs, list):  # without the object around it
        return of_rows(logprobs)
    if not isinstance(logprobs, Mapping):
        return None
    content = logprobs.get("content")
    if content and isinstance(content, Mapping):  # one row, or rows by their numbers
        content = [content] if "token" in content else list(content.values())
    if isinstance(content, list):
        return of_rows(content)
    if not isinstance(logprobs.get("tokens"), list):
        return None
    texts = logprobs["tokens"]
    drawn, rivals = (_column(logprobs.get(key), len(texts)) for key in ("token_logprobs", "top_logprobs"))
    tops = (top.items() if isinstance(top, Mapping) else () for top in rivals)
    return tuple(map(_token, texts, drawn, tops))


def of_rows(rows: Iterable[Any]) -> tuple[Token, ...]:
    """The tokens of rows as chat and the responses API write them."""
    return tuple([_of_row(row) if isinstance(row, dict) else _NONE for row in rows])


def _of_row(row: dict[str, Any]) -> Token:
    # Without helpers where all is well: an answer with rivals has hundreds of thousands of these.
    text, rivals, top = row.get("token"), row.get("top_logprobs"), list[tuple[str, float]]()
    own = _number(row.get("logprob"))
    for rival in rivals if isinstance(rivals, list) else ():
        if isinstance(rival, dict):
            name, p = rival.get("token"), rival.get("logprob")
            told = type(p) is float or type(p) is int
            if isinstance(name, str) and (told or own >= CERTAIN):
                top.append((name if name.isascii() else clean(name), _number(p) if told else -math.inf))
    return Token(clean(text) if isinstance(text, str) else "", own, tuple(top))


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
    own, named = _number(p), [(t, q) for t, q in rivals if isinstance(t, str)]
    top = [(clean(t), _number(q) if _told(q) else -math.inf) for t, q in named if _told(q) or own >= CERTAIN]
    return Token(clean(text) if isinstance(text, str) else "", own, tuple(top))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _column(value: Any, length: int) -> list[Any]:
    """One entry a token; where there are more or less, nobody knows which is whose."""
    found = _list(value)
    return found if len(found) == length else [None] * length


def _told(value: Any) -> bool:
    return type(value) is float or type(value) is int


def _number(value: Any) -> float:
    """A JSON number; NaN for all else. A text is none, though `float` reads "inf"; some round to a little above 0."""
    if type(value) is float:
        return value if value <= 1.0 else math.nan
    try:
        return float(value) if type(value) is int and value <= 1 else math.nan
    except OverflowError:
        return math.nan


_NONE = Token("", math.nan)


def _row(text: str, p: float) -> dict[str, Any]:
    return {"token": text, "logprob": _finite(p), "bytes": list(text.encode("utf-8", "replace"))}


def _finite(p: float) -> float:
    return max(p, LEAST)


def _known(drawn: Sequence[Token]) -> bool:
    return not any(math.isnan(p) for token in drawn for p in (token.logprob, *(q for _, q in token.top)))
