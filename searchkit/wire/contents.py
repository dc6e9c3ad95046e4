"""What a message of an answer says: its text, its thoughts, its refusal and its calls, whatever shape they came in.

A field of another type than documented costs the answer only where the answer cannot be read without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from searchkit.kinds import told
from searchkit.types import ToolCall
from searchkit.wire.errors import Malformed
from searchkit.wire.failures import says_nothing
from searchkit.wire.fields import check_depth, clean

_BESIDE = ("reasoning_content", "reasoning", "refusal")
_TEXT_KEYS = ("text", "content", "thinking", "reasoning", "summary", "value")
_CALLS = ("tool_use", "tool_call", "function_call")  # types of parts
_ARGUMENTS = ("arguments", "parameters", "input", "args")
_ELSEWHERE = ("text", "delta", "messages", "response", "output", "output_text", "generated_text", "parts", "Content")
_DEEPEST = 8  # of lists and objects in thoughts


@dataclass(frozen=True, slots=True)
class Said:
    """text: what is visible. thoughts: what the server returned beside it. refusal: why it says nothing, in words.
    refused: that it does, also without words. unread: what stands where a text is, and is none that can be read."""

    text: str
    thoughts: str = ""
    refusal: str = ""
    refused: bool = False
    unread: str = ""


def said(message: Mapping[str, Any]) -> Said:
    """Of a chat message. Raises `Malformed` for a content that cannot be read."""
    content = message.get("content")
    if content and isinstance(content, str) and not any(map(message.get, _BESIDE)):
        return Said(clean(content))  # as nearly all are
    found: dict[str, str] = {}
    for kind, words in _parts(content):
        found[kind] = found.get(kind, "") + words
    beside = loose(message.get("reasoning_content")) or loose(message.get("reasoning"))
    told = message.get("refusal")
    refusal = "" if says_nothing(told) else loose(told)
    refusal = refusal if refusal.strip() else found.get("refusal", "")
    text = found.get("text", "")
    if not text and not content and isinstance(audio := message.get("audio"), dict):
        text = loose(audio.get("transcript"))
    refused = bool(refusal) or told is True or "refusal" in found or not (text or says_nothing(told))
    return Said(text, beside or found.get("thinking", ""), refusal, refused, found.get("unread", ""))


def elsewhere(place: Mapping[str, Any]) -> str:
    """Which fields of a choice, or of a message without a text, may have it; "" if none does."""
    return ", ".join(key for key in _ELSEWHERE if place.get(key) and not says_nothing(place[key]))


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
            raise Malformed(f"a content is of another type: {type(part).__name__}")


def _part(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = part.get("type", "text")
    kind = kind.strip().lower() if isinstance(kind, str) else ""
    if kind in ("thinking", "reasoning"):
        yield "thinking", loose(part)
    elif kind == "refusal":
        yield "refusal", loose(part.get("refusal"))
    elif kind in _CALLS:
        return  # see `calls`
    elif "type" not in part and not loose(part.get("text")):
        raise Malformed("a content is of another type: an object without a type")
    elif kind in ("text", "output_text") and (words := loose(part.get("text"))):
        yield "text", words
    elif kind not in ("text", "output_text") or not (part.get("text") is None or part["text"] == ""):
        yield "unread", f"{kind[:40] or 'nameless'} "


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
    """The tool calls of a chat message, the older single one too. Raises `Malformed` for one that cannot be read."""
    listed, older, content = message.get("tool_calls") or [], message.get("function_call"), message.get("content")
    if isinstance(content, list) and not listed:
        listed = [part for part in content if isinstance(part, dict) and part.get("type") in _CALLS]
    if not listed and not older:
        return ()
    if isinstance(listed, dict):  # a single one, or several by their numbers
        listed = list(listed.values()) if all(key.isdecimal() for key in listed) else [listed]
    found = [_call(call) for call in (listed if isinstance(listed, list) else [listed]) if call is not None]
    for call in older if isinstance(older, list) else [older]:  # the older spelling, which has no ids
        if isinstance(call, dict) and call and not _is_among(made := _call({"function": call}), found):
            found.append(made)
    return tuple(found)


def _is_among(call: ToolCall, found: list[ToolCall]) -> bool:
    """Whether a call stands there already: some servers write the same one in both spellings."""
    return (call.name, _spelled(call.arguments)) in [(other.name, _spelled(other.arguments)) for other in found]


def _spelled(arguments: str) -> Any:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments


def _call(call: Any) -> ToolCall:
    function = (call.get("function") or call.get("custom") or call) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Malformed(f"a tool call has no name: {told(call)}")
    return ToolCall(_identity(call.get("id")), clean(function["name"]), arguments(_given(function, call)))


def _given(function: Mapping[str, Any], call: Mapping[str, Any]) -> Any:
    """The arguments of a call, by whichever name; the first that say something."""
    named = [place[key] for place in (function, call) for key in _ARGUMENTS if place.get(key) is not None]
    if not named and (odd := [key for key, value in function.items() if value and isinstance(value, dict)]):
        raise Malformed(f"the arguments of a tool call have another name: {', '.join(odd)[:80]}")
    return next((value for value in named if not isinstance(value, str) or value.strip()), None)


def _identity(id: Any) -> str:
    if isinstance(id, str):
        return clean(id)
    return str(id) if type(id) is int and abs(id) < 2**63 else ""


def arguments(value: Any) -> str:
    """A call's arguments as JSON text: "{}" where there are none, what is no text written as JSON. A number that JSON
    does not have is written all the same (NaN): who reads it finds that it is none.

    >>> arguments(None), arguments({"a": 2}), arguments('{"a": 2}')
    ('{}', '{"a": 2}', '{"a": 2}')
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return "{}"
    if isinstance(value, str):
        return clean(value)
    check_depth([value])
    return clean(json.dumps(value, ensure_ascii=False))
