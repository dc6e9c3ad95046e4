"""What spawning costs in time: a parent, its children side by side, the parent again.

    python benchmarks/spawn.py --json

spawn_10_wall_ratio        wall time of a whole run with a 10-child spawn over one with one child, backend of 100 ms
spawn_10_wall_s            the former, in seconds; 0.3 is the least, three calls that wait for one another
programmatic_wall_ratio    the same by `run.spawn` and `run.join`
map_overhead_us            10,000 items of `run.map` that do nothing
spawn_overhead_us          10,000 threads of `run.spawn` that do nothing, all joined
spawn_join_overhead_us     per child: a parent that spawns 1,000 children, backend that answers at once

Figures are medians of repeats.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit import Model, Params, Prompt, Sample, Strategy, solve
from searchkit.calls import Request
from searchkit.protocols import Run
from searchkit.strategies import SpawnJoin
from searchkit.strategies.spawn_join.protocols import TagProtocol
from searchkit.types import Usage

LATENCY = 0.1


@dataclass(frozen=True)
class Spawner:
    """A model that spawns `n` children and, once they have been joined, answers; children answer at once."""

    n: int
    latency: float = LATENCY
    name: str = "spawner"

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        if self.latency:
            await asyncio.sleep(self.latency)
        return [Sample(self._said(request), usage=Usage(model_calls=1, generated_tokens=1)) for request in requests]

    def _said(self, request: Request) -> str:
        if request.prompt.text.startswith("task") or "</join>" in request.prompt.prefix:
            return "done"
        return "<spawn>" + "".join(f"<task>task {i}</task>" for i in range(self.n)) + "</spawn>"


@dataclass(frozen=True)
class ByHand(Strategy):
    """The same three steps written in Python."""

    n: int

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        async def work(task: str, child: Run) -> Sample[Any]:
            [sample] = await child.sample(None, Prompt.of(task), partial=True)
            return sample

        await run.sample(None, prompt, partial=True)
        handles = [await run.spawn(work, f"task {i}") for i in range(self.n)]
        await run.join(*handles)
        [answer] = await run.sample(None, prompt)
        return answer


@dataclass(frozen=True)
class Idle(Strategy):
    """`n` concurrent items that do nothing."""

    n: int
    by: str

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        async def nothing(item: int, child: Run) -> int:
            return item

        if self.by == "map":
            await run.map(nothing, range(self.n))
        else:
            await run.join(*[await run.spawn(nothing, i) for i in range(self.n)])
        return Sample("done")


async def seconds(call: Callable[[], Awaitable[Any]], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


async def spawned(strategy: Strategy, n: int, repeats: int, latency: float = LATENCY) -> float:
    model = Model(Spawner(n, latency), Params(max_tokens=64))
    calls = (await solve("q", strategy, generator=model)).usage.model_calls
    assert calls == n + 2, f"{calls} calls for {n} children"  # a bound that refuses some would flatter the figures
    return await seconds(lambda: solve("q", strategy, generator=model), repeats)


async def measure(quick: bool) -> dict[str, float]:
    repeats, items, children = (3, 2_000, 200) if quick else (9, 10_000, 1_000)
    strategy = SpawnJoin(TagProtocol(), children=children, threads=children)
    one, ten = [await spawned(strategy, n, repeats) for n in (1, 10)]
    one_by_hand, ten_by_hand = [await spawned(ByHand(n), n, repeats) for n in (1, 10)]
    mapped, started = [await seconds(lambda by=by: solve("q", Idle(items, by)), 3) for by in ("map", "spawn")]  # type: ignore[misc]
    return {
        "spawn_10_wall_ratio": ten / one,
        "spawn_10_wall_s": ten,
        "programmatic_wall_ratio": ten_by_hand / one_by_hand,
        "map_overhead_us": 1e6 * mapped / items,
        "spawn_overhead_us": 1e6 * started / items,
        "spawn_join_overhead_us": 1e6 * await spawned(strategy, children, 3, latency=0.0) / children,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.quick))
    if options.json:
        print(json.dumps({name: round(figure, 4) for name, figure in figures.items()}))
    else:
        print("\n".join(f"{name:<26} {figure:10.3f}" for name, figure in figures.items()))
