"""What the engine itself costs: scheduling, HTTP, bookkeeping, the journal, the import.

    python benchmarks/engine.py --json

scheduler_ratio               best-of-64 over an in-process backend of 100 ms, wall time over one call
best_of_64_over_client        best-of-64 over loopback HTTP, our wall time over a bare gather of the official client
best_of_64_wall_ratio         the same wall time of ours over one call
client_wall_ratio             the bare gather over one call, for comparison
http_calls_per_s              calls of no latency, 64 in flight
overhead_us_per_sample        10,000 samples of a backend that answers at once, drawn and scored, no journal
journaled_overhead_us_per_sample   the same with a journal on disk
import_ms                     `import searchkit` in a fresh interpreter

Figures are medians of repeats on warm connections. The server runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from searchkit import Model, Params, solve
from searchkit.generators import OpenAI, Simulated
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import Predicate

LATENCY, N = 0.1, 64


def nothing(value: str) -> float:
    return 0.5


async def timed(call: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def median(call: Callable[[], Awaitable[Any]], repeats: int) -> float:
    return statistics.median([await timed(call) for _ in range(repeats)])


async def scheduler(repeats: int) -> float:
    model, strategy = Model(Simulated.coin(0.5, latency=LATENCY)), BestOfN(N, Predicate(nothing))
    one = await median(lambda: solve("q", model), repeats)
    return await median(lambda: solve("q", strategy, generator=model), repeats) / one


async def http(repeats: int, url: str) -> dict[str, float]:
    """Ours and the official client by turns, so that a slow moment of the machine meets both."""
    from openai import AsyncOpenAI

    client, model = AsyncOpenAI(base_url=url, api_key="none"), Model(OpenAI(url, "test-model"), Params(max_tokens=16))
    strategy = BestOfN(N, Predicate(nothing))
    messages: Any = [{"role": "user", "content": "q"}]

    async def bare() -> None:
        ask = client.chat.completions.create
        await asyncio.gather(
            *(ask(model="test-model", messages=messages, max_tokens=16, seed=i, temperature=1.0) for i in range(N))
        )

    async def ours() -> None:
        result = await solve("q", strategy, generator=model)
        assert len(result.candidates) == N, result.errors

    for warm in (bare, ours, bare, ours):
        await warm()
    one = await median(lambda: solve("q", model), repeats)
    walls: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(repeats):
        walls["bare"].append(await timed(bare))
        walls["ours"].append(await timed(ours))
    theirs, mine = (statistics.median(walls[name]) for name in ("bare", "ours"))
    await client.close()
    return {
        "best_of_64_over_client": mine / theirs,
        "best_of_64_wall_ratio": mine / one,
        "client_wall_ratio": theirs / one,
    }


async def calls_per_second(url: str, calls: int) -> float:
    model = Model(OpenAI(url, "test-model"), Params(max_tokens=16))
    strategy = BestOfN(calls, Predicate(nothing), window=N)
    await solve("q", SelfConsistency(N), generator=model)  # warm connections
    return calls / await timed(lambda: solve("q", strategy, generator=model))


async def overhead(samples: int, repeats: int, journal: bool) -> float:
    """Microseconds a sample: drawing, scoring, charging and tracing; the simulated answer itself is included."""
    model, strategy = Model(Simulated.coin(0.5)), BestOfN(samples, Predicate(nothing))
    walls = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.db" if journal else None
            walls.append(await timed(lambda path=path: solve("q", strategy, generator=model, journal=path)))
    return 1e6 * statistics.median(walls) / samples


def import_ms(repeats: int) -> float:
    code = "import time; t = time.perf_counter(); import searchkit; print(1e3 * (time.perf_counter() - t))"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(repeats)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def serve(latency: float, urls: Any, done: Any) -> None:
    from searchkit.testing.server import Server

    with Server(latency=latency) as server:
        urls.put(server.url)
        done.wait()


class Served:
    """The loopback server in a process of its own."""

    def __init__(self, latency: float) -> None:
        context = multiprocessing.get_context("spawn")
        self.urls, self.done = context.Queue(), context.Event()
        self.process = context.Process(target=serve, args=(latency, self.urls, self.done))

    def __enter__(self) -> str:
        self.process.start()
        return str(self.urls.get())

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.process.join()


def measure(quick: bool) -> dict[str, float]:
    repeats, samples = (3, 2000) if quick else (9, 10_000)
    figures = {"scheduler_ratio": asyncio.run(scheduler(repeats))}
    with Served(LATENCY) as url:
        figures |= asyncio.run(http(repeats, url))
    with Served(0.0) as url:
        figures["http_calls_per_s"] = asyncio.run(calls_per_second(url, 500 if quick else 3000))
    figures["overhead_us_per_sample"] = asyncio.run(overhead(samples, 3, journal=False))
    figures["journaled_overhead_us_per_sample"] = asyncio.run(overhead(samples, 3, journal=True))
    return figures | {"import_ms": import_ms(repeats)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    options = parser.parse_args()
    figures = measure(options.quick)
    if options.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
    else:
        print("\n".join(f"{name:<34} {value:10.3f}" for name, value in figures.items()))
