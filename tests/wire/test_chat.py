"""Chat completions, with the official client as the oracle for both sides."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from dataclasses import replace
from typing import Any

import openai
import pytest
from hypothesis import given
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from searchkit.testing.server import Server
from searchkit.types import Message, Params, Prompt, Sample, Text, ToolCall
from searchkit.wire import PATHS, Truncated, answer, events, parse, reader, samples
from searchkit.wire.chat import requests, turns
from searchkit.wire.values import ToolChoice
from tests.helpers import servers
from tests.helpers import wire_cases as cases
from tests.helpers.replies import replies

server = servers.server
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
REQUEST = parse("chat", json.dumps({**ASKED, "logprobs": True, "top_logprobs": 2}).encode())


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)


def whole(*drawn: Sample[Any]) -> dict[str, Any]:
    return answer(replace(REQUEST, n=len(drawn)), drawn, id="x1", created=123)


@pytest.mark.parametrize("name", sorted(cases.SAMPLES.keys() - {"length", "filtered"}))
def test_the_official_client_reads_our_answers(name: str) -> None:
    """Whole and as a stream, sync and async: the same message, strictly valid, with what the sample has."""
    said = whole(cases.SAMPLES[name])
    ChatCompletion.model_validate(said, strict=True)
    with replies(json.dumps(said).encode()) as server, client(server.url) as ours:
        one = ours.chat.completions.create(**ASKED)
        server.payload, server.cut = b"".join(events("chat", said)), 7
        with ours.chat.completions.stream(**ASKED, stream_options={"include_usage": True}) as stream:
            streamed = stream.get_final_completion()

        async def later() -> Any:
            async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as other:
                asked: Any = {**ASKED, "stream_options": {"include_usage": True}}
                async with other.chat.completions.stream(**asked) as stream:
                    return await stream.get_final_completion()

        assert asyncio.run(later()) == streamed
    sample, choice, other = cases.SAMPLES[name], one.choices[0], streamed.choices[0]
    assert (choice.message.content or "") == (other.message.content or "") == sample.text
    assert choice.finish_reason == other.finish_reason == sample.finish
    assert choice.logprobs == other.logprobs or choice.logprobs is None
    assert one.usage == streamed.usage
    assert one.usage is not None
    assert (one.usage.prompt_tokens, one.usage.completion_tokens) == (7, sample.usage.generated_tokens)
    assert sample.message is not None
    wanted = [(c.id, c.name, c.arguments) for c in sample.message.tool_calls]
    for message in (choice.message, other.message):
        calls: Any = message.tool_calls or []
        assert [(c.id, c.function.name, c.function.arguments) for c in calls] == wanted
        assert getattr(message, "reasoning_content", "") == sample.message.reasoning
    assert samples("chat", said, REQUEST.params) == [sample]


@pytest.mark.parametrize(("name", "error"), [
    ("length", openai.LengthFinishReasonError), ("filtered", openai.ContentFilterFinishReasonError)
])  # fmt: skip
def test_the_official_client_sees_why_a_text_ended_early(name: str, error: type[Exception]) -> None:
    """Whole, as chunks, and by its stream helper, which refuses to parse such an answer."""
    sample, said = cases.SAMPLES[name], whole(cases.SAMPLES[name])
    with replies(json.dumps(said).encode()) as server, client(server.url) as ours:
        [choice] = ours.chat.completions.create(**ASKED).choices
        assert (choice.message.content, choice.finish_reason) == (sample.text, sample.finish)
        server.payload = b"".join(events("chat", said))
        chunks = [choice for chunk in ours.chat.completions.create(**ASKED, stream=True) for choice in chunk.choices]
        assert "".join(choice.delta.content or "" for choice in chunks) == sample.text
        assert chunks[-1].finish_reason == sample.finish
        with ours.chat.completions.stream(**ASKED) as stream, pytest.raises(error):
            stream.get_final_completion()
    assert samples("chat", said, REQUEST.params) == [sample]


def test_our_chunks_are_strictly_valid() -> None:
    """Every event against the client's own type."""
    for sample in cases.SAMPLES.values():
        for event in events("chat", whole(sample)):
            data = event.removeprefix(b"data: ").strip()
            if data != b"[DONE]":
                ChatCompletionChunk.model_validate(json.loads(data), strict=True)


