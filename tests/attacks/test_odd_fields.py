"""K22: one odd field does not throw away an answer that was paid for."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import json
import math
from typing import Any

import pytest

from searchkit import Params, Sample
from tests.attacks.hostile import PARAMS, TEXT, ask, case, completion, http, sample

CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}


def calling(calls: Any) -> dict[str, Any]:
    found = completion(None, "tool_calls")
    found["choices"][0]["message"]["tool_calls"] = calls
    return found


def function(**fields: Any) -> dict[str, Any]:
    return calling([{**CALL, "function": {"name": "add", **fields}}])


# Body, and the arguments that are expected. pipecat-ai/pipecat#4060, agno-agi/agno#8999 and #10260, mozilla-ai/any-llm#1278.
CALLS = [
    case("arguments-null", function(arguments=None), {}),
    case("arguments-absent", function(), {}),
    case("arguments-empty", function(arguments=""), {}),
    case("arguments-blank", function(arguments="  \n"), {}),
    case("arguments-object", function(arguments={"a": 2}), {"a": 2}),
    case("arguments-nested-object", function(arguments={"a": {"b": [None]}}), {"a": {"b": [None]}}),
    case("id-null", calling([{**CALL, "id": None}]), {"a": 2}),
    case("id-absent", calling([{k: v for k, v in CALL.items() if k != "id"}]), {"a": 2}),
    case("id-number", calling([{**CALL, "id": 7}]), {"a": 2}),
    case("type-null", calling([{**CALL, "type": None}]), {"a": 2}),
    case("type-absent", calling([{k: v for k, v in CALL.items() if k != "type"}]), {"a": 2}),
    case("index-null", calling([{**CALL, "index": None}]), {"a": 2}),
    case("a-null-between", calling([None, CALL]), {"a": 2}),
    case("one-object-instead-of-a-list", calling(CALL), {"a": 2}),
]


@pytest.mark.parametrize(("body", "arguments"), CALLS)
def test_tool_calls_are_read(body: dict[str, Any], arguments: dict[str, Any]) -> None:
    """The call is there with its name, and arguments that are JSON text."""
    found = sample(http(body))
    assert found.message is not None
    [one] = found.message.tool_calls
    assert (one.name, json.loads(one.arguments or "{}")) == ("add", arguments)
    assert isinstance(one.arguments, str)
    assert isinstance(one.id, str)


def message(**fields: Any) -> dict[str, Any]:
    found = completion()
    found["choices"][0]["message"].update(fields)
    return found


def choice(**fields: Any) -> dict[str, Any]:
    return completion(TEXT, "stop", **fields)


def whole(**fields: Any) -> dict[str, Any]:
    return {**completion(), **fields}


PART = {"type": "text", "text": TEXT}
TEXTS = [
    case("content-parts", message(content=[PART])),
    case("content-a-null-part", message(content=[{"type": "text", "text": None}, PART])),
    case("content-a-part-without-text", message(content=[{"type": "text"}, PART])),
    case("content-a-part-of-another-type", message(content=[{"type": "thinking", "thinking": "hm"}, PART])),
    case("content-parts-that-are-strings", message(content=[TEXT])),
    case("content-one-part-without-a-list", message(content=PART)),
    case("content-null-among-parts", message(content=[None, PART])),
    case("reasoning-object", message(reasoning={"text": "hm"})),
    case("reasoning-list", message(reasoning=["h", "m"])),
    case("reasoning-content-list", message(reasoning_content=[{"text": "hm"}])),
    case("reasoning-number", message(reasoning=3)),
    case("reasoning-false", message(reasoning_content=False)),
    case("reasoning-details", message(reasoning_details=[{"type": "reasoning.encrypted", "data": None}])),
    case("role-null", message(role=None)),
    case("role-of-another", message(role="model")),
    case("tool-calls-null", message(tool_calls=None)),
    case("tool-calls-empty-object", message(tool_calls={})),
    case("tool-calls-empty-text", message(tool_calls="")),
    case("annotations-audio-null", message(annotations=None, audio=None, refusal=None)),
    case("logprobs-null-unasked", choice(logprobs=None)),
    case("logprobs-empty-unasked", choice(logprobs={})),
    case("logprobs-text-unasked", choice(logprobs="none")),
    case("index-null", choice(index=None)),
    case("index-text", choice(index="0")),
    case("stop-reason-token-id", choice(stop_reason=128009)),
    case("stop-reason-object", choice(stop_reason={"type": "eos"})),
    case("matched-stop-list", choice(matched_stop=[1, 2])),
    case("id-null", whole(id=None)),
    case("model-null", whole(model=None)),
    case("model-object", whole(model={"name": "m"})),
    case("created-float", whole(created=1.5e9)),
    case("created-text", whole(created="yesterday")),
    case("object-of-another-kind", whole(object="chat.completion.chunk")),
    case("error-null", whole(error=None)),
    case("error-empty-object", whole(error={})),
    case("error-empty-text", whole(error="")),
    case("service-tier-object", whole(service_tier={})),
    case("a-null-choice-behind", whole(choices=[*completion()["choices"], None])),
]


@pytest.mark.parametrize("body", TEXTS)
def test_texts_are_read(body: dict[str, Any]) -> None:
    """The text is there, whatever stands in a field that is not needed for it."""
    assert sample(http(body)).text == TEXT


GOOD = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
USAGES = [
    case("null", None),
    case("absent", "absent"),
    case("empty", {}),
    case("a-list", []),
    case("a-text", "12 tokens"),
    case("null-counts", dict.fromkeys(GOOD)),
    case("floats", {**GOOD, "completion_tokens": 5.0}),
    case("fractions", {**GOOD, "completion_tokens": 5.5}),
    case("texts", {**GOOD, "completion_tokens": "5"}),
    case("words", {**GOOD, "completion_tokens": "five"}),
    case("negative", {**GOOD, "completion_tokens": -5}),
    case("negative-prompt", {**GOOD, "prompt_tokens": -7}),
    case("nan", {**GOOD, "completion_tokens": math.nan}),
    case("infinite", {**GOOD, "prompt_tokens": math.inf}),
    case("1e308", {**GOOD, "completion_tokens": 1e308}),
    case("enormous", {**GOOD, "completion_tokens": 10**40}),
    case("true", {**GOOD, "completion_tokens": True}),
    case("lists", {**GOOD, "completion_tokens": [5]}),
    case("details-null", {**GOOD, "prompt_tokens_details": None, "completion_tokens_details": None}),
    case("cached-null", {**GOOD, "prompt_tokens_details": {"cached_tokens": None}}),
    case("cached-text", {**GOOD, "prompt_tokens_details": {"cached_tokens": "all"}}),
    case("cached-negative", {**GOOD, "prompt_tokens_details": {"cached_tokens": -1}}),
    case("cached-more-than-the-prompt", {**GOOD, "prompt_tokens_details": {"cached_tokens": 10**9}}),
    case("details-a-list", {**GOOD, "prompt_tokens_details": [3]}),
]


@pytest.mark.parametrize("usage", USAGES)
def test_odd_usage_costs_no_answer_and_no_budget(usage: Any) -> None:
    """The text is there, and what is charged are whole, finite numbers that are not negative, of a possible size."""
    body = {k: v for k, v in {**completion(), "usage": usage}.items() if k != "usage" or usage != "absent"}
    found = sample(http(body))
    assert found.text == TEXT
    counts = [found.usage.prompt_tokens, found.usage.cached_tokens, found.usage.generated_tokens]
    assert all(type(n) is int and 0 <= n < 10**7 for n in counts), counts
    assert found.usage.cached_tokens <= found.usage.prompt_tokens


def tokens(*values: Any) -> dict[str, Any]:
    return choice(logprobs={"content": list(values)})


SURE = {"token": "4", "logprob": -0.1, "bytes": [52], "top_logprobs": [{"token": "4", "logprob": -0.1, "bytes": None}]}
LOGPROBS = [
    case("a-null-logprob", tokens(SURE, {**SURE, "logprob": None})),
    case("a-null-rival-logprob", tokens({**SURE, "top_logprobs": [{"token": "5", "logprob": None}]})),
    case("null-rivals", tokens({**SURE, "top_logprobs": None})),
    case("no-rivals-field", tokens({k: v for k, v in SURE.items() if k != "top_logprobs"})),
    case("empty-rivals", tokens({**SURE, "top_logprobs": []})),
    case("a-null-rival", tokens({**SURE, "top_logprobs": [None]})),
    case("null-bytes", tokens({**SURE, "bytes": None})),
    case("null-token", tokens(SURE, {**SURE, "token": None})),
    case("text-logprob", tokens({**SURE, "logprob": "-0.1"})),
    case("positive-logprob", tokens({**SURE, "logprob": 1e-7})),
    case("minus-infinity", tokens(SURE, {**SURE, "logprob": -math.inf})),
    case("nan", tokens(SURE, {**SURE, "logprob": math.nan})),
    case("a-null-token-entry", tokens(SURE, None)),
]


@pytest.mark.parametrize("body", LOGPROBS)
def test_odd_logprobs_cost_no_answer(body: dict[str, Any]) -> None:
    """sgl-project/sglang#20323, vllm-project/vllm#10234: the text is there; what is unknown of a token is unknown."""
    entry = ask(http(body), Params(max_tokens=16, logprobs=1))
    assert isinstance(entry, Sample), entry
    assert entry.text == TEXT
    assert PARAMS.logprobs is None
