"""Metering: how one call is held, replayed or performed, charged exactly once, and stored."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from searchkit import codec
from searchkit.calls import CallError
from searchkit.engine.begin import accident
from searchkit.engine.held import Held, load_leaves
from searchkit.engine.journal import Entry, Journal, Origin
from searchkit.engine.keys import shown
from searchkit.engine.ledger import ONE_CALL, cost_of
from searchkit.engine.position import Position
from searchkit.errors import BudgetExhausted, JournalError
from searchkit.trace import Span
from searchkit.types import NO_USAGE, Sample, Usage

T = TypeVar("T")


class Metered(Position):
    """The part of a run that touches the ledger and the journal."""

    __slots__ = ()

    async def _leaf(
        self,
        span: Span,
        held: Held,
        entry: Entry | None,
        perform: Callable[[], Awaitable[Sample[Any]]],
        value_codec: codec.Codec | None,
        show: Callable[[Sample[Any]], str] = shown,
    ) -> Sample[Any]:
        """Hold the worst case; replay or perform; charge the truth, exactly once whatever happens."""
        journal, around = self._search.journal, self._around
        if around is not None:
            around.inside.append((span, held))
        if self._limited:
            await self._hold(span, held.worst)
        actual, stored = None, None
        try:
            stored = self._stored(span, entry)
            if journal is not None and entry is not None and stored is not None:
                sample, retried, inside, span.took, text = _loaded(journal, entry.key, stored, value_codec, show)
                await self._replay_inside(held, inside)
                actual = self._actual(sample.usage, held.generations)
                self._charge_retries(span, retried, paid=False)
            else:
                began = time.perf_counter()
                sample = await (perform() if self.deadline is None else self._timely(perform()))
                took = time.perf_counter() - began
                check(sample.usage, span.name)
                actual = self._actual(sample.usage, held.generations)
                if journal is not None and entry is not None and held.storable:
                    row = codec.dump_row(sample, span.retried, value_codec, held.stored(), took)
                    await journal.put(entry.key, row, self._origin(span, entry))
                text = show(sample)
            span.text = text
        except BaseException as raised:
            error = accident(raised) or raised
            if isinstance(error, CallError):
                actual = self._actual(cost_of_failed(error) if held.alone else NO_USAGE, held.generations)
            elif span.waiting or (actual is None and isinstance(error, JournalError)):
                actual = NO_USAGE  # cancelled before anything was sent, or not to be replayed
            elif actual is None:  # nobody knows
                actual = held.lost
            self._settle(span, held, actual, paid=stored is None)
            span.fail(error)
            if error is not raised:
                raise error from raised
            raise
        if sample.origin != "model":
            span.replayed = True
        if sample.left_out:
            self._search.left_out.update(sample.left_out)
        self._settle(span, held, actual, paid=sample.origin == "model")
        if self._search.feed.on:
            self._search.feed.answered(span, sample)
        span.end("ok")
        return sample

    def _stored(self, span: Span, entry: Entry | None) -> str | None:
        """What the journal has of a call. Raises `JournalError` for a call that it lacks and could not keep."""
        journal = self._search.journal
        if journal is None or entry is None:
            return None
        stored = journal.get(entry.key)
        if stored is None and journal.read_only and not (entry.around and self._has_inside(journal)):
            raise journal.missing(self.path(span))
        return stored

    def _has_inside(self, journal: Journal) -> bool:
        """Whether calls that were made here are stored in the stead of the one that they were made in."""
        return journal.has_inside(self._search.outermost.problem.id, self.path(self.span))

    def _origin(self, span: Span, entry: Entry) -> Origin:
        """Where the row of a call comes from."""
        model = bool(entry.request) and not entry.around
        return Origin(self._search.outermost.problem.id, self.path(span), span.role, entry.request, entry.asked, model)

    @property
    def _around(self) -> Held | None:
        """What is set aside for the agent in which this call is made, as long as its attempt goes on."""
        held: Held | None = self.threads.held
        return None if self.threads.ended else held

    async def _replay_inside(self, held: Held, inside: Sequence[tuple[Span, Usage, bool]]) -> None:
        """Charge again, one by one, what a stored call contained."""
        for span, worst, below in inside:
            held.count_inside()
            usage, retried, span.usage, span.retried = span.usage, span.retried, NO_USAGE, NO_USAGE
            (held.span if below else self.span).adopt(span)
            await self._set_aside(worst)
            self._charge_retries(span, retried, paid=False)
            self._settle(span, worst, usage, paid=False)
            span.replay()

    def _actual(self, reported: Usage, generations: int) -> Usage:
        r, context = reported, reported.prompt_tokens + reported.generated_tokens
        return Usage(  # not by `replace`, which takes five times as long, and every call comes through here
            generations, r.verifications, r.model_calls, r.prompt_tokens, r.cached_tokens, r.generated_tokens,
            r.estimated_tokens, float(r.usd), float(r.cpu_seconds), max(r.longest_context, context),
        )  # fmt: skip

    async def _timely(self, work: Awaitable[T]) -> T:
        """What `work` comes to, if that is before the deadline."""
        async with self.until_deadline():
            return await work

    @property
    def _limited(self) -> bool:
        """Whether a call may have to wait, or be refused."""
        return self.ledger.bounded or self.deadline is not None

    async def _hold(self, span: Span, worst: Usage) -> None:
        try:
            await self._set_aside(worst)
        except BaseException as error:
            span.fail(error)
            raise

    async def _set_aside(self, worst: Usage) -> None:
        if self.deadline is not None and asyncio.get_running_loop().time() >= self.deadline:
            raise BudgetExhausted("seconds")
        if self.ledger.bounded:
            await self.ledger.hold(cost_of(worst))

    async def afford(self, needed: Usage) -> None:
        await self._set_aside(needed)
        if self.ledger.bounded:
            self.ledger.settle(cost_of(needed), cost_of(NO_USAGE))

    def _settle(self, span: Span, held: Held | Usage, actual: Usage, *, paid: bool) -> None:
        """held: what was set aside, and by whom if it was for a call."""
        if self.ledger.bounded:
            self.ledger.settle(cost_of(held.worst if isinstance(held, Held) else held), cost_of(actual))
        span.usage = actual if span.usage is NO_USAGE else span.usage + actual
        self._search.charge(actual, paid=paid)

    def _charge_retries(self, span: Span, attempt: Usage, *, held: bool = False, paid: bool = True) -> None:
        """Charge attempts that failed before the call ended; `held`: their cost was set aside."""
        if attempt == NO_USAGE:
            return
        if self.ledger.bounded:
            cost = cost_of(attempt)
            self.ledger.settle(cost if held else cost_of(NO_USAGE), cost)
        span.retried += attempt
        self._search.charge(attempt, paid=paid)


def check(usage: Usage, who: str) -> None:
    """Raises `CallError` for amounts below 0, or without end: with those no books are right, and no row can be read."""
    if not _sound(usage):
        raise CallError(f"{who} says that a call used {usage}: amounts are numbers >= 0")


def cost_of_failed(error: CallError) -> Usage:
    """What a failed call says that it cost; one call where it says nothing, or nothing that can be."""
    return error.usage if error.usage is not None and _sound(error.usage) else ONE_CALL


def _sound(u: Usage) -> bool:
    parts = (
        u.generations, u.verifications, u.model_calls, u.prompt_tokens, u.cached_tokens, u.generated_tokens,
        u.estimated_tokens, u.usd, u.cpu_seconds, u.longest_context,
    )  # fmt: skip
    return min(parts) >= 0 and sum(parts) < math.inf


def _loaded(
    journal: Journal, key: bytes, stored: str, value_codec: codec.Codec | None, show: Callable[[Sample[Any]], str]
) -> tuple[Sample[Any], Usage, list[tuple[Span, Usage, bool]], float, str]:
    """A stored call, what failed attempts before it cost, the calls inside, the seconds it took, and what is shown.

    Raises `JournalError`, before anything is charged, for what cannot be read or shown: neither was stored by us.
    """
    try:
        sample, retried, inside, seconds = codec.load_row(stored, value_codec)
        sample, leaves = replace(sample, origin="journal"), load_leaves(inside)
        text = show(sample)
    except Exception as error:  # whatever stands there, or a value's codec makes of it
        raise journal.damaged(key, error) from error
    return sample, retried, leaves, seconds, text


class Timed(Generator[Any, Any, T]):
    """Awaits a coroutine and counts the CPU seconds of its own steps, not of what runs while it is suspended.

    It is its own iterator: a step of a verdict goes through here, and not through a method of the base class first.
    """

    __slots__ = ("_coroutine", "seconds")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self.seconds: float = 0.0

    def __await__(self) -> Timed[T]:
        return self

    def send(self, value: Any) -> Any:
        began = time.thread_time()
        try:
            return self._coroutine.send(value)
        finally:
            self.seconds += time.thread_time() - began

    def __next__(self) -> Any:
        return self.send(None)

    def throw(self, *error: Any) -> Any:
        began = time.thread_time()
        try:
            return self._coroutine.throw(*error)
        finally:
            self.seconds += time.thread_time() - began

    def close(self) -> None:
        self._coroutine.close()
