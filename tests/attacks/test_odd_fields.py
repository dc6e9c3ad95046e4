"""K22: one odd field does not throw away an answer that was paid for."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import asyncio
import json
import math
import warnings
from typing import Any

import pytest

from searchkit import Budget, Model, Params, Prompt, Sample, SearchWarning, solve_sync
from searchkit.calls import Request
from searchkit.generators import OpenAI
from searchkit.strategies import SelfConsistency
from searchkit.tool_calls import parsed
from searchkit.verifiers import DeepConf
from tests.attacks.hostile import PARAMS, PROMPT, TEXT, Hostile, ask, case, completion, events, failure, http, sample

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


UNLISTED = [
    None,
    {},
    [],
    {"content": None},
    {"content": []},
    {"content": None, "refusal": None},
    {"content": [], "refusal": []},
]
NAMES = ["null", "empty", "list", "content-null", "content-empty", "both-null", "both-empty"]
NOTHING_TO_LIST = [
    case("a-call", message(content=None, tool_calls=[CALL]), "tool_calls", "tool_calls"),
    case("a-call-and-a-text", message(content="Let me add.", tool_calls=[CALL]), "tool_calls", "tool_calls"),
    case("a-call-with-stop", message(content="", tool_calls=[CALL]), "stop", "tool_calls"),
    case("the-older-call", message(content=None, function_call=CALL["function"]), "function_call", "tool_calls"),
    case("a-refusal", message(content=None, refusal="No."), "stop", "content_filter"),
    case("a-filtered-text", message(content="The ans"), "content_filter", "content_filter"),
    case("filtered-to-nothing", message(content=None), "content_filter", "content_filter"),
    case("an-empty-text", message(content=""), "stop", "stop"),
    case("nothing-but-thoughts", message(content="", reasoning_content="hm"), "length", "length"),
    case("a-cut-empty-text", message(content=""), "length", "length"),
]


@pytest.mark.parametrize("logprobs", UNLISTED, ids=NAMES)
@pytest.mark.parametrize(("body", "reason", "finish"), NOTHING_TO_LIST)
def test_where_there_is_nothing_to_list_nothing_is_lost(
    body: dict[str, Any], reason: str, finish: str, logprobs: Any
) -> None:
    """OpenAI sends null for calls and refusals: the paid answer is kept, and confidence verifiers abstain."""
    body["choices"][0] |= {"logprobs": logprobs, "finish_reason": reason}
    found = sample(http(body), Params(max_tokens=16, logprobs=2))
    assert (found.finish, found.logprobs) == (finish, ())
    [verdict] = asyncio.run(DeepConf().verify(Prompt.of("q"), [found], None))  # type: ignore[arg-type]
    assert verdict.score is None


@pytest.mark.parametrize("logprobs", UNLISTED[:4], ids=NAMES[:4])
def test_a_text_without_its_log_probabilities_is_told(logprobs: Any) -> None:
    """Where there is something to list, a server that does not drops them."""
    error = failure(http(choice(logprobs=logprobs)), Params(max_tokens=16, logprobs=2))
    assert "drops log-probabilities" in str(error)


@pytest.mark.parametrize(
    "logprobs", [[SURE], {"content": {"0": SURE}}, {"content": SURE}], ids=["list", "numbered", "one-row"]
)
def test_log_probabilities_in_another_shape_are_read(logprobs: Any) -> None:
    """They are there: nothing is dropped."""
    found = sample(http(choice(logprobs=logprobs)), Params(max_tokens=16, logprobs=1))
    assert found.logprobs is not None
    assert [token.text for token in found.logprobs] == ["4"]


@pytest.mark.parametrize("logprobs", ["none", 5, {"content": "4"}, {"values": [-0.1]}])
def test_log_probabilities_that_cannot_be_read_are_quoted(logprobs: Any) -> None:
    """To say that they were dropped would not be true."""
    error = failure(http(choice(logprobs=logprobs)), Params(max_tokens=16, logprobs=1))
    assert "cannot be read" in str(error)
    assert "drops" not in str(error)


def used(prompt: Any = 7, generated: Any = 5, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": generated, **more}


def thinking(reasoning: Any) -> dict[str, Any]:
    return {"completion_tokens_details": {"reasoning_tokens": reasoning}}


# Of a call with max_tokens=16: usage, text, what is charged for the generated tokens, whether the server's count is kept.
IMPOSSIBLE = [
    case("a-million", used(7, 10**6), TEXT, 16, False),
    case("nearly-ten-million", used(7, 9_999_999), TEXT, 16, False),
    case("a-thousand", used(7, 1000), TEXT, 16, False),
    case("a-text-of-digits", used(7, "1000000"), TEXT, 16, False),
    case("a-whole-float", used(7, 1e6), TEXT, 16, False),
    case("ten-to-the-twelve", used(7, 10**12), TEXT, 16, False),
    case("more-than-can-be-thought", used(7, 10**6, **thinking(10**6)), TEXT, 16, False),
    case("more-than-was-thought", used(7, 10**5, **thinking(50)), TEXT, 16, False),
    case("thoughts-of-none", used(7, 10**5, **thinking(0)), TEXT, 16, False),
    case("one-for-a-long-text", used(7, 1), "word " * 20, 1, True),
    case("one-for-a-very-long-text", used(7, 1), "word " * 100, 16, False),
    case("the-limit", used(7, 16), TEXT, 16, True),
    case("one-over-the-limit", used(7, 17), TEXT, 17, True),
    case("twice-the-limit", used(7, 32), TEXT, 32, True),
    case("thoughts-beyond-the-limit", used(7, 5000, **thinking(4990)), TEXT, 5000, True),
    case("as-many-as-letters", used(7, 2000), "x" * 2000, 2000, True),
    case("a-long-text-that-ignores-its-limit", used(7, 300), "word " * 300, 300, True),
    case("null", used(7, None), TEXT, 16, False),
    case("zero", used(7, 0), TEXT, 16, False),
]


@pytest.mark.filterwarnings("default::searchkit.errors.SearchWarning")
@pytest.mark.parametrize(("usage", "text", "charged", "kept"), IMPOSSIBLE)
def test_usage_that_cannot_be_is_estimated(usage: dict[str, Any], text: str, charged: int, kept: bool) -> None:
    """Never charged as said: estimated as where nobody counts, marked so, and told once."""
    lies = not kept and usage["completion_tokens"] not in (None, 0)
    with Hostile(http({**completion(text), "usage": usage})) as server, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        backend = OpenAI(server.url, "m")
        [first, second] = asyncio.run(backend.complete([Request(PROMPT, PARAMS, seed) for seed in (1, 2)]))
    assert isinstance(first, Sample), first
    assert isinstance(second, Sample), second
    assert (first.usage.generated_tokens, first.usage.prompt_tokens) == (charged, 7)
    assert first.usage.estimated_tokens == (0 if kept else charged)
    assert [str(w.message).count("cannot be") for w in said] == [1] * lies


@pytest.mark.parametrize("prompt", [10**7, 9_999_999, 2_000_000, "5000000", 3e6])
def test_a_prompt_that_no_server_reads_is_estimated(prompt: Any) -> None:
    """Templates, tools and images add to a prompt; a million tokens they do not."""
    with pytest.warns(SearchWarning, match="tokens of a prompt"):
        found = sample(http({**completion(), "usage": used(prompt)}))
    assert found.usage.prompt_tokens == found.usage.estimated_tokens == len(PROMPT.text) // 4


def test_thoughts_that_are_seen_may_go_beyond_the_limit() -> None:
    """Some servers limit only the visible text, and count the thoughts without saying how many they are."""
    body = {**message(reasoning_content="hm " * 30), "usage": used(7, 30_000)}
    assert sample(http(body)).usage.generated_tokens == 30_000


def test_the_best_of_several_costs_them_all() -> None:
    """Asked for by extra_body, which the server generates and counts."""
    body = http({**completion(), "usage": used(7, 16 * 20)})
    assert sample(body, extra_body={"best_of": 20}).usage.generated_tokens == 320


def test_no_lie_breaks_a_budget() -> None:
    """A million tokens a call, said of sixteen, against a budget of a thousand."""
    with Hostile(http({**completion(), "usage": used(7, 10**6)})) as server:
        generator = Model(OpenAI(server.url, "m"), PARAMS)
        with pytest.warns(SearchWarning):
            result = solve_sync("q", SelfConsistency(8), generator=generator, budget=Budget(generated_tokens=1000))
    assert (result.usage.generated_tokens, result.usage.estimated_tokens) == (128, 128)


F = {"name": "pay", "arguments": '{"eur": 5}'}
ONE = [("pay", '{"eur": 5}')]


def spoken(**fields: Any) -> dict[str, Any]:
    found = completion(None, "tool_calls")
    found["choices"][0]["message"].update(fields)
    return found


# Fields of a message, and the calls that it has; None: an error that quotes.
SPELLED = [
    case("both-fields", {"function_call": F, "tool_calls": [{"id": "a", "function": F}]}, ONE),
    case("both-fields-other-blanks", {"function_call": {**F, "arguments": '{"eur":5}'}, "tool_calls": [{"id": "a", "function": F}]}, ONE),
    case("both-fields-object-and-text", {"function_call": {**F, "arguments": {"eur": 5}}, "tool_calls": [{"id": "a", "function": F}]}, ONE),
    case("both-fields-a-list", {"function_call": [F], "tool_calls": [{"id": "a", "function": F}]}, ONE),
    case("both-fields-different", {"function_call": {"name": "now", "arguments": "{}"}, "tool_calls": [{"id": "a", "function": F}]}, [*ONE, ("now", "{}")]),
    case("both-fields-other-arguments", {"function_call": {**F, "arguments": '{"eur": 6}'}, "tool_calls": [{"id": "a", "function": F}]}, [*ONE, ("pay", '{"eur": 6}')]),
    case("twice-in-one-field", {"tool_calls": [{"id": "a", "function": F}, {"id": "b", "function": F}]}, ONE * 2),
    case("older-and-null", {"function_call": F, "tool_calls": None}, ONE),
    case("parameters", {"tool_calls": [{"id": "a", "function": {"name": "pay", "parameters": {"eur": 5}}}]}, ONE),
    case("parameters-as-text", {"tool_calls": [{"id": "a", "function": {"name": "pay", "parameters": '{"eur": 5}'}}]}, ONE),
    case("input", {"tool_calls": [{"id": "a", "type": "tool_use", "name": "pay", "input": {"eur": 5}}]}, ONE),
    case("args", {"tool_calls": [{"id": "a", "name": "pay", "args": {"eur": 5}}]}, ONE),
    case("beside-the-function", {"tool_calls": [{"id": "a", "function": {"name": "pay"}, "arguments": {"eur": 5}}]}, ONE),
    case("null-and-parameters", {"tool_calls": [{"id": "a", "function": {"name": "pay", "arguments": None, "parameters": {"eur": 5}}}]}, ONE),
    case("empty-and-parameters", {"tool_calls": [{"id": "a", "function": {"name": "pay", "arguments": "", "parameters": {"eur": 5}}}]}, ONE),
    case("none-and-an-echo-of-the-schema", {"tool_calls": [{"id": "a", "function": {"name": "pay", "arguments": "{}", "parameters": {"type": "object"}}}]}, [("pay", "{}")]),
    case("a-part-of-the-content", {"content": [{"type": "tool_use", "id": "a", "name": "pay", "input": {"eur": 5}}]}, ONE),
    case("a-part-and-the-field", {"content": [{"type": "tool_use", "id": "a", "name": "pay", "input": {"eur": 5}}], "tool_calls": [{"id": "a", "function": F}]}, ONE),
    case("older-with-parameters", {"function_call": {"name": "pay", "parameters": {"eur": 5}}}, ONE),
    case("another-name", {"tool_calls": [{"id": "a", "function": {"name": "pay", "kwargs": {"eur": 5}}}]}, None),
    case("custom", {"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "pay", "input": "5 euros"}}]}, [("pay", "5 euros")]),
    case("custom-and-null", {"tool_calls": [{"id": "a", "type": "custom", "function": None, "custom": {"name": "pay", "input": "5"}}]}, [("pay", "5")]),
    case("custom-empty", {"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "pay", "input": ""}}]}, [("pay", "{}")]),
    case("by-their-numbers", {"tool_calls": {"0": {"id": "a", "function": F}}}, ONE),
    case("nan", {"tool_calls": [{"id": "a", "function": {"name": "pay", "arguments": {"eur": math.nan}}}]}, [("pay", '{"eur": NaN}')]),
    case("infinity", {"tool_calls": [{"id": "a", "function": {"name": "pay", "arguments": {"eur": math.inf}}}]}, [("pay", '{"eur": Infinity}')]),
    case("nan-inside", {"tool_calls": [{"id": "a", "function": {"name": "pay", "arguments": {"a": [math.nan]}}}]}, [("pay", '{"a": [NaN]}')]),
    case("no-name", {"tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]}, None),
    case("a-text", {"tool_calls": "pay(5)"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "calls"), SPELLED)
def test_a_call_is_read_once_and_whole(fields: dict[str, Any], calls: list[tuple[str, str]] | None) -> None:
    """By whichever names; what has another name is told, and never a call without its arguments."""
    if calls is None:
        assert "tool call" in str(failure(http(spoken(**fields))))
        return
    found = sample(http(spoken(**fields)))
    assert found.message is not None
    assert [(call.name, call.arguments) for call in found.message.tool_calls] == calls


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_arguments_with_a_number_that_is_none_are_told_to_the_model(number: str) -> None:
    """The call is kept; who does it finds that its arguments are no JSON."""
    body = json.dumps(spoken(tool_calls=[{"id": "a", "function": {"name": "pay", "arguments": {"eur": "N"}}}])).replace(
        '"N"', number
    )
    found = sample(http(body))
    assert found.message is not None
    [one] = found.message.tool_calls
    with pytest.raises(ValueError, match=r"NaN|Infinity|constant|number"):
        parsed(one.arguments)


STREAMED = [
    case("arguments", [{"function": {"name": "pay", "arguments": '{"eur"'}}, {"function": {"arguments": ": 5}"}}], ONE),
    case(
        "parameters", [{"function": {"name": "pay", "parameters": '{"eur"'}}, {"function": {"parameters": ": 5}"}}], ONE
    ),
    case("an-object-at-once", [{"function": {"name": "pay", "arguments": {"eur": 5}}}], ONE),
    case(
        "custom",
        [{"type": "custom", "custom": {"name": "pay", "input": "5 "}}, {"custom": {"input": "euros"}}],
        [("pay", "5 euros")],
    ),
    case("flat", [{"name": "pay", "arguments": '{"eur"'}, {"arguments": ": 5}"}], ONE),
    case("input", [{"name": "pay", "input": {"eur": 5}}], ONE),
    case("no-arguments", [{"function": {"name": "pay"}}], [("pay", "{}")]),
    case("a-text-for-a-function", [{"function": "pay"}], None),
]


@pytest.mark.parametrize(("pieces", "calls"), STREAMED)
def test_a_streamed_call_is_read_whole(pieces: list[dict[str, Any]], calls: list[tuple[str, str]] | None) -> None:
    """The same where it comes in pieces, though nobody asked for a stream."""
    chunks = [
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **piece}]}, "finish_reason": None}]}
        for piece in pieces
    ]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    body = http(events(*chunks, last), kind="text/event-stream")
    if calls is None:
        failure(body)
        return
    found = sample(body)
    assert found.message is not None
    assert [(call.name, call.arguments) for call in found.message.tool_calls] == calls
