"""What servers say went wrong: which sentence, which kind, and whether an account is used up."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.wire.failures import failure, kind_of, reported, says_nothing, told
from searchkit.wire.quoting import READ, body_of

# Bodies, a part of the sentence, the status that they name, and the kind by their words.
BODIES: list[tuple[Any, str, int | None, str]] = [
    (
        {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}},
        "no",
        None,
        "bad_request",
    ),
    ({"error": {"message": "no", "code": 529}}, "no", 529, "server"),
    ({"error": {"message": "no", "code": "503"}}, "no", 503, "server"),
    ({"error": {"message": "no", "http_status": 429}}, "no", 429, "server"),
    ({"error": "The server is busy"}, "busy", None, "rate_limit"),
    ({"error": ["first", "second"]}, "first", None, "server"),
    ({"error": [{"message": "first"}]}, "first", None, "server"),
    ({"errors": [{"message": "upstream died"}]}, "upstream died", None, "server"),
    ({"errors": ["quota of GPU memory"]}, "GPU", None, "server"),
    ({"error": {"error": {"error": "deep inside"}}}, "deep inside", None, "server"),
    ({"error": {"message": {"message": "an object"}}}, "an object", None, "server"),
    ({"error": {"msg": "msg"}}, "msg", None, "server"),
    ({"error": {"description": "words"}}, "words", None, "server"),
    ({"error": {"code": 500}}, "", 500, "server"),
    ({"error": True}, "", None, "server"),
    ({"error": 5}, "", None, "server"),
    ({"error": {"message": "x", "status": "PERMISSION_DENIED"}}, "x", None, "auth"),
    ({"error": {"message": "x", "status": "UNAUTHENTICATED", "code": 401}}, "x", 401, "auth"),
    ({"error": {"message": "Incorrect API key provided: sk-xxx"}}, "Incorrect", None, "auth"),
    ({"error": {"type": "OverloadedError", "message": "x"}}, "x", None, "rate_limit"),
    ({"message": "This model's maximum context length is 8", "object": "error"}, "maximum", None, "bad_request"),
    ({"detail": "Not authenticated"}, "Not auth", None, "auth"),
    ({"detail": [{"loc": ["body", "top_k"], "msg": "extra"}, {"msg": "b"}]}, "body.top_k: extra; b", None, "server"),
    ({"detail": {"message": "inner"}, "error": {}}, "", None, ""),
    ({"title": "Bad Gateway", "status": 502, "detail": "upstream"}, "upstream", 502, "server"),
    ({"statusCode": 504, "message": "Gateway Timeout"}, "Gateway", 504, "server"),
    ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "login fail", None, "server"),
    ({"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}, "Auth", None, "auth"),
    ([{"error": {"message": "in a list"}}], "in a list", None, "server"),
    ({"type": "error", "error": {"type": "api_error", "message": "Internal"}}, "Internal", None, "server"),
    ({"error_code": 110, "error_msg": "Access token invalid"}, "Access token", None, "bad_request"),
    ({"code": "InvalidParameter", "message": "x", "request_id": "1"}, "x", None, "bad_request"),
    ({"error": {"message": " two\nlines\t"}}, "two lines", None, "server"),
    ({"error": {"message": "outer", "metadata": {"raw": {"message": "inner"}}}}, "inner", None, "server"),
]
ANSWERS: list[Any] = [
    None, 5, "OK", [], {}, [[]], [None], {"status": "ok"}, {"choices": []}, {"choices": [], "error": None}, {"error": {}},
    {"error": ""}, {"error": False}, {"error": 0}, {"error": []}, {"error": {"code": 0, "message": "success"}},
    {"choices": [1], "message": "hello"}, {"output": [1], "message": "hello"}, {"data": [1], "message": "ok"},
    {"message": {"role": "assistant", "content": "4"}}, {"message": ""}, {"detail": []}, {"base_resp": {"status_code": 0}},
    {"type": "response.created", "message": "x"}, {"type": "message_start", "message": "x"}, {"object": "list"},
]  # fmt: skip


@pytest.mark.parametrize(("body", "words", "status", "kind"), BODIES)
def test_errors(body: Any, words: str, status: int | None, kind: str) -> None:
    found = failure(body)
    if not kind:
        assert found is None or words in found.message
        return
    assert found is not None
    assert words in found.message
    assert (found.status, kind_of(found)) == (status, kind)
    assert "\n" not in str(reported(body))


@pytest.mark.parametrize("body", ANSWERS)
def test_what_is_no_error(body: Any) -> None:
    assert failure(body) is None
    assert reported(body) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["429", "error"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "errors",
                    "message",
                    "detail",
                    "code",
                    "status",
                    "type",
                    "loc",
                    "metadata",
                    "raw",
                    "details",
                    "violations",
                    "base_resp",
                    "status_code",
                    "object",
                    "title",
                    "choices",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_stands_where(body: Any) -> None:
    """Any shape at all: a failure with a sentence on one line, or none."""
    found = failure(body)
    assert found is None or (isinstance(found.message, str) and len(found.message.splitlines()) <= 1)
    assert isinstance(told(body).message, str)
    if found is not None:
        assert kind_of(found) in ("auth", "rate_limit", "server", "bad_request")
        assert found.status is None or 400 <= found.status < 600
    json.dumps(str(reported(body)))


@pytest.mark.parametrize("depth", [10, 1000, 100_000])
def test_deep_errors(depth: int) -> None:
    body: Any = "bottom"
    for _ in range(depth):
        body = {"error": body}
    assert isinstance(told(body).message, str)
    lists: Any = "bottom"
    for _ in range(depth):
        lists = [lists]
    assert len(told({"error": {"message": lists}}).message) < 5000


SIZE = 60_000
# Bodies of errors that are hard to read rather than long.
HARD = {
    "lists": b'{"error": [' + b"[]," * (SIZE // 3) + b"[]]}",
    "objects": b'{"error": [' + b"{}," * (SIZE // 3) + b"{}]}",
    "numbers": b'{"error": [' + b"1," * (SIZE // 2) + b"1]}",
    "keys": json.dumps({"error": {"detail": {f"k{i}": i for i in range(4000)}}}).encode(),
    "places": json.dumps({"detail": [{"loc": ["body", "top_k"], "msg": "x" * 60}] * 450}).encode(),
    "deep": b"[" * SIZE,
    "deep-objects": b'{"error":' * (SIZE // 9),
    "brackets-in-a-text": json.dumps({"error": {"message": "[]" * (SIZE // 2)}}).encode(),
    "cut": b'{"error": {"message": "' + b"no " * (SIZE // 3),
    "a-page": b"<html><body>" + b"x y " * (SIZE // 4),
    "words": json.dumps({"error": {"message": "no " * (SIZE // 3)}}).encode(),
    "digits": b'{"error": [' + b",".join([b"9" * 600] * 80) + b"]}",
    "one-number": b'{"error": ' + b"9" * SIZE + b"}",
    "blanks": b'{"error":' + b" " * SIZE + b'"no"}',
    "snow": json.dumps({"error": "\u2603 " * 8000}).encode(),
    "nuls": bytes(SIZE),
    "escapes": b'{"error": "' + b"\\u0000" * (SIZE // 6) + b'"}',
    "half-characters": b'{"error": "' + b"\\ud800" * (SIZE // 6) + b'"}',
    "no-utf-8": b"\xff" * SIZE,
    "commas": b"," * SIZE,
}


def values(body: Any) -> int:
    """How many values a body has."""
    left, found = [body], 0
    while left:
        one, found = left.pop(), found + 1
        left += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return found


@pytest.mark.parametrize("name", HARD)
def test_the_body_of_an_error_is_bounded_before_it_is_read(name: str) -> None:
    """Few values whatever came, and a short sentence: 64 of these may come at once, on the loop's thread."""
    body = body_of(HARD[name])
    assert values(body) <= 1100
    assert not isinstance(body, str) or len(body) <= READ
    assert len(told(body).message) <= READ
    assert len(told(body).names) <= 1000


