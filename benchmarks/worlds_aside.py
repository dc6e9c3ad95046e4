"""Three worlds that no default was made for: our searches and a public library's, all by default, at equal draws.

    python benchmarks/worlds_aside.py                                  # ours: BestFirst, MCTS, ABMCTS, whole samples
    DIR/bin/python benchmarks/worlds_aside.py --peers                  # treequest's, see tools/peers_env.sh

saturating: drafts that drift (first quality ~ Beta(2, 5), a revision adds N(0, 0.1), clipped to [0, 1]); the score is
1 - exp(-6 q), so that all good drafts look nearly alike; right from q = 0.9 on; 48 draws. trap: six steps of three; a
first step 0 scores 0.32 and rises to 0.6, and never ends right; the others score 0.1, and from the third step on 0.15
a step more while all are right; 160 draws. uneven: the first draft is long (Beta(4, 4), revised by N(0, 0.15) at 50
tokens each) or a sketch (Beta(2, 6), by N(0, 0.05) at 1 token), each half of the time, and costs 50; right from 0.95
on; 600 tokens. One line a world and method: per cent of searches that end with a right answer, 95 % Wilson interval.
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass, field
from typing import Any

from worlds import wilson

from searchkit import Budget, solve_sync
from searchkit.strategies import ABMCTS, MCTS, BestFirst, BestOfN
from searchkit.testing.worlds import Optimum, Place, World

UNKNOWN = Optimum(1.0, "tuned", "not known: these worlds compare searches with each other")


@dataclass(frozen=True)
class Aside(World):
    """A world of drafts or steps. whole: draws, or tokens, of a whole answer."""

    whole: int = 1

    def begin(self, seed: int) -> Place:
        return Place()

    @property
    def optimum(self) -> Optimum:
        return UNKNOWN

    @property
    def opens_at(self) -> None:
        return None


@dataclass(frozen=True)
class Saturating(Aside):
    budget: Budget = field(default=Budget(generations=48), kw_only=True)

    def draw(self, place: Place, rng: random.Random) -> float:
        return rng.gauss(0, 0.1) if place.complete else rng.betavariate(2, 5)

    def after(self, place: Place, action: float) -> Place:
        q = min(1.0, max(0.0, place.hidden + action)) if place.complete else action
        score, right = 1 - math.exp(-6 * q), q >= 0.9
        return Place((*place.path, action), score, complete=True, worth=float(right), right=right, hidden=q)

    def complete(self, state: Place) -> bool:
        return state.complete


@dataclass(frozen=True)
class Trap(Aside):
    budget: Budget = field(default=Budget(generations=160), kw_only=True)
    whole: int = 6

    def begin(self, seed: int) -> Place:
        return Place(hidden=random.Random(f"{seed} trap").choices(range(3), k=6))

    def draw(self, place: Place, rng: random.Random) -> int:
        return rng.randrange(3)

    def after(self, place: Place, action: int) -> Place:
        path, steps = (*place.path, action), len(place.path) + 1
        so_far = path[0] != 0 and all(a == b for a, b in zip(path[1:], place.hidden, strict=False))
        right, end = so_far and steps == 6, steps == 6
        risen = 0.15 * (steps - 1) if so_far and steps > 2 else 0.0
        score = min(0.6, 0.25 + 0.07 * steps) if path[0] == 0 else 1.0 if right else 0.1 + risen
        return Place(path, score, complete=end, ended=end, worth=float(right), right=right, hidden=place.hidden)


@dataclass(frozen=True)
class Uneven(Aside):
    budget: Budget = field(default=Budget(generated_tokens=600), kw_only=True)
    whole: int = 50
    costs: tuple[int, int] = (1, 50)

    def draw(self, place: Place, rng: random.Random) -> list[float]:
        if place.complete:
            tokens = place.hidden[1]
            return [rng.gauss(0, 0.15 if tokens == 50 else 0.05), tokens]
        dear = rng.random() < 0.5
        return [rng.betavariate(4, 4) if dear else rng.betavariate(2, 6), 50 if dear else 1]

    def after(self, place: Place, action: list[float]) -> Place:
        q = min(1.0, max(0.0, (place.hidden[0] if place.complete else 0.0) + action[0]))
        path, right = (*place.path, tuple(action)), q >= 0.95
        return Place(path, q, complete=True, worth=float(right), right=right, hidden=(q, int(action[1])))

    def complete(self, state: Place) -> bool:
        return state.complete

    def tokens(self, place: Place) -> int:
        return int(place.hidden[1]) if place.complete else 50


ASIDE: dict[str, Aside] = {"saturating": Saturating(), "trap": Trap(), "uneven": Uneven()}
OURS = ("BestFirst", "MCTS", "ABMCTS", "BestOfN")


def amount(world: Aside) -> int:
    return world.budget.generations or world.budget.generated_tokens or 0


def ours(name: str, world: Aside, seed: int) -> float:
    made: dict[str, Any] = {
        "BestFirst": lambda: BestFirst(world.verifier, environment=world),
        "MCTS": lambda: MCTS(world.verifier, environment=world),
        "ABMCTS": lambda: ABMCTS(world.verifier, environment=world, iterations=amount(world)),
        "BestOfN": lambda: BestOfN(amount(world) // world.whole, world.verifier, generator=world),
    }
    return world.success(solve_sync("go", made[name](), budget=world.budget, seed=seed))


def peers(name: str, world: Aside, seed: int) -> float:
    import numpy as np
    from worlds_peers import TREEQUEST, Drawn, treequest

    random.seed(seed)
    np.random.seed(seed)
    place = treequest(TREEQUEST[name], Drawn(world, seed), amount(world), until=False)
    return 0.0 if place is None else place.worth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    names = ("treequest ABMCTSA", "treequest StandardMCTS", "treequest best-first") if options.peers else OURS
    for name in names:
        for title, world in ASIDE.items():
            search = peers if options.peers else ours
            right = sum(search(name, world, 1000 + seed) for seed in range(options.seeds))
            low, high = wilson(int(right), options.seeds)
            print(
                f"{title:12} {name:24} {100 * right / options.seeds:3.0f} [{100 * low:.0f}, {100 * high:.0f}]",
                flush=True,
            )


if __name__ == "__main__":
    main()
