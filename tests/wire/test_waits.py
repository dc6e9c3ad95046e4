"""How long servers ask to wait: headers, fields and sentences, as they write them and as nobody should."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.wire import waits
from searchkit.wire.failures import told

SENTENCES = [
    ("Please try again in 20s.", 20),
    ("Please try again in 20s", 20),
    ("please TRY AGAIN in 1.5S", 1.5),
    ("Try again in 6m0s. Visit https://x/y30s", 360),
    ("Please try again in 1h30m", 5400),
    ("Please try again in 23h59m59.999s.", 86399.999),
    ("try again in 250ms", 0.25),
    ("Try again in 1 minute and 30 seconds.", 90),
    ("Try again in 1 minute, 30 seconds.", 90),
    ("Try again in about 2 hours", 7200),
    ("Try again in another 5 secs", 5),
    ("Please wait 30 seconds before retrying.", 30),
    ("You must wait for 12 seconds", 12),
    ("Wait 5 s", 5),
    ("Please retry after 59 seconds.", 59),
    ("Retry your request after 3 seconds", 3),
    ("Retry after 17", 17),
    ("Rate limited. retry_after: 4.5", 4.5),
    ("Retry-After: 9s", 9),
    ('"retry_after": 11', 11),
    ("Your limit will reset after 45 seconds", 45),
    ("limit resets in 45s", 45),
    ("available in 10 minutes", 600),
    ("Please retry in 34.074824224s.", 34.074824224),
    ("Requests to the API have exceeded the rate limit. Please retry after 86400 seconds.", 86400),
    ("try again in 2 days", 172800),
]
NONE = [
    "",
    "slow down",
    "Please try again later.",
    "Please try again in a few seconds",
    "try again in NaNs",
    "try again in -5s",
    "try again in infs",
    "try again in 5 parsecs",
    "try again in 5sec0nds",
    "Your plan renews in 20s",
    "You used 20s of 60s",
    "The model answers in 5 seconds",
    "timed out after 30 seconds",
    "Request timed out after 600s",
    "aborted after 3 attempts",
    "context of 8192 tokens, retry with fewer than 20",
    "entry 5s is wrong",
    "await 5 seconds",
    "try again in 20 steps",
    "try again in ٣ seconds",
]


@pytest.mark.parametrize(("text", "seconds"), SENTENCES)
def test_sentences(text: str, seconds: float) -> None:
    assert waits.of_words(text) == pytest.approx(seconds)
    assert told({"error": {"message": text}}).wait == pytest.approx(seconds)


@pytest.mark.parametrize("text", NONE)
def test_sentences_that_ask_for_nothing(text: str) -> None:
    assert waits.of_words(text) is None


@given(st.text("try again in 0123456789hms.- retry after wait", max_size=5000))
def test_sentences_take_linear_time_and_no_more_than_a_number(text: str) -> None:
    found = waits.of_words(text)
    assert found is None or 0 <= found < 1e21


@pytest.mark.parametrize(
    "text",
    [
        "try " * 2000,
        "retry again " * 500,
        "in " * 3000,
        "1h" * 4000,
        "wait 1" + "0" * 9000,
        "resets " * 2000,
        "1" * 9000 + "秒",
        "until" + " " * 9000,
    ],
)
def test_long_sentences(text: str) -> None:
    """No time to speak of, whatever is repeated."""
    began = time.thread_time()
    waits.of_words(text)
    waits.seconds(text)
    assert time.thread_time() - began < 1


VALUES = [
    (7, 7),
    (7.25, 7.25),
    ("7", 7),
    ("7s", 7),
    (" 7 s ", 7),
    ("1h2m3s", 3723),
    ("1500ms", 1.5),
    ("1e2", 100),
    ({"seconds": "34", "nanos": 5}, 34),
    ({"seconds": 3}, 3),
    ('"30"', 30),
    ("'30'", 30),
    ("+7", 7),
    (".5", 0.5),
    ("7.", 7),
    ("007", 7),
    ("PT30S", 30),
    ("pt1m30s", 90),
    ("P1DT2H", 93600),
    ("PT0.5S", 0.5),
    ("00:00:30", 30),
    ("1:02:03.5", 3723.5),
    (10**12, 10**12),
    (str(10**12), 10**12),
    ("1700000000", 1700000000),
    (1445412480000, 1445412480000),
    (10**14, 10**14),
    ("99999999999", 99999999999),
]
NO_VALUES: list[Any] = [
    None, True, False, "", "soon", "-1", -1, -0.5, "nan", "inf", "1e400", float("nan"), float("inf"), [], [7], {}, {"seconds": {}},
    {"seconds": None}, "7 apples", "0x7", "1_0", "٣", "7s7", "7,5", "1:30", 10**30, "9" * 50, "P", "PT", "PS", "1:99:00", "+", ".", "+.", '"', "++7", "13/13/2099", "Mon, 99 Foo", b"7",
]  # fmt: skip


@pytest.mark.parametrize(("value", "seconds"), VALUES)
def test_values(value: Any, seconds: float) -> None:
    assert waits.seconds(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", NO_VALUES)
def test_values_that_say_nothing(value: Any) -> None:
    assert waits.seconds(value) is None


@pytest.mark.parametrize(
    "written",
    [
        lambda t: format_datetime(t, usegmt=True),
        lambda t: format_datetime(t),
        lambda t: t.isoformat(),
        lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda t: t.strftime("%Y-%m-%d %H:%M:%S"),
        lambda t: t.strftime("%a %b %d %H:%M:%S %Y"),
        lambda t: t.strftime("%A, %d-%b-%y %H:%M:%S GMT"),
        lambda t: t.astimezone().isoformat(),
        lambda t: str(int(t.timestamp())),
        lambda t: str(int(t.timestamp() * 1000)),
        lambda t: f"{t.timestamp():.3f}",
    ],
)
def test_moments(written: Callable[[datetime], str]) -> None:
    found = waits.seconds(written(datetime.now(UTC) + timedelta(hours=1)))
    assert found is not None
    assert 3590 < found <= 3601


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2015 07:28:00 GMT", "2015-10-21", "2015-10-21T00:00:00Z"])
def test_moments_that_are_past(text: str) -> None:
    assert waits.seconds(text) == 0


@pytest.mark.parametrize("ago", [1, 60, 3600, 80000])
@pytest.mark.parametrize("unit", [1, 1000])
def test_a_clock_that_goes_after_ours(ago: int, unit: int) -> None:
    """A Unix time of today is past, and no number of seconds; one of years ago is no time that anybody would name."""
    assert waits.seconds(int((time.time() - ago) * unit)) == 0
    assert waits.seconds(1_600_000_000 * unit) == 1_600_000_000 * unit


@pytest.mark.parametrize(
    "sentence",
    [
        "Rate limit resets at {}",
        "Your limit will reset on {}.",
        "Please try again after {}",
        "available again at {}",
        "You will regain access on {}.",
        "Limit reached until {}!",
        "Please retry at {} or later",
    ],
)
@pytest.mark.parametrize(
    "written",
    ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%S.123456+00:00", "%Y-%m-%d at %H:%M:%S GMT", "%Y-%m-%d at %H:%M UTC"],
)  # fmt: skip
def test_moments_in_sentences(sentence: str, written: str) -> None:
    moment = datetime.now(UTC) + timedelta(hours=2)
    found = waits.of_words(sentence.format(moment.strftime(written)))
    assert found is not None
    assert 7200 - 65 < found <= 7201


@pytest.mark.parametrize(
    "text", ["The model was updated at 2030-01-01 00:00:00", "resets at 2030-13-45T99:99:99Z", "resets at 2030-01-01", "until the year 2030-01"]
)  # fmt: skip
def test_moments_that_say_nothing(text: str) -> None:
    assert waits.of_words(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("请求过于频繁，请在20秒后重试", 20), ("请 20 秒后再试", 20), ("请于1分钟后重试", 60), ("请1小时之后再试", 3600), ("500毫秒后重试", 0.5),
        ("30秒以后", 30), ("請在 30 秒後重試", 30), ("20秒後に再試行してください", 20), ("2分後に", 120), ("1時間後", 3600), ("30초 후에 다시 시도", 30), ("5분 후", 300),
        ("请求过于频繁，请稍后再试", None), ("每秒20次", None), ("20秒内最多5次", None), ("用了20秒", None),
    ],
)  # fmt: skip
def test_sentences_of_other_tongues(text: str, seconds: float | None) -> None:
    assert waits.of_words(text) == seconds


HEADERS = [
    ({"retry-after": "7", "x-ratelimit-reset": "3"}, 7, 3),
    ({"retry-after-ms": "x", "retry-after": "7"}, 7, None),
    ({"x-ms-retry-after-ms": "40", "retry-after": "7"}, 0.04, None),
    ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "8s"}, None, None),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "8s", "x-ratelimit-reset-tokens": "1s"}, None, 8),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "8s",
      "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9s"}, None, 9),
    ({"x-ratelimit-reset-requests": "8s", "x-ratelimit-reset-tokens": "1s"}, None, 1),
    ({"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "5"}, None, 5),
    ({"ratelimit-reset": "50"}, None, 50),
    ({"x-rate-limit-reset": "50"}, None, 50),
    ({"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2015-10-21T00:00:00Z"}, None, 0),
    ({"anthropic-ratelimit-input-tokens-remaining": "9", "anthropic-ratelimit-input-tokens-reset": "60s"}, None, None),
    ({"x-ratelimit-reset-after": "2.5"}, None, 2.5),
    ({"x-ratelimit-reset": "soon"}, None, None),
    ({"x-password-reset": "5"}, None, None),
    ({"x-ratelimit-resets": "5"}, None, None),
    ({"ratelimit": '"default";r=0;t=5'}, None, 5),
    ({"ratelimit": '"a";r=5;t=1, "b";r=0;t=60, "c";r=0;t=9'}, None, 60),
    ({"ratelimit": '"a";r=5;t=1'}, None, None),
    ({"ratelimit": '"a";t=4,"b";t=3'}, None, 3),
    ({"ratelimit": '"a,b";r=0;t=7'}, None, 7),
    ({"ratelimit": "limit=9, remaining=0, reset=12"}, None, 12),
    ({"ratelimit": "limit=9;remaining=3;reset=12"}, None, None),
    ({"ratelimit": "limit=9, reset=12"}, None, 12),
    ({"ratelimit": "soon"}, None, None),
    ({"ratelimit": "reset="}, None, None),
    ({"ratelimit-policy": '"default";q=100;w=10'}, None, None),
    ({"retry-after": "5, 9"}, 5, None),
    ({"retry-after": "soon, 9"}, 9, None),
    ({"retry-after": ",,,"}, None, None),
    ({"x-retry-after": "12"}, 12, None),
    ({"x-retry-after-ms": "1200"}, 1.2, None),
    ({"x-ratelimit-reset-ms": "1500"}, None, 1.5),
    ({"retry-after": "1500ms"}, 1.5, None),
    ({}, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "asked", "reset"), HEADERS)
def test_headers(headers: dict[str, str], asked: float | None, reset: float | None) -> None:
    """What is asked for, and when limits end; of limits that are not used up nothing."""
    assert waits.of_headers(headers) == asked
    assert waits.of_limits(headers) == reset


BODIES: list[tuple[Any, float | None]] = [
    ({"retry_after": 3}, 3),
    ({"retryAfter": "3s"}, 3),
    ({"retry-after": "3"}, 3),
    ({"error": {"retry_after_ms": 250}}, 0.25),
    ({"error": {"metadata": {"headers": {"Retry-After": "5"}}}}, 5),
    ({"error": {"details": [{"a": 1}, {"retryDelay": "34.5s"}]}}, 34.5),
    ({"error": {"details": [{"retryDelay": {"seconds": "34"}}]}}, 34),
    ([{"error": {"estimated_time": 20.5}}], 20.5),
    ({"retry_after": None, "error": {"retry_after": 4}}, 4),
    ({"retryAfterSeconds": 12}, 12),
    ({"error": {"retryAfterMs": 1200}}, 1.2),
    ({"retry_after_milliseconds": 1200}, 1.2),
    ({"parameters": {"retry_after": 12}}, 12),
    ({"resets_in_seconds": 12}, 12),
    ({"error": {"metadata": {"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "40"}}}}, 40),
    ({"error": {"metadata": {"headers": {"X-RateLimit-Remaining": 3, "X-RateLimit-Reset": 40}}}}, None),
    ({"headers": {"RateLimit": '"d";r=0;t=12'}}, 12),
    ({"headers": {"Content-Type": "x"}}, None),
    ({"headers": ["Retry-After"]}, None),
    ({"retry_after": 10**12}, 10**12),
    ({"retry_after": -1}, None),
    ({"retry_after": True}, None),
    ({"retry_after": "never"}, None),
    ({"retry_after_hours": 3}, None),
    ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"retry_after": 3}}}}}}}}}}, None),
    ({str(i): i for i in range(1000)} | {"retry_after": 3}, None),
    ("retry_after", None),
    (7, None),
    (None, None),
    ([[[[]]]], None),
    ([], None),
]


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize("name", ["reset_at", "resetAt", "resets_at", "reset_time", "retry_at"])
def test_bodies_with_a_moment(name: str, unit: int) -> None:
    found = waits.of_body({"error": {"message": "slow", name: int((time.time() + 30) * unit)}})
    assert found is not None
    assert 28 < found <= 30


@pytest.mark.parametrize(("body", "seconds"), BODIES)
def test_bodies(body: Any, seconds: float | None) -> None:
    """Only so deep and so far."""
    assert waits.of_body(body) == seconds
