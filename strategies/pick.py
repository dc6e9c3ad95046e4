"""The final pick of a tree search: from which part of the tree its answer comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from searchkit.tree import NO_PARENT, ROOT, Tree
from searchkit.types import Scored

Pick = Literal["answer", "visits", "value"]


def pick(tree: Tree, ends: Sequence[tuple[int, Scored]], by: Pick) -> list[Scored]:
    """The answers to choose from, of all that were found at nodes of `tree` (`ends`).

    "answer": all. "visits": those that lie where the walk ends which takes the child with most visits at each node, of
    equals the one with the higher mean value, then the first; "value": the child with the highest mean, then visits.
    The walk passes by children below which no answer was found.
    """
    if by == "answer":
        return [answer for _, answer in ends]
    leading = {ROOT}
    for node, _ in ends:
        while node != NO_PARENT and node not in leading:
            leading.add(node)
            node = tree.parent[node]
    node = ROOT
    while below := [child for child in tree.children(node) if child in leading]:
        if by == "visits":
            node = max(below, key=lambda n: (tree.visits[n], tree.mean(n)))
        else:
            node = max(below, key=lambda n: (tree.mean(n), tree.visits[n]))
    return [answer for place, answer in ends if place == node]
