"""Characters that are drawn in several ways: full-width forms, minus signs, dashes and the punctuation of CJK texts."""

from __future__ import annotations

import re

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_OTHERS = {
    "\u3000": " ", "\u00a0": " ", "\u2009": " ", "\u202f": " ", "、": ",", "。": ". ", "【": "[", "】": "]",
    "−": "-", "﹣": "-", "‐": "-", "‑": "-", "⁄": "/", "∕": "/", "’": "'",
}  # fmt: skip
_TABLE = _FULL_WIDTH | {ord(old): new for old, new in _OTHERS.items()}
_DASH = re.compile(r"(^|[(\[{,;=$:\s])[–—―]\s*(?=[0-9.\\(a-zA-Z])")


def plain(text: str) -> str:
    """`text` in the characters of ASCII where it has them; a dash in front of an operand is a minus sign.

    A dash between two numbers stays: it is as often a range as a difference.
    """
    return text if text.isascii() else _DASH.sub(_minus, text.translate(_TABLE))


def _minus(match: re.Match[str]) -> str:
    """A dash with words or numbers in front is punctuation."""
    before = match.string[: match.start()].rstrip()
    return match[0] if before[-1:].isalnum() and match[1].isspace() else f"{match[1]}-"
