"""The program in a model's text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from searchkit.answers.thoughts import without_thoughts

FENCE = re.compile(r"( *)(`{3,}|~{3,}) *([\w+-]*)[^`]*")
LONGEST = 100_000
"""Characters of a program; a longer one is not run."""
PYTHON = ("python", "python3", "py")


def program(text: str) -> str:
    """The last fenced block that says it is Python, else the last that says nothing, else the whole text.

    Thoughts are removed first. A block that is not closed goes to the end. Takes linear time and parses no Python.
    """
    text = without_thoughts(text)
    blocks = list(_blocks(text))
    for labels in (PYTHON, ("",)):
        bodies = [body for label, body in blocks if label in labels]
        if bodies:
            return bodies[-1]
    return text


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """(label, body) of each fenced block, by the rules of Markdown."""
    fence, label, indent, body = "", "", 0, list[str]()
    for line in text.split("\n"):
        bare = line.strip()
        if fence and bare.startswith(fence) and not bare.strip(fence[0]):
            yield label, "\n".join([*body, ""])
            fence = ""
        elif fence:
            body.append(line[:indent].lstrip(" ") + line[indent:])
        elif opening := FENCE.fullmatch(line):
            fence, label, indent, body = opening[2], opening[3].lower(), len(opening[1]), []
    if fence:
        yield label, "\n".join(body)
