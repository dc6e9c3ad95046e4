"""Fields that a server refuses by name: what is left out by itself, what never is, what is said, charged and kept."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import asyncio
import json
import sqlite3
import warnings
from pathlib import Path
from typing import Any

import pytest

from searchkit import Budget, CallError, Model, Params, Sample, SearchWarning, solve_sync
from searchkit.calls import Request
from searchkit.codec import content_of, dump_sample, load_sample
from searchkit.engine.journal import Journal
from searchkit.errors import CapabilityError
from searchkit.generators import Cached, OpenAI, Retrying
from searchkit.generators.openai import refused
from searchkit.generators.openai.fitting import Fit
from searchkit.http import HTTPReply
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.types import ConfidenceFloor, Prompt
from searchkit.verifiers import Exact
from tests.attacks.hostile import PROMPT, Asked, Hostile, call, case, completion, events, http

PARAMS = Params(temperature=0.7, max_tokens=16, stop=("END",))
BODY: dict[str, Any] = {
    "model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 0.7, "top_p": 1.0, "seed": 1,
    "max_tokens": 16, "stop": ["END"], "top_k": -1, "min_p": 0.0, "include_stop_str_in_output": True,
    "no_stop_trim": True,
}  # fmt: skip
EXTRA = "Extra inputs are not permitted"


def reply(body: Any, status: int = 400) -> HTTPReply:
    return HTTPReply(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def loc(*place: Any, **more: Any) -> dict[str, Any]:
    return {"type": "extra_forbidden", "loc": list(place), "msg": EXTRA, **more}


# The words of servers, as in public reports: what is named, and so left out.
NAMED = [
    case("mistral-nested-detail", {"object": "error", "message": {"detail": [loc("body", "top_k", input=-1)]}, "type": "invalid_request_error", "param": None, "code": None}, {"top_k"}),
    case("mistral-json-in-a-text", {"object": "error", "message": json.dumps({"detail": [loc("body", "min_p", url="https://errors.pydantic.dev/2.5/v/extra_forbidden")]}), "param": None}, {"min_p"}),
    case("mistral-twice", {"object": "Error", "detail": [loc("body", "top_k")], "message": [loc("body", "top_k")], "code": 3001}, {"top_k"}),
    case("pydantic-all-at-once", {"detail": [loc("body", name) for name in ("top_k", "min_p", "no_stop_trim", "include_stop_str_in_output")]}, {"top_k", "min_p", "no_stop_trim", "include_stop_str_in_output"}),
    case("python-repr", {"message": "[{'type': 'extra_forbidden', 'loc': ('body', 'top_k'), 'msg': 'Extra inputs are not permitted', 'input': -1}]"}, {"top_k"}),
    case("gemini-list", [{"error": {"code": 400, "message": 'Invalid JSON payload received. Unknown name "top_k": Cannot find field.\nInvalid JSON payload received. Unknown name "min_p": Cannot find field.'}}], {"top_k", "min_p"}),
    case("transformers-serve", {"detail": "Unexpected keys in the request: {'top_k', 'min_p', 'no_stop_trim'}"}, {"top_k", "min_p", "no_stop_trim"}),
    case("backticks", {"error": "Input validation error: `top_k` must be strictly positive", "error_type": "validation"}, {"top_k"}),
    case("dotted", {"detail": "body.no_stop_trim is not allowed"}, {"no_stop_trim"}),
    case("camel-case", {"error": {"message": "topK is out of range"}}, {"top_k"}),
    case("plain-text", b"unknown field: min_p", {"min_p"}),
    case("html", b"<html><body><h1>400</h1><p>unknown parameter top_k</p></body></html>", {"top_k"}),
    case("go", {"error": {"message": 'json: unknown field "no_stop_trim"', "param": None}}, {"no_stop_trim"}),
    case("serde", {"error": {"message": "Failed to deserialize the JSON body into the target type: top_k: invalid value: integer `-1`, expected u32 at line 1 column 210"}}, {"top_k"}),
    case("errors-list", {"errors": [{"field": "min_p", "reason": "not recognised"}]}, {"min_p"}),
    case("upper-case-keys", {"Error": {"Message": "Unsupported parameter", "Param": "top_k"}}, {"top_k"}),
    case("param-against-a-long-list", {"error": {"message": "Unsupported parameter: 'min_p'. Supported are temperature, top_p, top_k.", "param": "min_p"}}, {"min_p"}),
    case("bytes-that-are-no-utf-8", b"unknown \xff field top_k", {"top_k"}),
    case("bedrock", {"message": "Malformed input request: #: extraneous key [top_k] is not permitted, please reformat your input and try again."}, {"top_k"}),
    case("openrouter", {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": json.dumps({"error": {"message": "Unsupported parameter: 'top_k'", "param": "top_k"}}), "provider_name": "OpenAI"}}}, {"top_k"}),
    case("a-proxy-around-json", {"error": {"message": 'litellm.BadRequestError: XaiException - {"code":"Client specified an invalid argument","error":"Argument not supported on this model: topK"}. Received Model Group=x\nAvailable Model Group Fallbacks=None', "param": None}}, {"top_k"}),
    case("chinese", {"error": {"message": "模型不支持参数top_k,请移除min_p后重试"}}, {"top_k", "min_p"}),
    case("hyphens", {"error": "invalid option: top-k"}, {"top_k"}),
    case("capitals", {"Message": "TopK and Min_P are not supported"}, {"top_k", "min_p"}),
    case("xai", {"code": "Client specified an invalid argument", "error": "Model grok does not support parameter minP."}, {"min_p"}),
    case("assigned", {"message": "bad value: top_k=-1"}, {"top_k"}),
    case("grpc", {"error": {"details": [{"fieldViolations": [{"field": "generation_config.top_k", "description": "must be positive"}]}]}}, {"top_k"}),
    case("problem-json", {"title": "Bad Request", "status": 400, "errors": {"no_stop_trim": ["unknown field"]}}, {"no_stop_trim"}),
    case("problem-json-of-two", {"errors": {"body.top_k": ["unknown"], "body.min_p": ["unknown"]}}, {"top_k", "min_p"}),
    case("vertex", {"error": {"message": "Unable to submit request because it has a topK value of -1 but the supported range is from 1 (inclusive) to 41 (exclusive)."}}, {"top_k"}),
]  # fmt: skip
# Refusals in which none of our fields is what is wrong.
NOT_NAMED = [
    case("another-field", {"error": {"message": "Unsupported parameter: 'seed'", "param": "seed"}}),
    case("another-field-against-a-list-with-ours", {"error": {"message": "'seed' is not supported. Use temperature, top_p, top_k or min_p.", "param": "seed"}}),
    case("what-was-sent-is-echoed", {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": BODY}]}),
    case("the-request-is-echoed", {"error": "bad request", "request": BODY}),
    case("a-longer-word", {"error": {"message": "top_kind is wrong, and so is stop_k"}}),
    case("a-message-that-is-too-long", {"error": {"message": "This model's maximum context length is 4096 tokens.", "param": "messages"}}),
    case("nothing", b""),
    case("null", b"null"),
    case("a-number", b"400"),
    case("deep", b"[" * 100_000 + b'"top_p"' + b"]" * 100_000),
]  # fmt: skip


@pytest.mark.parametrize(("body", "names"), NAMED)
@pytest.mark.parametrize("status", [400, 422])
def test_fields_of_ours_are_read_from_refusals(body: Any, names: set[str], status: int) -> None:
    """In whatever words and places a server names them."""
    assert set(refused.spared(reply(body, status), BODY)) == names


@pytest.mark.parametrize("body", NOT_NAMED)
def test_other_refusals_name_none(body: Any) -> None:
    """Neither what else is wrong, nor what is only quoted."""
    assert refused.spared(reply(body), BODY) == {}


@pytest.mark.parametrize("status", [200, 401, 403, 404, 413, 429, 500, 503])
def test_only_a_refused_body_is_answered_so(status: int) -> None:
    """400 and 422 alone."""
    assert refused.spared(reply({"error": {"message": "top_k", "param": "top_k"}}, status), BODY) == {}


def test_long_refusals_take_little() -> None:
    """An error of 8 MB that names a field at its beginning, and one of a million entries."""
    assert "top_k" in refused.spared(reply(b"unknown field top_k " + b"x " * 4_000_000), BODY)
    many = {"detail": [{"msg": "no"}] * 300_000}
    assert refused.spared(reply(many), BODY) == {}


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        case("top_k", "top_k", {**BODY, "top_k": 40}),
        case("min_p", "min_p", {**BODY, "min_p": 0.1}),
    ],
)
def test_what_was_asked_for_is_never_left_out(asked: str, body: dict[str, Any]) -> None:
    """Off is ours to leave out; a value is the user's, and the sentence says how."""
    answer = reply({"error": {"message": f"property '{asked}' is unsupported"}})
    assert refused.spared(answer, body) == {}
    assert f"leave_out=('{asked}',)" in refused.advice(answer, body, Fit())
    params = Params(max_tokens=5, **{asked: body[asked]})
    with Hostile(http({"error": {"message": f"property '{asked}' is unsupported"}}, "400 Bad Request")) as server:
        entry = call(server.url, params)
    assert isinstance(entry, CallError)
    assert len(server.asked) == 1


