"""Programs run against tests: untrusted Python, confined and killed.

Read `unit_tests.py` first, then the way of one program: `extract.py` (found in the reply), `sandbox.py` (which
confinement holds here: `bubblewrap.py`, `landlock.py`, `seccomp.py`, `limits.py`), `pool.py`, `pair.py`, `process.py`,
`zygote.py` (two processes, one for the program and one for the tests), `channel.py`, `wire.py` (the plain data that
passes between them), `suite.py`, `player.py`, `judge.py`, `report.py` (the tests). `dual_agreement.py` and
`generated.py` score programs by tests that a model wrote.
"""

from searchkit.verifiers.code.dual_agreement import DualAgreement
from searchkit.verifiers.code.unit_tests import UnitTests

__all__ = [
    "DualAgreement",
    "UnitTests",
]
