"""K23: an error inside HTTP 200 is that error, in the server's words; what is no answer at all is quoted."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import json
from typing import Any

import pytest

from searchkit import CallError, Params, Sample
from searchkit.types import ConfidenceFloor
from tests.attacks.hostile import TEXT, ask, case, completion, control_characters, events, failure, http

RAW = json.dumps({"error": {"message": "Upstream says: slow down", "code": 429}})
LIMIT, SERVER, AUTH, BAD = {"rate_limit"}, {"server", "rate_limit"}, {"auth"}, {"bad_request"}
ANY = LIMIT | SERVER | AUTH | BAD | {"failed", "malformed"}

# Body; words that must be in the error; kinds that it may have. Shapes as in OpenRouterTeam/openrouter-examples#14,
# OpenRouterTeam/ai-sdk-provider#211, diegosouzapw/OmniRoute#3044, moe-mizrak/laravel-openrouter#83, XpressAI/xaibo#36,
# maximhq/bifrost#5963, nodetool-ai/nodetool#5755; the others are what the servers' own documentation shows.
SHAPES = [
    case("openrouter-502", {"error": {"message": "Provider returned error", "code": 502}, "user_id": "u"}, "Provider returned", SERVER),
    case("openrouter-429", {"error": {"code": 429, "message": "Rate limit exceeded"}, "choices": None}, "Rate limit", LIMIT),
    case("openrouter-raw", {"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": RAW}}}, "slow down", LIMIT),
    case("openrouter-401", {"error": {"message": "User not found.", "code": 401}}, "User not found", AUTH),
    case("openrouter-400", {"error": {"message": "supports at most 1 image", "code": 400}}, "at most 1 image", BAD),
    case("openrouter-in-a-choice", completion("", "error", error={"code": 502, "message": "Upstream idle timeout"}), "idle timeout", SERVER),
    case("openrouter-cut-choice", completion("The ans", "error", error={"code": 429, "message": "slow down"}), "slow down", LIMIT),
    case("litellm-text-code", {"error": {"message": "litellm.RateLimitError: too many", "type": None, "code": "429"}}, "too many", LIMIT),
    case("ollama-text", {"error": "model requires more system memory (5.6 GiB) than is available"}, "more system memory", ANY),
    case("lm-studio-text", {"error": "Unexpected endpoint or method. (POST /chat)"}, "Unexpected endpoint", ANY),
    case("vllm-object", {"object": "error", "message": "maximum context length", "type": "BadRequestError", "code": 400}, "maximum context", BAD),
    case("fastchat-object", {"object": "error", "message": "CUDA out of memory", "code": 50002}, "out of memory", ANY),
    case("tgi-overloaded", {"error": "Model is overloaded", "error_type": "overloaded"}, "overloaded", ANY),
    case("gemini-list", [{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}], "overloaded", SERVER),
    case("gemini-exhausted", {"error": {"code": 429, "message": "exhausted", "status": "RESOURCE_EXHAUSTED"}}, "exhausted", LIMIT),
    case("claude-overloaded", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "Overloaded", SERVER),
    case("claude-limit", {"type": "error", "error": {"type": "rate_limit_error", "message": "too fast"}}, "too fast", LIMIT),
    case("claude-key", {"type": "error", "error": {"type": "authentication_error", "message": "bad x-api-key"}}, "x-api-key", AUTH),
    case("cloudflare-workers", {"success": False, "errors": [{"code": 7009, "message": "Upstream unavailable"}], "result": None}, "Upstream", ANY),
    case("z-ai", {"error": {"code": "1302", "message": "High concurrency usage of this API"}}, "High concurrency", ANY),
    case("minimax", {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, "rate limit", ANY),
    case("ernie", {"error_code": 18, "error_msg": "Open api qps request limit reached"}, "qps request limit", ANY),
    case("dashscope", {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded", "request_id": "r"}, "rate limit", ANY),
    case("azure-status", {"statusCode": 401, "message": "Access denied due to missing subscription key."}, "missing subscription", ANY),
    case("fastapi-text", {"detail": "Internal Server Error"}, "Internal Server Error", ANY),
    case("fastapi-list", {"detail": [{"loc": ["body", "seed"], "msg": "extra fields not permitted"}]}, "extra fields", ANY),
    case("bedrock", {"Output": {"__type": "UnknownOperationException"}, "Version": "1.0"}, "UnknownOperation", ANY),
    case("api-gateway", {"message": "Endpoint request timed out"}, "timed out", ANY),
    case("mistral", {"object": "error", "message": "Service tier capacity exceeded", "type": "x", "code": "3505"}, "capacity exceeded", ANY),
    case("hugging-face-loading", {"error": "Model m is currently loading", "estimated_time": 20.0}, "currently loading", ANY),
    case("xai", {"code": "Some resource has been exhausted", "error": "Too many tokens for the team"}, "Too many tokens", ANY),
    case("problem-json", {"type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": "calm down"}, "calm down", ANY),
    case("error-beside-null-choices", {"id": "x", "choices": [], "error": {"message": "content policy"}}, "content policy", ANY),
]  # fmt: skip


@pytest.mark.parametrize(("body", "words", "kinds"), SHAPES)
def test_the_servers_error_is_told(body: Any, words: str, kinds: set[str]) -> None:
    """The server's sentence is in the error, and the kind is what the server says it is."""
    error = failure(http(body))
    assert words in str(error)
    assert error.kind in kinds


