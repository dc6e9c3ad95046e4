"""Python's own prompt: a program that was typed at it, and examples of use beside a program or in its docstring."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from searchkit.answers.programs.lines import with_strings

_PROMPT = re.compile(r"^[ \t]*(?:>>>|\.\.\.|In ?\[\d{0,6}\]:|\.\.\.:)(?: |$)")
_TYPED_AT = re.compile(
    r"[ \t]*(?:>>>(?: |$)|In ?\[\d{0,6}\]:)"
)  # where a session begins: `...` alone is a body left out
_WRITTEN = re.compile(
    r"[ \t]*(?:(?:async[ \t]+)?def[ \t]+\w+[ \t]*[(\[]|class[ \t]+\w+[ \t]*[(:\[]"
    r"|import[ \t]+[\w.]+[ \t]*(?:as[ \t]+\w+[ \t]*)?(?:,|$)|from[ \t]+[\w.]+[ \t]+import\b)"
)


def without_prompts(text: str) -> str:
    """What was typed at Python's prompt; of a program with a session beside it, the program."""
    lines = text.split("\n")
    if not any(_PROMPT.match(line) for line in lines):
        return text
    shown = [line for line, inside in with_strings(lines) if not inside]
    if not any(_TYPED_AT.match(line) for line in shown):
        return text
    if any(_WRITTEN.match(line) for line in shown):
        return "\n".join(_without_session(lines))
    return "\n".join(line[found.end() :] for line in lines if (found := _PROMPT.match(line)))


def _without_session(lines: Sequence[str]) -> Iterator[str]:
    """The lines that are in no session: one goes from a prompt to an empty line. In a docstring it is the program's."""
    session = False
    for line, inside in with_strings(lines):
        session = not inside and bool(line.strip()) and (session or bool(_TYPED_AT.match(line)))
        if not session:
            yield line
