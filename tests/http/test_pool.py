"""The small HTTP client against servers that send exactly the bytes a test wants, whole and one byte at a time."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from searchkit.calls import Request
from searchkit.generators import OpenAI
from searchkit.http import Broken, HTTPReply, Pool, Unreachable, Unreadable
from searchkit.http.room import BODY_LIMIT
from searchkit.http.values import ERROR_LIMIT
from searchkit.testing.server import Server, words
from searchkit.types import Params, Prompt, Sample


class Script:
    """Answers each request on a connection with the next of `answers`; b"" closes the connection instead."""

    def __init__(self, *answers: bytes, piece: int | None = None) -> None:
        self.answers, self.piece = list(answers), piece
        self.connections = 0
        self.received: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.received.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0)
                size = self.piece or max(1, len(answer))
                for at in range(0, len(answer), size):
                    writer.write(answer[at : at + size])
                    await writer.drain()
                    await asyncio.sleep(0)
                if not answer or b"\r\n\r\n" not in answer or b"close" in answer.lower() or not self.answers:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def serve(script: Script, client: Callable[[Pool], Awaitable[None]]) -> None:
    async def main() -> None:
        server = await asyncio.start_server(script, "127.0.0.1", 0)
        pool = Pool(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            await asyncio.wait_for(client(pool), 10)
        finally:
            await pool.close()
            server.close()
            await asyncio.sleep(0.01)  # for the server's side of the connections

    asyncio.run(main())


def reply(answer: bytes, piece: int | None = None, limit: int = BODY_LIMIT) -> HTTPReply:
    """The client's reading of `answer`."""
    found: list[HTTPReply] = []

    async def client(pool: Pool) -> None:
        with pool.room.call(limit) as held:
            found.append(await pool.request("POST", "/", "", b"x", held=held))
        assert pool.room.held == 0

    serve(Script(answer, piece=piece), client)
    return found[0]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

# Bytes on the wire, and what they mean.
ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
    (b"HTTP/1.1 200\r\ncontent-length:3\r\n\r\nabc", 200, b"abc"),
    (b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n", 429, b""),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 200, b"a"),
    (CHUNKED + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", 200, b"abc0123456789"),
    (CHUNKED + b"1\r\na\r\n0\r\nTrailer: t\r\n\r\n", 200, b"a"),
    (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", 200, b"until the end"),
]  # fmt: skip


@pytest.mark.parametrize("piece", [None, 1])
@pytest.mark.parametrize(("answer", "status", "body"), ANSWERS)
def test_framings(answer: bytes, status: int, body: bytes, piece: int | None) -> None:
    """Lengths, chunks with extensions and trailers, interim answers and closing, whole or byte by byte."""
    found = reply(answer, piece)
    assert (found.status, found.body) == (status, body)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        CHUNKED + b"xyz\r\nabc\r\n",
        CHUNKED + b"5\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    ],
)
def test_what_is_not_http_is_an_error(answer: bytes) -> None:
    """Cut, foreign or malformed answers raise `Broken`; none hangs, none is taken for an answer."""
    with pytest.raises(Broken):
        reply(answer)


def test_size_limit() -> None:
    """An answer longer than the limit is refused while it arrives, or before; an error is cut and is still one."""
    length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    assert len(reply(length % 1000 + b"x" * 1000, limit=1000).body) == 1000
    for answer in (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, length % 1001, CHUNKED + b"7D1\r\n" + b"x" * 2001):
        with pytest.raises(Unreadable, match="more than 1000"):
            reply(answer, limit=1000)
    found = reply(b"HTTP/1.1 429 Slow\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, limit=1000)
    assert (found.status, len(found.body)) == (429, ERROR_LIMIT)


def test_headers() -> None:
    """Names are lower-case, repeated headers are joined, redirects are not followed."""
    found = reply(b"HTTP/1.1 307 X\r\nLocation: http://elsewhere/\r\nA: 1\r\na:2 \r\nContent-Length: 0\r\n\r\n")
    assert found.headers == {"location": "http://elsewhere/", "a": "1, 2", "content-length": "0"}


def test_connections_are_reused_only_in_step() -> None:
    """A connection is kept after a whole answer, dropped after "close" or after more bytes than the answer has."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
    for answers, connections in [
        ([whole, whole, whole], 1),
        ([whole.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), whole], 2),
        ([whole + b"surplus", whole], 2),
    ]:
        script = Script(*answers)

        async def client(pool: Pool, count: int = len(answers)) -> None:
            for _ in range(count):
                assert (await pool.request("GET", "/")).body == b"a"

        serve(script, client)
        assert script.connections == connections


def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    """Servers close idle connections; the next call opens another instead of failing."""
    script = Script(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")

    async def client(pool: Pool) -> None:
        await pool.request("GET", "/")
        await asyncio.sleep(0.05)  # the server closes after its last answer
        script.answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb")
        assert (await pool.request("GET", "/")).body == b"b"

    serve(script, client)


def test_unreachable() -> None:
    """A closed port and an unknown host are `Unreachable`: nothing was sent."""

    async def main(origin: str) -> None:
        with pytest.raises(Unreachable):
            await Pool(origin).request("GET", "/")

    with Server() as server:
        port = server.port
    asyncio.run(main(f"http://127.0.0.1:{port}"))
    asyncio.run(main("http://no-such-host.invalid"))


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call over TLS works if the certificate is trusted, and is refused before anything is sent if it is not."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    request = Request(Prompt.of("Add"), Params(), 1)
    with Server(tls=context, reply=lambda prompt, seed, params: words("", seed, params)) as server:
        [entry] = asyncio.run(OpenAI(server.url, "test-model").complete([request]))
        assert not isinstance(entry, Sample)
        assert "certificate" in str(entry)
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        [entry] = asyncio.run(OpenAI(server.url, "test-model").complete([request]))
        assert isinstance(entry, Sample)
        assert entry.text == words("", 1, {"temperature": 1.0})
