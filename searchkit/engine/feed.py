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
from searchkit.types import NO_USAGE, Params, Prompt, Role, Sample, Scored, Stopped

Listener = Callable[[Event], object]


class Feed:
    """Who listens to a search. on: whether anybody does.

    root: of the trace, whose place is `place`. opened and over: its first event and its last, once there are any.
    """

    __slots__ = ("_best", "_listeners", "_refused", "on", "opened", "over", "place", "root")

    def __init__(self, place: Place = ()) -> None:
        self.place: Place = place
        self.on: bool = False
        self.root: Span | None = None
        self.opened: Opened | None = None
        self.over: Over | None = None
        self._best: Scored | None = None
        self._listeners: tuple[Listener, ...] = ()
        self._refused: SearchWarning | None = None

    def add(self, listener: Listener) -> None:
        """Tell `listener` from now on what happens; before that, what goes on."""
        before, self._listeners = self._listeners, (listener,)
        if self.opened is not None:
            self.emit(self.opened)
        if self.over is not None:
            self.emit(self.over)
            self._listeners = ()
            return
        if self.root is not None:
            if not self.on:
                self.on = True
                self._follow(self.root, self.place)
            for span in self._going_on(self.root):
                self.emit(Began(self._at(span), span.began, span.name, span.kind, span.index, span.role))
        self._listeners = (*before, *self._listeners)  # without it, if it has failed

    def emit(self, event: Event) -> None:
        for listener in self._listeners:
            try:
                listener(event)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # also a cancellation: nobody can cancel what does not await
                self._drop(listener, error)

    def remove(self, listener: Listener) -> None:
        """Tell `listener` nothing more."""
        self._listeners = tuple(one for one in self._listeners if one is not listener)

    def _drop(self, listener: Listener, error: BaseException) -> None:
        """A listener that fails must not end a search that is paid for."""
        self.remove(listener)
        try:
            _warn(error)
        except SearchWarning as refused:  # by a filter that makes errors of warnings
            self._refused = refused

    def check(self) -> None:
        """Raises the warning of a listener that failed, where a filter makes an error of it.

        Called where it can do no harm: the call that was told of is neither wrong nor over.
        """
        refused, self._refused = self._refused, None
        if refused is not None:
            raise refused

    # ---------------------------------------------------------------- spans

    def _follow(self, root: Span, place: Place) -> None:
        """From now on `root` tells what happens to it, and so do all below it that go on."""
        stack = [(root, place)]
        while stack:
            span, at = stack.pop()
            if span.status == "open":
                report(span, self, at)
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

    # ---------------------------------------------------------------- what came of it

    def asked(
        self, span: Span, what: What, by: Any, prompt: Prompt | None = None, params: Params | None = None,
        seed: int | None = None, request: str = "",
    ) -> None:  # fmt: skip
        """A call that has just begun asks somebody; see `Asked`."""
        self.emit(Asked(self._at(span), span._times.real, what, by, prompt, params, seed, request))

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
        self.check()

    def _at(self, span: Span) -> Place:
        """Where `span` stands; where that is not known any more, the whole search."""
        return span._rare["teller"][1] if isinstance(span, Reported) else self.place


class Shared:
    """A listener to several searches: once it has failed in one, none of them tells it any more."""

    def __init__(self, listener: Listener) -> None:
        self._listener: Listener | None = listener

    def __call__(self, event: Event) -> None:
        if self._listener is None:
            return
        try:
            self._listener(event)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._listener = None
            _warn(error)


def _warn(error: BaseException) -> None:
    warnings.warn(f"a listener failed, and is told nothing more: {described(error)}", SearchWarning, stacklevel=4)


class Reported(Span):
    """A span that goes on and tells of it; once it has ended it is a plain one again.

    Every span comes through here twice, so that no descriptor of a rare field is asked on the way.
    """

    __slots__ = ()
    _rare: Any  # a dictionary, as long as it is one

    def add(self, name: str, kind: str, index: int = 0, role: Role = "generate") -> Span:
        child, below = Reported(name, kind, index, role), self._below
        if below is None:
            self._below, number = child, 0
        elif isinstance(below, list):
            number = len(below)
            below.append(child)
        else:
            self._below, number = [below, child], 1
        feed, at = self._rare["teller"]
        at = (*at, number)
        child._rare = {"teller": (feed, at)}
        feed.emit(Began(at, child._times.real, name, kind, index, role))
        return child

    def adopt(self, child: Span) -> None:
        Span.adopt(self, child)
        feed, at = self._rare["teller"]
        below = self._below
        at = (*at, len(below) - 1 if isinstance(below, list) else 0)
        report(child, feed, at)
        feed.emit(Began(at, child._times.real, child.name, child.kind, child.index, child.role))

    def replay(self) -> None:
        Span.replay(self)
        self._tell()

    def end(self, status: Status, error: BaseException | None = None) -> None:
        Span.end(self, status, error)
        self._tell()

    def drop(self, gone: Iterable[Span]) -> None:
        feed, at = self._rare["teller"]
        numbers = {id(child): i for i, child in enumerate(self.children)}
        for child in gone:
            if child.status == "open":
                child.end("cancelled")
            elif child.status != "cancelled":
                child.status = "cancelled"
                feed.emit(Dropped((*at, numbers[id(child)]), perf_counter()))

    def _tell(self) -> None:
        """That it has ended, and before that those inside of which nobody says so."""
        if self._below is not None:
            for child in self.children:
                if type(child) is Reported:
                    child._tell()
        rare = self._rare
        feed, at = rare.pop("teller")
        if at != feed.place:
            ended = self._times.imag or perf_counter()
            name, kind, index, role, status = self.name, self.kind, self.index, self.role, self.status
            if (rare and "after" not in rare) or len(rare) > 1:
                known = rare.get
                error, retried, replayed = known("error", ""), known("retried", NO_USAGE), known("replayed", False)
                event = Ended(
                    at, ended, name, kind, index, role, status, error, self.text, self.usage, retried, replayed,
                    known("place", ""),
                )  # fmt: skip
            else:  # by far the most
                event = Ended(at, ended, name, kind, index, role, status, "", self.text, self.usage)
            feed.emit(event)
        self.__class__ = Span  # type: ignore[assignment]
        if len(rare) < 2:
            self._rare = rare.get("after") if "after" in rare else rare or None


def report(span: Span, feed: Feed, at: Place) -> None:
    """From now on `span`, which stands at `at`, tells `feed` what happens to it."""
    rare: Any = span._rare
    teller = feed, at
    if rare is None:
        span._rare = {"teller": teller}
    elif isinstance(rare, dict):
        rare["teller"] = teller
    else:
        span._rare = {"after": rare, "teller": teller}
    span.__class__ = Reported
