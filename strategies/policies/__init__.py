"""Selection rules of tree searches, one a file: pure functions of the tree."""

from searchkit.strategies.policies.agent_q import AgentQ
from searchkit.strategies.policies.best_first import BestFirstRule
from searchkit.strategies.policies.descent import Widening
from searchkit.strategies.policies.master import MASTER
from searchkit.strategies.policies.puct import PUCT
from searchkit.strategies.policies.rap import RAP
from searchkit.strategies.policies.swe_search import SWESearch
from searchkit.strategies.policies.uct import UCT

__all__ = ["MASTER", "PUCT", "RAP", "UCT", "AgentQ", "BestFirstRule", "SWESearch", "Widening"]
