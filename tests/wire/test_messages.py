"""Anthropic's messages, with the official client as the oracle for both sides."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import anthropic
import pytest
from anthropic.types import Message as Theirs
from anthropic.types import RawMessageStreamEvent, ToolParam
from hypothesis import given
from pydantic import TypeAdapter

from searchkit.errors import CapabilityError, ConfigError
from searchkit.tool_calls import called
from searchkit.types import Image, Message, Params, Prompt, Sample, Text, ToolCall, Usage
from searchkit.wire import Malformed, Reported, Truncated, answer, counts, events, parse, reader, samples
from searchkit.wire.messages import requests
from searchkit.wire.values import ToolChoice
from tests.helpers import wire_cases as cases
from tests.helpers.replies import replies

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]}
REQUEST = parse("messages", json.dumps(ASKED).encode())
NAMES = sorted(cases.SAMPLES)


def client(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key="any", max_retries=0)


def whole(sample: Sample[Any]) -> dict[str, Any]:
    return answer(REQUEST, [sample], id="x1", created=123)


def collected(data: bytes, size: int | None = None) -> dict[str, Any]:
    stream = reader("messages")
    for at in range(0, len(data), size or len(data)):
        stream.feed(data[at : at + (size or len(data))])
    return stream.answer()


def kept(sample: Sample[str]) -> Sample[str]:
    """A sample without what this API has no place for, and with its arguments as the API respells them."""
    said = sample.message
    assert said is not None
    respelled = [json.dumps(json.loads(call.arguments), ensure_ascii=False) for call in said.tool_calls]
    calls = tuple(replace(call, arguments=new) for call, new in zip(said.tool_calls, respelled, strict=True))
    return replace(sample, message=replace(said, tool_calls=calls), logprobs=None)


@pytest.mark.parametrize("name", NAMES)
def test_the_official_client_reads_our_answers(name: str) -> None:
    """Whole and as a stream, sync and async: the same message, strictly valid, with what the sample has."""
    sample, said = cases.SAMPLES[name], whole(cases.SAMPLES[name])
    Theirs.model_validate(said, strict=True)
    with replies(json.dumps(said).encode()) as server, client(server.url) as ours:
        one = ours.messages.create(**ASKED)
        server.payload, server.cut = b"".join(events("messages", said)), 7
        with ours.messages.stream(**ASKED) as stream:
            streamed = stream.get_final_message()

        async def later() -> Any:
            other = anthropic.AsyncAnthropic(base_url=server.url, api_key="any")
            async with other, other.messages.stream(**ASKED) as stream:
                return await stream.get_final_message()

        assert asyncio.run(later()) == streamed
    assert one.model_dump(exclude={"content"}) == streamed.model_dump(exclude={"content"})
    for message in (one, streamed):
        blocks: list[Any] = list(message.content)
        assert "".join(b.text for b in blocks if b.type == "text") == sample.text
        assert sample.message is not None
        assert "".join(b.thinking for b in blocks if b.type == "thinking") == sample.message.reasoning
        found = [(b.id, b.name, b.input) for b in blocks if b.type == "tool_use"]
        assert found == [(c.id, c.name, json.loads(c.arguments)) for c in sample.message.tool_calls]
        assert (message.usage.input_tokens, message.usage.output_tokens) == (7, sample.usage.generated_tokens)
    reasons = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
    assert one.stop_reason == streamed.stop_reason == reasons[sample.finish]
    assert samples("messages", said, Params()) == [kept(sample)]


def test_our_events_are_strictly_valid() -> None:
    """Every event against the client's own types."""
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for sample in cases.SAMPLES.values():
        for event in events("messages", whole(sample)):
            name, data = event.decode().split("\n")[:2]
            value = adapter.validate_json(data.removeprefix("data: "), strict=True)
            assert name == f"event: {value.type}"


def test_a_stop_string_that_fired_is_named() -> None:
    """To the client, and back into a sample."""
    sample = cases.sample("a", stop="\n\n")
    assert (whole(sample)["stop_reason"], whole(sample)["stop_sequence"]) == ("stop_sequence", "\n\n")
    assert samples("messages", whole(sample), Params(stop=("\n\n",))) == [sample]


