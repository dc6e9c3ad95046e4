"""A real pseudo-terminal of 80 columns, and a screen that obeys what is written to it."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import termios
import unicodedata

SEQUENCE = re.compile(r"\x1b\[\??[\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+")


def columns_used(line: str) -> int:
    """As a terminal counts: wide characters take two columns, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream with a size. Close it with `shut`."""

    def __init__(self, rows: int, columns: int = 80) -> None:
        super().__init__()
        self.columns = columns
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.seen = 0

    def isatty(self) -> bool:
        return os.isatty(self.slave)

    def fileno(self) -> int:
        return self.slave

    def shut(self) -> None:
        os.close(self.master)
        os.close(self.slave)

    def read_new(self) -> str:
        """What was written since the last call."""
        sooner, self.seen = self.seen, len(self.getvalue())
        return self.getvalue()[sooner:]

    def screen(self) -> list[str]:
        """The lines on the screen, colours left out. Any other sequence, and a line that wraps, is an error."""
        lines, at, column = [""], 0, 0
        for part in SEQUENCE.findall(self.getvalue()):
            if part == "\n":
                at, column = at + 1, 0
                lines += [""] * (at + 1 - len(lines))
            elif part == "\r":
                column = 0
            elif match := re.fullmatch(r"\x1b\[(\??[\d;]*)([A-Za-z])", part):
                amount, act = match[1], match[2]
                assert act in "AFKJmhl", part
                if act in "AF":
                    at, column = at - int(amount), 0 if act == "F" else column
                    assert at >= 0
                elif act == "K":
                    lines[at] = "" if amount == "2" else lines[at][:column]
                elif act == "J":
                    lines = [*lines[:at], lines[at][:column]]
            else:
                assert column + columns_used(part) <= self.columns - 1, f"a line that wraps: {part!r}"
                lines[at] = lines[at][:column] + part + lines[at][column + len(part) :]
                column += len(part)
        return [line.rstrip() for line in lines]
