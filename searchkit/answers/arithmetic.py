"""Sums and products of plain numbers, computed exactly: to see whether "5 + 7 = 12" is true. Nothing is evaluated."""

from __future__ import annotations

import re
from fractions import Fraction

MAX_TOKENS = 60
"""Longest calculation in numbers and signs."""

_TOKEN = re.compile(
    r"\s*(?:\\left|\\right)?\s*([0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|\.[0-9]+|\\cdot|\\times|\\div|[-+*/()×·÷])"
)
_TIMES, _OVER = ("*", "\\cdot", "\\times", "×", "·"), ("/", "\\div", "÷")


def result(text: str) -> str | None:
    """The last side of a chain of equal calculations with plain numbers; None if it is none, or not true."""
    sides = text.split("=")
    if not 2 <= len(sides) <= MAX_TOKENS:
        return None
    values = {value(side) for side in sides}
    if not re.search(r"[0-9)]\s*(?:[-+*/×·÷]|\\cdot|\\times|\\div)", text):
        return None  # "1 = 1" is no calculation
    return None if len(values) > 1 or None in values else sides[-1].strip()


def value(text: str) -> Fraction | None:
    """What a calculation comes to; None for anything else, and for two numbers without a sign between them."""
    tokens: list[str] = []
    at = 0
    text = text.replace("$", "").strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or len(tokens) == MAX_TOKENS:
            return None
        tokens.append(match[1])
        at = match.end()
    tokens.reverse()  # read from the end of the list
    try:
        total = _sum(tokens)
    except (IndexError, ValueError, ZeroDivisionError):
        return None
    return None if tokens else total


def _sum(left: list[str]) -> Fraction:
    total = _product(left)
    while left and left[-1] in ("+", "-"):
        sign = 1 if left.pop() == "+" else -1
        total += sign * _product(left)
    return total


def _product(left: list[str]) -> Fraction:
    total = _factor(left)
    while left and left[-1] in _TIMES + _OVER:
        times = left.pop() in _TIMES
        total = total * _factor(left) if times else total / _factor(left)
    return total


def _factor(left: list[str]) -> Fraction:
    word = left.pop()
    if word in ("-", "+"):
        return -_factor(left) if word == "-" else _factor(left)
    if word == "(":
        inside = _sum(left)
        if left.pop() != ")":
            raise ValueError("a bracket is missing")
        return inside
    return Fraction(word.replace(",", ""))
