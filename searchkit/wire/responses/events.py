"""Streams of the responses API: an answer as events, and the events of one put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from searchkit.wire.errors import Reported
from searchkit.wire.fields import mapping
from searchkit.wire.sse import event
from searchkit.wire.streams import pieces, place

_LAST = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")

# ---------------------------------------------------------------- written


def render(answer: Mapping[str, Any], *, usage: bool) -> Iterator[bytes]:
    """The events of a whole answer; they always carry the usage."""
    for number, (kind, value) in enumerate(_events(answer)):
        yield event({"type": kind, "sequence_number": number, **value}, kind)


def _events(answer: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    nothing: dict[str, Any] = {"output": [], "usage": None, "error": None, "incomplete_details": None}
    begun = {**answer, "status": "in_progress", **nothing}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(answer["output"]):
        at = {"output_index": index, "item_id": item.get("id")}
        yield "response.output_item.added", {"output_index": index, "item": _opened(item)}
        if item.get("type") == "function_call":
            yield from _arguments(item, at)
        elif item.get("type") in ("message", "reasoning"):
            yield from _summaries(item, at)
            for i, part in enumerate(item.get("content") or ()):
                yield from _part(part, {**at, "content_index": i})
        yield "response.output_item.done", {"output_index": index, "item": item}
    yield f"response.{answer.get('status', 'completed')}", {"response": dict(answer)}


def _opened(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as it begins. Those that we know nothing of begin whole."""
    empty: dict[str, dict[str, Any]] = {
        "message": {"content": [], "status": "in_progress"},
        "function_call": {"arguments": "", "status": "in_progress"},
        "reasoning": {key: [] for key in ("summary", "content") if item.get(key) is not None},
    }
    return {**item, **empty.get(str(item.get("type")), {})}


def _arguments(item: Mapping[str, Any], at: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for piece, _ in pieces(item["arguments"]):
        yield "response.function_call_arguments.delta", {**at, "delta": piece}
    done = {"name": item.get("name"), "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", {**at, **done}


def _summaries(item: Mapping[str, Any], at: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for i, part in enumerate(item.get("summary") or ()):
        here = {**at, "summary_index": i}
        yield "response.reasoning_summary_part.added", {**here, "part": {**part, "text": ""}}
        for piece, _ in pieces(part["text"]):
            yield "response.reasoning_summary_text.delta", {**here, "delta": piece}
        yield "response.reasoning_summary_text.done", {**here, "text": part["text"]}
        yield "response.reasoning_summary_part.done", {**here, "part": part}


def _part(part: Mapping[str, Any], here: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    kind = str(part.get("type"))
    if kind not in ("output_text", "reasoning_text", "refusal"):
        yield "response.content_part.added", {**here, "part": part}
    else:
        name, rows = "refusal" if kind == "refusal" else "text", part.get("logprobs") or []
        listed: dict[str, Any] = {"logprobs": []} if "logprobs" in part else {}
        yield "response.content_part.added", {**here, "part": {**part, name: "", **listed}}
        for piece, some in pieces(part[name], rows):
            yield f"response.{kind}.delta", {**here, "delta": piece, **_listed(kind, some)}
        yield f"response.{kind}.done", {**here, name: part[name], **_listed(kind, rows)}
    yield "response.content_part.done", {**here, "part": part}


def _listed(kind: str, rows: list[Any]) -> dict[str, Any]:
    return {"logprobs": rows} if kind == "output_text" else {}


# ---------------------------------------------------------------- read


class Collector:
    """The last event carries the whole answer; where its output is missing, it is that of the finished items."""

    def __init__(self) -> None:
        self._response: dict[str, Any] | None = None
        self._items: dict[int, dict[str, Any]] = {}

    def complete(self, choices: int) -> bool:
        return self._response is not None

    def take(self, value: dict[str, Any]) -> None:
        kind = value["type"]
        if kind == "error":
            raise Reported(" ".join(str(value.get("message")).split())[:500])
        if kind == "response.output_item.done":
            self._items[place(value["output_index"])] = mapping(value["item"], "item")
        elif kind in _LAST:
            self._response = mapping(value["response"], "response")

    def answer(self) -> dict[str, Any]:
        assert self._response is not None
        items = [self._items[i] for i in sorted(self._items)]
        return self._response if self._response.get("output") else {**self._response, "output": items}
