"""Requests of chat completions: written by a client, read by a server.

An assistant's reasoning is read, but not sent back: servers differ in whether they take it, and most templates drop it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from searchkit.types import Image, Message, Params, Prompt, Text
from searchkit.wire.fields import Fields, clean, mapping, objects, refusing, text
from searchkit.wire.values import ToolChoice, WireRequest

HINTS = {"annotations", "cache_control", "id"}  # they change nothing of what the model reads

# ---------------------------------------------------------------- written


def render(model: str, prompt: Prompt, params: Params, seed: int) -> dict[str, Any]:
    """The body of a request, with the documented fields only."""
    wire = sampling(model, params, seed)
    wire["messages"] = [message(m) for m in prompt.messages]
    if prompt.prefix:
        wire["messages"].append({"role": "assistant", "content": prompt.prefix})
    if prompt.tools:
        wire["tools"] = [json.loads(tool) for tool in prompt.tools]
    if params.logprobs is not None:
        wire |= {"logprobs": True, "top_logprobs": params.logprobs}
    return wire


def sampling(model: str, params: Params, seed: int) -> dict[str, Any]:
    """What requests of chat and of completions have in common."""
    wire: dict[str, Any] = {"model": model, "temperature": params.temperature, "top_p": params.top_p, "seed": seed}
    if params.max_tokens is not None:
        wire["max_tokens"] = params.max_tokens
    if params.stop:
        wire["stop"] = list(params.stop)
    return wire


def beyond(prompt: Prompt, params: Params) -> dict[str, Any]:
    """The fields outside the OpenAI API: `beyond_sampling`, and what asks to continue the assistant turn."""
    wire = beyond_sampling(params)
    if prompt.prefix:
        wire |= {"continue_final_message": True, "add_generation_prompt": False}
    return wire


def beyond_sampling(params: Params) -> dict[str, Any]:
    """The sampling fields that vLLM, SGLang and llama.cpp add, of chat and of completions."""
    # Off is -1 for all of them; SGLang refuses 0.
    wire: dict[str, Any] = {"top_k": params.top_k or -1, "min_p": params.min_p}
    if params.stop:  # vLLM and SGLang: keep the stop text, which then says which stop fired
        wire |= {"include_stop_str_in_output": True, "no_stop_trim": True}
    return wire


def message(turn: Message) -> dict[str, Any]:
    """One turn."""
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


def read(body: Mapping[str, Any]) -> WireRequest:
    """A request. Raises `Malformed`."""
    fields, lost = Fields(body), list[str]()
    model = text(fields.needed("model"), "model")
    turns = objects(fields.needed("messages"), "messages")
    messages = [_turn(turn, f"messages.{i}", i, lost) for i, turn in enumerate(turns)]
    tools = read_tools(fields, lost)
    with refusing("messages"):
        prompt = _prompt(messages, tools, fields)
    limit, older = fields.whole("max_completion_tokens", 1), fields.whole("max_tokens", 1)
    options = fields.take("stream_options")
    return WireRequest(
        route="chat",
        body=body,
        model=model,
        prompt=prompt,
        params=fields.params(older if limit is None else limit, fields.texts("stop"), _logprobs(fields)),
        seed=fields.whole("seed"),
        n=fields.choices(),
        stream=fields.flag("stream"),
        include_usage=options is not None and bool(mapping(options, "stream_options").get("include_usage")),
        tool_choice=fields.tool_choice(_tool_choice),
        extras=fields.rest,
        lost=tuple(lost),
    )


def read_tools(fields: Fields, lost: list[str]) -> tuple[str, ...]:
    """The functions among the tools, as texts; other tools are `lost`."""
    found = list[str]()
    for i, tool in enumerate(fields.objects("tools")):
        if tool.get("type") == "function":
            text(mapping(tool.get("function"), f"tools.{i}.function").get("name"), f"tools.{i}.function.name")
            found.append(json.dumps(tool))
        else:
            lost.append(f"tools.{i} ({tool.get('type')!s:.40})")
    return tuple(found)


def split(messages: list[Message]) -> tuple[list[Message], str]:
    """The turns before the last one and its text, if an assistant said it, and nothing but text; else all, and ""."""
    last = messages[-1] if len(messages) > 1 else None
    if last is None or last.role != "assistant" or last.tool_calls or last.reasoning:
        return messages, ""
    plain = all(isinstance(part, Text) for part in last.parts)
    return (messages[:-1], last.text) if plain and last.text else (messages, "")


def _prompt(messages: list[Message], tools: tuple[str, ...], fields: Fields) -> Prompt:
    prefix = ""
    if fields.rest.get("continue_final_message") is True:
        messages, prefix = split(messages)
    for key in ("continue_final_message", "add_generation_prompt") if prefix else ():
        fields.take(key)
    return Prompt(tuple(messages), tools, prefix)


def _logprobs(fields: Fields) -> int | None:
    return fields.whole("top_logprobs", 0) or 0 if fields.flag("logprobs") else None


def _tool_choice(value: Any) -> ToolChoice | None:
    if value in ("auto", "none", "required"):
        return ToolChoice(value)
    function = value.get("function") if isinstance(value, dict) and value.get("type") == "function" else None
    name = function.get("name") if isinstance(function, dict) else None
    return ToolChoice("named", name) if isinstance(name, str) else None


def _turn(turn: dict[str, Any], where: str, index: int, lost: list[str]) -> Message:
    """A message, of which only what `Message.of` takes is handed to it; the rest is `lost`."""
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
    found = [call for call in calls if call.get("type", "function") == "function"]
    others = [(i, call) for i, call in enumerate(calls) if call not in found]
    lost += [f"{where}.tool_calls.{i} ({call['type']!s:.40})" for i, call in others]
    return found


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
