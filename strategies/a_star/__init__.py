"""A*: shortest paths by the cost so far and the cost to come.

Read `a_star.py` first: the loop. Then `costs.py` (what a path costs), `successors.py` (one expansion), `frontier.py`
(the open paths, cheapest first) and `toolchain.py` (the costs of ToolChain*).
"""

from searchkit.strategies.a_star.a_star import AStar
from searchkit.strategies.a_star.costs import Imagined, Judged

__all__ = [
    "AStar",
    "Imagined",
    "Judged",
]
