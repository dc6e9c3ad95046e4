"""Deltas put together: what the official client's own stream accumulates of the same events."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from searchkit.agents.upstream import http_module
from searchkit.wire import Malformed, events, reader
from searchkit.wire.joining import Joined

DELTAS: dict[str, list[dict[str, Any]]] = {
    "function_call": [
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a"'}},
        {"function_call": {"arguments": ": 1}"}},
    ],
    "function_call, its name in pieces": [
        {"function_call": {"name": "look", "arguments": None}},
        {"function_call": {"name": "_up"}},
        {"function_call": {"arguments": "{"}},
        {"function_call": {"arguments": "}"}},
    ],
    "audio": [
        {"role": "assistant", "audio": {"id": "audio_1", "transcript": "He"}},
        {"audio": {"transcript": "llo", "data": "UklG"}},
        {"audio": {"data": "RgAA"}},
        {"audio": {"expires_at": 1700000000}},
    ],
    "unknown, nested": [
        {"content": "a", "own": {"deep": {"text": "x", "list": [1]}, "flag": True}},
        {"content": "b", "own": {"deep": {"text": "y", "list": [2, 3]}}},
    ],
    "a list by index": [
        {"blocks": [{"index": 0, "type": "t", "text": "a"}, {"index": 1, "type": "t", "text": "b"}]},
        {"blocks": [{"index": 1, "text": "d"}, {"index": 0, "text": "c"}]},
    ],
    "a list without": [{"content": "a", "notes": ["one"]}, {"notes": ["two"]}],
    "reasoning": [{"reasoning_content": "hm"}, {"reasoning_content": " so"}, {"content": "42"}],
}


def chunks(deltas: list[dict[str, Any]], **more: Any) -> bytes:
    deltas = [{"role": "assistant", **deltas[0]}, *deltas[1:]]
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    ends = [None] * len(deltas) + ["stop"]
    said = [
        {**head, **more, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
        for delta, end in zip([*deltas, {}], ends, strict=True)
    ]
    return b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in said) + b"data: [DONE]\n\n"


def official(sent: bytes) -> dict[str, Any]:
    """The message that the official client puts together."""
    http, kind = http_module(), {"content-type": "text/event-stream"}
    transport = http.MockTransport(lambda _: http.Response(200, content=sent, headers=kind))
    with (
        openai.OpenAI(base_url="http://h/v1", api_key="k", http_client=http.Client(transport=transport)) as api,
        api.chat.completions.stream(model="m", messages=[{"role": "user", "content": "q"}]) as stream,
    ):
        return stream.get_final_completion().choices[0].message.model_dump(exclude_none=True)


def collected(sent: bytes) -> dict[str, Any]:
    stream = reader("chat")
    stream.feed(sent)
    return stream.answer()


@pytest.mark.parametrize("name", DELTAS)
def test_what_the_official_client_accumulates(name: str) -> None:
    """Of the server's stream, and of ours, which the agent is sent."""
    sent = chunks(DELTAS[name])
    answer = collected(sent)
    wanted = official(sent)
    message = answer["choices"][0]["message"]
    assert {key: value for key, value in message.items() if value is not None} == wanted
    assert official(b"".join(events("chat", answer))) == wanted


def test_an_id_in_every_piece_is_one() -> None:
    """Where the official client repeats it."""
    deltas = [{"audio": {"id": "a1", "type": "t", "data": piece}} for piece in ("x", "y")]
    assert collected(chunks(deltas))["choices"][0]["message"]["audio"] == {"id": "a1", "type": "t", "data": "xy"}


def test_what_stands_beside_the_choices_is_kept() -> None:
    """Citations, say, and what a filter says of a choice."""
    answer = collected(chunks([{"content": "a"}], citations=["https://example.com"]))
    assert answer["citations"] == ["https://example.com"]
    sent = b"".join(events("chat", answer))
    assert collected(sent) == answer
    assert sent.count(b"citations") == 1


def test_depth_and_kinds_are_no_harm() -> None:
    deep: Any = "x"
    for _ in range(300):
        deep = {"a": deep}
    with pytest.raises(Malformed, match="nested"):
        Joined().take(deep)
    joined = Joined()
    for piece in ({"a": "x"}, {"a": {"b": 1}}, {"a": None}, {"a": [1]}, {"a": [None, {"index": True}]}, {"a": 3}):
        joined.take(piece)
    assert joined.whole() == {"a": 3}
    for piece in ({"a": "x"}, {"a": "y"}, {"a": None}):
        joined.take(piece)
    assert joined.whole() == {"a": "xy"}