# ---------------------------------------------------------------- sentences

ADVICE = [
    case("temperature", "Unsupported value: 'temperature' does not support 0.7 with this model.", {}, "leave_out=('temperature',)"),
    case("renamed-limit", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", {}, 'rename={"max_tokens": "max_completion_tokens"}'),
    case("top-p-of-two", "`temperature` and `top_p` cannot both be specified for this model. Please use only one.", {}, "leave_out=('top_p',)"),
    case("seed", 'Invalid JSON payload received. Unknown name "seed": Cannot find field.', {}, 'rename={"seed": "random_seed"}'),
    case("other-name", "Unable to submit request because the model does not support the stopSequences parameter.", {}, "leave_out=('stop',)"),
    case("renamed", "property 'random_seed' is unsupported", {"rename": {"seed": "random_seed"}}, "leave_out=('seed',)"),
    case("added", "Unrecognized request argument supplied: reasoning_effort", {"add": {"reasoning_effort": "low"}}, "out of extra_body="),
    case("unknown", "Unrecognized request argument supplied: something", {}, "extra_body="),
    case("content", "Unsupported Content", {}, "leave_out="),
    case("missing-query", "Missing required query parameter: api-version", {}, "extra_query="),
    case("missing-header", "Either x-portkey-config or x-portkey-provider header is required", {}, "extra_headers="),
    case("missing-field", "Missing required parameter: 'reasoning_effort'.", {}, "extra_body="),
    case("pydantic-missing", "Field required", {}, "extra_body="),
    case("gpt-5-stop", "Unsupported parameter: 'stop' is not supported with this model.", {}, "leave_out=('stop',)"),
    case("groq-n", "'n' : number must be at most 1", {}, ""),
    case("mistral-greedy", "top_p must be 1 when using greedy sampling.", {}, "leave_out=('top_p',)"),
    case("tgi-temperature", "Input validation error: `temperature` must be strictly positive", {}, "leave_out=('temperature',)"),
    case("cohere", "invalid request: p must be at most 0.99", {}, ""),
    case("bedrock", "The model returned the following errors: `temperature` and `top_p` cannot both be specified", {}, "leave_out=('top_p',)"),
    case("vertex-seed", "Unable to submit request because seed must be less than 2147483648", {}, "leave_out=('seed',)"),
    case("camel-case", "Model x does not support parameter topP.", {}, "leave_out=('top_p',)"),
    case("max-new-tokens", "max_new_tokens must be <= 4096", {}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("words", "options", "said"), ADVICE)
def test_sentences_name_the_option(words: str, options: dict[str, Any], said: str) -> None:
    """What to pass, for what the server refuses; nothing, where another value of `Params` is what helps."""
    fit = Fit(**options)
    found = refused.advice(reply({"error": {"message": words}}), BODY, fit)
    assert said in found
    assert bool(said) is bool(found)


# Refusals of what was asked for: to leave it out leads nowhere.
NEEDED = [
    case("logprobs", "Unsupported parameter: 'logprobs' is not supported with this model.", {"logprobs": True, "top_logprobs": 3}, "Params(logprobs=None)"),
    case("rivals", "top_logprobs must be <= 5", {"logprobs": True, "top_logprobs": 20}, "Params(logprobs=None)"),
    case("both", "logprobs and top_logprobs are not supported", {"logprobs": True, "top_logprobs": 3}, "Params(logprobs=None)"),
    case("gemini", "Unknown name \"responseLogprobs\": Cannot find field.", {"logprobs": True, "top_logprobs": 3}, "Params(logprobs=None)"),
    case("tools", "parameter 'tools' is not supported", {"tools": []}, "takes them"),
    case("n", "property 'n' is unsupported", {"n": 4}, "Coalescing"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "more", "said"), NEEDED)
def test_what_is_needed_is_not_advised_to_be_left_out(words: str, more: dict[str, Any], said: str) -> None:
    found = refused.advice(reply({"error": {"message": words}}), {**BODY, **more}, Fit())
    assert said in found
    assert "leave_out" not in found


@pytest.mark.parametrize("left", [("logprobs",), ("logprobs", "top_logprobs")])
@pytest.mark.parametrize("route", ["chat", "completions"])
def test_log_probabilities_that_are_left_out_cost_nothing(left: tuple[str, ...], route: Any) -> None:
    """What cannot come is not asked for; without them the same backend works."""
    with Hostile(http(completion())) as server:
        entry = call(server.url, Params(max_tokens=5, logprobs=3), leave_out=left, route=route)
        assert isinstance(entry, CapabilityError)
        assert server.asked == []
        assert isinstance(call(server.url, leave_out=left), Sample)


QUOTES = [
    "Content policy: your prompt '{}' was flagged", "{}", '{{"prompt": "{}"}} is not wanted', "The input {} is too strange. The input {} is.",
]  # fmt: skip


@pytest.mark.parametrize("cut", [None, 45, 30])
@pytest.mark.parametrize("words", QUOTES)
def test_a_prompt_that_is_quoted_names_no_field(words: str, cut: int | None) -> None:
    """A question about a field of ours, quoted in a refusal, whole or cut off: no other request is made."""
    question = "what does include_stop_str_in_output do, and does top_k -1 switch it off?"
    quoted = question[:cut]
    with Hostile(http({"error": {"message": words.format(quoted, quoted)}}, "400 Bad Request")) as server:
        entry = call(server.url, Params(max_tokens=5, stop=("END",)), Prompt.of(question), extras=True)
        assert isinstance(entry, CallError)
        assert len(server.asked) == 1
        assert "leave_out" not in str(entry)


def test_a_field_that_is_named_beside_a_quotation_is_left_out() -> None:
    question = "what does include_stop_str_in_output do?"

    def answer(asked: Any) -> bytes:
        if "include_stop_str_in_output" not in asked.body:
            return http(completion())
        message = f"unknown field include_stop_str_in_output in the request {question!r}"
        return http({"error": {"message": message}}, "400 Bad Request")

    with Hostile(answer) as server, pytest.warns(SearchWarning):
        assert isinstance(
            call(server.url, Params(max_tokens=5, stop=("END",)), Prompt.of(question), extras=True), Sample
        )


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
        "The response was filtered due to the prompt triggering content management policy.",
        "Invalid 'messages[0].content': empty string.",
        "",
    ],
)
def test_no_option_is_named_where_none_helps(words: str) -> None:
    """A prompt that is too long, or not wanted, is no matter of fields."""
    assert refused.advice(reply({"error": {"message": words}}), BODY, Fit()) == ""


