"""Tools and calls where APIs spell them otherwise than chat completions, whose spelling a `Prompt` has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import told
from searchkit.wire.fields import check, clean, mapping, text

INVALID = "INVALID_JSON"  # the key under which Anthropic asks for arguments that are no object


def arguments_object(arguments: str) -> dict[str, Any]:
    """A call's JSON text as an object; ``{"INVALID_JSON": text}`` where it is none, or can be read in two ways.

    >>> arguments_object('{"city": "Rome"}'), arguments_object('{"city": "Ro')
    ({'city': 'Rome'}, {'INVALID_JSON': '{"city": "Ro'})
    """
    try:
        value = json.loads(arguments or "{}", object_pairs_hook=_once, parse_constant=_refused)
        check([value])
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {INVALID: arguments}


def arguments_text(value: Mapping[str, Any]) -> str:
    """The JSON text of a call's object; inverse to `arguments_object`. `Malformed` if it is nested too deeply."""
    check(value)
    if value.keys() == {INVALID} and isinstance(value[INVALID], str):
        return clean(value[INVALID])
    return clean(json.dumps(value, ensure_ascii=False))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def as_chat(tool: Mapping[str, Any], schema: str, where: str) -> str:
    """A function with its name, description and parameters side by side, as chat's JSON text.

    schema: the key of the parameters.
    """
    function = {"name": text(tool.get("name"), f"{where}.name")}
    if tool.get("description") is not None:
        function["description"] = text(tool["description"], f"{where}.description")
    if tool.get(schema) is not None:
        function["parameters"] = mapping(tool[schema], f"{where}.{schema}")  # type: ignore[assignment]
    if tool.get("strict") is not None:
        function["strict"] = tool["strict"]
    return json.dumps({"type": "function", "function": function})


def of_chat(tool: str) -> dict[str, Any]:
    """The function of one of a prompt's tools: name, description, parameters, strict, as far as it has them.

    Raises `ConfigError` if it is no function.
    """
    try:
        function = json.loads(tool)["function"]
        return {"name": function["name"], **function}
    except (ValueError, LookupError, TypeError):
        message = f'a tool is {{"type": "function", "function": {{"name": ..., ...}}}} as JSON, got {told(tool)}'
        raise ConfigError(message) from None


def lost_keys(tool: Mapping[str, Any], known: frozenset[str], where: str) -> list[str]:
    """Which fields of a tool nobody carries."""
    return [f"{where}.{key}" for key, value in tool.items() if key not in known and value not in (None, False, [])]
