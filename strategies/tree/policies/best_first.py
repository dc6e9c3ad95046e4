"""Best-first selection: always the most promising leaf of the whole tree."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from heapq import heappop, heappush

from searchkit.tree import NO_PARENT, ROOT, Tree


@dataclass(frozen=True)
class BestFirstRule:
    """The open leaf with the highest score; then the one proposed earlier among its siblings, then the older one.

    A leaf that has no score of its own inherits its parent's: it is evaluated when it is popped (Koh et al., Tree
    Search for Language Model Agents: scoring children before pushing them would cost a branching factor more). A parent
    without a score counts as 0.5, as the released code's root does. Where no leaf is open, the node with the highest
    score among those that may get more children.
    """

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        heap, aside, found = tree.frontier, [], None
        for node in range(tree.rated, len(tree)):
            heappush(heap, self._rank(tree, node))
        tree.rated = len(tree)
        while heap and found is None:
            entry = heappop(heap)
            node = entry[-1]
            if tree.expanded[node] or tree.closed[node]:
                continue
            if tree.in_flight[node]:
                aside.append(node)
            elif entry != (rank := self._rank(tree, node)):
                heappush(heap, rank)
            else:
                found = node
        for node in aside if found is None else (*aside, found):
            heappush(heap, (-math.inf, 0, node))  # it may come back, with a score of its own: ranked anew next time
        return self._again(tree) if found is None and not aside else found

    def backup(self, tree: Tree, node: int, value: float) -> None:
        tree.backup(node, value)

    def _rank(self, tree: Tree, node: int) -> tuple[float, int, int]:
        parent, score = tree.parent[node], tree.score[node]
        if score != score and parent != NO_PARENT:
            score = tree.score[parent]
        rank = 0 if node == ROOT else tree.children(parent).index(node)
        return -(score if score == score else 0.5), rank, node

    def _again(self, tree: Tree) -> int | None:
        """The best node that may get more children and is not getting them now."""
        nodes = [n for n in range(len(tree)) if tree.expanded[n] and not tree.full[n] and not tree.in_flight[n]]
        return min(nodes, key=lambda n: (self._rank(tree, n)[0], n), default=None)
