"""Words with maths among them, as in "min at $x=1$, max at $x=3$": the same if the words are, and each piece of maths.

A piece that cannot be read is the same letter by letter. Of such notes nothing else is known: another sentence may say
the same.
"""

from __future__ import annotations

import re

from searchkit.answers.canonical import rational, squeezed, unpacked
from searchkit.answers.qualifiers import SHORT
from searchkit.verifiers.reference.maths.parser import parse
from searchkit.verifiers.reference.maths.tokens import FUNCTIONS, Node
from searchkit.verifiers.reference.maths.two_readings import Unreadable

MAX_PIECES = 200
"""Most words and pieces of maths in one note."""

_TEXT = re.compile(r"\\(?:text|textbf|textrm|mbox)\s*\{([^{}]*)\}|\$\s*(\\(?:min|max))\s*\.?\s*\$")
_PIECE = re.compile(
    r"\$\$?(?P<display>[^$]+)\$\$?|(?P<rows>\\begin\{(\w+\*?)\}.*?\\end\{\3\})"
    r"|(?P<limit>\\(?:min|max)(?![A-Za-z]))"
    r"|(?P<word>(?<![A-Za-z\\{_^])[^\W\d_]{2,}(?:['’-][^\W\d_]+)*)|(?P<space>[\s.,;:!?]+)|(?P<rest>\\[A-Za-z]+|.)",
    re.DOTALL,
)


def prose(text: str) -> Node | None:
    """The words and the trees of a note; None if it has no words, or too many pieces."""
    words: list[str] = []
    maths: list[Node] = []
    loose = ""
    for piece in _PIECE.finditer(_TEXT.sub(r" \1\2 ", text)):
        word, shown = _word(piece), piece["display"] or piece["rows"]
        if word is None and shown is None:
            loose += piece[0]
            continue
        _add(loose, words, maths)
        loose = ""
        if word is None:
            _add(shown, words, maths)
        else:
            words.append(word)
        if len(words) > MAX_PIECES:
            return None
    _add(loose, words, maths)
    return Node("prose", tuple(maths), tuple(words)) if any(len(word) > 1 for word in words) else None


def _word(piece: re.Match[str]) -> str | None:
    """The word that a piece is; short runs of letters that are no words are maths."""
    word = piece["limit"] or piece["word"]
    if word is None:
        return None
    word = " ".join(word.casefold().removeprefix("\\").split())
    maths = piece["word"] is not None and (word in FUNCTIONS or (len(word) < 4 and word not in SHORT))
    return None if maths and word not in ("min", "max", "or", "if") else word


def _add(text: str | None, words: list[str], maths: list[Node]) -> None:
    """One piece of maths, in its place among the words; punctuation is none."""
    text = (text or "").strip(" \t\n.,;:!?*\"'")
    if not text:
        return
    number = rational(plain := unpacked(text))
    try:
        maths.append(parse(plain) if number is None else Node("number", value=number))
    except Unreadable:
        maths.append(Node("raw", value=squeezed(plain)))
    words.append("$")
