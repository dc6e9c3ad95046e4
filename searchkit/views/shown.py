"""What all views share: which nodes are shown when a tree is cut, and texts and numbers that are safe to print."""

from __future__ import annotations

import heapq
import math
import unicodedata
from dataclasses import dataclass

from searchkit.errors import ConfigError
from searchkit.tree import NO_PARENT, ROOT, Tree


@dataclass(frozen=True)
class Shown:
    """Part of a tree: some of its nodes, ascending, so parents first; and how many nodes are cut off below each."""

    nodes: list[int]
    cut: dict[int, int]


def most_visited(tree: Tree, most: int) -> Shown:
    """The `most` most visited nodes, of equals the higher scored, then the first added; with all their ancestors.

    No node is visited more often than its parent, so growing a part from the root finds them. Cost: linear in the tree.
    """
    if most < 1:
        raise ConfigError(f"a view must show at least one node: most must be >= 1, got {most}")
    kept: list[int] = []
    open_ = [_rank(tree, ROOT)]
    while open_ and len(kept) < most:
        node = heapq.heappop(open_)[-1]
        kept.append(node)
        for child in tree.children(node):
            heapq.heappush(open_, _rank(tree, child))
    return Shown(sorted(kept), _cut(tree, kept))


def _rank(tree: Tree, node: int) -> tuple[int, float, int]:
    score = tree.score[node]
    return -tree.visits[node], math.inf if math.isnan(score) else -score, node


def _cut(tree: Tree, kept: list[int]) -> dict[int, int]:
    if len(kept) == len(tree):
        return {}
    sizes = subtree_sizes(tree)
    hidden = {node: sizes[node] - 1 for node in kept}
    for node in kept:
        if tree.parent[node] != NO_PARENT:
            hidden[tree.parent[node]] -= sizes[node]
    return {node: n for node, n in hidden.items() if n}


def subtree_sizes(tree: Tree) -> list[int]:
    """For each node, how many nodes it and everything below it are."""
    sizes, parent = [1] * len(tree), tree.parent
    for node in range(len(sizes) - 1, ROOT, -1):
        sizes[parent[node]] += sizes[node]
    return sizes


def number(value: float) -> str:
    """Three significant digits; "-" for none."""
    return "-" if math.isnan(value) else f"{value:.3g}"


def counted(amount: int, word: str) -> str:
    """ "1 node", "2,000 nodes"."""
    return f"{amount:,} {word}{'' if amount == 1 else 's'}"


def mean(tree: Tree, node: int) -> float:
    """The mean value of a node, NaN where nothing was backed up."""
    return tree.mean(node) if tree.visits[node] else math.nan


def flags(tree: Tree, node: int) -> list[str]:
    """What else is to be said of a node, in words."""
    found = [word for word, column in (("end", tree.terminal), ("closed", tree.closed)) if column[node]]
    if tree.terminal[node]:
        found = ["end"]  # an end is closed anyway
    amounts = ((tree.in_flight[node], "in flight"), (tree.failures[node], "failed"))
    return found + [f"{amount} {word}" for amount, word in amounts if amount]


def one_line(text: str, columns: int) -> str:
    """`text` on one line of at most `columns` terminal columns, with every control character escaped.

    A model wrote the text: an escape sequence in it must not reach the terminal, nor a lone surrogate the encoder, nor
    a bidirectional override the rest of the line.
    """
    if columns < 1:
        return ""
    beginning = text.lstrip()[: 4 * columns + 4].rstrip()  # combining characters take no column
    line = [c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in beginning]
    used = sum(map(columns_of, line))
    if used <= columns:
        return "".join(line)
    while used > columns - 1:
        used -= columns_of(line.pop())
    return "".join(line) + "…"


def columns_of(text: str) -> int:
    """How many terminal columns a printable text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