def test_a_gateway_that_says_it_with_another_status() -> None:
    """501, say; a server that failed is not advised."""
    words = {"error": {"message": "parameter 'seed' is not supported"}}
    assert "leave_out=('seed',)" in refused.advice(reply(words, 501), BODY, Fit())
    for failed in (reply({"error": "internal error, seed 7"}, 500), reply(words, 429), reply(words, 401)):
        assert refused.advice(failed, BODY, Fit()) == ""


# ---------------------------------------------------------------- what becomes of it


def picky(*fields: str) -> Any:
    """A server that names the first of `fields` that it is sent."""

    def answer(asked: Asked) -> bytes:
        body = {**asked.body, **asked.body.get("stream_options", {})}
        for field in fields:
            if field in body:
                return http({"error": {"message": f"property '{field}' is unsupported"}}, "400 Bad Request")
        if asked.body.get("stream"):
            token = {"token": "4", "logprob": 0.0, "top_logprobs": [{"token": "4", "logprob": 0.0}]}
            piece = {"index": 0, "delta": {"content": "4"}, "logprobs": {"content": [token]}, "finish_reason": "stop"}
            return http(
                events({"choices": [piece], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}),
                kind="text/event-stream",
            )
        return http(completion("#### 4"))

    return answer


def test_the_official_client_is_answered_so_too() -> None:
    """Where a proxy is configured, refusals come as its exceptions."""
    with Hostile(picky("top_k", "no_stop_trim")) as server, pytest.warns(SearchWarning, match="no_stop_trim, top_k"):
        entry = call(server.url, PARAMS, transport="official")
    assert isinstance(entry, Sample), entry
    assert entry.left_out == ("no_stop_trim", "top_k")
    assert entry.usage.model_calls == len(server.asked) == 3


