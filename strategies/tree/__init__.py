"""Tree search: Monte Carlo tree search, best-first search, and their relatives.

Read in this order. `mcts.py`: MCTS and the published methods that are settings of it. `tree_search.py`: the loop that
selects a node, expands it, evaluates what is new and backs it up. `policies/uct.py`: which node comes next, on top of
`policies/descent.py`, the walk down from the root. `expansion.py`: what one expansion draws; `evaluation.py`: what the
node is worth. `growth.py`: how the tree takes it in, and when a node gets no more children. `limits.py`: what of a
budget is kept for a finished answer. `pick.py`: from which part of the tree the answer comes.

`best_first.py` is the same loop by priority; `receding_horizon.py` searches, commits to what was found and
searches again; `ab_mcts.py` is a loop of its own, over whole drafts, that grows wider or deeper by its `arms.py`.

On the way the loop uses `common/` (`actions.py`: what may be done in a state; `transition.py`: where it leads, judged;
`choosing.py`: the last step; `checks.py`: mistakes), `selection/rules.py` (argmax) and, by default,
`environments/text_steps.py`; skip them at first.
"""

from searchkit.strategies.tree.ab_mcts import ABMCTS
from searchkit.strategies.tree.best_first import BestFirst
from searchkit.strategies.tree.evaluation import Children, Rollout, Value
from searchkit.strategies.tree.mcts import MCTS
from searchkit.strategies.tree.policies import (
    MASTER,
    PUCT,
    RAP,
    UCT,
    AdaptiveUCT,
    AgentQ,
    BestChance,
    BestFirstRule,
    FirstMistake,
    Reservation,
    SWESearch,
    Trust,
    Widening,
)
from searchkit.strategies.tree.receding_horizon import RecedingHorizon
from searchkit.strategies.tree.tree_search import TreeSearch

__all__ = [
    "ABMCTS",
    "MASTER",
    "MCTS",
    "PUCT",
    "RAP",
    "UCT",
    "AdaptiveUCT",
    "AgentQ",
    "BestChance",
    "BestFirst",
    "BestFirstRule",
    "Children",
    "FirstMistake",
    "RecedingHorizon",
    "Reservation",
    "Rollout",
    "SWESearch",
    "TreeSearch",
    "Trust",
    "Value",
    "Widening",
]
