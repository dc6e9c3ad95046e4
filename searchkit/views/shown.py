"""What is said of a node, in all views of a tree."""

from __future__ import annotations

import math

from searchkit.tree import Tree


def mean(tree: Tree, node: int) -> float:
    """The mean value of a node, NaN where nothing was backed up."""
    return tree.mean(node) if tree.visits[node] else math.nan


def flags(tree: Tree, node: int) -> list[str]:
    """What else is to be said of a node, in words."""
    found = [word for word, column in (("end", tree.terminal), ("closed", tree.closed)) if column[node]]
    if tree.terminal[node]:
        found = ["end"]  # an end is closed anyway
    amounts = ((tree.in_flight[node], "in flight"), (tree.failures[node], "failed"))
    found += [f"{amount} {word}" for amount, word in amounts if amount]
    joined = len(tree.joined.get(node, ()))
    return [*found, f"made from {joined + 1}"] if joined else found
