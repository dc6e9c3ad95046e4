"""Value targets of ReST-MCTS*: what a value model shall say of a text so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from searchkit.export.recipes import at_node
from searchkit.export.records import Target
from searchkit.export.trajectory import Grown, Material
from searchkit.tree import NO_PARENT, ROOT


@dataclass(frozen=True)
class Values:
    """The value of every node of trees that have a right end (ReST-MCTS*, Zhang et al. 2024, section 3.2).

    v = 0 at the root; v_k = max(0, v_{k-1} + r_k * (1 - v_{k-1}) / m_k), where r_k is 1 if a right end lies at or
    below the step and -1 if not, and m_k how many steps are left to the nearest right end, this one counted; a step
    with none below takes the m of its nearest ancestor that has one, as the released code does. So v is 1 exactly at a
    right end and grows along the way there. right: an end is right if its value is at least that. Trees that have none
    are left out and counted: m is unknown there. Where a tree is shallow, m is an upper bound. Cost: linear in the
    nodes.
    """

    right: float = 1.0

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Target]:
        for grown in material.trees:
            found = targets(grown, self.right)
            if found is None:
                dropped["tree without a right end"] += 1
                continue
            for node in range(1, len(grown.tree)):
                yield Target(material.prompt, grown.prefix(node), found[node], at_node(grown, node))


def targets(grown: Grown, right: float = 1.0) -> list[float] | None:
    """The target of every node, by its number; None if the tree has no right end."""
    tree = grown.tree
    left = _left(grown, right)
    if (whole := left[ROOT]) is None:
        return None
    values, steps = [0.0] * len(tree), [whole + 1] * len(tree)
    for node in range(1, len(tree)):
        parent, own = tree.parent[node], left[node]
        steps[node] = own + 1 if own is not None else steps[parent]
        sign = 1 if own is not None else -1
        before = values[parent]
        values[node] = max(0.0, before + sign * (1 - before) / steps[node])
    return values


def _left(grown: Grown, right: float) -> list[int | None]:
    """How many steps below each node its nearest right end is: 0 at one, None where there is none."""
    tree = grown.tree
    found: list[int | None] = [None] * len(tree)
    for node in range(len(tree) - 1, -1, -1):  # children have greater numbers
        value = grown.values[node]
        if tree.terminal[node] and value is not None and value >= right:
            found[node] = 0
        own, parent = found[node], tree.parent[node]
        if own is not None and parent != NO_PARENT:
            above = found[parent]
            found[parent] = own + 1 if above is None else min(above, own + 1)
    return found
