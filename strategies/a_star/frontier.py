"""The bookkeeping of A*: the open nodes by cost, and the states reached so far. Pure: no I/O."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from searchkit.errors import BudgetExhausted
from searchkit.strategies.a_star.costs import Path
from searchkit.strategies.a_star.successors import Child, Expansion
from searchkit.tool_calls import label
from searchkit.tree import ROOT, Tree


class Frontier:
    """A tree and its open nodes: those that wait to be expanded, and the ends that wait to be the answer.

    paths, g and h: of each node; no path where an action was dropped, and to dead ends. retries: of a failed expansion.
    key: state -> what it is known by; of equal ones only the cheapest way is followed.
    """

    def __init__(self, tree: Tree, root: Path, retries: int, key: Callable[[Any], Hashable] | None) -> None:
        self.tree: Tree = tree
        self.paths: list[Path | None] = [root]
        self.g: list[float] = [0.0]
        self.h: list[float] = [0.0]
        self._retries, self._keyed = retries, key is not None
        self._keys: list[Hashable] = [None if key is None else key(root.state)]
        self._cheapest: dict[Hashable, float] = {self._keys[ROOT]: 0.0}
        self._heap = [self._rank(ROOT)]

    def _rank(self, node: int) -> tuple[bool, float, float, int]:
        """Least f, then least h, then made first; where f is unknown last."""
        g, h = self.g[node], self.h[node]
        unknown = math.isnan(g + h)
        return unknown, 0.0 if unknown else g + h, 0.0 if unknown else h, node

    def _outdone(self, node: int) -> bool:
        """True if a cheaper way to the state of this node was found after it."""
        return self._keyed and self._cheapest.get(self._keys[node], math.inf) < self.g[node]

    def first(self) -> int | None:
        """The open node that comes next; None if there is none."""
        while self._heap:
            node = self._heap[0][-1]
            if not self._outdone(node):
                return node
            heapq.heappop(self._heap)
            self.tree.close(node)
        return None

    def pop(self) -> None:
        """Take the first node out."""
        heapq.heappop(self._heap)

    def take(self, node: int, expansion: Expansion) -> None:
        """Add what expanding `node` brought; where that is nothing, and more may come, it is open again."""
        tree = self.tree
        for child in expansion.children:
            self._add(node, child)
        for action, share in expansion.dropped:
            tree.close(tree.add(node, label(action), prior=share, tokens=action.usage.generated_tokens))
            self._row(None, math.nan, math.nan, None)
        if expansion.children or expansion.whole:
            tree.fill(node)
        else:
            self.failed(node, expansion.spent)

    def failed(self, node: int, error: Exception | None) -> None:
        """Expanding `node` brought nothing: it is tried again, up to `retries` times."""
        if not isinstance(error, BudgetExhausted):
            self.tree.failures[node] += 1
        if self.tree.failures[node] > self._retries:
            self.tree.fill(node)
        else:
            heapq.heappush(self._heap, self._rank(node))

    def _row(self, path: Path | None, g: float, h: float, key: Hashable) -> None:
        self.paths.append(path)
        self.g.append(g)
        self.h.append(h)
        self._keys.append(key)

    def _add(self, parent: int, child: Child) -> None:
        tree, path, action = self.tree, child.path, child.action
        tokens = action.usage.generated_tokens
        g = self.g[parent] + child.g
        score = -f if math.isfinite(f := g + child.h) else None
        node = tree.add(
            parent, label(action), path.state, prior=path.share, terminal=path.terminal, tokens=tokens, score=score
        )
        self._row(None if child.dead else path, g, child.h, child.key)
        if score is not None:
            tree.backup(node, score)
        again = self._keyed and self._cheapest.get(child.key, math.inf) <= g
        cut = path.terminal and path.sample.truncated
        followed = not (child.dead or cut or again or f == math.inf)
        if path.terminal or not followed:
            tree.close(node)
        if followed:
            heapq.heappush(self._heap, self._rank(node))
            if not math.isnan(g):
                self._cheapest[child.key] = g

    # ---------------------------------------------------------------- what to answer

    def end(self) -> int | None:
        """The best end among the open nodes; None if there is none."""
        ends = (rank for rank in self._heap if self.tree.terminal[rank[-1]] and not self._outdone(rank[-1]))
        return min(ends, default=(None,))[-1]

    def nearest(self) -> int:
        """The unfinished node with the least h, of equals the deepest, then the first; unknown h and the root last."""

        def rank(node: int) -> tuple[bool, float, int]:
            h = self.h[node]
            return math.isnan(h), 0.0 if math.isnan(h) else h, -self.tree.depth[node]

        return min(self._unfinished(), key=rank, default=ROOT)

    def _unfinished(self) -> Iterable[int]:
        for node, path in enumerate(self.paths):
            if path is not None and node != ROOT and (not path.terminal or path.sample.truncated):
                yield node
