"""UnequalCosts: ways to a right answer by cheap steps that seldom are right, or by dear ones that mostly are."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from searchkit.errors import ConfigError
from searchkit.testing.worlds.base import Optimum, Place, World
from searchkit.types import Budget


@dataclass(frozen=True)
class UnequalCosts(World):
    """The first draw takes one of the roads, each as often, for a token; then `depth` steps follow, all of that road.

    costs: generated tokens of a step, a road each; chances: that a step is right while all before were. The value is
    perfect: the share of the way if all steps so far are right, else 0. It says nothing about costs, so that a search
    which goes by values alone takes either road; counted in draws, the dear one is the shorter.
    """

    depth: int = 5
    costs: tuple[int, ...] = (1, 8)
    chances: tuple[float, ...] = (0.35, 0.9)
    budget: Budget = field(default=Budget(generated_tokens=64), kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < len(self.costs) == len(self.chances):
            raise ConfigError(f"each road has a cost and a chance, got {self.costs} and {self.chances}")

    @property
    def optimum(self) -> Optimum:
        """Draw roads until one comes that is worth its steps, then draw each of them until it is right.

        V = 1 + the mean over roads of min(steps of the road, V), solved for each number of the best roads that are
        taken. What was drawn before never helps: a dear road that is at hand is worth its steps, as it was before.
        """
        steps = sorted(self.depth * cost / chance for cost, chance in zip(self.costs, self.chances, strict=True))
        values = [(len(steps) + sum(steps[:taken])) / taken for taken in range(1, len(steps) + 1)]
        return Optimum(min(values), "exact", "optimal stopping over roads", "generated_tokens")

    def begin(self, seed: int) -> Place:
        return Place(score=self.scaled(0.0))

    def draw(self, place: Place, rng: random.Random) -> Any:
        return rng.random() if place.path else rng.randrange(len(self.costs))

    def after(self, place: Place, action: Any) -> Place:
        """hidden: the road, and whether all steps so far are right."""
        path = (*place.path, action)
        road, right = place.hidden if place.path else (action, True)
        right = right and (not place.path or action < self.chances[road])
        whole = len(path) == self.depth + 1
        opens = right and whole
        score = self.scaled(len(path) / (self.depth + 1) if right else 0.0)
        return Place(path, score, whole, whole, float(opens), opens, (road, right))

    def tokens(self, place: Place) -> int:
        return self.costs[place.hidden[0]] if place.path else 1
