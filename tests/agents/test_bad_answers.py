"""What servers say that is no answer of a model: the agent gets it as it came, or 502; the attempt and we go on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from searchkit import solve
from searchkit.agents import Endpoint, Upstream, client, direct, relayed, upstream
from searchkit.function import Function
from searchkit.strategies import SelfConsistency
from tests.helpers.attempts import CHAT, KEY, asked, attempt, calls
from tests.helpers.model_server import ModelServer

BODIES = {
    "chat/completions": CHAT,
    "completions": {"model": "m", "prompt": "a", "max_tokens": 9},
    "responses": {"model": "m", "input": "a", "max_output_tokens": 9},
    "messages": CHAT,
}
ANSWERS = [
    b"",
    b"null",
    b"[]",
    b"3",
    b"{}",
    b"<html>busy</html>",
    b"\xff\xfe",
    b'{"choices": []}',
    b'{"choices": [{}]}',
    b'{"choices": [3]}',
    b'{"choices": {"0": 1}}',
    b'{"choices": [{"message": null, "text": null}]}',
    b'{"choices": [{"message": {"content": [1]}}]}',
    b'{"choices": [{"message": {"content": "x"}, "index": "0"}, {"message": {"content": "y"}, "index": 1}]}',
    b'{"choices": [{"message": {"content": "x"}, "text": "x"}], "usage": {"completion_tokens": "9"}}',
    b'{"choices": [{"message": {"content": "x"}, "text": "x"}], "usage": {"completion_tokens": -9}}',
    b'{"choices": [{"message": {"content": "x"}, "text": "x"}], "usage": {"completion_tokens": 1e999}}',
    b'{"choices": [{"message": {"content": "x", "tool_calls": [{"function": {}}]}, "text": "x"}]}',
    b'{"output": [{"type": "message"}], "usage": {"input_tokens": []}}',
    b'{"content": [{"type": "text"}], "usage": {"input_tokens": {}}}',
    b'{"output": {}, "content": {}}',
    b'{"error": {"message": "overloaded"}}',
    b'{"error": "overloaded"}',
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b'{"choices": [{"message": {"content": "x"}, "text": "x"}], "x": ' + b"[" * 800 + b"]" * 800 + b"}",
    b"data: {}\n\n",
    b"data: [DONE]\n\n",
    b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n',
    b"event: error\ndata: {}\n\n",
    b": comment\n\n" * 100,
]


@contextlib.contextmanager
def saying(answer: bytes, kind: str, status: int = 200) -> Iterator[str]:
    """A server that says `answer` to everything, and its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    head = f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\ncontent-length: {len(answer)}\r\nretry-after: 7\r\n"

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(f"{head}connection: close\r\n\r\n".encode() + answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield "http://{}:{}".format(*listening.getsockname())
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


def run(agent: Callable[..., Any], url: str) -> Any:
    function = Function(agent, upstream=Upstream(f"{url}/v1", KEY, url, KEY))
    return asyncio.run(solve("How much?", SelfConsistency(1), generator=function))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", ""])
@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_the_attempt_survives(answer: bytes, kind: str) -> None:
    found = list[Any]()

    def agent(question: str, endpoint: Endpoint) -> str:
        for route, body in BODIES.items():
            for stream in (False, True):
                found.append(asked(f"{endpoint.base_url}/{route}", {**body, "stream": stream})[0])
        found.append(asked(f"{endpoint.base_url}/embeddings", {"model": "e", "input": "a"})[0])
        return "done"

    with saying(answer, kind) as url:
        result = run(agent, url)
    assert result.answer == "done"
    assert set(found) <= {200, 502}
    assert result.usage.model_calls == len(calls(result.trace)) == 9
    assert 0 <= result.usage.generated_tokens <= 8 * 9 * 2  # one answer has two texts


def test_when_to_try_again_reaches_the_agent() -> None:
    found = list[Any]()

    def agent(question: str) -> str:
        with client() as http:
            found.append(http.post(f"{url}/v1/chat/completions", json=CHAT))
        return "done"

    with saying(b'{"error": {"message": "slow down"}}', "application/json", 429) as url:
        run(agent, url)
    assert found[0].status_code == 429
    assert found[0].headers["retry-after"] == "7"


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (direct, upstream):
        monkeypatch.setattr(module, "ANSWER_LIMIT", 10_000)
    found = list[Any]()

    def agent(question: str, endpoint: Endpoint) -> str:
        found.append(asked(f"{endpoint.base_url}/chat/completions"))
        return "done"

    with saying(b"x" * 20_000, "application/json") as url:
        run(agent, url)
    assert found[0][0] == 502
    assert "has more than 10000 bytes" in found[0][1]["error"]["message"]


def test_an_oversized_request_of_an_ambient_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relayed, "LARGEST", 1000)
    with ModelServer() as server:

        def agent(question: str) -> str:
            body = {**CHAT, "messages": [{"role": "user", "content": "x" * 2000}]}
            with client() as http:
                return str(http.post(f"{server.url}/chat/completions", json=body).status_code)

        assert run(agent, server.root).answer == "413"
        assert server.calls == 0


def test_a_models_name_is_bounded_in_the_trace() -> None:
    with ModelServer() as server:
        result = attempt(server, lambda e: asked(f"{e.base_url}/chat/completions", {**CHAT, "model": "m" * 5000})[0])
        assert [len(span.name) for span in calls(result.trace)] == [100]
