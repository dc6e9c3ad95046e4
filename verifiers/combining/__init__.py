"""Verifiers made of verifiers: sums, conjunctions, cascades, juries, calibrated scores.

Read `members.py` first (what all share), then one idea a file: `weighted.py`, `all_of.py`, `cascade.py`, `jury.py`,
`deduplicated.py`, and `calibrated.py` with the maps of `calibration.py`.
"""

from searchkit.verifiers.combining.all_of import AllOf
from searchkit.verifiers.combining.calibrated import Calibrated
from searchkit.verifiers.combining.calibration import Isotonic, Platt, Temperature
from searchkit.verifiers.combining.cascade import Cascade
from searchkit.verifiers.combining.deduplicated import Deduplicated
from searchkit.verifiers.combining.jury import Jury
from searchkit.verifiers.combining.weighted import Weighted

__all__ = [
    "AllOf",
    "Calibrated",
    "Cascade",
    "Deduplicated",
    "Isotonic",
    "Jury",
    "Platt",
    "Temperature",
    "Weighted",
]
