"""Steps: right while all before were, told by scores that only hint at it. Each draw is a different step."""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from dataclasses import dataclass, field
from statistics import NormalDist

from searchkit.errors import ConfigError
from searchkit.testing.worlds.base import Optimum, Place, World
from searchkit.testing.worlds.optimum import tuned
from searchkit.types import Budget

Path = tuple[tuple[float, float], ...]  # of each step the number that says whether it is right, and its luck


@dataclass(frozen=True)
class Chain(World):
    """`depth` steps, each right with `chance` while all before were. Only all the steps are an answer."""

    depth: int = 5
    chance: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth < 1 or not 0 < self.chance <= 1:
            raise ConfigError(f"depth is at least 1, chance in (0, 1], got {self.depth} and {self.chance}")

    @property
    def optimum(self) -> Optimum:
        return tuned(self)

    @abstractmethod
    def value(self, path: Path, right: bool) -> float:
        """What the score says of a path, as a share of the range. right: all its steps are."""

    def begin(self, seed: int) -> Place:
        return Place(score=self.scaled(0.5))

    def draw(self, place: Place, rng: random.Random) -> list[float]:
        """A uniform number, below `chance` if the step is right, and the luck of its score: so it is fixed."""
        return [rng.random(), rng.gauss(0, 1)]

    def after(self, place: Place, action: list[float]) -> Place:
        path = (*place.path, (action[0], action[1]))
        right, whole = all(step < self.chance for step, _ in path), len(path) == self.depth
        opens = right and whole
        return Place(path, self.scaled(self.value(path, right)), whole, whole, float(opens), opens)


@dataclass(frozen=True)
class Steps(Chain):
    """Scores are sigmoid(margin + z) on the right way, sigmoid(-margin + z) off it, z ~ N(0, 1), the last one too.

    margin: 1 is a strong scorer, 0.5 a weak one. No score is ever sure.
    """

    margin: float = 1.0
    budget: Budget = field(default=Budget(generations=80), kw_only=True)

    @property
    def opens_at(self) -> float | None:
        return None

    def value(self, path: Path, right: bool) -> float:
        return 1 / (1 + math.exp(-((self.margin if right else -self.margin) + path[-1][1])))


@dataclass(frozen=True)
class TreeOfFour(Chain):
    """Scores are `high` on the right way and `low` off it, both with much noise, clipped; the end is judged exactly."""

    depth: int = 4
    chance: float = 0.35
    low: float = 0.35
    high: float = 0.65
    noise: float = 0.25
    budget: Budget = field(default=Budget(generations=32), kw_only=True)

    def value(self, path: Path, right: bool) -> float:
        if len(path) == self.depth:
            return float(right)
        return (self.high if right else self.low) + self.noise * path[-1][1]


@dataclass(frozen=True)
class Deceptive(Chain):
    """Early scores mislead: in the first half what is wrong scores higher, then lower. The end is judged exactly.

    early, late: the mean score of a right and of a wrong step in either half, with `noise` around it.
    """

    depth: int = 4
    chance: float = 0.5
    early: tuple[float, float] = (0.5, 0.65)
    late: tuple[float, float] = (0.7, 0.35)
    noise: float = 0.1
    budget: Budget = field(default=Budget(generations=80), kw_only=True)

    def value(self, path: Path, right: bool) -> float:
        if len(path) == self.depth:
            return float(right)
        means = self.early if len(path) <= self.depth // 2 else self.late
        return means[0 if right else 1] + self.noise * path[-1][1]


@dataclass(frozen=True)
class Growing(Chain):
    """Partial credit that grows with depth, right or wrong: a right step earns 1, a wrong one less, at random.

    wrong: the least and the most that a wrong step earns. The score is the share of all credit, so that a deep wrong
    path scores above a short right one, and only an answer with all the credit is right. Steps off the right way may
    earn it too.
    """

    depth: int = 6
    chance: float = 0.4
    wrong: tuple[float, float] = (0.2, 0.8)
    budget: Budget = field(default=Budget(generations=120), kw_only=True)

    @property
    def optimum(self) -> Optimum:
        """What a step has earned says whether it is right: draw beneath the longest right path until it is longer."""
        return Optimum(self.depth / self.chance, "exact", "depth / chance of a right step")

    def begin(self, seed: int) -> Place:
        return Place(score=self.scaled(0.0))

    def value(self, path: Path, right: bool) -> float:
        (low, high), fraction = self.wrong, NormalDist().cdf
        earned = (1.0 if step < self.chance else low + (high - low) * fraction(luck) for step, luck in path)
        return sum(earned) / self.depth
