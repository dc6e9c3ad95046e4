"""Selection rules of tree searches, one a file: pure functions of the tree."""

from searchkit.strategies.policies.best_first import BestFirstRule
from searchkit.strategies.policies.puct import PUCT
from searchkit.strategies.policies.uct import UCT

__all__ = ["PUCT", "UCT", "BestFirstRule"]
