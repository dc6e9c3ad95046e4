r"""One spelling for each answer: the form in which answers are compared and counted.

Pure text work in linear time: no algebra, no evaluation. What is made equal:

    1.0  1  +1  \frac{2}{2}              -> "1"          12,000  12{,}000  12\,000  \$12,\!000 -> "12000"
    0.5  .5  1/2  \dfrac12  \frac{1}{2}  -> "1/2"        1\frac{4}{5}  1 4/5  9/5              -> "9/5"
    90^\circ  90°  90 degrees            -> "90"         5.4 \text{ cents}  5.4                -> "27/5"
    \text{Evelyn}  **evelyn**            -> "evelyn"     \text{(C)}  (C)  C                    -> "C"
    x = 5  5  $5$.  \(5\)                -> "5"          (0.5, 3)  \left(\frac12,3\right)      -> "(1/2, 3)"

Conventions worth knowing: a percent sign is dropped as a unit (50% is "50", not "1/2"); units are dropped, not
converted; `0.333` is not `1/3`; `1.250` may be 1250, and stays as it is; a set's members are sorted, a list's are not;
words lose their case, single letters keep it. Algebraically equal but differently written answers (`2\sqrt{2}`,
`\sqrt{8}`) stay different.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Mapping, Set
from dataclasses import fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Any

from searchkit.answers.boxes import Several
from searchkit.answers.names import name_of
from searchkit.answers.notation import usual
from searchkit.answers.number_words import multiplied
from searchkit.answers.phrases import reduced
from searchkit.answers.units import measured

MAX_ANSWER = 1000
"""Longest answer in characters; a longer text is no answer and has no key."""

_MAX_ROUNDS = 8
_MAX_DEPTH = 5

_CHARACTERS = str.maketrans({"π": "\\pi ", "∞": "\\infty ", "×": "\\cdot ", "°": ""})
_TEXT = r"\\(?:text|textbf|textit|textrm|mbox|mathrm|mathbf|operatorname|boxed|fbox)(?![A-Za-z])\s*"
_ARGUMENT = r"\s*(?:\{([^{}]*)\}|([0-9A-Za-z]))"

Rewrite = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _fraction(match: re.Match[str]) -> str:
    top, top_token, bottom, bottom_token = match.groups("")
    return f"\\frac{{{top or top_token}}}{{{bottom or bottom_token}}}"


# Each rule is linear: no two neighbouring repeats can match the same character.
_GROUPING: Rewrite = (re.compile(r",\\!\s*|\{,\}"), ",")
_SPACING: Rewrite = (re.compile(r"(?<!\\)\\[,;: ]|~"), " ")
_UNIT_SIGNS: Rewrite = (re.compile(r"\\?[%$]"), "")
_SCRIPTS: Rewrite = (re.compile(r"([_^])\s*\{([0-9A-Za-z])\}"), r"\1\2")
_PACKAGING: tuple[Rewrite, ...] = (  # in order
    _GROUPING,
    (re.compile(r"\\!"), ""),
    (re.compile(r"(?<=[0-9])\\,(?=[0-9]{3})"), ""),
    _SPACING,
    (re.compile(r"(?:\\q?quad(?![A-Za-z])\s*)+"), r"\\quad "),
    (re.compile(r"^\s*\\quad |\\quad \s*$|(?<=[,;])\s*\\quad |\\quad (?=[,;]|\\text|and\b|or\b|\\cup)"), " "),
    (re.compile(r"(?<!\\)\\[()\[\]]|\\(?:left|right|displaystyle)(?![A-Za-z])"), ""),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\times(?![A-Za-z])"), r"\\cdot"),
    (re.compile(r"\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![A-Za-z])|\\degree(?![A-Za-z])"), ""),
    _UNIT_SIGNS,
    (re.compile(_TEXT + r"\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\frac" + _ARGUMENT + _ARGUMENT), _fraction),
    (re.compile(r"\\sqrt\s*([0-9A-Za-z])"), r"\\sqrt{\1}"),
    _SCRIPTS,
)
_WITHOUT_TEX = (_GROUPING, _SPACING, _UNIT_SIGNS, _SCRIPTS)
"""Those of `_PACKAGING` that find something in a text without a backslash."""
_LETTER = re.compile(r"\s*\(([A-Z])\)\s*")
_ELLIPSIS = re.compile(r"(?:\.\.|…|\\[lc]?dots)[\s.$)\]}]*$")
_EDGES = ' \t\r\n*`$.,;:"\\'
_SIMPLE = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_NUMBER = r"(?:(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)"
_POWER = r"(?:[eE]([-+]?[0-9]{1,3})|\s*\\cdot\s*10\s*\^\s*\{?\s*([-+]?[0-9]{1,3})\s*\}?)?"
_DECIMAL = re.compile(rf"([-+]?)\s*({_NUMBER}){_POWER}")
_FRACTION = re.compile(
    rf"([-+]?)\s*(?:([0-9]+)\s*)?\\frac\{{\s*([-+]?\s*{_NUMBER})\s*\}}\{{\s*([-+]?\s*{_NUMBER})\s*\}}"
    rf"|([-+]?)\s*(?:([0-9]+)\s+)?({_NUMBER})\s*/\s*({_NUMBER})"
)
POINTED = re.compile(r"\s*-?[1-9][0-9]{0,2}\.[0-9]{2}0\s*")
"""A number whose point may stand between thousands (1.250 of Berlin) or before decimals (1.250 of Boston)."""
_GROUP = re.compile(r"\s*0[0-9]+\s*")  # part of a number between commas, as in 1,00,000: no member with the value 0
_WORDS = re.compile(r"[^\W\d_]{2,}(?:[.,;:!?]? ?[ '’\-][^\W\d_]+)*")


def canonical(value: Any) -> Hashable | None:
    """The canonical form of an answer: a string for texts and numbers, a tuple for containers and dataclasses.

    None for what is no answer: an empty text, one of more than `MAX_ANSWER` characters or with unbalanced braces (cut
    off), NaN and infinities, values that cannot be hashed. `canonical` of a canonical text is that text. Never raises
    on text.
    """
    return _canonical(value, 0)


def _canonical(value: Any, depth: int) -> Hashable | None:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Several):
        parts = [_text(part) for part in value]
        return None if None in parts else ", ".join(map(str, parts))
    if value is None or depth > _MAX_DEPTH:
        return None
    if isinstance(value, bool):
        return str(value).casefold()
    if isinstance(value, Rational):
        wide = max(int(value.numerator).bit_length(), int(value.denominator).bit_length()) > 3 * MAX_ANSWER
        return None if wide else str(Fraction(int(value.numerator), int(value.denominator)))
    if isinstance(value, Real | Decimal):
        finite = abs(float(value)) < math.inf
        return (
            _settled(str(value.normalize()) if isinstance(value, Decimal) else repr(float(value))) if finite else None
        )
    return _container(value, depth + 1)


def _text(value: str) -> str | None:
    if _SIMPLE.fullmatch(value) and not POINTED.fullmatch(value):
        return str(Fraction(value))
    return _settled(value) if len(value) <= MAX_ANSWER and balanced(value) else None


def _container(value: Any, depth: int) -> Hashable | None:
    """Containers and dataclasses become tuples; sets and mappings sorted, so that equal values have equal reprs."""
    if isinstance(value, list | tuple):
        return tuple(_canonical(item, depth) for item in value)
    if isinstance(value, Set):
        return ("set", *sorted((_canonical(item, depth) for item in value), key=repr))
    if isinstance(value, Mapping):
        return ("map", *sorted(((_canonical(k, depth), _canonical(v, depth)) for k, v in value.items()), key=repr))
    if is_dataclass(value) and not isinstance(value, type):
        return (type(value).__qualname__, *(_canonical(getattr(value, f.name), depth) for f in fields(value)))
    return value if isinstance(value, Hashable) and value == value else None


def balanced(text: str) -> bool:
    """Whether each brace is closed: a text that was cut off is not."""
    depth = 0
    for token in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth < 0:
            return False
    return depth == 0


def _settled(text: str) -> str | None:
    """Rewrites until nothing changes, which makes the result a fixed point; None if that takes suspiciously long."""
    for _ in range(_MAX_ROUNDS):
        rewritten = _once(reduced(usual(text)), 0)
        if rewritten == text:
            return text if 0 < len(text) <= MAX_ANSWER and balanced(text) else None
        text = rewritten
    return None


def unpacked(text: str) -> str:
    """`text` without Markdown, dollars, spacing commands and units, its fractions in one spelling, its names kept."""
    for _ in range(_MAX_ROUNDS):
        rewritten = _rewritten(text)
        if rewritten == text:
            break
        text = rewritten
    return text


def valued(text: str) -> str:
    """`text` without its unit, its packaging, its name and the word that multiplies it, which is carried out."""
    bare, times = multiplied(text)
    measure = measured(bare)
    text = _rewritten(measure.value if measure.certain else bare)
    if (named := name_of(text)) is not None:
        text = named[1]
    number = rational(text) if times != 1 else None
    if letter := _LETTER.fullmatch(text):
        return letter[1]
    return text if times == 1 else str(number * times) if number is not None else f"{text} {times}"


def words(text: str) -> str | None:
    """`text` in small letters if it is nothing but words."""
    return re.sub(r"\s+", " ", text.casefold()) if _WORDS.fullmatch(text) else None


def _rewritten(text: str) -> str:
    text = (
        text.translate(_CHARACTERS)
        .lstrip(' \t\r\n*`:"')
        .rstrip(_EDGES.replace("$", "") if not _ELLIPSIS.search(text) else " \t\r\n*`")
    )
    for pattern, replacement in _PACKAGING if "\\" in text else _WITHOUT_TEX:
        text = pattern.sub(replacement, text)
    return text


def _once(text: str, depth: int) -> str:
    text = valued(text)
    number = None if POINTED.fullmatch(text) else rational(text)
    if number is not None:
        return str(number)
    word = words(text)
    if word is not None:
        return word
    return _listed(text, depth) if depth < _MAX_DEPTH else squeezed(text)


def rational(text: str) -> Fraction | None:
    """The value of a text that is nothing but a number: decimal, with exponent, fraction or mixed number; else None."""
    text = text.strip()
    if match := _DECIMAL.fullmatch(text):
        value = Fraction(match[2].replace(",", "")) * Fraction(10) ** int(match[3] or match[4] or 0)
        return -value if match[1] == "-" else value
    if match := _FRACTION.fullmatch(text):
        sign, whole, top, bottom = (a or b for a, b in zip(match.groups()[:4], match.groups()[4:], strict=True))
        above, below = (Fraction(re.sub(r"[,\s]", "", part)) for part in (top, bottom))
        mixed = 0 < above < below and not top.startswith("0")  # else 1 000/3 and 2 5/3 have two readings
        dated = re.match("0[0-9]", top) or re.match("0[0-9]", bottom)
        if below and (mixed or not whole) and not dated:
            value = int(whole or 0) + above / below
            return -value if sign == "-" else value
    return None


def _listed(text: str, depth: int) -> str:
    """Members of lists, tuples, intervals and sets one by one, joined by ", " (so that "3, 500" never becomes 3500)."""
    left, inner, right = _unwrapped(text)
    parts = _split(inner)
    if len(parts) == 1 and not left:
        return squeezed(text)
    members = [part.strip() if _GROUP.fullmatch(part) else _once(part, depth + 1) for part in parts]
    return left + ", ".join(sorted(members) if left == "\\{" else members) + right


def _unwrapped(text: str) -> tuple[str, str, str]:
    """(opening bracket, inside, closing bracket) if one pair encloses the whole text; brackets are "" if not."""
    opening, closing = (2 if text.startswith("\\{") else 1), (2 if text.endswith("\\}") else 1)
    if len(text) < opening + closing or text[opening - 1] not in "([{" or text[-1] not in ")]}":
        return "", text, ""
    depth = 0
    for position, character in enumerate(text[opening - 1 :], opening):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and position < len(text):
            return "", text, ""
    return (text[:opening], text[opening:-closing], text[-closing:]) if depth == 0 else ("", text, "")


def _split(text: str) -> list[str]:
    """`text` cut at the commas outside all brackets."""
    parts, start, depth = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def squeezed(text: str) -> str:
    """Without white space, but for one space between two words or two numbers."""
    return re.sub(r"\s+", _space, text.strip())


def _space(match: re.Match[str]) -> str:
    before, after = match.string[match.start() - 1], match.string[match.end()]
    return " " if (before.isalpha() and after.isalpha()) or (before.isdigit() and after.isdigit()) else ""
