"""Worlds with a known optimum: small search spaces to try a strategy on, with the least that an answer costs there.

    from searchkit import solve_sync
    from searchkit.strategies import MCTS
    from searchkit.testing.worlds import Lock

    world = Lock(digits=3, options=4)
    result = solve_sync("open", MCTS(world.verifier, environment=world), budget=world.budget, seed=1)
    print(world.success(result), result.usage.generations, "draws; the optimum is", world.optimum.cost)

A world draws its actions itself, by the seed of the search, and each draw is a generation. Read `base.py` first: what a
world is. Then `locks.py`, `steps.py`, `drafts.py` and `roads.py`: the worlds; `optimum.py` and `revising.py`: what the
best policy costs; `named.py`: all of them by name, as figures are published for them.
"""

from searchkit.testing.worlds.base import Optimum, Place, World
from searchkit.testing.worlds.drafts import Basins, Drift, UnitTests
from searchkit.testing.worlds.locks import Deep, Duplicates, Lock, NoisyLock, SparseLock, Wide
from searchkit.testing.worlds.named import WORLDS
from searchkit.testing.worlds.roads import UnequalCosts
from searchkit.testing.worlds.steps import Deceptive, Growing, Steps, TreeOfFour

__all__ = [
    "WORLDS",
    "Basins",
    "Deceptive",
    "Deep",
    "Drift",
    "Duplicates",
    "Growing",
    "Lock",
    "NoisyLock",
    "Optimum",
    "Place",
    "SparseLock",
    "Steps",
    "TreeOfFour",
    "UnequalCosts",
    "UnitTests",
    "Wide",
    "World",
]
