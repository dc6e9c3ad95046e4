"""UCT whose constants come from the tree: for scores of any scale, drawing one child at a time."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import ClassVar

from searchkit.strategies.tree.policies.descent import busy, is_free, onward, remembered
from searchkit.strategies.tree.policies.evidence import Evidence, scores_below
from searchkit.tree import NO_PARENT, ROOT, Tree

SURE, UNSURE = 0.2, 0.4  # exploration, in shares of the spread, where no gain or every gain is taken back
GROWN = 1.125  # values are reckoned anew when the spread is so many times as great
FLAT = 1.5  # where scores say nothing: visits of a node for each draw from it


@dataclass(frozen=True)
class AdaptiveUCT:
    """UCT over the children of a node, and one arm more: another child.

    A child is worth the best state at or below it that may still be drawn from; the arm of another child what the
    node's own score says, less the cost of a draw for each draw that a new action will take (`Tree.unseen`). To both
    c * spread * sqrt(ln N / n) is added, with n the visits of the child, or the draws from the node. spread: the
    greatest less the least score in the tree, so that scores may have any scale. c: 0.2 where scores stay what they
    are, up to 0.4 where children lose again what their parents had gained (`Evidence.reversion`): what is noise must
    not be followed too closely.

    While all scores are equal, a path once begun is followed to its end, and a node gets a child for every 1.5 of its
    visits, fewer when it repeats itself.

    Backing up the best, not the mean, is right for scores that say how good a state is: a wrong child says nothing
    against its parent. It decides when a node gets more children, and wants each of them judged (`adaptive`). Source:
    UCT is Kocsis and Szepesvari's; an untried child that counts as its parent is known as first-play urgency (Gelly and
    Wang 2006); the constants are ours.
    """

    adaptive: ClassVar[bool] = True
    widens: ClassVar[bool] = True

    def knowledge(self) -> Worths:
        return Worths()

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
class Worths:
    """own: what one more draw at a node is worth; below: the best of that at and below it."""

    evidence: Evidence = field(default_factory=Evidence)
    base: list[float] = field(default_factory=list)  # a node's score, or what it counts as
    own: list[float] = field(default_factory=list)
    below: list[float] = field(default_factory=list)
    drawn: list[int] = field(default_factory=list)  # samples drawn at a node, when last looked at
    visits: list[int] = field(default_factory=list)  # those drawn at and below it, and itself
    asked: list[int] = field(default_factory=list)  # nodes that were chosen, and may have changed since
    path: int | None = None  # the last node that was chosen
    spread: float = 0.0
    cost: float = 0.0
    c: float = 0.0

    def update(self, tree: Tree) -> None:
        """Take in what has been drawn since."""
        evidence = self.evidence
        evidence.update(tree)
        begun = len(self.base)
        for column in (self.base, self.own, self.below):
            column += [-math.inf] * (len(tree) - begun)
        self.drawn += [0] * (len(tree) - begun)
        self.visits += [1] * (len(tree) - begun)
        changed = [*dict.fromkeys(self.asked), *range(begun, len(tree))]
        for node in changed:
            self._count(tree, node)
        self.asked = [node for node in self.asked if busy(tree, node)]
        self.c = SURE + (UNSURE - SURE) * evidence.reversion
        if evidence.spread > GROWN * self.spread or begun == 0:
            self.spread, changed = evidence.spread, list(range(len(tree)))
            self.cost = evidence.cost(tree)
        for node in sorted(changed):
            self._reckon(tree, node)
        for node in sorted(changed, reverse=True):
            self._lift(tree, node)

    def _count(self, tree: Tree, node: int) -> None:
        new, self.drawn[node] = tree.drawn[node] - self.drawn[node], tree.drawn[node]
        while new and node != NO_PARENT:
            self.visits[node] += new
            node = tree.parent[node]

    def _reckon(self, tree: Tree, node: int) -> None:
        score, parent = tree.score[node], tree.parent[node]
        if score != score:
            known = scores_below(tree, node)
            mean = math.fsum(known) / len(known) if known else 0.0
            score = mean if parent == NO_PARENT else self.base[parent]
        self.base[node] = score
        done = tree.closed[node] or tree.full[node]
        self.own[node] = -math.inf if done else score - self.cost * (1 / tree.unseen(node) - 1)

    def _lift(self, tree: Tree, node: int) -> None:
        """Tell `node` and what is above it how good the best below is."""
        below = self.below
        while node != NO_PARENT:
            best, children = self.own[node], tree.children(node)
            if children:
                best = max(best, max(map(below.__getitem__, children)))
            if best == below[node]:
                return
            below[node] = best
            node = tree.parent[node]

    @property
    def made(self) -> int:
        """Samples drawn in all."""
        return self.visits[ROOT] - 1

    def take(self, node: int) -> None:
        """`node` was chosen: what is known of it may change, and the path that is followed goes on there."""
        self.path = node
        self.asked.append(node)

    def best(self, tree: Tree) -> int | None:
        """Down from the root to where another child is the best arm; None where all that is open is in flight."""
        if self.spread <= 0 and (followed := onward(tree, self.path)) is not None:
            return followed
        passed: set[int] = set()
        closed = tree.closed
        while ROOT not in passed and not closed[ROOT]:
            node = ROOT
            while True:
                open_ones = [c for c in tree.children(node) if not closed[c]]
                if passed:
                    open_ones = [c for c in open_ones if c not in passed]
                free = is_free(tree, node)
                if not open_ones and not free:
                    passed.add(node)
                    break
                child = self._choose(tree, node, open_ones, free) if open_ones else None
                if child is None:
                    return node
                node = child
        return None

    def _choose(self, tree: Tree, node: int, open_ones: list[int], free: bool) -> int | None:
        """The best of the open children; None for one more, where that is free."""
        visits, drawn = self._started(tree, node), tree.drawn[node]
        if self.spread <= 0:
            if free and FLAT * drawn <= visits * math.cbrt(tree.unseen(node)):
                return None
            return min(open_ones, key=lambda c: (self._started(tree, c), -c))
        explore = self.c * self.spread * math.sqrt(math.log(max(2, visits)))
        below, seen, flying, root = self.below, self.visits, tree.in_flight, math.sqrt
        rated = [below[c] + explore / root(seen[c] + flying[c]) for c in open_ones]
        worth = max(rated)
        if free and drawn and self.own[node] + explore / root(drawn) >= worth:
            return None
        return open_ones[rated.index(worth)]

    def _started(self, tree: Tree, node: int) -> int:
        return self.visits[node] + tree.in_flight[node]
