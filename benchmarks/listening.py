"""What it costs that a search tells what happens: nothing while nobody listens, and how much when somebody does.

    python benchmarks/listening.py --json
    python benchmarks/paired.py listening --old CHECKOUT --cpu

sample_cpu_us    CPU of a sample of best-of-64, drawn and scored, nobody listening
node_cpu_us      CPU of an iteration of MCTS in a world of drafts, nobody listening
search_cpu_us    CPU of a search that draws one sample, its task included
With --json also, of the same two searches with and without a listener, in turn in one process:
sample_listened_ratio, node_listened_ratio    a listener that keeps the last 100 events
sample_read_ratio, node_read_ratio            a reader, `async for event in search`

Figures are the least of many repeats, which is what the same instructions take when nothing else disturbs them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from searchkit import Model, Strategy, solve
from searchkit.generators import Simulated
from searchkit.strategies import MCTS, BestOfN
from searchkit.testing.law_worlds import Drafting, Marks
from searchkit.verifiers import Predicate

N, ITERATIONS, SEARCHES, REPEATS = 64, 40, 4, 12
MODEL = Model(Simulated({"a": 0.5, "b": 0.5}))


def nothing(value: str) -> float:
    return 0.5


def tree() -> Strategy:
    return MCTS(Marks(), environment=Drafting(), iterations=ITERATIONS)


WORK: dict[str, tuple[Callable[[], Strategy], int]] = {
    "sample_cpu_us": (lambda: BestOfN(N, Predicate(nothing)), N),
    "node_cpu_us": (tree, ITERATIONS),
    "search_cpu_us": (lambda: BestOfN(1, Predicate(nothing)), 1),
}
Way = Callable[[Strategy, int], Coroutine[Any, Any, object]]


async def alone(strategy: Strategy, seed: int) -> None:
    await solve("q", strategy, generator=MODEL, seed=seed)


async def listened(strategy: Strategy, seed: int) -> None:
    await solve("q", strategy, generator=MODEL, seed=seed, listen=deque[Any](maxlen=100).append)


async def read(strategy: Strategy, seed: int) -> None:
    from searchkit import start  # an old checkout has none

    search = start("q", strategy, generator=MODEL, seed=seed)
    async for _ in search:
        pass
    await search


async def taken(way: Way, make: Callable[[], Strategy]) -> float:
    """CPU microseconds of a few searches."""
    strategy, began = make(), time.process_time()
    for seed in range(SEARCHES):
        await way(strategy, seed)
    return (time.process_time() - began) / SEARCHES * 1e6


async def least(ways: list[Way], make: Callable[[], Strategy]) -> list[float]:
    """The least that each of `ways` took, one after the other in each repeat."""
    found = [[await taken(way, make) for way in ways] for _ in range(REPEATS)]
    return [min(column) for column in zip(*found, strict=True)]


async def measured(part: str | None) -> dict[str, float]:
    gc.collect()
    gc.disable()
    figures = dict[str, float]()
    for name, (make, n) in WORK.items():
        if part is None or part in name:
            [figures[name]] = [cost / n for cost in await least([alone], make)]
    if part is None:
        for name in ("sample", "node"):
            plain, heard, followed = await least([alone, listened, read], WORK[f"{name}_cpu_us"][0])
            figures |= {f"{name}_listened_ratio": heard / plain, f"{name}_read_ratio": followed / plain}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--cpu", metavar="PART", help="only figures without a listener, whose names have PART")
    options = parser.parse_args()
    figures = asyncio.run(measured(options.cpu))
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:24} {value:10.3f}")


if __name__ == "__main__":
    main()
