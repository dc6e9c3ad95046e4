r"""Notations of TeX and of textbooks that say the same in another way, rewritten to the one that is read further on."""

from __future__ import annotations

import re

from searchkit.answers.characters import plain

_RUNS = re.compile(r"\\+")
_COMMAND = re.compile(
    r"\\\\(?:d?frac|sqrt|pi|text|left|right|begin|cdot|times|le|ge|infty|in|cup|boxed|mathrm|pm|circ|theta|ne|neq|log|sin|cos|tan)(?![A-Za-z])"
)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\\\\s*\[-?[0-9.]+\s*(?:pt|em|ex|mm|cm)\]"), r"\\\\"),
    (re.compile(r"(?<!\\)\\[()\[\]]"), "$"),
    (re.compile(r"\\textcolor\s*\{[^{}]*\}\s*(?=\{)|\\color\s*(?:\[[^\[\]]*\])?\{[^{}]*\}\s*"), ""),
    (
        re.compile(
            r"\\(?:[bB]ig{1,2}[lrm]?|limits|nolimits|displaystyle|textstyle|middle|mathstrut|strut|hfill)(?![A-Za-z])"
        ),
        "",
    ),
    (re.compile(r"\\(?:bm|boldsymbol|mathit|mathsf|mathtt|phantom)\s*\{\s*([-+]?[0-9.,]+)\s*\}"), r"\1"),
    (re.compile(r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\lbrace(?![A-Za-z])"), r"\\{"),
    (re.compile(r"\\rbrace(?![A-Za-z])"), r"\\}"),
    (re.compile(r"\b(?:np|numpy|math|sympy)\.(?=[a-z])"), ""),
    (re.compile(r"百分之\s*([0-9.]+)"), r"\1%"),
    (
        re.compile(
            r"(?<=[0-9])\s*(?:\^\s*\{?\s*)?(?:\\(?:text|mathrm|textrm|mbox)\s*\{\s*)?(?:st|nd|rd|th)\s*\}{0,2}\s*$"
        ),
        "",
    ),
)


def usual(text: str) -> str:
    """`text` in the usual notation. Linear time."""
    text = _halved(plain(text))
    if "\\" not in text and text.isalnum() and not text[-1:].isalpha():
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _halved(text: str) -> str:
    """Backslashes that were doubled on the way, by JSON or a programming language."""
    if "\\\\" not in text or not _COMMAND.search(text) or any(len(run[0]) % 2 for run in _RUNS.finditer(text)):
        return text
    return _RUNS.sub(lambda run: "\\" * (len(run[0]) // 2), text)
