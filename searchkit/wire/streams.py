"""What the event streams of all APIs have in common: how one becomes a whole answer, and text its pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from searchkit.kinds import is_whole, told
from searchkit.wire.errors import Malformed, Reported, Truncated, WireError, named_in
from searchkit.wire.failures import reported
from searchkit.wire.fields import MOST_CHOICES, mapping, objects, read_answer
from searchkit.wire.sse import EVENT_LIMIT, EventReader

ANSWER_LIMIT = 64 * 2**20  # bytes of a whole stream
PIECE = 512  # characters of text in one event that we write


class Collector(Protocol):
    """Puts one API's events together. What an event lacks may raise any LookupError, TypeError or AttributeError."""

    def complete(self, choices: int) -> bool:
        """Whether all that the answer says has come, if it has that many choices or more."""
        ...

    def take(self, value: dict[str, Any]) -> None: ...

    def answer(self) -> dict[str, Any]:
        """The answer as it would have come in one piece."""
        ...


class StreamReader:
    """A streamed answer, fed as its bytes arrive, in whatever pieces; in the end, the answer in one piece.

    choices: how many the request asked for; a stream that ends with its mark may have fewer. event_limit: bytes.

    Raises `Malformed` for what is no stream of its API, `Reported` for an error in it, `Truncated` from `answer` if it
    ended too early. Once it has raised, it stays broken. Takes linear time; at most `ANSWER_LIMIT` bytes are read.
    """

    def __init__(self, collector: Collector, choices: int = 1, event_limit: int = EVENT_LIMIT) -> None:
        self._events = EventReader(event_limit)
        self._collector, self._choices = collector, choices
        self._size = 0
        self._failure: WireError | None = None
        self.ended: bool = False  # the mark of the end has come: nothing that follows is read

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._size += len(data)
        self._guarded(lambda: self._feed(data))

    def answer(self) -> dict[str, Any]:
        """The whole answer, once the stream has ended."""
        self._guarded(self._finish)
        if not self._collector.complete(1 if self.ended else self._choices):
            raise Truncated("the stream ended before the answer did")
        return self._collector.answer()

    def _feed(self, data: bytes) -> None:
        if self._size > ANSWER_LIMIT:
            raise Malformed(f"the stream is longer than {ANSWER_LIMIT} bytes")
        for event in self._events.feed(data):
            self._take(event.data)

    def _finish(self) -> None:
        for event in self._events.end():
            try:
                self._take(event.data)
            except Reported:
                raise
            except ValueError:  # cut within its last event
                break

    def _take(self, data: str) -> None:
        if self.ended or not data.strip():
            return
        if data.strip() == "[DONE]":
            self.ended = True
            return
        value = mapping(read_answer(data), "an event")
        if (error := reported(value)) is not None:
            raise error
        self._collector.take(value)

    def _guarded(self, step: Callable[[], None]) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            step()
        except WireError as error:
            self._failure = error
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            why = f": {error}" if isinstance(error, ValueError) else f", a field is of another type{named_in(error)}"
            self._failure = Malformed(f"the stream cannot be read{why}")
            raise self._failure from error


def place(value: Any, most: int = MOST_CHOICES) -> int:
    """The number of a choice, a block or an item. Raises `Malformed` if it is none."""
    if not is_whole(value) or not 0 <= value < most:
        raise Malformed(f"an index is 0 to {most - 1}, got {told(value)}")
    return int(value)


def choices_of(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices of an event of chat or completions; one with the usage may be without."""
    return objects(value["choices"] if "usage" not in value else value.get("choices") or [], "choices")


def pieces(text: str, rows: Sequence[Any] | None = None) -> Iterator[tuple[str, list[Any]]]:
    """`text` in pieces with their rows: a token each, if the rows spell the text; else by length, rows with the first.

    >>> list(pieces("ab", [{"token": "a"}, {"token": "b"}]))
    [('a', [{'token': 'a'}]), ('b', [{'token': 'b'}])]
    """
    if rows and "".join(row["token"] for row in rows) == text:
        yield from ((row["token"], [row]) for row in rows)
        return
    for at in range(0, len(text), PIECE):
        yield text[at : at + PIECE], list(rows or ()) if at == 0 else []
    if rows and not text:
        yield "", list(rows)
