"""A maths answer, read from text without evaluating it, and what is decided about two of them without sympy."""

from __future__ import annotations

import re
from collections.abc import Hashable
from fractions import Fraction

from searchkit.answers.boxes import Several
from searchkit.answers.foreign_words import is_number_abroad
from searchkit.answers.number_words import number_in_words
from searchkit.answers.units import DROPPED
from searchkit.verifiers.reference.maths.compare import compare
from searchkit.verifiers.reference.maths.doubts import doubts, words_may_agree, words_may_be_maths
from searchkit.verifiers.reference.maths.exact import expand, independent
from searchkit.verifiers.reference.maths.forms import name_of
from searchkit.verifiers.reference.maths.outcome import Algebra, Outcome
from searchkit.verifiers.reference.maths.reading import NOTATION, Answer, plainly
from searchkit.verifiers.reference.maths.terms import Terms, TooBig
from searchkit.verifiers.reference.maths.terms import rational as value_of
from searchkit.verifiers.reference.maths.tokens import Node
from searchkit.verifiers.reference.maths.tolerances import Tolerance, number
from searchkit.verifiers.reference.maths.two_readings import Unreadable

_QUANTITIES = (
    "half",
    "halves",
    "third",
    "quarter",
    "dozen",
    "hundred",
    "thousand",
    "million",
    "infinit",
    "none",
    "nothing",
    "nil",
)
_COMMANDS = re.compile(r"\\[A-Za-z]+")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_COMPARISON = 2  # the work of comparing two numbers, in products of monomials


def read(found: str | Several) -> Answer | None:
    """The answer that a text is, None if it is empty, cut off or too long. Linear time; raises on no text."""
    if isinstance(found, Several):
        return _together(found)
    return plainly(found)


def _together(found: Several) -> Answer | None:
    """The answers of several boxes: one if they are equal, else a list of all of them, of which one may be meant."""
    parts: list[Answer] = []
    for text in found:
        part = read(text)
        if part is None:
            return None
        if not any(judge(part, other).equal for other in parts):
            parts.append(part)
    if len(parts) == 1:
        return parts[0]
    nodes = [part.node for part in parts]
    spelling = "; ".join(part.spelling for part in parts)
    if len({part.unit for part in parts}) > 1 or len({part.percent for part in parts}) > 1:
        return Answer(found, spelling, None, trouble="several boxes with several units")
    if any(node is None for node in nodes):
        return Answer(found, spelling, None, trouble="several boxes")
    together = Node("list", tuple(node for node in nodes if node is not None), "or")
    return Answer(found, spelling, together, unit=parts[0].unit, percent=parts[0].percent)


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
            if value_of(left) is None:
                return Outcome(True, "the same equation up to a factor")
            return Outcome(None, "equations that are true or false, whatever they are about")
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
    except (TooBig, Unreadable) as error:
        return _unread(a, b) if a.trouble or b.trouble else Outcome(None, str(error))


def unread(a: Answer, b: Answer) -> bool:
    """Whether another parser may help: one is in notation that ours lacks, none is words, no unit is another."""
    known = a.word is b.word is None and not _other_units(a, b)
    return known and any(one.trouble.startswith(NOTATION) for one in (a, b)) and all(_sound(one) for one in (a, b))


def near(wanted: Answer, found: Answer, tolerance: Tolerance) -> Outcome | None:
    """What a tolerance says of two real numbers in no other units; None where it says nothing.

    Where one alone has a percent sign, which may be a unit or a factor, near is not known to be meant.
    """
    if wanted.node is None or found.node is None or _other_units(wanted, found):
        return None
    names = name_of(wanted.node), name_of(found.node)
    if None not in names and names[0] != names[1]:
        return None
    pairs = [(wanted.node, found.node)]
    if wanted.percent != found.percent:
        one, other = (
            _hundredth(node) if percent else node
            for node, percent in ((wanted.node, wanted.percent), (found.node, found.percent))
        )
        pairs.append((one, other))
    values = [(number(one), number(other)) for one, other in pairs]
    if not any(a is not None and b is not None and tolerance.accepts(b, a) for a, b in values):
        return None
    if wanted.percent != found.percent:
        return Outcome(None, "near it, but one has a percent sign")
    return Outcome(True, f"another number, within {tolerance!r}")


def _sound(one: Answer) -> bool:
    return not one.trouble or one.trouble.startswith(NOTATION)


