"""Agents' exchanges over our own connections, against a real server and one that writes exactly what a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from searchkit.agents.exchange import Answer, Ask
from searchkit.agents.upstream import Client
from searchkit.calls import CallError
from searchkit.testing.server import Faults, Server

BODY = json.dumps({"model": "test-model", "messages": [{"role": "user", "content": "q"}]}).encode()
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def sent(ask: Ask) -> Answer:
    client = Client()
    try:
        return await client.send(ask)
    finally:
        await client.close()


def said(reply: bytes, heard: list[bytes]) -> Handler:
    """A server that keeps the head of a request and answers with `reply`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply)
        writer.close()
        await writer.wait_closed()

    return handle


async def asked(reply: bytes, path: str, headers: dict[str, str] | None = None) -> tuple[Answer, bytes]:
    heard: list[bytes] = []
    async with await asyncio.start_server(said(reply, heard), "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        answer = await sent(Ask("GET", f"http://127.0.0.1:{port}{path}", headers or {}))
    return answer, heard[0]


def test_an_answer_of_any_status_comes_back_as_it_is() -> None:
    """The body, the status, the type; headers are sent on."""
    with Server("vllm", api_key="sk-1") as server:
        url = f"{server.url}/chat/completions"
        good = asyncio.run(sent(Ask("POST", url, {"authorization": "Bearer sk-1", "x-own": "7"}, BODY)))
        bad = asyncio.run(sent(Ask("POST", url, {"authorization": "Bearer sk-2"}, BODY)))
        assert (good.status, bad.status) == (200, 401)
        assert json.loads(good.body)["choices"]
        assert good.content_type == "application/json"
        assert server.requests[0].headers["x-own"] == "7"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/v1/a b", b"GET /v1/a%20b HTTP/1.1"),
        ("/v1/a\r\nx-evil: 1", b"GET /v1/a"),
        ("/v1/%0d%0a", b"GET /v1/%0d%0a HTTP/1.1"),
        ("/v1/ä?q=ü&r=%20", b"GET /v1/%C3%A4?q=%C3%BC&r=%20 HTTP/1.1"),
        ("/v1/models/org/name:free@1?a=b", b"GET /v1/models/org/name:free@1?a=b HTTP/1.1"),
    ],
)
def test_no_path_breaks_out_of_its_line(path: str, line: bytes) -> None:
    """What is no URL's is quoted, what is quoted already stays."""
    answer, head = asyncio.run(asked(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", path))
    assert answer.body == b"ok"
    first, *headers = head.split(b"\r\n")
    assert first.startswith(line)
    assert not any(header.lower().startswith(b"x-evil") for header in headers)


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b", "ключ", "1\r\n\r\nGET / HTTP/1.1"])
def test_a_header_that_would_be_several_is_never_sent(value: str) -> None:
    with Server() as server:
        ask = Ask("POST", f"{server.url}/chat/completions", {"x-own": value}, BODY)
        with pytest.raises(CallError, match="cannot be sent that: a header"):
            asyncio.run(sent(ask))
        assert not server.requests


def test_an_answer_that_is_packed_unasked_is_none() -> None:
    """Handed on without its header it would be noise to the agent."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"
    with pytest.raises(CallError, match="gzip"):
        asyncio.run(asked(reply, "/v1/models"))


@pytest.mark.parametrize(("fault", "kind"), [("reset", "connection"), ("hang", "timeout")])
def test_no_whole_answer_is_a_failed_call(fault: str, kind: str) -> None:
    with Server(faults=Faults(1.0, kinds=(fault,))) as server:
        ask = Ask("POST", f"{server.url}/chat/completions", {}, BODY, timeout=0.3)
        with pytest.raises(CallError) as failure:
            asyncio.run(sent(ask))
        assert failure.value.kind == kind


def test_nobody_listens() -> None:
    with pytest.raises(CallError, match="nothing answers"):
        asyncio.run(sent(Ask("GET", "http://127.0.0.1:9/v1/models", {})))


def test_a_cancelled_call_closes_its_connection() -> None:
    """The server sees it, and stops generating."""
    with Server(latency=60.0) as server:

        async def leave() -> None:
            task = asyncio.create_task(sent(Ask("POST", f"{server.url}/chat/completions", {}, BODY)))
            while not server.requests:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            while not server.aborted:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

        asyncio.run(asyncio.wait_for(leave(), 30))


def test_a_proxy_or_an_option_takes_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own connections know neither: the proxy is what is asked."""
    with Server() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        asyncio.run(sent(Ask("POST", "http://model.invalid/v1/chat/completions", {}, BODY)))
        assert proxy.connections == 1
    monkeypatch.delenv("http_proxy")
    with Server() as server:

        async def with_headers() -> None:
            client = Client({"headers": {"x-own": "7"}})
            await client.send(Ask("POST", f"{server.url}/chat/completions", {}, BODY))
            await client.close()

        asyncio.run(with_headers())
        assert server.requests[0].headers["x-own"] == "7"
