"""What a request says an answer must be like: what of it a search's generator can be told, and what it cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from searchkit.types import Params, Prompt
from searchkit.wire.values import WireRequest

BINDING = (
    "response_format", "tool_choice", "parallel_tool_calls", "text", "output_config", "output_format", "logit_bias",
    "functions", "function_call", "structured_outputs", "guided_json", "guided_regex", "guided_choice",
    "guided_grammar", "grammar", "json_schema", "regex", "ebnf",
)  # fmt: skip
"""Fields that say what an answer must be like, and that no prompt carries: of the four APIs, and of local servers."""
PLAIN: tuple[Any, ...] = (None, {"type": "text"}, {"format": {"type": "text"}}, {})
_FREE = {"parallel_tool_calls": True, "function_call": "auto"}  # what binds nothing
_UNNAMED = "answer"


def offered(prompt: Prompt, params: Params, asked: WireRequest, *, forms: bool) -> tuple[Prompt, Params, list[str]]:
    """What a generator is asked, with the tools that the request lets it call, and what it cannot be told of it.

    forms: whether it takes `Params.form`.
    """
    prompt, must = _callable(prompt, asked), _said(asked)
    untold = [name for name, fields in must.items() if not (forms and fields)]
    form: dict[str, Any] = {}
    for fields in must.values() if forms else ():
        form |= fields
    return prompt, replace(params, form=json.dumps(form)) if form else params, untold


def _callable(prompt: Prompt, asked: WireRequest) -> Prompt:
    choice = asked.tool_choice
    if choice is None or choice.mode not in ("none", "named"):
        return prompt
    named = [tool for tool in prompt.tools if choice.mode == "named" and _name(tool) == choice.name]
    return replace(prompt, tools=tuple(named))


def _name(tool: str) -> str:
    return str(json.loads(tool).get("function", {}).get("name"))


def _said(asked: WireRequest) -> dict[str, dict[str, Any]]:
    """Each field of the request that binds an answer, with the fields of OpenAI's chat API that say the same, if any
    do."""
    said = {name: asked.extras[name] for name in BINDING if asked.extras.get(name) not in PLAIN}
    found = {name: _in_chat(name, value) for name, value in said.items() if _FREE.get(name) != value}
    choice = asked.tool_choice
    if choice is not None and choice.mode == "required":
        found["tool_choice"] = {"tool_choice": "required"}
    if choice is not None and choice.mode == "named":
        found["tool_choice"] = {"tool_choice": {"type": "function", "function": {"name": choice.name}}}
    return found


def _in_chat(name: str, value: Any) -> dict[str, Any]:
    if name == "response_format" and isinstance(value, Mapping):
        return {name: value}
    if name == "parallel_tool_calls" and value is False:
        return {name: value}
    if name == "output_format":
        return _format(value)
    if name in ("text", "output_config") and isinstance(value, Mapping) and value.keys() == {"format"}:
        return _format(value["format"])
    return {}


def _format(value: Any) -> dict[str, Any]:
    """A format of the responses and the messages API, which write a schema beside its type."""
    if not isinstance(value, Mapping) or value.get("type") not in ("json_schema", "json_object"):
        return {}
    kind, rest = value["type"], {key: said for key, said in value.items() if key != "type"}
    schema = {kind: {"name": _UNNAMED, **rest}} if kind == "json_schema" else rest
    return {"response_format": {"type": kind, **schema}}
