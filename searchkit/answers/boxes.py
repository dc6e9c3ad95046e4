r"""Boxes: `\boxed{...}` and `\fbox{...}`, and what several of them say together."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import NamedTuple

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])")
_OPENING, _TOKEN, _BRACE = re.compile(r"\s*\{"), re.compile(r"\s*([^\s{}$\\.,;]+)"), re.compile(r"\\.|[{}]", re.DOTALL)
_BLANK = re.compile(r"\\[hv]?phantom\s*\{[^{}]*\}|\\(?:quad|qquad|square|Box|hspace\s*\{[^{}]*\}|[,;:! ])|[\s_~?{}$]")
_PLACEHOLDER = re.compile(
    r"(?:\\text)?\(?(?:(?:your|the)?(?:final)?answer(?:here)?|ans|\.{2,}|\\[lc]?dots)?\)?", re.IGNORECASE
)


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
            found.append(Box(content, command.start(), at))
    return found


def together(contents: list[str | None], key: Callable[[str], Hashable | None]) -> str | Several | None:
    """One answer of boxes that are equal by `key`, `Several` of others; None if the last was never closed."""
    if not contents or contents[-1] is None:
        return None
    distinct = {key(content): content for content in contents if content is not None}
    return next(iter(distinct.values())) if len(distinct) == 1 else Several(distinct.values())


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
