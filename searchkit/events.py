"""What happens in a search while it runs, as values: for `async for event in start(...)`, and for `listen=`.

They come as they happen. A span begins after the span around it and ends before it; what is found stands after the
calls that it came of; `Over` is the last. Which of several concurrent calls ends first is a matter of latency:
`in_order` puts the same events in program order, which is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from searchkit.protocols import Generator
from searchkit.quick import quick
from searchkit.result import Result
from searchkit.trace import Status
from searchkit.tree import Tree
from searchkit.types import NO_USAGE, Budget, Params, Problem, Prompt, Role, Sample, Scored, Stopped, Usage

What = Literal["model", "agent", "tool"]
Place = tuple[int, ...]
"""Where in the trace a span stands: the numbers of the children that lead to it from the root, which is ()."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    at: the span that it happened to, or in; of a list of problems (`solve_many`, a sweep) after the number of the
    problem. The span around it is ``at[:-1]``. time: seconds on `time.perf_counter`; events are equal without it.
    """

    at: Place
    time: float = field(compare=False)


@quick
@dataclass(frozen=True, slots=True)
class Opened(Event):
    """A search begins: the first event of it.

    budget: its ceilings. seed: the root seed. best: asks for the best so far, at any time (`Searching.best`).
    """

    problem: Problem
    strategy: Generator
    budget: Budget
    seed: int
    best: Callable[[], Scored | None] = field(compare=False, repr=False)


@quick
@dataclass(frozen=True, slots=True)
class Began(Event):
    """A span begins: a strategy ("search"), concurrent children ("group"), one of them ("item"), or a call ("call").

    name, kind, index, role: those of the `Span`. A reader who comes late is first told of each that goes on.
    """

    name: str
    kind: str
    index: int
    role: Role


@quick
@dataclass(frozen=True, slots=True)
class Asked(Event):
    """What a call asks for, just behind its `Began`.

    - what: who is asked.
    - by: the backend of a model; of an agent, a tool, and a model that an agent calls by itself, the name.
    - prompt: what a model or an agent is asked; None of the others.
    - params, seed: what is sent to a backend besides.
    - request: of a model that an agent calls by itself, the content of its request (`searchkit.wire.content`).
    """

    what: What
    by: Any = field(compare=False)
    prompt: Prompt | None = None
    params: Params | None = None
    seed: int | None = None
    request: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Answered(Event):
    """What a model or an agent answered, just before the `Ended` of its call."""

    sample: Sample[Any] = field(compare=False)


@quick
@dataclass(frozen=True, slots=True)
class Ended(Event):
    """A span has ended, and is charged.

    name, kind, index, role, status, error, text, replayed, place: those of the `Span`; the status is "open" if nobody
    said how it ended, and it ends with the one around it. usage: this span's own, without its children's, so that all
    of them add up to what was charged; retried: what failed attempts before it cost.
    """

    name: str
    kind: str
    index: int
    role: Role
    status: Status
    error: str = ""
    text: str = ""
    usage: Usage = NO_USAGE
    retried: Usage = NO_USAGE
    replayed: bool = False
    place: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Dropped(Event):
    """A span that had ended, and all below it, counts as cancelled: its search ended before it was its turn.

    It stays charged. What was found in it is no candidate any more.
    """


@quick
@dataclass(frozen=True, slots=True)
class Found(Event):
    """A candidate for the answer, or a verdict on one found before.

    best: no other before it has so high a score; of what has none, the first that is whole (`Searching.best` asks the
    rule of the strategy, which may be a vote). inner: it is a candidate of a strategy inside of the search's own, whose
    scores may mean something else; never `best`.
    """

    scored: Scored
    best: bool
    inner: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Planted(Event):
    """A search tree, which grows from now on, and so is no part of what makes events equal."""

    tree: Tree = field(compare=False)


@quick
@dataclass(frozen=True, slots=True)
class Stopping(Event):
    """A strategy goes no further, and says why: a threshold is reached, or the budget or the time is spent."""

    reason: Stopped


@quick
@dataclass(frozen=True, slots=True)
class Lost(Event):
    """So many events before this one were not kept, since the reader was too slow. `Over` is never among them."""

    n: int


@quick
@dataclass(frozen=True, slots=True)
class Over(Event):
    """A search has ended: the last event of it.

    stopped: why, as in `Result`; None of a search that raised `error`, and so has no `result`.
    """

    stopped: Stopped | None
    result: Result[Any] | None = field(default=None, compare=False)
    error: BaseException | None = field(default=None, compare=False)


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events of a search in program order: equal at any latency, for the same seed and responses.

    Without what depends on latencies: times, retries, tokens that a server had read before, and all of what was
    cancelled or dropped. Among what is found, `best` says what is better than all before it in this order. The calls
    that an agent makes by itself, which may overtake one another, are numbered by what they ask; of one that failed and
    was made again, only the last is left.

    Cost: sorting them.
    """
    events = list(events)
    own = _own_calls(events)
    gone = {e.at for e in events if isinstance(e, Dropped) or (isinstance(e, Ended) and e.status == "cancelled")}
    gone |= {at for at, number in own.items() if number is None}
    kept = [e for e in events if not isinstance(e, Dropped | Lost) and not _below(e.at, gone)]
    if own:
        kept = [replace(e, at=_renumbered(e.at, own)) for e in kept]
    kept.sort(key=_order)  # stable: what happens in one span keeps its order
    best: Scored | None = None
    for i, event in enumerate(kept):
        if isinstance(event, Ended):
            kept[i] = replace(event, usage=_steady(event.usage), retried=NO_USAGE)
        elif isinstance(event, Found):
            better = not event.inner and beats(event.scored, best)
            best = event.scored if better else best
            kept[i] = replace(event, scored=_as_found(event.scored), best=better)
    return kept


