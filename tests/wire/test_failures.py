"""What servers say went wrong: which sentence, which kind, and whether an account is used up."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.wire.failures import failure, kind_of, reported, told

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
