"""A tree that shows itself while it grows: redrawn in place in a terminal, or in one output of a notebook."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

from searchkit.errors import ConfigError
from searchkit.events import Event, Planted
from searchkit.tree import Tree
from searchkit.views.text import LEAST_WIDTH, text

MOST = 40
SHARE = 20  # drawing takes at most one part in this many of the time, however large the tree


class Live:
    """Use as ``with Live() as live: solve_sync(..., listen=live)``.

    stream: where a terminal is written to; if it is none, only the last state is printed, by `close`. In a notebook the
    stream is not used. every: seconds between two drawings, more where drawing is slow. clock: seconds, for tests. Of
    several trees the one planted last is shown. Nothing it does raises: after the first failure, kept as `error`, it
    is silent.
    """

    def __init__(
        self, stream: TextIO | None = None, every: float = 0.5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not every >= 0:
            raise ConfigError(f"every is in seconds and must be >= 0, got {every}")
        self.error: Exception | None = None
        self._stream = sys.stderr if stream is None else stream
        self._every, self._clock = every, clock
        self._tree: Tree | None = None
        self._planted = 0
        self._due = -float("inf")
        self._lines = 0
        self._handle: Any = None
        self._notebook = _in_notebook()
        self._terminal = not self._notebook and _is_terminal(self._stream)

    def __call__(self, event: Event) -> None:
        """Something has happened: draw again if it is time. Costs one reading of the clock otherwise."""
        if isinstance(event, Planted):
            self._tree = event.tree
            self._planted += 1
        self._if_due()

    def _if_due(self) -> None:
        if self._tree is not None and self.error is None and self._clock() >= self._due:
            self._guarded(self._draw)

    def close(self) -> None:
        """Draw the last state, whatever the time; without a terminal or notebook, print it."""
        self._guarded(self._last)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _guarded(self, draw: Callable[[], None]) -> None:
        """A closed pipe or a strange terminal must not end a search that was paid for."""
        if self._tree is None or self.error is not None:
            return
        try:
            began = self._clock()
            draw()
            ended = self._clock()
            self._due = ended + max(self._every, SHARE * (ended - began))
        except Exception as error:
            self.error = error

    def _draw(self) -> None:
        if self._notebook:
            self._display(self._text(most=MOST, width=110))
        elif self._terminal:
            self._redraw()

    def _last(self) -> None:
        self._draw()
        if not (self._notebook or self._terminal):
            self._write(self._text(most=MOST, width=100) + "\n")
        self._lines = 0  # what comes next starts below

    def _text(self, *, most: int, width: int, colour: bool = False) -> str:
        assert self._tree is not None
        title = f"tree {self._planted:,}: " if self._planted > 1 else ""
        return title + text(self._tree, most=most, width=width - len(title), colour=colour)

    def _redraw(self) -> None:
        """Overwrite the lines drawn last. They must all fit, or the cursor could not get back to the first."""
        size = os.get_terminal_size(self._stream.fileno())
        width, rows = (size.columns or 80) - 1, (size.lines or 24) - 1
        if width < LEAST_WIDTH + 12:
            return
        lines = self._text(most=max(1, min(MOST, rows)), width=width, colour="NO_COLOR" not in os.environ).split("\n")
        if len(lines) > rows:
            lines = [*lines[: rows - 1], "..."]
        back = f"\x1b[{self._lines}F" if self._lines else ""
        self._write(back + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        self._lines = len(lines)

    def _write(self, drawn: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(drawn.encode(encoding, "replace").decode(encoding))
        self._stream.flush()

    def _display(self, drawn: str) -> None:
        from IPython.display import display

        data = {"text/plain": drawn}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(data, raw=True)


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code. IPython is asked only if it is there already."""
    if "IPython" not in sys.modules:
        return False
    asked = getattr(sys.modules["IPython"], "get_ipython", None)  # missing while IPython itself is being imported
    return asked is not None and getattr(asked(), "kernel", None) is not None


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # no such method, or closed
        return False
