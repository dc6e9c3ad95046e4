"""Conversations as Anthropic's turns of content blocks, and back.

A tool's answer is a block of the user's turn there, and a message of its own here. Thinking is read, but not sent back:
it is taken with its signature alone, which a `Message` does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from searchkit.errors import CapabilityError
from searchkit.types import Image, Message, Text, ToolCall
from searchkit.wire.errors import Malformed
from searchkit.wire.fields import mapping, objects, text
from searchkit.wire.tools import arguments_object, arguments_text

_DATA = re.compile(r"data:([^;,]*);base64,(.*)", re.DOTALL)
Part = Text | Image

# ---------------------------------------------------------------- written


def written(messages: Sequence[Message]) -> tuple[str, list[dict[str, Any]]]:
    """The system prompt that begins the conversation, "" if none does, and the turns after it."""
    first = next((i for i, m in enumerate(messages) if m.role != "system"), len(messages))
    system = "\n\n".join(m.text for m in messages[:first])
    turns = list[dict[str, Any]]()
    after_tool = False
    for message in messages[first:]:
        if message.role == "tool":
            if not after_tool:  # all answers to one turn's calls stand in one turn
                turns.append({"role": "user", "content": []})
            turns[-1]["content"].append(_result(message))
        else:
            turns.append({"role": message.role, "content": _content(message)})
        after_tool = message.role == "tool"
    return system, turns


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.tool_calls and not any(isinstance(part, Image) for part in message.parts):
        return message.text
    calls = [
        {"type": "tool_use", "id": c.id, "name": c.name, "input": arguments_object(c.arguments)}
        for c in message.tool_calls
    ]
    return [*_blocks(message.parts), *calls]


def _result(message: Message) -> dict[str, Any]:
    plain = not any(isinstance(part, Image) for part in message.parts)
    said = message.text if plain else list(_blocks(message.parts))
    return {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": said}


def _blocks(parts: Iterable[Part]) -> Iterator[dict[str, Any]]:
    for part in parts:
        if isinstance(part, Image):
            yield {"type": "image", "source": _source(part.url)}
        elif part.text:  # it takes no empty ones
            yield {"type": "text", "text": part.text}


def _source(url: str) -> dict[str, Any]:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    found = _DATA.fullmatch(url)
    if found is None:
        raise CapabilityError("Anthropic takes images as https: URLs, or as data: URLs with base64")
    return {"type": "base64", "media_type": found[1], "data": found[2]}


# ---------------------------------------------------------------- read


def read(turn: dict[str, Any], where: str, lost: list[str]) -> Iterator[Message]:
    """The messages of one turn. What they cannot hold is `lost`."""
    role = turn.get("role")
    blocks = _listed(turn.get("content"), f"{where}.content")
    if role == "assistant":
        yield _assistant(blocks, where, lost)
    elif role == "user":
        yield from _user(blocks, where, lost)
    elif role == "system":
        yield Message("system", tuple(_part(block, at, lost) for block, at in _placed(blocks, where)))
    else:
        raise Malformed(f"{where}.role is user, assistant or system, got {role!r:.80}", f"{where}.role")


def system(value: Any, lost: list[str]) -> Message:
    """The system prompt: a text, or blocks of text."""
    return next(read({"role": "system", "content": value}, "system", lost))


def _listed(content: Any, where: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else objects(content, where)


def _placed(blocks: list[dict[str, Any]], where: str) -> Iterator[tuple[dict[str, Any], str]]:
    return ((block, f"{where}.content.{i}") for i, block in enumerate(blocks))


def _user(blocks: list[dict[str, Any]], where: str, lost: list[str]) -> Iterator[Message]:
    parts = list[Part]()
    for block, at in _placed(blocks, where):
        if block.get("type") != "tool_result":
            parts.append(_part(block, at, lost))
            continue
        if parts:
            yield Message("user", tuple(parts))
            parts = []
        said = _listed(block.get("content") or "", f"{at}.content")
        if block.get("is_error"):
            lost.append(f"{at}.is_error")
        told = tuple(_part(inner, place, lost) for inner, place in _placed(said, at))
        yield Message("tool", told, (), text(block.get("tool_use_id"), f"{at}.tool_use_id"))
    if parts or not any(block.get("type") == "tool_result" for block in blocks):
        yield Message("user", tuple(parts))


def _assistant(blocks: list[dict[str, Any]], where: str, lost: list[str]) -> Message:
    parts, calls, thoughts = list[Part](), list[ToolCall](), list[str]()
    for block, at in _placed(blocks, where):
        if block.get("type") == "tool_use":
            said = arguments_text(mapping(block.get("input"), f"{at}.input"))
            calls.append(ToolCall(text(block.get("id"), f"{at}.id"), text(block.get("name"), f"{at}.name"), said))
        elif block.get("type") == "thinking":
            thoughts.append(text(block.get("thinking"), f"{at}.thinking"))
        else:
            parts.append(_part(block, at, lost))
    return Message("assistant", tuple(parts), tuple(calls), None, "".join(thoughts))


def _part(block: dict[str, Any], where: str, lost: list[str]) -> Part:
    kind = text(block.get("type"), f"{where}.type")[:40]
    if kind == "text":
        return Text(text(block.get("text"), f"{where}.text"))
    if kind == "image":
        source = mapping(block.get("source"), f"{where}.source")
        if source.get("type") == "url":
            return Image(text(source.get("url"), f"{where}.source.url"))
        if source.get("type") == "base64":
            media = text(source.get("media_type"), f"{where}.source.media_type")
            return Image(f"data:{media};base64,{text(source.get('data'), f'{where}.source.data')}")
    lost.append(f"{where} ({kind})")
    return Text(f"[{kind}]")
