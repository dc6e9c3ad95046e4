"""Requests of chat completions: written by a client, read by a server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from searchkit.types import Message, Params, Prompt
from searchkit.wire.chat import turns
from searchkit.wire.fields import Fields, mapping, objects, refusing, text
from searchkit.wire.values import ToolChoice, WireRequest

# Outside the OpenAI API: what asks vLLM and SGLang to continue the assistant's turn that stands last.
CONTINUED: Mapping[str, bool] = {"continue_final_message": True, "add_generation_prompt": False}

# ---------------------------------------------------------------- written


def render(model: str, prompt: Prompt, params: Params, seed: int) -> dict[str, Any]:
    """The body of a request, with the documented fields only."""
    wire = sampling(model, params, seed)
    wire["messages"] = [turns.message(m) for m in prompt.messages]
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


def beyond(params: Params) -> dict[str, Any]:
    """The fields outside the OpenAI API that vLLM, SGLang and llama.cpp add, of chat and of completions."""
    # Off is -1 for all of them; SGLang refuses 0.
    wire: dict[str, Any] = {"top_k": params.top_k or -1, "min_p": params.min_p}
    if params.stop:  # vLLM and SGLang: keep the stop text, which then says which stop fired
        wire |= {"include_stop_str_in_output": True, "no_stop_trim": True}
    return wire


# ---------------------------------------------------------------- read


def read(body: Mapping[str, Any]) -> WireRequest:
    """A request. Raises `Malformed`."""
    fields, lost = Fields(body), list[str]()
    model = text(fields.needed("model"), "model")
    given = objects(fields.needed("messages"), "messages")
    messages = [turns.read(turn, f"messages.{i}", i, lost) for i, turn in enumerate(given)]
    tools = read_tools(fields, lost)
    with refusing("messages"):
        prompt = _prompt(messages, tools, fields)
    limit, older = fields.whole("max_completion_tokens", 1), fields.whole("max_tokens", 1)
    options, n = fields.take("stream_options"), fields.choices()
    return WireRequest(
        route="chat",
        body=body,
        model=model,
        prompt=prompt,
        params=fields.params(older if limit is None else limit, fields.texts("stop"), _logprobs(fields)),
        seed=fields.whole("seed"),
        n=n,
        generated=fields.generated(n),
        stream=fields.flag("stream"),
        include_usage=options is not None and Fields(mapping(options, "stream_options")).flag("include_usage"),
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


def _prompt(messages: list[Message], tools: tuple[str, ...], fields: Fields) -> Prompt:
    prefix = ""
    if fields.rest.get("continue_final_message") is True:
        messages, prefix = turns.split(messages)
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
