"""Whole answers, drawn side by side or one after the other, and one of them chosen.

Read `best_of_n.py` first: sampling with early stop and a selection rule. Then `self_consistency.py` with `stopping.py`
(when is a vote decided?), `field_vote.py` (a vote on each field of a JSON answer), `deepconf_online.py` (unsure answers
are given up while they are written) and `bandit.py` (several generators to draw from).
"""

from searchkit.strategies.sampling.bandit import Bandit
from searchkit.strategies.sampling.best_of_n import BestOfN
from searchkit.strategies.sampling.deepconf_online import DeepConfOnline
from searchkit.strategies.sampling.field_vote import FieldVote
from searchkit.strategies.sampling.self_consistency import SelfConsistency
from searchkit.strategies.sampling.stopping import BetaStopping, Dirichlet, EarlyStopping

__all__ = [
    "Bandit",
    "BestOfN",
    "BetaStopping",
    "DeepConfOnline",
    "Dirichlet",
    "EarlyStopping",
    "FieldVote",
    "SelfConsistency",
]
