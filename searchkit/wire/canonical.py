"""What a request asks, without who asks and when: equal for requests that differ in no more than names and marks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from searchkit.wire.values import WireRequest

# Who asks, for what, how it is delivered, kept, billed and cached: nothing of it reaches the model.
ASIDE = frozenset(
    {
        *("user", "metadata", "safety_identifier", "user_profile_id", "workspace_id", "request_id"),
        *("stream", "stream_options", "background", "store", "service_tier", "speed", "inference_geo", "diagnostics"),
        *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "cache_control", "moderation"),
    }
)
_HINTS = ("cache_control", "prompt_cache_breakpoint", "status")  # of messages, items and parts


def content(request: WireRequest) -> str:
    """The canonical content of a request, as JSON: route, model, messages, tools, sampling, its own seed included.

    Left out are user and metadata, how the answer is delivered and billed, marks for caches, and fields that are null.
    The ids of tool calls and of items, which clients may draw at random, are replaced by their order of appearance.
    previous_response_id and the like stay: there they stand for the conversation. Object keys are sorted; a text stays
    apart from a list with that text alone. Equal contents ask the same; what is spelled otherwise counts as another.
    """
    ids = dict[str, str]()
    said = {key: value for key, value in request.body.items() if value is not None and key not in ASIDE}
    for key in ("messages", "input"):
        if isinstance(said.get(key), list):
            said[key] = [_entry(entry, ids) for entry in said[key]]
    return json.dumps([request.route, said], sort_keys=True, separators=(",", ":"))


def _entry(entry: Any, ids: dict[str, str]) -> Any:
    """A message, or an item of the responses API. Only where ids stand by their API: what tools are given may have
    fields of the same names."""
    if not isinstance(entry, Mapping):
        return entry
    kept = {key: value for key, value in entry.items() if value is not None and key not in _HINTS}
    if not kept.keys() <= {"id", "type"}:  # else it refers to an item
        kept.pop("id", None)
    for key in ("tool_call_id", "call_id", "tool_use_id"):
        if isinstance(kept.get(key), str):
            kept[key] = _named(kept[key], ids)
    for key in ("tool_calls", "content"):
        if isinstance(kept.get(key), list):
            kept[key] = [_part(part, ids) for part in kept[key]]
    return kept


def _part(part: Any, ids: dict[str, str]) -> Any:
    """A tool call of chat, or a content part."""
    if not isinstance(part, Mapping):
        return part
    kept = {key: value for key, value in part.items() if value is not None and key not in _HINTS}
    for key in ("id", "tool_use_id"):
        if isinstance(kept.get(key), str):
            kept[key] = _named(kept[key], ids)
    if part.get("type") == "tool_result" and isinstance(kept.get("content"), list):
        kept["content"] = [_part(inner, ids) for inner in kept["content"]]
    return kept


def _named(id: str, ids: dict[str, str]) -> str:
    return ids.setdefault(id, f"#{len(ids)}")
