"""A sweep as one HTML page: figures, curves, every problem, and the traces of some.

`page.py` puts it together from `data.py` (what the sweep came to) and `traces.py` (searches replayed from the journal).
"""

from searchkit.experiments.report.page import report

__all__ = [
    "report",
]
