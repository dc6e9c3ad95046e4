"""What 64 hostile answers in flight cost the process that asked: memory, and how long its event loop is held up.

    python benchmarks/hostile_answers.py --json

A server in a process of its own answers each call with something without measure: a gzip bomb of a gigabyte, a body
without end, one of a gigabyte, JSON nested 100,000 levels deep; and, in `--more`, with what is hard to read rather than
long: chunks of a byte, millions of empty lists, events without end, bodies as long as they may be, errors made of
those. The client is `OpenAI` with each of its transports, in a fresh process, after a call that is answered well. For
each transport:

TRANSPORT_grown_mb       peak resident memory above that before the calls, MB (bar: 300)
TRANSPORT_tick_cpu_ms    most CPU time of the loop's thread between two rounds of a task that waits 1 ms (bar: 100)
TRANSPORT_tick_wall_ms   the same by the clock, which another thread or process can hold up
TRANSPORT_seconds        until all 64 had ended

Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress

IN_FLIGHT = 64
MIB = 2**20
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GOOD = json.dumps({"choices": [{"index": 0, "message": {"content": "4"}, "finish_reason": "stop"}]}).encode()
EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": null}]}\n\n'

CLIENT = """
import asyncio, json, pathlib, sys, time
from searchkit import Params, Prompt, Sample
from searchkit.calls import Request
from searchkit.generators import OpenAI

def peak():
    # Not ru_maxrss, in which a process begins with the peak of the one that started it.
    return int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

async def ticks(found):
    cpu, wall = time.thread_time(), time.monotonic()
    while True:
        await asyncio.sleep(0.001)
        now, clock = time.thread_time(), time.monotonic()
        found["cpu"], found["wall"] = max(found["cpu"], now - cpu), max(found["wall"], clock - wall)
        cpu, wall = now, clock

async def main(url, transport, many):
    backend = OpenAI(url, "m", transport=transport, timeout=20.0)
    [warm] = await backend.complete([Request(Prompt.of("warm up"), Params(max_tokens=16), 0)])
    assert isinstance(warm, Sample), warm
    idle, found, began = peak(), {"cpu": 0.0, "wall": 0.0}, time.monotonic()
    watch = asyncio.create_task(ticks(found))
    entries = await backend.complete([Request(Prompt.of(f"q{i}"), Params(max_tokens=16), i) for i in range(many)])
    seconds = time.monotonic() - began
    watch.cancel()
    grown = (peak() - idle) / 1024
    print(json.dumps({"grown_mb": grown, "tick_cpu_ms": 1000 * found["cpu"], "tick_wall_ms": 1000 * found["wall"],
                      "seconds": seconds}))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def bomb() -> bytes:
    """A gigabyte of blanks, packed."""
    squeezer = zlib.compressobj(9, wbits=31)
    return b"".join(squeezer.compress(b" " * MIB) for _ in range(1024)) + squeezer.flush()


def whole(body: bytes, more: bytes = b"") -> list[bytes]:
    return [JSON + more + b"Content-Length: %d\r\n\r\n" % len(body), body]


def refused(body: bytes) -> list[bytes]:
    return [head.replace(b"200 OK", b"400 Bad Request") for head in whole(body)[:1]] + [body]


def endless(head: bytes, piece: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: itertools.chain([head], itertools.repeat(piece))


def answers() -> list[Callable[[], Iterable[bytes]]]:
    """The four of the bar, then those that are hard to read."""
    packed, deep = whole(bomb(), b"Content-Encoding: gzip\r\n"), whole(b"[" * 100_000)
    lists = whole(b'{"x": [' + b",".join([b"[]"] * 1_390_000) + b"]}")
    longest = whole(GOOD[:-1] + b', "x": "' + b"x" * (4 * MIB - 200) + b'"}')
    snow = whole(GOOD[:-1] + b', "x": "' + "☃".encode() * 1_390_000 + b'"}')
    chunked = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    return [
        lambda: packed,
        endless(JSON + b"\r\n", b"x" * MIB),
        endless(JSON + b"Content-Length: 1073741824\r\n\r\n", b"x" * MIB),
        lambda: deep,
        endless(chunked, b"1\r\nx\r\n" * 10_000),
        lambda: lists,
        lambda: longest,
        endless(JSON.replace(b"application/json", b"text/event-stream") + b"\r\n", EVENT * 10_000),
        lambda: snow,
        endless(chunked, b"20\r\n" + b"x" * 32 + b"\r\n"),
        lambda: whole(GOOD[:-1] + b', "x": ' + b"9" * (4 * MIB - 200) + b"}"),
        endless(JSON, b"X: y\r\n" * 10_000),
        lambda: refused(b'{"error": [' + b"[]," * 20_000 + b"[]]}"),
        lambda: refused(b'{"error": [' + b"[]," * 1_390_000 + b"[]]}"),
        lambda: refused(json.dumps({"error": {"message": "no " * 20_000}}).encode()),
        lambda: whole(b'{"error": [' + b"[]," * 20_000 + b"[]]}"),
    ]


def serve(listening: socket.socket, known: list[Callable[[], Iterable[bytes]]]) -> None:
    """Answer the question ``qN`` with the Nth of `known`."""

    def one(connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection:
            asked = b""
            while b'"q' not in asked and b"warm up" not in asked:
                asked += connection.recv(65536)
            if b"warm up" in asked:
                return connection.sendall(b"".join(whole(GOOD, b"Connection: close\r\n")))
            number = int(asked.partition(b'"q')[2].partition(b'"')[0])
            for piece in known[number % len(known)]():
                connection.sendall(piece)

    while True:
        connection, _ = listening.accept()
        threading.Thread(target=one, args=(connection,), daemon=True).start()


def measure(kinds: int) -> dict[str, float]:
    found, known = dict[str, float](), answers()[:kinds]  # the bomb takes a while to pack
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        server = multiprocessing.get_context("fork").Process(target=serve, args=(listening, known), daemon=True)
        server.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        for transport in ("direct", "official"):
            found |= {f"{transport}_{name}": value for name, value in asked(url, transport).items()}
        server.kill()
    return found


def asked(url: str, transport: str) -> dict[str, float]:
    command = [sys.executable, "-c", CLIENT, url, transport, str(IN_FLIGHT)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--more", action="store_true", help="also what is hard to read rather than long")
    options = parser.parse_args()
    figures = measure(16 if options.more else 4)
    if options.json:
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    else:
        print("\n".join(f"{name:<28} {value:10.3f}" for name, value in figures.items()))
