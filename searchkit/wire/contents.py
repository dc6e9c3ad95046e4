"""What a message of an answer says: its text, its thoughts, its refusal and its calls, whatever shape they came in.

A field of another type than documented costs the answer only where the answer cannot be read without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from searchkit.types import ToolCall
from searchkit.wire.fields import check, clean

_BESIDE = ("reasoning_content", "reasoning", "refusal")
_TEXT_KEYS = ("text", "content", "thinking", "reasoning", "summary")
_DEEPEST = 8  # of lists and objects in thoughts


@dataclass(frozen=True, slots=True)
class Said:
    """text: what is visible. thoughts: what the server returned beside it. refusal: why it says nothing, in words."""

    text: str
    thoughts: str = ""
    refusal: str = ""


def said(message: Mapping[str, Any]) -> Said:
    """Of a chat message. Raises TypeError for a content that cannot be read."""
    content = message.get("content")
    if isinstance(content, str) and not any(map(message.get, _BESIDE)):
        return Said(clean(content))  # as nearly all are
    found: dict[str, str] = {}
    for kind, words in _parts(content):
        found[kind] = found.get(kind, "") + words
    beside = loose(message.get("reasoning_content")) or loose(message.get("reasoning"))
    refusal = loose(message.get("refusal")) or found.get("refusal", "")
    return Said(found.get("text", ""), beside or found.get("thinking", ""), refusal)


def text_of(content: Any) -> str:
    """The visible text of a content: a text, or parts."""
    return "".join(words for kind, words in _parts(content) if kind == "text")


def _parts(content: Any) -> Iterator[tuple[str, str]]:
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            yield "text", clean(part)
        elif isinstance(part, dict):
            yield from _part(part)
        elif part is not None:
            raise TypeError(f"a content is of type {type(part).__name__}")


def _part(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = part.get("type", "text")
    if kind in ("text", "output_text") and isinstance(part.get("text"), str):
        yield "text", clean(part["text"])
    elif kind in ("thinking", "reasoning"):
        yield "thinking", loose(part)
    elif kind == "refusal":
        yield "refusal", loose(part.get("refusal"))
    elif "type" not in part:
        raise TypeError("a content is an object without a type")


def loose(value: Any, depth: int = _DEEPEST) -> str:
    """The texts in a value that is not needed: joined where it is a list, found where it is an object; else ""."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list) and depth:
        return "".join(loose(entry, depth - 1) for entry in value)
    if isinstance(value, dict) and depth:
        return next((found for key in _TEXT_KEYS if (found := loose(value.get(key), depth - 1))), "")
    return ""


def calls(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """The tool calls of a chat message, the older single one too. Raises TypeError for one without a name."""
    listed = message.get("tool_calls") or []
    if not listed and "function_call" not in message:
        return ()
    found = [call for call in (listed if isinstance(listed, list) else [listed]) if call is not None]
    if message.get("function_call"):  # the older spelling, which has no ids
        found.append({"function": message["function_call"]})
    return tuple(map(_call, found))


def _call(call: Any) -> ToolCall:
    function = (call.get("function") or call) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise TypeError("a tool call has no name")
    return ToolCall(_identity(call.get("id")), clean(function["name"]), arguments(function.get("arguments")))


def _identity(id: Any) -> str:
    if isinstance(id, str):
        return clean(id)
    return str(id) if type(id) is int and abs(id) < 2**63 else ""


def arguments(value: Any) -> str:
    """A call's arguments as JSON text: "{}" where there are none, what is no text written as JSON.

    >>> arguments(None), arguments({"a": 2}), arguments('{"a": 2}')
    ('{}', '{"a": 2}', '{"a": 2}')
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return "{}"
    if isinstance(value, str):
        return clean(value)
    check([value])
    return clean(json.dumps(value, ensure_ascii=False))
