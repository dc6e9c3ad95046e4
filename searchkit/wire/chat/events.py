"""Streams of chat completions: an answer as events, and the events of one put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from searchkit.wire.fields import mapping, objects
from searchkit.wire.finishes import worse
from searchkit.wire.joining import Joined
from searchkit.wire.sse import event
from searchkit.wire.streams import choices_of, pieces, place

_HEAD = ("id", "created", "model", "service_tier", "system_fingerprint")
_BODY = ("object", "choices", "usage")
_IN_PIECES = ("function", "custom", "name", "arguments", "parameters", "input", "args")
_CHOICE = ("index", "delta", "logprobs", "finish_reason")


def render(answer: Mapping[str, Any], *, usage: bool) -> Iterator[bytes]:
    """The events of a whole answer. usage: whether they end with it (stream_options.include_usage)."""
    head = {key: answer[key] for key in _HEAD if key in answer} | {"object": "chat.completion.chunk"}
    once = {key: value for key, value in answer.items() if key not in (*_HEAD, *_BODY)}  # citations, say
    nothing = {"usage": None} if usage else {}

    for choice in answer["choices"]:
        for delta, rows in _deltas(choice["message"], choice.get("logprobs") or {}):
            said = {"index": choice["index"], "delta": delta, "logprobs": rows or None, "finish_reason": None}
            yield event({**head, "choices": [said], **nothing, **once})
            once = {}
        rest = {key: value for key, value in choice.items() if key not in ("message", "logprobs")}
        yield event({**head, "choices": [{"delta": {}, "logprobs": None, **rest}], **nothing})
    if usage:
        yield event({**head, "choices": [], "usage": answer.get("usage")})
    yield event("[DONE]")


def _deltas(message: Mapping[str, Any], logprobs: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What is added to the message, and to its log-probabilities, in each event."""
    texts = ("content", "refusal", "reasoning_content", "reasoning")
    rest = {key: value for key, value in message.items() if key not in (*texts, "tool_calls")}
    yield {"role": "assistant", **rest, **{n: message[n] and "" for n in texts if n in message}}, {}
    for name in reversed(texts):  # reasoning comes first
        rows = logprobs.get(name) if name in ("content", "refusal") else None
        for piece, here in pieces(message.get(name) or "", rows):
            yield {name: piece}, {name: here} if here else {}
    for i, call in enumerate(message.get("tool_calls") or ()):
        function = call.get("function") or {}
        begun = {**call, "function": {**function, "arguments": ""}} if function else call
        yield {"tool_calls": [{"index": i, **begun}]}, {}
        for piece, _ in pieces(function.get("arguments") or ""):
            yield {"tool_calls": [{"index": i, "function": {"arguments": piece}}]}, {}


class Collector:
    """The events of one answer, put together: what the choices say is joined, calls by their index, rows appended."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: Any = None

    def complete(self, choices: int) -> bool:
        return len(self._choices) >= choices and all(choice.end is not None for choice in self._choices.values())

    def take(self, value: dict[str, Any]) -> None:
        for key, said in value.items():
            if said is not None and key not in _BODY:
                self._head[key] = self._head.get(key, said) if key in _HEAD else said
        self._usage = value.get("usage") or self._usage
        for choice in choices_of(value):
            self._choices.setdefault(place(choice.get("index", 0)), _Choice()).take(choice)

    def answer(self) -> dict[str, Any]:
        choices = [self._choices[index].whole(index) for index in sorted(self._choices)]
        return {**self._head, "object": "chat.completion", "choices": choices, "usage": self._usage}


class _Choice:
    def __init__(self) -> None:
        self.end: Any = None
        self._message, self._beside = Joined(), Joined()
        self._calls: list[_Call] = []
        self._latest: dict[int | None, _Call] = {}  # by its number; None: of all
        self._rows: dict[str, list[Any]] = {}

    def take(self, choice: dict[str, Any]) -> None:
        delta = mapping(choice.get("delta") or {}, "delta")
        for call in objects(delta.get("tool_calls") or [], "tool_calls"):
            self._call(call).take(call)
        self._message.take({name: value for name, value in delta.items() if name != "tool_calls"})
        self._beside.take({key: value for key, value in choice.items() if key not in _CHOICE})
        for name, rows in mapping(choice.get("logprobs") or {}, "logprobs").items():
            if isinstance(rows, list):
                self._rows.setdefault(name, []).extend(rows)
        self.end = worse(self.end, choice.get("finish_reason"))

    def _call(self, call: dict[str, Any]) -> _Call:
        """Whose piece this is. Some servers number no calls, or each of them 0: another id is another call."""
        index, id = call.get("index"), call.get("id")
        last = self._latest.get(None if index is None else place(index))
        if last is None or (id and last.id not in (None, id)):
            last = _Call(place(len(self._calls)) if index is None else index)
            self._calls.append(last)
            self._latest |= {None: last, last.index: last}
        return last

    def whole(self, index: int) -> dict[str, Any]:
        message = {"role": "assistant", "content": None, **self._message.whole()}
        if self._calls:
            message["tool_calls"] = [call.whole() for call in sorted(self._calls, key=lambda call: call.index)]
        rows, beside = self._rows or None, self._beside.whole()
        return {"index": index, "message": message, "logprobs": rows, "finish_reason": self.end, **beside}


class _Call:
    """A tool call: what says which one comes first, its texts in pieces."""

    def __init__(self, index: int) -> None:
        self.index = index
        self._head: dict[str, Any] = {}
        self._parts = Joined()

    @property
    def id(self) -> Any:
        return self._head.get("id") or None

    def take(self, call: dict[str, Any]) -> None:
        for key, value in call.items():
            if key in _IN_PIECES:
                self._parts.take({key: value})
            elif key != "index" and value is not None:
                self._head.setdefault(key, value)

    def whole(self) -> dict[str, Any]:
        parts = {key: part for key, part in self._parts.whole().items() if part is not None}
        if "custom" not in parts and "name" not in parts and isinstance(function := parts.get("function", {}), dict):
            parts["function"] = {"name": "", "arguments": "", **function}
        return {"type": "function", **self._head, **parts}
