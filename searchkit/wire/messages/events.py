"""Streams of Anthropic's messages: an answer as events, and the events of one put together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from searchkit.wire.fields import mapping, text
from searchkit.wire.sse import event
from searchkit.wire.streams import pieces, place
from searchkit.wire.tools import arguments_object

_LAST = ("stop_reason", "stop_sequence", "stop_details", "container")
_BESIDE = ("context_management",)
_DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def render(answer: Mapping[str, Any], *, usage: bool) -> Iterator[bytes]:
    """The events of a whole answer; they always carry the usage."""
    counted = answer.get("usage") or {}
    unfinished: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}
    begun = {**answer, **unfinished, "usage": {**counted, "output_tokens": 0}}
    yield _event({"type": "message_start", "message": begun})
    for index, block in enumerate(answer["content"]):
        start, deltas = _parts(block)
        yield _event({"type": "content_block_start", "index": index, "content_block": start})
        for delta in deltas:
            yield _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield _event({"type": "content_block_stop", "index": index})
    last = {key: answer[key] for key in _LAST if key in answer}
    beside = {key: answer[key] for key in _BESIDE if key in answer}
    yield _event({"type": "message_delta", "delta": last, "usage": counted, **beside})
    yield _event({"type": "message_stop"})


def _event(value: dict[str, Any]) -> bytes:
    return event(value, value["type"])


def _parts(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it begins, and what is added to it. Blocks that we know nothing of come whole."""
    kind = block.get("type")
    if kind == "text":
        added = [{"type": "text_delta", "text": piece} for piece, _ in pieces(block["text"])]
        return {**block, "text": ""}, added
    if kind == "thinking":
        added = [{"type": "thinking_delta", "thinking": piece} for piece, _ in pieces(block["thinking"])]
        signature = block.get("signature")
        added += [{"type": "signature_delta", "signature": signature}] if signature else []
        return {**block, "thinking": "", "signature": ""}, added
    if kind in ("tool_use", "server_tool_use"):
        given = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": p} for p, _ in pieces(given)]
    return dict(block), []


class Collector:
    """The events of one answer, put together."""

    def __init__(self) -> None:
        self._message: dict[str, Any] | None = None
        self._blocks: dict[int, _Block] = {}
        self._counted = False  # what was written, at its end

    def complete(self, choices: int) -> bool:
        return self._message is not None and self._message.get("stop_reason") is not None

    def take(self, value: dict[str, Any]) -> None:
        kind = value["type"]
        if kind == "message_start":
            self._message = dict(mapping(value["message"], "message"))
            self._message["usage"] = dict(mapping(self._message.get("usage") or {}, "usage"))
        elif kind == "content_block_start":
            self._blocks[place(value["index"])] = _Block(mapping(value["content_block"], "content_block"))
        elif kind == "content_block_delta":
            self._blocks[place(value["index"])].take(mapping(value["delta"], "delta"))
        elif kind == "message_delta":
            beside = {key: said for key, said in value.items() if key not in ("type", "delta", "usage")}
            self._end(mapping(value["delta"], "delta") | beside, mapping(value.get("usage") or {}, "usage"))

    def _end(self, delta: dict[str, Any], usage: dict[str, Any]) -> None:
        if self._message is None:
            raise TypeError("it does not begin with message_start")
        self._message |= delta
        self._counted |= usage.get("output_tokens") is not None
        self._message["usage"] |= {key: count for key, count in usage.items() if count is not None}  # sums so far

    def answer(self) -> dict[str, Any]:
        assert self._message is not None
        if not self._counted:
            self._message["usage"].pop("output_tokens", None)  # which was that of the beginning
        return {**self._message, "content": [self._blocks[i].whole() for i in sorted(self._blocks)]}


class _Block:
    """A content block: what it began with, and its texts in pieces."""

    def __init__(self, start: dict[str, Any]) -> None:
        self._start = start
        self._added: dict[str, list[str]] = {}
        self._citations = list[Any]()

    def take(self, delta: dict[str, Any]) -> None:
        kind = delta.get("type")
        if kind == "input_json_delta":
            self._added.setdefault("input", []).append(text(delta["partial_json"], "partial_json"))
        elif kind == "citations_delta":
            self._citations.append(delta["citation"])
        elif kind in _DELTAS:
            name = _DELTAS[kind]
            self._added.setdefault(name, [str(self._start.get(name) or "")]).append(text(delta[name], name))

    def whole(self) -> dict[str, Any]:
        block = dict(self._start)
        for name, parts in self._added.items():
            block[name] = "".join(parts)
        if given := "".join(self._added.get("input", ())):
            block["input"] = arguments_object(given)
        elif "input" in self._added:
            block["input"] = self._start.get("input", {})
        if self._citations:
            block["citations"] = [*(self._start.get("citations") or ()), *self._citations]
        return block
