"""Sweeps: every strategy over every problem, resumable, on several cores or machines.

Read `sweep.py` first, then the way of one search: `shard.py` (a part of the work), `executors.py` (where it runs),
`search.py` (one search), `rows.py` (what is noted of it), `results.py` (what it all came to). `manifest.py`,
`routing.py` and `progress.py` stand beside.
"""

from searchkit.experiments.sweep.results import Summary, SweepResults, difference, difference_bounds
from searchkit.experiments.sweep.rows import Finished, Lost, Row
from searchkit.experiments.sweep.sweep import Sweep

__all__ = [
    "Finished",
    "Lost",
    "Row",
    "Summary",
    "Sweep",
    "SweepResults",
    "difference",
    "difference_bounds",
]
