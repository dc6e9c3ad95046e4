"""PUCT: exploration in proportion to a prior."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from searchkit.errors import ConfigError
from searchkit.strategies.policies.descent import descend
from searchkit.tree import Tree


@dataclass(frozen=True)
class PUCT:
    """The child with the greatest Q + c * P * sqrt(N) / (1 + n), the form of AlphaMath's released code.

    P is the node's prior (see the search's `prior`), Q the mean value (`backup` "max": the best), `unvisited` where
    there is none yet. N and n count started visits, those in flight included. N is at least 1, so that priors decide at
    a fresh parent (as in R-MCTS). c is on the scale of the values: 1.25 suits values in [-1, 1]. Ties go to the first.
    """

    c: float = 1.25
    backup: Literal["mean", "max"] = "mean"
    unvisited: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.c < math.inf:
            raise ConfigError(f"PUCT needs a finite c >= 0, got {self.c}")
        if self.backup not in ("mean", "max"):
            raise ConfigError(f'backup is "mean" or "max", got {self.backup!r}')

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        return descend(tree, self._choose)

    def _choose(self, tree: Tree, parent: int, children: Sequence[int]) -> int:
        scale = self.c * math.sqrt(max(1, tree.visits[parent] + tree.in_flight[parent]))
        best, chosen = -math.inf, children[0]
        for child in children:
            visits = tree.visits[child]
            value = self.unvisited
            if visits:
                value = tree.best[child] if self.backup == "max" else tree.total[child] / visits
            rating = value + scale * tree.prior[child] / (1 + visits + tree.in_flight[child])
            if rating > best:
                best, chosen = rating, child
        return chosen
