"""Which requests ask the same, and what is sent on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from searchkit.wire import PATHS, Route, WireRequest, amended, content, parse, route_of

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_9", "type": "function", "function": {"name": "f", "arguments": '{"id": 1}'}},
                {"id": "call_7", "type": "function", "function": {"name": "f", "arguments": '{"id": 2}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_7", "content": "two"},
        {"role": "tool", "tool_call_id": "call_9", "content": "one"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "id": "a"}}}],
    "temperature": 0.5,
}
RESPONSES: dict[str, Any] = {
    "model": "m",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "message", "id": "msg_9", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": "a"}]},
        {"type": "function_call", "id": "fc_9", "call_id": "call_9", "name": "f", "arguments": '{"id": 1}'},
        {"type": "function_call_output", "call_id": "call_9", "output": "one"},
        {"type": "item_reference", "id": "rs_9"},
    ],
}  # fmt: skip
MESSAGES: dict[str, Any] = {
    "model": "m",
    "max_tokens": 5,
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_9", "name": "f", "input": {"id": "toolu_9"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_9", "content": "one"}]},
    ],
}
ALL: dict[Route, dict[str, Any]] = {
    "chat": CHAT,
    "completions": {"model": "m", "prompt": "Hi"},
    "responses": RESPONSES,
    "messages": MESSAGES,
}


def read(route: Route, body: dict[str, Any]) -> WireRequest:
    return parse(route, json.dumps(body).encode())


def renamed(body: dict[str, Any]) -> dict[str, Any]:
    """The same request with other ids of calls and items."""
    found: dict[str, Any] = json.loads(
        json.dumps(body)
        .replace('"call_9', '"x')
        .replace('"call_7', '"y')
        .replace('id": "toolu_9', 'id": "t')
        .replace('"msg_9', '"m')
        .replace('"fc_', '"c')
    )
    return found


@pytest.mark.parametrize("route", ALL)
def test_who_asks_and_ids_are_no_content(route: Route) -> None:
    """user, metadata, delivery, cache marks, null, the order of keys, and what calls and items are called."""
    body = ALL[route]
    aside = {"user": "me", "metadata": {"a": "b"}, "stream": True, "service_tier": "flex", "n": None}
    wanted = content(read(route, body))
    assert content(read(route, {**body, **aside})) == wanted
    assert content(read(route, dict(reversed(body.items())))) == wanted
    other = renamed(body)
    if route == "messages":  # an input that happens to be an id is content: put it back
        other["messages"][1]["content"][0]["input"] = body["messages"][1]["content"][0]["input"]
    assert other != body or route == "completions"
    assert content(read(route, other)) == wanted


@pytest.mark.parametrize("route", ALL)
@pytest.mark.parametrize(
    "change", [{"model": "o"}, {"temperature": 0.25}, {"seed": 3}, {"n": 2}, {"stop": ["a"]}, {"later": True}]
)
def test_what_is_asked_is_content(route: Route, change: dict[str, Any]) -> None:
    """Model and sampling, known to us or not."""
    assert content(read(route, {**ALL[route], **change})) != content(read(route, ALL[route]))


def test_every_change_of_the_conversation_is_content() -> None:
    """Each leaf of messages and tools, but for the ids; and which answer belongs to which call."""
    for route, key in (("chat", "messages"), ("chat", "tools"), ("responses", "input"), ("messages", "messages")):
        body = ALL[route]  # type: ignore[index]
        for path, value in leaves(body[key]):
            if path[-1] in ("id", "call_id", "tool_call_id", "tool_use_id", "status") and value != "a":
                continue
            if "cache_control" in path or value is None:
                continue
            other = json.loads(json.dumps(body))
            held = other[key]
            for step in path[:-1]:
                held = held[step]
            held[path[-1]] = "user" if value == "assistant" else f"{value} "
            try:
                found = content(read(route, other))  # type: ignore[arg-type]
            except ValueError:
                continue  # no such role, or type
            assert found != content(read(route, body)), path  # type: ignore[arg-type]
    other = json.loads(json.dumps(CHAT))
    other["messages"][2]["tool_call_id"], other["messages"][3]["tool_call_id"] = "call_9", "call_7"
    assert content(read("chat", other)) != content(read("chat", CHAT))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, (dict, list)):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, inner in entries for leaf in leaves(inner, (*path, key))]
    return [(path, value)]


def test_a_reference_to_an_item_is_content() -> None:
    """Its id is all that it says; earlier turns kept by the server, too."""
    other = json.loads(json.dumps(RESPONSES))
    other["input"][-1]["id"] = "rs_8"
    assert content(read("responses", other)) != content(read("responses", RESPONSES))
    ids = [content(read("responses", {**RESPONSES, "previous_response_id": id})) for id in ("resp_1", "resp_2")]
    assert ids[0] != ids[1]


@pytest.mark.parametrize("route", ALL)
def test_a_request_is_sent_on_as_it_came(route: Route) -> None:
    """But for what was decided; the request itself stays as it is."""
    body = {**ALL[route], "later": {"a": [1, None]}, "user": "me"}
    request = read(route, body)
    assert amended(request) == body
    limit = "max_output_tokens" if route == "responses" else "max_tokens"
    changed = amended(request, seed=7, max_tokens=3)
    assert changed == {**body, limit: 3, **({"seed": 7} if route in ("chat", "completions") else {})}
    assert read(route, changed).params.max_tokens == 3
    assert request.body == body


def test_the_limit_keeps_its_name() -> None:
    """The one that the request has; where it has none, the one that the server knows."""
    for said, official, wanted in (
        ({"max_completion_tokens": 9}, False, "max_completion_tokens"),
        ({"max_tokens": 9}, True, "max_tokens"),
        ({"max_tokens": None}, True, "max_completion_tokens"),
        ({}, True, "max_completion_tokens"),
        ({}, False, "max_tokens"),
    ):
        sent = amended(read("chat", {**CHAT, **said}), max_tokens=3, official=official)
        assert {key: sent[key] for key in ("max_tokens", "max_completion_tokens") if sent.get(key)} == {wanted: 3}
    both = {**CHAT, "max_tokens": 9, "max_completion_tokens": 8}  # nobody knows which one a server takes
    assert amended(read("chat", both), max_tokens=3) == {**CHAT, "max_tokens": 3, "max_completion_tokens": 3}


def test_streams_are_counted() -> None:
    """Asked for with the usage, other options kept; a whole answer without options, which servers refuse."""
    asked = read("chat", {**CHAT, "stream": True, "stream_options": {"later": 1}})
    options = {"later": 1, "include_usage": True}
    assert amended(asked, stream=True) == {**asked.body, "stream_options": options}
    assert amended(asked, stream=False) == {**CHAT, "stream": False}
    assert amended(read("messages", MESSAGES), stream=True) == {**MESSAGES, "stream": True}
    assert amended(read("responses", RESPONSES), stream=True) == {**RESPONSES, "stream": True}


def test_routes_are_told_by_the_end_of_the_path() -> None:
    """With whatever stands before, and a query behind."""
    for route, path in PATHS.items():
        assert route_of(f"/v1{path}") == route_of(f"/r/token/v1{path}/") == route_of(f"/v1{path}?beta=true") == route
    for other in ("/v1/models", "/v1/embeddings", "/v1/chat", "/", "", "/v1/messages/count_tokens", "/xmessages"):
        assert route_of(other) is None
