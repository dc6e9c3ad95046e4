"""SWE-Search's rule: rate every node of the tree that may still be expanded, with hand-made terms."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from searchkit.strategies.policies.descent import check
from searchkit.tree import NO_PARENT, ROOT, Tree


@dataclass(frozen=True)
class SWESearch:
    """The node, anywhere in the tree, with the greatest

    w * score + c * sqrt(ln N(parent) / N) + depth_bonus * exp(1 - depth) - depth_penalty * sqrt(depth) + adjustments.

    A node's score is the verifier's, in units of `unit`: the score that stands for the release's 100. The root's is 1.
    Adjustments (in the same units, times `adjust`): + 0.5 for a leaf with a score of 0.5 or more; - 0.05 if a child has
    0.75 or more; for a leaf under a parent with 0.5 or more that is worse than it, 0.5 less its score; - 0.5 below or
    at a node from which an episode ended with the full score; - 0.5 (k - 1)**2 for each action that the path to it
    holds k times. Duplicate children need no term: the search merges them.

    Use with evaluate="children", width=1 and expansions=5 (the release's), so that each expansion adds one child. With
    rewards of 100 the release's c = 1 explores nearly nothing; in units of 1 it does. Unscored nodes count as 0. With
    c, both depth terms and `adjust` at 0 this is best-first search. Source: SWE-Search, released ``selector.py``; the
    depth bonus is off by default.
    """

    w: float = 1.0
    c: float = 1.0
    depth_bonus: float = 0.0
    depth_penalty: float = 0.008
    adjust: float = 1.0
    unit: float = 1.0

    def __post_init__(self) -> None:
        bounds = dict.fromkeys(("w", "c", "depth_bonus", "depth_penalty", "adjust"), (0.0, math.inf))
        check(self, **bounds, unit=(1e-300, math.inf))

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        best, chosen = -math.inf, None
        for node in range(len(tree)):
            if tree.full[node] or tree.closed[node] or self._busy(tree, node):
                continue
            rating = self.rating(tree, node)
            if rating > best:
                best, chosen = rating, node
        return chosen

    def backup(self, tree: Tree, node: int, value: float) -> None:
        tree.backup(node, value)

    def rating(self, tree: Tree, node: int) -> float:
        """The sum above, for one node."""
        depth, parent = tree.depth[node], tree.parent[node]
        above = 1 if parent == NO_PARENT else max(1, tree.visits[parent] + tree.in_flight[parent])
        explored = math.sqrt(math.log(above) / max(1, tree.visits[node] + tree.in_flight[node]))
        rating = self.w * self._score(tree, node) + self.c * explored
        rating += self.depth_bonus * math.exp(1 - depth) - self.depth_penalty * math.sqrt(depth)
        return rating + (self.adjust * self._adjustment(tree, node) if self.adjust else 0.0)

    def _score(self, tree: Tree, node: int) -> float:
        if node == ROOT:
            return 1.0
        score = tree.score[node]
        return score / self.unit if score == score else 0.0

    def _adjustment(self, tree: Tree, node: int) -> float:
        score, children = self._score(tree, node), tree.children(node)
        total = 0.0
        if node != ROOT and not children:
            total += 0.5 if score >= 0.5 else 0.0
            above = self._score(tree, tree.parent[node])
            total += 0.5 - score if above >= 0.5 > score else 0.0
        if any(self._score(tree, child) >= 0.75 for child in children):
            total -= 0.05
        path = tree.path(node)[1:]
        if any(tree.terminal[c] and self._score(tree, c) >= 1 for n in path for c in tree.children(n)):
            total -= 0.5
        actions = [tree.text[n] for n in path]
        return total - 0.5 * sum((actions.count(action) - 1) ** 2 for action in set(actions))

    def _busy(self, tree: Tree, node: int) -> bool:
        return tree.in_flight[node] > sum(tree.in_flight[child] for child in tree.children(node))
