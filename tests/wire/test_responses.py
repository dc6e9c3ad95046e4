"""The responses API, with the official client as the oracle for both sides."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import openai
import pytest
from hypothesis import given
from openai.types.responses import FunctionToolParam, Response, ResponseInputItemParam, ResponseStreamEvent
from pydantic import TypeAdapter

from searchkit.errors import CapabilityError
from searchkit.types import Message, Params, Prompt, Sample, Text, ToolCall
from searchkit.wire import Malformed, Reported, Truncated, answer, counts, events, parse, reader, samples
from searchkit.wire.responses import requests
from searchkit.wire.values import ToolChoice
from tests.helpers import wire_cases as cases
from tests.helpers.replies import replies

ASKED: dict[str, Any] = {"model": "m", "input": "Hi", "top_logprobs": 2, "include": ["message.output_text.logprobs"]}
REQUEST = parse("responses", json.dumps(ASKED).encode())


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)


def whole(sample: Sample[Any]) -> dict[str, Any]:
    return answer(REQUEST, [sample], id="x1", created=123)


def collected(data: bytes, size: int | None = None) -> dict[str, Any]:
    stream = reader("responses")
    for at in range(0, len(data), size or len(data)):
        stream.feed(data[at : at + (size or len(data))])
    return stream.answer()


@pytest.mark.parametrize("name", sorted(cases.SAMPLES))
def test_the_official_client_reads_our_answers(name: str) -> None:
    """Whole and as a stream, sync and async: the same response, strictly valid, with what the sample has."""
    sample, said = cases.SAMPLES[name], whole(cases.SAMPLES[name])
    Response.model_validate(said, strict=True)
    with replies(json.dumps(said).encode()) as server, client(server.url) as ours:
        one = ours.responses.create(**ASKED)
        server.payload, server.cut = b"".join(events("responses", said)), 7
        deltas, last = list[str](), list[Response]()
        with ours.responses.stream(model="m", input="Hi") as stream:
            for event in stream:
                deltas += [event.delta] if event.type == "response.output_text.delta" else []
                last += [event.response] if event.type in ("response.completed", "response.incomplete") else []

        async def later() -> str:
            other = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any")
            async with other, other.responses.stream(model="m", input="Hi") as stream:
                return "".join([e.delta async for e in stream if e.type == "response.output_text.delta"])

        assert "".join(deltas) == asyncio.run(later()) == sample.text == one.output_text
    [final] = last
    assert final.to_dict() == {**one.to_dict(), "output": final.to_dict()["output"]}
    for found in (one, final):
        items: list[Any] = list(found.output)
        assert sample.message is not None
        calls = [(item.call_id, item.name, item.arguments) for item in items if item.type == "function_call"]
        assert calls == [(c.id, c.name, c.arguments) for c in sample.message.tool_calls]
        thoughts = [part.text for item in items if item.type == "reasoning" for part in item.content]
        assert "".join(thoughts) == sample.message.reasoning
        assert found.usage is not None
        assert (found.usage.input_tokens, found.usage.output_tokens) == (7, sample.usage.generated_tokens)
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    wanted = reasons.get(sample.finish)
    assert one.status == ("incomplete" if wanted else "completed")
    assert (one.incomplete_details and one.incomplete_details.reason) == wanted
    assert samples("responses", said, Params()) == [sample]


def test_our_events_are_strictly_valid() -> None:
    """Every event against the client's own types, numbered in order."""
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    for sample in cases.SAMPLES.values():
        for number, event in enumerate(events("responses", whole(sample))):
            name, data = event.decode().split("\n")[:2]
            value = adapter.validate_json(data.removeprefix("data: "), strict=True)
            assert (name, value.sequence_number) == (f"event: {value.type}", number)


