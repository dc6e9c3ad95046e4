"""A pool: samples drawn once, with their scores, from which every method is estimated at every budget.

Read `entry.py` and `pool.py` first, then how one is made and kept: `drawing.py`, `judging.py`, `scoring.py`,
`judging_again.py`, `pool_file.py`, `parquet.py`, `by_prompt.py`; `shown.py` is how a notebook shows one.
"""

from searchkit.experiments.entry import Entry
from searchkit.experiments.pool.drawing import draw
from searchkit.experiments.pool.judging_again import judge_again
from searchkit.experiments.pool.parquet import from_parquet, to_parquet
from searchkit.experiments.pool.pool import Pool
from searchkit.experiments.pool.scoring import score

__all__ = [
    "Entry",
    "Pool",
    "draw",
    "from_parquet",
    "judge_again",
    "score",
    "to_parquet",
]
