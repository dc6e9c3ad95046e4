"""Where the events of a search come from, and whom they go to: nothing is made of them while nobody listens.

A span that is listened to is a `Reported` one as long as it goes on. So whatever adds spans or ends them tells of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

from searchkit.errors import SearchWarning
from searchkit.events import (
    Answered,
    Asked,
    Began,
    Dropped,
    Ended,
    Event,
    Found,
    Opened,
    Over,
    Place,
    Planted,
    Stopping,
    What,
    beats,
)
from searchkit.kinds import described
from searchkit.trace import Span, Status
from searchkit.tree import Tree
from searchkit.types import Sample, Scored, Stopped

Listener = Callable[[Event], object]


class Feed:
    """Who listens to a search. on: whether anybody does.

    root: of the trace, whose place is `place`. opened and over: its first event and its last, once there are any.
    """

    __slots__ = ("_best", "_listeners", "on", "opened", "over", "place", "root")

    def __init__(self, place: Place = ()) -> None:
        self.place: Place = place
        self.on: bool = False
        self.root: Span | None = None
        self.opened: Opened | None = None
        self.over: Over | None = None
        self._best: Scored | None = None
        self._listeners: tuple[Listener, ...] = ()

    def add(self, listener: Listener) -> None:
        """Tell `listener` from now on what happens; before that, what goes on."""
        if self.opened is not None:
            self._tell(listener, self.opened)
        if self.over is not None:
            self._tell(listener, self.over)
            return
        if self.root is not None:
            self._listeners, before = (), self._listeners
            if not self.on:
                self.on = True
                self._follow(self.root, self.place)
            self._listeners = before
            for span in self._going_on(self.root):
                _, at = span.teller
                self._tell(listener, Began(at, span.began, span.name, span.kind, span.index, span.role))
        self._listeners = (*self._listeners, listener)

    def remove(self, listener: Listener) -> None:
        """Tell it nothing more."""
        self._listeners = tuple(one for one in self._listeners if one is not listener)

    def emit(self, event: Event) -> None:
        for listener in self._listeners:
            self._tell(listener, event)

    def _tell(self, listener: Listener, event: Event) -> None:
        """A listener that fails must not end a search that is paid for."""
        try:
            listener(event)
        except Exception as error:
            self.remove(listener)
            said = f"a listener failed, and is told nothing more: {described(error)}"
            warnings.warn(said, SearchWarning, stacklevel=2)

    # ---------------------------------------------------------------- spans

    def _follow(self, root: Span, place: Place) -> None:
        """From now on `root` tells what happens to it, and so do all below it that go on."""
        stack = [(root, place)]
        while stack:
            span, at = stack.pop()
            if span.status == "open":
                span.__class__, span.teller = Reported, (self, at)
                stack.extend((child, (*at, i)) for i, child in enumerate(span.children))

    def _going_on(self, root: Span) -> Iterable[Span]:
        """All open spans below `root`, those around others first."""
        stack = [root]
        while stack:
            span = stack.pop()
            if isinstance(span, Reported):
                if span is not root:
                    yield span
                stack.extend(reversed(span.children))

    def began(self, span: Span, at: Place) -> None:
        span.__class__, span.teller = Reported, (self, at)
        if self.on:
            self.emit(Began(at, span.began, span.name, span.kind, span.index, span.role))

    def ended(self, span: Span, at: Place) -> None:
        if self.on and at != self.place:
            self.emit(
                Ended(
                    at, span.ended or perf_counter(), span.name, span.kind, span.index, span.role, span.status,
                    span.error, span.text, span.usage, span.retried, span.replayed, span.place,
                )
            )  # fmt: skip

    # ---------------------------------------------------------------- what came of it

    def asked(self, span: Span, what: What, by: Any, **said: Any) -> None:
        """A call that has just begun asks somebody."""
        self.emit(Asked(self._at(span), perf_counter(), what, by, **said))

    def answered(self, span: Span, sample: Sample[Any]) -> None:
        self.emit(Answered(self._at(span), perf_counter(), sample))

    def found(self, span: Span, scored: Scored, inner: bool) -> None:
        best = not inner and beats(scored, self._best)
        if best:
            self._best = scored
        self.emit(Found(self._at(span), perf_counter(), scored, best, inner))

    def planted(self, span: Span, tree: Tree) -> None:
        self.emit(Planted(self._at(span), perf_counter(), tree))

    def stopping(self, span: Span, reason: Stopped) -> None:
        self.emit(Stopping(self._at(span), perf_counter(), reason))

    def close(self, over: Over) -> None:
        """The search is over: its last event."""
        self.over = over
        self.emit(over)
        self.on, self._listeners = False, ()

    def _at(self, span: Span) -> Place:
        """Where `span` stands; where that is not known any more, the whole search."""
        return span.teller[1] if isinstance(span, Reported) else self.place


class Reported(Span):
    """A span that goes on and tells of it; once it has ended it is a plain one again."""

    __slots__ = ()

    def adopt(self, child: Span) -> None:
        super().adopt(child)
        feed, at = self.teller
        below = self._below
        feed.began(child, (*at, len(below) - 1 if isinstance(below, list) else 0))

    def replay(self) -> None:
        super().replay()
        self._tell()

    def end(self, status: Status, error: BaseException | None = None) -> None:
        super().end(status, error)
        self._tell()

    def drop(self, gone: Iterable[Span]) -> None:
        feed, at = self.teller
        numbers = {id(child): i for i, child in enumerate(self.children)}
        for child in gone:
            if child.status == "open":
                child.end("cancelled")
            elif child.status != "cancelled":
                child.status = "cancelled"
                feed.emit(Dropped((*at, numbers[id(child)]), perf_counter()))

    def _tell(self) -> None:
        """That it has ended, and before that those inside of which nobody says so."""
        feed, at = self.teller
        for child in self.children:
            if isinstance(child, Reported):
                child._tell()
        rare: Any = self._rare
        del rare["teller"]
        self._rare = rare if len(rare) > 1 or (rare and "after" not in rare) else rare.get("after")
        self.__class__ = Span  # type: ignore[assignment]
        feed.ended(self, at)
