"""SWE-Search's rule: rate every node of the tree that may still be expanded, with hand-made terms."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from searchkit.strategies.tree.policies.descent import busy, check
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

    Use with evaluation=Children(), width=1 and expansions=5 (the release's), so that each expansion adds one child.
    With rewards of 100 the release's c = 1 explores nearly nothing; in units of 1 it does. Unscored nodes count as 0.
    With c, both depth terms and `adjust` at 0 this is best-first search. Source: SWE-Search, released ``selector.py``;
    the depth bonus is off by default.
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
        best, chosen, known = -math.inf, None, _Known(tree, self.unit)
        full, closed = tree.full, tree.closed
        for node in range(len(tree)):
            if full[node] or closed[node] or (tree.in_flight[node] and busy(tree, node)):
                continue
            rating = self._rating(tree, node, known)
            if rating > best:
                best, chosen = rating, node
        return chosen

    def backup(self, tree: Tree, node: int, value: float) -> None:
        tree.backup(node, value)

    def rating(self, tree: Tree, node: int) -> float:
        """The sum above, for one node."""
        return self._rating(tree, node, _Known(tree, self.unit))

    def _rating(self, tree: Tree, node: int, known: _Known) -> float:
        parent, score = tree.parent[node], known.score(node)
        log, above = known.above(parent)
        rating = self.w * score + self.c * math.sqrt(log / (tree.visits[node] + tree.in_flight[node] or 1))
        rating += self._deep(tree.depth[node])
        if not self.adjust:
            return rating
        children, total = tree.children(node), 0.0
        if node != ROOT and not children:
            total += 0.5 if score >= 0.5 else 0.0
            total += 0.5 - score if score < 0.5 <= above else 0.0
        if children and any(known.score(child) >= 0.75 for child in children):
            total -= 0.05
        if known.solved and known.below_solved(node):
            total -= 0.5
        repeats: int = tree.frontier[node][0]
        return rating + self.adjust * (total - 0.5 * repeats)

    def _deep(self, depth: int) -> float:
        return self.depth_bonus * math.exp(1 - depth) - self.depth_penalty * math.sqrt(depth)


class _Known:
    """What many nodes have in common, found out once a selection.

    How often the actions of a path repeat is counted once a node, and kept in the tree's `frontier`: the sum of
    (k - 1)**2 over the actions, each of which the path holds k times.
    """

    def __init__(self, tree: Tree, unit: float) -> None:
        self.tree: Tree = tree
        self.unit: float = unit
        ends = (n for n in range(1, len(tree) if 1 in tree.terminal else 0) if tree.terminal[n] and self.score(n) >= 1)
        self.solved: set[int] = {tree.parent[end] for end in ends} - {ROOT}  # the root is on no path
        self._below: dict[int, bool] = {ROOT: False}
        self._above: dict[int, tuple[float, float]] = {NO_PARENT: (0.0, 0.0)}
        for node in range(tree.rated, len(tree)):
            tree.frontier.append((self._count(node),))
        tree.rated = len(tree)

    def score(self, node: int) -> float:
        """The verifier's, in units; 0 where there is none, 1 for the root."""
        if node == ROOT:
            return 1.0
        score = self.tree.score[node]
        return score / self.unit if score == score else 0.0

    def above(self, parent: int) -> tuple[float, float]:
        """The logarithm of the visits of `parent`, those in flight included, and its score."""
        known = self._above.get(parent)
        if known is None:
            visits = self.tree.visits[parent] + self.tree.in_flight[parent]
            known = self._above[parent] = math.log(max(1, visits)), self.score(parent)
        return known

    def below_solved(self, node: int) -> bool:
        """Whether an episode ended with the full score at a child of `node`, or of a node above it but the root."""
        waiting = list[int]()
        while node not in self._below:
            waiting.append(node)
            node = self.tree.parent[node]
        found = self._below[node]
        while waiting:
            node = waiting.pop()
            found = self._below[node] = found or node in self.solved
        return found

    def _count(self, node: int) -> int:
        """The parent's sum, and what this action adds: where k equal ones are above it, k**2 - (k - 1)**2."""
        tree, parent = self.tree, self.tree.parent[node]
        if parent in (NO_PARENT, ROOT):
            return 0
        text, above = tree.text[node], parent
        before = 0
        while above != ROOT:
            before += tree.text[above] == text
            above = tree.parent[above]
        grown = before**2 - (before - 1) ** 2 if before else 0
        return int(tree.frontier[parent][0]) + grown
