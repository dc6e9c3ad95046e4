"""A program with its tests, what became of them, and why a process ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from searchkit.sandbox.limits import Limits
from searchkit.sandbox.process import Ended

BLANK = " \t\r"  # a carriage return ends a line together with a line feed


def same_lines(typed: str, printed: str, expected: str) -> bool:
    """Equal but for what stands at the ends of lines unseen: judges of contests compare so."""
    return lines(printed) == lines(expected)


def lines(text: str) -> list[str]:
    """Lines without blanks at their ends, and no empty ones at the end.

    A line ends with a line feed and nowhere else: a form feed or U+2028 is printed, and what is not expected is wrong.
    """
    return [line.rstrip(BLANK) for line in text.rstrip(BLANK + "\n").split("\n")]


@dataclass(frozen=True)
class Case:
    """A program and its tests.

    text: the program, or what continues `prompt`. prompt: the beginning of the program, which is trusted. tests: Python
    texts, or pairs of what is typed and what must be printed. entry_point: the one name that the tests
    take from the program; "" lets them take any that is neither the prompt's nor Python's own. cases: for each text the
    function or "Class.method" that is run after it, "" for none. libraries: what may be imported beside the standard
    library. setup: what of the tests is the program's, too. prelude: imports that the program need not make. accept: of
    what was typed, printed and expected, whether that is right.
    """

    text: str
    tests: tuple[str, ...] | tuple[tuple[str, str], ...]
    prompt: str = ""
    entry_point: str = ""
    cases: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    setup: str = ""
    prelude: str = ""
    accept: Callable[[str, str, str], bool] = field(default=same_lines, compare=False)


@dataclass(frozen=True)
class Report:
    """passed: of each test, None where that cannot be known. reason: why the first one that did not pass did not.

    started: whether the program was executed to its end, and could then be called.
    """

    passed: tuple[bool | None, ...]
    reason: str = ""
    started: bool = field(default=True, compare=False)


def overtime(limits: Limits) -> str:
    """Why a program failed that did not end."""
    return f"timeout: no end within {limits.wall:g} seconds"


def death(ended: Ended | None, printed: int, limits: Limits) -> str:
    """Why a process ended, as far as its status tells."""
    if ended is None:
        return "it did not answer"
    if ended.full:
        return ended.full
    if printed >= limits.output:
        return f"output limit: {limits.output:,} bytes"
    if not os.WIFSIGNALED(ended.status):
        return f"exit status {os.waitstatus_to_exitcode(ended.status)}"
    number = os.WTERMSIG(ended.status)
    # Blocked, the former is followed by the latter. The kernel counts by ticks, and `cpu` is measured: not the same.
    if number == signal.SIGXCPU or (number == signal.SIGKILL and ended.cpu > limits.cpu / 2):
        return f"timeout: more than {limits.cpu} seconds of CPU"
    return f"killed by {signal.Signals(number).name}"
