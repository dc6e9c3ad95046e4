"""How printed lines are compared."""

from __future__ import annotations

import pytest

from searchkit.sandbox.report import same_lines
from searchkit.verifiers.code.printed import within

BREAKS = ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\r"]  # where `str.splitlines` breaks


@pytest.mark.parametrize("mark", BREAKS)
def test_a_line_ends_with_a_line_feed_alone(mark):
    """What else looks like an end of a line was printed, and is not what was expected."""
    for accept in (same_lines, within(1e-6)):
        assert not accept("", f"a{mark}b", "a\nb")
        assert not accept("", f"a{mark}b\n", "a b")
        assert not accept("", f"a\nb{mark}c", "a\nb\nc")
        assert accept("", f"a{mark}b\n", f"a{mark}b")


@pytest.mark.parametrize("printed", ["1 2\n3", "1 2\r\n3\r\n", "1 2  \n3\t\n\n", "1 2 \t\r\n3   "])
def test_blanks_at_the_ends_do_not_count(printed):
    for accept in (same_lines, within(1e-6)):
        assert accept("", printed, "1 2\n3\n")
        assert not accept("", "\n" + printed, "1 2\n3\n")
