"""K27: refusals, legacy fields, and answers in the shapes of other interfaces: read for what they are, or told."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import json
from typing import Any

import pytest

from searchkit import CallError, Model, Params, Sample, solve_sync
from searchkit.generators import OpenAI
from searchkit.strategies import SelfConsistency
from searchkit.types import ConfidenceFloor
from tests.attacks.hostile import PARAMS, TEXT, Hostile, ask, call, case, completion, events, http, sample

NO = "I cannot help with that"


def message(finish: str = "stop", **fields: Any) -> dict[str, Any]:
    found = completion(None, finish)
    found["choices"][0]["message"].update(fields)
    return found


FILTERED = {"hate": {"filtered": True, "severity": "high"}}
REFUSALS = [
    case("content-null", message(refusal=NO)),
    case("content-empty", message(content="", refusal=NO)),
    case(
        "content-absent", {**message(), "choices": [{"index": 0, "message": {"refusal": NO}, "finish_reason": "stop"}]}
    ),
    case("a-part", message(content=[{"type": "refusal", "refusal": NO}])),
    case("both", message(content="Sorry.", refusal=NO)),
    case("content-filter-reason", message("content_filter", refusal=NO)),
    case("refusal-reason", message("refusal", content=NO)),
    case("azure-filtered", completion("", "stop", content_filter_results=FILTERED)),
    case("azure-filtered-null", completion(None, "stop", content_filter_results=FILTERED)),
    case("azure-reason", completion(None, "content_filter", content_filter_results=FILTERED)),
]


@pytest.mark.parametrize("body", REFUSALS)
def test_a_refusal_is_no_whole_answer(body: dict[str, Any]) -> None:
    """It is filtered, or an error; never an empty text that ended by itself, and never a vote."""
    entry = ask(http(body))
    assert isinstance(entry, CallError) or entry.finish == "content_filter", entry


@pytest.mark.parametrize("body", REFUSALS[:6])
def test_the_words_of_a_refusal_are_kept(body: dict[str, Any]) -> None:
    """Somewhere on the sample, or in the error."""
    entry = ask(http(body))
    assert NO in (str(entry) if isinstance(entry, CallError) else repr(entry))


@pytest.mark.parametrize("body", REFUSALS)
def test_two_refusals_do_not_outvote_an_answer(body: dict[str, Any]) -> None:
    """Two that refuse against one that answers."""
    bodies = [completion("5"), body, body]
    with Hostile(lambda asked: http(bodies.pop())) as server:
        result = solve_sync("What?", SelfConsistency(3), generator=Model(OpenAI(server.url, "m"), PARAMS))
    assert result.answer == "5"


FUNCTION = {"name": "add", "arguments": '{"a": 2}'}
CALLS = [
    case("legacy", message("function_call", function_call=FUNCTION)),
    case("legacy-with-stop", message("stop", function_call=FUNCTION)),
    case("legacy-object-arguments", message("function_call", function_call={**FUNCTION, "arguments": {"a": 2}})),
    case("legacy-and-null-tool-calls", message("function_call", function_call=FUNCTION, tool_calls=None)),
    case("legacy-and-empty-tool-calls", message("function_call", function_call=FUNCTION, tool_calls=[])),
    case("legacy-with-a-text", message("function_call", content="Let me add.", function_call=FUNCTION)),
    case("tool-calls-with-stop", message("stop", tool_calls=[{"id": "1", "type": "function", "function": FUNCTION}])),
    case("gemini-reason", message("TOOL_CALLS", tool_calls=[{"id": "1", "type": "function", "function": FUNCTION}])),
    case("claude-reason", message("tool_use", tool_calls=[{"id": "1", "type": "function", "function": FUNCTION}])),
]


@pytest.mark.parametrize("body", CALLS)
def test_legacy_calls_are_tool_calls(body: dict[str, Any]) -> None:
    """The call is on the message, and the sample ended for it."""
    found = sample(http(body))
    assert found.message is not None
    assert [(one.name, json.loads(one.arguments)) for one in found.message.tool_calls] == [("add", {"a": 2})]
    assert found.finish == "tool_calls"


def text(**fields: Any) -> dict[str, Any]:
    found = completion()
    found["choices"] = [{"index": 0, "finish_reason": "stop", **fields}]
    return found


# Legacy or foreign fields of a choice: the text is read, or what was sent is quoted; never an empty whole text.
CHOICES = [
    case("text-instead-of-a-message", text(text=TEXT)),
    case("delta-instead-of-a-message", text(delta={"role": "assistant", "content": TEXT})),
    case("messages", text(messages=[{"role": "assistant", "content": TEXT}])),
    case("message-a-text", text(message=TEXT)),
    case("message-null", text(message=None)),
    case("message-empty", text(message={})),
    case("message-a-list", text(message=[{"role": "assistant", "content": TEXT}])),
    case("finish-details", {**text(message={"content": TEXT}, finish_details={"type": "stop"})}),
    case("ollama-native", {"model": "m", "message": {"role": "assistant", "content": TEXT}, "done": True, "done_reason": "stop"}),
    case("ollama-generate", {"model": "m", "response": TEXT, "done": True}),
    case("llama-cpp-native", {"content": TEXT, "stop": True, "stop_type": "eos", "tokens_predicted": 5}),
    case("tgi-native", [{"generated_text": TEXT}]),
    case("claude-native", {"type": "message", "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"}),
    case("gemini-native", {"candidates": [{"content": {"parts": [{"text": TEXT}]}, "finishReason": "STOP"}]}),
    case("cohere-native", {"text": TEXT, "finish_reason": "COMPLETE"}),
    case("responses-native", {"object": "response", "output": [{"type": "message", "content": [{"type": "output_text", "text": TEXT}]}]}),
    case("choices-an-object", {**completion(), "choices": {"0": completion()["choices"][0]}}),
    case("choices-a-text", {**completion(), "choices": TEXT}),
    case("choices-null", {**completion(), "choices": None}),
    case("choices-with-a-null", {**completion(), "choices": [None]}),
    case("choices-of-texts", {**completion(), "choices": [TEXT]}),
    case("a-list-around", [completion()]),
    case("data-around", {"data": completion(), "success": True}),
]  # fmt: skip


@pytest.mark.parametrize("body", CHOICES)
def test_shapes_of_other_interfaces(body: Any) -> None:
    """The text, or an error that quotes or names what came instead."""
    entry = ask(http(body))
    if isinstance(entry, Sample):
        assert entry.text == TEXT
    else:
        assert not isinstance(entry, TypeError)
        assert any(word in str(entry) for word in (TEXT, "choices", "message", "{", "[")), entry


LOGPROBS = [
    case("first-null", {"tokens": ["4", "."], "token_logprobs": [None, -0.1], "top_logprobs": [None, {".": -0.1}]}),
    case("no-rivals", {"tokens": ["4", "."], "token_logprobs": [-0.2, -0.1], "top_logprobs": None}),
    case("rival-null", {"tokens": ["4"], "token_logprobs": [-0.2], "top_logprobs": [{"4": -0.2, "5": None}]}),
    case("no-offsets", {"tokens": ["4"], "token_logprobs": [-0.2], "top_logprobs": [{"4": -0.2}]}),
    case(
        "offsets-null", {"tokens": ["4"], "token_logprobs": [-0.2], "top_logprobs": [{"4": -0.2}], "text_offset": None}
    ),
    case("modern-in-the-legacy-route", {"content": [{"token": "4", "logprob": -0.2, "top_logprobs": []}]}),
]


@pytest.mark.parametrize("logprobs", LOGPROBS)
def test_legacy_logprobs(logprobs: dict[str, Any]) -> None:
    """The completions route's columns, with gaps: the text is not lost."""
    body = {**completion(), "choices": [{"index": 0, "text": TEXT, "finish_reason": "stop", "logprobs": logprobs}]}
    with Hostile(http(body)) as server:
        entry = call(server.url, type(PARAMS)(max_tokens=16, logprobs=1), route="completions")
    assert isinstance(entry, Sample), entry
    assert entry.text == TEXT