def test_choices_of_a_stream_come_apart_again() -> None:
    """n=3, of which one calls tools; usage only where it is asked for."""
    drawn = [cases.SAMPLES["text"], cases.SAMPLES["calls"], cases.SAMPLES["logprobs"]]
    said = whole(*drawn)
    for usage in (True, False):
        stream = reader("chat", 3)
        for event in events("chat", said, usage=usage):
            stream.feed(event)
        assert stream.ended
        assert stream.answer() == {**said, "usage": said["usage"] if usage else None}
    found = samples("chat", said, REQUEST.params)
    assert [(s.text, s.finish, s.message, s.logprobs) for s in found] == [
        (s.text, s.finish, s.message, s.logprobs) for s in drawn
    ]
    assert sum(s.usage.generated_tokens for s in found) == 13


def test_a_stream_may_be_cut_anywhere() -> None:
    """At every byte, in two pieces, and byte by byte; so with all line ends, comments and a byte order mark."""
    said = whole(cases.SAMPLES["calls"])
    sent = b"".join(events("chat", said))
    noisy = b"\xef\xbb\xbf: hello\n\n" + sent.replace(b"\n\n", b"\r\n: keep-alive\r\n\r\n:\r\rretry: 5\r\nid: 3\n\n")
    for data, step in ((sent, 1), (noisy, 7)):
        for at in range(0, len(data) + 1, step):
            stream = reader("chat")
            stream.feed(data[:at])
            stream.feed(data[at:])
            assert stream.answer() == said
        stream = reader("chat")
        for at in range(len(data)):
            stream.feed(data[at : at + 1])
        assert stream.answer() == said


def test_a_stream_that_ends_early_is_no_answer() -> None:
    """Until the finish has come it is truncated, wherever the end is; after it, only the usage may be missing."""
    said = whole(cases.SAMPLES["calls"])
    parts = list(events("chat", said))
    sent = b"".join(parts)
    finished = len(b"".join(parts[:-2]))
    for at in range(len(sent)):
        stream = reader("chat")
        stream.feed(sent[:at])
        if at < finished - 2:  # its blank line may be missing
            with pytest.raises(Truncated):
                stream.answer()
        else:
            assert {**stream.answer(), "usage": said["usage"]} == said
    stream = reader("chat", 2)  # one of two choices has come
    stream.feed(b"".join(parts[:-1]))
    with pytest.raises(Truncated):
        stream.answer()


def test_the_official_client_s_requests_are_read() -> None:
    """All that it sends, as it sends it: the prompt, the parameters, and the rest under its own names."""
    messages: list[Any] = [turns.message(message) for message in cases.TALK.messages]
    messages[0]["role"] = "developer"
    with replies(json.dumps(whole(cases.SAMPLES["text"])).encode()) as server, client(server.url) as ours:
        ours.chat.completions.create(
            model="m",
            messages=messages,
            tools=[cases.TOOL],  # type: ignore[list-item]
            tool_choice={"type": "function", "function": {"name": "weather"}},
            temperature=0.5,
            top_p=0.25,
            max_completion_tokens=9,
            stop=["a", "b"],
            logprobs=True,
            top_logprobs=3,
            seed=11,
            n=2,
            response_format={"type": "json_object"},
            user="me",
            metadata={"run": "1"},
            extra_body={"top_k": 5, "min_p": 0.1},
        )
        request = parse("chat", server.bodies[0])
    assert server.paths == ["/v1/chat/completions"]
    assert request.prompt == cases.TALK
    assert request.params == Params(0.5, 0.25, 5, 0.1, 9, ("a", "b"), 3)
    assert (request.model, request.seed, request.n, request.stream, request.lost) == ("m", 11, 2, False, ())
    assert request.tool_choice == ToolChoice("named", "weather")
    assert request.extras == {"response_format": {"type": "json_object"}, "user": "me", "metadata": {"run": "1"}}
    assert request.body == json.loads(server.bodies[0])


def test_a_stream_is_asked_for_with_its_usage() -> None:
    """stream and stream_options, as the client sends them."""
    with replies(b"".join(events("chat", whole(cases.SAMPLES["text"])))) as server, client(server.url) as ours:
        list(ours.chat.completions.create(**ASKED, stream=True))
        list(ours.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}))
        found = [parse("chat", body) for body in server.bodies]
    assert [(r.stream, r.include_usage, r.extras) for r in found] == [(True, False, {}), (True, True, {})]