def test_what_is_said_in_an_error_is_found_within_its_bounds() -> None:
    """An echo of a long prompt behind the sentence changes nothing."""
    body = {
        "detail": [{"loc": ["body", "seed"], "msg": "not permitted", "input": {"prompt": "so, " * 200 + "x" * 50_000}}]
    }
    assert told(body_of(json.dumps(body).encode())).message == "body.seed: not permitted"
    assert told(body_of(json.dumps({"error": {"message": "slow down", "code": 429}}).encode())) == failure(
        {"error": {"message": "slow down", "code": 429}}
    )


@pytest.mark.parametrize(
    "value",
    [[[[]] * 20_000], {"error": [[]] * 20_000}, [{"a": 1}] * 20_000, {"error": {"x": [{}] * 20_000}}],
    ids=range(4),
)
def test_what_is_quoted_of_a_value_is_bounded(value: Any) -> None:
    """An error in HTTP 200 that has no sentence is quoted by its beginning."""
    assert len(told(value).message) <= READ
    found = reported(value)
    assert found is None or len(str(found)) <= 500


@pytest.mark.parametrize("depth", [5, 200, 900])
def test_an_error_that_is_nested_is_no_recursion(depth: int) -> None:
    """Neither to read, nor to find that it says nothing."""
    deep: Any = None
    for _ in range(depth):
        deep = {"error": [deep]}
    reported(deep)
    says_nothing(deep)