def test_a_stream_may_be_cut_anywhere() -> None:
    """In two pieces at many bytes, and byte by byte; comments and line ends of other kinds between."""
    said = whole(cases.SAMPLES["calls"])
    sent = b"".join(events("responses", said))
    noisy = b"\xef\xbb\xbf" + sent.replace(b"\n\n", b"\r\n: still here\r\n\r\n")
    for data in (sent, noisy):
        assert collected(data, 1) == said
        for at in range(0, len(data), 17):
            stream = reader("responses")
            stream.feed(data[:at])
            stream.feed(data[at:])
            assert stream.answer() == said


def test_a_stream_that_ends_early_is_no_answer() -> None:
    """Until its last event has come."""
    sent = b"".join(events("responses", whole(cases.SAMPLES["calls"])))
    for at in range(0, len(sent) - 2, 7):
        stream = reader("responses")
        stream.feed(sent[:at])
        with pytest.raises(Truncated):
            stream.answer()


def test_a_last_event_without_output_is_filled_from_the_items() -> None:
    """Some servers leave it out there; the client does the same."""
    said = whole(cases.SAMPLES["calls"])
    parts = list(events("responses", said))
    for output in (None, []):
        last = json.loads(parts[-1].split(b"data: ")[1])
        last["response"]["output"] = output
        assert collected(b"".join(parts[:-1]) + b"data: " + json.dumps(last).encode() + b"\n\n") == said


def test_errors_are_reported() -> None:
    """In a stream, as its last event, and as the status of an answer; what goes on is no answer."""
    parts = list(events("responses", whole(cases.SAMPLES["text"])))
    error = {"type": "error", "code": "server_error", "message": "it broke", "param": None, "sequence_number": 3}
    with pytest.raises(Reported, match="it broke"):
        collected(b"".join(parts[:3]) + b"data: " + json.dumps(error).encode() + b"\n\n")
    said = whole(cases.SAMPLES["text"])
    failed = {**said, "status": "failed", "error": {"code": "server_error", "message": "it broke"}}
    assert collected(b"".join(events("responses", failed))) == failed
    for wrong, kind in (
        (failed, Reported),
        ({**said, "status": "cancelled"}, Reported),
        ({**said, "status": "queued"}, ValueError),
    ):
        with pytest.raises(kind):
            samples("responses", wrong, Params())


def test_a_refusal_is_text_that_was_filtered() -> None:
    """It is what the model said; and it never counts as an answer."""
    said = whole(cases.SAMPLES["text"])
    said["output"][0]["content"] = [{"type": "refusal", "refusal": "I cannot"}]
    assert collected(b"".join(events("responses", said))) == said
    [sample] = samples("responses", said, Params())
    assert (sample.text, sample.finish) == ("I cannot", "content_filter")


def test_what_we_know_nothing_of_passes_through() -> None:
    """Items, parts and fields of a later version, and summaries of thoughts, whole and in a stream."""
    said = whole(cases.SAMPLES["text"]) | {"later": {"a": [1]}}
    summary = [{"type": "summary_text", "text": "First. " * 200}, {"type": "summary_text", "text": "Then."}]
    said["output"] += [
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "reasoning", "id": "rs_2", "summary": summary, "encrypted_content": "x"},
    ]
    said["output"][0]["content"].append({"type": "output_later", "text": "more"})
    assert collected(b"".join(events("responses", said))) == said
    [sample] = samples("responses", said, Params())
    assert sample.message is not None
    assert sample.message.reasoning == "First. " * 200 + "Then."


def test_the_official_client_s_requests_are_read() -> None:
    """All that it sends, as it sends it."""
    body = requests.render("m", cases.TALK, Params(0.5, 0.25, max_tokens=9, logprobs=3))
    with replies(json.dumps(whole(cases.SAMPLES["text"])).encode()) as server, client(server.url) as ours:
        ours.responses.create(
            **{**body, "input": body["input"][1:], "instructions": "Be brief."},
            tool_choice={"type": "function", "name": "weather"},
            metadata={"run": "1"},
            reasoning={"effort": "low"},
            user="me",
        )
        request = parse("responses", server.bodies[0])
    assert server.paths == ["/v1/responses"]
    assert request.prompt == cases.TALK
    assert request.params == Params(0.5, 0.25, max_tokens=9, logprobs=3)
    assert (request.model, request.n, request.stream, request.lost) == ("m", 1, False, ())
    assert request.tool_choice == ToolChoice("named", "weather")
    assert request.extras == {"metadata": {"run": "1"}, "reasoning": {"effort": "low"}, "user": "me"}
    assert request.body == json.loads(server.bodies[0])


