r"""Words of maths: the tokens, the names that are known, and the node of which the parser builds its trees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from searchkit.answers.names import GREEK as _GREEK
from searchkit.verifiers.reference.maths.two_readings import Unknown, Unreadable, refuse


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of maths. kind says what `parts` and `value` are:

    number (a Fraction), symbol (its name), constant ("pi", "e", "i", "oo", "degree"), numeral (its value and base),
    sum, product, power (base, exponent), root (radicand, degree), function (its name), either (plus or minus its part;
    -1 for `\\mp`), group (its two brackets), list ("or" if its members are alternatives), union, relation (its signs),
    matrix (rows), row, ratio, about (a rounded value), builder (element, condition), congruence (two sides, modulus),
    restated (one set in two notations), statements (equations with conditions), cases (rows of a function), field (its
    letter), prose (its words), raw (text).
    """

    kind: str
    parts: tuple[Node, ...] = ()
    value: Any = None


MAX_RUN = 3
"""Longest run of letters that may be a product of symbols; longer ones are words."""

FUNCTIONS = {
    prefix + name: name
    for name in ("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
                 "ln", "log", "exp", "cis")
    for prefix in ("", "\\")
} | {prefix + name: known for name, known in (("tg", "tan"), ("ctg", "cot"), ("cotg", "cot"), ("arctg", "arctan"))
     for prefix in ("", "\\")}  # fmt: skip
INVERSE = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}
CONSTANTS = {"\\pi": "pi", "pi": "pi", "\\deg": "degree", "e": "e", "i": "i"} | dict.fromkeys(
    ("\\infty", "infinity", "infty", "inf"), "oo"
)
GREEK = frozenset("\\" + name for name in _GREEK)
BIG = frozenset({"\\mathbb", "\\emptyset", "\\varnothing", "\\oslash"})
COMPARISONS = {"=": "=", "<": "<", ">": ">", "\\lt": "<", "\\gt": ">"}
COMPARISONS |= dict.fromkeys(("\\le", "\\leq", "\\leqslant", "<="), "<=")
COMPARISONS |= dict.fromkeys(("\\ne", "\\neq", "!="), "!=") | {"\\equiv": "=="}
ROUNDED = ("\\approx", "\\simeq", "\\doteq", "\\thickapprox")
COMPARISONS |= dict.fromkeys(ROUNDED, "~")
COMPARISONS |= dict.fromkeys(("\\ge", "\\geq", "\\geqslant", ">="), ">=")
CLOSING = frozenset({")", "]", "}", "\\}", "\\rfloor", "\\rceil", "\\rvert", "\\end"})
ENVIRONMENTS = frozenset({"matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array"})
"""Of matrices; not vmatrix, a determinant."""
SYSTEMS = frozenset({"cases", "aligned", "align", "align*", "gathered", "split"})
"""Of statements one below the other."""
BOUND = frozenset("\\" + name for name in ("sum", "prod", "int", "iint", "oint", "lim", "bigcup", "bigcap"))
"""Operators with a bound variable: only the same ones are the same."""
DOTS = frozenset("\\" + name for name in ("dots", "cdots", "ldots"))
DECORATED = frozenset("\\" + name for name in ("vec", "hat", "bar", "mathbf", "tilde", "widehat", "dot", "ddot"))
"""What makes another symbol of a letter."""
_NOT_A_PRODUCT_WORDS = (
    "abs avg var cov std nth gcd lcm det max min mod arg Re Im sgn erf adj rem lim sup dim ker tr of is to ish"
)
_MULTIPLES = frozenset(("mil", "mln", "mio", "mrd", "tsd", "bln", "tys", "lac"))
"""Thousands and millions in other languages."""
_NOT_A_PRODUCT = frozenset(_NOT_A_PRODUCT_WORDS.split())
_WORDS = frozenset({*FUNCTIONS, *CONSTANTS, "sqrt", "and", "or"})

_SIGNS = {
    "√": "\\sqrt", "≤": "\\le ", "≥": "\\ge ", "∪": "\\cup ", "±": "\\pm ", "·": "\\cdot ", "⋅": "\\cdot ",
    "÷": "\\div ",
    "∈": "\\in ", "ℝ": "\\mathbb{R}", "∅": "\\emptyset ", "²": "^2", "³": "^3", "θ": "\\theta ", "α": "\\alpha ",
    "β": "\\beta ", "λ": "\\lambda ", "φ": "\\phi ", "½": "\\frac12", "∛": "\\sqrt[3]",
    "π": "\\pi ", "∞": "\\infty ", "×": "\\cdot ", "≠": "\\ne ", "≈": "\\approx ", "≡": "\\equiv ", "∣": "\\mid ",
    "∖": "\\setminus ", "ℤ": "\\mathbb{Z}", "¼": "\\frac14", "¾": "\\frac34", "⟨": "(", "⟩": ")", "≅": "\\cong ",
}  # fmt: skip
_PLAIN = str.maketrans(_SIGNS)
_TOKEN = re.compile(
    r"\s*([0-9]*\.[0-9]*\\overline\{[0-9]+\}|[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
    r"|\\[A-Za-z]+\*?|\\.|[A-Za-z]+|<=|>=|(?<=\s)!=(?=\s)|\*\*|\S)"
)
_REPEATING = re.compile(r"([0-9]*)\.([0-9]*)\\overline\{([0-9]+)\}")


def tokens(text: str) -> list[str]:
    """The words and signs of `text`, short runs of letters cut into single ones, unless they are words."""
    found: list[str] = []
    refuse(text)
    for match in _TOKEN.finditer(text.translate(_PLAIN)):
        word = match[1]
        if not word.isascii() and word.isalpha() and not "\u0370" <= word <= "\u03ff":
            raise Unknown(f"the letter {word!r} is not known")
        if len(word) > 1 and word[0] == "0" and word.isdigit():
            raise Unreadable("a number that begins with 0 may be part of another")
        if word in _NOT_A_PRODUCT or word.casefold() in _MULTIPLES:
            raise Unknown(f"{word!r} is not known")
        if word.isalpha() and word not in _WORDS and len(word) <= MAX_RUN:
            found.extend(word)
        else:
            found.append({"**": "^"}.get(word, word))
    return found


def is_number(word: str) -> bool:
    """Whether a token is a number in plain digits."""
    return word[0] in "0123456789" or (word[0] == "." and len(word) > 1)


def number(word: str) -> Node:
    r"""The number that a token spells, exactly: "12", ".5", `0.1\overline{6}`."""
    repeating = _REPEATING.fullmatch(word)
    if repeating is None:
        return Node("number", value=Fraction(word))
    whole, fixed, again = repeating.groups()
    shift = 10 ** len(fixed)
    value = Fraction(int(whole + fixed or "0"), shift) + Fraction(int(again), shift * (10 ** len(again) - 1))
    return Node("number", value=value)