def choice(**fields: Any) -> dict[str, Any]:
    return {**completion(), "choices": [{"index": 0, "finish_reason": "stop", **fields}]}


def content(value: Any, **more: Any) -> dict[str, Any]:
    return choice(message={"role": "assistant", "content": value, **more})


AUDIO = {"id": "a", "transcript": TEXT}
# A text that stands elsewhere than where it is looked for.
ELSEWHERE = [
    case("text-value", content([{"type": "text", "text": {"value": TEXT, "annotations": []}}])),
    case("text-a-list", content([{"type": "text", "text": ["The answer", " is 4."]}])),
    case("text-a-list-of-values", content([{"type": "text", "text": [{"value": TEXT}]}])),
    case("type-in-capitals", content([{"type": "TEXT", "text": TEXT}])),
    case("type-with-blanks", content([{"type": " text ", "text": TEXT}])),
    case("output-text", content([{"type": "Output_Text", "text": TEXT}])),
    case("no-type", content([{"text": {"value": TEXT}}])),
    case("type-null", content([{"type": None, "text": TEXT}])),
    case("one-part", content({"type": "text", "text": {"value": TEXT}})),
    case("another-type", content([{"type": "message_text", "text": TEXT}])),
    case("an-image", content([{"type": "image_url", "image_url": {"url": "data:,x"}}])),
    case("markdown", content([{"type": "markdown", "markdown": TEXT}])),
    case("a-number", content([{"type": "text", "text": 4}])),
    case("nested-lists", content([[{"type": "text", "text": TEXT}]])),
    case("audio", content(None, audio=AUDIO)),
    case("audio-and-empty", content("", audio=AUDIO)),
    case("text-beside-null", choice(message={"content": None}, text=TEXT)),
    case("text-beside-empty", choice(message={"content": ""}, text=TEXT)),
    case("text-beside-an-empty-message", choice(message={}, text=TEXT)),
    case("delta-beside-null", choice(message={"content": None}, delta={"content": TEXT})),
    case("text-in-the-message", content(None, text=TEXT)),
    case("parts", content(None, parts=[{"text": TEXT}])),
    case("capital-content", content(None, Content=TEXT)),
    case("output-text-in-the-message", content("", output_text=TEXT)),
]


