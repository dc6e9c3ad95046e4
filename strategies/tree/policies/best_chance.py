"""The best chance of all: for scores that say how likely what is judged comes to a right answer."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import ClassVar

from searchkit.strategies.tree.policies.descent import is_free, remembered, settled
from searchkit.tree import NO_PARENT, Tree


@dataclass(frozen=True)
class BestChance:
    """The node, anywhere in the tree, with the greatest p / (1 + n): its score, and how often was drawn there.

    Were p the mean of a Beta distribution of strength 1, this would be the chance that is left after n draws that came
    to nothing. So a good node is drawn from more often, never for ever, and a search whose scores know little spreads
    as sampling does. A node without a score counts as its parent, and 0.5 where that has none: once drawn it is
    followed to its end, and judged on the way. Of equal nodes those drawn from least come
    first, and of these the newest.
    """

    widens: ClassVar[bool] = True

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        return remembered(tree, _Chances).best(tree)

    def backup(self, tree: Tree, node: int, value: float) -> None:
        tree.backup(node, value)


@dataclass(slots=True)
class _Chances:
    base: list[float] = field(default_factory=list)  # a node's score, or what it counts as
    heap: list[tuple[float, int, int]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)  # nodes that were chosen, and may have changed since

    def best(self, tree: Tree) -> int | None:
        new = range(len(self.base), len(tree))
        self.base += [0.5] * len(new)
        changed, self.asked = settled(tree, self.asked)
        for node in (*changed, *new):
            self._enter(tree, node)
        found = self._top(tree)
        if found is None:  # nodes that were set aside may have been taken up again
            for node in range(len(tree)):
                self._enter(tree, node)
            found = self._top(tree)
        if found is not None:
            self.asked.append(found)
        return found

    def _enter(self, tree: Tree, node: int) -> None:
        score, parent = tree.score[node], tree.parent[node]
        self.base[node] = score if score == score else 0.5 if parent == NO_PARENT else self.base[parent]
        heappush(self.heap, self._entry(tree, node))

    def _top(self, tree: Tree) -> int | None:
        while self.heap:
            entry = heappop(self.heap)
            node = -entry[-1]
            if is_free(tree, node) and entry == self._entry(tree, node):
                return node
        return None

    def _entry(self, tree: Tree, node: int) -> tuple[float, int, int]:
        return -self.base[node] / (1 + tree.drawn[node]), tree.drawn[node], -node