def beats(scored: Scored, best: Scored | None) -> bool:
    """Whether `scored`, found after `best`, takes its place: a score beats none, more beats less, whole beats cut."""
    if best is None or scored.sample is best.sample:
        return True
    if scored.score is None or best.score is None:
        return scored.score is not None or (
            best.score is None and best.sample.truncated and not scored.sample.truncated
        )
    return scored.score > best.score


def _own_calls(events: Sequence[Event]) -> dict[Place, int | None]:
    """By the place of each call that an agent made by itself: its number among them by what it asks; None: repeated."""
    calls = dict[Place, dict[str, list[int]]]()
    for event in events:
        if isinstance(event, Ended) and event.place and event.status != "cancelled":
            calls.setdefault(event.at[:-1], {}).setdefault(event.place, []).append(event.at[-1])
    numbers = dict[Place, int | None]()
    for around, asked in calls.items():
        free = sorted(max(same) for same in asked.values())
        for number, (_, same) in zip(free, sorted(asked.items()), strict=True):
            numbers |= {(*around, one): number if one == max(same) else None for one in same}
    return numbers


def _renumbered(at: Place, numbers: dict[Place, int | None]) -> Place:
    return tuple(n if (new := numbers.get(at[: i + 1])) is None else new for i, n in enumerate(at))


def _below(at: Place, gone: set[Place]) -> bool:
    return bool(gone) and any(at[:depth] in gone for depth in range(len(at) + 1))


def _order(event: Event) -> tuple[float, ...]:
    """A span begins before its children and ends after them; what is found in it stands just before its end."""
    if isinstance(event, Opened | Began):
        return (*event.at, -1)
    return (*event.at, math.inf, isinstance(event, Ended | Over))


def _steady(usage: Usage) -> Usage:
    return replace(usage, cpu_seconds=0.0, cached_tokens=0)


def _as_found(scored: Scored) -> Scored:
    return replace(scored, sample=replace(scored.sample, usage=_steady(scored.sample.usage)))