@pytest.mark.parametrize("body", ELSEWHERE)
def test_no_text_is_lost_silently(body: Any) -> None:
    """The text, or an error that quotes it; never an empty text that ended by itself, and wins a vote."""
    entry = ask(http(body))
    if isinstance(entry, Sample):
        assert (entry.text, entry.finish) == (TEXT, "stop")
    else:
        assert "it begins with" in str(entry)


@pytest.mark.parametrize(
    "body",
    [
        content(""),
        content(None),
        content([]),
        content([{"type": "text", "text": ""}]),
        content("", annotations=[], audio=None),
    ],
)
def test_an_empty_text_is_one(body: Any) -> None:
    """Where nothing else stands there."""
    assert (found := sample(http(body))).text == ""
    assert found.finish == "stop"


BLOCKED = {"hate": {"filtered": True, "severity": "high"}}
SILENT = [
    case("true", content(None, refusal=True)),
    case("a-list", content(None, refusal=[NO])),
    case("an-object", content(None, refusal={"text": NO})),
    case("an-object-without-a-text", content(None, refusal={"category": "x"})),
    case("in-the-choice", choice(message={"content": None}, refusal=NO)),
    case("in-the-choice-true", choice(message={"content": ""}, refusal=True)),
    case(
        "prompt-filter",
        {**content(None), "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": BLOCKED}]},
    ),
    case("prompt-annotations", {**content(""), "prompt_annotations": [{"content_filter_results": BLOCKED}]}),
    case("safety-ratings", choice(message={"content": ""}, safetyRatings=[{"category": "X", "blocked": True}])),
    case(
        "safety-ratings-snake", choice(message={"content": None}, safety_ratings=[{"category": "X", "blocked": True}])
    ),
    case("filter-result", choice(message={"content": None}, content_filter_result=BLOCKED)),
    case("filter-results-a-list", choice(message={"content": None}, content_filter_results=[{"filtered": True}])),
    case("an-empty-part", content([{"type": "refusal", "refusal": ""}])),
    case("a-part-in-capitals", content([{"type": "REFUSAL", "refusal": NO}])),
]