def test_an_answer_of_the_client_goes_back_into_its_next_request() -> None:
    """As agents do it: the output of the answer, reasoning and all, then the tools' answers."""
    with replies(json.dumps(whole(cases.SAMPLES["calls"])).encode()) as server, client(server.url) as ours:
        first = ours.responses.create(**ASKED)
        turns: list[Any] = [{"role": "user", "content": "Hi"}, *first.output]
        turns += [
            {"type": "function_call_output", "call_id": item.call_id, "output": "sunny"}
            for item in first.output
            if item.type == "function_call"
        ]
        ours.responses.create(model="m", input=turns)
        request = parse("responses", server.bodies[1])
    assert request.prompt.messages == (
        Message("user", (Text("Hi"),)),
        cases.SAMPLES["calls"].message,
        Message("tool", (Text("sunny"),), (), "call_a"),
        Message("tool", (Text("sunny"),), (), "call_b"),
    )
    assert request.lost == ()


@given(cases.prompts(), cases.samplings())
def test_what_we_send_is_read_as_what_was_meant(prompt: Prompt, params: Params) -> None:
    """Written by the client side, read by the server side; and once more from what was read."""
    params = replace(params, stop=())
    body = requests.render("m", prompt, params)
    request = parse("responses", json.dumps(body).encode())
    assert (request.prompt, request.params, request.extras, request.lost) == (prompt, params, {}, ())
    assert requests.render("m", request.prompt, request.params) == body


@given(cases.samples())
def test_what_we_answer_is_read_as_what_was_said(sample: Sample[str]) -> None:
    """A sample through an answer, and through a stream of it."""
    said = whole(sample)
    assert collected(b"".join(events("responses", said))) == said
    assert samples("responses", json.loads(json.dumps(said)), Params()) == [sample]


def test_an_answer_repeats_what_was_asked() -> None:
    """Tools, choice, format and sampling, as the client's type has them."""
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
    asked = {**ASKED, "tools": [tool], "tool_choice": {"type": "function", "name": "f"}, "temperature": 0.5}
    asked |= {"instructions": "Be brief.", "max_output_tokens": 9, "parallel_tool_calls": False, "metadata": {"a": "b"}}
    said = answer(parse("responses", json.dumps(asked).encode()), [cases.SAMPLES["call"]], id="a", created=1)
    Response.model_validate(said, strict=True)
    for key in ("tools", "tool_choice", "temperature", "instructions", "max_output_tokens", "metadata"):
        assert said[key] == asked[key]
    assert said["parallel_tool_calls"] is False


def test_what_we_send_is_of_the_client_s_types() -> None:
    """Items and tools. Functions are strict here unless they say otherwise, and not in chat: the meaning is kept."""
    strict = {**cases.TOOL, "function": {**cases.TOOL["function"], "strict": True}}
    bare = {"type": "function", "function": {"name": "f"}}
    prompt = replace(cases.TALK, tools=tuple(json.dumps(tool) for tool in (cases.TOOL, strict, bare)))
    body = requests.render("m", prompt, Params())
    for item in body["input"]:
        TypeAdapter[Any](ResponseInputItemParam).validate_python(item)
    for tool in body["tools"]:
        TypeAdapter[Any](FunctionToolParam).validate_python(tool)
    assert [tool["strict"] for tool in body["tools"]] == [False, True, False]
    assert parse("responses", json.dumps(body).encode()).prompt.tools[:2] == prompt.tools[:2]


