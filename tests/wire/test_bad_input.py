"""What strangers send: each kind of bad request, answer and stream is a typed error, quickly, and nothing else."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.types import Params
from searchkit.wire import (
    PATHS,
    Malformed,
    Reported,
    Route,
    TooLarge,
    Truncated,
    WireError,
    answer,
    events,
    parse,
    reader,
    samples,
)
from searchkit.wire.fields import LARGEST, MOST_PARTS, read_request
from tests.helpers import wire_cases as cases

ROUTES: list[Route] = list(PATHS)
GOOD: dict[Route, dict[str, Any]] = {
    "chat": {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    "completions": {"model": "m", "prompt": "Hi"},
    "responses": {"model": "m", "input": "Hi"},
    "messages": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
}
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def request(route: Route, **change: Any) -> bytes:
    return json.dumps({**GOOD[route], **change}).encode()


def sent(route: Route) -> bytes:
    said = answer(parse(route, request(route)), [cases.SAMPLES["text"]], id="a", created=1)
    return b"".join(events(route, said))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"model": "m"',
        b"\xff{}",
        b'{"model": "\xe2\x98"}',
        '{"model": "m"}'.encode("utf-16"),
        b'{"model": NaN}',
        b'{"model": Infinity}',
        b'{"model": "m", "x": 1e999}',
        b'{"model": "m", "x": ' + b"9" * 5000 + b"}",
        b'{"model": "m", "x": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"model": "m", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model": "m", "x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b"[" * 100_000,
        b"<html>Not JSON</html>",
        b"model=m&stream=true",
    ],
)
def test_bodies_that_are_no_request(route: Route, raw: bytes) -> None:
    """400, with a sentence."""
    with pytest.raises(Malformed) as caught:
        parse(route, raw)
    assert caught.value.status == 400
    assert 0 < len(str(caught.value)) < 500


@pytest.mark.parametrize("route", ROUTES)
def test_bodies_that_are_too_large(route: Route) -> None:
    """413, before anything of it is read."""
    with pytest.raises(TooLarge, match="at most 10 are read") as caught:
        parse(route, request(route), largest=10)
    assert caught.value.status == 413
    with pytest.raises(TooLarge):
        parse(route, b"x" * (LARGEST + 1))


@pytest.mark.parametrize("route", ROUTES)
def test_a_byte_order_mark_and_any_spaces_are_no_harm(route: Route) -> None:
    """As Windows programs write them."""
    spaced = b"\xef\xbb\xbf \r\n" + json.dumps(GOOD[route], indent=2).encode() + b"\n\n"
    assert parse(route, spaced) == parse(route, request(route))


WRONG: list[dict[str, Any]] = [
    {"model": None},
    {"model": 3},
    {"stream": "yes"},
    {"stream": 1},
    {"temperature": "hot"},
    {"temperature": True},
    {"top_p": [1]},
    {"top_k": 1.5},
    {"min_p": "0"},
]
WRONG_OF: dict[Route, list[dict[str, Any]]] = {
    "chat": [
        {"n": 0}, {"n": 10**9}, {"n": "2"}, {"n": True}, {"seed": "7"}, {"seed": 1.5}, {"stop": 3}, {"stop": [3]},
        {"stop": ""}, {"stop": ["a", ""]}, {"stop": {}}, {"max_tokens": "9"}, {"max_tokens": 1.5}, {"logprobs": 3},
        {"logprobs": True, "top_logprobs": "2"}, {"stream_options": True}, {"tools": {}}, {"tools": ["f"]},
        {"tools": [{"type": "function"}]}, {"tools": [{"type": "function", "function": {"name": 3}}]},
        {"messages": None}, {"messages": {}}, {"messages": "Hi"}, {"messages": ["Hi"]}, {"messages": []},
        {"messages": [{"role": "user", "content": ""}]}, {"messages": [{"content": "Hi"}]},
        {"messages": [{"role": "human", "content": "Hi"}]}, {"messages": [{"role": ["user"], "content": "Hi"}]},
        {"messages": [{"role": "user", "content": 3}]}, {"messages": [{"role": "user", "content": {"type": "text"}}]},
        {"messages": [{"role": "user", "content": ["Hi"]}]}, {"messages": [{"role": "user", "content": [{}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 3}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 3}}]}]},
        {"messages": [{"role": "user", "content": [{"type": 3}]}]},
        {"messages": [{"role": "tool", "content": "x"}]}, {"messages": [{"role": "tool", "tool_call_id": 3}]},
        {"messages": [{"role": "assistant", "tool_calls": {"id": "a"}}]},
        {"messages": [{"role": "assistant", "tool_calls": [3]}]}, {"tools": ""},
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f"}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
        {"messages": [{"role": "assistant", "content": "a", "reasoning_content": 3}]},
    ],
    "completions": [{"prompt": None}, {"prompt": 3}, {"prompt": ""}, {"n": 0}, {"logprobs": True}, {"logprobs": "2"}],
    "responses": [
        {"input": 3}, {"input": {}}, {"input": [3]}, {"input": [{"role": "tool", "content": "x"}]}, {"input": ""},
        {"input": [{"role": "user"}]}, {"input": [{"role": 3, "content": "x"}]}, {"input": [{"type": 3}]},
        {"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, {"instructions": 3},
        {"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": {}}]},
        {"input": [{"type": "function_call_output", "output": "x"}]}, {"max_output_tokens": "9"},
        {"input": [{"type": "function_call_output", "call_id": "a", "output": 3}]},
        {"input": [{"type": "reasoning", "summary": [{"text": 3}]}]}, {"tools": [{"type": "function"}]},
        {"tools": [{"type": "function", "name": "f", "parameters": []}]},
    ],
    "messages": [
        {"max_tokens": "9"}, {"stop_sequences": [""]}, {"system": 3}, {"system": [{"type": "text"}]},
        {"messages": []}, {"messages": [3]}, {"messages": [{"role": "user"}]}, {"messages": [{"role": "tool"}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": 3}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": 3}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}]},
        {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f"}]}]},
        {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": 3, "name": "f", "input": {}}]}]},
        {"messages": [{"role": "assistant", "content": [{"type": "thinking"}]}]},
        {"tools": [{"input_schema": {}}]}, {"tools": [{"name": "f", "input_schema": 3}]},
    ],
}  # fmt: skip


@pytest.mark.parametrize(("route", "change"), [(r, c) for r in ROUTES for c in [*WRONG, *WRONG_OF[r]]])
def test_fields_of_another_kind(route: Route, change: dict[str, Any]) -> None:
    """Each is told, in a sentence that says where."""
    with pytest.raises(Malformed) as caught:
        parse(route, request(route, **change))
    assert caught.value.param is not None
    assert 0 < len(str(caught.value)) < 500


@pytest.mark.parametrize("route", ROUTES)
@given(data=st.data())
def test_whatever_a_field_holds(route: Route, data: st.DataObject) -> None:
    """It is read, or refused; no other exception comes out, and what is read can be sent on."""
    names = [*GOOD[route], "temperature", "stop", "tools", "tool_choice", "n", "stream_options", "system", "metadata"]
    change = data.draw(st.dictionaries(st.sampled_from(names), junk, max_size=3))
    try:
        found = parse(route, request(route, **change))
    except WireError:
        return
    json.dumps(dict(found.body), allow_nan=False)


@pytest.mark.parametrize("route", ROUTES)
@given(data=st.data())
def test_whatever_an_answer_holds(route: Route, data: st.DataObject) -> None:
    """It is samples, or a ValueError; events, or an error of ours."""
    good = answer(parse(route, request(route)), [cases.SAMPLES["calls"]], id="a", created=1)
    names = st.sampled_from(sorted(good)) | st.sampled_from(["error", "content", "choices", "output", "usage"])
    value: Any = data.draw(junk | st.dictionaries(names, junk, max_size=3).map(lambda change: {**good, **change}))
    with contextlib.suppress(ValueError):
        assert samples(route, value, Params())
    with contextlib.suppress(WireError):
        assert all(event.endswith(b"\n\n") for event in events(route, value))


@pytest.mark.parametrize("route", ROUTES)
@given(data=st.data())
def test_whatever_an_event_holds(route: Route, data: st.DataObject) -> None:
    """Bytes or JSON of any kind within a good stream: an answer, or an error of ours."""
    parts = sent(route).split(b"\n\n")
    at = data.draw(st.integers(0, len(parts) - 1))
    bad = data.draw(junk.map(lambda value: b"data: " + json.dumps(value).encode()) | st.binary(max_size=9))
    stream = reader(route)
    with contextlib.suppress(WireError):
        stream.feed(b"\n\n".join([*parts[:at], bad, *parts[at:]]))
        stream.answer()


@pytest.mark.parametrize("route", ROUTES)
@given(data=st.data())
def test_a_field_of_an_event_changed(route: Route, data: st.DataObject) -> None:
    """Any value anywhere in any event replaced by junk: an answer, or an error of ours."""
    parts = [part for part in sent(route).split(b"\n\n") if b"data: {" in part]
    at = data.draw(st.integers(0, len(parts) - 1))
    value = json.loads(parts[at].split(b"data: ")[1])
    held: Any = value
    while True:
        key = data.draw(st.sampled_from(sorted(held) if isinstance(held, dict) else range(len(held))))
        if not (isinstance(held[key], (dict, list)) and held[key]) or data.draw(st.booleans()):
            break
        held = held[key]
    held[key] = data.draw(junk)
    parts[at] = b"data: " + json.dumps(value).encode()
    stream = reader(route)
    with contextlib.suppress(ValueError):
        stream.feed(b"\n\n".join(parts) + b"\n\n")
        samples(route, stream.answer(), Params())


@pytest.mark.parametrize("route", ROUTES)
def test_streams_without_an_end(route: Route) -> None:
    """Empty, comments alone, one endless line, an index from nowhere: bounded, and told."""
    stream = reader(route)
    stream.feed(b"")
    stream.feed(b": ping\n\n" * 1000)
    with pytest.raises(Truncated):
        stream.answer()
    stream = reader(route, event_limit=1000)
    with pytest.raises(Malformed, match="longer than 1000 bytes"):
        list(map(stream.feed, [b"x" * 300] * 10))
    with pytest.raises(Malformed):  # it stays broken
        stream.feed(b"\n\ndata: {}\n\n")
    with pytest.raises(Malformed):
        stream.answer()


def test_a_stream_of_comments_is_not_read_for_ever() -> None:
    """No event, so no event too long; all of it is too much."""
    stream, pieces = reader("chat"), [b": " + b"x" * 2**20 + b"\n"] * 70
    with pytest.raises(Malformed, match="stream is longer"):
        list(map(stream.feed, pieces))


@pytest.mark.parametrize("index", [-1, 10**9, "0", 1.5, True])
def test_indices_from_nowhere(index: Any) -> None:
    """A choice, a call or a block is a small number."""
    for route, value in (
        ("chat", {"choices": [{"index": index, "delta": {"content": "x"}}]}),
        ("chat", {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": index}]}}]}),
        ("completions", {"choices": [{"index": index, "text": "x"}]}),
        ("messages", {"type": "content_block_start", "index": index, "content_block": {}}),
        ("responses", {"type": "response.output_item.done", "output_index": index, "item": {}}),
    ):
        stream = reader(route)  # type: ignore[arg-type]
        with pytest.raises(Malformed, match="index"):
            stream.feed(b"data: " + json.dumps(value).encode() + b"\n\n")


@pytest.mark.parametrize("route", ROUTES)
def test_an_error_instead_of_a_stream(route: Route) -> None:
    """As servers send it where the answer should begin: a flat text, or an object."""
    for error in ({"message": "out of\n memory", "code": 500}, "out of  memory"):
        stream = reader(route)
        with pytest.raises(Reported, match=r"^out of memory$"):
            stream.feed(b"data: " + json.dumps({"error": error}).encode() + b"\n\n")


@pytest.mark.parametrize("route", ROUTES)
def test_half_of_a_surrogate_pair(route: Route) -> None:
    """JSON can spell it; no file and no server takes it. The body keeps it, as it came."""
    raw = request(route).replace(b'"Hi"', b'"Hi \\ud83d there"')
    found = parse(route, raw)
    assert found.prompt.text == "Hi ? there"
    assert json.dumps(found.body) == json.dumps(json.loads(raw))


def test_reading_takes_linear_time() -> None:
    """8 MiB in pieces of 32 bytes: what copied or searched all that it has at each would never end."""
    stream, size = reader("chat"), 2**23
    stream.feed(b'data: {"choices": [{"index": 0, "finish_reason": "stop", "delta": {"content": "')
    for _ in range(size // 32):
        stream.feed(b"x" * 32)
    stream.feed(b'"}}]}\n\n')
    assert len(stream.answer()["choices"][0]["message"]["content"]) == size


@pytest.mark.parametrize("route", ["chat", "responses", "messages"])
def test_many_calls_take_linear_time(route: Route) -> None:
    """Tens of thousands in one turn, as many of another kind behind: what compared all pairs would never end."""
    many = range(40_000)
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    item = {"type": "function_call", "name": "f", "arguments": "{}"}
    block = {"type": "tool_use", "name": "f", "input": {}}
    calls = [*({**call, "id": f"{i}"} for i in many), *({"type": "other", "n": i} for i in many)]
    change: dict[str, Any] = {
        "chat": {"messages": [{"role": "assistant", "tool_calls": calls}]},
        "responses": {"input": [{**item, "call_id": f"{i}"} for i in many]},
        "messages": {"messages": [{"role": "assistant", "content": [{**block, "id": f"{i}"} for i in many]}]},
    }[route]
    found = parse(route, request(route, **change))
    assert [len(turn.tool_calls) for turn in found.prompt.messages] == [len(many)]


@pytest.mark.parametrize(
    "part", [b"[],", b"{},", b'{"a":1},', b"[[[[]]]],"], ids=["lists", "objects", "keys", "nested"]
)
@pytest.mark.parametrize("closed", [True, False])
def test_a_request_of_many_small_parts_is_not_read(part: bytes, closed: bool) -> None:
    """A few megabytes of them would hold an interpreter, and all whom it serves, for a minute."""
    raw = b'{"a": [' + part * MOST_PARTS + (b"1]}" if closed else b"")
    with pytest.raises(TooLarge, match="brackets"):
        read_request(raw)


def test_a_request_may_have_as_many_parts_as_people_send() -> None:
    """Hundreds of tools, a thousand turns, a long program as a text."""
    turns = [{"role": "user", "content": [{"type": "text", "text": "a[0] = {1: 2}; " * 50}]}] * 1000
    tools = [{"type": "function", "function": {"name": f"f{i}", "parameters": {"type": "object"}}} for i in range(300)]
    assert read_request(request("chat", messages=turns[:500], tools=tools))["tools"] == tools


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model": "a", "model": "b"}',
        b'{"model": "a", "model": "a"}',
        b'{"model": "a", "search": {"strategy": "x", "strategy": "y"}}',
        b'{"messages": [{"role": "user", "role": "system"}]}',
        b'{"model": "a", "mod\\u0065l": "b"}',
        b'{"a": 1, "b": [[{"c": {"d": null, "e": 1, "d": 2}}]]}',
    ],
)
def test_an_object_that_says_a_key_twice_is_not_read(raw: bytes) -> None:
    """Whoever looked at it before, such as a proxy, may have read the other one."""
    with pytest.raises(Malformed, match="twice"):
        read_request(raw)
