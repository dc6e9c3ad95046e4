"""What the engine itself costs: scheduling, HTTP, bookkeeping, the journal, the import.

    python benchmarks/engine.py --json

scheduler_ratio               best-of-64 over an in-process backend of 100 ms, wall time over one call
best_of_64_over_client        best-of-64 over loopback HTTP, our wall time over a bare gather of the official client
best_of_64_wall_ratio         the same wall time of ours over one call
client_wall_ratio             the bare gather over one call, for comparison
http_calls_per_s              calls of no latency, 64 in flight
overhead_us_per_sample        10,000 samples of a backend that answers at once, drawn and scored, no journal
journaled_overhead_us_per_sample   the same with a journal on disk
sample_cpu_us                 CPU of a sample of best-of-2,000, drawn and scored; with _budget under ceilings that do
                              not bind, with _journal with a journal on disk (its writer's thread included)
map_item_cpu_us               CPU of an item of `run.map` that does nothing, of 2,000
http_cpu_us                   our CPU of a call over loopback HTTP, best-of-64 of no latency, server not included
coalesced_prompt_ratio        prompt tokens billed for best-of-16 over loopback HTTP, by `Coalescing` over single calls
coalesced_cpu_ratio           CPU of the same, server not included
coalesced_wall_ratio          wall time of the same, of a server of 100 ms
import_ms                     `import searchkit` in a fresh interpreter

Figures are medians of repeats on warm connections. The server runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from searchkit import Budget, Model, Params, Prompt, Sample, Strategy, solve
from searchkit.generators import Coalescing, OpenAI, Simulated
from searchkit.protocols import Run
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import Predicate

LATENCY, N = 0.1, 64
ROOMY = Budget(generations=10**6, verifications=10**6, generated_tokens=10**8)


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


async def coalesced(repeats: int, url: str) -> dict[str, float]:
    """Both ways by turns: 16 samples of one prompt as 16 calls, and merged."""
    strategy, backend = BestOfN(16, Predicate(nothing)), OpenAI(url, "test-model")
    ways = [Model(made, Params(max_tokens=16)) for made in (backend, Coalescing(backend))]
    found: list[list[tuple[float, float, float]]] = [[], []]
    for repeat in range(repeats + 1):  # the first connects and probes
        for model, figures in zip(ways, found, strict=True):
            began, busy = time.perf_counter(), time.process_time()
            result = await solve("q " * 200, strategy, generator=model, seed=repeat)
            taken = time.process_time() - busy, time.perf_counter() - began
            assert len(result.candidates) == 16, result.errors
            figures += [(float(result.usage.prompt_tokens), *taken)] if repeat else []
    names = ("coalesced_prompt_ratio", "coalesced_cpu_ratio", "coalesced_wall_ratio")
    ratios = [[m / s for s, m in zip(*pair, strict=True)] for pair in zip(*found, strict=True)]
    return {name: statistics.median(column) for name, column in zip(names, zip(*ratios, strict=True), strict=True)}


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


def cpu_us(search: Callable[..., int], repeats: int, *, journal: bool = False) -> float:
    """Microseconds of this process's CPU for each of what `search` says it came to."""
    sampled(10)  # what is imported and cached once
    seconds, made = 0.0, 0
    for _ in range(max(1, repeats)):
        with tempfile.TemporaryDirectory() as folder:
            options = {"journal": Path(folder) / "run.db"} if journal else {}
            gc.collect()
            began = time.process_time()
            made += search(**options)
            seconds += time.process_time() - began
    return 1e6 * seconds / made


def sampled(n: int, **options: Any) -> int:
    model = Model(Simulated.coin(0.5), Params(max_tokens=16))
    return len(asyncio.run(solve("q", BestOfN(n, Predicate(nothing)), generator=model, **options)).candidates)


def mapped(n: int) -> int:
    async def idle(item: int, run: Run) -> int:
        return item

    @dataclass(frozen=True)
    class Map(Strategy):
        async def search(self, prompt: Prompt, run: Run) -> Sample[str]:
            return Sample(str(len(await run.map(idle, range(n)))))

    return int(asyncio.run(solve("q", Map())).answer)


def over_http() -> float:
    async def calls(url: str, times: int) -> float:
        model = Model(OpenAI(url, "test-model"), Params(max_tokens=16))
        strategy = BestOfN(N, Predicate(nothing))
        await solve("q", strategy, generator=model)  # warm connections
        began = time.process_time()
        for _ in range(times):
            await solve("q", strategy, generator=model)
        return 1e6 * (time.process_time() - began) / (times * N)

    with Served(0.0) as url:
        return asyncio.run(calls(url, 8))


def costs() -> dict[str, Callable[[], float]]:
    """What a sample, an item and a call cost, by name."""
    return {
        "sample_cpu_us": partial(cpu_us, partial(sampled, 2000), 4),
        "sample_budget_cpu_us": partial(cpu_us, partial(sampled, 2000, budget=ROOMY), 4),
        "sample_journal_cpu_us": partial(cpu_us, partial(sampled, 2000), 4, journal=True),
        "map_item_cpu_us": partial(cpu_us, partial(mapped, 2000), 8),
        "http_cpu_us": over_http,
    }


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
        figures |= asyncio.run(coalesced(repeats, url))
    with Served(0.0) as url:
        figures["http_calls_per_s"] = asyncio.run(calls_per_second(url, 500 if quick else 3000))
    figures["overhead_us_per_sample"] = asyncio.run(overhead(samples, 3, journal=False))
    figures["journaled_overhead_us_per_sample"] = asyncio.run(overhead(samples, 3, journal=True))
    return figures | {"import_ms": import_ms(repeats)}


def printed(
    doc: str | None, measure: Callable[[bool], dict[str, float]], costs: dict[str, Callable[[], float]]
) -> None:
    """The command line of this script and of `tree.py`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--cpu", nargs="?", const="", metavar="PART", help="CPU and bytes alone; whose names have PART")
    options = parser.parse_args()
    figures = measure(options.quick) if options.cpu is None else {}
    figures |= {name: cost() for name, cost in costs.items() if (options.cpu or "") in name}
    if options.json:
        print(json.dumps({name: round(figure, 4) for name, figure in figures.items()}))
    else:
        print("\n".join(f"{name:<36} {figure:10.3f}" for name, figure in figures.items()))


if __name__ == "__main__":
    printed(__doc__, measure, costs())
