"""One attempt with an endpoint, and what was asked there by hand."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from searchkit import Result, solve
from searchkit.agents import Endpoint, Upstream
from searchkit.function import Function
from searchkit.strategies import SelfConsistency
from searchkit.trace import Span
from tests.helpers.model_server import ModelServer

KEY = "sk-real-0123456789-abcdef"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "How much?"}], "max_tokens": 9}


def attempt(
    server: ModelServer, called: Callable[[Endpoint], Any], n: int = 1, strategy: Any = None, **options: Any
) -> Result[Any]:
    """A search whose `n` attempts, plain functions in threads, return the text of what `called` returns."""

    def agent(question: str, endpoint: Endpoint) -> str:
        return json.dumps(called(endpoint))

    function = Function(agent, upstream=upstream(server), name="agent")
    return asyncio.run(solve("How much?", strategy or SelfConsistency(n, key=str), generator=function, **options))


def upstream(server: ModelServer, **options: Any) -> Upstream:
    return Upstream(server.url, KEY, server.root, KEY, **options)


def asked(
    url: str, body: bytes | dict[str, Any] | None = CHAT, method: str = "POST", **headers: str
) -> tuple[int, Any]:
    """Status and JSON of an answer; the body as text where it is no JSON."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, {"content-type": "application/json", **named}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            status, raw = reply.status, reply.read()
    except urllib.error.HTTPError as error:
        status, raw = error.code, error.read()
    try:
        return status, json.loads(raw)
    except (ValueError, RecursionError):
        return status, raw.decode(errors="replace")


def calls(span: Span) -> list[Span]:
    """The model calls in a trace that agents made by themselves."""
    found = [span] if span.kind == "call" and span.role == "plan" else []
    return found + [one for child in span.children for one in calls(child)]
