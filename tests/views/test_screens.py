"""What is drawn on: a terminal that cannot move its cursor has a width all the same."""

from __future__ import annotations

import os
import struct
import sys

import pytest

from searchkit import Model, solve_sync
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN
from searchkit.verifiers import Exact
from searchkit.views import Live
from tests.helpers.terminal import columns_used


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal of POSIX")
@pytest.mark.parametrize("columns", [71, 72, 80, 99, 132])
def test_a_dumb_terminal_is_written_to_within_its_columns(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, at the end, and no line wraps; one that is too narrow is left alone."""
    import fcntl
    import termios

    monkeypatch.setenv("TERM", "dumb")
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(theirs, "w") as stream:
        with Live(stream) as live:
            solve_sync(
                "q" * 300, BestOfN(2, Exact(reference="4")), generator=Model(Simulated({"4" * 300: 1})), listen=live
            )
        assert live.error is None
        stream.write("end\n")
        stream.flush()
        drawn = os.read(ours, 65536).decode().replace("\r\n", "\n").split("\n")
    os.close(ours)
    assert "\x1b" not in "".join(drawn)
    assert max(columns_used(line) for line in drawn) < columns
    assert (len(drawn) > 2) == (columns >= 72)
