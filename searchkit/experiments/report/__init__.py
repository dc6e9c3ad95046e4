"""A sweep, or a pool, as one HTML page: figures, curves, every problem or sample, and the traces of some.

Of a sweep: `page.py` puts it together from `data.py` (what the sweep came to), `falls.py` (which strategies get worse),
`traces.py` (searches replayed from the journal) and `again.py` (verdicts that were given again); `follow.py` writes it
while the sweep runs. Of a pool: `pool_page.py`, from `pool_data.py`.
"""

from searchkit.experiments.report.follow import follow
from searchkit.experiments.report.page import report
from searchkit.experiments.report.pool_page import pool_report

__all__ = [
    "follow",
    "pool_report",
    "report",
]
