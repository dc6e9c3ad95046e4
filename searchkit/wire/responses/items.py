"""Conversations as the items of the responses API, and back.

A call and its answer are items of their own there. An assistant's text and the calls that follow it are one message
here; reasoning belongs to the message after it. Reasoning is read, but not sent back: its own server knows it by id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from searchkit.types import Image, Message, Text, ToolCall
from searchkit.wire.errors import Malformed
from searchkit.wire.fields import objects, text

Part = Text | Image
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}

# ---------------------------------------------------------------- written


def written(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The items of a conversation."""
    return [item for message in messages for item in _written(message)]


def _written(message: Message) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": _content(message)}
        return
    if message.parts or not message.tool_calls:
        yield {"role": message.role, "content": _content(message)}
    for call in message.tool_calls:
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not any(isinstance(part, Image) for part in message.parts):
        return message.text
    return [
        {"type": "input_text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "input_image", "image_url": part.url, "detail": "auto"}
        for part in message.parts
    ]


# ---------------------------------------------------------------- read


class Reader:
    """The messages of a conversation, from its items one by one. What they cannot hold is `lost`."""

    def __init__(self, lost: list[str]) -> None:
        self._messages: list[Message] = []
        self._lost = lost
        self._thoughts: list[str] = []
        self._calls: list[ToolCall] | None = None  # of the last message, if that is an assistant's

    def messages(self) -> list[Message]:
        """Those of all items so far."""
        if self._thoughts:
            self._open(())
        self._close()
        return self._messages

    def take(self, item: dict[str, Any], where: str) -> None:
        """The next item. Raises `Malformed`."""
        kind = item.get("type") or ("message" if "role" in item else "item_reference")
        if kind == "message":
            self._message(item, where)
        elif kind == "function_call":
            self._call(item, where)
        elif kind == "function_call_output":
            parts = _parts(item.get("output"), f"{where}.output", self._lost)
            self.add(Message("tool", parts, (), text(item.get("call_id"), f"{where}.call_id")))
        elif kind == "reasoning":
            self._reasoning(item, where)
        else:
            name = text(kind, f"{where}.type")[:40]
            self._lost.append(f"{where} ({name})")
            self.add(Message("user", (Text(f"[{name}]"),)))

    def add(self, message: Message) -> None:
        """A message that no call belongs to, and no reasoning."""
        if self._thoughts:
            self._open(())
        self._close()
        self._messages.append(message)

    def _open(self, parts: tuple[Part, ...]) -> list[ToolCall]:
        """An assistant's message, and the list for its calls."""
        thoughts, self._thoughts = "".join(self._thoughts), []
        self.add(Message("assistant", parts, (), None, thoughts))
        self._calls = []
        return self._calls

    def _close(self) -> None:
        if self._calls:
            self._messages[-1] = replace(self._messages[-1], tool_calls=tuple(self._calls))
        self._calls = None

    def _message(self, item: dict[str, Any], where: str) -> None:
        role: Any = _ROLES.get(text(item.get("role"), f"{where}.role"))
        if role is None:
            raise Malformed(f"{where}.role is one of {', '.join(_ROLES)}, got {item['role']!r:.80}", f"{where}.role")
        parts = _parts(item.get("content"), f"{where}.content", self._lost)
        if role == "assistant":
            self._open(parts)
        else:
            self.add(Message(role, parts))

    def _call(self, item: dict[str, Any], where: str) -> None:
        id, name, given = (text(item.get(key), f"{where}.{key}") for key in ("call_id", "name", "arguments"))
        calls = self._open(()) if self._calls is None or self._thoughts else self._calls
        calls.append(ToolCall(id, name, given))

    def _reasoning(self, item: dict[str, Any], where: str) -> None:
        for key in ("summary", "content"):
            for i, part in enumerate(objects(item.get(key) or [], f"{where}.{key}")):
                self._thoughts.append(text(part.get("text"), f"{where}.{key}.{i}.text"))
        if item.get("encrypted_content"):
            self._lost.append(f"{where}.encrypted_content")


def _parts(content: Any, where: str, lost: list[str]) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(text(content, where)),)
    return tuple(_part(part, f"{where}.{i}", lost) for i, part in enumerate(objects(content, where)))


def _part(part: dict[str, Any], where: str, lost: list[str]) -> Part:
    kind = text(part.get("type"), f"{where}.type")[:40]
    if kind in ("input_text", "output_text", "text"):
        return Text(text(part.get("text"), f"{where}.text"))
    if kind == "refusal":
        return Text(text(part.get("refusal"), f"{where}.refusal"))
    if kind == "input_image" and part.get("image_url") is not None:
        if part.get("detail") not in (None, "auto"):
            lost.append(f"{where}.detail")
        return Image(text(part["image_url"], f"{where}.image_url"))
    lost.append(f"{where} ({kind})")
    return Text(f"[{kind}]")
