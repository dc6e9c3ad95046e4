"""A known tree for the tests of step-wise searches: states are paths such as "ba", children are drawn by index."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from searchkit import Result, solve
from searchkit.calls import CallError
from searchkit.protocols import Run
from searchkit.types import Params, Prompt, Sample, Transition, Usage, Verdict
from searchkit.verifiers.predicate import Predicate


@dataclass(frozen=True)
class Known:
    """An environment and its generator in one. children: path -> letters that lead on; a path without ends there.

    scores: what the verifier says of each path (None: it abstains; a tuple: of each step). rewards: what the
    environment says of an ended one. The generator's sample number i in a state is letter i modulo their number; in
    the states of `broken` it fails.
    """

    children: Mapping[str, str]
    scores: Mapping[str, Any] = field(default_factory=dict)
    rewards: Mapping[str, float] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    params: Params = Params()

    async def start(self, prompt: Prompt, run: Run) -> str:
        return ""

    def prompt(self, state: str) -> Prompt:
        return Prompt.of(f"at {state}")

    def step_params(self, run: Run) -> Params:
        return self.params

    async def step(self, state: str, action: Sample[Any], run: Run) -> Transition[str]:
        path = state + action.value
        return Transition(path, reward=self.rewards.get(path), terminal=path not in self.children)

    def candidate(self, state: str) -> Sample[str]:
        return Sample(state)

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        state, index = prompt.text.removeprefix("at "), run.index
        greedy = params is not None and params.temperature == 0

        async def draw() -> Sample[str]:
            if state + str(index) in self.broken or state in self.broken:
                raise CallError("no answer here")
            letters = self.children[state]
            letter = max(letters, key=lambda c: self.scores[state + c]) if greedy else letters[index % len(letters)]
            return Sample(letter, usage=Usage(generated_tokens=1))

        return await run.call("known", prompt, draw, params=params)

    @property
    def verifier(self) -> Predicate:
        return Predicate(self.judge, name="known")

    def judge(self, path: str) -> Verdict:
        found = self.scores[path]
        return Verdict(step_scores=found) if isinstance(found, tuple) else Verdict(found)


def full(letters: str, depth: int, seed: int, *, ends: float = 0.0) -> Known:
    """All paths of `letters` up to `depth` with random scores; each inner path ends early with probability `ends`."""
    rng, children, scores = random.Random(seed), dict[str, str](), dict[str, float]()
    waiting = [""]
    for path in waiting:
        scores[path] = rng.random()
        if not path or (len(path) < depth and rng.random() >= ends):
            children[path] = letters
            waiting += [path + letter for letter in letters]
    return Known(children, scores)


def run(strategy: Any, world: Known, **options: Any) -> Result[Any]:
    """A search of `world`."""
    return asyncio.run(solve("q", strategy, generator=world, **options))
