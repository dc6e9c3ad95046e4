r"""Words of maths: the tokens, the names that are known, and the node of which the parser builds its trees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


class Unreadable(ValueError):
    """The text is outside of the grammar, may mean two things, or is too deep; the message says which."""


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of maths. kind says what `parts` and `value` are:

    number (a Fraction), symbol (its name), constant ("pi", "e", "i", "oo", "degree"), numeral (its value and base),
    sum, product, power (base, exponent), root (radicand, degree), function (its name), either (plus or minus its part;
    -1 for `\\mp`), group (its two brackets), list, union, relation (its signs), matrix (rows), row.
    """

    kind: str
    parts: tuple[Node, ...] = ()
    value: Any = None


MAX_RUN = 3
"""Longest run of letters that may be a product of symbols; longer ones are words."""

FUNCTIONS = {
    prefix + name: name
    for name in ("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
                 "ln", "log", "exp")
    for prefix in ("", "\\")
}  # fmt: skip
INVERSE = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}
CONSTANTS = {"\\pi": "pi", "pi": "pi", "\\deg": "degree", "e": "e", "i": "i"} | dict.fromkeys(
    ("\\infty", "infinity", "infty", "inf"), "oo"
)
_GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "kappa",
    "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "varphi", "chi", "psi", "omega", "Gamma",
    "Delta", "Theta", "Lambda", "Xi", "Sigma", "Phi", "Psi", "Omega",
)  # fmt: skip
GREEK = frozenset("\\" + name for name in _GREEK)
BIG = frozenset({"\\mathbb", "\\emptyset", "\\varnothing"})
COMPARISONS = {"=": "=", "<": "<", ">": ">", "\\lt": "<", "\\gt": ">"}
COMPARISONS |= dict.fromkeys(("\\le", "\\leq", "\\leqslant", "<="), "<=")
COMPARISONS |= dict.fromkeys(("\\ge", "\\geq", "\\geqslant", ">="), ">=")
CLOSING = frozenset({")", "]", "}", "\\}", "\\rfloor", "\\rceil", "\\rvert", "\\end"})
ENVIRONMENTS = frozenset({"matrix", "pmatrix", "bmatrix", "vmatrix", "Bmatrix", "smallmatrix", "array"}) - {
    "vmatrix",  # a determinant
    "array",  # its argument says how columns are aligned
}
_WORDS = frozenset({*FUNCTIONS, *CONSTANTS, "sqrt", "and", "or"})

_SIGNS = {
    "√": "\\sqrt", "≤": "\\le ", "≥": "\\ge ", "∪": "\\cup ", "±": "\\pm ", "·": "\\cdot ", "⋅": "\\cdot ",
    "÷": "\\div ",
    "∈": "\\in ", "ℝ": "\\mathbb{R}", "∅": "\\emptyset ", "²": "^2", "³": "^3", "θ": "\\theta ", "α": "\\alpha ",
    "β": "\\beta ", "λ": "\\lambda ", "φ": "\\phi ", "½": "\\frac12", "∛": "\\sqrt[3]",
    "π": "\\pi ", "∞": "\\infty ", "×": "\\cdot ", "−": "-", "–": "-",
}  # fmt: skip
_PLAIN = str.maketrans(_SIGNS)
_TOKEN = re.compile(
    r"\s*([0-9]*\.[0-9]*\\overline\{[0-9]+\}|[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
    r"|\\[A-Za-z]+|\\.|[A-Za-z]+|<=|>=|\*\*|\S)"
)
_REPEATING = re.compile(r"([0-9]*)\.([0-9]*)\\overline\{([0-9]+)\}")


def tokens(text: str) -> list[str]:
    """The words and signs of `text`, short runs of letters cut into single ones, unless they are words."""
    found: list[str] = []
    for match in _TOKEN.finditer(text.translate(_PLAIN)):
        word = match[1]
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
