"""The chance that no mistake was made yet: for scores that only hint at whether a path is still right."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from searchkit.strategies.tree.policies.descent import is_free, remembered, settled
from searchkit.tree import NO_PARENT, ROOT, Tree

SLOPE = 6.0  # log-odds that the whole range spans: 20 to 1 for a mistake at its bottom, and against one at its top
RIGHT = 0.5  # chance that a step is no mistake, before it is scored
DEVIATION = 1.5  # where the range has no ends: log-odds of a score a standard deviation above the mean
GROWN = 1.125  # mean and deviation are reckoned anew when so many times as many nodes are known


@dataclass(frozen=True)
class FirstMistake:
    """The node, anywhere in the tree, with the greatest p / (1 + n): p is the chance that no step on its path was a
    mistake, n how often was drawn there.

    Steps are right until the first mistake, and after one nothing is right. So the scores of all nodes bear on each
    other: a step is likely right whose next steps score well, and one that scored well by luck is not, once they do
    not. p is exact, by passing messages up and down the tree, for this model of scores: each is independent evidence,
    with log-odds that grow linearly from -3 at the least score of the verifier's range to 3 at the greatest, and a step
    is right with chance 1/2. Both numbers matter little: halved or doubled, they cost few points. Where the range has
    no ends, log-odds are 1.5 for each standard deviation from the mean of the scores in the tree.

    Were p the mean of a Beta distribution of strength 1, p / (1 + n) would be the chance that is left after n draws
    that came to nothing (`BestChance`). n counts as greater where draws repeat themselves (`Tree.unseen`).

    It decides when a node gets more children, and wants each of them judged (`adaptive`). Cost: a walk up and down one
    path for each draw. Source: the messages are Pearl's (1988) for trees; the model is ours.
    """

    adaptive: ClassVar[bool] = True
    widens: ClassVar[bool] = True

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        known = remembered(tree, Mistakes)
        known.update(tree)
        node = known.best(tree)
        if node is not None:
            known.take(tree, node)
        return node

    def backup(self, tree: Tree, node: int, value: float) -> None:
        tree.backup(node, value)


@dataclass(slots=True)
class Mistakes:
    """What is known of each node. From its own score and all below it: `odds`, the log of how much likelier these are
    if the path is right up to here than if it is not; `message`, the same if it is right up to its parent; `right`, the
    chance that it is right if its parent is. own: 1 / (1 + n), and 0 where nothing can be drawn; below: the greatest
    own of it and all below it, each times the chance that the path from here to there is right; toward: the child in
    which that is, or would be if nothing could be drawn at the node itself.
    """

    odds: list[float] = field(default_factory=list)
    message: list[float] = field(default_factory=list)
    right: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    below: list[float] = field(default_factory=list)
    toward: list[int] = field(default_factory=list)
    told: list[float] = field(default_factory=list)  # what of `odds` is from its own score
    asked: list[int] = field(default_factory=list)  # nodes that were chosen, and may have changed since
    middle: float = 0.0  # the score that says nothing
    slope: float = 0.0  # log-odds for each unit of score above it
    reckoned: int = 0  # nodes that were known, when the two were found

    def update(self, tree: Tree) -> None:
        """Take in what has been drawn since."""
        new = range(len(self.odds), len(tree))
        for column, value in (
            (self.odds, 0.0), (self.message, 0.0), (self.right, 1.0), (self.own, 0.0), (self.below, 0.0),
            (self.told, 0.0),
        ):  # fmt: skip
            column += [value] * len(new)
        self.toward += [NO_PARENT] * len(new)
        changed, self.asked = settled(tree, self.asked)
        if not self.reckoned or (math.isinf(tree.range[1] - tree.range[0]) and len(tree) > GROWN * self.reckoned):
            self.middle, self.slope, self.reckoned = *scale(tree), len(tree)
            self._reckon(tree)
            return
        for node in (*changed, *new):
            self._look(tree, node)
        self._lift(tree, (*changed, *new))

    def _reckon(self, tree: Tree) -> None:
        """Everything anew, in two passes."""
        for column in (self.odds, self.told, self.message, self.below):
            column[:] = [0.0] * len(tree)
        for node in range(len(tree)):
            self._look(tree, node)
        for node in range(len(tree) - 1, -1, -1):
            self._settle(tree, node)

    def _look(self, tree: Tree, node: int) -> None:
        """The score of `node`, and what can be drawn there."""
        score = tree.score[node]
        says = node != ROOT and score == score and self.slope
        told = min(SLOPE, max(-SLOPE, self.slope * (score - self.middle))) if says else 0.0  # scores may have no bounds
        self.odds[node] += told - self.told[node]
        self.told[node] = told
        self.own[node] = tree.unseen(node) / (1 + tree.drawn[node]) if is_free(tree, node) else 0.0

    def _lift(self, tree: Tree, nodes: Iterable[int]) -> None:
        """What follows from `nodes`, for them and all above: for each once, since siblings come together."""
        above = set[int]()
        for node in nodes:
            while node != NO_PARENT and node not in above:
                above.add(node)
                node = tree.parent[node]
        for node in sorted(above, reverse=True):  # a child has a greater number than its parent
            self._settle(tree, node)

    def _settle(self, tree: Tree, node: int) -> None:
        """What follows from what is below `node`, and what its parent is told."""
        self._point(tree, node)
        parent = tree.parent[node]
        if parent != NO_PARENT:
            self.right[node], message = mixed(self.odds[node])
            self.odds[parent] += message - self.message[node]
            self.message[node] = message

    def _point(self, tree: Tree, node: int) -> None:
        """Where at and below `node` to draw."""
        right, below, toward, most = self.right, self.below, NO_PARENT, -1.0
        for child in tree.children(node):
            inside = right[child] * below[child]
            if inside > most:
                toward, most = child, inside
        self.toward[node], below[node] = toward, max(self.own[node], most)

    def best(self, tree: Tree) -> int | None:
        """The node of the greatest p / (1 + n); None where nothing can be drawn. Of equals the deepest."""
        node, worth = ROOT, self.below[ROOT]
        if worth <= 0:
            return None
        while (inside := self.toward[node]) != NO_PARENT and self.right[inside] * self.below[inside] >= self.own[node]:
            node = inside
        return node

    def take(self, tree: Tree, node: int) -> None:
        """`node` was chosen: until it is known what is drawn there, it is not chosen again. No score has changed."""
        self.asked.append(node)
        self.own[node] = 0.0
        while node != NO_PARENT:
            self._point(tree, node)
            node = tree.parent[node]


def scale(tree: Tree) -> tuple[float, float]:
    """The score that says nothing, and log-odds for each unit above it."""
    low, high = tree.range
    if math.isfinite(low) and math.isfinite(high):
        return (low + high) / 2, SLOPE / (high - low)
    known = [score for score in tree.score[1:] if math.isfinite(score)]
    if len(known) < 2:
        return 0.0, 0.0
    mean = math.fsum(known) / len(known)
    spread = math.sqrt(math.fsum((score - mean) ** 2 for score in known) / len(known))
    return mean, DEVIATION / spread if spread > 0 else 0.0


def mixed(odds: float) -> tuple[float, float]:
    """The chance of being right, and the log of how likely the evidence is, relative to what it is after a mistake."""
    if odds > 0:
        wrong = (1 - RIGHT) * math.exp(-odds)
        return RIGHT / (RIGHT + wrong), odds + math.log(RIGHT + wrong)
    right = RIGHT * math.exp(odds)
    return right / (right + 1 - RIGHT), math.log(right + 1 - RIGHT)
