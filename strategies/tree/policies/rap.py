"""Reasoning via planning: fast rewards for actions not yet tried, cumulated rewards for those that were."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from searchkit.errors import ConfigError
from searchkit.strategies.tree.policies.descent import Descent, Widening, check
from searchkit.strategies.tree.policies.uct import Q, check_q, value
from searchkit.tree import NO_PARENT, Tree


@dataclass(frozen=True)
class RAP(Descent):
    """The child with the greatest Q + w * sqrt(ln N / max(1, n)), where an untried child's Q is its prior.

    Give the search a verifier as `prior`: its score of an action is the fast reward. The verifier's score of a state,
    once it was expanded, is its reward. What is backed up to a node is the mean or the sum (`rewards`) of the rewards
    on the path from it to the leaf, its own included; Q is the best or the mean (`q`) of those.

    The released code sets rewards="mean", q="max" for GSM8K and rewards="sum", q="mean" for Blocksworld, w = 1 for
    both. Log-probabilities as rewards are unbounded: scale w with them. Source: RAP, released
    ``mcts.py``.
    """

    w: float = 1.0
    rewards: Literal["mean", "sum"] = "mean"
    q: Q = "max"
    widening: Widening | None = None

    def __post_init__(self) -> None:
        check(self, w=(0, math.inf))
        check_q(self.q)
        if self.rewards not in ("mean", "sum"):
            raise ConfigError(f'rewards is "mean" or "sum", got {self.rewards!r}')

    def rate(self, tree: Tree, parent: int, child: int, shared: float) -> float:
        known = value(tree, child, self.q) if tree.visits[child] else tree.prior[child]
        return known + self.w * math.sqrt(shared / max(1, tree.visits[child] + tree.in_flight[child]))

    def backup(self, tree: Tree, node: int, value: float) -> None:
        """Each node on the way up counts one visit of the rewards from there to `node`, whose reward is `value`."""
        total, length = value, 1
        while True:
            tree.count(node, total / length if self.rewards == "mean" else total)
            node = tree.parent[node]
            if node == NO_PARENT:
                return
            if tree.score[node] == tree.score[node]:
                total, length = total + tree.score[node], length + 1