def test_it_is_noted_in_samples_results_rows_and_entries(tmp_path: Path) -> None:
    """In the sample, the result, the journal's row and the cache's entry; replayed, they say so without a warning."""
    journal, cache = tmp_path / "j.db", tmp_path / "c.db"
    with Hostile(picky("top_k", "min_p")) as server:
        for again in (False, True):
            cached = Cached(OpenAI(server.url, "m"), cache)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                result = solve_sync("2 + 2?", SelfConsistency(2), generator=Model(cached, PARAMS), journal=journal)
            assert result.left_out == ("min_p", "top_k")
            assert {c.sample.left_out for c in result.candidates} == {("min_p", "top_k")}
            assert bool(caught) is not again
            assert result.paid.model_calls == (0 if again else len(server.asked))
            cached.close()
    rows = [row for (row,) in sqlite3.connect(journal).execute("SELECT outcome FROM call")]
    entries = [row for (row,) in sqlite3.connect(cache).execute("SELECT sample FROM sample")]
    assert len(rows) == len(entries) == 2
    assert all('"left_out": ["min_p", "top_k"]' in row for row in rows + entries)


def test_it_is_in_no_key(tmp_path: Path) -> None:
    """A search that was begun before the server refused anything is gone on with after it did."""
    journal = tmp_path / "j.db"
    strategy, problem = BestOfN(3, Exact(reference="4")), "2 + 2?"
    with Hostile(picky()) as server:
        first = solve_sync(problem, strategy, generator=Model(OpenAI(server.url, "m"), PARAMS), journal=journal)
        kept = {key for (key,) in sqlite3.connect(journal).execute("SELECT key FROM call")}
        fresh = tmp_path / "k.db"
        server.answer = picky("top_k")
        with pytest.warns(SearchWarning, match="top_k"):
            second = solve_sync(problem, strategy, generator=Model(OpenAI(server.url, "m"), PARAMS), journal=fresh)
    assert first.left_out == ()
    assert second.left_out == ("top_k",)
    assert {key for (key,) in sqlite3.connect(fresh).execute("SELECT key FROM call")} == kept
    Journal(journal).close()


