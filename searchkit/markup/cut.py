"""Which nodes of a search tree are shown where not all can be: the most visited ones."""

from __future__ import annotations

import heapq
import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from searchkit.errors import ConfigError
from searchkit.kinds import told


class Columns(Protocol):
    """What is shown of a tree, one row a node, see `Tree`. Node 0 is the root, whose parent is -1."""

    @property
    def parent(self) -> Sequence[int]: ...
    @property
    def visits(self) -> Sequence[int]: ...
    @property
    def score(self) -> Sequence[float]: ...
    @property
    def text(self) -> Sequence[str]: ...
    @property
    def answer(self) -> int: ...
    @property
    def feedback(self) -> Mapping[int, str]: ...
    def children(self, node: int) -> Sequence[int]: ...
    def mean(self, node: int) -> float: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Shown:
    """Part of a tree: some of its nodes, ascending, so parents first; and how many nodes are cut off below each."""

    nodes: list[int]
    cut: dict[int, int]


def most_visited(tree: Columns, most: int) -> Shown:
    """The path to the answer, and the most visited nodes, of equals the higher scored, then the first added: `most` in
    all, with all their ancestors.

    No node is visited more often than its parent, so growing a part from the root finds them. Cost: linear in the tree.
    Raises `ConfigError` for what is no tree.
    """
    if not hasattr(tree, "visits"):
        raise ConfigError(
            f"a view shows a search tree, such as `result.tree` of MCTS, got {told(tree)}; a search that grows none is "
            "shown by print(result.trace.render())"
        )
    if most < 1:
        raise ConfigError(f"a view must show at least one node: most must be >= 1, got {most}")
    first, node = set[int](), tree.answer
    while node >= 0:
        first.add(node)
        node = tree.parent[node]
    kept: list[int] = []
    open_ = [_rank(tree, 0, first)]
    while open_ and len(kept) < most:
        node = heapq.heappop(open_)[-1]
        kept.append(node)
        for child in tree.children(node):
            heapq.heappush(open_, _rank(tree, child, first))
    return Shown(sorted(kept), _cut(tree, kept))


def _rank(tree: Columns, node: int, first: Container[int]) -> tuple[bool, int, float, int]:
    score = tree.score[node]
    return node not in first, -tree.visits[node], math.inf if math.isnan(score) else -score, node


def _cut(tree: Columns, kept: list[int]) -> dict[int, int]:
    if len(kept) == len(tree):
        return {}
    sizes = subtree_sizes(tree)
    hidden = {node: sizes[node] - 1 for node in kept}
    for node in kept:
        if node:  # the root has no parent
            hidden[tree.parent[node]] -= sizes[node]
    return {node: n for node, n in hidden.items() if n}


def subtree_sizes(tree: Columns) -> list[int]:
    """For each node, how many nodes it and everything below it are."""
    sizes, parent = [1] * len(tree), tree.parent
    for node in range(len(sizes) - 1, 0, -1):
        sizes[parent[node]] += sizes[node]
    return sizes
