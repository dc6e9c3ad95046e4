"""What the gateway is sent by mistake or in bad faith: a clear answer, nothing charged, nothing left running."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from searchkit import Budget, solve
from searchkit.agents import Endpoint
from searchkit.errors import BudgetExhausted
from searchkit.function import Function
from searchkit.serving import gateway
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import Predicate
from tests.helpers.attempts import CHAT, KEY, asked, attempt, calls, upstream
from tests.helpers.model_server import ModelServer
from tests.helpers.servers import until


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


# ---------------------------------------------------------------- routes


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "v1/files", 404),
        ("POST", "v1/images/generations", 404),
        ("POST", "v1/messages/batches", 404),
        ("POST", "v1/threads/t/messages", 404),
        ("POST", "v1/chat/completions/id", 404),
        ("POST", "v1/%63hat/completions", 404),
        ("POST", "v1/models/../chat/completions", 404),
        ("GET", "v1/models/../files", 404),
        ("GET", "v1/models/org/name", 200),
        ("GET", "v1/models/org%2Fname", 200),
        ("GET", "v1/models/ft:gpt-4o:org::id", 200),
        ("GET", "v1/models/@cf/meta/llama-3.1-8b", 200),
        ("GET", "v1/models/My%20Model.gguf", 200),
        ("GET", "v1/models/a..b", 200),
        ("GET", "v1/models/..%2ffiles", 404),
        ("GET", "v1/models/%2e%2e/files", 404),
        ("GET", "v1/models/.%2E/files", 404),
        ("GET", "v1/models/%2E./files", 404),
        ("GET", "v1/models/%2e%2e%2ffiles", 404),
        ("GET", "v1/models/%252e%252e/files", 404),  # of a server that decodes twice
        ("GET", "v1/models/%25252e%25252e/files", 404),
        ("GET", "v1/models/..;/files", 404),  # of Tomcat
        ("GET", "v1/models/..;a=b/files", 404),
        ("GET", "v1/models/%2e%2e;/files", 404),
        ("GET", "v1/models/m;/../files", 404),
        ("GET", "v1/models/m%3b/files", 404),
        ("GET", "v1/models/..\\files", 404),
        ("GET", "v1/models/..%5cfiles", 404),
        ("GET", "v1/models\\..\\files", 404),
        ("GET", "v1/models%5c..%5cfiles", 404),
        ("GET", "v1/models%2f..%2ffiles", 404),
        ("GET", "v1/models/.../files", 404),
        ("GET", "v1/models/..%20/files", 404),
        ("GET", "v1/models/..%00/files", 404),
        ("GET", "v1/models/..%09/files", 404),
        ("GET", "v1/models/m%0d%0aX:%20y", 404),
        ("GET", "v1/models/m%3f/../../files", 404),
        ("GET", "v1/models/m%23/files", 404),
        ("GET", "v1/models/%c0%ae%c0%ae/files", 404),  # dots in too many bytes
        ("GET", "v1/models/%ef%bc%8e%ef%bc%8e/files", 404),  # full-width dots
        ("GET", "v1/models/m/./../files", 404),
        ("GET", "v1/models//../files", 404),
        ("GET", "v1/models//files", 404),
        ("GET", "v1//models/../files", 404),
        ("GET", "v1/v1/models/%2e%2e/%2e%2e/files", 404),
        ("GET", "v1/./models", 404),
        ("GET", "v1/../v1/files", 404),
        ("GET", "v1/%2e%2e/files", 404),
        ("POST", "v1/chat/completions/%2e%2e/%2e%2e/files", 404),
        ("GET", "v1/responses/resp_1", 404),
        ("GET", "v1/chat/completions", 405),
        ("DELETE", "v1/models/m", 405),
        ("DELETE", "v1/files/f", 404),
        ("POST", "v1/models", 405),
        ("POST", "", 404),
        ("POST", "v1", 404),
        ("GET", "v1/", 404),
        ("GET", "favicon.ico", 404),
    ],
)
def test_unknown_routes(server: ModelServer, method: str, path: str, status: int) -> None:
    """Nothing but model calls and lists of models is sent on with the real key."""
    found = list[Any]()
    body = CHAT if method == "POST" else None
    result = attempt(server, lambda endpoint: found.append(asked(f"{endpoint.anthropic_url}/{path}", body, method)))
    (told, said) = found[0]
    if status == 200:
        assert told == 404  # the server's own answer: it has no such model
        return
    assert told == status
    assert said["error"]["message"]
    assert said["error"]["type"] in ("invalid_request_error", "not_found_error")  # the latter is Anthropic's
    assert server.calls == 0
    assert result.usage.model_calls == 1  # the attempt itself: no call inside was counted
    assert not calls(result.trace)


def test_the_routes_of_models_are_sent_on(server: ModelServer) -> None:
    found = list[Any]()

    def agent(endpoint: Endpoint) -> None:
        found.append(asked(f"{endpoint.base_url}/models", None, "GET"))
        found.append(asked(f"{endpoint.base_url}/v1/chat/completions"))  # of a client that adds its own v1
        found.append(asked(f"{endpoint.anthropic_url}/chat/completions"))  # of one that was given no v1
        found.append(asked(f"{endpoint.base_url}/messages?beta=true"))

    result = attempt(server, agent)
    assert [status for status, _ in found] == [200] * 4
    assert found[0][1]["data"][0]["id"] == "m"
    assert server.calls == result.usage.model_calls == 3
    assert [route for route, _ in server.bodies] == ["chat/completions", "chat/completions", "messages"]


@pytest.mark.parametrize("path", ["", "x", "r", "r/", "r//v1/chat/completions", "v1/chat/completions", "../etc/passwd"])
def test_what_is_no_attempts_url(server: ModelServer, path: str) -> None:
    found = list[Any]()

    def agent(endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.base_url)
        found.append(asked(f"http://{parts.netloc}/{path}"))

    attempt(server, agent)
    assert found[0][0] in (401, 404)
    assert found[0][1]["error"]["message"]
    assert server.calls == 0


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b"{",
        b'"text"',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"model": "m", "messages": NaN}',
        b'{"model": "m"}',
        b'{"messages": []}',
        b'{"model": 3, "messages": []}',
        b'{"model": "m", "messages": {}}',
        b'{"model": "m", "messages": [3]}',
        b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 1e999}',
        b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": "yes"}',
        b'{"model": "m", "input": 3, "messages": "x"}',
    ],
)
def test_malformed_bodies_are_refused_and_cost_nothing(server: ModelServer, body: bytes) -> None:
    found = list[Any]()

    def agent(endpoint: Endpoint) -> None:
        for route in ("chat/completions", "completions", "responses", "messages"):
            found.append(asked(f"{endpoint.base_url}/{route}", body))

    result = attempt(server, agent)
    assert [status for status, _ in found] == [400] * 4
    assert all(said["error"]["message"] for _, said in found)
    assert server.calls == 0
    assert not calls(result.trace)


@pytest.mark.parametrize("odd", ['"n": 0', '"n": "2"', '"n": 1e9', '"max_tokens": "9"', '"seed": [1]', '"stop": [3]'])
def test_malformed_sampling(server: ModelServer, odd: str) -> None:
    found = list[Any]()
    body = f'{{"model": "m", "messages": [{{"role": "user", "content": "x"}}], {odd}}}'.encode()
    attempt(server, lambda endpoint: found.append(asked(f"{endpoint.base_url}/chat/completions", body)))
    assert found[0][0] == 400
    assert server.calls == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"[" * 100_000, b'{"input": "x", "model": NaN'])
def test_malformed_embeddings(server: ModelServer, body: bytes) -> None:
    found = list[Any]()
    attempt(server, lambda endpoint: found.append(asked(f"{endpoint.base_url}/embeddings", body)))
    assert found[0][0] == 400
    assert server.calls == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_oversized_requests(server: ModelServer, monkeypatch: pytest.MonkeyPatch, chunked: bool) -> None:
    """Refused while they arrive: what is declared is not believed, what arrives is counted."""
    monkeypatch.setattr(gateway, "LARGEST", 10_000)
    found = list[bytes]()

    def agent(endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.base_url)
        head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nhost: x\r\n"
        with socket.create_connection((parts.hostname, parts.port), 30) as connection:
            if chunked:
                connection.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
                connection.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n2000\r\n" + b"x" * 0x2000 + b"\r\n")
            else:
                connection.sendall(f"{head}content-length: 100000000\r\n\r\n".encode() + b"x" * 20_000)
            found.append(connection.recv(65536))

    attempt(server, agent)
    assert b" 413 " in found[0]
    assert server.calls == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab",  # and then the client leaves
        b"GET /r/x/v1/models HTTP/1.1\r\nhost: x/r/y/v1#\r\nconnection: close\r\n\r\n",
    ],
)
def test_what_is_no_http(server: ModelServer, raw: bytes) -> None:
    """The gateway goes on for others."""
    found = list[Any]()

    def agent(endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.base_url)
        with socket.create_connection((parts.hostname, parts.port), 30) as connection:
            connection.sendall(raw)
        found.append(asked(f"{endpoint.base_url}/chat/completions"))

    attempt(server, agent)
    assert found[0][0] == 200


UPGRADE = "connection: {0}\r\nupgrade: {1}\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZQ==\r\n"


@pytest.mark.parametrize("path", ["/responses", "/realtime?model=m", "/chat/completions", "/../..", ""])
@pytest.mark.parametrize("upgrade", [("Upgrade", "websocket"), ("keep-alive, upgrade", "WebSocket")])
def test_websockets_are_refused(
    server: ModelServer, caplog: pytest.LogCaptureFixture, path: str, upgrade: tuple[str, str]
) -> None:
    found = list[bytes]()

    def agent(endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.base_url)
        head = f"GET {parts.path}{path} HTTP/1.1\r\nhost: x\r\n{UPGRADE.format(*upgrade)}\r\n"
        with socket.create_connection((parts.hostname, parts.port), 30) as connection:
            connection.sendall(head.encode())
            found.append(b"".join(iter(lambda: connection.recv(65536), b"")))

    attempt(server, agent)
    head, _, body = found[0].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert "websockets are not relayed" in json.loads(body)["error"]["message"]
    assert not caplog.records
    assert server.calls == 0


# ---------------------------------------------------------------- tokens


def test_foreign_and_ended_tokens(server: ModelServer) -> None:
    """401 for what was never given out, 410 for an attempt that is over; neither costs anybody anything."""
    kept, found = list[Endpoint](), list[Any]()

    def agent(question: str, index: int, endpoint: Endpoint) -> str:
        kept.append(endpoint)
        if index == 1:
            ended = f"{kept[0].base_url}/chat/completions"
            until(lambda: asked(ended)[0] == 410)
            found.append(asked(ended))
            found.append(asked(ended.replace("/chat/completions", "/messages")))
            found.append(asked(endpoint.base_url.replace("/r/", "/r/x") + "/chat/completions"))
        return "done"

    function = Function(agent, upstream=upstream(server))
    strategy = BestOfN(2, Predicate(lambda _: 0.0), window=1)
    result = asyncio.run(solve("How much?", strategy, generator=function))
    assert [status for status, _ in found] == [410, 410, 401]
    assert "ended" in found[0][1]["error"]["message"]
    assert found[1][1]["type"] == "error"  # in Anthropic's words
    assert server.calls == 0
    assert not calls(result.trace)


def test_an_attempt_with_another_ones_url(server: ModelServer) -> None:
    """A client built once, with the first attempt's URL, and each attempt's own key: refused, charged to nobody."""
    kept, found = list[Endpoint](), list[Any]()
    both = threading.Barrier(2)
    ways = [
        ("authorization", "Bearer {}"), ("authorization", "bearer {}"), ("authorization", "BEARER  {}"),
        ("authorization", "{}"), ("authorization", "Token {}"), ("x_api_key", "{}"), ("X_Api_Key", " {}"),
        ("api_key", "{}"),
    ]  # fmt: skip

    def agent(question: str, endpoint: Endpoint) -> str:
        kept.append(endpoint)
        both.wait(30)
        for header, value in ways:
            sent = {header: value.format(endpoint.api_key)}
            found.append((endpoint is kept[0], asked(f"{kept[0].base_url}/chat/completions", **sent)))
        both.wait(30)
        return "done"

    function = Function(agent, upstream=upstream(server))
    result = asyncio.run(solve("How much?", SelfConsistency(2, key=str), generator=function))
    assert sorted((own, status) for own, (status, _) in found) == [(False, 403)] * 8 + [(True, 200)] * 8
    assert server.calls == len(calls(result.trace)) == 8
    assert result.usage.model_calls == 9  # the other attempt counts as a call of its own: none inside was seen


def test_a_key_of_the_agents_own_is_neither_needed_nor_sent_on(server: ModelServer) -> None:
    for headers in ({}, {"authorization": "Bearer sk-mine"}, {"x_api_key": "sk-mine"}, {"authorization": "junk"}):
        attempt(server, lambda endpoint, h=headers: asked(f"{endpoint.base_url}/chat/completions", **h))
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert server.calls == 4


# ---------------------------------------------------------------- agents that go on, flood, leave and block


@pytest.mark.slow
def test_a_flood_of_a_thousand_requests(server: ModelServer) -> None:
    """A ceiling holds against it; the rest is told 402, and the search ends."""
    found = list[int]()

    def agent(endpoint: Endpoint) -> None:
        with ThreadPoolExecutor(64) as pool:
            url = f"{endpoint.base_url}/chat/completions"
            found.extend(status for status, _ in pool.map(lambda _: asked(url), range(1000)))

    try:
        attempt(server, agent, budget=Budget(model_calls=20))
    except BudgetExhausted as error:
        found.append(402 if error.ceiling == "model_calls" else 0)
    assert set(found) == {200, 402}
    assert found.count(200) == server.calls <= 20


@pytest.mark.slow
def test_a_flood_without_a_ceiling_is_served_and_counted(server: ModelServer) -> None:
    def agent(endpoint: Endpoint) -> int:
        with ThreadPoolExecutor(64) as pool:
            url = f"{endpoint.base_url}/chat/completions"
            return sum(status for status, _ in pool.map(lambda _: asked(url), range(1000)))

    result = attempt(server, agent)
    assert json.loads(result.answer) == 200_000
    assert server.calls == result.usage.model_calls == len(calls(result.trace)) == 1000
    assert result.usage.generated_tokens == server.generated_tokens


def test_a_client_that_leaves_in_the_middle() -> None:
    """Its call is cut off at the server, charged at its worst case, and the attempt goes on."""
    with ModelServer(60.0, slow="slowly") as server:
        found = list[Any]()

        def agent(endpoint: Endpoint) -> None:
            parts = urlsplit(endpoint.base_url)
            body = json.dumps({**CHAT, "messages": [{"role": "user", "content": "slowly"}]})
            head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
            with socket.create_connection((parts.hostname, parts.port), 30) as connection:
                connection.sendall((head + body).encode())
                until(lambda: server.in_flight == 1)
            until(lambda: server.aborted == 1)
            found.append(asked(f"{endpoint.base_url}/chat/completions"))

        result = attempt(server, agent)
        assert found[0][0] == 200
        assert server.in_flight == 0
        assert [span.status for span in calls(result.trace)] == ["cancelled", "ok"]
        assert result.usage.model_calls == 2
        assert result.usage.generated_tokens == server.generated_tokens + CHAT["max_tokens"]  # type: ignore[operator]
        guessed = result.usage.prompt_tokens - server.prompt_tokens
        assert result.usage.estimated_tokens == CHAT["max_tokens"] + guessed  # type: ignore[operator]


def test_an_agent_that_blocks_the_loop_of_its_search(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine that calls a synchronous client: 503 after a time, and the search goes on."""
    monkeypatch.setattr(gateway, "ANSWERS", 0.2)
    found = list[Any]()

    async def agent(question: str, endpoint: Endpoint) -> str:
        found.append(asked(f"{endpoint.base_url}/chat/completions"))
        return "done"

    function = Function(agent, upstream=upstream(server))
    result = asyncio.run(solve("How much?", SelfConsistency(2, key=str), generator=function))
    assert [status for status, _ in found] == [503, 503]
    assert "blocks the loop" in found[0][1]["error"]["message"]
    assert result.answer == "done"
    assert server.calls == 0
    assert not calls(result.trace)


