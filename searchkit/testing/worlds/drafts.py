"""Drafts: each state is a complete answer, and a draw writes the first one or revises the one at hand."""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

from searchkit.errors import ConfigError
from searchkit.testing.worlds.base import Optimum, Place, World
from searchkit.testing.worlds.optimum import tuned
from searchkit.testing.worlds.revising import revising
from searchkit.types import Budget


@dataclass(frozen=True)
class Drafts(World):
    """The first draft has a quality ~ Beta(first); a draw from a draft revises it. Nothing ends, so a budget must.

    There is no draft at the start, and so no score. goal: the quality that a draft must have to be a right answer.
    """

    first: tuple[float, float] = (2.0, 4.0)
    goal: float = 0.95
    budget: Budget = field(default=Budget(generations=32), kw_only=True)

    @property
    def optimum(self) -> Optimum:
        return tuned(self)

    def begin(self, seed: int) -> Place:
        return Place(score=None)

    def complete(self, state: Place) -> bool:
        return state.complete

    @abstractmethod
    def draw(self, place: Place, rng: random.Random) -> list[float]: ...


@dataclass(frozen=True)
class Drift(Drafts):
    """A revision adds N(bias, spread) to the quality, clipped to [0, 1]; the score is the quality, with noise.

    noise: of the score, N(0, noise), drawn once for each draft, clipped; with 0 an answer's score says whether it is
    right.
    """

    spread: float = 0.12
    bias: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.spread > 0 or self.noise < 0:
            raise ConfigError(f"spread must be above 0, noise at least 0, got {self.spread} and {self.noise}")

    @property
    def optimum(self) -> Optimum:
        """Without noise by dynamic programming over the best quality so far; else tuned."""
        if self.noise:
            return tuned(self)
        cost = revising(self.first, self.goal, self.spread, self.bias)
        return Optimum(cost, "exact", "dynamic programming over the best quality so far")

    @property
    def opens_at(self) -> float | None:
        return None if self.noise else self.scaled(self.goal)

    def draw(self, place: Place, rng: random.Random) -> list[float]:
        """The first quality, or what is added to it; and the luck of the score."""
        moved = rng.gauss(self.bias, self.spread) if place.complete else rng.betavariate(*self.first)
        return [moved, rng.gauss(0, 1)]

    def after(self, place: Place, action: list[float]) -> Place:
        """hidden: the quality."""
        quality = min(1.0, max(0.0, (place.hidden or 0.0) + action[0]))
        right, path = self.good(quality), (*place.path, tuple(action))
        score = self.scaled(self.value(quality) + self.noise * action[1])
        return Place(path, score, complete=True, worth=float(right), right=right, hidden=quality)

    def good(self, quality: float) -> bool:
        return quality >= self.goal

    def value(self, quality: float) -> float:
        """What a noiseless score says, as a share of the range."""
        return quality


@dataclass(frozen=True)
class UnitTests(Drift):
    """Drift that is seen through tests: of a hidden quality h the score is the share of `tests` passed.

    A draft passes floor((tests + 1/2) h) tests, `tests` at most; it is right if it passes all, whatever `goal` says.
    """

    bias: float = -0.01
    tests: int = 5

    @property
    def optimum(self) -> Optimum:
        return tuned(self)

    @property
    def opens_at(self) -> float | None:
        return None if self.noise else self.range[1]

    def good(self, quality: float) -> bool:
        return self.value(quality) == 1.0

    def value(self, quality: float) -> float:
        return min(1.0, math.floor((self.tests + 0.5) * quality) / self.tests)


@dataclass(frozen=True)
class Basins(Drafts):
    """Each first draft lies in a basin, whose ceiling its revisions never pass: a bad one has to be left.

    The ceiling c is ~ Beta(first), the first quality c U(share). A revision adds (c - quality) U(0, gain) with
    probability `chance`, else it takes `loss` off. The score is the quality, and so is what an answer is worth.
    """

    first: tuple[float, float] = (1.2, 2.5)
    goal: float = 0.6
    share: tuple[float, float] = (0.3, 0.7)
    chance: float = 0.6
    gain: float = 0.6
    loss: float = 0.15

    @property
    def opens_at(self) -> float | None:
        return self.scaled(self.goal)

    def draw(self, place: Place, rng: random.Random) -> list[float]:
        """The ceiling and where below it to start; or whether the revision gains, and how much."""
        if not place.complete:
            return [rng.betavariate(*self.first), rng.uniform(*self.share)]
        return [rng.random(), rng.uniform(0, self.gain)]

    def after(self, place: Place, action: list[float]) -> Place:
        """hidden: the ceiling and the quality."""
        if not place.complete:
            ceiling, quality = action[0], action[0] * action[1]
        else:
            ceiling, quality = place.hidden
            gains = action[0] < self.chance
            quality = quality + (ceiling - quality) * action[1] if gains else max(0.0, quality - self.loss)
        path: tuple[Any, ...] = (*place.path, tuple(action))
        right = quality >= self.goal
        return Place(path, self.scaled(quality), complete=True, worth=quality, right=right, hidden=(ceiling, quality))
