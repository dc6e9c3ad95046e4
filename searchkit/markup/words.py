"""Texts and numbers that are safe to print."""

from __future__ import annotations

import math
import unicodedata


def number(value: float) -> str:
    """Three significant digits; "-" for none."""
    return "-" if math.isnan(value) else f"{value:.3g}"


def counted(amount: int, word: str) -> str:
    """ "1 node", "2,000 nodes"."""
    return f"{amount:,} {word}{'' if amount == 1 else 's'}"


def one_line(text: str, columns: int) -> str:
    """`text` on one line of at most `columns` terminal columns, with every control character escaped.

    A model wrote the text: an escape sequence in it must not reach the terminal, nor a lone surrogate the encoder, nor
    a bidirectional override the rest of the line.
    """
    if columns < 1:
        return ""
    beginning = text.lstrip()[: 4 * columns + 4].rstrip()  # combining characters take no column
    line = [c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in beginning]
    used = sum(map(columns_of, line))
    if used <= columns:
        return "".join(line)
    while used > columns - 1:
        used -= columns_of(line.pop())
    return "".join(line) + "…"


def columns_of(text: str) -> int:
    """How many terminal columns a printable text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
