"""Numbers in words: twenty-one, one hundred and five, 2 million. Whole numbers only; fractions in words stay words."""

from __future__ import annotations

import re
from fractions import Fraction

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_UNITS = {word: value for value, word in enumerate(_ONES)} | {word: 10 * at for at, word in enumerate(_TENS, 2)}
MULTIPLIERS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
"""Words behind a number that multiply it."""
_CJK = {"百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_MULTIPLIED = re.compile(
    rf"(.*[0-9}}])\s*(?:\\text\s*\{{\s*)?(?:({'|'.join(MULTIPLIERS)})|([{''.join(_CJK)}]))\b\s*\}}?(.*)", re.DOTALL
)
_LONGEST = 12


def number_in_words(text: str) -> int | None:
    """The value of a text that is nothing but a whole number in English words, below 10 ** 15."""
    found = re.sub(r"[\s,-]+", " ", text.strip().casefold()).split(" ")
    sign = -1 if found[0] in ("minus", "negative") else 1
    found = found[1:] if sign < 0 else found
    if not 0 < len(found) <= _LONGEST:
        return None
    total, group = 0, None
    largest = 10**15
    for at, word in enumerate(found):
        if word == "and" and at + 1 < len(found) and (group or total) and (group or 0) % 100 == 0:
            continue
        if word in ("a", "an") and at == 0 and len(found) > 1 and found[1] in MULTIPLIERS:
            group = 1
        elif word in _UNITS:
            group = _added(group, _UNITS[word])
        elif word == "hundred" and group is not None and 0 < group < 100:
            group *= 100
        elif word in MULTIPLIERS and word != "hundred" and group and MULTIPLIERS[word] < largest:
            largest = MULTIPLIERS[word]
            total, group = total + group * largest, 0
        else:
            return None
        if group is None:
            return None
    return None if group is None else sign * (total + group)


def _added(group: int | None, value: int) -> int | None:
    """One word more: "twenty" then "one", "hundred" then "five"; None for "one two"."""
    if group is None or (group == 0 and value):
        return value
    fits = group % 100 == 0 or (group % 10 == 0 and group % 100 >= 20 and value < 10)
    return group + value if fits and value else None


def multiplied(text: str) -> tuple[str, Fraction]:
    r"""A number without the word that multiplies it, and by how much: `2 million dollars` is `2 dollars` times 10^6."""
    match = _MULTIPLIED.fullmatch(text)
    if match is None:
        return text, Fraction(1)
    factor = MULTIPLIERS[match[2]] if match[2] else _CJK[match[3]]
    return f"{match[1]} {match[4]}".rstrip(), Fraction(factor)
