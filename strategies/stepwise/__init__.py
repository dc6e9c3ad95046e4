"""Searches that grow answers level by level: draw next steps, judge them, keep the promising ones.

Read `steps.py` first: one level of growth, and the choice of the answer at the end. Then `beam.py`, with `waves.py`
(how its rounds are drawn), `dvts.py` (several narrow beams side by side), `tree_of_thoughts.py` (levels or depth
first, with pruning), `filtered_best_of_n.py` (texts that are abandoned at a bad step) and `successive_halving.py`
(attempts that are abandoned where they fall behind others; `attempts.py` is one of them).
"""

from searchkit.strategies.stepwise.beam import AlphaMathBeam, BeamSearch
from searchkit.strategies.stepwise.dvts import DVTS
from searchkit.strategies.stepwise.filtered_best_of_n import FilteredBestOfN
from searchkit.strategies.stepwise.successive_halving import SuccessiveHalving
from searchkit.strategies.stepwise.tree_of_thoughts import TreeOfThoughts

__all__ = [
    "DVTS",
    "AlphaMathBeam",
    "BeamSearch",
    "FilteredBestOfN",
    "SuccessiveHalving",
    "TreeOfThoughts",
]