@pytest.mark.parametrize(("body", "words", "kinds"), SHAPES[:20])
def test_an_error_as_the_first_event_of_a_stream(body: Any, words: str, kinds: set[str]) -> None:
    """The same where a stream was asked for, and the error comes as an event."""
    params = Params(max_tokens=16, logprobs=1, floor=ConfidenceFloor(4, 0.1))
    error = failure(http(events(body), kind="text/event-stream"), params)
    assert words in str(error)
    assert error.kind in kinds


PAGE = "<!DOCTYPE html>\n<html><head><title>{}</title></head><body>{}</body></html>"
CHUNK = {"choices": [{"index": 0, "delta": {"content": TEXT}, "finish_reason": "stop"}]}
# Body, content type, and words of which one must be in the error: the beginning of the body, or its type.
PAGES = [
    case("nginx-page", PAGE.format("Welcome to nginx!", "<h1>It works</h1>"), "text/html", "nginx|html"),
    case("login-page", PAGE.format("Sign in to continue", "<form action=/login>"), "text/html; charset=utf-8", "Sign in|html"),
    case("captive-portal", PAGE.format("Hotel Wi-Fi", "Accept the terms"), "text/html", "Hotel|html"),
    case("cloudflare-page", PAGE.format("Just a moment...", "Checking your browser"), "text/html", "moment|html"),
    case("page-called-json", PAGE.format("Corporate proxy", "blocked"), "application/json", "DOCTYPE|proxy"),
    case("swagger-page", PAGE.format("FastAPI - Swagger UI", "<div id=swagger-ui>"), "text/html", "Swagger|html"),
    case("openapi-document", {"openapi": "3.1.0", "info": {"title": "vLLM", "version": "1"}, "paths": {}}, "application/json", "openapi"),
    case("list-of-models", {"object": "list", "data": [{"id": "m", "object": "model"}]}, "application/json", "list|model"),
    case("health", {"status": "ok"}, "application/json", "status"),
    case("ollama-greeting", "Ollama is running", "text/plain; charset=utf-8", "Ollama is running|text/plain"),
    case("plain-ok", "OK", "text/plain", "OK|text/plain"),
    case("a-json-text", '"OK"', "application/json", "OK"),
    case("a-json-number", "200", "application/json", "200"),
    case("json-null", "null", "application/json", "null"),
    case("an-empty-list", "[]", "application/json", r"[]"),
    case("an-empty-object", "{}", "application/json", r"{}"),
    case("nothing", "", "application/json", "empty"),
    case("blanks", " \n \n", "application/json", "empty"),
    case("xml", "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "application/xml", "AccessDenied|xml"),
    case("yaml", "error: too many requests\ncode: 429\n", "application/yaml", "too many|yaml"),
    case("php-warning", "<br />\n<b>Warning</b>: curl_exec() in /var/www/api.php", "text/html", "Warning|html"),
    case("traceback", "Traceback (most recent call last):\n  File 'serve.py'", "text/plain", "Traceback|text/plain"),
    case("pdf", b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "application/pdf", "PDF|pdf"),
    case("bytes", bytes(range(256)), "application/octet-stream", "octet-stream"),
    case("utf-16", json.dumps(completion()).encode("utf-16"), "application/json; charset=utf-16", "utf-16|decode|UTF-8|answer"),
    case("lines-of-json", '{"message": {"content": "a"}, "done": false}\n{"done": true}\n', "application/x-ndjson", "done|ndjson"),
    case("half-an-answer", json.dumps(completion())[:60], "application/json", "chat.completion"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "words"), PAGES)
def test_what_is_no_answer_is_quoted(body: Any, kind: str, words: str) -> None:
    """UKGovernmentBEIS/inspect_ai#3687: the beginning of the body or its type is in the error, and nothing odd or long."""
    error = ask(http(body, kind=kind))
    if isinstance(error, Sample):  # who can read it may
        assert error.text == TEXT
        return
    assert any(word in str(error) for word in words.split("|")), str(error)
    assert len(str(error)) < 2000
    assert not control_characters(str(error))


def test_an_event_stream_where_json_was_asked_for() -> None:
    """Servers and proxies that always stream: the answer is put together, or the type is told."""
    entry = ask(http(events(CHUNK), kind="text/event-stream"))
    assert entry.text == TEXT if isinstance(entry, Sample) else "event" in str(entry)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        case("the-whole-answer", completion(), "application/json", TEXT),
        case("an-error", {"error": {"message": "no streaming here"}}, "application/json", "no streaming here"),
        case("a-page", PAGE.format("Sign in", ""), "text/html", "Sign in|html"),
        case("lines-of-json", json.dumps(CHUNK) + "\n", "application/x-ndjson", "choices|ndjson|delta"),
        case("nothing", "", "text/event-stream", "empty|no |without|ended"),
        case("only-done", "data: [DONE]\n\n", "text/event-stream", "empty|no |without|ended"),
        case("only-comments", ": OPENROUTER PROCESSING\n\n", "text/event-stream", "empty|no |without|ended"),
        case("not-json", "data: <html>\n\n", "text/event-stream", "html"),
    ],
)
def test_json_or_a_page_where_a_stream_was_asked_for(body: Any, kind: str, words: str) -> None:
    """What answers a request to stream by something else is read, or quoted."""
    entry = ask(http(body, kind=kind), Params(max_tokens=16, logprobs=1, floor=ConfidenceFloor(4, 0.1)))
    said = str(entry) if isinstance(entry, CallError) else entry.text
    assert any(word in said for word in words.split("|")), entry


