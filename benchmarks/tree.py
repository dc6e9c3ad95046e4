"""What tree search costs: concurrency, bookkeeping, memory, and the prompt tokens that the embedded model reads again.

    python benchmarks/tree.py --json

mcts_parallel_efficiency       64 expansions of 4 children, 16 in flight, 100 ms a call in process: the schedule's lower
                               bound (1, 4, 16, 16, 16 and 11 expansions at once: 6 rounds) over the wall time
mcts_parallel_efficiency_lognormal   the same with log-normal latencies of mean 100 ms: work / 16, over the wall time
mcts_parallel_efficiency_http  as the first, over loopback HTTP
search_us_per_node             UCT select, expand and back up, branching 4, 20,000 nodes, nothing else
search_us_per_node_end_to_end  a whole MCTS over a backend that answers at once, drawing and scoring included
bytes_per_node                 memory of a tree of 100,000 nodes, without texts and states
SEARCH_N_cpu_us                CPU a node of a whole search of N nodes over a backend that answers at once: mcts and
                               best_first (4 children an expansion), ab_mcts; with _16 16 in flight, with _budget under
                               ceilings that do not bind, with _journal with a journal on disk
mcts_20000_bytes               what the result of such a search keeps in memory, a node
beam_step_cpu_us               CPU a step of a beam search, 64 steps a round, drawn and scored
cached_prefix_ratio            embedded beam search: prompt tokens computed over prompt tokens sent
beam_seconds, beam_seconds_uncached   its wall time with the prefix cache and without
"""

from __future__ import annotations

import asyncio
import gc
import math
import random
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine import ROOMY, Served, cpu_us, printed

from searchkit import Model, Params, solve
from searchkit.calls import Request
from searchkit.environments.text_steps import TextSteps
from searchkit.generators import Embedded, OpenAI
from searchkit.lab.checker import CHECKER, problem
from searchkit.lab.countdown import Countdown
from searchkit.lab.environment import CountdownSteps
from searchkit.protocols import Backend
from searchkit.strategies import ABMCTS, MCTS, UCT, BeamSearch, BestFirst
from searchkit.strategy import Strategy
from searchkit.tree import Tree
from searchkit.types import Sample, Usage
from searchkit.verifiers import Predicate

ROUNDS, EXPANSIONS, IN_FLIGHT, LATENCY = 6, 64, 16, 0.1
LIMITED = Params(max_tokens=16)


def value(text: str) -> float:
    return sum(map(ord, text)) % 97 / 97


@dataclass(frozen=True)
class Four:
    """Four different steps for each text, after a latency."""

    latency: float = 0.0
    sigma: float = 0.0
    name: str = "four"

    def seconds(self, seed: int) -> float:
        """Log-normal with mean `latency`."""
        return self.latency * math.exp(random.Random(seed).gauss(-(self.sigma**2) / 2, self.sigma))

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        if self.latency:
            await asyncio.sleep(self.seconds(requests[0].seed))
        usage = Usage(model_calls=1, generated_tokens=1)
        return [Sample("abcd"[r.index % 4], stop_reason="/", usage=usage) for r in requests]


def mcts(iterations: int = EXPANSIONS, in_flight: int = IN_FLIGHT) -> MCTS:
    return MCTS(Predicate(value), environment=TextSteps("/"), iterations=iterations, width=4, in_flight=in_flight)


async def wall(backend: Backend) -> tuple[float, Any]:
    began = time.perf_counter()
    result = await solve("q", mcts(), generator=Model(backend))
    return time.perf_counter() - began, result


def lognormal() -> float:
    """An expansion lasts as long as its slowest call; 16 at once cannot be done before work / 16."""
    seconds, result = asyncio.run(wall(Four(LATENCY, 0.5)))
    groups = [s for s in result.trace.walk() if s.name == "sample" and s.kind == "group"]
    return sum(g.ended - g.began for g in groups) / IN_FLIGHT / seconds


def over_http() -> float:
    """One call before, to open connections. The server's words are merged, so its schedule may need more rounds."""

    async def measured(url: str) -> tuple[float, float]:
        backend = OpenAI(url, "test-model")
        await solve("q", mcts(4), generator=Model(backend, Params(max_tokens=4)))
        began = time.perf_counter()
        result = await solve("q", mcts(), generator=Model(backend, Params(max_tokens=4)))
        seconds = time.perf_counter() - began
        expansions = sum(result.tree.expanded) if result.tree else 0
        return seconds, math.ceil(expansions / IN_FLIGHT) * LATENCY

    with Served(LATENCY) as url:
        seconds, bound = asyncio.run(measured(url))
    return bound / seconds


