"""K24: a quota that is used up is not retried, and a wait that the server names is kept, in whatever form."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from searchkit import CallError
from searchkit.calls import Request
from searchkit.generators import OpenAI, Retrying
from tests.attacks.hostile import PARAMS, PROMPT, Hostile, case, failure, http

SLOW = "429 Too Many Requests"


def said(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "tokens", "code": "rate_limit_exceeded", **more}}


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def info(delay: str) -> dict[str, Any]:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota",
            "status": "RESOURCE_EXHAUSTED",
            "details": [retry],
        }
    }


# Headers and body of a 429, and the seconds that it asks for (None: nothing usable). Pythagora-io/gpt-pilot#862 (Groq's
# headers), OpenHands/OpenHands#4167, openinterpreter/openinterpreter#408, mindcraft-bots/mindcraft#188,
# diegosouzapw/OmniRoute#858, RooCodeInc/Roo-Code#3883; dates and fractions are those of RFC 9110 and of gateways.
WAITS = [
    case("seconds", {"Retry-After": "7"}, None, 7),
    case("fraction", {"Retry-After": "7.5"}, None, 7.5),
    case("with-a-unit", {"Retry-After": "7s"}, None, 7),
    case("zero", {"Retry-After": "0"}, None, 0),
    case("blanks", {"Retry-After": "  9  "}, None, 9),
    case("a-date", {"Retry-After": lambda: format_datetime(later(30), usegmt=True)}, None, 30),
    case("a-date-with-a-zone", {"Retry-After": lambda: format_datetime(later(30))}, None, 30),
    case("an-old-date", {"Retry-After": lambda: later(30).strftime("%A, %d-%b-%y %H:%M:%S GMT")}, None, 30),
    case("a-c-date", {"Retry-After": lambda: later(30).strftime("%a %b %d %H:%M:%S %Y")}, None, 30),
    case("a-date-that-is-past", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None, 0),
    case("an-iso-date", {"Retry-After": lambda: later(30).isoformat()}, None, 30),
    case("milliseconds", {"Retry-After-Ms": "1500"}, None, 1.5),
    case("azure-milliseconds", {"x-ms-retry-after-ms": "2500"}, None, 2.5),
    case("milliseconds-win", {"Retry-After": "2", "Retry-After-Ms": "1500"}, None, 1.5),
    case("groq-requests", {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2m59.56s"}, None, 179.56),
    case("groq-tokens", {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7.66s"}, None, 7.66),
    case("openai-milliseconds", {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "842ms"}, None, 0.842),
    case("openai-hours", {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1h2m3s"}, None, 3723),
    case("reset-only", {"x-ratelimit-reset-requests": "12s"}, None, 12),
    case("reset-seconds", {"x-ratelimit-reset": "17"}, None, 17),
    case("reset-epoch", {"x-ratelimit-reset": lambda: str(int(time.time()) + 40)}, None, 40),
    case("openrouter-epoch-ms", {"x-ratelimit-reset": lambda: str(int((time.time() + 40) * 1000))}, None, 40),
    case("ietf-reset", {"ratelimit-remaining": "0", "ratelimit-reset": "9"}, None, 9),
    case("reset-after", {"x-ratelimit-reset-after": "3.5"}, None, 3.5),
    case("claude-date", {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": lambda: later(30).strftime("%Y-%m-%dT%H:%M:%SZ")}, None, 30),
    case("words-in-seconds", {}, said("Please try again in 20s."), 20),
    case("words-in-minutes", {}, said("Rate limit reached. Please try again in 1m3.2s. Visit us."), 63.2),
    case("words-in-fractions", {}, said("Used 5914. Please try again in 1m0.363142857s. Visit"), 60.363),
    case("words-in-milliseconds", {}, said("Please try again in 842ms."), 0.842),
    case("words-in-hours", {}, said("Please try again in 1h2m3s."), 3723),
    case("words-in-minutes-only", {}, said("Please try again in 6m0s."), 360),
    case("azure-words", {}, said("exceeded call rate limit. Please retry after 59 seconds."), 59),
    case("azure-one-second", {}, said("Please retry after 1 second."), 1),
    case("gemini-words", {}, said("Please retry in 34.07s."), 34.07),
    case("words-minutes", {}, said("Try again in 2 minutes"), 120),
    case("gemini-retry-info", {}, info("34s"), 34),
    case("gemini-fraction", {}, info("26.52s"), 26.52),
    case("gemini-list", {}, [info("34s")], 34),
    case("a-field", {}, {"message": "slow down", "retry_after": 3.5}, 3.5),
    case("a-field-below", {}, said("slow down", retry_after=4), 4),
    case("hugging-face", {}, {"error": "loading", "estimated_time": 20.0}, 20),
    case("header-wins-over-words", {"Retry-After": "7"}, said("Please try again in 20s."), 7),
    case("a-word", {"Retry-After": "soon"}, None, None),
    case("negative", {"Retry-After": "-5"}, None, None),
    case("nan", {"Retry-After": "nan"}, None, None),
    case("infinite", {"Retry-After": "inf"}, None, None),
    case("enormous", {"Retry-After": "1e400"}, None, None),
    case("words-nan", {}, said("Please try again in NaNs."), None),
    case("words-negative", {}, said("Please try again in -5s."), None),
    case("words-about-something-else", {}, said("Your plan renews in 20s; upgrade to 60s answers"), None),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "body", "seconds"), WAITS)
def test_waits_are_read(headers: dict[str, Any], body: Any, seconds: float | None) -> None:
    """`retry_after` is what the server asks for, to within the seconds that the test takes; nonsense is nothing."""
    given = {name: value() if callable(value) else value for name, value in headers.items()}
    error = failure(http(said("slow down") if body is None else body, SLOW, **given))
    assert error.kind == "rate_limit"
    if seconds is None:
        assert error.retry_after in (None, 0)
    else:
        assert error.retry_after is not None
        slack = 15 if any(callable(value) for value in headers.values()) else 0.01
        assert seconds - slack <= error.retry_after <= seconds + 1.01


def gone(message: str, code: str = "", kind: str = "") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind or code, "param": None, "code": code or None}}


DAILY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}],
}
SOURCE = "You exceeded your current quota, please check your plan and billing details."
# langchain-ai/langchainjs#1929, chatanywhere/GPT_API_free#229, Gitlawb/openclaude#249, zurawiki/gptcommit#84,
# gke-labs/gemini-for-kubernetes-development#1215; the others are the servers' documented errors.
QUOTAS = [
    case("openai", SLOW, gone(SOURCE, "insufficient_quota")),
    case("openai-only-a-type", SLOW, gone(SOURCE, "", "insufficient_quota")),
    case("openai-only-a-code", SLOW, gone("Quota.", "insufficient_quota", "requests")),
    case("openai-with-a-wait", SLOW, gone(SOURCE + " Please try again in 20s.", "insufficient_quota")),
    case("openai-hard-limit", "400 Bad Request", gone("Billing hard limit has been reached", "billing_hard_limit_reached")),
    case("openai-not-active", SLOW, gone("Your account is not active, please check your billing details", "billing_not_active")),
    case("deepseek", "402 Payment Required", gone("Insufficient Balance", "invalid_request_error")),
    case("openrouter", "402 Payment Required", {"error": {"code": 402, "message": "Insufficient credits. Add more"}}),
    case("hugging-face", "402 Payment Required", {"error": "You have exceeded your monthly included credits"}),
    case("together", "402 Payment Required", gone("Credit limit exceeded", "credit_limit")),
    case("claude", "400 Bad Request", {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}),
    case("moonshot", SLOW, gone("Your account is suspended due to insufficient balance", "", "exceeded_current_quota_error")),
    case("z-ai", SLOW, {"error": {"code": "1113", "message": "Insufficient balance or no resource package. Please recharge."}}),
    case("xai", SLOW, {"code": "exhausted", "error": "Your team has used all available credits or reached its monthly spending limit."}),
    case("cohere-trial", SLOW, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}),
    case("gemini-per-day", SLOW, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": SOURCE, "details": [DAILY]}}),
    case("litellm-budget", "400 Bad Request", gone("ExceededBudget: Current spend: 10.1, Max budget: 10.0", "budget_exceeded")),
    case("dashscope", "400 Bad Request", {"code": "Arrearage", "message": "Access denied, account is not in good standing."}),
    case("openai-inside-200", "200 OK", gone(SOURCE, "insufficient_quota")),
    case("openrouter-inside-200", "200 OK", {"error": {"code": 402, "message": "Insufficient credits"}}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body"), QUOTAS)
def test_a_quota_that_is_used_up_is_not_retried(status: str, body: Any) -> None:
    """One request, an error that is not transient, and the server's words."""
    with Hostile(http(body, status)) as server:
        patient = Retrying(OpenAI(server.url, "m"), attempts=3, base=0.001, cap=0.001, patience=0.5)
        [error] = asyncio.run(patient.complete([Request(PROMPT, PARAMS, 1)]))
    assert isinstance(error, CallError)
    words = body.get("message") or (body["error"] if isinstance(body["error"], str) else body["error"]["message"])
    assert words[:20] in str(error)
    assert (len(server.asked), error.transient) == (1, False)


