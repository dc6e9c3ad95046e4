"""What keeps two answers that were read from being compared: one may be in degrees, an interval, a word."""

from __future__ import annotations

import re

from searchkit.answers.foreign_words import AFFIRMATIONS
from searchkit.verifiers.reference.maths.reading import Answer
from searchkit.verifiers.reference.maths.tokens import Node

_SPAN = re.compile(r"[<>]|\\(?:leq?|geq?|lt|gt)(?:slant)?(?![a-z])|[≤≥]|(?:\\in(?![a-z])|∈)\s*(?:\\left)?[(\[]")
_LISTED = re.compile(r"^(?!.*\\langle)[^()\[\]{}]*(?:,|;|\bor\b|\band\b)[^()\[\]{}]*$")
_RUN = re.compile(r"[\s$]*(?:[A-Za-z]{3}|[A-Z]{2})[\s$]*")
_PI = Node("constant", value="pi")
_MATHS_STEMS = (
    "real", "integer", "natural", "rational", "irrational", "complex", "origin", "axis", "x-axis", "y-axis", "identity",
    "right", "straight", "infinit", "unbound", "bound", "finite", "empty", "none", "nothing", "never", "undefin",
    "indefin",
    "exist", "diverg", "converg", "zero", "nought", "naught", "nil", "twice", "thrice", "double", "triple", "quadrupl",
    "all", "any", "every", "each", "plane", "line", "whole", "positive", "negative", "even", "odd", "prime", "solution",
    "number", "null", "unit", "first", "second", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "impossible",
)  # fmt: skip
_NOTHING = ("no ", "none", "nothing", "never", "undefin", "exist", "empty", "null", "impossible", "dne", "diverg")
_ROMAN = re.compile(r"[ivxlcdm]+")
_ENGLISH = frozenset(("yes", "no", "true", "false"))
_OPPOSITES = ({"yes", "no"}, {"true", "false"}, {"yes", "false"}, {"true", "no"})
_STEM = 5


def doubts(a: Answer, b: Answer) -> str | None:
    """Why two answers are not compared although both were read; None if nothing speaks against it."""
    for one, other in ((a, b), (b, a)):
        if _SPAN.search(one.text) and _LISTED.search(other.text) and not _SPAN.search(other.text):
            return "one is an interval, the other a list"
        if one.unit == "deg" and not other.unit and holds_pi(one.node):
            return "one is in degrees, the other may be in radians"
    if is_run(a.text) and is_run(b.text) and a.text.strip(" $") != b.text.strip(" $"):
        return "letters that may be a word or a product"
    return None


def is_run(text: str) -> bool:
    """Whether a text is two or three letters that may be a word: HTT, WE, art; not xy."""
    return _RUN.fullmatch(text) is not None


def holds_pi(node: Node | None) -> bool:
    """Whether pi stands somewhere in a tree."""
    return node is not None and (node == _PI or any(map(holds_pi, node.parts)))


def words_may_be_maths(text: str) -> bool:
    """Whether words, in small letters, may say a number, a set or a point, or are of another language."""
    if not text.isascii() or text in AFFIRMATIONS - _ENGLISH or _ROMAN.fullmatch(text):
        return True
    return any(word.startswith(_MATHS_STEMS) or word.endswith("fold") for word in text.split())


def words_may_agree(a: str, b: str) -> bool:
    """Whether two texts of nothing but words, which are not the same, may say the same."""
    if {a, b} in _OPPOSITES:
        return False
    if any(not word.isascii() or word in AFFIRMATIONS for word in (a, b)) or _initials(a) == b or _initials(b) == a:
        return True
    if all(any(stem in f"{text} " for stem in _NOTHING) for text in (a, b)):
        return True
    return any(x[:_STEM] == y[:_STEM] and len(x) >= _STEM <= len(y) for x in a.split() for y in b.split())


def _initials(text: str) -> str:
    return "".join(word[0] for word in text.split())
