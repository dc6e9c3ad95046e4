"""What the server adds to a search: the same best-of-8 in process and over HTTP, 64 clients, alternating.

    python benchmarks/serve.py [--json] [--rounds 5] [--requests 640] [--memory 10000]

Four figures, each with its bar: the median latency that a request adds where the model takes a while (at most 2 ms) and
the CPU of the server over that of the searches alone (at most 1.5 times); requests a second where the model takes no
time (at least 0.8 of in process); resident memory after so many requests over that after a tenth of them (at most 1.1);
and when a stream first tells of progress, over when the model first answers (at most 1.2). The model is simulated;
server, searches and clients are processes of their own. Linux: CPU and memory are read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from searchkit import Model, start
from searchkit.generators import Simulated
from searchkit.serving.server import SearchServer, Served, serve
from searchkit.strategies import BestOfN
from searchkit.verifiers import Predicate

CLIENTS = 64
LATENCY = 0.3
PROMPT = "Is it so?"
BEST = BestOfN(8, Predicate(lambda text: text == "yes"))
ASK = {"model": "m@best", "messages": [{"role": "user", "content": PROMPT}]}


def model(latency: float, jitter: float = 0.0) -> Model:
    return Model(Simulated({"yes": 0.5, "no": 0.5}, latency=latency, jitter=jitter))


# ---------------------------------------------------------------- in process


def searched(latency: float, requests: int, answers: Any) -> None:
    """Sends back the latencies of so many searches, the seconds that all took, and their CPU."""

    async def main() -> list[float]:
        source, left, took = model(latency), iter(range(requests)), list[float]()

        async def worker() -> None:
            for seed in left:
                began = time.perf_counter()
                await start(PROMPT, BEST, generator=source, seed=seed)
                took.append(time.perf_counter() - began)

        await asyncio.gather(*(worker() for _ in range(CLIENTS)))
        return took

    began, cpu = time.perf_counter(), time.process_time()
    took = asyncio.run(main())
    answers.send((took, time.perf_counter() - began, time.process_time() - cpu))


def in_process(latency: float, requests: int) -> tuple[list[float], float, float]:
    """What `searched` says, of a process of its own that did some before."""
    mine, theirs = SPAWN.Pipe()
    for count in (requests,):
        process = SPAWN.Process(target=_warmed, args=(latency, count, theirs))
        process.start()
        found: tuple[list[float], float, float] = mine.recv()
        process.join()
    return found


def _warmed(latency: float, requests: int, answers: Any) -> None:
    class Nobody:
        def send(self, _: Any) -> None: ...

    searched(0.0, CLIENTS, Nobody())
    searched(latency, requests, answers)


# ---------------------------------------------------------------- over HTTP


def _serve(latency: float, jitter: float, urls: Any) -> None:
    serve(SearchServer({"m": Served(model(latency, jitter), {"best": BEST})}), port=0, grace=1, ready=urls.send)


@contextmanager
def serving(latency: float, jitter: float = 0.0) -> Iterator[tuple[str, int]]:
    """A server of its own: URL and process id."""
    mine, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve, args=(latency, jitter, theirs))
    process.start()
    try:
        yield mine.recv(), process.pid or 0
    finally:
        process.terminate()
        process.join()


async def asked(url: str, requests: int) -> tuple[list[float], float]:
    """The latencies of so many requests on 64 connections that stay open, and the seconds that all took."""
    left, took = iter(range(requests)), list[float]()

    async def client() -> None:
        reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        for seed in left:
            began = time.perf_counter()
            writer.write(posted(url, {**ASK, "seed": seed}))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200"), head
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            took.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return took, time.perf_counter() - began


def posted(url: str, body: Any) -> bytes:
    """A request as it is sent."""
    raw = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\ncontent-length: {len(raw)}\r\n\r\n"
    return head.encode() + raw


def over_http(latency: float, requests: int) -> tuple[list[float], float, float]:
    """As `in_process`; the CPU is the server's."""
    with serving(latency) as (url, pid):
        asyncio.run(asked(url, CLIENTS))
        before = cpu_of(pid)
        took, seconds = asyncio.run(asked(url, requests))
        return took, seconds, cpu_of(pid) - before


def cpu_of(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """Bytes that are resident."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


# ---------------------------------------------------------------- figures


def overhead(rounds: int, requests: int) -> dict[str, Any]:
    """Paired: what else the machine does meets both alike."""
    pairs = [(in_process(LATENCY, requests), over_http(LATENCY, requests)) for _ in range(rounds)]
    added = [statistics.median(served[0]) - statistics.median(alone[0]) for alone, served in pairs]
    cpu = [served[2] / alone[2] for alone, served in pairs]
    return {
        "added_ms": round(1000 * statistics.median(added), 3),
        "added_ms_of_rounds": [round(1000 * x, 2) for x in added],
        "cpu_ratio": round(statistics.median(cpu), 3),
        "cpu_ms_a_request": round(1000 * statistics.median(served[2] for _, served in pairs) / requests, 3),
    }


def rates(rounds: int, requests: int) -> dict[str, Any]:
    """Requests a second where the model takes no time."""
    pairs = [(requests / in_process(0.0, requests)[1], requests / over_http(0.0, requests)[1]) for _ in range(rounds)]
    return {
        "requests_a_second": round(statistics.median(served for _, served in pairs), 1),
        "in_process": round(statistics.median(alone for alone, _ in pairs), 1),
        "rate_ratio": round(statistics.median(served / alone for alone, served in pairs), 3),
    }


def memory(requests: int) -> dict[str, Any]:
    """Resident memory after a tenth of the requests, and after all."""
    with serving(0.0) as (url, pid):
        asyncio.run(asked(url, requests // 10))
        early = memory_of(pid)
        asyncio.run(asked(url, requests - requests // 10))
        late = memory_of(pid)
    return {"memory_mb": [round(early / 1e6, 1), round(late / 1e6, 1)], "memory_ratio": round(late / early, 3)}


def progress(times: int) -> dict[str, Any]:
    """When a stream first says that an answer was found, over when the model gives its first, of calls that differ."""
    fastest = LATENCY * 0.5

    async def one(url: str, seed: int) -> tuple[float, float]:
        reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        began = time.perf_counter()
        body = {**ASK, "seed": seed, "stream": True, "search": {"progress": "reasoning"}}
        writer.write(posted(url, body))
        await reader.readuntil(b"reasoning_content")
        told = time.perf_counter() - began
        await reader.readuntil(b"[DONE]")
        whole = time.perf_counter() - began
        writer.close()
        await writer.wait_closed()
        return told, whole

    async def first(seed: int) -> float:
        began = time.perf_counter()
        searching = start(PROMPT, BEST, generator=model(LATENCY, 0.5), seed=seed)
        try:
            async for event in searching:
                if type(event).__name__ == "Answered":
                    return time.perf_counter() - began
            return fastest
        finally:
            searching.stop()
            await asyncio.wait([searching._task])

    async def main(url: str) -> list[float]:
        await one(url, 0)
        return [(await one(url, seed))[0] / await first(seed) for seed in range(1, times + 1)]

    with serving(LATENCY, 0.5) as (url, _):
        ratios = asyncio.run(main(url))
    return {"first_progress_ratio": round(statistics.median(ratios), 3)}


SPAWN = multiprocessing.get_context("spawn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=640)
    parser.add_argument("--memory", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {
        **overhead(options.rounds, options.requests), **rates(options.rounds, options.requests),
        **memory(options.memory), **progress(10), "load": os.getloadavg()[0],
    }  # fmt: skip
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