def test_a_thread_that_outlives_its_attempt() -> None:
    """Its call in flight is cut off, later ones are told 410, and then the gateway is gone."""
    with ModelServer(60.0, slow="slowly") as server:
        found, over = list[Any](), threading.Event()

        def linger(endpoint: Endpoint) -> None:
            body = {**CHAT, "messages": [{"role": "user", "content": "slowly"}]}
            for _ in range(2):
                found.append(asked(f"{endpoint.base_url}/chat/completions", body))
            over.set()

        def agent(question: str, index: int, endpoint: Endpoint) -> str:
            if index == 0:
                threading.Thread(target=linger, args=[endpoint], daemon=True).start()
                until(lambda: server.in_flight == 1)
            else:
                assert over.wait(30)
            return "done"

        function = Function(agent, upstream=upstream(server))
        strategy = BestOfN(2, Predicate(lambda _: 0.0), window=1)
        result = asyncio.run(solve("How much?", strategy, generator=function))
        assert [status for status, _ in found] == [410, 410]
        until(lambda: server.in_flight == 0)
        assert server.calls == server.aborted == 1
        assert len(calls(result.trace)) == 1


@pytest.mark.parametrize("forked", [False, True])
def test_nothing_listens_after_the_search(server: ModelServer, forked: bool) -> None:
    """Not even where a forked process has the same socket."""
    kept, fork = list[Endpoint](), multiprocessing.get_context("fork")
    over = fork.Event()
    sleeper = fork.Process(target=over.wait, args=[60])

    def agent(endpoint: Endpoint) -> None:
        kept.append(endpoint)
        if forked:
            sleeper.start()

    attempt(server, agent)
    with pytest.raises(OSError, match="refused"):
        asked(f"{kept[0].base_url}/chat/completions")
    assert not any(thread.name == "searchkit-gateway" for thread in threading.enumerate())
    over.set()
    if forked:
        sleeper.join()


