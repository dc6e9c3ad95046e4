"""Turns of a conversation as messages of chat completions, and back.

An assistant's reasoning is read, but not sent back: servers differ in whether they take it, and most templates drop it.
"""

from __future__ import annotations

from typing import Any

from searchkit.types import Image, Message, Text
from searchkit.wire.fields import clean, mapping, objects, refusing, text

HINTS = {"annotations", "cache_control", "id"}  # they change nothing of what the model reads

# ---------------------------------------------------------------- written


def message(turn: Message) -> dict[str, Any]:
    """One turn, as a client sends it."""
    wire: dict[str, Any] = {"role": turn.role}
    if any(isinstance(part, Image) for part in turn.parts):
        wire["content"] = [
            {"type": "text", "text": part.text}
            if isinstance(part, Text)
            else {"type": "image_url", "image_url": {"url": part.url}}
            for part in turn.parts
        ]
    else:  # a plain string: some chat templates do not take lists
        wire["content"] = turn.text
    if turn.tool_calls:
        wire["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in turn.tool_calls
        ]
    if turn.tool_call_id is not None:
        wire["tool_call_id"] = turn.tool_call_id
    return wire


# ---------------------------------------------------------------- read


def split(messages: list[Message]) -> tuple[list[Message], str]:
    """The turns before the last one and its text, if an assistant said it, and nothing but text; else all, and ""."""
    last = messages[-1] if len(messages) > 1 else None
    if last is None or last.role != "assistant" or last.tool_calls or last.reasoning:
        return messages, ""
    plain = all(isinstance(part, Text) for part in last.parts)
    return (messages[:-1], last.text) if plain and last.text else (messages, "")


def read(turn: dict[str, Any], where: str, index: int, lost: list[str]) -> Message:
    """A message, of which only what `Message.of` takes is handed to it; the rest is `lost`. Raises `Malformed`."""
    plain = {key: value for key, value in turn.items() if value not in (None, "", [], ())}
    if plain.get("role") == "function":  # as tools were called before they had ids
        plain |= {"role": "tool", "tool_call_id": plain.get("name", "")}
        lost.append(f"{where} (function)")
    if plain.get("role") == "assistant":
        _said(plain)
    known = {"role", "content", "tool_calls", "tool_call_id", "reasoning_content"}
    hints = HINTS | {"name"} if plain.get("role") == "tool" else HINTS  # its call's id says which tool it was
    lost += [f"{where}.{key}" for key in plain if key not in known | hints]
    plain = {key: value for key, value in plain.items() if key in known}
    if isinstance(plain.get("content"), list):
        plain["content"] = [
            _part(part, f"{where}.content.{i}", lost) for i, part in enumerate(objects(plain["content"], where))
        ]
    if isinstance(plain.get("tool_calls"), list):
        plain["tool_calls"] = _functions(objects(plain["tool_calls"], f"{where}.tool_calls"), where, lost)
    if "content" not in plain and not plain.get("tool_calls"):
        plain["content"] = ""
    with refusing(where):
        return _clean(Message.of(plain, index))


def _said(plain: dict[str, Any]) -> None:
    """An assistant's refusal is what it said; its reasoning has two names."""
    if isinstance(plain.get("refusal"), str) and "content" not in plain:
        plain["content"] = plain.pop("refusal")
    if isinstance(plain.get("reasoning"), str):
        plain.setdefault("reasoning_content", plain.pop("reasoning"))


def _functions(calls: list[dict[str, Any]], where: str, lost: list[str]) -> list[dict[str, Any]]:
    others = [(i, call["type"]) for i, call in enumerate(calls) if call.get("type") not in (None, "function")]
    lost += [f"{where}.tool_calls.{i} ({kind!s:.40})" for i, kind in others]
    return [call for call in calls if call.get("type") in (None, "function")]


def _part(part: dict[str, Any], where: str, lost: list[str]) -> dict[str, Any]:
    kind = part.get("type")
    if kind == "text":
        return part
    if kind == "image_url":
        image = mapping(part.get("image_url"), f"{where}.image_url")
        if image.get("detail") not in (None, "auto"):
            lost.append(f"{where}.image_url.detail")
        return {"type": "image_url", "image_url": {"url": image.get("url")}}
    if kind == "refusal":
        return {"type": "text", "text": part.get("refusal")}
    name = text(kind, f"{where}.type")[:40]
    lost.append(f"{where} ({name})")
    return {"type": "text", "text": f"[{name}]"}


def _clean(turn: Message) -> Message:
    parts = tuple(Text(clean(part.text)) if isinstance(part, Text) else Image(clean(part.url)) for part in turn.parts)
    calls = tuple(type(c)(clean(c.id), clean(c.name), clean(c.arguments)) for c in turn.tool_calls)
    answered = None if turn.tool_call_id is None else clean(turn.tool_call_id)
    return Message(turn.role, parts, calls, answered, clean(turn.reasoning))
