"""Sweeps: every strategy over every problem, resumable, on several cores or machines.

Read `sweep.py` first, then the way of one search: `shard.py` (a part of the work), `executors.py` (where it runs),
`search.py` (one search), `rows.py` (what is noted of it), `breaker.py` (when nothing works any more), `summary.py`
(what one strategy came to), `results.py` (all of them). `rejudge.py` judges a finished one again, with backends that
are `silent.py`; `spending.py` spends one budget over all problems, `saving.py` says what that saves. `manifest.py`,
`voting.py`, `routing.py` and `progress.py` stand beside.
"""

from searchkit.experiments.sweep.breaker import SweepFailed
from searchkit.experiments.sweep.rejudge import Rejudged, rejudge
from searchkit.experiments.sweep.results import Difference, SweepResults, difference, difference_bounds
from searchkit.experiments.sweep.rows import Finished, Lost, Row
from searchkit.experiments.sweep.saving import Saving
from searchkit.experiments.sweep.summary import Summaries, Summary
from searchkit.experiments.sweep.sweep import Sweep

__all__ = [
    "Difference",
    "Finished",
    "Lost",
    "Rejudged",
    "Row",
    "Saving",
    "Summaries",
    "Summary",
    "Sweep",
    "SweepFailed",
    "SweepResults",
    "difference",
    "difference_bounds",
    "rejudge",
]