def bookkeeping(nodes: int = 20_000) -> float:
    """Microseconds a node."""
    tree, rule, rng = Tree(), UCT(1.0), random.Random(0)
    values = [rng.random() for _ in range(nodes)]
    began = time.perf_counter()
    while len(tree) < nodes:
        leaf = rule.select(tree, rng)
        assert leaf is not None
        tree.start(leaf)
        for letter in "abcd":
            tree.add(leaf, letter)
        tree.finish(leaf)
        tree.backup(leaf, values[leaf])
    return 1e6 * (time.perf_counter() - began) / len(tree)


# Each grows a tree of so many nodes, but for its last expansion.
SEARCHES: dict[str, Callable[[int], Strategy]] = {
    "mcts": lambda nodes: mcts(nodes // 4, 1),
    "best_first": lambda nodes: BestFirst(Predicate(value), environment=TextSteps("/"), iterations=nodes // 4, width=4),
    "ab_mcts": lambda nodes: ABMCTS(Predicate(value), environment=TextSteps("/"), iterations=nodes),
}


def searched(strategy: Strategy, **options: Any) -> int:
    """Search once; how many nodes there are then."""
    result = asyncio.run(solve("q", strategy, generator=Model(Four(), LIMITED), **options))
    assert result.tree is not None
    return len(result.tree)


def kept(nodes: int = 20_000) -> float:
    """Bytes a node of what a search returns."""
    asyncio.run(solve("q", mcts(10, 1), generator=Model(Four(), LIMITED)))  # what is imported and cached once
    tracemalloc.start()
    result = asyncio.run(solve("q", SEARCHES["mcts"](nodes), generator=Model(Four(), LIMITED)))
    gc.collect()
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert result.tree is not None
    return used / len(result.tree)


def costs() -> dict[str, Callable[[], float]]:
    """What a node and a step cost, by name."""
    found: dict[str, Callable[[], float]] = {}
    for name, make in SEARCHES.items():
        for nodes in (400, 20_000):
            found[f"{name}_{nodes}_cpu_us"] = partial(cpu_us, partial(searched, make(nodes)), 10_000 // nodes)
        found[f"{name}_400_budget_cpu_us"] = partial(cpu_us, partial(searched, make(400), budget=ROOMY), 25)
        found[f"{name}_400_journal_cpu_us"] = partial(cpu_us, partial(searched, make(400)), 10, journal=True)
    found["mcts_400_16_cpu_us"] = partial(cpu_us, partial(searched, mcts(100, 16)), 25)
    beam = BeamSearch(64, 4, Predicate(value), environment=TextSteps("/"), rounds=10)
    found["beam_step_cpu_us"] = partial(cpu_us, partial(searched, beam), 10)
    found["mcts_20000_bytes"] = kept
    return found


def end_to_end(nodes: int = 4_000) -> float:
    began = time.perf_counter()
    result = asyncio.run(solve("q", mcts(nodes // 4, 1), generator=Model(Four())))
    assert result.tree is not None
    return 1e6 * (time.perf_counter() - began) / len(result.tree)


def memory(nodes: int = 100_000) -> float:
    """Bytes a node: the texts are one shared object."""
    tracemalloc.start()
    tree = Tree()
    for node in range(nodes - 1):
        tree.add(node // 4, "")
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used / len(tree)


def prefix_cache(puzzles: int) -> dict[str, float]:
    """A beam search over each of some puzzles, with a cache and without."""
    problems = [problem(p) for p in Countdown().puzzles(puzzles, "dev")]
    strategy = BeamSearch(16, 4, CHECKER, environment=CountdownSteps())

    def run(backend: Embedded) -> tuple[float, Any]:
        asyncio.run(solve(problems[0], strategy, generator=Model(backend, Params(max_tokens=64)), seed=1))  # warm
        began = time.perf_counter()
        results = [asyncio.run(solve(p, strategy, generator=Model(backend, Params(max_tokens=64)))) for p in problems]
        return time.perf_counter() - began, [r.usage for r in results]

    cached, usages = run(Embedded())
    uncached, _ = run(Embedded(cache=0))
    sent, read = (sum(getattr(u, name) for u in usages) for name in ("prompt_tokens", "cached_tokens"))
    return {"cached_prefix_ratio": 1 - read / sent, "beam_seconds": cached, "beam_seconds_uncached": uncached}


def measure(quick: bool) -> dict[str, float]:
    seconds, _ = asyncio.run(wall(Four(LATENCY)))
    return {
        "mcts_parallel_efficiency": ROUNDS * LATENCY / seconds,
        "mcts_parallel_efficiency_lognormal": lognormal(),
        "mcts_parallel_efficiency_http": over_http(),
        "search_us_per_node": bookkeeping(),
        "search_us_per_node_end_to_end": end_to_end(),
        "bytes_per_node": memory(),
        **prefix_cache(4 if quick else 20),
    }


if __name__ == "__main__":
    printed(__doc__, measure, costs())