SAYS_NOTHING = [
    {"code": None, "message": None},
    {"code": None, "message": None, "type": None, "param": None},
    {"message": "", "code": ""},
    {"code": 0, "message": "success"},
    {"code": "0", "message": "ok"},
    {"code": 200, "message": "OK"},
    {"message": "none"},
    {"message": " "},
    {"message": "success", "code": None},
    {"message": None, "details": []},
    {"message": None, "details": {"reason": None}},
    {"error": {"code": None}},
    "none",
    "None",
    "null",
    "",
    "ok",
    "no error",
    [],
    [None],
    [{}],
    {},
    0,
    False,
]


@pytest.mark.parametrize("field", ["error", "errors", "in-the-choice", "in-the-message", "in-an-event"])
@pytest.mark.parametrize("error", SAYS_NOTHING, ids=range(len(SAYS_NOTHING)))
def test_an_error_that_says_nothing_costs_no_answer(error: Any, field: str) -> None:
    """Gateways that always write all fields: the whole answer beside it is the sample."""
    body: Any = completion()
    if field == "in-the-choice":
        body["choices"][0]["error"] = error
    elif field == "in-the-message":
        body["choices"][0]["message"]["error"] = error
    elif field != "in-an-event":
        body[field] = error
    chunk = {"choices": [{"index": 0, "delta": {"content": TEXT}, "finish_reason": "stop"}], "error": error}
    answer = http(events(chunk), kind="text/event-stream") if field == "in-an-event" else http(body)
    entry = ask(answer)
    assert isinstance(entry, Sample), entry
    assert (entry.text, entry.finish) == (TEXT, "stop")


@pytest.mark.parametrize(
    "error",
    [True, {"message": "slow down"}, {"code": 429}, "slow down", [{"code": 502}], {"code": 0, "type": "overloaded"}],
)
def test_an_error_that_says_something_is_one(error: Any) -> None:
    """Beside a whole answer, too: it is not known which of both holds."""
    failure(http({**completion(), "error": error}))


