"""Streams of completions: an answer as events, and the events of one put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from searchkit.wire.fields import mapping
from searchkit.wire.finishes import worse
from searchkit.wire.logprobs import text_of
from searchkit.wire.sse import event
from searchkit.wire.streams import choices_of, pieces, place

_HEAD = ("id", "object", "created", "model", "system_fingerprint")


def render(answer: Mapping[str, Any], *, usage: bool) -> Iterator[bytes]:
    """The events of a whole answer. usage: whether they end with it (stream_options.include_usage)."""
    head = {key: answer[key] for key in _HEAD if key in answer}
    nothing = {"usage": None} if usage else {}
    for choice in answer["choices"]:
        for piece, columns in _pieces(choice):
            said = {"index": choice["index"], "text": piece, "logprobs": columns, "finish_reason": None}
            yield event({**head, "choices": [said], **nothing})
        yield event({**head, "choices": [{**choice, "text": "", "logprobs": None}], **nothing})
    if usage:
        yield event({**head, "choices": [], "usage": answer.get("usage")})
    yield event("[DONE]")


def _pieces(choice: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The text, a token each where its columns spell it, with their part of the columns."""
    columns = {name: column for name, column in (choice.get("logprobs") or {}).items() if isinstance(column, list)}
    rows = [{"token": token, "at": i} for i, token in enumerate(columns.get("tokens", ()))]
    for piece, here in pieces(choice["text"], rows):
        places = [row["at"] for row in here]
        yield piece, {name: [column[i] for i in places] for name, column in columns.items()} if places else None


class Collector:
    """The events of one answer, put together."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._texts: dict[int, list[str]] = {}
        self._columns: dict[int, dict[str, list[Any]]] = {}
        self._ends: dict[int, dict[str, Any]] = {}
        self._usage: Any = None

    def complete(self, choices: int) -> bool:
        return len(self._texts) >= choices and self._texts.keys() == self._ends.keys()

    def take(self, value: dict[str, Any]) -> None:
        for key in _HEAD:
            if value.get(key) is not None:
                self._head.setdefault(key, value[key])
        self._usage = value.get("usage") or self._usage
        for choice in choices_of(value):
            index = place(choice.get("index", 0))
            self._texts.setdefault(index, []).append(text_of(choice.get("text") or ""))
            for name, column in mapping(choice.get("logprobs") or {}, "logprobs").items():
                if isinstance(column, list):
                    self._columns.setdefault(index, {}).setdefault(name, []).extend(column)
            if choice.get("finish_reason"):
                self._end(index, {k: v for k, v in choice.items() if k not in ("text", "logprobs", "index")})

    def _end(self, index: int, said: dict[str, Any]) -> None:
        """Why a text ended, and what else stands there."""
        before = self._ends.get(index, {})
        reason = worse(before.get("finish_reason"), said["finish_reason"])
        self._ends[index] = {**before, **said, "finish_reason": reason}

    def answer(self) -> dict[str, Any]:
        choices = [
            {"index": i, "text": "".join(parts), "logprobs": self._columns.get(i), **self._ends[i]}
            for i, parts in sorted(self._texts.items())
        ]
        return {**self._head, "choices": choices, "usage": self._usage}
