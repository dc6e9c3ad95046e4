"""How each API words a refusal: the body of an answer that is an error, and the event that ends a stream with one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from searchkit.wire.errors import WireError
from searchkit.wire.sse import event
from searchkit.wire.values import Route

OPENAI: Mapping[int, tuple[str, str | None]] = {  # status: type, code
    400: ("invalid_request_error", None),
    401: ("authentication_error", "invalid_api_key"),
    402: ("budget_exhausted", "budget_exhausted"),
    403: ("permission_error", None),
    404: ("invalid_request_error", "not_found"),
    413: ("invalid_request_error", "request_too_large"),
    422: ("invalid_request_error", None),
    424: ("journal_error", "journal_error"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("overloaded_error", None),
}
ANTHROPIC: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "budget_exhausted",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    424: "journal_error",
    429: "rate_limit_error",
    504: "timeout_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def body(route: Route, status: int, message: str, *, param: str | None = None, kind: str | None = None) -> bytes:
    """The body of an answer with HTTP status `status`, as the API of `route` words errors.

    kind: the error's type; None takes the API's own for that status. 402 has the type ``budget_exhausted`` in all:
    the official clients do not try that status again.

    >>> body("messages", 404, "no such route")
    b'{"type": "error", "error": {"type": "not_found_error", "message": "no such route"}}'
    """
    return json.dumps(_value(route, status, message, param, kind)).encode()


def in_stream(route: Route, status: int, message: str, *, kind: str | None = None, number: int = 0) -> bytes:
    """The event that ends a stream with an error, after the answer has begun. number: of a responses event."""
    value = _value(route, status, message, None, kind)
    if route == "messages":
        return event(value, "error")
    if route == "responses":
        error = value["error"]
        said = {"code": error["code"] or error["type"], "message": message, "param": None, "sequence_number": number}
        return event({"type": "error", **said}, "error")
    return event(value)


def refusal(route: Route, error: WireError) -> bytes:
    """The body with which a server refuses a request that cannot be read; its status is `error.status`."""
    return body(route, error.status, str(error), param=error.param)


def _value(route: Route, status: int, message: str, param: str | None, kind: str | None) -> dict[str, Any]:
    if route == "messages":
        named = kind or ANTHROPIC.get(status, "invalid_request_error" if status < 500 else "api_error")
        return {"type": "error", "error": {"type": named, "message": message}}
    named, code = OPENAI.get(status, ("invalid_request_error" if status < 500 else "server_error", None))
    return {"error": {"message": message, "type": kind or named, "param": param, "code": code}}
