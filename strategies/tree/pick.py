"""The final pick of a tree search: from which part of the tree its answer comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from searchkit.tree import NO_PARENT, ROOT, Tree
from searchkit.types import Scored

Pick = Literal["answer", "visits", "value"]


class End(NamedTuple):
    """An answer that was found. at "state": it is the state of `node`; "rollout": a rollout from there came to it;
    "dead": it is the state of `node`, and the environment gave it the least reward."""

    node: int
    answer: Scored
    at: Literal["state", "rollout", "dead"] = "state"


def pick(tree: Tree, ends: Sequence[End], by: Pick) -> list[End]:
    """The answers to choose from, of all that were found (`ends`).

    "answer": all. "visits": those that lie where the walk ends which takes the child with most visits at each node, of
    equals the one with the higher mean value, then the first; "value": the child with the highest mean, then visits.
    The walk passes by children below which no answer was found.
    """
    if by == "answer":
        return list(ends)
    leading = {ROOT}
    for end in ends:
        node = end.node
        while node != NO_PARENT and node not in leading:
            leading.add(node)
            node = tree.parent[node]
    place = walk(tree, by, leading.__contains__)
    return [end for end in ends if end.node == place]


def walk(tree: Tree, by: Pick, passes: Callable[[int], bool]) -> int:
    """Where the walk described above ends, among nodes that it `passes`."""
    node = ROOT
    while below := [child for child in tree.children(node) if passes(child)]:
        if by == "visits":
            node = max(below, key=lambda n: (tree.visits[n], tree.mean(n)))
        else:
            node = max(below, key=lambda n: (tree.mean(n), tree.visits[n]))
    return node
