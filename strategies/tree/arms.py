"""AB-MCTS-A's rule: at every node, generate one more child or continue with one that is there."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence

from searchkit.strategies.common.thompson import Arm, Beta, Draw, Gaussian, thompson
from searchkit.tree import ROOT, Tree


class Arms:
    """The arms at all nodes of `tree`, and one for each of `sources` generators.

    A node has an arm GEN (one more child) and an arm CONT (go on with a child), and each child is an arm by itself. A
    reward is told to the new child's own arm and to GEN of its parent; then, for each edge from the parent up, to the
    arm of the lower node and to CONT of the upper one. GEN of higher nodes is not told: what lies deeper says nothing
    about one more child there. Source: the released code of AB-MCTS (treequest, ``ab_mcts_a``).

    best: the rewards of a child's arm all count as the best at or below it, those of CONT as the best of its children,
    so that a poor draft says nothing against the one that it revised.
    """

    def __init__(self, tree: Tree, prior: Gaussian | Beta, draw: Draw, sources: int, best: bool = False) -> None:
        self.tree: Tree = tree
        self.gen: defaultdict[int, Arm] = defaultdict(Arm)  # made when they are asked for: most nodes are leaves
        self.cont: defaultdict[int, Arm] = defaultdict(Arm)
        self.child: list[Arm] = []  # the root's is never used
        self.source: list[Arm] = [Arm() for _ in range(sources)]
        # Of nodes with children that can be continued: those children, and their arms.
        self._open: list[tuple[list[int], list[Arm]] | None] = []
        self._prior: Gaussian | Beta = prior
        self._draw: Draw = draw
        self._leveled: bool = best
        self._high: list[float] = []  # the greatest reward at or below each node,
        self._below: list[float] = []  # and below it
        self.grow()

    def grow(self) -> None:
        """Give arms to the nodes that the tree has got since. What is closed by then is never continued."""
        tree = self.tree
        for node in range(len(self.child), len(tree)):
            self.child.append(Arm())
            self._open.append(None)
            self._high.append(-math.inf)
            self._below.append(-math.inf)
            if node != ROOT and not tree.closed[node]:
                parent = tree.parent[node]
                children, arms = self._open[parent] = self._open[parent] or ([], [])
                children.append(node)
                arms.append(self.child[node])

    def select(self, rng: random.Random) -> tuple[int, int] | None:
        """The node that gets one more child, and the generator that writes it.

        None where the walk ends at a node whose first child is under way: whether to widen there or to go deeper can
        be known only when it is there.
        """
        tree, node = self.tree, ROOT
        while (below := self._open[node]) is not None:
            if self._best((self.gen[node], self.cont[node]), rng) == 0:
                break
            children, arms = below
            node = children[self._best(arms, rng)]
        if tree.in_flight[node] and not tree.children(node):
            return None
        return node, self._best(self.source, rng) if len(self.source) > 1 else 0

    def _best(self, arms: Sequence[Arm], rng: random.Random) -> int:
        return thompson(arms, self._prior, self._draw, rng)

    def tell(self, node: int, reward: float) -> None:
        """`node` is new, and brought `reward`, in [0, 1]."""
        new = node
        self.child[node].tell(reward)
        node = self.tree.parent[node]
        self.gen[node].tell(reward)
        while node != ROOT:
            self.child[node].tell(reward)
            node = self.tree.parent[node]
            self.cont[node].tell(reward)
        if self._leveled:
            self._level(new, reward)

    def _level(self, node: int, reward: float) -> None:
        """`reward` is new at `node`: level the arms from there up."""
        high, below = self._high, self._below
        high[node] = reward
        while node != ROOT:
            self.child[node].level(high[node])
            parent = self.tree.parent[node]
            high[parent] = max(high[parent], high[node])
            below[parent] = max(below[parent], high[node])
            self.cont[parent].level(below[parent])
            node = parent
