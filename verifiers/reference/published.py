"""The graders that GSM8K and MATH were published with: to repeat published figures, not to be right more often.

What they read and how they compare is in `searchkit.answers.published`.
"""

from __future__ import annotations

from searchkit.answers.published import published_gsm8k, published_math
from searchkit.verifiers.reference.exact import Exact

GSM8K_GRADER = Exact(published_gsm8k)
"""Passes an answer behind "#### " that is the reference digit by digit, commas aside; the reference may be bare."""

MATH_GRADER = Exact(published_math)
"""Passes a last box whose LaTeX is the reference's, in the spelling of MATH's script; the reference may be bare."""
