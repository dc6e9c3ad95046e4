"""Wrappers: a backend around a backend, with the same interface and one thing more.

Read `retrying.py` first, the smallest: another attempt for what failed by accident. Then `limited.py` (no more calls in
flight than an endpoint can bear), `coalescing.py` (one call for equal requests) and `cached.py` (samples that outlive a
run). `balanced.py` makes one backend of several: which of them is asked is decided by `fleet.py`, `circuit.py` says
which work, and `minute.py` which may be asked yet.
"""

from searchkit.generators.wrappers.balanced import Balanced
from searchkit.generators.wrappers.cached import Cached
from searchkit.generators.wrappers.coalescing import Coalescing
from searchkit.generators.wrappers.limited import Limited
from searchkit.generators.wrappers.retrying import Retrying

__all__ = [
    "Balanced",
    "Cached",
    "Coalescing",
    "Limited",
    "Retrying",
]
