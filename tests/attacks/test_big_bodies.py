"""Bodies without end or measure: bounded in memory, each and all together; and no import holds up the loop.

The servers run in this process, the client in one of its own, which tells by how much its memory grew.
"""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import functools
import json
import subprocess
import sys
import zlib
from collections.abc import Iterator

import pytest

from tests.attacks.hostile import Answer, Asked, Hostile, case, completion, http

pytestmark = pytest.mark.slow

CLIENT = """
import asyncio, json, resource, sys
from searchkit import Params, Prompt
from searchkit.calls import Request
from searchkit.generators import OpenAI
from searchkit.types import ConfidenceFloor

async def main(url, transport, many, stream):
    params = Params(max_tokens=16, logprobs=1, floor=ConfidenceFloor(4, 0.01)) if stream else Params(max_tokens=16)
    backend = OpenAI(url, "m", transport=transport, timeout=15.0)
    await backend.complete([Request(Prompt.of("warm up"), params, 0)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    entries = await backend.complete([Request(Prompt.of(f"q{i}"), params, i) for i in range(many)])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    kinds = sorted({getattr(e, "kind", "sample") for e in entries})
    print(json.dumps({"grown": grown / 1024, "kinds": kinds, "said": str(entries[0])[:500]}))

resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "stream"))
"""


@functools.cache
def bomb(megabytes: int, times: int = 1) -> bytes:
    """Blanks, compressed with gzip so often."""
    squeezer = zlib.compressobj(9, wbits=31)
    packed = b"".join(squeezer.compress(b" " * (1 << 20)) for _ in range(megabytes)) + squeezer.flush()
    for _ in range(times - 1):
        packed = zlib.compress(packed, 9, wbits=31)
    return packed


def endless(head: bytes, piece: bytes) -> Answer:
    def answer(asked: Asked) -> Iterator[bytes]:
        yield head
        while True:
            yield piece

    return answer


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
CHUNK = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": null}]}\n\n'
MIB = b"x" * (1 << 20)
# What is sent, and whether a stream was asked for.
BODIES = [
    case("gzip-bomb", lambda asked: http(bomb(1024), Content_Encoding="gzip"), ""),
    case("gzip-bomb-in-gzip", lambda asked: http(bomb(1024, 2), Content_Encoding="gzip, gzip"), ""),
    case("gzip-bomb-in-an-error", lambda asked: http(bomb(1024), "429 Slow", Content_Encoding="gzip"), ""),
    case("gzip-bomb-for-a-stream", lambda asked: http(bomb(1024), kind="text/event-stream", Content_Encoding="gzip"), "stream"),
    case("a-gigabyte", endless(OK + b"Content-Length: 1073741824\r\n\r\n", MIB), ""),
    case("a-gigabyte-in-an-error", endless(b"HTTP/1.1 500 Oops\r\nContent-Length: 1073741824\r\n\r\n", MIB), ""),
    case("an-exabyte-promised", endless(OK + b"Content-Length: 1000000000000000000\r\n\r\n", MIB), ""),
    case("endless-until-the-end", endless(OK + b"\r\n", MIB), ""),
    case("endless-chunks", endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + MIB + b"\r\n"), ""),
    case("one-endless-chunk", endless(OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", MIB), ""),
    case("an-endless-chunk-size", endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65536), ""),
    case("an-endless-chunk-extension", endless(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", MIB), ""),
    case("endless-trailers", endless(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 10_000), ""),
    case("endless-headers", endless(OK, b"X: y\r\n" * 10_000), ""),
    case("an-endless-header", endless(OK + b"X: ", MIB), ""),
    case("an-endless-status-line", endless(b"HTTP/1.1 200 ", MIB), ""),
    case("endless-interim-answers", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), ""),
    case("endless-events", endless(EVENTS, CHUNK * 1000), "stream"),
    case("an-endless-event", endless(EVENTS + b"data: ", MIB), "stream"),
    case("endless-comments", endless(EVENTS, b": keep-alive\n\n" * 1000), "stream"),
    case("endless-json-for-a-stream", endless(OK + b"\r\n", MIB), "stream"),
    case("a-long-text", lambda asked: http(completion("x" * 30_000_000)), ""),
]  # fmt: skip


def grown(answer: Answer, transport: str, many: int, stream: str) -> dict[str, object]:
    """What the client tells: MiB grown, kinds of the entries, the first in words."""

    def warm(asked: Asked) -> bytes | Iterator[bytes]:
        return http(completion()) if b"warm up" in asked.content else answer(asked)  # type: ignore[return-value]

    with Hostile(warm) as server:
        command = [sys.executable, "-c", CLIENT, server.url, transport, str(many), stream]
        out = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert out.returncode == 0, out.stderr[-2000:]
    found: dict[str, object] = json.loads(out.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("transport", ["direct", "official"])
@pytest.mark.parametrize(("answer", "stream"), BODIES)
def test_one_body_is_bounded(answer: Answer, stream: str, transport: str) -> None:
    """One call: an error (the long text may be an answer), and less than 300 MB more."""
    found = grown(answer, transport, 1, stream)
    assert found["kinds"] != ["sample"] or answer is BODIES[-1].values[0] or stream, found
    assert float(str(found["grown"])) < 300, found


HUGE = "[" * 100_000
MIXED = [BODIES[0].values[0], BODIES[4].values[0], BODIES[7].values[0], lambda asked: http(HUGE)]


def test_64_bodies_together_are_bounded() -> None:
    """A bomb, a gigabyte, one without end and a deep one, sixteen times each, in flight at once: under 300 MB more."""

    def answer(asked: Asked) -> bytes | Iterator[bytes]:
        number = int(asked.body["messages"][-1]["content"][1:])
        return MIXED[number % 4](asked)  # type: ignore[no-any-return]

    found = grown(answer, "direct", 64, "")
    assert "sample" not in str(found["kinds"])
    assert float(str(found["grown"])) < 300, found


IMPORTS = """
import asyncio, sys

class Watch:
    inside = []
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("openai", "httpx", "httpx2") and asyncio._get_running_loop() is not None:
            self.inside.append(name)

sys.meta_path.insert(0, Watch())
from searchkit import Params, Prompt
from searchkit.calls import Request
from searchkit.generators import OpenAI
backend = OpenAI(sys.argv[1], "m", transport=sys.argv[2])
asyncio.run(backend.complete([Request(Prompt.of("q"), Params(max_tokens=4), 1)]))
print(len(Watch.inside), Watch.inside[:3])
"""


@pytest.mark.parametrize("transport", ["direct", "official"])
def test_the_official_client_is_not_imported_inside_the_loop(transport: str) -> None:
    """It takes two seconds, in which no other call would go on."""
    with Hostile(http(completion())) as server:
        command = [sys.executable, "-c", IMPORTS, server.url, transport]
        out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout.startswith("0 "), out.stdout
