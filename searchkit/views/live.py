"""A search that shows itself while it runs: redrawn in place in a terminal, or in one output of a notebook."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from searchkit.errors import ConfigError
from searchkit.events import Event, Opened, Over
from searchkit.views.panel import Line, lines
from searchkit.views.progress import Progress
from searchkit.views.screens import Screen, screen
from searchkit.views.text import LEAST_WIDTH, text

MOST = 40  # nodes of a tree
SHARE = 20  # drawing takes at most one part in this many of the time, however large the tree
BEAT = 1.0  # seconds after which it is drawn again although nothing has happened
STYLES = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33"}


class Live:
    """Use as ``with Live() as live: solve_sync(..., listen=live)``: any strategy, one search or many.

    It shows which search runs and for how long, how far it is by its budget or by the most samples that it may take,
    and when it must have ended at this pace; the calls that go on; the best answer so far; what was spent, the rate,
    failures; and below the search tree, if there is one (the last one planted). `solve_many` and sweeps show how many
    searches are done and what all have cost.

    - stream: where a terminal is written to, by default stderr; if it is none, only the last state is printed, by
      `close`. By rich if that is installed, so that what others print appears above. In a notebook it is not used.
    - every: seconds between two drawings; more where drawing is slow.
    - clock: seconds, as `time.perf_counter` counts them; for tests.

    Nothing it does raises: after the first failure, kept as `error`, it is silent. No thread is started. Cost: a
    microsecond or two for an event, and at most a twentieth of the time for drawing.

    >>> import io
    >>> from searchkit import Model, solve_sync
    >>> from searchkit.generators import Simulated
    >>> from searchkit.strategies import SelfConsistency
    >>> log = io.StringIO()
    >>> with Live(log) as live:
    ...     result = solve_sync("6 * 7 = ?", SelfConsistency(3), generator=Model(Simulated({"42": 1.0})), listen=live)
    >>> "answer   42" in log.getvalue()
    True
    """

    def __init__(
        self, stream: TextIO | None = None, every: float = 0.2, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        if not every >= 0:
            raise ConfigError(f"every is in seconds and must be >= 0, got {every}")
        self.error: Exception | None = None
        self._every, self._clock = every, clock
        self._screen: Screen = screen(sys.stderr if stream is None else stream)
        self._progress = Progress()
        self._due, self._took = -float("inf"), 0.0
        self._beating = False
        self._colour = "NO_COLOR" not in os.environ
        self._drawing = threading.RLock()  # `solve_sync` has a loop of its own, and `close` comes from here

    def __call__(self, event: Event) -> None:
        """Something has happened: note it, and draw again if it is time."""
        if self.error is not None:
            return
        if isinstance(event, Opened):
            if event.at in self._progress.opened:
                self.error = ConfigError("two searches at once have the same Live: give each one of its own")
                return
            if self._progress.is_another(event):
                self.close()  # the last state of the one before stays
        self._progress.take(event)
        over = isinstance(event, Over) and not self._progress.opened
        if self._screen.moving and self._progress.first is not None and (over or self._clock() >= self._due):
            self._guarded(self._draw)
            self._beat()

    def close(self) -> None:
        """Draw the last state, whatever the time; without a terminal or notebook, print it."""
        if self._progress.first is not None:
            self._guarded(self._last)
        self._progress, self._due = Progress(), -float("inf")

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _beat(self) -> None:
        """Draw again after a second in which nothing has happened, as long as a search goes on."""
        if self._beating or not self._progress.opened:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # the events are read from somewhere else
            return
        self._beating = True
        loop.call_later(BEAT, self._beaten)

    def _beaten(self) -> None:
        self._beating = False
        if self._progress.opened and self._clock() >= self._due:
            self._guarded(self._draw)
        self._beat()

    def _guarded(self, draw: Callable[[], None]) -> None:
        """A closed pipe or a strange terminal must not end a search that was paid for."""
        if self.error is not None:
            return
        with self._drawing:
            try:
                began = self._clock()
                draw()
                ended = self._clock()
                took, self._took = min(self._took, ended - began), ended - began  # one that was slow is no reason yet
                self._due = ended + max(self._every, SHARE * took)
            except Exception as error:
                self.error = error

    def _draw(self) -> None:
        shown = self._lines()
        if shown:
            self._screen.draw(shown)

    def _last(self) -> None:
        shown = self._lines()
        if shown:
            self._screen.finish(shown)

    def _lines(self) -> list[str]:
        """What is to be seen: the panel, and as much of the tree as there is room for."""
        room = self._screen.room()
        if room is None:
            return []
        width, rows = room
        shown = [self._painted(line) for line in lines(self._progress, self._clock(), width)]
        tree, left = self._progress.tree, rows - len(shown)
        if tree is not None and left > 2 and width >= LEAST_WIDTH + 12:
            count = self._progress.planted
            title = f"tree {count:,}: " if count > 1 else ""
            drawn = text(tree, most=min(MOST, left - 1), width=width - len(title), colour=self._colour).split("\n")
            drawn = [title + drawn[0], *drawn[1:]]
            shown += drawn if len(drawn) <= left else [*drawn[: left - 1], "..."]
        return shown[:rows]

    def _painted(self, line: Line) -> str:
        if not self._colour:
            return "".join(part for part, _ in line)
        return "".join(f"\x1b[{STYLES[style]}m{part}\x1b[0m" if style and part else part for part, style in line)
