"""What can be read in two ways, or is not what it should be, is refused before anything is paid for."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from searchkit.cli.serve_config import read
from searchkit.errors import ConfigError
from searchkit.serving.server import Key, SearchServer, digest_of
from tests.helpers.serving import SUM, Slow, listening, served
from tests.serving.server.test_guarding import ASK, asked

KEYS = [Key("ann", digest_of("ka")), Key("bob", digest_of("kb"))]
ANN = "authorization: Bearer ka"


def sent(url: str, *headers: str) -> int:
    """The status of the answer to a request with these headers as they are, also twice the same."""
    body = json.dumps(ASK).encode()
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        *headers,
        f"content-length: {len(body)}",
        "connection: close",
        "",
        "",
    ]
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=30) as client:
        client.sendall("\r\n".join(lines).encode() + body)
        return int(client.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["host: x", ANN], 200),
        (["host: x", ANN, "x-api-key: ka"], 200),
        (["host: x", ANN, "x-api-key: none of ours"], 200),
        (["host: x", ANN, "x-api-key: kb"], 401),
        (["host: x", "api-key: kb", ANN], 401),
        (["host: x", ANN, "authorization: Bearer kb"], 401),
        (["host: x", ANN, ANN], 401),
        (["host: x", ANN, "x-search-strategy: vote", "x-search-strategy: best-of-4"], 400),
        (["host: x", ANN, "x-search-budget: generations=1", "x-search-budget: generations=8"], 400),
        (["host: x", ANN, "x-search-budget: generations=1, generations=8"], 400),
        (["host: x", ANN, "x-search-strategies: vote"], 400),
        (["host: x", ANN, "x-search-strategy:"], 400),
        (["host: x", ANN, "x-search-verifier: judge, exact"], 400),
    ],
    ids=lambda value: value if isinstance(value, int) else "_".join(value).replace(" ", ""),
)
def test_a_header_that_says_two_things_is_refused(headers: list[str], status: int) -> None:
    """Two keys, one header twice, a name that is none; nothing is asked of the model."""
    backend = Slow()
    with listening(SearchServer({"qwen": served(backend)}, keys=KEYS)) as url:
        assert sent(url, *headers) == status
    assert bool(backend.asked) == (status == 200)


def test_a_second_host_is_no_way_around_the_first() -> None:
    """A page of another site that gets one past a proxy."""
    backend = Slow()
    with listening(SearchServer({"qwen": served(backend)})) as url:
        assert sent(url, "host: localhost", "host: evil.example") in (400, 403)
        assert sent(url, "host: localhost", "origin: http://localhost", "origin: http://evil.example") == 403
    assert backend.asked == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "qwen@"}, "search.strategy"),
        ({"search": {"strategy": ""}}, "search.strategy"),
        ({"search": {"verifier": ""}}, "search.verifier"),
        ({"search": {"progress": ""}}, "search.progress"),
        ({"temperature": -1}, "temperature is a number >= 0, got -1"),
        ({"top_p": 2}, "top_p is above 0, at most 1, got 2"),
        ({"top_p": 0}, "top_p is above 0"),
        ({"min_p": 1}, "min_p is at least 0"),
        ({"max_tokens": 0}, "max_tokens is a whole number >= 1, got 0"),
        ({"max_completion_tokens": -3}, "max_completion_tokens is a whole number >= 1"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls is true or false"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls is true or false"),
        ({"response_format": {}}, "response_format has a type"),
        ({"response_format": {"type": 3}}, "response_format has a type"),
        ({"response_format": {"type": ["text"]}}, "response_format has a type"),
        ({"stream": True, "stream_options": {"include_usage": "no"}}, "include_usage is true or false"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "include_usage is true or false"),
    ],
    ids=str,
)
def test_a_field_that_cannot_be_heeded_names_itself(change: dict[str, Any], said: str) -> None:
    """With what it may be; it is neither dropped nor read as something else."""
    backend = Slow()
    with listening(SearchServer({"qwen": served(backend)})) as url:
        status, told, _ = asked(url, {}, {**ASK, **change})
    assert (status, backend.asked) == (400, [])
    assert said in told


def test_one_key_has_one_owner() -> None:
    """Or nobody could say whose budget it spends."""
    with pytest.raises(ConfigError, match=r"keys.ann.digest and keys.cid.digest are the same.*serve-key"):
        SearchServer({"qwen": served(Slow())}, keys=[*KEYS, Key("cid", digest_of("ka"))])


@pytest.mark.parametrize(
    "change",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}]},
    ],
    ids=["tools", "image"],
)
def test_an_embedded_model_is_told_nothing_that_it_would_drop(change: dict[str, Any]) -> None:
    """It reads text alone, and says so."""
    with listening(SearchServer(read({}).models)) as url:
        status, told, _ = asked(url, {}, {"model": "countdown", "messages": SUM, **change})
    assert status == 400
    assert "text alone" in told
