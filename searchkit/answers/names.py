r"""Names in front of an answer, as in `x = 5`, `f(3) = 7`, `|AB| = 1`, `\frac{dy}{dx} = 2x`, `\text{Area} = 12`.

A name says what is asked for, and so nothing about the answer. A function of the grammar is no name: `\sin(x) = 1/2` is
an equation, and so is `xy = 4`.
"""

from __future__ import annotations

import re

GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "kappa",
    "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "varphi", "chi", "psi", "omega", "Gamma",
    "Delta", "Theta", "Lambda", "Xi", "Sigma", "Phi", "Psi", "Omega", "ell", "hbar",
)  # fmt: skip
_LETTER = (
    rf"(?:[A-Za-z]|\\(?:{'|'.join(GREEK)})(?![A-Za-z])|\\(?:vec|hat|bar|mathbf|mathcal|boldsymbol|bm)\s*\{{[A-Za-z]\}})"
)
_BELOW = r"(?:\s*_\s*(?:[0-9A-Za-z]|\{[^{}=<>]{1,30}\}))?"
_PRIMES = r"(?:\s*(?:'{1,3}|\^\s*\{?\s*(?:\\prime\s*){1,3}\}?|\^\{-1\}))?"
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
NAME = re.compile(rf"(?:{_DERIVATIVE}|{_WORDS}|{_FIGURE}|{_SIMPLE})\s*(?:=|:(?=\s)|\\in(?![A-Za-z]))\s*(?=\S)")
"""A name with its sign. It ends where the answer begins."""
_PLAIN = re.compile(rf"{_SIMPLE}\s*(?:=|\\in)")
_DIGITS_ALONE = re.compile(r"[A-Z]{2,4}\s*=(?!.*[A-Za-df-z])")


def name_of(text: str) -> tuple[str, str] | None:
    """(name, answer) if `text` is an answer with one name in front; None otherwise. Linear time."""
    found = NAME.match(text := text.strip())
    if found is None or text[found.end() :].startswith("=") or re.search(r"(?<![<>!\\])=", text[found.end() :]):
        return None
    if re.match("[A-Z]{2}", text) and "=" in found[0] and re.search(r"(?<!\\)\b[A-Za-df-hj-z]\b", text[found.end() :]):
        return None  # PV = nRT is an equation, AB = 4 is not
    name = re.sub(r"\s*(=|:|\\in)\s*$", "", found[0])
    return re.sub(r"\s+", "", name), text[found.end() :]
