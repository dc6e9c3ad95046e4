"""Answers without measure, through both transports: bounded, said for what they are, and never more than was asked for."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import asyncio
import gzip
import json
import math
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from searchkit.calls import CallError, Request
from searchkit.generators import Limited, OpenAI, Retrying
from searchkit.generators.openai import answers
from searchkit.generators.openai.official import Official
from searchkit.generators.openai.transport import Direct
from searchkit.http.connecting import below, is_lasting
from searchkit.kinds import printable
from searchkit.types import ConfidenceFloor, Params, Prompt, Sample
from tests.attacks.hostile import TEXT, Asked, Hostile, ask, call, completion, failure, http, sample

TRANSPORTS = ("direct", "official")
LONG = Params(max_tokens=16)


def padded(size: int, **more: Any) -> bytes:
    """A good answer of that many bytes."""
    bare = json.dumps({**completion(), **more, "x": ""}).encode()
    return bare[:-2] + b"x" * (size - len(bare)) + bare[-2:]


# ---------------------------------------------------------------- how long an answer may be


@pytest.mark.slow
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_up_to_the_limit_and_not_beyond(transport: str) -> None:
    """By one byte; packed too."""
    most = answers.most(LONG)
    for good in (http(padded(most)), http(gzip.compress(padded(most)), Content_Encoding="gzip")):
        assert sample(good, LONG, transport=transport).text == TEXT
    for bad in (http(padded(most + 1)), http(gzip.compress(padded(most + 1)), Content_Encoding="gzip")):
        error = failure(bad, LONG, transport=transport)
        assert (error.kind, error.transient) == ("malformed", True)
        assert f"more than {most} bytes" in str(error)


def test_the_limit_grows_with_what_is_asked_for() -> None:
    """Tokens, rivals, choices and streams; no limit is a large one."""
    ladder = [
        Params(max_tokens=1),
        Params(max_tokens=1000),
        Params(max_tokens=1000, logprobs=1),
        Params(max_tokens=1000, logprobs=20),
    ]
    sizes = [answers.most(params) for params in ladder]
    assert sizes == sorted(set(sizes))
    assert answers.most(ladder[1], 8) > answers.most(ladder[1])
    assert answers.most(Params(max_tokens=None)) > 64 * 2**20
    row = {"token": "\u2603" * 8, "logprob": -12.345678901234567, "bytes": list("\u2603".encode() * 8)}
    for params in ladder[1:]:  # as long as vLLM makes them
        listed = [{**row, "top_logprobs": [row] * (params.logprobs or 0)}] * 1000 if params.logprobs else None
        honest = json.dumps(completion("\u2603" * 1000, logprobs={"content": listed})).encode()
        assert len(honest) < answers.most(params)
        assert honest.count(b"[") + honest.count(b"{") < answers.brackets(params)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("status", ["400 Bad", "429 Slow", "500 Oops", "503 Full", "307 Go"])
def test_a_long_error_is_that_error(status: str, transport: str) -> None:
    """It is cut, not waited for: the kind is its status's."""

    def endless(asked: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\n\r\noops " % status.encode()
        while True:
            yield b"x" * 65536

    error = failure(endless, LONG, transport=transport)
    assert (
        error.kind == {"4": "bad_request", "5": "server", "3": "bad_request"}[status[0]] or error.kind == "rate_limit"
    )
    assert "oops" in str(error)
    assert len(str(error)) < 1000


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_answers_that_do_not_fit_together_are_all_read(transport: str) -> None:
    """24 of 1 MB where 2 MB are held at once."""

    async def main(url: str) -> list[Any]:
        backend = OpenAI(url, "m", transport=transport, timeout=60.0)  # type: ignore[arg-type]
        here = await backend._here()
        assert isinstance(here.transport, Direct if transport == "direct" else Official)
        here.transport.room.size = 2 * 2**20
        found = await backend.complete([Request(Prompt.of("q"), LONG, seed) for seed in range(24)])
        assert here.transport.room.held == 0
        return found

    with Hostile(http(padded(2**20))) as server:
        assert [getattr(entry, "text", entry) for entry in asyncio.run(main(server.url))] == [TEXT] * 24


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"choices": [' + b"[]," * 300_000 + b"[]]}",
        b'{"x": ' + b"9" * 10**6 + b"}",
        b" " * 10**6,
        b"\xf0" * 10**6,
        b"{" + b'"":0,' * 200_000 + b'"a":1}',
    ],
    ids=["deep", "wide", "number", "blank", "no-utf-8", "keys"],
)
def test_what_is_hard_to_read_is_said(body: bytes, transport: str) -> None:
    """Large ones are read in a thread; each is an error with its beginning."""
    error = failure(http(body), LONG, transport=transport)
    assert error.kind == "malformed"
    assert "no completion" in str(error)
    assert len(str(error)) < 2000


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_crumbs(transport: str) -> None:
    """A body in chunks of a byte, without end."""

    def answer(asked: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"1\r\nx\r\n" * 1000

    error = failure(answer, LONG, transport=transport)
    assert (error.kind, "chunks" in str(error)) == ("malformed", True)


# ---------------------------------------------------------------- streams


def events(count: int, finish: str | None = "stop") -> bytes:
    row = {
        "token": "4",
        "logprob": -0.1,
        "top_logprobs": [{"token": "4", "logprob": -0.1}, {"token": "5", "logprob": -9.0}],
    }
    one = {"choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": None, "logprobs": {"content": [row]}}]}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in [*[one] * count, last])


