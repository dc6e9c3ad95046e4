"""What a step-wise search with the embedded model saves by prefix reuse: prompt tokens, and time.

    python benchmarks/prefix.py --json

A beam search over Countdown lines, 4 nodes by 4 children: each child is one request to `Embedded.complete` that
continues its node's lines by one; the legal children that the model finds likeliest go on, until all numbers are used.
`PUZZLES` held-out puzzles a round, once one after another (16 requests in flight), once 4 at a time (64 in flight).

cached_prefix_ratio    prompt tokens computed over prompt tokens sent, with the cache; 1 is no reuse
shared_prefix_ratio    the same without the cache: equal prompts that join together are read once even so
seconds_cached         wall time with the cache; every round has puzzles that the engine has not met
seconds_recomputed     without it: each token of a prefix is fed in a step of its own, as when it was generated
seconds_read           without it, and with the lines as part of the prompt, which is read in one piece: the least that
                       an engine without prefix reuse can take

The three take turns; times are medians of `ROUNDS`. The first two must find the same texts, to the bit. The greater of
the two ratios is printed as cached_prefix_ratio without a number.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import time
from collections.abc import Sequence

from searchkit.calls import Request
from searchkit.generators import Embedded
from searchkit.lab.countdown import Countdown, Puzzle, replay
from searchkit.types import Params, Prompt, Sample

PUZZLES, ROUNDS, WIDTH, CHILDREN = 24, 5, 4, 4
LINE = Params(max_tokens=32, stop=("\n",), logprobs=0)


def asked(puzzle: Puzzle, lines: str, read: bool) -> Prompt:
    """The node as a prompt to continue."""
    return Prompt.of(puzzle.prompt + lines) if read else Prompt.of(puzzle.prompt).continued(lines)


async def beam(backend: Embedded, puzzle: Puzzle, read: bool) -> list[Sample[str]]:
    """All samples of the search for one puzzle."""
    nodes, found = {"": 0.0}, []
    for level in range(len(puzzle.numbers) - 1):
        tried = [(lines, worth, level * CHILDREN + i) for lines, worth in nodes.items() for i in range(CHILDREN)]
        entries = await backend.complete([Request(asked(puzzle, lines, read), LINE, seed) for lines, _, seed in tried])
        nodes = {}
        for (lines, worth, _), sample in zip(tried, entries, strict=True):
            assert isinstance(sample, Sample), sample
            found.append(sample)
            grown = lines + sample.text + "\n"
            if sample.text and not replay(puzzle, grown).error:
                nodes[grown] = worth + sum(token.logprob or -math.inf for token in sample.logprobs or ())
        nodes = dict(sorted(nodes.items(), key=lambda item: (-item[1], item[0]))[:WIDTH])
        if not nodes:
            break
    return found


async def searches(backend: Embedded, puzzles: Sequence[Puzzle], at_once: int, read: bool) -> list[Sample[str]]:
    """The samples of all `puzzles`, `at_once` of which are searched at the same time."""
    free = asyncio.Semaphore(at_once)

    async def one(puzzle: Puzzle) -> list[Sample[str]]:
        async with free:
            return await beam(backend, puzzle, read)

    found = await asyncio.gather(*map(one, puzzles))
    return [sample for samples in found for sample in samples]


def measure(at_once: int, puzzles: Sequence[Puzzle]) -> dict[str, float]:
    """Ratios over all rounds, and median seconds a round; the first round only warms up."""
    sides = {"cached": (Embedded(), False), "recomputed": (Embedded(cache=0), False), "read": (Embedded(cache=0), True)}
    times: dict[str, list[float]] = {name: [] for name in sides}
    samples: dict[str, list[Sample[str]]] = {name: [] for name in sides}
    for turn in range(ROUNDS + 1):
        for name, (backend, read) in sides.items():
            began = time.perf_counter()
            found = asyncio.run(searches(backend, puzzles[turn * PUZZLES : (turn + 1) * PUZZLES], at_once, read))
            if turn:
                times[name].append(time.perf_counter() - began)
                samples[name] += found
    cached, recomputed = samples["cached"], samples["recomputed"]
    assert [(s.text, s.logprobs) for s in cached] == [(s.text, s.logprobs) for s in recomputed]

    def ratio(found: Sequence[Sample[str]]) -> float:
        return round(1 - sum(s.usage.cached_tokens for s in found) / sum(s.usage.prompt_tokens for s in found), 3)

    return {
        f"requests_{at_once}": len(cached),
        f"cached_prefix_ratio_{at_once}": ratio(cached),
        f"shared_prefix_ratio_{at_once}": ratio(recomputed),
        **{f"seconds_{name}_{at_once}": round(statistics.median(spent), 3) for name, spent in times.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    half = PUZZLES * (ROUNDS + 1)
    puzzles = Countdown().puzzles(2 * half, "test")
    found = measure(1, puzzles[:half]) | measure(4, puzzles[half:])
    found = {"cached_prefix_ratio": max(found["cached_prefix_ratio_1"], found["cached_prefix_ratio_4"])} | found
    if args.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
