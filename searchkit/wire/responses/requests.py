"""Requests of the responses API: written by a client, read by a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from searchkit.errors import CapabilityError, NeedsPrefix
from searchkit.types import Message, Params, Prompt, Text
from searchkit.wire.errors import Malformed
from searchkit.wire.fields import Fields, objects, refusing, text
from searchkit.wire.responses import items
from searchkit.wire.tools import as_chat, lost_keys, of_chat
from searchkit.wire.values import ToolChoice, WireRequest

LOGPROBS = "message.output_text.logprobs"  # what `include` says to get them
EARLIER = ("previous_response_id", "conversation", "prompt")  # the turns before, kept by the server
_TOOL = frozenset({"name", "description", "parameters", "strict", "type"})
# What chat leaves out of a function, and this API needs; here functions are strict unless they say otherwise.
_PLAIN = {"type": "function", "parameters": {"type": "object", "properties": {}}, "strict": False}

# ---------------------------------------------------------------- written


def render(model: str, prompt: Prompt, params: Params) -> dict[str, Any]:
    """The body of a request. Raises `CapabilityError` for what it does not have: stop strings, top_k, min_p, and
    (`NeedsPrefix`) a turn to be continued."""
    if prompt.prefix:
        raise NeedsPrefix("the responses API continues no assistant turn: use chat with a server that does")
    if params.stop or params.top_k or params.min_p:
        raise CapabilityError(
            "the responses API has no stop strings, no top_k and no min_p: leave them out, or use chat"
        )
    wire: dict[str, Any] = {"model": model, "temperature": params.temperature, "top_p": params.top_p}
    if params.max_tokens is not None:
        wire["max_output_tokens"] = params.max_tokens
    wire["input"] = items.written(prompt.messages)
    if prompt.tools:
        wire["tools"] = [{**_PLAIN, **of_chat(tool)} for tool in prompt.tools]
    if params.logprobs is not None:
        wire |= {"top_logprobs": params.logprobs, "include": [LOGPROBS]}
    return wire


# ---------------------------------------------------------------- read


def read(body: Mapping[str, Any]) -> WireRequest:
    """A request. Raises `Malformed`. Its instructions are the first message; turns that its server keeps are lost."""
    fields, lost = Fields(body), list[str]()
    if body.get("prompt") and not body.get("model"):
        raise Malformed("only its server knows which model a stored prompt asks: say model= as well", "model")
    model = text(fields.needed("model"), "model")
    messages = _messages(fields, lost)
    tools = _tools(fields, lost)
    fields.take("stream_options")
    with refusing("input"):
        prompt = Prompt(tuple(messages), tools)
    return WireRequest(
        route="responses",
        body=body,
        model=model,
        prompt=prompt,
        params=fields.params(fields.whole("max_output_tokens", 1), (), _logprobs(fields)),
        stream=fields.flag("stream"),
        include_usage=True,
        tool_choice=fields.tool_choice(_tool_choice),
        extras=fields.rest,
        lost=tuple(lost),
    )


def _messages(fields: Fields, lost: list[str]) -> list[Message]:
    reader, instructions, given = items.Reader(lost), fields.take("instructions"), fields.take("input")
    if instructions:
        reader.take({"role": "system", "content": instructions}, "instructions")
    for key in (key for key in EARLIER if fields.rest.get(key)):
        lost.append(f"{key} (earlier turns)")
        reader.add(Message("user", (Text("[earlier turns]"),)))
    if isinstance(given, str):
        reader.take({"role": "user", "content": given}, "input")
    elif given is not None:
        for i, item in enumerate(objects(given, "input")):
            reader.take(item, f"input.{i}")
    elif not lost:
        raise Malformed("the request has no 'input'", "input")
    return reader.messages()


def _logprobs(fields: Fields) -> int | None:
    included = fields.rest.get("include")
    if not isinstance(included, list) or LOGPROBS not in included:
        return None
    others = [entry for entry in included if entry != LOGPROBS]
    fields.rest.pop("include") if not others else fields.rest.update(include=others)
    return fields.whole("top_logprobs", 0) or 0


def _tools(fields: Fields, lost: list[str]) -> tuple[str, ...]:
    found = list[str]()
    for i, tool in enumerate(fields.objects("tools")):
        if tool.get("type") == "function":
            plain = {key: value for key, value in tool.items() if (key, value) != ("strict", False)}  # as chat has it
            found.append(as_chat(plain, "parameters", f"tools.{i}"))
            lost += lost_keys(tool, _TOOL, f"tools.{i}")
        else:
            lost.append(f"tools.{i} ({tool.get('type')!s:.40})")
    return tuple(found)


def _tool_choice(value: Any) -> ToolChoice | None:
    if value in ("auto", "none", "required"):
        return ToolChoice(value)
    named = isinstance(value, dict) and value.get("type") == "function" and isinstance(value.get("name"), str)
    return ToolChoice("named", value["name"]) if named else None
