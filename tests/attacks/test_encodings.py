"""K25: compressed answers are read, whatever of them is sound; and a connection is kept alive over long waits."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import gzip
import json
import time
import zlib
from pathlib import Path

import pytest

from searchkit import CallError, Sample
from tests.attacks.hostile import TEXT, Asked, Hostile, ask, call, case, completion, events, failure, http, sample

BODY = json.dumps(completion()).encode()
TRANSPORTS = ("direct", "official")


def raw_deflate(data: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(data) + squeezer.flush()


def chunked(*pieces: bytes, encoding: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\nTransfer-Encoding: chunked\r\n"
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))
    return head.encode() + b"Connection: close\r\n\r\n" + body


PACKED = gzip.compress(BODY)
# Sound bodies: mozilla's and curl's lists of what servers send.
SOUND = [
    case("gzip", http(PACKED, Content_Encoding="gzip")),
    case("gzip-capitals", http(PACKED, Content_Encoding="GZIP")),
    case("x-gzip", http(PACKED, Content_Encoding="x-gzip")),
    case("gzip-level-0", http(gzip.compress(BODY, 0), Content_Encoding="gzip")),
    case("gzip-of-two-members", http(gzip.compress(BODY[:40]) + gzip.compress(BODY[40:]), Content_Encoding="gzip")),
    case("gzip-in-chunks", chunked(PACKED[:7], PACKED[7:30], PACKED[30:], encoding="gzip")),
    case("gzip-byte-by-byte", chunked(*(PACKED[i : i + 1] for i in range(len(PACKED))), encoding="gzip")),
    case("gzip-twice", http(gzip.compress(PACKED), Content_Encoding="gzip, gzip")),
    case("gzip-and-identity", http(PACKED, Content_Encoding="identity, gzip")),
    case("gzip-with-a-file-name", http(b"\x1f\x8b\x08\x08" + PACKED[4:10] + b"a.json\x00" + PACKED[10:], Content_Encoding="gzip")),
    case("zlib-as-deflate", http(zlib.compress(BODY), Content_Encoding="deflate")),
    case("raw-deflate", http(raw_deflate(BODY), Content_Encoding="deflate")),
    case("deflate-in-chunks", chunked(zlib.compress(BODY)[:9], zlib.compress(BODY)[9:], encoding="deflate")),
    case("identity", http(BODY, Content_Encoding="identity")),
    case("empty-encoding", http(BODY, Content_Encoding="")),
    case("gzip-of-a-byte-order-mark", http(gzip.compress(b"\xef\xbb\xbf" + BODY), Content_Encoding="gzip")),
]  # fmt: skip


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("answer", SOUND)
def test_compressed_answers_are_read(answer: bytes, transport: str) -> None:
    """A server or proxy that compresses, asked or not."""
    assert sample(answer, transport=transport).text == TEXT


UNSOUND = [
    case("gzip-cut", http(PACKED[:-20], Content_Encoding="gzip")),
    case("gzip-cut-in-its-head", http(PACKED[:5], Content_Encoding="gzip")),
    case("gzip-without-its-checksum", http(PACKED[:-8], Content_Encoding="gzip")),
    case("gzip-with-a-wrong-checksum", http(PACKED[:-8] + b"\0" * 8, Content_Encoding="gzip")),
    case("gzip-flipped", http(PACKED[:30] + bytes([PACKED[30] ^ 255]) + PACKED[31:], Content_Encoding="gzip")),
    case("gzip-and-garbage-behind", http(PACKED + b"garbage", Content_Encoding="gzip")),
    case("not-gzip-at-all", http(b"\x00\x01\x02" * 30, Content_Encoding="gzip")),
    case("called-gzip-but-plain", http(BODY, Content_Encoding="gzip")),
    case("gzip-of-nothing", http(b"", Content_Encoding="gzip")),
    case("gzip-not-announced", http(PACKED)),
    case("brotli", http(b"\x1b\x10\x00\x00$\x81\xe2\x99\x12\x12", Content_Encoding="br")),
    case("zstd", http(b"\x28\xb5\x2f\xfd\x04\x00\x09\x00\x00abc", Content_Encoding="zstd")),
    case("compress", http(b"\x1f\x9d\x90abc", Content_Encoding="compress")),
    case("an-unknown-encoding", http(BODY, Content_Encoding="rot13")),
    case("deflate-garbage", http(b"\x78\x9c" + b"\xff" * 40, Content_Encoding="deflate")),
    case("a-hundred-encodings", http(BODY, Content_Encoding=", ".join(["gzip"] * 100))),
]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("answer", UNSOUND)
def test_unsound_compression_is_told(answer: bytes, transport: str) -> None:
    """Damaged or unknown compression: an error that names it, or the text where it can be read all the same."""
    entry = ask(answer, transport=transport)
    if isinstance(entry, Sample):
        assert entry.text == TEXT
        return
    assert isinstance(entry, CallError)
    words = ("encoding", "compress", "gzip", "deflate", "decode", "br", "zstd", "inflat", "empty")
    assert any(word in str(entry).lower() for word in words), entry


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        case("429", "429 Too Many Requests", "rate_limit", "slow down"),
        case("400", "400 Bad Request", "bad_request", "slow down"),
        case("503", "503 Service Unavailable", "server", "slow down"),
    ],
)
def test_compressed_errors_are_read(status: str, kind: str, words: str, transport: str) -> None:
    """The server's sentence is there where the body of an error was compressed."""
    body = gzip.compress(json.dumps({"error": {"message": "slow down"}}).encode())
    error = failure(http(body, status, Content_Encoding="gzip"), transport=transport)
    assert words in str(error)
    assert kind in (error.kind, "server")


