"""Messages as OpenAI's API writes them, read: dictionaries with "role" and "content", checked key by key.

What cannot be passed on to every backend is refused with a sentence, not dropped. Nothing here knows our own types:
`searchkit.types.Message.of` makes a `Message` of what was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import told

ROLES = ("system", "user", "assistant", "tool")
KNOWN = {"role", "content", "tool_calls", "tool_call_id", "reasoning_content"}
REDUNDANT = {"name"}  # of a tool's message: its tool_call_id says which tool it was


@dataclass(frozen=True, slots=True)
class Read:
    """What one dictionary says. parts: ("text", text) or ("image", url); tool_calls: (id, name, arguments)."""

    role: Any
    parts: tuple[tuple[str, str], ...]
    tool_calls: tuple[tuple[str, str, str], ...]
    tool_call_id: str | None
    reasoning: str


def read(message: Mapping[str, Any], index: int) -> Read:
    """Message number `index` of a conversation. Raises `ConfigError`, naming it and the fix, if it is none."""
    where = f"message {index}"
    role = "system" if message.get("role") == "developer" else message.get("role")  # its newer name
    if role not in ROLES:
        said = f"has the role {told(role)}" if "role" in message else "has no role"
        raise ConfigError(f'{where} {said}: give "role" as one of {", ".join(ROLES)}')
    allowed = KNOWN | REDUNDANT if role == "tool" else KNOWN
    unknown = [key for key, value in message.items() if key not in allowed and value not in (None, "", [], (), {})]
    if unknown:
        raise ConfigError(f"{where} has {told(unknown[0])}, which is not passed on to models: leave it out")
    calls = tuple(_tool_call(call, f"{where}, tool call {i}") for i, call in enumerate(_calls(message, where)))
    answered = message.get("tool_call_id")
    if role == "tool" and not isinstance(answered, str):
        raise ConfigError(f'{where} is a tool\'s answer: say to which call, as "tool_call_id", a text')
    return Read(role, _parts(message, where, bool(calls)), calls, answered, _text(message, "reasoning_content", where))


def _text(message: Mapping[str, Any], key: str, where: str) -> str:
    value = message.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{where}: {key!r} is a text, got {told(value)}")
    return value or ""


def _parts(message: Mapping[str, Any], where: str, calls: bool) -> tuple[tuple[str, str], ...]:
    content = message.get("content")
    if content is None and calls:
        return ()
    if isinstance(content, str):
        return (("text", content),)
    if isinstance(content, Sequence) and not isinstance(content, (bytes, bytearray)):
        return tuple(_part(part, f"{where}, part {i}") for i, part in enumerate(content))
    raise ConfigError(f'{where}: "content" is a text or a list of parts, got {told(content)}')


def _part(part: Any, where: str) -> tuple[str, str]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return "text", part["text"]
    image = part.get("image_url") if kind == "image_url" else None
    if isinstance(image, Mapping) and isinstance(image.get("url"), str):
        if image.get("detail") in (None, "auto"):
            return "image", image["url"]
        raise ConfigError(f'{where} has a "detail", which is not passed on to models: leave it out')
    raise ConfigError(
        f'{where} is {{"type": "text", "text": ...}} or {{"type": "image_url", "image_url": {{"url": ...}}}}, '
        f"got {told(part)}"
    )


def _calls(message: Mapping[str, Any], where: str) -> Sequence[Any]:
    calls = message.get("tool_calls")
    if calls is None:
        return ()
    if not isinstance(calls, Sequence) or isinstance(calls, str):
        raise ConfigError(f'{where}: "tool_calls" is a list, got {told(calls)}')
    return calls


def _tool_call(call: Any, where: str) -> tuple[str, str, str]:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise ConfigError(f'{where} is {{"id": ..., "function": {{"name": ..., "arguments": ...}}}}, got {told(call)}')
    if not isinstance(function.get("arguments"), str):
        raise ConfigError(f'{where}: "arguments" is JSON as a text, such as json.dumps({{"city": "Rome"}})')
    if not isinstance(call.get("id"), str):
        raise ConfigError(f'{where} needs an "id", a text: the tool\'s answer names it')
    return call["id"], function["name"], function["arguments"]
