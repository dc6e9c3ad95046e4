"""What a node and a step cost in other libraries, by the searches of benchmarks/tree.py: the same texts and scores.

    tools/peers_env.sh DIR
    DIR/bin/python benchmarks/tree_peers.py [--json]      # in the environment that the script makes

treequest_SEARCH_N_cpu_us     CPU a node of treequest 0.3.3 in N calls, its tree changed in place: mcts (StandardMCTS),
                              ab_mcts (ABMCTSA), best_first. It lists all nodes at every call, so that N ends at 2,000
its_hub_beam_step_cpu_us      CPU a step of the beam search of its_hub 1.2.0, 64 steps a round, drawn and scored

They neither seed, trace, charge nor store a call, and treequest draws one state after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from treequest import ABMCTSA, StandardMCTS
from treequest.algos.best_first_search import BestFirstSearchAlgo

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own parts that have moved
    from its_hub.api import AbstractLanguageModel, AbstractProcessRewardModel
    from its_hub.core.algorithms.beam_search import BeamSearch
    from its_hub.core.lms.step_generation import StepGeneration

SEARCHES: dict[str, Callable[[], Any]] = {
    "mcts": StandardMCTS, "ab_mcts": ABMCTSA, "best_first": BestFirstSearchAlgo,
}  # fmt: skip
WIDTH, ROUNDS = 64, 10


def value(text: str) -> float:
    return sum(map(ord, text)) % 97 / 97


def grown(make: Callable[[], Any], calls: int) -> int:
    """A tree of so many calls; how many there were."""
    algorithm, drawn = make(), 0
    state = algorithm.init_tree()

    def generate(parent: str | None) -> tuple[str, float]:
        nonlocal drawn
        drawn += 1
        text = (parent or "") + "abcd"[drawn % 4] + "/"
        return text, value(text)

    while drawn < calls:
        state = algorithm.step(state, {"draw": generate}, inplace=True)
    return drawn


class Four(AbstractLanguageModel):
    """Four different steps for each text, at once."""

    def __init__(self) -> None:
        self.drawn = 0

    async def agenerate(self, messages: Sequence[Any], stop: Any = None, **options: Any) -> list[dict[str, str]]:
        self.drawn += len(messages)
        return [{"role": "assistant", "content": "abcd"[i % 4]} for i, _ in enumerate(messages)]


class Scorer(AbstractProcessRewardModel):
    def score(self, prompt: Any, steps: Sequence[str]) -> list[float]:
        return [value(text) for text in steps]

    async def ascore(self, prompt: Any, steps: Sequence[str]) -> list[float]:
        return self.score(prompt, steps)


def stepped() -> int:
    """A beam search; how many steps it drew."""
    model = Four()
    steps = StepGeneration(max_steps=ROUNDS, step_token="/", stop_token="END")
    asyncio.run(BeamSearch(steps, Scorer(), beam_width=4).ainfer(model, "q", WIDTH))
    return model.drawn


def cpu_us(search: Callable[[], int], repeats: int) -> float:
    """Microseconds of CPU for each of what `search` says it came to."""
    search()
    seconds, made = 0.0, 0
    for _ in range(repeats):
        gc.collect()
        began = time.process_time()
        made += search()
        seconds += time.process_time() - began
    return 1e6 * seconds / made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options, figures = parser.parse_args(), dict[str, float]()
    for name, make in SEARCHES.items():
        for calls in (400, 2_000):
            figures[f"treequest_{name}_{calls}_cpu_us"] = cpu_us(lambda: grown(make, calls), 2_000 // calls)  # noqa: B023
    figures["its_hub_beam_step_cpu_us"] = cpu_us(stepped, 5)
    if options.json:
        print(json.dumps({name: round(figure, 4) for name, figure in figures.items()}))
    else:
        print("\n".join(f"{name:<36} {figure:10.3f}" for name, figure in figures.items()))


if __name__ == "__main__":
    main()
