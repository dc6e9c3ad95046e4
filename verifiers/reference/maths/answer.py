"""A maths answer, read from text without evaluating it, and what is decided about two of them without sympy."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction

from searchkit.answers.canonical import canonical, rational, unpacked, words
from searchkit.verifiers.reference.maths.compare import Algebra, Outcome, compare
from searchkit.verifiers.reference.maths.exact import expand, independent
from searchkit.verifiers.reference.maths.parser import parse
from searchkit.verifiers.reference.maths.terms import Terms, TooBig
from searchkit.verifiers.reference.maths.terms import rational as value_of
from searchkit.verifiers.reference.maths.tokens import CONSTANTS, GREEK, MAX_RUN, Node, Unreadable

_TEXT = re.compile(r"\\(?:text|textbf|textrm|mbox|mathrm)(?![A-Za-z])")
_NAMED = re.compile(r"^\s*((?:[A-Za-z]|\\[a-z]+)(?:_[0-9A-Za-z])?)(?:\([a-z]\))?\s*=\s*(?=[^=]+$)")
_PERCENT = re.compile(r"(?:%|\bpercent\b|\bper cent\b)[\s$.})\\]*$", re.IGNORECASE)
_ANGLE = re.compile(r"(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")
_DEGREES = re.compile(r"\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![A-Za-z])|\\degree(?![A-Za-z])|°|\bdegrees?\b")
_THOUSANDS = re.compile(r"(?<=[0-9])(?:,\\!\s*|\{,\}|\\,)(?=[0-9]{3}(?![0-9]))")
_TRIMMED = re.compile(r"[\s$.{}()^\\]+")
_UNIT = re.compile(r"(?<![A-Za-z])([A-Za-z]+) ?([23])? ?$")
_UNITS = {
    name: names[0]
    for names in (
        ("mm",), ("cm",), ("m", "meter", "meters", "metre", "metres"), ("km",), ("inches", "inch", "in"),
        ("feet", "foot", "ft"), ("yards", "yard"), ("miles", "mile"), ("grams", "gram", "g"), ("kg",), ("mph",),
        ("seconds", "second"), ("minutes", "minute"), ("hours", "hour"), ("days", "day"), ("weeks", "week"),
        ("cents", "cent"), ("dollars", "dollar"), ("degrees", "degree"), ("liters", "liter", "litres", "litre"),
    )
    for name in names
}  # fmt: skip
_COMPARISON = 2  # the work of comparing two numbers, in products of monomials
_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_NUMBER_WORDS = {word: str(value) for value, word in enumerate(_SMALL)}


@dataclass(frozen=True)
class Answer:
    """What an answer says. text: as written. key: its canonical form. word: set where it is nothing but words.

    node: its tree, None where it could not be read (`trouble` says why). percent: whether a percent sign ends it.
    """

    text: str
    key: Hashable
    node: Node | None
    word: str | None = None
    trouble: str = ""
    percent: bool = False


def read(text: str) -> Answer | None:
    """The answer that `text` is, None if it is empty, cut off or too long. Linear time; raises on no text."""
    key = canonical(text)
    if key is None:
        return None
    plain = unpacked(_DEGREES.sub(r"\\deg ", text) if _ANGLE.search(text) else _THOUSANDS.sub("", text))
    word = words(plain)
    if word is not None:
        plain = _NUMBER_WORDS.get(word, f"\\{word}" if f"\\{word}" in GREEK else word)
        if plain == word and word not in CONSTANTS and (len(word) > MAX_RUN or word in ("yes", "no")):
            return Answer(text, key, None, word)
    percent = _PERCENT.search(text) is not None
    try:
        return Answer(text, key, _tree(plain), percent=percent)
    except Unreadable as error:
        return Answer(text, key, None, trouble=str(error), percent=percent)


def unit(text: str) -> str | None:
    """The unit of measure that ends an answer, with its power: "cm", "cm2"; None where there is none that we know."""
    if text.lstrip("$ ").startswith("\\$"):
        return "dollars"
    found = _UNIT.search(_TRIMMED.sub(" ", text))
    name = None if found is None else _UNITS.get(found[1].lower())
    return None if found is None or name is None else name + (found[2] or "")


def _tree(text: str) -> Node:
    """The parsed text. A number that is the whole answer may have commas: 12,345 is no list."""
    body = _NAMED.sub("", text)
    number = rational(body)
    if number is None:
        return parse(_NAMED.sub(r"\1=", text))
    value = Node("number", value=number)
    named = _NAMED.match(text)
    return value if named is None else Node("relation", (parse(named[1]), value), ("=",))


class Exact(Algebra):
    """Expressions as sums of monomials: equal if these are the same, different if nothing in them was left whole."""

    def same(self, a: Node, b: Node) -> Outcome:
        self.work.spend(_COMPARISON)
        left, right = self._expanded(a), self._expanded(b)
        if left is None or right is None:
            return Outcome(None, "beyond exact arithmetic")
        if left == right:
            return Outcome(True, "the same number" if value_of(left) is not None else "the same value")
        if independent(left) and independent(right):
            numbers = value_of(left) is not None and value_of(right) is not None
            return Outcome(False, "another number" if numbers else "another value")
        return Outcome(None, "not decided by exact arithmetic")

    def same_equation(self, a: Node, b: Node) -> Outcome:
        left, right = self._expanded(a), self._expanded(b)
        if left and right and left.keys() == right.keys() and len({left[one] / right[one] for one in left}) == 1:
            return Outcome(True, "the same equation up to a factor")
        return Outcome(None, "not decided by exact arithmetic")

    def _expanded(self, node: Node) -> Terms | None:
        try:
            return expand(node, self.work)
        except ValueError:  # TooBig is one
            return None


def judge(a: Answer, b: Answer, algebra: Algebra | None = None) -> Outcome:
    """Whether answer b is the reference a: symmetric, by their texts, else by `algebra`, by default `Exact`."""
    try:
        return _judged(a, b, Exact() if algebra is None else algebra)
    except TooBig as error:
        return Outcome(None, str(error))


def unread(a: Answer, b: Answer) -> bool:
    """Whether another parser may help: one is maths that ours cannot read, none is a word, and no unit is another."""
    return bool(a.trouble or b.trouble) and a.word is b.word is None and not _other_units(a, b)


def _other_units(a: Answer, b: Answer) -> bool:
    units = unit(a.text), unit(b.text)
    return None not in units and units[0] != units[1]


def _judged(a: Answer, b: Answer, algebra: Algebra) -> Outcome:
    if _other_units(a, b):
        return Outcome(None, f"it is in {unit(b.text)}, and should be in another unit")
    if a.key == b.key and a.percent == b.percent and (a.node == b.node or None in (a.node, b.node)):
        return Outcome(True, "the same text")
    if a.word is not None or b.word is not None:
        return _words(a, b)
    if a.node is None or b.node is None:
        return _unread(a, b)
    outcome = compare(a.node, b.node, algebra)
    if a.percent == b.percent or outcome.equal:
        return outcome
    left, right = (_hundredth(node) if one.percent else node for one, node in ((a, a.node), (b, b.node)))
    as_factor = compare(left, right, algebra)
    return as_factor if as_factor.equal or outcome.equal is False else outcome


def _hundredth(node: Node) -> Node:
    return Node("product", (Node("number", value=Fraction(1, 100)), node))


def _unread(a: Answer, b: Answer) -> Outcome:
    """Texts outside of the grammar, such as times of day: equal if they are so letter by letter."""
    left, right = _letters(a.text), _letters(b.text)
    if left is not None and left == right:
        return Outcome(True, "the same text")
    if b.trouble:
        return Outcome(None, f"{b.text[:40]!r} could not be read: {b.trouble}")
    return Outcome(None, "what it is compared with could not be read")


def _letters(text: str) -> str | None:
    """The characters of a text without maths, in small letters, without spaces, dots and text commands."""
    plain = _TEXT.sub("", text)
    return None if "\\" in plain else re.sub(r"[\s.${}]", "", plain).casefold()


def _words(a: Answer, b: Answer) -> Outcome:
    if a.word is None or b.word is None:
        other = a if a.word is None else b
        if other.node is None:
            return _unread(a, b)
        if other.node.kind == "group" and not other.node.parts:
            return Outcome(None, "one is a word, the other the empty set")
        return Outcome(False, "one is a word, the other is maths")
    if a.word == b.word:
        return Outcome(True, "the same words")
    left, right = set(a.word.split()), set(b.word.split())
    if left <= right or right <= left:
        return Outcome(None, "one says more than the other")
    return Outcome(False, "other words")
