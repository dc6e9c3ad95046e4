"""Agent Q's rule: a critic's ranking of the actions, mixed with what search found out."""

from __future__ import annotations

import math
from collections.abc import Sequence
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

    def rates(self, tree: Tree, parent: int, children: Sequence[int]) -> list[float]:
        log = math.log(max(1, tree.visits[parent] + tree.in_flight[parent]))
        return [
            self._mixed(tree, child) + self.c * math.sqrt(log / (1 + tree.visits[child] + tree.in_flight[child]))
            for child in children
        ]

    def _mixed(self, tree: Tree, child: int) -> float:
        critic = tree.prior[child]
        return self.alpha * critic + (1 - self.alpha) * (tree.mean(child) if tree.visits[child] else critic)
