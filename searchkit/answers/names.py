r"""Names in front of an answer, as in `x = 5`, `f(3) = 7`, `|AB| = 1`, `\frac{dy}{dx} = 2x`, `\text{Area} = 12`.

A name says what is asked for, and so nothing about the answer. A function of the grammar is no name: `\sin(x) = 1/2` is
an equation, and so is `xy = 4`.
"""

from __future__ import annotations

import re

from searchkit.answers.qualifiers import changes

GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "kappa",
    "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "varphi", "chi", "psi", "omega", "Gamma",
    "Delta", "Theta", "Lambda", "Xi", "Sigma", "Phi", "Psi", "Omega", "ell", "hbar",
)  # fmt: skip
_LETTER = (
    rf"(?:[A-Za-z]|\\(?:{'|'.join(GREEK)})(?![A-Za-z])|\\(?:vec|hat|bar|mathbf|mathcal|boldsymbol|bm)\s*\{{[A-Za-z]\}})"
)
_BELOW = r"(?:\s*_\s*(?:[0-9A-Za-z]|\{[^{}=<>]{1,30}\}))?"
_PRIMES = r"(?:\s*(?:'{1,3}|\^\s*\{?\s*(?:\\prime\s*){1,3}\}?|\^\{-1\}(?=\s*(?:\\left)?\()))?"
_ARGUMENTS = r"(?:\s*(?:\\left)?\([^()=<>\\]{1,30}(?:\\right)?\)|\s*\[[^\[\]=<>\\]{1,20}\])?"
_SIMPLE = rf"{_LETTER}{_BELOW}{_PRIMES}{_ARGUMENTS}"
_DERIVATIVE = (
    r"\\[dt]?frac\s*\{\s*d(?:\^\{?[2-9]\}?)?\s*[A-Za-z]?\s*\}\s*\{\s*d\s*[A-Za-z](?:\^\{?[2-9]\}?)?\s*\}|dy\s*/\s*dx"
)
_WORDS = r"\\(?:text|mathrm|textrm|textbf|operatorname|mbox)\s*\{[^{}=<>0-9]{2,60}\}(?:\s*\([^()=<>]{0,30}\))?"
_WORDS += r"|(?!arc|sinh|cosh|tanh|sqrt)[A-Za-z]{4,20}(?: [a-z]+){0,3}(?=\s*=)"
_FIGURE = (
    r"(?:m\s*)?\\?(?:angle|triangle)\s*[A-Z]{1,4}|\\?\|\s*(?:\\overline\s*\{)?[A-Z]{2}\}?\s*\\?\||[A-Z]{2,4}"
    r"|\\over(?:line|rightarrow|leftarrow)\s*\{[A-Z]{1,3}\}|[SAVPC]_\s*\{?\s*\\(?:triangle|text)[^{}=]{0,20}(?:\{[^{}=]{0,20}\})?\s*\}?"
)
_POINT = r"\(\s*[a-z]\s*,\s*[a-z]\s*(?:,\s*[a-z]\s*)?\)(?=\s*=\s*\()"
NAME = re.compile(rf"(?:{_POINT}|{_DERIVATIVE}|{_WORDS}|{_FIGURE}|{_SIMPLE})\s*(?:=|:(?=\s)|\\in(?![A-Za-z]))\s*(?=\S)")
"""A name with its sign. It ends where the answer begins."""
_LETTER_ALONE = re.compile(r"[\s$]*([A-Za-z])[\s$.]*")
_PLAIN_NAME = re.compile(r"(?:[A-Za-z]|\\[a-z]+)(?:\([a-z](?:,[a-z])*\))?|\([a-z](?:,[a-z])*\)")
_EXTREMES = re.compile(r"\b(?:max|min|mean|median|mode)", re.IGNORECASE)


def is_plain(name: str) -> bool:
    """Whether a name says nothing about what is asked for: a letter, one of a letter as in f(x), a point (x, y)."""
    return _PLAIN_NAME.fullmatch(name) is not None


def name_of(text: str) -> tuple[str, str] | None:
    """(name, answer) if `text` is an answer with one name in front; None otherwise. Linear time."""
    found = NAME.match(text := text.strip())
    if found is None or text[found.end() :].startswith("=") or re.search(r"(?<![<>!\\])=", text[found.end() :]):
        return None
    if changes(re.sub(r"\\[A-Za-z]+", " ", found[0])) or _EXTREMES.search(found[0]):
        return None  # "twice x = 5", "less than = 5", "max = 5"
    alike = _LETTER_ALONE.fullmatch(text[found.end() :])
    if alike and len(found[0].strip(" =:")) == 1 and alike[1].islower() == found[0][0].islower():
        return None  # x = y is an equation, or y
    if re.match("[A-Z]{2}", text) and "=" in found[0] and re.search(r"(?<!\\)\b[A-Za-df-hj-z]\b", text[found.end() :]):
        return None  # PV = nRT is an equation, AB = 4 is not
    name = re.sub(r"\s*(=|:|\\in)\s*$", "", found[0])
    return re.sub(r"\s+", "", name), text[found.end() :]
