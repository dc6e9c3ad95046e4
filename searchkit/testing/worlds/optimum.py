"""The best of a family of plain rules, for worlds whose optimal policy nobody can compute."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Protocol

from searchkit.testing.worlds.base import Optimum, Place, World

HEATS, RUNS, MOST = 100, 1000, 1000
CAP = 20  # times the mean of its heats: what a run counts as that has found nothing by then
# What `tune` comes to for worlds as they are by default: tests compute each anew.
KNOWN = {
    "NoisyLock(digits=6, options=10, noise=0.05)": (175.682, "Greedy(penalty=0.003, start=0.2)"),
    "SparseLock(digits=3, options=4)": (98.856, "Greedy(penalty=0.1, start=0.5)"),
    "Steps(depth=5, chance=0.6, margin=1.0)": (26.483, "Beam(n=4, m=2, rounds=32)"),
    "Steps(depth=5, chance=0.6, margin=0.5)": (38.886, "Beam(n=4, m=2, rounds=32)"),
    "TreeOfFour(depth=4, chance=0.35, low=0.35, high=0.65, noise=0.25)": (70.296, "Beam(n=8, m=4, rounds=32)"),
    "Deceptive(depth=4, chance=0.5, early=(0.5, 0.65), late=(0.7, 0.35), noise=0.1)": (49.407, "Whole(last=2)"),
    "Drift(first=(2.0, 4.0), goal=0.95, spread=0.12, bias=0.0, noise=0.1)": (17.374, "Greedy(penalty=0.03, start=0.5)"),
    "UnitTests(first=(2.0, 4.0), goal=0.95, spread=0.12, bias=-0.01, noise=0.0, tests=5)": (
        16.416,
        "Greedy(penalty=0.03, start=0.5)",
    ),
    "Basins(first=(1.2, 2.5), goal=0.6, share=(0.3, 0.7), chance=0.6, gain=0.6, loss=0.15)": (
        54.16,
        "Beam(n=8, m=8, rounds=4)",
    ),
}


class Rule(Protocol):
    """A search that needs nothing but scores."""

    def places(self, world: World, seed: int) -> Iterator[tuple[Place, Place]]:
        """Each draw as the place where it was made and the place that it led to, without end."""
        ...


@dataclass(frozen=True)
class Greedy:
    """Draw beneath the place of the greatest score, less `penalty` of the range for each draw that was made there.

    start: what the start counts as, a share of the range, whatever its score.
    """

    penalty: float
    start: float

    def places(self, world: World, seed: int) -> Iterator[tuple[Place, Place]]:
        rng, (low, high) = random.Random(f"{seed} draws"), world.range
        penalty = self.penalty * (high - low)
        nodes = [_Node(world.begin(seed), low + (high - low) * self.start)]
        waiting = [(-nodes[0].score, 0)]
        while True:
            _, at = waiting[0]
            node = nodes[at]
            action, node.drawn = world.draw(node.place, rng), node.drawn + 1
            place = world.after(node.place, action)
            yield node.place, place
            heapq.heapreplace(waiting, (penalty * node.drawn - node.score, at))
            if repr(action) not in node.known and not place.ended:
                nodes.append(_Node(place, _score(place)))
                heapq.heappush(waiting, (-nodes[-1].score, len(nodes) - 1))
            node.known.add(repr(action))


@dataclass
class _Node:
    place: Place
    score: float
    drawn: int = 0
    known: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Beam:
    """One beam after the other: `n` draws a round, from the best n / m places of the last one, `rounds` at most."""

    n: int
    m: int
    rounds: int = 32

    def places(self, world: World, seed: int) -> Iterator[tuple[Place, Place]]:
        rng = random.Random(f"{seed} draws")
        while True:
            level = [world.begin(seed)]
            for _ in range(self.rounds):
                made = list[Place]()
                for i in range(self.n):
                    parent = level[i % len(level)]
                    made.append(world.after(parent, world.draw(parent, rng)))
                    yield parent, made[-1]
                best = sorted((p for p in made if not p.ended), key=_score, reverse=True)
                level = best[: self.n // self.m]
                if not level:
                    break


@dataclass(frozen=True)
class Whole:
    """Whole answers, one after the other, from the start; the last step is drawn `last` times."""

    last: int = 1

    def places(self, world: World, seed: int) -> Iterator[tuple[Place, Place]]:
        rng, start = random.Random(f"{seed} draws"), world.begin(seed)
        while True:
            at = before = start
            while not at.complete:
                before, at = at, world.after(at, world.draw(at, rng))
                yield before, at
            for _ in range(self.last - 1):
                yield before, world.after(before, world.draw(before, rng))


def _score(place: Place) -> float:
    return place.score if place.score is not None else 0.0


FAMILY: tuple[Rule, ...] = (
    *(Greedy(penalty, start) for penalty in (0.0, 0.003, 0.01, 0.03, 0.1) for start in (0.0, 0.1, 0.2, 0.3, 0.5)),
    *(Beam(n, m) for n, m in ((2, 2), (4, 2), (4, 4), (8, 2), (8, 4), (8, 8), (16, 4))),
    *(Beam(n, n, rounds) for n in (2, 4, 8) for rounds in (4, 8)),
    *(Whole(last) for last in (1, 2, 4, 8)),
)


def draws(world: World, rule: Rule, seed: int, most: int = MOST) -> int:
    """Draws until `rule` has drawn a right answer; `most` if it takes as many."""
    for drawn, (_, place) in enumerate(rule.places(world, seed), 1):
        if place.right or drawn == most:
            return drawn
    raise AssertionError(f"{rule} came to an end")


def tune(world: World, heats: int = HEATS, runs: int = RUNS) -> Optimum:
    """The best rule of `FAMILY`: chosen on `heats` runs, its cost the mean of `runs` others. Cost: some seconds."""
    means = {rule: sum(draws(world, rule, seed) for seed in range(heats)) / heats for rule in FAMILY}
    best = min(means, key=lambda rule: means[rule])
    most = round(CAP * means[best])
    mean = sum(draws(world, best, seed, most) for seed in range(heats, heats + runs)) / runs
    return Optimum(mean, "tuned", repr(best))


@cache
def tuned(world: World) -> Optimum:
    """What `tune` comes to, at once where it is known."""
    known = KNOWN.get(key(world))
    return tune(world) if known is None else Optimum(known[0], "tuned", known[1])


def key(world: World) -> str:
    """A world by what its draws depend on: neither the range nor the budget."""
    told = (f"{f.name}={getattr(world, f.name)!r}" for f in fields(world) if not f.kw_only)
    return f"{type(world).__name__}({', '.join(told)})"
