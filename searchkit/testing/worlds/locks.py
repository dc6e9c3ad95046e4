"""Locks: only one digit in each place is right, and each draw is one digit."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from statistics import NormalDist

from searchkit.errors import ConfigError
from searchkit.testing.worlds.base import Optimum, Place, World
from searchkit.testing.worlds.optimum import tuned
from searchkit.types import Budget

RIGHT = 0  # the right digit of every place: draws do not know it


@dataclass(frozen=True)
class Lock(World):
    """`digits` places, `options` digits to choose from. The value is perfect: the share of the digits that are there if
    all of them are right, else 0. Equal digits are equal actions; only all the digits are an answer.
    """

    digits: int = 6
    options: int = 10
    budget: Budget = field(default=Budget(generations=240), kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.digits < 1 or self.options < 1:
            raise ConfigError(f"a lock has digits and options, got {self.digits} and {self.options}")

    @property
    def chance(self) -> float:
        """That a draw is the right digit."""
        return 1 / self.options

    @property
    def optimum(self) -> Optimum:
        """Draw beneath the longest right beginning until it is longer: a geometric number of draws for each digit."""
        return Optimum(self.digits / self.chance, "exact", "digits / chance of the right digit")

    def begin(self, seed: int) -> Place:
        return Place(score=self.scaled(0.0), hidden=seed)

    def draw(self, place: Place, rng: random.Random) -> int:
        return rng.randrange(self.options)

    def after(self, place: Place, action: int) -> Place:
        path = (*place.path, action)
        right, whole = all(digit == RIGHT for digit in path), len(path) == self.digits
        score = self.scaled(self.value(path, right, place.hidden))
        opens = right and whole
        return Place(path, score, whole, whole, float(opens), opens, place.hidden)

    def value(self, path: tuple[int, ...], right: bool, seed: int) -> float:
        """What the score says of a beginning, as a share of the range."""
        return len(path) / self.digits if right else 0.0


@dataclass(frozen=True)
class Wide(Lock):
    """A lock with many options and few places: almost all that is drawn is wrong."""

    digits: int = 2
    options: int = 40
    budget: Budget = field(default=Budget(generations=320), kw_only=True)


@dataclass(frozen=True)
class Deep(Lock):
    """A lock with few options and many places: the way is long."""

    digits: int = 24
    options: int = 2
    budget: Budget = field(default=Budget(generations=192), kw_only=True)


@dataclass(frozen=True)
class Duplicates(Lock):
    """A lock whose draws repeat themselves: digit i has log-odds of -i / temperature, and the right one is rare.

    rank: how many digits are drawn more often than the right one. temperature: above 0; the lower, the more often the
    same digits.
    """

    digits: int = 4
    options: int = 6
    temperature: float = 1.0
    rank: int = 2
    budget: Budget = field(default=Budget(generations=190), kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0:
            raise ConfigError(f"temperature must be above 0, got {self.temperature}: at 0 the lock never opens")
        if not 0 <= self.rank < self.options:
            raise ConfigError(f"rank is one of {self.options} options, from 0, got {self.rank}")

    @property
    def chance(self) -> float:
        weights = self._weights()
        return weights[self.rank] / sum(weights)

    def draw(self, place: Place, rng: random.Random) -> int:
        [drawn] = rng.choices(range(self.options), self._weights())
        return (drawn - self.rank) % self.options  # so that the right one is `RIGHT`

    def _weights(self) -> list[float]:
        return [math.exp(-i / self.temperature) for i in range(self.options)]


@dataclass(frozen=True)
class NoisyLock(Lock):
    """A lock whose value of a beginning carries noise, drawn once for each; the end is judged exactly."""

    noise: float = 0.05
    budget: Budget = field(default=Budget(generations=400), kw_only=True)

    @property
    def optimum(self) -> Optimum:
        return tuned(self)

    @property
    def auroc(self) -> float:
        """The chance that a right beginning scores above its wrong sibling (ties: half), over all places but the last.

        By numerical integration over the score of the right one, with the atoms that clipping makes at 0 and 1.
        """
        places = range(1, self.digits)
        return sum(self._above(place / self.digits) for place in places) / len(places) if places else 1.0

    def value(self, path: tuple[int, ...], right: bool, seed: int) -> float:
        value = super().value(path, right, seed)
        if len(path) == self.digits:
            return value
        return value + random.Random(f"{seed} {path}").gauss(0, self.noise)

    def _above(self, value: float, steps: int = 2000) -> float:
        if self.noise == 0:
            return 1.0
        right, wrong = NormalDist(value, self.noise), NormalDist(0, self.noise)
        inside = sum(
            (right.cdf((i + 1) / steps) - right.cdf(i / steps)) * wrong.cdf((i + 0.5) / steps) for i in range(steps)
        )
        at_least, at_most = right.cdf(0) * wrong.cdf(0), (1 - right.cdf(1)) * (1 - wrong.cdf(1))
        return inside + at_least / 2 + (1 - right.cdf(1)) * wrong.cdf(1) + at_most / 2


@dataclass(frozen=True)
class SparseLock(Lock):
    """A lock of which only the end is scored."""

    digits: int = 3
    options: int = 4
    budget: Budget = field(default=Budget(generations=270), kw_only=True)

    @property
    def optimum(self) -> Optimum:
        return tuned(self)

    @property
    def reference(self) -> float:
        """What whole answers cost, drawn one after the other until one is right."""
        return self.digits / self.chance**self.digits

    def value(self, path: tuple[int, ...], right: bool, seed: int) -> float:
        return float(right and len(path) == self.digits)
