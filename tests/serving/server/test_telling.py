"""Streams: what a client hears while its search goes on, and that a client that leaves cancels it."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from searchkit import CallError
from searchkit.serving.server import SearchServer, telling
from searchkit.serving.server.searches import until_left
from tests.helpers.servers import until
from tests.helpers.serving import SUM, Slow, calling, client, listening, served, thinking

BEST = {"model": "qwen@best-of-4", "messages": SUM, "stream": True}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep-alive comments come quickly."""
    monkeypatch.setattr(telling, "LONGEST", 0.02)


def test_a_stream_gives_what_the_whole_answer_gives() -> None:
    """Text, end and usage, to the official client."""
    with client(SearchServer({"qwen": served(Slow())})) as openai_client:
        chunks = list(openai_client.chat.completions.create(**BEST, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "42"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == 12


def test_tool_calls_and_reasoning_are_streamed() -> None:
    """As deltas."""
    with client(SearchServer({"a": served(Slow(calling)), "b": served(Slow(thinking))})) as openai_client:
        called = list(openai_client.chat.completions.create(model="a", messages=SUM, stream=True))  # type: ignore[arg-type]
        thought = list(openai_client.chat.completions.create(model="b", messages=SUM, stream=True))  # type: ignore[arg-type]
    calls = [call for chunk in called for call in chunk.choices[0].delta.tool_calls or ()]
    assert "".join(call.function.arguments or "" for call in calls if call.function) == '{"a": 19, "b": 23}'
    deltas: list[Any] = [chunk.choices[0].delta for chunk in thought]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == "19 + 20 + 3"


def test_a_slow_search_keeps_its_stream_alive(impatient: None) -> None:
    """By comments, which say how far it is and quote nothing; the official client does not see them."""
    server = SearchServer({"qwen": served(Slow(seconds=0.3))})
    with listening(server) as url:
        raw = posted(url, BEST)
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as openai_client:
            chunks = list(openai_client.chat.completions.create(**BEST))
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"text/event-stream" in head
    assert body.count(b": 0 calls, 0 tokens") > 1
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "42"


def test_progress_is_told_as_reasoning_where_that_is_asked_for() -> None:
    """An event for each answer that is found, before the answer."""
    with client(SearchServer({"qwen": served(Slow())})) as openai_client:
        chunks: Any = openai_client.chat.completions.create(**BEST, extra_body={"search": {"progress": "reasoning"}})
        deltas: list[Any] = [chunk.choices[0].delta for chunk in chunks]
    thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert thought.count("score") >= 4
    assert "score 0, the best so far\n" in thought
    assert "".join(delta.content or "" for delta in deltas) == "42"


def test_a_refusal_keeps_its_status_until_the_stream_has_begun(impatient: None) -> None:
    """After that it is an event."""

    def fail(request: Any) -> str:
        raise CallError("broken", kind="server")

    at_once = SearchServer({"qwen": served(Slow(fail))})
    with client(at_once) as openai_client, pytest.raises(openai.APIStatusError) as refused:
        openai_client.chat.completions.create(**BEST)
    assert refused.value.status_code == 502
    later = SearchServer({"qwen": served(Slow(fail, seconds=0.3))})
    with client(later) as openai_client, pytest.raises(openai.APIError, match="server failed"):
        list(openai_client.chat.completions.create(**BEST))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("chat/completions", {"messages": SUM}),
        ("completions", {"prompt": "19 + 23?"}),
        ("responses", {"input": "19 + 23?"}),
        ("messages", {"messages": SUM, "max_tokens": 9}),
    ],
)
def test_a_client_that_leaves_cancels_its_search(stream: bool, path: str, asked: Any) -> None:
    """All calls in flight; the next request is served."""
    backend = Slow(seconds=30)
    server = SearchServer({"qwen": served(backend)})
    body = {"model": "qwen@best-of-4", **asked}
    with listening(server) as url:
        left = request_of(url, {**body, "stream": stream}, path=path)
        until(lambda: backend.in_flight == 4)
        left.close()
        until(lambda: backend.cancelled == 4)
        until(lambda: server.turns.running == 0)
        backend.seconds = 0
        assert b'"42"' in read(request_of(url, body, path=path))
    assert server.searches.going == {}


def test_a_client_that_leaves_the_queue_leaves_nothing() -> None:
    """Its search never begins."""
    backend = Slow(seconds=0.3)
    server = SearchServer({"qwen": served(backend)}, concurrency=1)
    with listening(server) as url:
        first = request_of(url, {**BEST, "stream": False})
        until(lambda: server.turns.running == 1)
        second = request_of(url, {**BEST, "stream": False})
        until(lambda: server.turns.waiting == 1)
        second.close()
        until(lambda: server.turns.waiting == 0)
        assert b'"42"' in read(first)
    assert len(backend.asked) == 4


def test_work_that_ends_with_the_client_is_kept() -> None:
    """Whoever comes first: what has ended is not thrown away."""

    async def main() -> None:
        work = asyncio.create_task(asyncio.sleep(0, "done"))
        left: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        assert await until_left(work, left)
        assert work.result() == "done"
        assert left.cancelled()

    asyncio.run(main())


def request_of(
    url: str, body: Any, headers: dict[str, str] | None = None, path: str = "chat/completions"
) -> socket.socket:
    """A connection on which a request was sent."""
    address = urlsplit(url)
    raw = json.dumps(body).encode()
    assert address.hostname is not None
    made = socket.create_connection((address.hostname, address.port or 80), timeout=30)
    head = f"POST /v1/{path} HTTP/1.1\r\nhost: {address.netloc}\r\nconnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    made.sendall(f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw)
    return made


def read(made: socket.socket) -> bytes:
    """What comes until the other side closes."""
    with made:
        return b"".join(iter(lambda: made.recv(65536), b""))


def posted(url: str, body: Any) -> bytes:
    """An answer, as it comes over the wire."""
    return read(request_of(url, body))
