"""Agent Q's rule: a critic's ranking of the actions, mixed with what search found out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from searchkit.strategies.tree.policies.descent import Descent, Widening, check
from searchkit.tree import Tree


@dataclass(frozen=True)
class AgentQ(Descent):
    """The child with the greatest Q + c * sqrt(ln N / (1 + n)), where Q = alpha * critic + (1 - alpha) * mean value.

    Give the search the critic as `prior`: a verifier that scores actions, or one with `joint` that ranks siblings. A
    child that nothing came back from has the critic's score alone. alpha = 0 ignores the critic otherwise. N and n
    count what is in flight too. Evaluate by rollouts to an outcome of 0 or 1. The idea is Agent Q's; the constants are
    ours.
    """

    alpha: float = 0.5
    c: float = 1.0
    widening: Widening | None = None

    def __post_init__(self) -> None:
        check(self, alpha=(0, 1), c=(0, math.inf))

    def rate(self, tree: Tree, parent: int, child: int, shared: float) -> float:
        critic, visits = tree.prior[child], tree.visits[child]
        mixed = self.alpha * critic + (1 - self.alpha) * (tree.mean(child) if visits else critic)
        return mixed + self.c * math.sqrt(shared / (1 + visits + tree.in_flight[child]))
