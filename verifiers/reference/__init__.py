"""Answers compared with a known reference: by their spelling, or as mathematics.

Read `exact.py` first, then `math_equal.py` and `maths/`, which reads answers and decides whether two are the same;
`referenced.py` is what both share.
"""

from searchkit.verifiers.reference.exact import Exact
from searchkit.verifiers.reference.math_equal import MathEqual
from searchkit.verifiers.reference.maths.key import math_key

__all__ = [
    "Exact",
    "MathEqual",
    "math_key",
]
