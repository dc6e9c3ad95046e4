r"""Boxes: `\boxed{...}` and `\fbox{...}`, and what several of them say together."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import NamedTuple

from searchkit.answers.units import is_unit

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])")
_OPENING, _TOKEN, _BRACE = re.compile(r"\s*\{"), re.compile(r"\s*([^\s{}$\\.,;]+)"), re.compile(r"\\.|[{}]", re.DOTALL)
_BLANK = re.compile(r"\\[hv]?phantom\s*\{[^{}]*\}|\\(?:quad|qquad|square|Box|hspace\s*\{[^{}]*\}|[,;:! ])|[\s_~?{}$]")
_PLACEHOLDER = re.compile(
    r"(?:\\text)?\(?(?:(?:your|the)?(?:final)?answer(?:here)?|ans|\.{2,}|\\[lc]?dots)?\)?", re.IGNORECASE
)


_UNIT = re.compile(r"\s*\$?\s*(?:(\\?%)|\\?(?:text|mathrm)?\{?\s*([A-Za-z]{2,20})(?![A-Za-z(]))")
_PART_OF = re.compile(r"\\(?:[dtc]?frac|sqrt)\s*(?:\{[^{}]*\}\s*)?\{\s*$")
_SIGN_BEFORE = re.compile(r"(?:^|[=$({,:]\s*)(-\s*|\\(?:pm|mp|neq?)\s*)$|(\\(?:pm|mp|neq?)\s*)$")
_OPERATOR_BEHIND = re.compile(
    r"\s*((?:\\(?:times|cdot)\s*10\s*\^\s*(?:\{[^{}]*\}|-?[0-9])|[*^!][^\s$.,]{1,10}"
    r"|\$?\s*(?:hundred|thousand|million|billion|trillion|dozen)s?\b))"
)
_NO_UNITS = frozenset(("in", "mi", "mo", "au", "min", "sec", "second"))
"""Units that are other words, too."""


class Several(tuple[str, ...]):
    """Answers that one text gives side by side, as several boxes do: all together they are its answer, or none is."""

    __slots__ = ()


class Box(NamedTuple):
    """One box. content: None if it is never closed. start, end: where it stands."""

    content: str | None
    start: int
    end: int


def boxes(text: str) -> list[Box]:
    r"""The outermost boxes that hold something, and not just the word "answer". Linear time."""
    found: list[Box] = []
    at = 0
    while (command := _BOX.search(text, at)) is not None:
        content, at = _content(text, command.end())
        if content is None or not _PLACEHOLDER.fullmatch(_BLANK.sub("", content)):
            found.append(Box(_in_context(content, text, command.start(), at), command.start(), at))
    return found


def together(contents: list[str | None], key: Callable[[str], Hashable | None]) -> str | Several | None:
    """One answer of boxes that are equal by `key`, `Several` of others; None if the last was never closed."""
    if not contents or contents[-1] is None:
        return None
    if len(contents) == 1:
        return contents[0]
    distinct = {key(content): content for content in contents if content is not None}
    return next(iter(distinct.values())) if len(distinct) == 1 else Several(distinct.values())


def _in_context(content: str | None, text: str, start: int, end: int) -> str | None:
    """The content with what stands right beside the box and belongs to it: a sign, a power of ten, a unit.

    A box in a fraction or a root holds a part of the answer: nothing that could be read as one.
    """
    if content is None:
        return None
    before = text[max(0, start - 20) : start]
    if _PART_OF.search(before):
        return f"(part of) {content}"
    if sign := _SIGN_BEFORE.search(before):
        content = f"{sign[1] or sign[2]}{content}"
    if behind := _OPERATOR_BEHIND.match(text, end):
        return f"{content} {behind[1]}"
    return _measured(content, text, end)


def _measured(content: str, text: str, end: int) -> str:
    """The content with the unit or percent sign that stands right behind the box, as in `\\boxed{12} minutes`."""
    behind = _UNIT.match(text, end)
    if behind is None or not content[-1:].isdigit():
        return content
    if behind[1]:
        return f"{content}\\%"
    word = behind[2]
    return f"{content} \\text{{{word}}}" if is_unit(word) and len(word) > 1 and word not in _NO_UNITS else content


def _content(text: str, at: int) -> tuple[str | None, int]:
    """What a box holds whose command ends at `at`, and where it ends. TeX allows \\boxed 5."""
    opening = _OPENING.match(text, at)
    if opening is None:
        token = _TOKEN.match(text, at)
        return (token[1], token.end()) if token else ("", at)
    depth = 1
    for brace in _BRACE.finditer(text, opening.end()):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return text[opening.end() : brace.start()], brace.end()
    return None, len(text)
