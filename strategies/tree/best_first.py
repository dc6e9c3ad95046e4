"""Best-first tree search: always expand the most promising leaf of the whole tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from searchkit.strategies.tree.policies.best_chance import BestChance
from searchkit.strategies.tree.policies.trust import Trust
from searchkit.strategies.tree.tree_search import TreeSearch
from searchkit.tree import TreePolicy


@dataclass(frozen=True)
class BestFirst(TreeSearch):
    """`TreeSearch` by priority, wherever in the tree it lies, instead of a walk from the root.

    Without a `policy` the priority is what one more draw is worth there: `Trust`, or `BestChance` where scores are
    chances of success. The published search over an agent's actions is ``BestFirst(verifier, BestFirstRule(),
    iterations=20, width=20, branch=5, threshold=1.0)`` inside a `RecedingHorizon`: a leaf is evaluated when it is
    popped, its children wait with its score as their priority, and duplicates among the drawn actions rank them.
    Source: Koh et al., Tree Search for Language Model Agents, released `agent.py`.
    """

    for_scores: ClassVar[TreePolicy] = Trust()
    for_chances: ClassVar[TreePolicy] = BestChance()