@pytest.mark.parametrize("body", SILENT)
def test_a_refusal_without_a_text_is_filtered(body: Any) -> None:
    """Wherever a server says it."""
    assert sample(http(body)).finish == "content_filter"


OPEN = [
    case(name, body)
    for name, body in [
        *(
            (f"refusal-{value!r}", content(TEXT, refusal=value))
            for value in ("", "  ", "\n", None, False, 0, [], {}, "null", "none")
        ),
        *(
            (f"in-the-choice-{value!r}", choice(message={"content": TEXT}, refusal=value))
            for value in ("", " ", None, False)
        ),
        ("safe-results", choice(message={"content": TEXT}, content_filter_results={"hate": {"filtered": False}})),
        ("safe-ratings", choice(message={"content": TEXT}, safetyRatings=[{"category": "X", "blocked": False}])),
        ("results-a-text", choice(message={"content": TEXT}, content_filter_results="none")),
        (
            "filtered-prompt-with-a-text",
            {**content(TEXT), "prompt_filter_results": [{"content_filter_results": BLOCKED}]},
        ),
    ]
]


@pytest.mark.parametrize("body", OPEN)
def test_what_refuses_nothing_filters_nothing(body: Any) -> None:
    """The text is whole."""
    assert ((found := sample(http(body))).text, found.finish) == (TEXT, "stop")


@pytest.mark.parametrize("floor", [None, ConfidenceFloor(4, 0.1)])
@pytest.mark.parametrize(
    "rows", [None, {"content": None}, {"content": None, "refusal": [{"token": "No", "logprob": -0.1}]}]
)
def test_a_streamed_refusal_is_filtered(rows: Any, floor: ConfidenceFloor | None) -> None:
    """Also where a floor asked for the stream."""
    chunks = [
        {"choices": [{"index": 0, "delta": {"refusal": words}, "finish_reason": reason, "logprobs": rows}]}
        for words, reason in (("I cannot", None), (" help", "stop"))
    ]
    found = sample(http(events(*chunks), kind="text/event-stream"), Params(max_tokens=16, logprobs=1, floor=floor))
    assert (found.text, found.finish) == ("I cannot help", "content_filter")


@pytest.mark.parametrize("floor", [None, ConfidenceFloor(4, 0.1)])
@pytest.mark.parametrize(
    "events_",
    [
        [{"choices": [{"index": 0, "delta": {"refusal": True}, "finish_reason": "stop"}]}],
        [{"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None, "content_filter_results": BLOCKED}]}, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}],
        [{"choices": [], "prompt_filter_results": [{"content_filter_results": BLOCKED}]}, {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]}],
        [{"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop", "safetyRatings": [{"blocked": True}]}]}],
    ],
    ids=["true", "in-its-first-event", "the-prompt", "ratings"],
)  # fmt: skip
def test_a_filtered_stream_without_words_is_filtered(
    events_: list[dict[str, Any]], floor: ConfidenceFloor | None
) -> None:
    """In whichever event it stands."""
    params = Params(max_tokens=16, logprobs=1, floor=floor)
    assert sample(http(events(*events_), kind="text/event-stream"), params).finish == "content_filter"
