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
    "text", ["try " * 2000, "retry again " * 500, "in " * 3000, "1h" * 4000, "wait 1" + "0" * 9000]
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
]
NO_VALUES: list[Any] = [
    None, True, False, "", "soon", "-1", -1, -0.5, "nan", "inf", "1e400", float("nan"), float("inf"), [], [7], {}, {"seconds": {}},
    {"seconds": None}, "7 apples", "0x7", "1_0", "٣", "7s7", "7,5", "1:30", 10**30, "9" * 50, "13/13/2099", "Mon, 99 Foo", b"7",
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


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2015 07:28:00 GMT", "2015-10-21", "1445412480", "1445412480000"])
def test_moments_that_are_past(text: str) -> None:
    assert waits.seconds(text) == 0


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
    ({"ratelimit": '"default";r=0;t=5'}, None, None),
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


@pytest.mark.parametrize(("body", "seconds"), BODIES)
def test_bodies(body: Any, seconds: float | None) -> None:
    """Only so deep and so far."""
    assert waits.of_body(body) == seconds
