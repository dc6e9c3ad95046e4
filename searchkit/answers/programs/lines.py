"""What a line of a text leaves open for the next one: a string of several lines, brackets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_TOKEN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*+"?|\'(?:\\.|[^\'\\])*+\'?|\#.*|[(\[{]|[)\]}]|\\.')


def with_strings(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it begins inside of a string of several lines."""
    string = ""
    for line in lines:
        yield line, bool(string)
        string, _ = after(line, string, 0)


def after(line: str, string: str, depth: int) -> tuple[str, int]:
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
