"""What is read of the body of an error, and quoted of a value that somebody else sent: bounded, whatever it is.

Errors are read where they arrive, on the event loop, 64 at once if need be.
"""

from __future__ import annotations

import json
from typing import Any

SHOWN = 500  # characters of a sentence
READ = 2 * SHOWN  # characters of it that are read
_MOST_MARKS = 1024  # brackets and commas of an error's body: more is no sentence
_MOST_SHOWN = 64  # values of a body that are quoted
_DEEPEST = 8


def body_of(raw: bytes) -> Any:
    """The body of an error: its JSON, or its beginning as text where it is none, or has more values than any error,
    which shows before it is parsed.

    >>> body_of(b'{"error": "busy"}'), body_of(b"busy")
    ({'error': 'busy'}, 'busy')
    """
    if sum(map(raw.count, (b"[", b"{", b","))) <= _MOST_MARKS:
        try:
            return json.loads(raw, parse_int=_short)
        except (ValueError, RecursionError):
            pass
    return raw[: 4 * READ].decode("utf-8", "replace")[:READ]


def _short(digits: str) -> int | float:
    return int(digits) if len(digits) < 20 else float(digits)


def quoted(value: Any) -> str:
    """A value on one line, or the beginning of it: the time that this takes does not depend on how much there is."""
    if not isinstance(value, str):
        value = json.dumps(_beginning(value, [_MOST_SHOWN]), ensure_ascii=False)
    return " ".join(value[:READ].split())


def _beginning(value: Any, left: list[int], depth: int = _DEEPEST) -> Any:
    """What is quoted of a value: the first entries of lists and objects, a few levels deep. left: how many yet."""
    left[0] -= 1
    if isinstance(value, str):
        return value[:READ]
    if not isinstance(value, (list, dict)):
        return value
    if not depth or left[0] < 0:
        return "..."
    found: Any = {} if isinstance(value, dict) else []
    for key in value:
        if left[0] < 0:
            break
        if isinstance(value, dict):
            found[key[:READ]] = _beginning(value[key], left, depth - 1)
        else:
            found.append(_beginning(key, left, depth - 1))
    return found
