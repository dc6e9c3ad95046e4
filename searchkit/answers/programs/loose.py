"""Code that stands in prose without any mark: the runs of statements between sentences."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from searchkit.answers.programs.scope import parsed, says

_TOKEN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*+"?|\'(?:\\.|[^\'\\])*+\'?|\#.*|[(\[{]|[)\]}]|\\.')
_STARTS = re.compile(r"(?:async[ \t]+def|def|class)[ \t]+\w+[ \t]*[(:]|(?:import|from)[ \t]+[\w.]+|@\w")
_CODE = re.compile(
    r"(?:async|def|class|if|elif|else|for|while|with|try|except|finally|match|case|return|assert|lambda)\b|[@#()\[\]{}]"
)
_PROSE = re.compile(r"(?!(?:print|exec|raise|del|import|from|yield|global)\b)[^\W\d_][^\n=(){}\[\]]{0,500}(?:\n|$)|$")
_TITLE = re.compile(r"\A[A-Z][\w ]{0,30}:[ \t]*(?=(?:(?:async )?def|class|import|from)[ \t]+\w)")
_GOES_ON = re.compile(r"(?:else|elif|except|finally|case)\b.*:|[)\]}]")


def runs(text: str, broken: bool = True) -> list[str]:
    """The stretches of `text` that are Python, as long as they can be, in their order.

    broken: also in a text that holds broken code beside them, and not only prose.
    """
    found, current = list[str](), list[str]()
    for chunk in _chunks(text.split("\n")):
        for code, part in _code(chunk):
            if code:
                current.append(part)
            elif not broken and not _PROSE.match(part):
                return []
            elif current:
                found.append("\n".join(current))
                current = []
    return [*found, *(["\n".join(current)] if current else [])]


def _code(chunk: str) -> Iterator[tuple[bool, str]]:
    """(whether it is code, text) of a chunk, or of its first line and of what is indented below."""
    chunk = _TITLE.sub("", chunk)
    tree = parsed(chunk)
    if tree is not None and (not tree.body or all(says(node) for node in tree.body)):
        yield True, chunk
        return
    first, _, rest = chunk.partition("\n")
    if first[:1] in (" ", "\t"):
        first, rest = "", chunk
    yield False, first
    # What stands below a broken statement is its body, and stays with it.
    if rest.strip() and not _CODE.match(first) and parsed(textwrap.dedent(rest)) is not None:
        yield True, rest
        yield False, ""


def _chunks(lines: list[str]) -> Iterator[str]:
    """Each line without a margin, with those that belong to it: the statements of a text that is Python."""
    chunk, string, depth = list[str](), "", 0
    for line in lines:
        fresh = bool(line.strip()) and line[0] not in " \t" and not string
        if fresh and depth and _STARTS.match(line):
            depth = 0
        decorated = bool(chunk) and (chunk[-1].startswith("@") or chunk[-1].endswith("\\"))
        if fresh and not depth and chunk and not decorated and not _GOES_ON.match(line):
            yield "\n".join(chunk)
            chunk = []
        chunk.append(line)
        string, depth = _after(line, string, depth)
    if chunk:
        yield "\n".join(chunk)


def _after(line: str, string: str, depth: int) -> tuple[str, int]:
    """Whether the next line begins inside a string of several lines, and in how many brackets."""
    at = 0
    while True:
        if string:
            end = line.find(string, at)
            if end < 0:
                return string, depth
            at, string = end + 3, ""
        found = _TOKEN.search(line, at)
        if found is None:
            return "", depth
        at, token = found.end(), found[0]
        if token in ('"""', "'''"):
            string = token
        elif token in "([{":
            depth += 1
        elif token in ")]}":
            depth = max(depth - 1, 0)
