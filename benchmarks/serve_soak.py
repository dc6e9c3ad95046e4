"""A server at twice its capacity, with faults of the model and clients that leave: is anything lost, or counted wrong?

    python benchmarks/serve_soak.py [--seconds 600] [--json]

32 searches may go on, 32 wait, and 128 clients ask best-of-4 as fast as they are answered; one in twenty calls of the
model fails, and three in ten clients hang up at some moment. In the end: every client that stayed had one answer or one
refusal with a reason; the calls that the model counted are those that the metrics say were consumed; nothing goes on;
descriptors and memory are as they were after a tenth of the time. Linux: both are read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from serve import BEST, SPAWN, memory_of, posted

from searchkit import CallError, Model, Params, Sample
from searchkit.calls import Request
from searchkit.generators import Simulated
from searchkit.serving.server import SearchServer, Served, serve
from searchkit.strategies import BestOfN

CLIENTS, RUNNING = 128, 32
FEW = BestOfN(4, BEST.verifier)


@dataclass
class Counted:
    """A simulated model that counts the calls that reach it."""

    backend: Simulated = field(
        default_factory=lambda: Simulated({"yes": 0.5, "no": 0.5}, latency=0.2, jitter=0.9, failures=0.05)
    )
    name: str = "counted"
    calls: int = 0

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        self.calls += len(requests)
        return await self.backend.complete(requests)


def _serve(pipe: Any) -> None:
    import warnings

    warnings.simplefilter("ignore")
    counted = Counted()
    served = Served(Model(counted, Params(max_tokens=50)), {"best": FEW})
    serve(SearchServer({"m": served}, concurrency=RUNNING, queue=RUNNING), port=0, grace=5, ready=pipe.send)
    pipe.send(counted.calls)


async def client(url: str, until: float, seen: Counter[str], rng: random.Random) -> None:
    """Asks until the time is over; each request is counted once, by what became of it."""
    while time.monotonic() < until:
        reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        try:
            writer.write(posted(url, {"model": "m@best", "messages": [{"role": "user", "content": "Is it so?"}]}))
            try:
                async with asyncio.timeout(rng.uniform(0, 0.4) if rng.random() < 0.3 else 60):
                    seen[told(await reader.readuntil(b"\r\n\r\n"), reader)] += 1
            except TimeoutError:
                seen["left"] += 1
            except (asyncio.IncompleteReadError, ConnectionError):
                seen["lost"] += 1
        finally:
            writer.close()
        if seen["busy"]:
            await asyncio.sleep(rng.uniform(0, 0.2))


def told(head: bytes, _: asyncio.StreamReader) -> str:
    status = int(head.split()[1])
    if status == 429:
        return "429 with a time" if b"retry-after" in head.lower() else "429 without"
    return str(status)


async def read(url: str, path: str) -> str:
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\nconnection: close\r\n\r\n".encode())
    said = (await reader.read()).decode()
    writer.close()
    return said


async def soak(url: str, pid: int, seconds: float) -> dict[str, Any]:
    seen, began = Counter[str](), time.monotonic()
    clients = [
        asyncio.create_task(client(url, began + seconds, seen, random.Random(number))) for number in range(CLIENTS)
    ]
    await asyncio.sleep(seconds / 10)
    early = memory_of(pid), len(os.listdir(f"/proc/{pid}/fd"))
    await asyncio.wait(clients)
    for _ in range(200):
        said = await read(url, "/metrics")
        if "searchkit_searches 0\n" in said:
            break
        await asyncio.sleep(0.05)
    late = memory_of(pid), len(os.listdir(f"/proc/{pid}/fd"))
    consumed = re.findall(r'consumed_total\{.*kind="model_calls"\} (\d+)', said)
    answered = re.findall(r'requests_total\{.*status="(\d+)"\} (\d+)', said)
    return {
        "seen": dict(seen), "served": {status: int(n) for status, n in answered},
        "consumed": sum(map(int, consumed)), "going": "searchkit_searches 0\n" not in said,
        "memory_ratio": round(late[0] / early[0], 3), "descriptors": [early[1], late[1]],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    mine, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve, args=(theirs,))
    process.start()
    found = asyncio.run(soak(mine.recv(), process.pid or 0, options.seconds))
    process.terminate()
    found["model_counted"] = mine.recv()
    process.join()
    print(json.dumps(found) if options.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
