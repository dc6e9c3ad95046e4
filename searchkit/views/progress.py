"""How far a search is, from its events: what runs, what was found, what was spent, and when it may end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from searchkit.errors import BudgetExhausted
from searchkit.events import Began, Ended, Event, Opened, Over, Place, Planted, Stopping
from searchkit.strategy import Strategy
from searchkit.tally import Tally
from searchkit.tree import Tree
from searchkit.types import NO_USAGE, Budget, Sample, Scored, Stopped, Usage

WINDOW = 30.0  # seconds over which the rate is taken


@dataclass(slots=True)
class Running:
    """A span that goes on. below: how many inside of it do. failed: something inside of it has."""

    began: Began
    below: int = 0
    failed: bool = False


@dataclass(slots=True)
class Pace:
    """How a number grew in the last seconds: what was there at some moments, the oldest first."""

    seen: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=64))

    def due(self, now: float) -> bool:
        """Whether it is time to note it again."""
        return not self.seen or now - self.seen[-1][0] >= WINDOW / 60

    def note(self, now: float, amount: float) -> None:
        self.seen.append((now, amount))
        while len(self.seen) > 2 and now - self.seen[0][0] > WINDOW:
            self.seen.popleft()

    def rate(self, now: float, amount: float) -> float:
        """By the second; NaN before anything is known."""
        if not self.seen or now - self.seen[0][0] <= 0:
            return math.nan
        return (amount - self.seen[0][1]) / (now - self.seen[0][0])


class Progress:
    """One search, or several of a list. Give it the events; all of it is bounded by what runs at once.

    Several: those of `solve_many` and of a sweep, which stand at numbers of their own. What was spent is the sum then.
    """

    def __init__(self) -> None:
        self.opened: dict[Place, Opened] = {}  # searches that go on
        self.first: Opened | None = None
        self.over = self.failed_searches = 0
        self.running: dict[Place, Running] = {}
        self.answer: Sample[Any] | None = None
        self.calls = self.failed = 0
        self.error = ""
        self.tree: Tree | None = None
        self.planted = 0
        self.stopped: Stopped | None = None
        self.reason: Stopped | None = None
        self.ended = 0.0
        self.replayed = Tally()
        self._spent = Tally()
        self._calls, self._tokens = Pace(), Pace()

    def take(self, event: Event) -> None:
        """One more event."""
        if isinstance(event, Began):
            self._begin(event)
        elif isinstance(event, Ended):
            self._end(event)
        elif isinstance(event, Planted):
            self.tree, self.planted = event.tree, self.planted + 1
        elif isinstance(event, Stopping):
            self.reason = event.reason
        elif isinstance(event, Opened):
            self.opened[event.at], self.first = event, self.first or event
            self._note(event.time)
        elif isinstance(event, Over):
            self._finish(event)

    def _begin(self, event: Began) -> None:
        self.running[event.at] = Running(event)
        around = self.running.get(event.at[:-1])
        if around is not None:
            around.below += 1

    def _end(self, event: Ended) -> None:
        here = self.running.pop(event.at, None)
        around = self.running.get(event.at[:-1])
        if around is not None:
            around.below -= 1
            around.failed |= event.status == "error"
        for cost in (event.usage, event.retried):
            if cost is not NO_USAGE:  # as of most spans
                self._spent.add(cost)
                if event.replayed:
                    self.replayed.add(cost)
        if event.kind == "call" and not event.replayed:
            self.calls += 1
        if event.status == "error" and not (here is not None and here.failed):  # where it came from, and only there
            self._fail(event.error)
        self._note(event.time)

    def _fail(self, error: str) -> None:
        """What the budget refuses has not failed, and is said to be why the search stops."""
        if not error.startswith(BudgetExhausted.__name__):
            self.failed += 1
            self.error = error

    def _note(self, now: float) -> None:
        if self._calls.due(now):
            self._calls.note(now, self.calls)
            self._tokens.note(now, self._generated)

    @property
    def _generated(self) -> int:
        """Tokens that this process has had generated."""
        return self.spent.generated_tokens - self.replayed.usage.generated_tokens

    def _finish(self, event: Over) -> None:
        self.opened.pop(event.at, None)
        self.over += 1
        self.failed_searches += event.error is not None
        self.stopped, self.ended = event.stopped, event.time
        if event.result is not None:
            self.answer = event.result.sample
        for at in [at for at in self.running if at[: len(event.at)] == event.at]:
            del self.running[at]

    def is_another(self, event: Opened) -> bool:
        """Whether this search begins again what has ended, as the first of another list does."""
        return self.first is not None and not self.opened and event.at == self.first.at

    # ---------------------------------------------------------------- what is to be said

    @property
    def spent(self) -> Usage:
        return self._spent.usage

    def best(self) -> Scored | None:
        """The best answer so far of the one search that goes on."""
        if self.many or not self.opened:
            return None
        [only] = self.opened.values()
        try:
            return only.best()
        except Exception:  # a strategy of others, asked for a picture
            return None

    @property
    def many(self) -> bool:
        """Whether these are the searches of a list."""
        return self.first is not None and bool(self.first.at)

    @property
    def budget(self) -> Budget:
        """The ceilings of a single search; those of a list's are each search's own."""
        return Budget() if self.first is None or self.many else self.first.budget

    def seconds(self, now: float) -> float:
        """How long it has taken so far."""
        if self.first is None:
            return 0.0
        return (now if self.opened else self.ended) - self.first.time

    def rates(self, now: float) -> tuple[float, float]:
        """Calls and generated tokens by the second, of the last half minute; NaN where nobody knows."""
        return self._calls.rate(now, self.calls), self._tokens.rate(now, self._generated)

    def innermost(self) -> Iterator[tuple[Place, Running]]:
        """What runs and has nothing inside that does, the oldest first."""
        return ((at, one) for at, one in self.running.items() if not one.below)

    def most(self) -> tuple[int, int] | None:
        """The most samples and verifications that the strategy may take; None where no bound is known."""
        if self.first is None or self.many:
            return None
        strategy: Any = self.first.strategy
        if not isinstance(strategy, Strategy):
            return 1, 0
        try:
            return strategy.counts()
        except Exception:  # code of others, asked for a picture
            return None

    def share(self, now: float) -> tuple[float, str] | None:
        """How much of the way is behind us, within [0, 1], and by what: the ceiling or bound that it is nearest to."""
        spent, most = self.spent, self.most()
        parts = [(spent.generations / most[0], "samples")] if most is not None and most[0] > 0 else []
        for name, ceiling in self.budget.ceilings():
            if ceiling > 0:
                parts.append(((self.seconds(now) if name == "seconds" else getattr(spent, name)) / ceiling, name))
        share = max(parts, default=None)
        return None if share is None else (min(1.0, share[0]), share[1])

    def left(self, now: float) -> float | None:
        """Seconds until it must have ended, at the pace so far; None before anybody can tell."""
        share, passed = self.share(now), self.seconds(now)
        if share is None or not 0 < share[0] <= 1 or not self.opened:
            return None
        if share[1] == "seconds":
            return max(0.0, (self.budget.seconds or 0.0) - passed)
        before = self._replayed_part(share[1])
        own = share[0] - before
        return passed * (1 - share[0]) / own if own > 0 else None

    def _replayed_part(self, name: str) -> float:
        """The part of the way that a journal had gone before."""
        most, known = self.most(), self.replayed.usage
        if name == "samples":
            return known.generations / most[0] if most else 0.0
        return float(getattr(known, name)) / float(getattr(self.budget, name))
