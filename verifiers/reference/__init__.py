"""Answers compared with a known reference: by their spelling, or as mathematics.

Read `exact.py` first, then `math_equal.py` and `maths/`, which reads answers and decides whether two are the same;
`referenced.py` is what both share. `published.py` has the graders that GSM8K and MATH were published with.
"""

from searchkit.verifiers.reference.exact import Exact
from searchkit.verifiers.reference.math_equal import MathEqual
from searchkit.verifiers.reference.maths.key import math_key
from searchkit.verifiers.reference.maths.tolerances import Absolute, Places, Relative
from searchkit.verifiers.reference.published import GSM8K_GRADER, MATH_GRADER

__all__ = [
    "GSM8K_GRADER",
    "MATH_GRADER",
    "Absolute",
    "Exact",
    "MathEqual",
    "Places",
    "Relative",
    "math_key",
]
