"""What an answer must be like, in the words of each API, as a form: response format, tool choice, parallel calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from searchkit.kinds import told
from searchkit.serving.server.refusing import Refusal
from searchkit.wire import ToolChoice, WireRequest


def form_of(request: WireRequest) -> tuple[dict[str, Any], set[str]]:
    """The fields of a form, see `Params.form`, and those of the request that they came from.

    Raises `Refusal` for a tool choice in no common words.
    """
    form, heard = dict[str, Any](), set[str]()
    if request.tool_choice is not None and request.tool_choice.mode != "auto":
        form["tool_choice"] = _tool_choice(request.tool_choice)
    elif "tool_choice" in request.extras:
        raise Refusal(
            400, "this tool_choice is not passed on: name a function, or say auto or none", param="tool_choice"
        )
    if (said := request.extras.get("parallel_tool_calls")) is not None:
        heard.add("parallel_tool_calls")
        if not isinstance(said, bool):
            raise Refusal(400, f"parallel_tool_calls is true or false, got {told(said)}", param="parallel_tool_calls")
        if not said:
            form["parallel_tool_calls"] = False
    field = _FORMATS[request.route]
    if field in request.extras:
        found = _format(request.extras[field], field)
        heard.add(field)
        if not isinstance(found.get("type"), str):
            why = f'{field} has a type, such as "json_schema", got {told(found.get("type"))}'
            raise Refusal(400, why, param=field)
        if found["type"] != "text":
            form["response_format"] = found
    return form, heard


_FORMATS: Mapping[str, str] = {
    "chat": "response_format",
    "completions": "response_format",
    "responses": "text",
    "messages": "output_config",
}


def _tool_choice(choice: ToolChoice) -> Any:
    return {"type": "function", "function": {"name": choice.name}} if choice.mode == "named" else choice.mode


def _format(said: Any, field: str) -> dict[str, Any]:
    """OpenAI's chat format of what the field says. Responses and messages have the schema one level higher."""
    if not isinstance(said, Mapping):
        raise Refusal(400, f"{field} is an object", param=field)
    if field == "response_format":
        return dict(said)
    rest = {key: value for key, value in said.items() if key != "format" and value is not None}
    rest = {key: value for key, value in rest.items() if (key, value) != ("verbosity", "medium")}
    if rest:
        raise Refusal(400, f"{field}.{next(iter(rest)):.80} is not passed on to a search: leave it out", param=field)
    found = said.get("format") or {"type": "text"}
    if not isinstance(found, Mapping):
        raise Refusal(400, f"{field}.format is an object", param=field)
    if found.get("type") != "json_schema":
        return dict(found)
    schema = {key: value for key, value in found.items() if key != "type" and value is not None}
    return {"type": "json_schema", "json_schema": {"name": "answer", **schema}}
