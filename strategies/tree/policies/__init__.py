"""Selection rules of tree searches, one a file: pure functions of the tree.

Read `uct.py` first, on top of `descent.py`: the walk down from the root, to the child with the greatest rating. The
same walk with other ratings: `puct.py`, `rap.py`, `agent_q.py`, `master.py`. Over all nodes of the tree:
`best_first.py` and `swe_search.py`.

What the searches take by default has no constant to be set: `adaptive_uct.py` (MCTS) and `trust.py` (best-first
search), which takes `reservation.py` where scores are to be followed and `first_mistake.py` where they only hint, by
`evidence.py`, what the tree has shown (`ranked.py` keeps its gains in order); and `best_chance.py`, where scores are
chances.
"""

from searchkit.strategies.tree.policies.adaptive_uct import AdaptiveUCT
from searchkit.strategies.tree.policies.agent_q import AgentQ
from searchkit.strategies.tree.policies.best_chance import BestChance
from searchkit.strategies.tree.policies.best_first import BestFirstRule
from searchkit.strategies.tree.policies.descent import Widening
from searchkit.strategies.tree.policies.first_mistake import FirstMistake
from searchkit.strategies.tree.policies.master import MASTER
from searchkit.strategies.tree.policies.puct import PUCT
from searchkit.strategies.tree.policies.rap import RAP
from searchkit.strategies.tree.policies.reservation import Reservation
from searchkit.strategies.tree.policies.swe_search import SWESearch
from searchkit.strategies.tree.policies.trust import Trust
from searchkit.strategies.tree.policies.uct import UCT

__all__ = [
    "MASTER",
    "PUCT",
    "RAP",
    "UCT",
    "AdaptiveUCT",
    "AgentQ",
    "BestChance",
    "BestFirstRule",
    "FirstMistake",
    "Reservation",
    "SWESearch",
    "Trust",
    "Widening",
]
