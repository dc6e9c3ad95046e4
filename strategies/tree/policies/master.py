"""MASTER's rule: a first assessment counts as so many visits as it is trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass

from searchkit.strategies.tree.policies.descent import Descent, Widening, check, started
from searchkit.tree import Tree


@dataclass(frozen=True)
class MASTER(Descent):
    """UCT with n + confidence visits, of which `confidence` had the value of the node's first assessment, its prior.

    Q = (confidence * prior + total) / (confidence + n), exploration c * sqrt(ln N / (confidence + n)). Give the search
    the judge as `prior`. As confidence grows Q is pinned to the assessment; 0 is plain UCT. An agent's own assessment
    is not the truth: compare it with what came of the node. In MASTER a score with a confidence replaces
    rollouts; how the two enter the bound is our reading.
    """

    confidence: float = 1.0
    c: float = 1.0
    widening: Widening | None = None

    def __post_init__(self) -> None:
        check(self, confidence=(0, math.inf), c=(0, math.inf))

    def rate(self, tree: Tree, parent: int, child: int, shared: float) -> float | None:
        known = self.confidence + tree.visits[child]
        n = known + tree.in_flight[child] or started(tree, child)
        if not n:
            return None
        total = self.confidence * tree.prior[child] + tree.total[child]
        return (total / known if known else tree.mean(parent)) + self.c * math.sqrt(shared / n)
