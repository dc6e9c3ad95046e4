"""Where a live view is drawn: a terminal, by rich if it is installed, the output of a notebook's cell, or a file."""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from typing import Any, Protocol, TextIO

CODES = re.compile(r"\x1b\[[0-9;]*m")  # the colours that we write ourselves: texts of others are escaped before
NARROWEST = 72  # columns of a terminal; on a narrower one nothing is drawn


class Screen(Protocol):
    """A place that shows some lines and, later, others in their stead. moving: whether it can."""

    moving: bool

    def room(self) -> tuple[int, int] | None:
        """How many columns and rows there are; None where nothing is to be drawn now."""
        ...

    def draw(self, lines: list[str]) -> None:
        """Show these lines, which may hold colours of ours, and nothing else."""
        ...

    def finish(self, lines: list[str]) -> None:
        """Show these for good: what comes next stands below."""
        ...


def screen(stream: TextIO) -> Screen:
    """What there is to draw on."""
    if _in_notebook():
        return Notebook()
    if not is_terminal(stream):
        return File(stream)
    return Rich(stream) if find_spec("rich") is not None else Terminal(stream)


class Terminal:
    """Overwrites the lines drawn last. They must all fit, or the cursor could not get back to the first."""

    moving = True

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lines = stream, 0

    def room(self) -> tuple[int, int] | None:
        return _room(self._stream)

    def draw(self, lines: list[str]) -> None:
        back = f"\x1b[{self._lines}F" if self._lines else ""
        _write(self._stream, back + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        self._lines = len(lines)

    def finish(self, lines: list[str]) -> None:
        self.draw(lines)
        self._lines = 0


class Rich:
    """The same by rich, which keeps what others print apart: it appears above."""

    moving = True

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # now, and not while a search waits for the first picture
        from rich.live import Live
        from rich.text import Text

        self._stream, self._console, self._made, self._text = stream, Console, Live, Text
        self._live: Any = None

    def room(self) -> tuple[int, int] | None:
        return _room(self._stream)

    def draw(self, lines: list[str]) -> None:
        parts = [self._text.from_ansi(_sayable(self._stream, line)) for line in lines]
        shown = self._text("\n", no_wrap=True, overflow="crop").join(parts)
        if self._live is None:
            self._live = self._begun()
        self._live.update(shown, refresh=True)

    def finish(self, lines: list[str]) -> None:
        self.draw(lines)
        self._live.stop()
        self._live = None

    def _begun(self) -> Any:
        console = self._console(file=self._stream, force_terminal=True, highlight=False, markup=False, emoji=False)
        live = self._made(
            console=console,
            auto_refresh=False,  # no thread of its own
            redirect_stdout=is_terminal(sys.stdout),  # a file that is written to is none of our business
            redirect_stderr=is_terminal(sys.stderr),
        )
        live.start()
        return live


class Notebook:
    """One output of a cell, in plain text, updated in place."""

    moving = True

    def __init__(self) -> None:
        self._handle: Any = None

    def room(self) -> tuple[int, int] | None:
        return 79, 40  # wider lines are wrapped where there is a side bar

    def draw(self, lines: list[str]) -> None:
        from IPython.display import display

        data = {"text/plain": CODES.sub("", "\n".join(lines))}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(data, raw=True)

    def finish(self, lines: list[str]) -> None:
        self.draw(lines)
        self._handle = None


class File:
    """A log or a pipe: the last state alone, without any escape sequence."""

    moving = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def room(self) -> tuple[int, int] | None:
        try:
            return _room(self._stream)  # of a terminal that cannot move its cursor
        except (AttributeError, OSError, ValueError):  # no terminal, or none any more
            return 100, 60

    def draw(self, lines: list[str]) -> None:
        """Nothing: it could not be overwritten."""

    def finish(self, lines: list[str]) -> None:
        _write(self._stream, "".join(f"{CODES.sub('', line)}\n" for line in lines))


def _room(stream: TextIO) -> tuple[int, int] | None:
    size = os.get_terminal_size(stream.fileno())
    columns, rows = (size.columns or 80) - 1, (size.lines or 24) - 1
    return None if columns < NARROWEST - 1 else (columns, rows)


def _write(stream: TextIO, drawn: str) -> None:
    stream.write(_sayable(stream, drawn))
    stream.flush()


def _sayable(stream: TextIO, text: str) -> str:
    """`text` with question marks where the encoding of the stream has no character."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code. IPython is asked only if it is there already."""
    if "IPython" not in sys.modules:
        return False
    asked = getattr(sys.modules["IPython"], "get_ipython", None)  # missing while IPython itself is being imported
    return asked is not None and getattr(asked(), "kernel", None) is not None


def is_terminal(stream: TextIO) -> bool:
    """Whether `stream` leads to a terminal that can move its cursor."""
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # no such method, or closed
        return False
