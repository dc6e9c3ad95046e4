"""Requests of Anthropic's messages: written by a client, read by a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from searchkit.errors import CapabilityError, ConfigError
from searchkit.types import Params, Prompt
from searchkit.wire.chat.turns import split
from searchkit.wire.fields import Fields, objects, refusing, text
from searchkit.wire.messages import turns
from searchkit.wire.tools import as_chat, lost_keys, of_chat
from searchkit.wire.values import ToolChoice, WireRequest

_TOOL = frozenset({"name", "description", "input_schema", "strict", "type", "cache_control"})
_MODES: Mapping[Any, Any] = {"auto": "auto", "none": "none", "any": "required"}

# ---------------------------------------------------------------- written


def render(model: str, prompt: Prompt, params: Params) -> dict[str, Any]:
    """The body of a request. Temperature, top_p and top_k stand in it where they are not off: newer models refuse two
    of them at once, and any at all beside thinking.

    Raises `ConfigError` without max_tokens, which it needs; `CapabilityError` for what it does not have: min_p and
    log-probabilities.
    """
    if params.max_tokens is None:
        raise ConfigError("Anthropic's messages need a limit: pass Params(max_tokens=...)")
    if params.min_p or params.logprobs is not None:
        raise CapabilityError("Anthropic's messages have no min_p and no log-probabilities: leave them out")
    system, said = turns.written(prompt.messages)
    wire: dict[str, Any] = {"model": model, "max_tokens": params.max_tokens, "messages": said}
    if system:
        wire["system"] = system
    if prompt.prefix:
        said.append({"role": "assistant", "content": prompt.prefix})
    if prompt.tools:
        wire["tools"] = [_tool(of_chat(tool)) for tool in prompt.tools]
    if params.stop:
        wire["stop_sequences"] = list(params.stop)
    plain = {"temperature": params.temperature, "top_p": params.top_p}
    wire |= {key: value for key, value in plain.items() if value != 1}
    return wire | ({"top_k": params.top_k} if params.top_k else {})


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in function.items() if key != "parameters"}
    return {**kept, "input_schema": function.get("parameters") or {"type": "object", "properties": {}}}


# ---------------------------------------------------------------- read


def read(body: Mapping[str, Any]) -> WireRequest:
    """A request. Raises `Malformed`. An assistant's turn of text at the end is the prefix to be continued."""
    fields, lost = Fields(body), list[str]()
    model = text(fields.needed("model"), "model")
    system = fields.take("system")
    messages = [turns.system(system, lost)] if system else []
    for i, turn in enumerate(objects(fields.needed("messages"), "messages")):
        messages += turns.read(turn, f"messages.{i}", lost)
    tools = _tools(fields, lost)
    with refusing("messages"):
        before, prefix = split(messages)
        prompt = Prompt(tuple(before), tools, prefix)
    return WireRequest(
        route="messages",
        body=body,
        model=model,
        prompt=prompt,
        params=fields.params(fields.whole("max_tokens", 1), fields.texts("stop_sequences"), None),
        stream=fields.flag("stream"),
        include_usage=True,
        tool_choice=fields.tool_choice(_tool_choice),
        extras=fields.rest,
        lost=tuple(lost),
    )


def _tools(fields: Fields, lost: list[str]) -> tuple[str, ...]:
    found = list[str]()
    for i, tool in enumerate(fields.objects("tools")):
        if tool.get("type") in (None, "custom"):
            found.append(as_chat(tool, "input_schema", f"tools.{i}"))
            lost += lost_keys(tool, _TOOL, f"tools.{i}")
        else:
            lost.append(f"tools.{i} ({tool['type']!s:.40})")
    return tuple(found)


def _tool_choice(value: Any) -> ToolChoice | None:
    if not isinstance(value, dict) or value.get("disable_parallel_tool_use"):
        return None
    if value.get("type") == "tool" and isinstance(value.get("name"), str):
        return ToolChoice("named", value["name"])
    return ToolChoice(_MODES[value["type"]]) if value.get("type") in ("auto", "none", "any") else None
