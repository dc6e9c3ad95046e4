"""Other libraries in the worlds of benchmarks/worlds.py, with their defaults: rows of the same format, on stdout.

    tools/peers_env.sh DIR
    DIR/bin/python benchmarks/worlds_peers.py > peers.jsonl      # in the environment that the script makes
    python benchmarks/worlds.py --peers peers.jsonl

treequest 0.3.3: StandardMCTS, ABMCTSA, BestFirstSearchAlgo and TreeOfThoughtsBFSAlgo, each as its documentation says: a
function from a parent to a new state with its score, called until the budget is spent. Nothing there says that a state
ends: below an end the function returns the end again, which costs a call of the budget, as it would anybody. The answer
is the complete state of the best score.

its_hub 1.2.0: BeamSearch and ParticleFiltering, whose budget is beams or particles: 16 (a beam width of 4), or as many
as the world's budget allows. They need answers that end, and are told the number of steps. They run once, whatever is
left.

All draw with the same `world.draw`, from the same seeds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from treequest import ABMCTSA, StandardMCTS, TreeOfThoughtsBFSAlgo
from treequest.algos.best_first_search import BestFirstSearchAlgo
from treequest.algos.tree import Node, Tree
from worlds_work import length, scaled

from searchkit.environments import Anytime
from searchkit.testing.worlds import WORLDS, Place, World

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own parts that have moved
    from its_hub.api import AbstractLanguageModel, AbstractProcessRewardModel
    from its_hub.core.algorithms.beam_search import BeamSearch
    from its_hub.core.algorithms.particle_gibbs import ParticleFiltering
    from its_hub.core.lms.step_generation import StepGeneration

END = "END"
TREEQUEST: Mapping[str, Callable[[], Any]] = {
    "treequest StandardMCTS": StandardMCTS,
    "treequest ABMCTSA": ABMCTSA,
    "treequest best-first": BestFirstSearchAlgo,
    "treequest tree of thoughts": TreeOfThoughtsBFSAlgo,
}
ITS_HUB: Mapping[str, Callable[[Any, Any], Any]] = {
    "its_hub BeamSearch": lambda steps, scorer: BeamSearch(steps, scorer, beam_width=4),
    "its_hub ParticleFiltering": lambda steps, scorer: ParticleFiltering(steps, scorer),
}


class Drawn:
    """Draws in a world: what they cost, what was spent when the first right answer was drawn, and all answers."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.begun = world, world.begin(seed)
        self.rng = random.Random(f"{seed} draws")
        self.spent = 0
        self.opened: int | None = None

    def draw(self, place: Place) -> tuple[Any, Place]:
        action = self.world.draw(place, self.rng)
        self.spent += self.world.tokens(place)
        after = self.world.after(place, action)
        if after.right and self.opened is None:
            self.opened = self.spent
        return action, after

    def repeated(self, place: Place) -> Place:
        """An end again, for a call."""
        self.spent += self.world.tokens(place)
        return place


class Indexed(Tree[Any]):
    """A treequest tree that finds a node by its number, where the library sorts all nodes at every call."""

    def add_node(self, *args: Any, **options: Any) -> Node[Any]:
        node = super().add_node(*args, **options)
        self.__dict__.setdefault("numbered", [self.root]).append(node)
        return node

    def get_node(self, expand_idx: int) -> Node[Any]:
        return self.__dict__.setdefault("numbered", [self.root])[expand_idx + 1]


def treequest(make: Callable[[], Any], drawn: Drawn, most: int, until: bool) -> Place | None:
    """The answer after `most` are spent; until: or when a right one has been drawn, where a score is sure of it."""
    algorithm = make()
    state = algorithm.init_tree()
    state.tree.__class__ = Indexed

    def generate(parent: Place | None) -> tuple[Place, float]:
        place = drawn.begun if parent is None else parent
        after = drawn.repeated(place) if place.ended else drawn.draw(place)[1]
        return after, after.score or 0.0

    longest = max(drawn.world.tokens(drawn.begun), *getattr(drawn.world, "costs", (1,)))
    while drawn.spent + longest <= most and not (until and drawn.opened is not None):
        state = algorithm.step(state, {"draw": generate}, inplace=True)
    answers = [(place, score) for place, score in algorithm.get_state_score_pairs(state) if place.complete]
    return max(answers, key=lambda answer: answer[1])[0] if answers else None


class Stepwise(AbstractLanguageModel):
    """Draws as a model that writes a step a line, an action each; and the places that texts stand for."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn
        self.places: dict[str, Place] = {"": drawn.begun}

    async def agenerate(self, messages: Sequence[Any], stop: Any = None, **options: Any) -> list[dict[str, str]]:
        return [self._step(asked[1].content.rstrip("\n") if len(asked) > 1 else "") for asked in messages]

    def _step(self, text: str) -> dict[str, str]:
        action, place = self.drawn.draw(self.places[text])
        step = json.dumps(action) + (END if place.ended else "")
        self.places[f"{text}\n{step}" if text else step] = place
        return {"role": "assistant", "content": step}


class Scorer(AbstractProcessRewardModel):
    """The scores of the places that texts stand for."""

    def __init__(self, model: Stepwise) -> None:
        self.model = model

    def score(self, prompt: Any, steps: Sequence[str]) -> list[float]:
        return [self.model.places[text].score or 0.0 for text in steps]

    async def ascore(self, prompt: Any, steps: Sequence[str]) -> list[float]:
        return self.score(prompt, steps)


def its_hub(make: Callable[[Any, Any], Any], drawn: Drawn, most: int) -> Place | None:
    """The answer of one run with 16 paths, or the multiple of 4 that fits."""
    steps = length(drawn.world)
    paths = min(16, most // steps // 4 * 4)
    if paths < 4:
        return None
    model = Stepwise(drawn)
    algorithm = make(StepGeneration(max_steps=steps, step_token="\n", stop_token=END), Scorer(model))
    message = asyncio.run(algorithm.ainfer(model, "go", paths))
    return model.places[message["content"]]


def search(run: str, name: str, method: str, seed: int) -> dict[str, Any]:
    """One row."""
    random.seed(seed)
    np.random.seed(seed)  # both are what these libraries draw from
    world = WORLDS[name]
    drawn, budget = Drawn(world, seed), world.budget if run == "rate" else scaled(world)
    most = budget.generations or budget.generated_tokens or 0
    if method in TREEQUEST:
        place = treequest(TREEQUEST[method], drawn, most, until=run == "cost" and world.opens_at is not None)
    else:
        place = its_hub(ITS_HUB[method], drawn, most)
    row = {"run": run, "world": name, "method": method, "seed": seed}
    return row | {"success": 0.0 if place is None else place.worth, "cost": drawn.opened, "spent": drawn.spent}


def fits(name: str, method: str) -> bool:
    """its_hub's need an end, and count paths, not tokens."""
    world = WORLDS[name]
    return method in TREEQUEST or (not isinstance(world, Anytime) and world.budget.generations is not None)


def main() -> None:
    names = (*TREEQUEST, *ITS_HUB)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--world", action="append", choices=WORLDS, metavar="NAME")
    parser.add_argument("--strategy", action="append", choices=names, metavar="NAME")
    parser.add_argument("--run", action="append", choices=("rate", "cost"))
    options = parser.parse_args()
    for world in options.world or WORLDS:
        for method in (m for m in options.strategy or names if fits(world, m)):
            for run in options.run or ("rate", "cost"):
                for seed in range(options.seeds):
                    print(json.dumps(search(run, world, method, seed)), flush=True)
            print(f"{world}: {method}", file=sys.stderr)


if __name__ == "__main__":
    main()
