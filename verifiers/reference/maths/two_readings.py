"""Texts that may be read in two ways, and are refused for it before they are parsed."""

from __future__ import annotations

import re


class Unreadable(ValueError):
    """The text is outside of the grammar, may mean two things, or is too deep; the message says which."""


class Unknown(Unreadable):
    """Notation that the grammar lacks, and that another parser may know: no nonsense."""


_BETWEEN_WORDS = re.compile(
    r"(?<=[0-9A-Za-z})])\s+(?:to|of|by|in|is|at|on|if|no|not|per|for|the|as|so|vs|via|from|than)\s+(?=[0-9A-Za-z\\({])"
)
_RANGE = re.compile(r"[0-9]\s*[–—]\s*[0-9]")
_DATE = re.compile(
    r"(?<![0-9])[0-9]{1,2}([/.-])[0-9]{1,2}\1(?:[0-9]{4}|[0-9]{2})(?![0-9])|(?<![0-9])[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
)
_DOTS = re.compile(r"\.\s*\.|…|(?:[0-9A-Za-z)}]|^)\s*\\[lc]?dots(?![A-Za-z])")
REFUSED = (
    (_BETWEEN_WORDS, "a word stands between two values"),
    (_RANGE, "a dash between numbers may be a range or a difference"),
    (_DATE, "it may be a date"),
    (re.compile(r"[0-9]\s*:\s*[0-9]{2}\s*[APap]\.?\s*[Mm]"), "a time of day"),
    (re.compile(r"(?<![0-9.])0[0-9]+\s*/|/\s*0[0-9]"), "it may be a date"),
    (_DOTS, "dots stand for what is not said"),
    (re.compile(r"!=(?<![\s]!=)|!=(?!\s)"), "'!=' may be a factorial or not equal"),
    (re.compile(r"[0-9}]\$?\s+\(\$?[-+*/=0-9. ]+\$?\)"), "a calculation in brackets may explain or multiply"),
    (
        re.compile(r"(?<![A-Za-z\\])(?!sin|cos|tan|cot|sec|csc|log|exp|ln|lg)[A-Za-z]{2,3}\.\s*[0-9]"),
        "an abbreviation stands before a number",
    ),
    (re.compile(r"[0-9]\.[0-9]+\s?\([0-9]+\)"), "digits in brackets may repeat or multiply"),
    (
        re.compile(r"\\operatorname|\blog[0-9]+\s*\("),
        "it may be the value of a function",
    ),
    (re.compile(r"\\(?:land|lor|wedge|vee)(?![A-Za-z])"), "statements joined by a sign of logic"),
    (
        re.compile(
            r"\\(?:vec|mathbf|boldsymbol|bm|overrightarrow)(?![A-Za-z]).*\\(?:cdot|times)(?![A-Za-z])", re.DOTALL
        ),
        "a product of vectors",
    ),
    (
        re.compile(
            r"\\mathbf\s*\{\s*[A-Z]\s*\}\s*\\mathbf|[A-Z]\s*\^\s*\{\s*-1\s*\}\s*[A-Z]|[A-Z]\s*[A-Z]\s*\^\s*\{\s*-1\s*\}"
        ),
        "a product of matrices",
    ),
    (re.compile(r"(?<![0-9A-Za-z])0[xbo][0-9A-Fa-f]+"), "a number in the notation of programs"),
    (re.compile(r"^[\s(]*(?:[ivx]{2,5}|[IVX]{2,7})[\s).]*$"), "it may be a Roman number"),
)


def refuse(text: str) -> None:
    """Raises `Unreadable` for a text with two readings."""
    for pattern, reason in REFUSED:
        if pattern.search(text):
            raise Unreadable(reason)