def test_what_a_sample_says_does_not_hold_it() -> None:
    """Equal samples have equal content, nested ones too, whatever was left out; stored, it comes back."""
    plain, marked = Sample("4"), Sample("4", left_out=("top_k",))
    assert plain == marked
    assert content_of(plain) == content_of(marked)
    assert load_sample(dump_sample(marked)).left_out == ("top_k",)
    assert "left_out" not in dump_sample(plain)


def test_a_refused_attempt_is_charged_as_a_retry() -> None:
    """A call beside the answer's, in the trace and in the totals; a budget without a call for it is not overdrawn."""
    with Hostile(picky("top_k")) as server:
        with pytest.warns(SearchWarning):
            result = solve_sync("2 + 2?", SelfConsistency(1), generator=Model(OpenAI(server.url, "m"), PARAMS))
        [drawn] = [span for span in result.trace.walk() if span.kind == "call"]
        assert (drawn.usage.model_calls, drawn.retried.model_calls) == (1, 1)
        assert result.usage.model_calls == result.paid.model_calls == len(server.asked) == 2
        with pytest.raises(CallError, match=r"leave_out=\('top_k',\)"):
            solve_sync(
                "2 + 2?",
                SelfConsistency(1),
                generator=Model(OpenAI(server.url, "m"), PARAMS),
                budget=Budget(model_calls=1),
            )
        assert len(server.asked) == 3


