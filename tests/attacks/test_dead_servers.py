"""Servers that are not there, or are something else: said at once and for what they are, not retried like a hiccup."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import asyncio
import errno
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from searchkit import CallError, ConfigError, Model, Sample, solve_sync
from searchkit.calls import Request
from searchkit.generators import Limited, OpenAI, Retrying
from searchkit.generators.openai import official
from searchkit.generators.openai.transport import Direct
from searchkit.http import connecting
from searchkit.strategies import SelfConsistency
from tests.attacks.hostile import PARAMS, PROMPT, Asked, Hostile, call, case, completion, http

TRANSPORTS = ("direct", "official")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


@pytest.fixture(autouse=True)
def _unknown_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names below .invalid are unknown at once, however long the resolver of this machine thinks about them."""
    resolve = socket.getaddrinfo

    def known(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name.rstrip(".").endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", known)


def patient(url: str, transport: str = "direct", **patience: float) -> CallError:
    """The error of a backend that would try five times."""
    backend = OpenAI(url, "m", transport=transport, timeout=20.0)  # type: ignore[arg-type]
    retrying = Retrying(Limited(backend), **{"base": 0.001, "cap": 0.001, **patience})
    [error] = asyncio.run(retrying.complete([Request(PROMPT, PARAMS, 1)]))
    assert isinstance(error, CallError)
    return error


# Where no way leads: what the system says of it.
NO_WAY = [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EACCES, errno.EPERM, errno.EAFNOSUPPORT]
HICCUPS = [errno.ECONNRESET, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENOBUFS]


@pytest.mark.parametrize("code", [*NO_WAY, *HICCUPS])
def test_what_the_system_says_of_an_address(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No way leads there: one attempt. Something was used up or cut for a moment: as many as there are."""

    async def refused(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", refused)
    error = patient("http://192.0.2.1:9/v1")
    assert (error.kind, error.attempts) == ("connection", 1 if code in NO_WAY else 5)
    assert os.strerror(code) in str(error)


@contextmanager
def deaf() -> Iterator[str]:
    """The URL of a machine that takes no connection and refuses none: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as held:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(held.getsockname())
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        for one in waiting:
            one.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_machine_that_says_nothing(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting has a time-out of its own, far below the call's; who never answered is asked once."""
    for module in (connecting, official):
        monkeypatch.setattr(module, "CONNECTING", 0.3)
    with deaf() as url:
        error = patient(url, transport)
    assert (error.kind, error.attempts) == ("connection", 1)
    assert "within 0.3 s" in str(error)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_machine_that_says_nothing_any_more(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answered before: its queue may be full for a moment, and it is asked again."""
    for module in (connecting, official):
        monkeypatch.setattr(module, "CONNECTING", 0.2)

    async def both(url: str, deaf_url: str) -> Any:
        backend = OpenAI(url, "m", transport=transport)  # type: ignore[arg-type]
        await backend.complete([Request(PROMPT, PARAMS, 1)])
        here = (await backend._here()).transport
        if isinstance(here, Direct):
            here._pool._port = urlsplit(deaf_url).port or 0
        else:
            here._client.base_url = deaf_url  # type: ignore[attr-defined]
        return (await Retrying(backend, attempts=2, base=0.001, cap=0.001).complete([Request(PROMPT, PARAMS, 2)]))[0]

    with Hostile(http(completion())) as server, deaf() as url:
        error = asyncio.run(both(server.url, url))
    assert (error.kind, error.attempts) == ("connection", 2)


def test_a_name_that_is_never_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is part of connecting."""
    monkeypatch.setattr(connecting, "CONNECTING", 0.1)

    async def slow(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", slow)
    error = call("http://models.internal/v1")
    assert isinstance(error, CallError)
    assert error.kind == "connection"
    assert "models.internal" in str(error)


def test_one_deaf_address_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with an address that leads nowhere and one that answers: the time is for both."""
    monkeypatch.setattr(connecting, "CONNECTING", 0.6)
    with Hostile(http(completion())) as server, deaf() as url:
        ports = [urlsplit(url).port, server.port]

        async def both(*_: object) -> list[Any]:
            return [(socket.AF_INET, 0, ("127.0.0.1", port)) for port in ports]

        monkeypatch.setattr(connecting, "_addresses", both)
        assert isinstance(call("http://models.internal/v1"), Sample)


# Proxies in the environment that cannot be used, or are not there, and words of the error.
BAD_PROXIES = [
    case("unknown-scheme", "socks9://x", "scheme"),
    case("ftp", "ftp://127.0.0.1:21", "scheme"),
    case("file", "file:///etc/passwd", "scheme"),
    case("port-99999", "http://127.0.0.1:99999", "99999"),
    case("port-zero", "http://127.0.0.1:0", "port 0"),
    case("port-of-letters", "http://127.0.0.1:abc", "abc"),
    case("negative-port", "http://127.0.0.1:-1", "-1"),
    case("open-bracket", "http://[::1", "Invalid"),
    case("no-host", "http://", "no host"),
    case("only-a-port", "http://:3128", "no host"),
]
DEAD_PROXIES = [
    case("closed-port", "http://127.0.0.1:1"),
    case("without-a-scheme", "127.0.0.1:1"),
    case("unknown-host", "http://no-proxy.invalid:3128"),
    case("with-a-password", "http://user:swordfish@127.0.0.1:1"),
]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(("proxy", "words"), BAD_PROXIES)
def test_a_proxy_that_cannot_be_used(proxy: str, words: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ConfigError` that names it, and the variables, out of a search and a call."""
    _only_proxy(name, proxy, monkeypatch)
    model = Model(OpenAI("http://models.example/v1", "m"), PARAMS)
    with pytest.raises(ConfigError, match=words) as caught:
        solve_sync("q", SelfConsistency(2), generator=model)
    assert "ALL_PROXY" in str(caught.value)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("proxy", DEAD_PROXIES)
def test_a_proxy_that_is_not_there(proxy: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt; the error names the proxy, and no password."""
    _only_proxy(name, proxy, monkeypatch)
    error = patient("http://models.example/v1", "auto")
    assert (error.kind, error.attempts) == ("connection", 1)
    assert proxy.rpartition("@")[2].removeprefix("http://") in str(error)
    assert "swordfish" not in str(error)


def test_a_proxy_that_takes_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """SOCKS: what to install, where it is not."""
    _only_proxy("ALL_PROXY", "socks5://127.0.0.1:1", monkeypatch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install socksio"):
        call("http://models.example/v1")


@pytest.mark.parametrize("proxy", ["nonsense://x", "http://127.0.0.1:1"])
def test_a_proxy_that_is_not_meant(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY, or our own connections: it does not matter what is configured."""
    _only_proxy("HTTP_PROXY", proxy, monkeypatch)
    with Hostile(http(completion())) as server:
        assert isinstance(call(server.url, transport="direct"), Sample)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert isinstance(call(server.url), Sample)


def _only_proxy(name: str, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in list(os.environ):
        if known.lower().endswith("_proxy"):
            monkeypatch.delenv(known)
    monkeypatch.setenv(name, proxy)


# Nobody listens; {port} is a closed one.
NOBODY = [
    case("loopback", "http://127.0.0.1:{port}/v1"),
    case("localhost", "http://localhost:{port}/v1"),
    case("another-loopback", "http://127.0.0.2:{port}/v1"),
    case("ipv6", "http://[::1]:{port}/v1"),
    case("over-tls", "https://127.0.0.1:{port}/v1"),
    case("port-one", "http://127.0.0.1:1/v1"),
    case("any-address", "http://0.0.0.0:{port}/v1"),
    case("unknown-host", "http://no-such-host.invalid/v1"),
    case("unknown-host-over-tls", "https://no-such-host.invalid/v1"),
    case("unknown-host-and-port", "http://no-such-host.invalid:8000/v1"),
    case("a-typing-mistake", "http://localhsot.invalid:{port}/v1"),
    case("a-long-label", "http://" + "a" * 64 + ".invalid/v1"),
    case("an-empty-label", "http://a..invalid/v1"),
    case("underscores", "http://my_server.invalid/v1"),
]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("url", NOBODY)
def test_nobody_there_is_said_at_once(url: str, transport: str) -> None:
    """One attempt, no wait between attempts, and the address in the error."""
    where = url.format(port=free_port())
    error = patient(where, transport)
    assert error.attempts == 1
    assert error.kind == "connection"
    assert where.split("/")[2].split(":")[0].strip("[]")[:20] in str(error)


@pytest.mark.slow
@pytest.mark.parametrize("url", [NOBODY[0], NOBODY[7]])
def test_nobody_there_is_said_within_two_seconds(url: str) -> None:
    """With the default patience, which waits longer than that between attempts."""
    began = time.monotonic()
    patient(url.format(port=free_port()), base=0.5, cap=30.0)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("code", "words"),
    [
        case("unknown-name", socket.EAI_NONAME, "Name or service not known"),
        case("no-address", getattr(socket, "EAI_NODATA", -5), "No address associated with hostname"),
        case("failure", socket.EAI_FAIL, "Non-recoverable failure in name resolution"),
    ],
)
def test_a_name_that_is_unknown_for_good(code: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the resolver says is in the error; one attempt."""

    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(code, words)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = patient("http://models.internal/v1")
    assert (error.attempts, error.kind) == (1, "connection")
    assert "models.internal" in str(error)


def test_a_resolver_that_is_away_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """EAI_AGAIN is a hiccup."""
    asked: list[object] = []

    def away(*_: object, **__: object) -> list[object]:
        asked.append(1)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", away)
    backend = Retrying(OpenAI("http://models.internal/v1", "m"), attempts=3, base=0.001, cap=0.001)
    [error] = asyncio.run(backend.complete([Request(PROMPT, PARAMS, 1)]))
    assert isinstance(error, CallError)
    assert error.attempts == len(asked) == 3


def silent(asked: Asked) -> Iterator[bytes]:
    time.sleep(3)
    yield b""


# What is sent to whoever connects and asks, and words of which one must be in the error.
STRANGERS = [
    case("closes-at-once", b"", "closed|broke|empty"),
    case("ssh", b"SSH-2.0-OpenSSH_9.6\r\n", "SSH|HTTP"),
    case("smtp", b"220 mail.example ESMTP Postfix\r\n", "220|HTTP"),
    case("redis", b"-ERR unknown command 'POST'\r\n", "ERR|HTTP"),
    case("mysql", b"J\x00\x00\x00\n8.0.36\x00", "HTTP|closed|broke"),
    case("tls-alert", b"\x15\x03\x01\x00\x02\x02\x46", "HTTP|closed|broke|TLS|https"),
    case("http2-settings", b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", "HTTP|closed|broke"),
    case("half-a-head", b"HTTP/1.1 200 OK\r\nContent-Type: appl", "closed|broke|cut|HTTP"),
    case("only-a-status-line", b"HTTP/1.1 200 OK\r\n", "closed|broke|cut|HTTP"),
    case("a-body-cut-short", http({"a": "b"})[:-3], "closed|broke|cut|short"),
    case("http-0.9", b"<html>hello</html>", "HTTP|html"),
    case("a-status-of-letters", b"HTTP/1.1 OK 200\r\n\r\n", "HTTP|status"),
    case("a-status-of-99", b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", "99|HTTP|status"),
    case("a-status-of-999", b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", "999"),
    case("two-lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "ength|HTTP"),
    case("length-and-chunks", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "ength|empty|HTTP|closed"),
    case("a-length-of-letters", b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "ength|HTTP|closed|broke"),
    case("a-negative-chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", "chunk|HTTP|closed|broke"),
    case("nul-in-a-header", b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n", "empty|HTTP|header"),
]  # fmt: skip


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("answer", "words"), STRANGERS)
def test_what_is_no_http_server(answer: bytes, words: str, transport: str) -> None:
    """A `CallError` that says what came, without the prompt and without controls."""
    with Hostile(answer) as server:
        error = call(server.url, transport=transport)
    assert isinstance(error, CallError), error
    assert any(word in str(error) for word in words.split("|")), str(error)
    assert "2 + 2" not in str(error)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_tls_asked_of_a_plain_port(transport: str) -> None:
    """https:// in front of a server that speaks http: says so, in one attempt, and no prompt was sent."""
    with Hostile(http({})) as server:
        error = patient(server.url.replace("http", "https"), transport)
        assert server.asked == []
    assert error.attempts == 1
    assert any(word in str(error) for word in ("TLS", "SSL", "https"))


@pytest.mark.slow
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_that_never_answers(transport: str) -> None:
    """The time-out of the call, told as a time-out."""
    with Hostile(silent) as server:
        error = call(server.url, transport=transport, timeout=1.0)
    assert isinstance(error, CallError)
    assert error.kind == "timeout"


@pytest.mark.slow
@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/v1", "http://no-such-host.invalid/v1"])
def test_the_command_line_says_so(url: str, tmp_path: Path) -> None:
    """`searchkit solve` against nobody: exit code 1, one line on stderr that names the address."""
    where = url.format(port=free_port())
    options = ["--strategy", "self-consistency", "-p", "n=1", "--journal", str(tmp_path / "j")]
    command = [sys.executable, "-m", "searchkit", "solve", "q", "--backend", where, "--model", "m", *options]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert where.split("/")[2].split(":")[0] in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    "url",
    [
        case("port-99999", "http://127.0.0.1:99999/v1"),
        case("negative-port", "http://127.0.0.1:-1/v1"),
        case("port-of-letters", "http://127.0.0.1:http/v1"),
        case("no-host", "http:///v1"),
        case("a-blank", "http://my server/v1"),
        case("a-newline", "http://127.0.0.1\r\nX: y/v1"),
        case("ftp", "ftp://127.0.0.1/v1"),
        case("open-bracket", "http://[::1/v1"),
        case("nothing", ""),
        case("port-zero", "http://127.0.0.1:0/v1"),
    ],
)
def test_addresses_that_cannot_be(url: str) -> None:
    """Refused at construction, with a sentence."""
    with pytest.raises(ConfigError):
        OpenAI(url, "m")
