"""Monte Carlo tree search: walk down by a selection rule, expand, evaluate, back up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from searchkit.strategies.tree.policies.adaptive_uct import AdaptiveUCT
from searchkit.strategies.tree.policies.descent import Widening
from searchkit.strategies.tree.policies.trust import Trust
from searchkit.strategies.tree.policies.uct import UCT
from searchkit.strategies.tree.tree_search import TreeSearch
from searchkit.tree import TreePolicy


@dataclass(frozen=True)
class MCTS(TreeSearch):
    """`TreeSearch` from the root down. Without a `policy` it takes `AdaptiveUCT`, whose constants come from the tree,
    and spreads where the tree shows that scores are hints (`Trust`); where scores are chances of success, which should
    be averaged, ``UCT(0.3, widening=Widening())``.

    The search part of many published methods is a setting, with a rule that names its source:

    - AlphaMath: ``policy=PUCT(1.25), prior="logprob", iterations=40, width=5``, a value model as verifier.
    - RAP on GSM8K: ``policy=RAP(), prior=fast_reward, iterations=10, width=4``.
    - Agent Q: ``policy=AgentQ(), prior=critic, evaluation=Rollout()``.
    - MASTER: ``policy=MASTER(), prior=judge``.
    - SWE-Search: ``policy=SWESearch(), evaluation=Children(), iterations=100, width=1, expansions=5, pick="value"``.
    - WebPilot: ``policy=UCT(q="max", widening=Widening(1, 0.5)), evaluation=Children(), width=1, expansions=4``.
    - R-MCTS: ``policy=PUCT(1.0), iterations=20, width=20, branch=5, threshold=1.0,
      pick="visits"`` inside ``RecedingHorizon(..., commit="action")``.

    Rules with a `Widening` give a node more children as it is visited more; others draw `width` of them once, and the
    search ends when everything drawn so far is exhausted.
    """

    for_scores: ClassVar[TreePolicy] = Trust(AdaptiveUCT())
    for_chances: ClassVar[TreePolicy] = UCT(0.3, widening=Widening())
