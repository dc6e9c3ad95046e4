"""Programs run against tests: untrusted Python, confined and killed.

Read `unit_tests.py` first, then `suite.py` (the tests: `records.py` of data sets, `own_imports.py`, `collect.py`,
`checks.py`, `vacuous.py`, `foregone.py` and `alone.py` what of a text is run, and whether that checks anything),
`taken.py` (what they take from a program; the program is found in the reply by `searchkit.answers.programs`),
`printed.py` (what is printed, with a tolerance), and `searchkit.sandbox`, where they run. `dual_agreement.py`,
`generated.py`, `misread.py` and `bench.py` score programs by tests that a model wrote; `distinguish.py` and
`contest.py` tell the best of them apart by such tests; `reproduces.py` has a model show what a patch is to mend.
`in_file.py` judges a file of the folder in which an agent worked.
"""

from searchkit.verifiers.code.distinguish import Distinguish
from searchkit.verifiers.code.dual_agreement import DualAgreement
from searchkit.verifiers.code.in_file import InFile
from searchkit.verifiers.code.reproduces import Reproduces
from searchkit.verifiers.code.unit_tests import UnitTests

__all__ = [
    "Distinguish",
    "DualAgreement",
    "InFile",
    "Reproduces",
    "UnitTests",
]
