"""Put best-of-N around an existing agent: `python examples/wrap_an_agent.py`.

The agent below stands for yours: a function of any arguments that returns a dataclass and is sometimes wrong.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

from searchkit import search
from searchkit.strategies import BestOfN
from searchkit.verifiers import Predicate


@dataclass(frozen=True)
class Trip:
    stops: tuple[str, ...]
    km: int


DISTANCES = {("Oslo", "Rome"): 2520, ("Rome", "Paris"): 1420, ("Oslo", "Paris"): 1730}


def short(trip: Trip) -> float:
    """Higher is better, within [0, 1]."""
    return 1 - trip.km / 10_000


@search(BestOfN(8, Predicate(short)))
def plan(cities: list[str], seed: int = 0) -> Trip:
    """Visit all cities once, in an order that this agent guesses."""
    order = random.Random(seed).sample(cities, len(cities))
    legs = itertools.pairwise(order)
    return Trip(tuple(order), sum(DISTANCES.get((a, b)) or DISTANCES[b, a] for a, b in legs))


if __name__ == "__main__":
    print(plan(["Oslo", "Rome", "Paris"]))  # the same call as before the decorator
    result = plan.detailed(["Oslo", "Rome", "Paris"])
    print(result.usage.generations, "calls, lengths:", [c.sample.value.km for c in result.candidates])
