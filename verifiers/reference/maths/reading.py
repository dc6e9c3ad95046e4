r"""From a text to what it says: words, or a tree with a unit, a percent sign and other trees that it may also be."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from searchkit.answers.boxes import Several
from searchkit.answers.canonical import MAX_ANSWER, POINTED, balanced, rational, squeezed, unpacked, words
from searchkit.answers.foreign_words import AFFIRMATIONS, is_number_abroad
from searchkit.answers.names import name_of
from searchkit.answers.notation import usual
from searchkit.answers.number_words import multiplied
from searchkit.answers.phrases import reduced
from searchkit.answers.qualifiers import SHORT
from searchkit.answers.units import Measured, measured
from searchkit.verifiers.reference.maths.matrices import bound
from searchkit.verifiers.reference.maths.parser import parse
from searchkit.verifiers.reference.maths.prose import prose
from searchkit.verifiers.reference.maths.tokens import CONSTANTS, DECORATED, GREEK, MAX_RUN, Node
from searchkit.verifiers.reference.maths.two_readings import Unknown, Unreadable

_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_GROUPED = re.compile(r"-?[1-9][0-9]{0,2}\.[0-9]{3}")
_PERCENT_INSIDE = re.compile(r"%[^%]*[0-9A-Za-z]")
_LAST_JOINT = re.compile(r".*(?:;|\band\b|\bor\b)(.*)", re.DOTALL)
_IN_WORDS = re.compile(r"\\(?:text|mathrm|textrm|textbf|operatorname|mbox)\{[^{}]*\}(?:\([^()]*\))?|[A-Za-z]{4,}")
_MATRICES = re.compile(r"\\mathbf\s*\{\s*[A-Z]\s*\}\s*\\mathbf")
_SUM = re.compile(r"[0-9A-Za-z)}]\s*(?:[-+*/]|\\cdot|\\times)")
_BESIDE = re.compile(r"[^\s$]\s*\$\s+\(")
_TEXT = re.compile(r"\\(?:text|textbf|textrm|textit|mbox|mathrm|boxed)(?![A-Za-z])\s*\{([^{}]*)\}")
_PERCENT = re.compile(r"(?:%|\bpercent\b)[\s$.})\\*_]*$", re.IGNORECASE)
_ANGLE = re.compile(r"(?:sin|cos|tan|cot|sec|csc|cis)(?![A-Za-z])")
_DEGREES = re.compile(r"\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![A-Za-z])|\\degree(?![A-Za-z])|°|\bdegrees?\b")
_THOUSANDS = re.compile(r"(?<=[0-9])(?:,\\!\s*|\{,\}|\\,)(?=[0-9]{3}(?![0-9]))")
_GROUPS = re.compile(r"(?<![0-9,.])[1-9][0-9]{0,2}(?:,[0-9]{3}){2,}(?![0-9,])")
_LINES = re.compile(r"(?:\s*(?:\\\\(?=\s|$)|\n))+\s*")
_SEPARATORS = re.compile(r"\s*(?:,|;|\\quad(?![A-Za-z])|\band\b)\s*")
_DECIMAL_COMMA = re.compile(r"(-?[0-9]+),([0-9]+)|(-?[0-9]{1,3})((?:\.[0-9]{3})+)(?:,([0-9]+))?")
_DECIMAL_COMMA_IN_LIST = re.compile(r"(?<=[0-9]),(?=[0-9])")
_ABBREVIATED = re.compile(r"(.*[0-9}])(?:(?:\s|\\,|\\ )+[A-Za-z]{2,3}\.?|\s*[KMBT])\s*")
_LAKHS = re.compile(r"\s*[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}\s*")
_RANGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*-\s*([0-9]+(?:\.[0-9]+)?)")
_TRAILING = re.compile(r"\.\.|…")
_ELLIPSIS = re.compile(r"\.\.|…|\\[lc]?dots(?![A-Za-z])")
_PIECES = re.compile(r"(\\cup(?![A-Za-z])|\bor\b|\\in(?![A-Za-z])|=)")
_FRENCH = re.compile(r"^(\s*)(?:(\])([^\[\]]*[,;][^\[\]]*)([\]\[])|(\[)([^\[\]]*[,;][^\[\]]*)(\[))(\s*)$")


NOTATION = "notation: "
"""Begins the trouble with what the parser does not know, as opposed to what it refuses as nonsense."""


@dataclass(frozen=True)
class Answer:
    """What an answer says. found: as written. spelling: what two unreadable texts are compared by.

    node: its tree, None where it could not be read (`trouble` says why). others: trees that it may also be, for which
    it is not called different. word: set where it is nothing but words. unit: its unit of measure, "" for none.
    percent: whether a percent sign ends it. letter: a unit that a letter at its end may be.
    """

    found: str | Several
    spelling: str
    node: Node | None
    others: tuple[Node, ...] = ()
    word: str | None = None
    unit: str = ""
    trouble: str = ""
    percent: bool = False
    letter: str = ""

    @property
    def text(self) -> str:
        """As written, several answers with commas between."""
        return ", ".join(self.found) if isinstance(self.found, Several) else self.found


def plainly(text: str) -> Answer | None:
    """What a text says; None if it is empty, cut off or too long."""
    if _PLAIN.fullmatch(text) and not _GROUPED.fullmatch(text):
        return Answer(text, text, Node("number", value=Fraction(text)))
    if len(text) > MAX_ANSWER or not balanced(text):
        return None
    said = reduced(usual(text))
    if (worded := name_of(said)) is not None and _IN_WORDS.fullmatch(worded[0]):
        said = worded[1]
    angles = _ANGLE.search(said) is not None
    bare, times = multiplied(_DEGREES.sub(r"\\deg ", said) if angles else said)
    measure = Measured(bare) if angles else measured(bare)
    if not angles and not measure.unit and _DEGREES.search(bare):
        measure = measure._replace(unit="deg")
    percent = _PERCENT.search(bare) is not None
    plain = unpacked(_THOUSANDS.sub("", measure.value if measure.certain else bare))
    plain = _GROUPS.sub(lambda number: number[0].replace(",", ""), plain)
    if not plain.strip():
        return None
    spelling = _spelling(said)
    if (word := _word(plain)) is not None:
        return Answer(text, spelling, None, word=word)
    try:
        node = _times(_tree(plain, said), times)
        single = _PLAIN.fullmatch(plain) and not _GROUPED.fullmatch(plain) and not measure.unit
        others = () if single else tuple(_others(node, plain, measure, times))
    except Unreadable as error:
        if (note := prose(said)) is not None:
            return Answer(text, spelling, note, unit=measure.unit, percent=percent)
        trouble = f"{NOTATION if isinstance(error, Unknown) else ''}{error}"
        return Answer(text, spelling, None, unit=measure.unit, trouble=trouble, percent=percent)
    trouble = f"{NOTATION}{bound(node)!r} is not known" if "\\" in plain and bound(node) else ""
    unit, letter = (measure.unit, "") if measure.certain else ("", measure.unit)
    return Answer(text, spelling, node, others, unit=unit, trouble=trouble, percent=percent, letter=letter)


def _word(plain: str) -> str | None:
    """Words that are no maths: longer than a product of symbols, yes and no, and numbers in words."""
    word = words(plain)
    if word is None or f"\\{word}" in GREEK or word in CONSTANTS:
        return None
    known = all(token in SHORT or token in ("or", "and") for token in word.split()) and (len(word) > 2 or word == "no")
    known = known or word in AFFIRMATIONS or (len(word) > 2 and is_number_abroad(word))
    return word if known or max(map(len, re.split(r"[ '’-]", word))) > MAX_RUN else None


def _tree(plain: str, said: str) -> Node:
    """The parsed text. A number that is the whole answer may have commas: 12,345 is no list."""
    if _TRAILING.search(said):
        raise Unreadable("dots stand for what is not said")
    if (between := _RANGE.fullmatch(plain.strip())) and Fraction(between[1]) < Fraction(between[2]):
        raise Unreadable("a dash between numbers may be a range or a difference")
    if POINTED.fullmatch(plain):
        raise Unreadable("a point may stand between thousands or before decimals")
    if _PERCENT_INSIDE.search(said) or (_PERCENT.search(said) and _SUM.search(plain)):
        raise Unreadable("a percent sign inside of it may be a unit or a factor")
    if _MATRICES.search(said):
        raise Unreadable("a product of matrices")
    if _mixed_separators(plain):
        raise Unreadable("separators of two kinds may group what stands between them")
    if _BESIDE.search(said):
        raise Unreadable("what stands in brackets behind the maths may explain or multiply")
    word = words(plain)
    if word is not None and f"\\{word}" in GREEK:
        plain = f"\\{word}"
    if (number := rational(plain)) is not None:
        return Node("number", value=number)
    if "]" in plain or plain.count("[") > 1:
        plain = "".join(_FRENCH.sub(_usual_brackets, piece) for piece in _PIECES.split(plain))
    if "\\begin" not in plain:
        plain = _LINES.sub(r" \\quad ", plain.strip().removesuffix("\\\\"))
    pieces = [name_of(piece) for piece in _SEPARATORS.split(plain)]
    if len(pieces) > 1 and all(pieces):
        return Node("list", tuple(_named(*piece) for piece in pieces if piece))
    named = name_of(plain)
    conditions = named is not None and "," in named[1] and re.search(r"[<>]|\\(?:leq?|geq?|neq?)(?![a-z])", named[1])
    return parse(plain) if named is None or conditions else _named(*named)


def _mixed_separators(text: str) -> bool:
    """Whether commas group what stands between semicolons, or behind the last "and": 1,2 and 3,4."""
    flat, depth = "", 0
    for character in text:
        depth -= character in ")]}"
        flat += character if depth == 0 else ""
        depth += character in "([{"
    found = _LAST_JOINT.fullmatch(flat)
    return found is not None and "," in found[1] and "," in flat[: found.start(1)]


def _named(name: str, value: str) -> Node:
    """A value with its name; "x \\in [0, 1]" is the interval."""
    number = rational(value)
    node = parse(value) if number is None else Node("number", value=number)
    if node.kind in ("list", "relation", "statements", "restated") or (node.kind == "union" and "=" in value):
        return parse(f"{name}={value}") if len(name) == 1 else node
    return Node("relation", (Node("symbol", value=name), node), ("=",))


def _usual_brackets(match: re.Match[str]) -> str:
    """The interval ]a, b[ with the brackets (a, b)."""
    opening, inside, closing = match[2] or match[5], match[3] or match[6], match[4] or match[7]
    return ("(" if opening == "]" else "[") + inside + (")" if closing == "[" else "]")


def _times(node: Node, times: Fraction) -> Node:
    return node if times == 1 else Node("product", (Node("number", value=times), node))


def _others(node: Node, plain: str, measure: Measured, times: Fraction) -> Iterator[Node]:
    """Other readings: a decimal comma, also in a list, a point between thousands, a letter that is a unit, letters that

    are an abbreviation, letters with arrows, degrees as parts of pi, and what is behind a sign of approximation.
    """
    if measure.unit == "deg":
        yield Node("product", (node, Node("constant", value="degree")))
    if node.kind == "relation" and node.value[-1] == "~" and len(node.parts) > 1:
        yield Node("about", node.parts[-1:])
    if decimal := _DECIMAL_COMMA.fullmatch(plain.strip()):
        grouped = f"{decimal[3]}{decimal[4]}".replace(".", "") + f".{decimal[5] or 0}"
        text = f"{decimal[1]}.{decimal[2]}" if decimal[1] else grouped
        yield _times(Node("number", value=Fraction(text)), times)
    if ";" in plain and _DECIMAL_COMMA_IN_LIST.search(plain):
        with contextlib.suppress(Unreadable):
            yield _tree(_DECIMAL_COMMA_IN_LIST.sub(".", plain).replace(";", ","), "")
    if (abbreviated := _ABBREVIATED.fullmatch(plain)) and (number := rational(abbreviated[1])) is not None:
        yield _times(Node("number", value=number), times)
    if _LAKHS.fullmatch(plain.strip()):
        yield _times(Node("number", value=Fraction(plain.replace(",", ""))), times)
    if not measure.certain:
        with contextlib.suppress(Unreadable):
            bare = _times(_tree(unpacked(_THOUSANDS.sub("", measure.value)), ""), times)
            yield bare
            if measure.unit == "k":
                yield _times(bare, Fraction(1000))
    if any(command in plain for command in DECORATED):
        yield _undecorated(_times(_tree(plain, ""), times))


def _undecorated(node: Node) -> Node:
    if node.kind == "symbol" and " " in node.value:
        letter = node.value.rpartition(" ")[2]
        return Node("constant", value=letter) if letter in ("e", "i") else Node("symbol", value=letter)
    return Node(node.kind, tuple(map(_undecorated, node.parts)), node.value)


def _spelling(said: str) -> str:
    """The characters of a text, without text commands, spaces and dollars, words in small letters."""
    plain = _TEXT.sub(r" \1 ", said).replace("\\%", "%")
    plain = re.sub(r"(?<!\\)\$|(?<!\\)\\[,;:! ]|~|\\(?:left|right)(?![A-Za-z])", " ", plain)
    if not _ELLIPSIS.search(plain):
        plain = re.sub(r"(?<![0-9])\.|\.(?![0-9])", " ", plain)
    plain = squeezed(plain.strip().strip("*`;,: "))
    return re.sub(r"(?<![A-Za-z\\])[A-Za-z]{2,}", lambda word: word[0].casefold(), plain)