KINDS = [
    case("invalid-api-key", {"error": {"message": "Incorrect", "type": "invalid_request_error", "code": "invalid_api_key"}}, "auth", "Incorrect"),
    case("code-before-type", {"error": {"message": "hm", "code": "rate_limit_exceeded", "type": "invalid_request_error"}}, "rate_limit", "hm"),
    case("telegram", {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 5}}, "rate_limit", "Too Many"),
    case("errorCode", {"errorCode": 401, "errorMessage": "who are you"}, "auth", "who are you"),
    case("errcode", {"errcode": 429, "errmsg": "reach max"}, "rate_limit", "reach max"),
    case("detail-object", {"detail": {"error": "rate limited", "code": 429}}, "rate_limit", "rate limited"),
    case("detail-list", {"detail": [{"error": "calm down", "code": 429}]}, "rate_limit", "calm down"),
    case("detail-message", {"detail": {"message": "calm down", "status": 429}}, "rate_limit", "calm down"),
    case("aws-denied", {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "no policy"}, "auth", "no policy"),
    case("aws-throttled", {"__type": "ThrottlingException", "Message": "Rate exceeded"}, "rate_limit", "Rate exceeded"),
    case("list-of-messages", {"statusCode": 400, "message": ["a must be b", "c too"], "error": "Bad Request"}, "bad_request", "a must be b"),
    case("nest-unauthorized", {"statusCode": 401, "message": "no token", "error": "Unauthorized"}, "auth", "no token"),
    case("spring", {"timestamp": 1, "status": 429, "error": "Too Many Requests", "path": "/v1"}, "rate_limit", "Too Many"),
    case("oauth", {"error": "unauthorized_client", "error_description": "expired"}, "auth", "expired"),
    case("in-the-message", {**completion(), "choices": [{"index": 0, "finish_reason": "error", "message": {"content": None, "error": {"message": "slow down", "code": 429}}}]}, "rate_limit", "slow down"),
    case("in-the-message-beside-a-text", {**completion(), "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "x", "error": {"message": "slow down", "code": 429}}}]}, "rate_limit", "slow down"),
    case("a-float", {"error": {"message": "slow", "code": 429.0}}, "rate_limit", "slow"),
    case("tencent", {"Response": {"Error": {"Code": "RequestLimitExceeded.TooManyRequests", "Message": "too quick, throttled"}}}, "rate_limit", "too quick"),
    case("volc", {"ResponseMetadata": {"Error": {"Code": "AccessDenied", "Message": "who"}}}, "auth", "who"),
    case("apigee", {"fault": {"faultstring": "Rate limit quota violation", "detail": {"errorcode": "policies.ratelimit.QuotaViolation"}}}, "rate_limit", "violation"),
    case("in-a-result", {"result": {"error": {"code": 503, "message": "no workers"}}}, "rate_limit", "no workers"),
    case("json-api", {"errors": [{"status": "401", "title": "Unauthorized", "detail": "bad token"}]}, "auth", "bad token"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "words"), KINDS)
def test_no_kind_is_lost_in_200(body: Any, kind: str, words: str) -> None:
    """What the server says it is, it is: a limit slows `Limited` down, a key is not tried again."""
    error = failure(http(body))
    assert (error.kind, words in str(error)) == (kind, True), error


def test_groqs_full_tier_is_worth_another_attempt() -> None:
    """Status 498: capacity exceeded."""
    error = failure(http({"error": {"message": "Flex tier capacity exceeded", "code": "capacity_exceeded"}}, "498 X"))
    assert error.transient
    assert error.kind == "rate_limit"


@pytest.mark.parametrize(
    "body", [[[]], [5], ["x"], [[{"message": {}}]], [True]], ids=["list", "number", "text", "deep", "true"]
)
@pytest.mark.parametrize("streamed", [False, True])
def test_no_error_speaks_of_python(body: Any, streamed: bool) -> None:
    """A choice that is no object is told by its type, not by what Python says of it."""
    answer = (
        http(events({"choices": body}), kind="text/event-stream")
        if streamed
        else http({**completion(), "choices": body})
    )
    for params in (Params(max_tokens=16), Params(max_tokens=16, logprobs=1, floor=ConfidenceFloor(4, 0.1))):
        error = failure(answer, params)
        assert "attribute" not in str(error)
        assert "subscriptable" not in str(error)
