"""Reservation values: draw where one more draw is worth most, at what it costs."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import ClassVar

from searchkit.strategies.tree.policies.descent import is_free, onward, remembered, settled
from searchkit.strategies.tree.policies.evidence import Evidence, normal_improvement, normal_reservation, scores_below
from searchkit.tree import ROOT, Tree

LITTLE = 0.01  # of the cost of a draw, and what it may improve is not worth speaking of
FIRST = 4  # children of the first state, before any other node gets one
GROWN = 1.125  # values are reckoned anew when so many times as many scores are known
DOWN, UP = 5.0, 2.0  # a level counts as so many halvings of the chance of a new action, from the top and from below
Value = tuple[int, float]  # which of the three kinds below, and how little it is worth among its like
Entry = tuple[Value, float, int, int]


@dataclass(frozen=True)
class Reservation:
    """The node, anywhere in the tree, with the greatest reservation value (Weitzman's index for search with recall).

    One more draw at a node with score s brings a child with score s + gain. Its reservation value is s + z, where
    E max(0, gain - z) = cost / unseen: were something worth that much in hand already, the draw would just not pay. The
    distribution of gains is what the node's own children have gained, and, weighing as much as two of them, what all
    others in the tree have (`Evidence.reservation`). unseen: the chance that a draw brings anything new
    (`Tree.unseen`), so that a node that repeats itself is passed over long before it is exhausted. cost: see
    `Evidence.cost`; it falls as the budget grows, and where scores turn out to be noise. Nothing is to be tuned: scores
    may have any scale.

    Where nothing is worth as much as the best score so far, Weitzman's rule stops. Here budget is left that is of no
    other use: the draw that improves on the best by most, on average, comes next.

    The first state gets four children before anything else; then its value is that of a normal distribution with the
    mean and the spread of what its children score. A node without a score counts as its parent. Of equal values every
    other draw goes to the highest node in the tree, and to the deepest, so that a search whose scores say nothing both
    spreads and comes to an end.

    It decides when a node gets more children, and wants each of them judged (`adaptive`). Source: Weitzman 1979,
    Optimal Search for the Best Alternative; the pooled gains and the cost are ours.
    """

    adaptive: ClassVar[bool] = True
    widens: ClassVar[bool] = True

    def knowledge(self) -> Values:
        return Values()

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        known = remembered(tree, self.knowledge)
        known.update(tree)
        node = known.best(tree)
        if node is not None:
            known.take(node)
        return node

    def backup(self, tree: Tree, node: int, value: float) -> None:
        tree.backup(node, value)


@dataclass(slots=True)
class Values:
    """What all nodes are worth, and two heaps of them: of equals the highest or the deepest first, then the one drawn
    from less often. An entry counts as long as it says what its node is worth."""

    evidence: Evidence = field(default_factory=Evidence)
    base: list[float] = field(default_factory=list)  # a node's score, or what it counts as
    value: list[Value] = field(default_factory=list)
    high: list[Entry] = field(default_factory=list)
    deep: list[Entry] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)  # nodes that were chosen, and may have changed since
    path: int | None = None  # the last node of the path that is followed while scores say nothing
    counted: list[int] = field(default_factory=list)  # samples drawn at a node, when last looked at
    made: int = 0  # and in all
    reckoned: int = -1  # scores that were known, when all values were reckoned
    spread: float = 0.0  # of the scores, then
    high_score: float = -math.inf
    cost: float = 0.0
    first: float = 0.0  # the cost of a draw in a first state without a score
    fresh: float = 0.0  # what a node is worth above its score while nothing was drawn from it

    def update(self, tree: Tree) -> None:
        """Take in what has been drawn since."""
        self.evidence.update(tree)
        new = range(len(self.base), len(tree))
        self.base += [0.0] * len(new)
        self.value += [(0, 0.0)] * len(new)
        changed, self.asked = settled(tree, self.asked)
        self.counted += [0] * len(new)
        for node in (*changed, *new):
            self.made += tree.drawn[node] - self.counted[node]
            self.counted[node] = tree.drawn[node]
        record = self.evidence.high > self.high_score
        self.high_score = self.evidence.high
        if record or self.evidence.scored > GROWN * self.reckoned:
            self.reckoned, self.spread = self.evidence.scored, self.evidence.spread
            self._reckon_all(tree)
        else:
            self._enter(tree, (*changed, *new))

    def best(self, tree: Tree) -> int | None:
        """The node of greatest value that may get a child and is not getting one; None where there is none."""
        deep = self.made % 2
        node = self._followed(tree) if deep and self.spread <= 0 else None
        return self._top(tree, -1 if deep else 1) if node is None else node

    def take(self, node: int) -> None:
        """`node` was chosen: what is known of it may change."""
        self.asked.append(node)

    def _followed(self, tree: Tree) -> int | None:
        """Where scores say nothing: the next node of the path that was begun, or of another that nobody has followed
        yet."""
        self.path = onward(tree, self.path)
        if self.path is None:
            fresh = (n for n in range(1, len(tree)) if not tree.drawn[n] and is_free(tree, n))
            self.path = min(fresh, key=lambda n: (tree.depth[n], n), default=None)
        return self.path

    def _top(self, tree: Tree, side: int) -> int | None:
        heap = self.high if side > 0 else self.deep
        while heap:
            entry = heappop(heap)
            node = entry[-1]
            if is_free(tree, node) and entry == self._entry(tree, node, side):
                return node
        return None

    def _reckon_all(self, tree: Tree) -> None:
        self.cost, self.first = self.evidence.cost(tree), self.evidence.cost(tree, reversion=0.0)
        self.fresh = self.evidence.reservation((), self.cost)
        self.high, self.deep = [], []
        self._enter(tree, range(len(tree)))

    def _enter(self, tree: Tree, nodes: Iterable[int]) -> None:
        for node in nodes:
            self._reckon(tree, node)
            heappush(self.high, self._entry(tree, node, 1))
            heappush(self.deep, self._entry(tree, node, -1))

    def _entry(self, tree: Tree, node: int, side: int) -> Entry:
        level = DOWN if side > 0 else -UP
        return self.value[node], level * tree.depth[node] - math.log2(tree.unseen(node)), tree.drawn[node], node

    def _reckon(self, tree: Tree, node: int) -> None:
        known = scores_below(tree, node)
        unseen, best = tree.unseen(node), self.high_score
        if node == ROOT:
            self.base[ROOT] = math.fsum(known) / len(known) if known else 0.0
            if tree.drawn[ROOT] < FIRST:
                self.value[ROOT] = (0, -math.inf)
            elif len(known) < 2:
                self.value[ROOT] = self._value(self.base[ROOT] - self.first / unseen, 0.0)
            else:
                worth = normal_reservation(known, self.first / unseen)
                self.value[ROOT] = self._value(worth, unseen * normal_improvement(known, best))
            return
        score = tree.score[node]
        self.base[node] = base = score if score == score else self.base[tree.parent[node]]
        gains = [s - base for s in known] if math.isfinite(base) else []
        worth = base + (self.evidence.reservation(gains, self.cost / unseen) if tree.drawn[node] else self.fresh)
        better = unseen * self.evidence.improvement(gains, best - base, tree.drawn[node]) if worth < best else 0.0
        self.value[node] = self._value(worth, better)

    def _value(self, worth: float, better: float) -> Value:
        """First what is worth as much as the best score there is; then what may still improve on it, by how much on
        average: not by next to nothing, as what is exhausted does."""
        if worth >= self.high_score:
            return 0, -worth
        return (1, -better) if better > LITTLE * self.cost else (2, -worth)
