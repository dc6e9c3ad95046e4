"""What kind of value somebody passed: for checks of arguments, and for the sentences that say what was wrong."""

from __future__ import annotations

import functools
import inspect
import math
import unicodedata
from numbers import Integral, Real
from typing import Any

DEEPEST = 16  # wrappers around a backend


def innermost(source: Any) -> Any:
    """The backend inside a model and its wrappers; `source` itself if it has none."""
    for _ in range(DEEPEST):
        inner = getattr(source, "backend", None)
        if inner is None:
            break
        source = inner
    return source


def backends_in(source: Any) -> list[Any]:
    """The innermost backends of a model: of one with several endpoints, those of each."""
    inner = innermost(source)
    endpoints = getattr(inner, "endpoints", None)
    return [inner] if endpoints is None else [one for endpoint in endpoints for one in backends_in(endpoint)]


def is_number(value: Any) -> bool:
    """Whether `value` is a number, NumPy's too. True and False are none, though Python counts them as 1 and 0."""
    return isinstance(value, (int, float, Real)) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether `value` is a whole number by its type; 2.0 is not."""
    return isinstance(value, (int, Integral)) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Whether `value` can bound something counted: a whole number, written as a float too (1e6), or infinity."""
    return is_whole(value) or (is_number(value) and (value == math.inf or value % 1 == 0))


def told(value: Any) -> str:
    """`value` in an error message: as it is written, but not longer than a line."""
    return f"{value!r:.80}"


def described(error: BaseException) -> str:
    """What an exception says of itself, such as "ValueError: no such file"; its type alone where it refuses to.

    Escaped: it may quote a server.
    """
    try:
        said = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # it is code of others
        said = ""
    return printable(f"{type(error).__name__}: {said}") if said else type(error).__name__


def printable(text: str) -> str:
    """`text` with every character escaped that a terminal obeys, or that turns lines around; lines stay lines.

    >>> printable("all is well\\rfailed")
    'all is well\\\\rfailed'
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(char: str) -> str:
    if char.isprintable() or char in "\n\t" or unicodedata.category(char) == "Zs":
        return char
    return char.encode("unicode_escape").decode("ascii")


def yields(fn: Any) -> bool:
    """Whether calling `fn` gives a generator of Python's instead of an answer."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    call = fn if inspect.isroutine(fn) or isinstance(fn, type) else getattr(fn, "__call__", None)  # noqa: B004
    return inspect.isgeneratorfunction(call) or inspect.isasyncgenfunction(call)


def forgotten(value: Any) -> bool:
    """Whether `value` is what an ``async def`` gives without ``await``. It is closed, so nothing complains later."""
    if not inspect.isawaitable(value):
        return False
    if inspect.iscoroutine(value):
        value.close()
    return True
