"""Walking down from the root to a leaf that can be expanded, by any rule that rates children."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from searchkit.tree import ROOT, Tree

Choose = Callable[[Tree, int, Sequence[int]], int]  # (tree, parent, open children) -> one of them


def descend(tree: Tree, choose: Choose) -> int | None:
    """The unexpanded leaf that `choose` leads to; None if every leaf is closed or already in flight.

    A leaf in flight cannot be expanded a second time, so a node below which nothing else is open is passed over, and
    the walk starts again.
    """
    passed: set[int] = set()
    while ROOT not in passed and not tree.closed[ROOT]:
        node = ROOT
        while tree.expanded[node]:
            open_ones = [c for c in tree.children(node) if not tree.closed[c] and c not in passed and _free(tree, c)]
            if not open_ones:
                break
            node = open_ones[0] if len(open_ones) == 1 else choose(tree, node, open_ones)
        else:
            if _free(tree, node):
                return node
        passed.add(node)
    return None


def _free(tree: Tree, node: int) -> bool:
    return bool(tree.expanded[node]) or not tree.in_flight[node]
