"""Monte Carlo tree search: walk down by a selection rule, expand, evaluate, back up."""

from __future__ import annotations

from dataclasses import dataclass

from searchkit.strategies.tree_search import TreeSearch


@dataclass(frozen=True)
class MCTS(TreeSearch):
    """`TreeSearch` from the root down: ``policy=UCT(c)`` (the default) or ``PUCT(c)``.

    Values are evaluations of leaves ("value": process reward models, or any judge of a partial path) or rollouts
    ("rollout": where only a finished answer can be judged). Their scale sets c. Sources: the released
    code of RAP (UCT), AlphaMath (PUCT, values) and WU-UCT (evaluations in flight).
    """
