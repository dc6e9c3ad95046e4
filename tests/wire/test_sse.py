"""Server-sent events against the standard's rules, and their bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.wire.errors import Malformed
from searchkit.wire.sse import Event, EventReader, event

# The examples of the standard, section 9.2.6 and around, with the events they make.
STREAMS: list[tuple[bytes, list[Event]]] = [
    (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event("", "YHOO\n+2\n10")]),
    (b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
     [Event("", "first event"), Event("", "second event"), Event("", " third event")]),
    (b"data\n\ndata\ndata\n\n", [Event("", ""), Event("", "\n")]),
    (b"data:test\n\ndata: test\n\n", [Event("", "test"), Event("", "test")]),
    (b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2\n\n", [Event("add", "73857293"), Event("remove", "2")]),
    (b"event: lonely\n\ndata: x\n\n", [Event("", "x")]),
    (b"data: a\r\ndata: b\r\n\r\ndata: c\rdata: d\r\r", [Event("", "a\nb"), Event("", "c\nd")]),
    (b"\xef\xbb\xbfdata: bom\n\n", [Event("", "bom")]),
    (b"data: \xef\xbb\xbfinside\n\n", [Event("", "\ufeffinside")]),
    (b"data: cr\r\rdata: crlf\r\n\r\ndata: lf\n\n", [Event("", "cr"), Event("", "crlf"), Event("", "lf")]),
    (b"data: \xe2\x98\x80\xf0\x9f\x98\x80\n\n", [Event("", "\u2600\U0001f600")]),
    (b"data: a\x0bb\x1c\xc2\x85\xe2\x80\xa8c\n\n", [Event("", "a\x0bb\x1c\x85\u2028c")]),  # no line ends of its own
    (b"retry: 10\nnonsense\nunknown: x\n\n", []),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "wanted"), STREAMS)
def test_the_standard_s_streams(sent: bytes, wanted: list[Event]) -> None:
    """At once, byte by byte, and cut in two at every byte."""
    cuts: list[list[bytes]] = [[sent[:at], sent[at:]] for at in range(len(sent) + 1)]
    single = [sent[at : at + 1] for at in range(len(sent))]
    for parts in [*cuts, single, [b"", sent, b""], [part for byte in single for part in (byte, b"")]]:
        reader = EventReader()
        assert [found for part in parts for found in reader.feed(part)] + reader.end() == wanted


def test_an_event_without_its_blank_line() -> None:
    """It comes at the end, once."""
    reader = EventReader()
    assert reader.feed(b"data: a\n\ndata: b\ndata: c") == [Event("", "a")]
    assert reader.end() == [Event("", "b\nc")]
    assert reader.end() == []


@pytest.mark.parametrize("bad", [b"data: \xff\n", b"data: \xe2\x98\n", b"data: \xed\xa0\x80\n", b"\xff: comment\n"])
def test_what_is_no_utf_8(bad: bytes) -> None:
    """It would be another text if it were replaced."""
    with pytest.raises(Malformed, match="UTF-8"):
        EventReader().feed(bad)


def test_long_events_are_refused_while_they_arrive() -> None:
    """A line without an end, and lines without a blank one; comments may go on for ever."""
    for line in (b"x" * 50, b"data: " + b"x" * 4 + b"\n", b"event: a\n"):
        reader = EventReader(100)
        with pytest.raises(Malformed, match="longer than 100 bytes"):
            list(map(reader.feed, [line] * 100))
    reader = EventReader(100)
    for _ in range(100):
        assert reader.feed(b": keep-alive\nid: 7\n") == []
    assert reader.feed(b"data: " + b"x" * 90 + b"\n\n") != []


@given(st.lists(st.tuples(st.sampled_from(["", "delta", "error"]), st.text() | st.dictionaries(st.text(), st.text()))))
def test_what_is_written_is_read(sent: list[tuple[str, Any]]) -> None:
    """Any JSON value, with line ends and separators in it."""
    reader = EventReader()
    found = reader.feed(b"".join(event({"v": value}, name) for name, value in sent))
    assert [(e.name, json.loads(e.data)["v"]) for e in found] == sent
