"""Does a model that looks again keep what is right and mend what is wrong? Confidence, critique and relative score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.errors import ConfigError


@dataclass(frozen=True)
class SelfCorrection:
    """What a second look did to answers. All but `score` are chances in [0, 1]; NaN where nothing can be said.

    before, after: accuracy of the first and of the second answer. confidence: a right answer stays right. critique: a
    wrong one becomes right. Always after = before * confidence + (1 - before) * critique.
    """

    before: float
    after: float
    confidence: float
    critique: float

    @property
    def score(self) -> float:
        """The relative self-correction score: 0 and 1 at accuracies before^2 and 1 - (1 - before)^2 after.

        It makes models of different accuracy comparable; outside [0, 1] if the second look did better or worse than
        those. NaN where accuracy was 0 or 1 before.
        """
        spread = 2 * self.before * (1 - self.before)
        return (self.after - self.before**2) / spread if spread else math.nan


def self_correction(before: Sequence[Sequence[bool]], after: Sequence[Sequence[bool]]) -> SelfCorrection:
    """From outcomes before and after: one row a problem, one entry a trial, the same trials in both.

    Problems count equally, however many trials each has. Raises `ConfigError` where rows or trials do not match.

    Source: Confidence v.s. Critique (Zhe-Young/SelfCorrectDecompose), released ``analysis_sampling.py``: its CL, CS,
    Acc2 and RSS.
    """
    if not before or [len(row) for row in before] != [len(row) for row in after] or not all(map(len, before)):
        raise ConfigError("before and after need the same problems with the same number of trials, one at least")
    problems, first, kept, mended = len(before), 0.0, 0.0, 0.0
    for old, new in zip(before, after, strict=True):
        first += sum(map(bool, old)) / len(old)
        # p_q * P(right after | right before) is the share of trials that are right both times, and so on.
        kept += sum(bool(a and b) for a, b in zip(old, new, strict=True)) / len(old)
        mended += sum(bool(b and not a) for a, b in zip(old, new, strict=True)) / len(old)
    return SelfCorrection(
        first / problems,
        (kept + mended) / problems,
        kept / first if first else math.nan,
        mended / (problems - first) if first < problems else math.nan,
    )