def test_a_stream_may_be_cut_anywhere() -> None:
    """At every byte, in two pieces, and byte by byte; pings and comments between."""
    said = whole(cases.SAMPLES["calls"])
    sent = b"".join(events("messages", said))
    ping = b'event: ping\ndata: {"type": "ping"}\n\n: still here\r\n'
    noisy = b"\xef\xbb\xbf" + sent.replace(b"\n\n", b"\r\n\r\n" + ping)
    for data in (sent, noisy):
        assert collected(data, 1) == said
        for at in range(0, len(data), 3):
            stream = reader("messages")
            stream.feed(data[:at])
            stream.feed(data[at:])
            assert stream.answer() == said


def test_a_stream_that_ends_early_is_no_answer() -> None:
    """Until the stop reason has come, wherever the end is."""
    said = whole(cases.SAMPLES["calls"])
    parts = list(events("messages", said))
    sent = b"".join(parts)
    finished = len(b"".join(parts[:-1]))
    for at in range(len(sent)):
        stream = reader("messages")
        stream.feed(sent[:at])
        if at < finished - 2:
            with pytest.raises(Truncated):
                stream.answer()
        else:
            assert stream.answer() == said


def test_an_error_in_a_stream_is_reported() -> None:
    """As Anthropic sends it, in the middle of an answer."""
    parts = list(events("messages", whole(cases.SAMPLES["text"])))
    error = b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n'
    with pytest.raises(Reported, match=r"^Overloaded$"):
        collected(b"".join(parts[:3]) + error)


def test_calls_whose_arguments_are_no_object() -> None:
    """What a model wrote badly is marked as Anthropic asks for, never taken for another call; back, it is as it was."""
    for arguments in (
        '{"a": 1',
        "[1]",
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        "no",
        "{" * 5000,
        '"x"',
        '{"a": 1e999}',
        '{"a":' * 200 + "1" + "}" * 200,
    ):
        sample = cases.sample("", ToolCall("c", "f", arguments), finish="tool_calls", generated=5000)
        said = whole(sample)
        assert said["content"][0]["input"] == {"INVALID_JSON": arguments}
        assert collected(b"".join(events("messages", said))) == said
        assert samples("messages", said, Params()) == [sample]
    sample = cases.sample("", ToolCall("c", "f", ""), finish="tool_calls")  # of a function without parameters
    assert whole(sample)["content"][0]["input"] == {}


def test_a_call_that_no_json_could_hold_again() -> None:
    """Nested beyond all use, or with a number that JSON does not have: an error, not a call."""
    said = whole(cases.SAMPLES["call"])
    for held in (json.loads('{"a":' * 200 + "1" + "}" * 200), {"a": float("inf")}):
        said["content"][0]["input"] = held
        with pytest.raises(Malformed, match=r"nested|not finite"):
            samples("messages", said, Params())