@given(cases.prompts(), cases.samplings())
def test_what_we_send_is_read_as_what_was_meant(prompt: Prompt, params: Params) -> None:
    """Written by the client side, read by the server side; and once more from what was read."""
    body = requests.render("m", prompt, params, 3)
    request = parse("chat", json.dumps(body).encode())
    empty = {m: replace(m, parts=(Text(""),)) for m in prompt.messages if not m.parts}  # sent as ""
    assert request.prompt.messages in (prompt.messages, tuple(empty.get(m, m) for m in prompt.messages))
    assert (request.prompt.tools, request.params, request.seed) == (prompt.tools, params, 3)
    assert (request.extras, request.lost) == ({}, ())
    assert requests.render("m", request.prompt, request.params, 3) == body


@given(cases.samples())
def test_what_we_answer_is_read_as_what_was_said(sample: Sample[str]) -> None:
    """A sample through an answer, and through a stream of it."""
    said = whole(sample)
    stream = reader("chat")
    for event in events("chat", said):
        stream.feed(event)
    assert stream.answer() == said
    assert samples("chat", json.loads(json.dumps(said)), REQUEST.params) == [sample]


def call_pieces(*calls: dict[str, Any]) -> list[tuple[Any, ...]]:
    stream = reader("chat")
    for call in calls:
        stream.feed(b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}).encode() + b"\n\n")
    stream.feed(b'data: {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}\n\ndata: {"usage": {}}\n\n')
    [sample] = samples("chat", stream.answer(), Params())
    assert sample.message is not None
    return [(c.id, c.name, c.arguments) for c in sample.message.tool_calls]


def test_calls_that_servers_number_badly() -> None:
    """Without numbers, or each 0: another id is another call. Interleaved by number, they come apart."""
    first = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    second = {"id": "b", "function": {"name": "f", "arguments": '{"x": '}}
    rest = {"function": {"arguments": "1}"}}
    wanted = [("a", "f", "{}"), ("b", "f", '{"x": 1}')]
    assert call_pieces(first, second, rest) == wanted
    assert call_pieces(*({**call, "index": 0} for call in (first, second, rest))) == wanted
    assert call_pieces({**second, "index": 1}, {**first, "index": 0}, {**rest, "index": 1}) == wanted
    assert call_pieces({**second, "index": 0}, {**rest, "id": "b", "index": 0}) == wanted[1:]  # the id again
    assert call_pieces({**second, "index": 0}, {**rest, "id": "", "index": 0}) == wanted[1:]


def test_the_newer_limit_counts() -> None:
    """Where a request has both."""
    both = {**ASKED, "max_tokens": 9, "max_completion_tokens": 8}
    assert parse("chat", json.dumps(both).encode()).params.max_tokens == 8
    assert parse("chat", json.dumps({**both, "max_completion_tokens": None}).encode()).params.max_tokens == 9


def test_a_continued_turn_is_a_prefix() -> None:
    """As vLLM and SGLang are asked for it; without the flag it is a turn like others."""
    prompt = Prompt((Message("user", (Text("Count"),)),), prefix="1, 2,")
    body = {**requests.render("m", prompt, Params(), 0), **requests.beyond(Params()), **requests.CONTINUED}
    request = parse("chat", json.dumps(body).encode())
    assert (request.prompt, request.params, request.extras) == (prompt, Params(), {})
    del body["continue_final_message"]
    assert parse("chat", json.dumps(body).encode()).prompt.messages[-1].text == "1, 2,"


def test_calls_without_an_id_get_one_from_the_answer_s() -> None:
    """Equal ids give equal answers; other choices have other ids."""
    drawn = cases.sample("", ToolCall("", "f", "{}"), ToolCall("", "g", "{}"), finish="tool_calls")
    said = whole(drawn, drawn)
    assert said == whole(drawn, drawn)
    ids = [call["id"] for choice in said["choices"] for call in choice["message"]["tool_calls"]]
    assert len(set(ids)) == 4
    assert said["id"] == "chatcmpl-x1"
    assert all("x1" in id for id in ids)