def test_what_is_asked_for_is_what_can_be_read() -> None:
    """An encoding that this Python cannot undo is not in Accept-Encoding."""
    with Hostile(http(completion())) as server:
        call(server.url)
    offered = server.asked[0].headers.get("accept-encoding", "")
    assert "br" not in offered
    assert "zstd" not in offered


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads the kernel's table of connections")
def test_connections_are_kept_alive() -> None:
    """openai/openai-python#3269: behind a NAT that forgets silent connections, an answer that takes long is not lost."""
    timers: list[str] = []

    def answer(asked: Asked) -> bytes:
        time.sleep(0.1)  # until the request is acknowledged, its own timer is the one that runs
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        timers.extend(row[5].split(":")[0] for row in rows if row[2].endswith(f":{server.port:04X}") and row[3] == "01")
        return http(completion())

    with Hostile(answer) as server:
        call(server.url)
    assert timers == ["02"]  # the timer of SO_KEEPALIVE


NO_CODINGS = ["utf-8", "UTF-8", "utf8", "none", "None", "binary", "8bit", "7bit", "aws-chunked", "identity", "Identity", "identity;q=1",
              "text", "json", "application/json", "plain", "raw", "null", "chunked", "utf-8, identity", "none, none", "iso-8859-1"]  # fmt: skip


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("encoding", NO_CODINGS)
def test_what_is_no_coding_hides_no_answer(encoding: str, transport: str) -> None:
    """Content-Encoding is set amiss by many servers; the body is plain all the same."""
    assert sample(http(completion(), Content_Encoding=encoding), transport=transport).text == TEXT


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("encoding", ["utf-8", "none", "aws-chunked"])
def test_what_is_no_coding_hides_no_error_and_no_stream(encoding: str, transport: str) -> None:
    """The same of errors, of streams, and of what is packed inside."""
    assert "slow down" in str(
        failure(http({"error": {"message": "slow down"}}, "429 X", Content_Encoding=encoding), transport=transport)
    )
    chunk = {"choices": [{"index": 0, "delta": {"content": TEXT}, "finish_reason": "stop"}]}
    assert (
        sample(http(events(chunk), kind="text/event-stream", Content_Encoding=encoding), transport=transport).text
        == TEXT
    )
    assert sample(http(PACKED, Content_Encoding=f"{encoding}, gzip"), transport=transport).text == TEXT


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "rot13"])
def test_what_is_packed_is_told(encoding: str) -> None:
    """A coding that cannot be undone, over bytes that are no text."""
    assert encoding in str(failure(http(b"\x1b\x10\x00\x00$\x81", Content_Encoding=encoding)))
