r"""Notations of TeX and of textbooks that say the same in another way, rewritten to the one that is read further on."""

from __future__ import annotations

import re

from searchkit.answers.characters import plain

_RUNS = re.compile(r"\\+")
_COMMAND = re.compile(
    r"\\\\(?:[dt]?frac|sqrt|pi|text|left|right|begin|cdot|times|leq?|geq?|infty|in|cup|boxed|mathrm|pm|circ|theta|neq?"
    r"|log|ln|sin|cos|tan|quad|alpha|beta)(?![A-Za-z])"
)
_END = r"(?![A-Za-z])"
_TEXT = r"\\(?:text|mathrm|textrm|mbox)"
# In order: what is matched, and what is read instead. Each is linear.
_SIGNS = (
    # emphasis of Markdown, and pictures
    (r"(?<![\w*)}])\*\*(?=[^\s*])([^*\n]{1,200})(?<=[^\s*])\*\*(?![\w*(])", r"\1"),
    (r"(?<=[\w}])\*\*(?=\s|$)", ""),
    ("[\u2600-\u27bf\ufe0f\U0001f1e6-\U0001faff]+", ""),
    # about a number, not a space of TeX
    (r"^([\s$]*)~(?=\s*[-+$]?[0-9.])", r"\1\\sim "),
)
_TEX = (  # each needs a backslash
    # layout: line spacing, display maths, colours, sizes
    (r"\\\\\s*\[-?[0-9.]+\s*(?:pt|em|ex|mm|cm)\]", r"\\\\"),
    (r"(?<!\\)\\[()\[\]]", "$"),
    (r"\\textcolor\s*\{[^{}]*\}\s*(?=\{)|\\color\s*(?:\[[^\[\]]*\])?\{[^{}]*\}\s*", ""),
    (rf"\\(?:[bB]ig{{1,2}}[lrm]?|(?:no)?limits|displaystyle|textstyle|middle|mathstrut|strut|hfill){_END}", ""),
    (r"\\(?:bm|boldsymbol|mathbf|mathit|mathsf|mathtt)\s*\{\s*([-+]?[0-9.,]+)\s*\}", r"\1"),
    (r"\\(?:bm|boldsymbol|mathbf)\s*\{\s*([a-z])\s*\}", r"\\vec{\1}"),
    # brackets and fractions in other commands
    (r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}", r"\\frac{\1}{\2}"),
    (rf"\\lbrace{_END}", r"\\{"),
    (rf"\\rbrace{_END}", r"\\}"),
    (rf"(?:\\left\s*)?\\langle{_END}", "("),
    (rf"(?:\\right\s*)?\\rangle{_END}", ")"),
    # a system of equations behind one brace
    (r"\\left\s*\\\{\s*\\begin\{(?:array|aligned|matrix)\}\s*(?:\{[lcr ]*\})?", r"\\begin{cases}"),
    (r"\\end\{(?:array|aligned|matrix)\}\s*\\right\s*\.", r"\\end{cases}"),
    (r"\\(?:left|right)\s*\.(?![0-9])", ""),
    # repeating decimals
    (r"([0-9]*\.[0-9]*?)\\dot\s*\{?([0-9])\}?([0-9]*)\\dot\s*\{?([0-9])\}?", r"\1\\overline{\2\3\4}"),
    (r"([0-9]*\.[0-9]*?)\\dot\s*\{?([0-9])\}?(?![0-9])", r"\1\\overline{\2}"),
)
_WORDS = (
    (r"(?<![0-9.])([0-9]+\.)\(([0-9]+)\)", r"\1\\overline{\2}"),
    (r"(?i:(?<=[0-9}])\s*(?:pct\b\.?|percentage\b(?! points)|per ?cent\b|prozent\b|pour ?cent\b|por ?ciento\b))", "%"),
    (r"百分之\s*([0-9.]+)", r"\1%"),
    (r"\b(?:np|numpy|math|sympy)\.(?=[a-z])", ""),
    (rf"(?<=[0-9])\s*(?:\^\s*\{{?\s*)?(?:{_TEXT}\s*\{{\s*)?(?:st|nd|rd|th)\s*\}}{{0,2}}\s*$", ""),
)
_RULES = tuple((re.compile(pattern), replacement) for pattern, replacement in (*_SIGNS, *_TEX, *_WORDS))
_WITHOUT_TEX = tuple((re.compile(pattern), replacement) for pattern, replacement in (*_SIGNS, *_WORDS))


def usual(text: str) -> str:
    """`text` in the usual notation. Linear time."""
    text = _halved(plain(text))
    for pattern, replacement in _RULES if "\\" in text else _WITHOUT_TEX:
        text = pattern.sub(replacement, text)
    return text


def _halved(text: str) -> str:
    """Backslashes that were doubled on the way, by JSON or a programming language."""
    if "\\\\" not in text or not _COMMAND.search(text) or any(len(run[0]) % 2 for run in _RUNS.finditer(text)):
        return text
    return _RUNS.sub(lambda run: "\\" * (len(run[0]) // 2), text)
