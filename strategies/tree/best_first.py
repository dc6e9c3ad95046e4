"""Best-first tree search: always expand the most promising leaf of the whole tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from searchkit.strategies.tree.policies.best_first import BestFirstRule
from searchkit.strategies.tree.tree_search import TreeSearch
from searchkit.tree import TreePolicy


@dataclass(frozen=True)
class BestFirst(TreeSearch):
    """`TreeSearch` by priority instead of visit counts; `iterations` counts pops.

    A leaf is evaluated when it is popped, its children wait with its score as their priority. The published search over
    an agent's actions is ``BestFirst(verifier, iterations=20, width=20, branch=5, threshold=1.0)`` inside a
    `RecedingHorizon`: duplicates among the drawn actions rank them. Source: Koh et al., Tree Search for Language Model
    Agents, released `agent.py`.
    """

    policy: TreePolicy = field(default_factory=BestFirstRule)
    iterations: int = 20
