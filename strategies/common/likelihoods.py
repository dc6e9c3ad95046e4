"""How much an answer that a search found weighs in a vote."""

from __future__ import annotations

from searchkit.tree import Tree


def likelihoods(tree: Tree) -> list[float]:
    """How likely sampling alone comes to each node, where priors are shares of the draws: their product on the path.

    Votes are weighed by it. A search draws at nodes that sampling would hardly reach, and what it finds there are many
    answers of little weight.
    """
    found = [1.0] * len(tree)
    for node in range(1, len(tree)):
        found[node] = found[tree.parent[node]] * tree.prior[node]
    return found