@pytest.mark.parametrize(
    "sent", ["POST {}/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{", "POST {}/ch", ""]
)
@pytest.mark.parametrize("waits", [False, True])
def test_a_request_half_sent_when_the_search_ends(
    server: ModelServer, caplog: pytest.LogCaptureFixture, sent: str, waits: bool
) -> None:
    """Its connection is closed, and nobody hears of it."""
    with contextlib.ExitStack() as stack:
        open_ones = list[socket.socket]()

        def agent(endpoint: Endpoint) -> None:
            parts = urlsplit(endpoint.base_url)
            for _ in range(3):
                address = (parts.hostname, parts.port)
                open_ones.append(stack.enter_context(socket.create_connection(address, 30)))
                open_ones[-1].sendall(sent.format(parts.path).encode())
            if waits:  # the last of them has been read, too
                asked(f"{endpoint.base_url}/models", None, "GET")

        attempt(server, agent)
        for connection in open_ones:
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(65536):
                    pass
    assert not caplog.records
    assert server.calls == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_what_the_server_refuses_reaches_the_agent_without_the_key(status: int) -> None:
    """The hosted API quotes keys that it refuses."""
    found = list[Any]()
    with ModelServer(refusal=(status, "no: {key}")) as server:
        result = attempt(server, lambda endpoint: found.append(asked(f"{endpoint.base_url}/chat/completions")))
    assert found[0][0] == status
    assert found[0][1]["error"]["message"] == "no: Bearer [api key]"
    assert KEY not in repr(result) + result.trace.render()


def test_a_server_that_is_not_there() -> None:
    """502, which clients try again; charged as calls, as far as they were made."""
    with ModelServer() as gone:
        pass
    found = list[Any]()
    attempt(gone, lambda endpoint: found.append(asked(f"{endpoint.base_url}/chat/completions")))
    assert found[0][0] == 502
    assert f"nothing answers at {urlsplit(gone.root).netloc}: " in found[0][1]["error"]["message"]
    assert KEY not in json.dumps(found)