def test_many_at_once_warn_once() -> None:
    """Each of those that are on their way is refused and sent again; all later ones are sent without the field."""
    with Hostile(picky("top_k")) as server:
        backend = Retrying(OpenAI(server.url, "m"))
        with pytest.warns(SearchWarning) as caught:
            entries = asyncio.run(backend.complete([Request(PROMPT, PARAMS, i, i) for i in range(16)]))
        assert len(caught) == 1
        assert all(isinstance(entry, Sample) and entry.left_out == ("top_k",) for entry in entries)
        before = len(server.asked)
        entries = asyncio.run(backend.complete([Request(PROMPT, PARAMS, i, i) for i in range(16)]))
        assert len(server.asked) == before + 16
        assert sum(entry.usage.model_calls for entry in entries if isinstance(entry, Sample)) == 16


def test_an_answer_that_cannot_be_read_costs_what_it_took() -> None:
    """The refused attempt before it is part of the error's cost, where nobody was told of it."""

    def answer(asked: Asked) -> bytes:
        no = {"error": {"message": "property 'top_k' is unsupported"}}
        return http(no, "400 Bad Request") if "top_k" in asked.body else http({"choices": []})

    with Hostile(answer) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)
        entry = call(server.url, PARAMS)
    assert isinstance(entry, CallError)
    assert entry.usage is not None
    assert entry.usage.model_calls == len(server.asked) == 2


def test_a_group_is_sent_again_as_one() -> None:
    """All its samples say so, and the first carries the cost."""
    with Hostile(picky("min_p")) as server, pytest.warns(SearchWarning, match="min_p"):
        entries = asyncio.run(OpenAI(server.url, "m").complete_group([Request(PROMPT, PARAMS, 1)]))
    assert [entry.usage.model_calls for entry in entries if isinstance(entry, Sample)] == [2]


def test_a_stream_is_asked_for_without_usage_on_the_way() -> None:
    """continuous_usage_stats is ours, and within another field."""
    params = Params(max_tokens=16, logprobs=1, floor=ConfidenceFloor(8, 0.5))
    with Hostile(picky("continuous_usage_stats")) as server, pytest.warns(SearchWarning, match="floor"):
        entry = call(server.url, params)
    assert isinstance(entry, Sample), entry
    assert entry.left_out == ("continuous_usage_stats",)
    assert server.asked[-1].body["stream_options"] == {"include_usage": True}


def test_nothing_is_learnt_from_a_server_that_refuses_it_either_way() -> None:
    """Only an answer shows that the field was what it refused: no warning, and the field is sent again."""
    with Hostile(http({"error": {"message": "property 'top_k' is unsupported"}}, "400 Bad Request")) as server:
        backend = OpenAI(server.url, "m")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            entries = [asyncio.run(backend.complete([Request(PROMPT, PARAMS, i)]))[0] for i in range(2)]
    assert all(isinstance(entry, CallError) for entry in entries)
    assert ["top_k" in asked.body for asked in server.asked] == [True, False, True, False]
    assert [entry.usage.model_calls for entry in entries if entry.usage] == [2, 2]


def test_a_field_of_the_users_own_is_not_taken_out() -> None:
    """extra_body is theirs."""
    with Hostile(picky("top_k")) as server:
        entry = call(server.url, PARAMS, extra_body={"top_k": 40})
    assert isinstance(entry, CallError)
    assert "out of extra_body=" in str(entry)
    assert len(server.asked) == 1


def test_a_probe_learns_it_too_and_counts_it() -> None:
    """Its calls are sent again like all others, and its usage is what the server saw."""
    with Hostile(picky("top_k")) as server:
        backend = OpenAI(server.url, "m")
        with pytest.warns(SearchWarning, match="top_k"):
            found = asyncio.run(backend.probe())
    assert found.usage.model_calls == len(server.asked)
