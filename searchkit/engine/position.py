"""Where a run stands in its search: seed, place, what it shares with the others, and what came of it so far."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Any, Self, TypeVar, get_args

from searchkit.deadline import Deadline
from searchkit.engine import seeds
from searchkit.engine.candidates import Frame, Search
from searchkit.engine.held import Held
from searchkit.engine.ledger import Ledger
from searchkit.errors import BudgetExhausted, ConfigError, JournalError
from searchkit.protocols import Generator, Run, Slots, Verifier
from searchkit.trace import Span
from searchkit.types import Outcome, Params, Role, Scored, Stopped, Usage

O = TypeVar("O")  # noqa: E741
REASONS = get_args(Stopped)


class Position(Run):
    """The state of a run. What it means stands in the contract, `searchkit.protocols.Run`.

    key: the hash of its path, from which seeds come; made when it is asked for, as many runs need none. order: its
    place in program order. parent: the run that made it. frame: the candidates of the strategy that it is part of.
    partial: what is drawn here are steps, not candidates. threads: what the function that was given this run has
    spawned, see `threads.py`. held: what is set aside for an agent that it was given to, see `held.py`.
    """

    __slots__ = (
        "_calls", "_key", "_name", "_path", "_rng", "_search", "deadline", "frame", "held", "index", "ledger", "order",
        "params", "parent", "partial", "role", "span", "threads",
    )  # fmt: skip
    _search: Search
    _key: bytes | None
    _name: str  # of the parent's call that it is
    ledger: Ledger
    deadline: float | None
    span: Span
    frame: Frame
    index: int
    order: tuple[int, ...]
    parent: Position | None
    role: Role
    partial: bool
    params: Params | None
    threads: Any
    held: Held | None

    def __init__(self, search: Search, key: bytes, ledger: Ledger, span: Span, frame: Frame) -> None:
        self._search, self._key, self.ledger, self.span, self.frame = search, key, ledger, span, frame
        self._name = ""
        self.index, self.order, self.role = 0, (), "generate"
        self.params, self.deadline, self.partial, self.held, self.parent = None, None, False, None, None
        self._calls = 0
        self._path: str | None = ""
        self._rng: random.Random | None = None

    @property
    def key(self) -> bytes:
        if self._key is not None:
            return self._key
        run, below = self, list[Position]()
        while run._key is None:
            assert run.parent is not None
            below.append(run)
            run = run.parent
        key = run._key
        for run in reversed(below):
            ordinal, index = run.order[-2:]
            run._key = key = seeds.derive(key, run._name, ordinal, index)
        return key

    @property
    def seed(self) -> int:
        return seeds.seed_of(self.key)

    @property
    def rng(self) -> random.Random:
        if self._rng is None:
            self._rng = random.Random(self.key)
        return self._rng

    @property
    def generator(self) -> Generator | None:
        return self._search.generator

    # ---------------------------------------------------------------- place

    def next_ordinal(self) -> int:
        """Number the next call that this run makes."""
        self._calls += 1
        return self._calls

    def spawned(self, name: str, ordinal: int, index: int, span: Span, ledger: Ledger) -> Self:
        """The run of item `index` of this run's call number `ordinal`."""
        child = object.__new__(type(self))  # all is set here: a run is made for every call
        child._search, child.frame, child.threads = self._search, self.frame, self.threads
        child.params, child.deadline, child.partial, child.role = self.params, self.deadline, self.partial, self.role
        child._key, child._name, child.ledger, child.span = None, name, ledger, span
        child.index, child.order = index, (*self.order, ordinal, index)
        child._calls, child._rng, child._path, child.held, child.parent = 0, None, None, None, self
        return child

    def path(self, span: Span) -> str:
        """Where in the search `span` stands, one of this run's: the names above it, with the number of an item.

        What is not the first call of its run has the call's ordinal, too: "BestOfN/draw[3]/score:2[0]".
        """
        here = self._here()
        if span is self.span:
            return here
        name = f"{span.name}[{span.index}]" if span.index else span.name
        return f"{here}/{name}" if here else name

    def _here(self) -> str:
        """The path of this run's own span; "" for that of the whole search."""
        if self._path is None:
            assert self.parent is not None
            above, span, ordinal = self.parent._here(), self.span, self.order[-2]
            if span is self.parent.span:
                self._path = above
            else:
                number = f"[{span.index}]" if span.kind == "item" else ""
                name = f"{span.name}:{ordinal}{number}" if ordinal > 1 else f"{span.name}{number}"
                self._path = f"{above}/{name}" if above else name
        return self._path

    def hold_for(self, worst: Usage, span: Span, params: Params | None) -> Held:
        """Remember what is set aside for the agent that is called here."""
        before, self.held = self.held, Held(worst, self.ledger, span, params)
        if before is not None:
            self.held.share_numbers(before)
        return self.held

    # ---------------------------------------------------------------- trace and clock

    def traced(self, name: str, *, kind: str = "call", index: int | None = None, role: Role | None = None) -> Span:
        return self.span.add(name, kind, self.index if index is None else index, role or self.role)

    def until_deadline(self) -> AbstractAsyncContextManager[Any]:
        return nullcontext() if self.deadline is None else Deadline(self.deadline)

    def __enter__(self) -> Self:
        self.span.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.span.__exit__(kind, error, at)

    # ---------------------------------------------------------------- what came of it

    def stop(self, reason: Stopped) -> None:
        if reason not in REASONS:
            raise ConfigError(f"a search stops by one of {', '.join(map(repr, REASONS))}, got {reason!r:.80}")
        if self.frame.stopped == "done":
            self.frame.stopped = reason
            if self._search.feed.on:
                self._search.feed.stopping(self.span, reason)

    def found(self, scored: Scored, judge: Verifier | None = None, span: Span | None = None) -> None:
        """A candidate for the answer, or what is said of one.

        judge: the verifier that says it, if one does. span: where listeners are told that it was found, if this run's
        has ended.
        """
        frame, feed = self.frame, self._search.feed
        frame.offer(self.order, scored, judge)
        if feed.on and not self.partial:
            feed.found(span or self.span, scored, frame.depth > 1)

    def survivors(self, outcomes: Iterable[Outcome[O]]) -> list[O]:
        outcomes = list(outcomes)
        found = [outcome.value for outcome in outcomes if outcome.value is not None]
        failures = [outcome.error for outcome in outcomes if outcome.error is not None]
        for failure in failures:
            self.note_failure(failure)
        if failures and not found:
            raise failures[0]
        return found

    def note_failure(self, error: Exception | None) -> None:
        if isinstance(error, BudgetExhausted):
            self.stop("deadline" if error.ceiling == "seconds" else "budget")
        elif error is not None and not isinstance(error, Exception):
            raise ConfigError(f"note_failure takes an error, such as outcome.error, got {error!r:.80}")

    def fail(self, error: Exception) -> None:
        if isinstance(error, JournalError):  # not to be survived: nothing that follows could be kept either
            raise error
        if not isinstance(error, BudgetExhausted):
            self._search.errors.append((self.order, error))

    def forget(self, ordinal: int, first: int) -> None:
        """Drop what came of the items from `first` on of this run's call `ordinal`: nobody took them."""
        depth = len(self.order)

        def beyond(order: tuple[int, ...]) -> bool:
            here = order[depth : depth + 2]
            return order[:depth] == self.order and len(here) == 2 and here[0] == ordinal and here[1] >= first

        self.frame.forget(beyond)
        self._search.errors = [entry for entry in self._search.errors if not beyond(entry[0])]
        self._search.diverged = [order for order in self._search.diverged if not beyond(order)]

    # ---------------------------------------------------------------- what the search shares

    @property
    def journaled(self) -> bool:
        return self._search.journal is not None

    def resource(self, owner: object, make: Callable[[], O]) -> O:
        known = self._search.resources.get(id(owner))
        if known is None:
            known = self._search.resources[id(owner)] = owner, make()
        made: O = known[1]
        return made

    def slots(self, name: str, n: int) -> Slots:
        return self._search.slots.setdefault(name, Slots(n))

    def abandon(self) -> None:
        self._search.abandon()
