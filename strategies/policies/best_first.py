"""Best-first selection: always the most promising leaf of the whole tree."""

from __future__ import annotations

import random
from dataclasses import dataclass

from searchkit.tree import NO_PARENT, ROOT, Tree


@dataclass(frozen=True)
class BestFirstRule:
    """The open leaf whose parent has the highest score; then the one proposed earlier among its siblings, then the
    older one.

    A leaf has no score of its own: it is evaluated when it is popped, and until then inherits its parent's (Koh et al.,
    Tree Search for Language Model Agents: scoring children before pushing them would cost a branching factor more). A
    parent without a score counts as 0.5, as the released code's root does.
    """

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        best: tuple[float, int, int] | None = None
        for node in range(len(tree)):
            if tree.expanded[node] or tree.closed[node] or tree.in_flight[node]:
                continue
            parent = tree.parent[node]
            score = 0.5 if parent == NO_PARENT or tree.score[parent] != tree.score[parent] else tree.score[parent]
            rank = 0 if node == ROOT else tree.children(parent).index(node)
            if best is None or (-score, rank, node) < best:
                best = -score, rank, node
        return None if best is None else best[2]
