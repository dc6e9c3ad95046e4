"""PUCT: exploration in proportion to a prior."""

from __future__ import annotations

import math
from dataclasses import dataclass

from searchkit.strategies.tree.policies.descent import Descent, Widening, check
from searchkit.strategies.tree.policies.uct import Q, check_q, value
from searchkit.tree import Tree


@dataclass(frozen=True)
class PUCT(Descent):
    """The child with the greatest Q + c * P * sqrt(N) / (1 + n), the form of AlphaMath's released code.

    P is the node's prior (see the search's `prior`), Q the mean value (`q` "max": the best), `unvisited` where there is
    none yet. N and n count started visits, those in flight included. N is at least 1, so that priors decide at a fresh
    parent. c is on the scale of the values: AlphaMath's is 1.25 at inference and 1.5 in training, for values in
    [-1, 1]; R-MCTS's released code has c = 1 and the frequency of the action as P. widening: when a node gets more
    children. Ties go to the first.
    """

    c: float = 1.25
    q: Q = "mean"
    unvisited: float = 0.0
    widening: Widening | None = None

    def __post_init__(self) -> None:
        check(self, c=(0, math.inf), unvisited=(-math.inf, math.inf))
        check_q(self.q)

    def shared(self, tree: Tree, parent: int) -> float:
        """c * sqrt(N)."""
        return self.c * math.sqrt(max(1, tree.visits[parent] + tree.in_flight[parent]))

    def rate(self, tree: Tree, parent: int, child: int, shared: float) -> float:
        visits = tree.visits[child]
        known = value(tree, child, self.q) if visits else self.unvisited
        return known + shared * tree.prior[child] / (1 + visits + tree.in_flight[child])