def test_reasoning_belongs_to_what_the_assistant_says_next() -> None:
    """To a text, to a call; where nothing follows, or another speaks, it is a message of its own."""

    def thought(text: str) -> dict[str, Any]:
        return {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": text}]}

    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    said = {"role": "assistant", "content": "a"}
    asked = {"role": "user", "content": "Hi"}
    items = [asked, thought("1"), said, call, thought("2"), call, thought("3"), thought("4"), asked, thought("5")]
    request = parse("responses", json.dumps({"model": "m", "input": items}).encode())
    assert [(m.role, m.text, m.reasoning, len(m.tool_calls)) for m in request.prompt.messages] == [
        ("user", "Hi", "", 0),
        ("assistant", "a", "1", 1),
        ("assistant", "", "2", 1),
        ("assistant", "", "34", 0),
        ("user", "Hi", "", 0),
        ("assistant", "", "5", 0),
    ]
    sealed = {**thought("1"), "encrypted_content": "x"}
    assert parse("responses", json.dumps({"model": "m", "input": [asked, sealed]}).encode()).lost == (
        "input.1.encrypted_content",
    )


def test_turns_that_the_server_keeps_are_named() -> None:
    """The prompt is then not all that the model reads."""
    body = {"model": "m", "previous_response_id": "resp_0", "input": [{"type": "item_reference", "id": "msg_1"}]}
    request = parse("responses", json.dumps(body).encode())
    assert request.lost == ("previous_response_id (earlier turns)", "input.0 (item_reference)")
    assert request.extras == {"previous_response_id": "resp_0"}
    del body["input"]
    assert parse("responses", json.dumps(body).encode()).prompt.text == "[earlier turns]"
    with pytest.raises(Malformed, match="input"):
        parse("responses", b'{"model": "m"}')


def test_calls_without_an_id_get_one_from_the_answer_s() -> None:
    """Items and calls, all apart."""
    said = whole(cases.sample("a", ToolCall("", "f", "{}"), ToolCall("", "g", "{}"), finish="tool_calls"))
    ids = [item["id"] for item in said["output"]] + [item.get("call_id") for item in said["output"][1:]]
    assert len(set(ids)) == 5
    assert all("x1" in id for id in [*ids, said["id"]])


def test_the_usage_is_split() -> None:
    """Cached and reasoning tokens are parts of the counts that they stand under."""
    sample = cases.SAMPLES["text"]
    sample = replace(sample, usage=replace(sample.usage, cached_tokens=4))
    usage = answer(REQUEST, [sample], id="a", created=0, reasoning=2)["usage"]
    found = counts("responses", {"usage": usage})
    assert (found.prompt, found.cached, found.generated, found.reasoning) == (7, 4, 5, 2)


@pytest.mark.parametrize("change", [{"stop": ("a",)}, {"top_k": 3}, {"min_p": 0.5}])
def test_what_the_api_does_not_have_is_refused(change: dict[str, Any]) -> None:
    """Before anything is sent."""
    with pytest.raises(CapabilityError, match="responses API"):
        requests.render("m", Prompt.of("Hi"), Params(**change))
    with pytest.raises(CapabilityError, match="continues no assistant turn"):
        requests.render("m", replace(Prompt.of("Hi"), prefix="a"), Params())


def test_answers_of_another_shape_are_errors() -> None:
    """Each a sentence, none an exception of another kind."""
    good = whole(cases.SAMPLES["calls"])
    wrongs: list[Any] = [None, [], "x", {}, {**good, "output": 3}, {**good, "output": [3]}]
    wrongs += [{**good, "output": [{"type": "function_call", "name": 3}]}]
    wrongs += [{**good, "output": [{"type": "message", "content": [{"type": "output_text"}]}]}]
    for wrong in wrongs:
        with pytest.raises(ValueError, match=r"has no output|field is missing|is a list|is an object|is a text"):
            samples("responses", wrong, Params())