FLOOR = Params(max_tokens=16, logprobs=2, floor=ConfidenceFloor(4, 0.1))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_stream_may_be_packed(packed: bool, transport: str) -> None:
    """Then it is read when all of it has come."""
    body = events(5)
    answer = (
        http(gzip.compress(body), kind="text/event-stream", Content_Encoding="gzip")
        if packed
        else http(body, kind="text/event-stream")
    )
    assert sample(answer, FLOOR, transport=transport).text == "44444"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", "text/plain"])
def test_a_stream_that_nobody_asked_for(kind: str, transport: str) -> None:
    found = sample(http(events(5), kind=kind), LONG, transport=transport)
    assert (found.text, found.finish) == ("44444", "stop")
    cut = ask(http(events(5, None), kind=kind), LONG, transport=transport)
    assert isinstance(cut, CallError)
    assert "ended before" in str(cut)


# ---------------------------------------------------------------- nobody there


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        (ConnectionRefusedError(111, "refused"), True),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), True),
        (socket.gaierror(socket.EAI_FAIL, "failed"), True),
        (socket.gaierror(socket.EAI_AGAIN, "later"), False),
        (UnicodeError("label too long"), True),
        (ssl.SSLCertVerificationError("self-signed"), True),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), True),
        (ssl.SSLEOFError(8, "EOF"), False),
        (ConnectionResetError(104, "reset"), False),
        (BrokenPipeError(32, "pipe"), False),
        (OSError(101, "network unreachable"), True),
        (OSError(113, "no route"), True),
        (OSError(24, "too many open files"), False),
        (TimeoutError(110, "timed out"), False),
    ],
)
def test_what_lasts(error: OSError, lasting: bool) -> None:
    """A mistake in the address lasts; what the network does may pass."""
    assert is_lasting(error) is lasting
    try:
        try:
            raise error
        except OSError as inner:
            raise RuntimeError("connection failed") from inner
        except UnicodeError as inner:
            raise RuntimeError("connection failed") from ExceptionGroup("all", [inner])
    except RuntimeError as outer:
        found = [is_lasting(one) for one in below(outer) if isinstance(one, OSError | UnicodeError)]
    assert found == [lasting]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]", "0.0.0.0"])
def test_nobody_is_asked_once(host: str, transport: str) -> None:
    """Nothing was sent and nothing is charged; the width of `Limited` is as it was."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    limited = Limited(OpenAI(f"http://{host}:{port}/v1", "m", transport=transport), 8)  # type: ignore[arg-type]
    entries = asyncio.run(
        Retrying(limited, attempts=5, base=9.0).complete([Request(Prompt.of("q"), LONG, i) for i in range(3)])
    )
    for error in entries:
        assert isinstance(error, CallError)
        assert (error.kind, error.lasting, error.transient, error.attempts) == ("connection", True, False, 1)
        assert error.usage is not None
        assert error.usage.model_calls == 0
    assert limited.gate.width == 8


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_connection_that_breaks_is_tried_again(transport: str) -> None:
    """Somebody was there."""
    replies = [http(completion()), b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]
    with Hostile(lambda asked: replies.pop()) as server:
        backend = Retrying(OpenAI(server.url, "m", transport=transport), base=0.0)  # type: ignore[arg-type]
        [entry] = asyncio.run(backend.complete([Request(Prompt.of("q"), LONG, 1)]))
    assert isinstance(entry, Sample), entry
    assert not replies


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    "text",
    [
        *map(chr, [*range(32), *range(127, 160)]),
        "\u202a",
        "\u202e",
        "\u2066",
        "\u2069",
        "\u200e",
        "\u200f",
        "\u061c",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\u200b",
        "\u00ad",
        "\ud800",
        "\U000e0041",
    ],
)
def test_printable(text: str) -> None:
    """What a terminal obeys, what turns lines around and what nobody sees is written out; lines stay."""
    shown = printable(f"a{text}b")
    assert shown == f"a{text}b" if text in "\n\t" else shown.isprintable() and len(shown) > 3


@pytest.mark.parametrize(
    "text", ["", "plain", "Grüße", "日本語", "العربية", "emoji 😀", "a\u00a0b", "a\u3000b", "tab\tand\nline"]
)
def test_what_is_harmless_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("status", ["400 Bad", "401 Who", "429 Slow", "500 Oops", "200 OK", "307 Go", "404 No"])
def test_a_server_says_nothing_to_the_terminal(status: str, transport: str) -> None:
    """Nor does it give the key away, in whichever field it quotes it."""
    evil = "\x1b]0;owned\x07 sk-secret \u202e"
    body = {"error": {"message": evil, "code": evil, "metadata": {"raw": evil}}, "data": [{"id": evil}]}
    with Hostile(http(body, status, Location=f"http://x/{evil[:-1]}")) as server:
        error = call(server.url, LONG, transport=transport, api_key="sk-secret")
    assert isinstance(error, CallError)
    assert printable(str(error)) == str(error)
    assert "sk-secret" not in str(error)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, "x", None, [], {}, True])
def test_models_that_cannot_be_listed(value: Any) -> None:
    """A 404 whose list of models is nonsense."""
    listed = json.dumps({"data": value}).encode()
    with Hostile(
        lambda asked: http(listed) if asked.target.endswith("models") else http("", "404 No", "text/plain")
    ) as server:
        error = call(server.url, LONG)
    assert isinstance(error, CallError)
    assert error.kind == "bad_request"