def _other_units(a: Answer, b: Answer) -> bool:
    """Of units that keys for votes drop, none is another."""
    return bool(a.unit and b.unit) and a.unit != b.unit and not {a.unit, b.unit} <= set(DROPPED)


def _maybe_other_units(a: Answer, b: Answer) -> bool:
    """Whether a letter behind one may be a unit, and the other has another one."""
    one, other = (answer.unit or answer.letter for answer in (a, b))
    return bool(a.letter or b.letter) and bool(one and other) and one != other


def _judged(a: Answer, b: Answer, algebra: Algebra) -> Outcome:
    if _other_units(a, b):
        return Outcome(None, f"it is in {b.unit}, and should be in another unit")
    if a.word is not None or b.word is not None:
        return _words(a, b)
    if a.node is None or b.node is None:
        return _unread(a, b)
    if a.text != b.text and (doubt := doubts(a, b)) is not None:
        return Outcome(None, doubt)
    if a.node == b.node and a.percent == b.percent:
        return Outcome(True, "the same text")
    outcome = _scaled(a, b, a.node, b.node, algebra)
    if outcome.equal is False and (a.others or b.others):
        pairs = ((one, other) for one in (a.node, *a.others) for other in (b.node, *b.others))
        if any(_scaled(a, b, one, other, algebra).equal is not False for one, other in pairs):
            return Outcome(None, "it depends on how it is read")
    if outcome.equal is False and _maybe_other_units(a, b):
        return Outcome(None, "it may be in another unit")
    return _unread(a, b) if outcome.equal is None and (a.trouble or b.trouble) else outcome


def _scaled(a: Answer, b: Answer, left: Node, right: Node, algebra: Algebra) -> Outcome:
    """As they are written, and with a percent sign on one side as a factor."""
    outcome = compare(left, right, algebra)
    if a.percent == b.percent or outcome.equal:
        return outcome
    left, right = (_hundredth(node) if one.percent else node for one, node in ((a, left), (b, right)))
    as_factor = compare(left, right, algebra)
    return as_factor if as_factor.equal or outcome.equal is False else outcome


def _hundredth(node: Node) -> Node:
    return Node("product", (Node("number", value=Fraction(1, 100)), node))


def _unread(a: Answer, b: Answer) -> Outcome:
    """Texts outside of the grammar, such as times of day: equal if they are so letter by letter."""
    if a.node is b.node is None and a.spelling == b.spelling and a.percent == b.percent:
        return Outcome(True, "the same text")
    if b.trouble:
        return Outcome(None, f"{b.text[:40]!r} could not be read: {b.trouble.removeprefix(NOTATION)}")
    return Outcome(None, "what it is compared with could not be read")


def _is_quantity(word: str) -> bool:
    return number_in_words(word) is not None or word.startswith(_QUANTITIES) or is_number_abroad(word)


def _words(a: Answer, b: Answer) -> Outcome:
    if a.word is None or b.word is None:
        other = a if a.word is None else b
        if other.node is None:
            return _unread(a, b)
        if other.node.kind == "group" and not other.node.parts:
            return Outcome(None, "one is a word, the other the empty set")
        word = str(a.word or b.word)
        if words_may_be_maths(word) or any(map(_is_quantity, re.split("[ -]", word))):
            return Outcome(None, "one may be maths in words")
        if _LETTERS.search(_COMMANDS.sub("", other.text)):
            return Outcome(None, "one is a word, the other is words with maths")
        return Outcome(False, "one is a word, the other is maths")
    if a.word == b.word:
        return Outcome(True, "the same words")
    if words_may_agree(a.word, b.word):
        return Outcome(None, "other words that may say the same")
    if any(_is_quantity(word) for one in (a.word, b.word) for word in re.split("[ -]", one)):
        return Outcome(None, "one may be a number in words")
    left, right = ({word.strip(",.;:!?()") for word in one.split()} for one in (a.word, b.word))
    if left <= right or right <= left:
        return Outcome(None, "one says more than the other")
    return Outcome(False, "other words")


def answer_key(found: Answer) -> Hashable:
    """What answers that could not be read vote by: nothing that looks like the form of one that could."""
    if found.word is not None:
        return found.word
    return found.spelling if re.search(r"[A-Za-z\\]", found.spelling) else f"{found.spelling} (unread)"
