"""Whether a program printed what is expected, where numbers may differ by a little."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from searchkit.sandbox.report import lines

Checker = Callable[[str, str, str], bool]
_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d{1,9})?", re.ASCII)
_WORD = re.compile(r"[^ \t]+")
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)


def within(tolerance: float) -> Checker:
    """A checker that compares word by word: numbers with this tolerance, whole numbers and all else as texts.

    A number is right within the tolerance times the expected one or times 1, whichever is more. Where both are whole
    numbers they must be the same: a count that is wrong by one is wrong.
    """

    def accept(typed: str, printed: str, expected: str) -> bool:
        found, right = lines(printed), lines(expected)
        return len(found) == len(right) and all(map(same, found, right))

    def same(found: str, right: str) -> bool:
        words, others = _WORD.findall(found), _WORD.findall(right)
        return len(words) == len(others) and all(
            one == other or close(one, other) for one, other in zip(words, others, strict=True)
        )

    def close(found: str, right: str) -> bool:
        if not (_NUMBER.fullmatch(found) and _NUMBER.fullmatch(right)):
            return False
        if _WHOLE.fullmatch(found) and _WHOLE.fullmatch(right):
            return False
        number = float(right)
        return math.isfinite(number) and abs(float(found) - number) <= tolerance * max(1.0, abs(number))

    return accept
