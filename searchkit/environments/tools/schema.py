"""Arguments against a schema that a server sent: only what can be told at a glance, since the server looks itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,),
    "object": (dict,), "null": (type(None),),
}  # fmt: skip


def wrong_arguments(arguments: Any, schema: Mapping[str, Any]) -> str:
    """Why they do not fit: no object, a parameter that is missing, unknown or of another type; "" if that is in order.

    Patterns, references and combinations in the schema are the server's to check: they are its text, and could take any
    time.
    """
    if not isinstance(arguments, dict):
        return "they are no JSON object such as {}"
    properties, required = schema.get("properties"), schema.get("required")
    known: Mapping[str, Any] = properties if isinstance(properties, dict) else {}
    for name in required if isinstance(required, list) else ():
        if isinstance(name, str) and name not in arguments:
            return f"{name[:100]}: it is required"
    for name, value in arguments.items():
        if name not in known and schema.get("additionalProperties") is False:
            return f"{name[:100]}: there is no such parameter"
        if not _fits(value, known.get(name)):
            return f"{name[:100]}: it should be of type {str(known[name]['type'])[:100]}"
    return ""


def _fits(value: Any, schema: Any) -> bool:
    said = schema.get("type") if isinstance(schema, dict) else None
    names = [said] if isinstance(said, str) else said
    if not isinstance(names, list) or not all(isinstance(name, str) and name in KINDS for name in names):
        return True
    if isinstance(value, bool):
        return "boolean" in names
    if isinstance(value, float) and value.is_integer() and "integer" in names:
        return True
    return any(isinstance(value, KINDS[name]) for name in names)