def test_what_a_prompt_cannot_hold_is_named() -> None:
    """Sounds, files, names, details, calls of other kinds and of an older form: none is dropped silently."""
    user = [
        {"type": "text", "text": "a"},
        {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
        {"type": "image_url", "image_url": {"url": cases.PIXEL, "detail": "high"}},
    ]
    custom = {"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}
    call = {"id": "d", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    body = {
        "model": "m",
        "messages": [
            {"role": "user", "content": user, "name": "Ann"},
            {"role": "assistant", "content": None, "refusal": "No.", "annotations": [1], "id": "msg_1"},
            {"role": "assistant", "tool_calls": [custom, call], "reasoning": "Think."},
            {"role": "tool", "tool_call_id": "d", "name": "g", "content": [{"type": "text", "text": "b"}]},
            {"role": "function", "name": "h", "content": "c"},
        ],
        "tools": [cases.TOOL, {"type": "custom", "custom": {"name": "f"}}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {}},
        "top_p": 0,
        "top_logprobs": 3,
        "functions": [],
    }
    request = parse("chat", json.dumps(body).encode())
    assert request.lost == (
        "messages.0.name",
        "messages.0.content.1 (input_audio)",
        "messages.0.content.2.image_url.detail",
        "messages.2.tool_calls.0 (custom)",
        "messages.4 (function)",
        "tools.1 (custom)",
    )
    found = request.prompt.messages
    assert [turn.text for turn in found] == ["a[input_audio]", "No.", "", "b", "c"]
    assert (found[2].tool_calls, found[2].reasoning) == ((ToolCall("d", "g", "{}"),), "Think.")
    assert (found[4].role, found[4].tool_call_id) == ("tool", "h")
    assert request.extras == {key: body[key] for key in ("tool_choice", "top_p", "top_logprobs", "functions")}
    assert request.params == Params()


def test_an_answer_of_the_client_goes_back_into_its_next_request() -> None:
    """As agents do it: the message of the answer, then what the tools said."""
    with replies(json.dumps(whole(cases.SAMPLES["calls"])).encode()) as server, client(server.url) as ours:
        first = ours.chat.completions.create(**ASKED).choices[0].message
        talk: list[Any] = [*ASKED["messages"], first]
        talk += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in first.tool_calls or ()]
        ours.chat.completions.create(model="m", messages=talk)
        request = parse("chat", server.bodies[1])
    sunny = (Text("sunny"),)
    assert request.prompt.messages == (
        Message("user", (Text("Hi"),)),
        cases.SAMPLES["calls"].message,
        Message("tool", sunny, (), "call_a"),
        Message("tool", sunny, (), "call_b"),
    )
    assert request.lost == ()


@pytest.mark.parametrize("route", ["chat", "completions"])
def test_streams_of_other_servers_are_their_answers(server: Server, route: Any) -> None:
    """The loopback server in the manner of each that it imitates: put together, a stream is the answer in one piece."""
    asked: dict[str, Any] = {"model": "test-model", "seed": 3, "max_tokens": 9}
    asked |= {"messages": ASKED["messages"], "logprobs": True, "top_logprobs": 2} if route == "chat" else {}
    asked |= {"prompt": "Hi", "logprobs": 2} if route == "completions" else {}
    if server.profile.n == "seeds":
        asked["n"] = 2

    def post(**more: Any) -> bytes:
        sent = urllib.request.Request(server.url + PATHS[route], json.dumps({**asked, **more}).encode())
        with urllib.request.urlopen(sent) as found:
            return bytes(found.read())

    wanted = json.loads(post())
    stream = reader(route, asked.get("n", 1))
    stream.feed(post(stream=True, stream_options={"include_usage": True}))
    found = stream.answer()
    params = parse(route, json.dumps(asked).encode()).params
    assert [plain(sample) for sample in samples(route, found, params)] == [
        plain(sample) for sample in samples(route, wanted, params)
    ]
    usages = [answered["usage"] | {"prompt_tokens_details": None} for answered in (found, wanted)]
    assert usages[0] == usages[1]  # but for the cache, which the second finds warm


def plain(sample: Sample[Any]) -> Sample[Any]:
    return replace(sample, usage=replace(sample.usage, cached_tokens=0))