def test_a_minutes_quota_of_gemini_is_retried() -> None:
    """The same words, "You exceeded your current quota", with a RetryInfo: a limit of requests a minute."""
    error = failure(http(info("2s"), SLOW))
    assert error.transient
    assert error.retry_after == 2


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        case("vertex-a-minute", SLOW, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded for x_requests_per_minute_per_project"}}, "rate_limit", "overloaded"),
        case("dashscope-a-minute", SLOW, {"code": "Throttling.AllocationQuota", "message": "Allocated quota exceeded"}, "rate_limit", "overloaded"),
        case("github", "403 Forbidden", {"message": "API rate limit exceeded for user"}, "rate_limit", "overloaded"),
        case("aws", "400 Bad Request", {"__type": "ThrottlingException", "message": "Rate exceeded"}, "rate_limit", "overloaded"),
        case("openrouter-a-key", "403 Forbidden", {"error": {"message": "Key limit exceeded (total limit)."}}, "quota", "no quota left"),
        case("ai21", "402 Payment Required", {"detail": "No."}, "quota", "no quota left"),
        case("a-page", "402 Payment Required", "<html>Payment</html>", "quota", "no quota left"),
        case("claude", "400 Bad Request", {"type": "error", "error": {"message": "This organization has been disabled."}}, "quota", "no quota left"),
        case("zhipu-in-200", "200 OK", {"error": {"code": "1113", "message": "您的账户已欠费，请充值后重试"}}, "quota", "欠费"),
        case("a-request-too-large", SLOW, said("Request too large for m on tokens per min (TPM): Limit 30000, Requested 40000."), "bad_request", "too large"),
        case("a-wrong-key", "401 Unauthorized", {"error": {"message": "Incorrect API key"}}, "auth", "api_key="),
    ],
)  # fmt: skip
def test_how_often_it_is_asked(status: str, body: Any, kind: str, words: str) -> None:
    """A limit of a minute again, all else once; only a wrong key is told to pass another."""
    with Hostile(http(body, status)) as server:
        backend = Retrying(OpenAI(server.url, "m"), attempts=3, base=0.001, cap=0.001)
        [error] = asyncio.run(backend.complete([Request(PROMPT, PARAMS, 1)]))
    assert isinstance(error, CallError)
    assert (error.kind, len(server.asked)) == (kind, 3 if kind == "rate_limit" else 1)
    assert words in str(error)
    assert ("api_key=" in str(error)) == (kind == "auth")


@pytest.mark.parametrize("wait", [str(10**12), "1700000000", "99999999"])
def test_an_absurd_wait_is_not_waited_for(wait: str) -> None:
    """Nor tried at once: one attempt, and the server's words."""
    with Hostile(http(said("slow down"), SLOW, Retry_After=wait)) as server:
        [error] = asyncio.run(Retrying(OpenAI(server.url, "m")).complete([Request(PROMPT, PARAMS, 1)]))
    assert isinstance(error, CallError)
    assert (len(server.asked), error.attempts) == (1, 1)
    assert "slow down" in str(error)


def test_a_wait_in_the_headers_of_a_success() -> None:
    """An error inside 200."""
    assert failure(http(said("slow down", code=429), Retry_After="12")).retry_after == 12