def test_a_call_that_a_limit_cut_off_is_kept_as_it_came() -> None:
    """The stream ends inside of the arguments, which are then no object."""
    sent = [
        {"type": "message_start", "message": {"role": "assistant", "content": [], "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0,
         "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"ci'}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": 'ty": "R'}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 4}},
    ]  # fmt: skip
    said = collected(b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in sent))
    [sample] = samples("messages", said, Params())
    assert sample.message is not None
    assert (sample.finish, sample.message.tool_calls) == ("length", (ToolCall("t", "f", '{"city": "R'),))


def test_what_was_read_from_the_cache_is_part_of_the_prompt() -> None:
    """Anthropic's input_tokens leave it out."""
    used = {"input_tokens": 3, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 5, "output_tokens": 7}
    said = whole(cases.SAMPLES["text"]) | {"usage": used}
    [sample] = samples("messages", said, Params())
    wanted = Usage(model_calls=1, prompt_tokens=28, cached_tokens=20, generated_tokens=7, longest_context=35)
    assert sample.usage == wanted
    again = answer(REQUEST, [sample], id="x1", created=0, reasoning=2)["usage"]
    assert (again["input_tokens"], again["cache_read_input_tokens"]) == (8, 20)
    assert counts("messages", {"usage": again}).reasoning == 2


def test_the_official_client_s_requests_are_read() -> None:
    """All that it sends, as it sends it."""
    body = requests.render("m", cases.TALK, Params(max_tokens=9, stop=("a",)))
    with replies(json.dumps(whole(cases.SAMPLES["text"])).encode()) as server, client(server.url) as ours:
        ours.messages.create(
            **{**body, "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
            tool_choice={"type": "tool", "name": "weather"},
            metadata={"user_id": "me"},
            thinking={"type": "enabled", "budget_tokens": 1024},
            extra_body={"top_k": 4, "temperature": 0.5},  # the client has taken them off its own list
        )
        request = parse("messages", server.bodies[0])
    assert server.paths == ["/v1/messages"]
    assert request.prompt == cases.TALK
    assert request.params == Params(0.5, top_k=4, max_tokens=9, stop=("a",))
    assert (request.model, request.n, request.stream, request.lost) == ("m", 1, False, ())
    assert request.tool_choice == ToolChoice("named", "weather")
    assert request.extras == {"metadata": {"user_id": "me"}, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    assert request.body == json.loads(server.bodies[0])


def test_an_answer_of_the_client_goes_back_into_its_next_request() -> None:
    """As agents do it: the content of the answer is the assistant's turn, thinking and all."""
    with replies(json.dumps(whole(cases.SAMPLES["calls"])).encode()) as server, client(server.url) as ours:
        first = ours.messages.create(**ASKED)
        results: list[Any] = [
            {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": "sunny"}]}
            for block in first.content
            if block.type == "tool_use"
        ]
        turns: list[Any] = [*ASKED["messages"], {"role": "assistant", "content": first.content}]
        turns.append({"role": "user", "content": [*results, {"type": "text", "text": "And?"}]})
        with ours.messages.stream(**{**ASKED, "messages": turns}):
            pass
        request = parse("messages", server.bodies[1])
    sunny = (Text("sunny"),)
    assert request.prompt.messages == (
        Message("user", (Text("Hi"),)),
        kept(cases.SAMPLES["calls"]).message,
        Message("tool", sunny, (), "call_a"),
        Message("tool", sunny, (), "call_b"),
        Message("user", (Text("And?"),)),
    )
    assert request.stream


@given(cases.prompts(), cases.samplings())
def test_what_we_send_is_read_as_what_was_meant(prompt: Prompt, params: Params) -> None:
    """Written by the client side, read by the server side; and once more from what was read."""
    body = requests.render("m", prompt, params)
    request = parse("messages", json.dumps(body).encode())
    assert [(m.role, m.text, m.tool_call_id) for m in request.prompt.messages] == [
        (m.role, m.text, m.tool_call_id) for m in prompt.messages
    ]
    for ours, theirs in zip(prompt.messages, request.prompt.messages, strict=True):
        assert [p for p in ours.parts if isinstance(p, Image)] == [p for p in theirs.parts if isinstance(p, Image)]
        assert called(Sample(ours)) == called(Sample(theirs))
    assert (request.prompt.tools, request.params, request.extras, request.lost) == (prompt.tools, params, {}, ())
    assert requests.render("m", request.prompt, request.params) == body


@given(cases.samples())
def test_what_we_answer_is_read_as_what_was_said(sample: Sample[str]) -> None:
    """A sample through an answer, and through a stream of it."""
    said = whole(sample)
    assert collected(b"".join(events("messages", said))) == said
    assert samples("messages", json.loads(json.dumps(said)), Params()) == [kept(sample)]


def test_a_last_turn_of_the_assistant_is_a_prefix() -> None:
    """Anthropic continues it."""
    prompt = Prompt((Message("user", (Text("Count"),)),), prefix="1, 2,")
    body = requests.render("m", prompt, Params(max_tokens=5))
    assert body["messages"][-1] == {"role": "assistant", "content": "1, 2,"}
    assert parse("messages", json.dumps(body).encode()).prompt == prompt
    thought = {"role": "assistant", "content": [{"type": "thinking", "thinking": "a"}, {"type": "text", "text": "b"}]}
    body["messages"][-1] = thought  # what could not be continued from its text alone stays a turn
    assert [m.text for m in parse("messages", json.dumps(body).encode()).prompt.messages] == ["Count", "b"]


def test_what_a_prompt_cannot_hold_is_named() -> None:
    """Documents, failed tools, sealed thoughts, tools of the server's own: none is dropped silently."""
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
    body = {
        **ASKED,
        "messages": [
            {"role": "user", "content": [document]},
            {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "is_error": True}]},
        ],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }
    request = parse("messages", json.dumps(body).encode())
    assert request.lost == (
        "messages.0.content.0 (document)",
        "messages.1.content.0 (redacted_thinking)",
        "messages.2.content.0.is_error",
        "tools.0 (web_search_20250305)",
    )
    assert request.prompt.messages[0].text == "[document]"
    assert (request.tool_choice, request.extras) == (None, {"tool_choice": body["tool_choice"]})


@pytest.mark.parametrize("params", [Params(), Params(max_tokens=1, min_p=0.1), Params(max_tokens=1, logprobs=1)])
def test_what_the_api_does_not_have_is_refused(params: Params) -> None:
    """Before anything is sent."""
    with pytest.raises((ConfigError, CapabilityError), match="Anthropic's messages"):
        requests.render("m", Prompt.of("Hi"), params)


@pytest.mark.parametrize("tool", ["no JSON", "[]", "3", '{"type": "function"}', '{"function": {"parameters": {}}}'])
def test_what_is_no_tool_is_refused(tool: str) -> None:
    """A prompt's tools are texts, which somebody wrote."""
    with pytest.raises(ConfigError, match="a tool is"):
        requests.render("m", replace(Prompt.of("Hi"), tools=(tool,)), Params(max_tokens=1))


@pytest.mark.parametrize("kind", ["tool", "human", None, 3])
def test_unknown_roles_are_malformed(kind: Any) -> None:
    """With their place."""
    body = {**ASKED, "messages": [{"role": kind, "content": "x"}]}
    with pytest.raises(Malformed, match=r"messages\.0\.role"):
        parse("messages", json.dumps(body).encode())


def test_the_turns_of_a_conversation() -> None:
    """As Anthropic wants them: system aside, images by their kind, all answers to one turn's calls in one turn."""
    wire = requests.render("m", cases.TALK, Params(max_tokens=9))
    assert wire["system"] == "Be brief."
    rome, accent = {"city": "Rome"}, {"city": "é"}
    png = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    url = {"type": "url", "url": "https://example.com/a.png"}
    calls = [
        {"type": "tool_use", "id": f"call_{i}", "name": "weather", "input": x}
        for i, x in enumerate((rome, {}, accent), 1)
    ]
    told = [
        {"type": "tool_result", "tool_use_id": f"call_{i}", "content": x}
        for i, x in enumerate(("sunny", "no city", "rain"), 1)
    ]
    images = [{"type": "image", "source": source} for source in (png, url)]
    assert wire["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, *images]},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, calls[0]]},
        {"role": "user", "content": [told[0]]},
        {"role": "assistant", "content": calls[1:]},
        {"role": "user", "content": told[1:]},
        {"role": "user", "content": "And now?\n"},
    ]
    function = cases.TOOL["function"]
    kept = {key: function[key] for key in ("name", "description")}
    assert wire["tools"] == [{**kept, "input_schema": function["parameters"]}]
    for tool in wire["tools"]:
        TypeAdapter[Any](ToolParam).validate_python(tool)
    bad = replace(cases.TALK, messages=(Message("user", (Image("data:image/svg+xml,<svg/>"),)),))
    with pytest.raises(CapabilityError, match="base64"):
        requests.render("m", bad, Params(max_tokens=9))


def test_counts_of_a_stream_are_sums_so_far() -> None:
    """The last event overwrites those of the first; what it leaves out, or says null of, stays; but for what was
    written, of which the first cannot know."""
    parts = list(events("messages", whole(cases.SAMPLES["text"])))
    last = b'data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": %b}\n\n'
    for usage, read, wrote in (
        (b'{"output_tokens": 8, "input_tokens": null}', 7, 8),
        (b'{"input_tokens": 9}', 9, None),
    ):
        found = counts("messages", collected(b"".join([*parts[:-2], last % usage, parts[-1]])))
        assert (found.prompt, found.generated) == (read, wrote)
