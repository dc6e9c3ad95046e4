"""Model calls that an agent makes by itself: past our generators, but through the run like all others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from searchkit import codec
from searchkit.calls import CallError
from searchkit.engine import seeds
from searchkit.engine.held import Held
from searchkit.engine.journal import Entry
from searchkit.engine.keys import key_of, shown
from searchkit.engine.ledger import CEILINGS, cost_of
from searchkit.engine.metering import Metered
from searchkit.engine.threads import closing
from searchkit.errors import AttemptEnded, BudgetExhausted, JournalError
from searchkit.trace import Span
from searchkit.types import NO_USAGE, Sample, Usage
from searchkit.wire import estimates

O = TypeVar("O")  # noqa: E741
_GENERATED, _TOTAL = CEILINGS.index("generated_tokens"), CEILINGS.index("total_tokens")
_ANSWERED = ("timeout", "connection", "malformed")
"""Kinds of failure after which the server may have generated all that it was asked for."""

ENDED = (
    "the attempt that this call belongs to has ended: a worker that several attempts share belongs to the one that "
    "started it; start one in each attempt, or give it the Endpoint of the attempt that asks"
)


class Relaying(Metered):
    """The part of a run that an agent's own calls come through."""

    __slots__ = ()

    async def relay(
        self,
        name: str,
        content: str,
        perform: Callable[[int, int | None], Awaitable[Sample[str]]],
        *,
        limit: int | None,
        choices: int = 1,
        describe: Callable[[str], str] = str,
        price: Callable[[int, int], float] | None = None,
        again: bool = False,
    ) -> Sample[str]:
        held = self._around
        if held is None:
            raise AttemptEnded(ENDED)
        digest = key_of(name, content)
        same = held.same(digest)
        if again:
            await same.failure()
        number = same.take()
        span = held.span.add(name, "call", number, "plan")
        span.place = f"{digest.hex()} {number:06}"
        if self._search.feed.on:
            self._search.feed.asked(span, "model", name, request=content)
        place, seed = key_of(digest, number), seeds.seed_of(seeds.derive(self.key, digest.hex(), number, 0))
        entry = Entry(self._attempt_key() + place, codec.digest_of(content), content) if self.journaled else None
        held.asked.add(place)
        held.count_inside()
        known, rest = self._known(held, limit)
        read = estimates.read(content)
        least = Usage(model_calls=1, prompt_tokens=read, generated_tokens=(1 if rest else known or 0) * choices)

        async def made() -> Sample[str]:
            most = self._left(read) // choices if rest else known
            told = most if limit is None else None
            worst = replace(least, generated_tokens=(most or 0) * choices)
            usd = 0.0 if price is None else price(read, worst.generated_tokens)
            own = Held(worst, self.ledger, span, usd=usd)
            return await self._leaf(
                span, own, entry, lambda: _sent(perform(seed, told), own), None,
                lambda sample: _said(sample, describe, told),
            )  # fmt: skip

        try:
            sample = await self._own(held, span, least, made, last=rest)
        except BaseException as error:
            same.land(number, failed=True)
            if isinstance(error, BudgetExhausted):
                held.exhausted = error.ceiling
            if isinstance(error, JournalError):
                held.damaged = error
            raise
        same.land(number, failed=False)
        return sample

    def _known(self, held: Held, limit: int | None) -> tuple[int | None, bool]:
        """The tokens of each choice of a call, if they are known; and whether it is to have what is left of a ceiling.

        `limit`, else under a ceiling on tokens those of the attempt's parameters, else what is left.
        """
        counted = self.ledger.has_ceiling("generated_tokens") or self.ledger.has_ceiling("total_tokens")
        known = held.params.max_tokens if limit is None and counted and held.params is not None else limit
        return known, counted and known is None

    def _left(self, read: int) -> int:
        """The tokens that may still be generated here after `read` were read."""
        free = self.ledger.free()
        return int(min(free[_GENERATED], free[_TOTAL] - read))

    async def _own(
        self, held: Held, span: Span, least: Usage, make: Callable[[], Awaitable[O]], *, last: bool = False
    ) -> O:
        """A call that an agent makes by itself, which ends with its attempt.

        What is cancelled with the attempt is the call, never the task that makes it, which may serve others.
        """
        call = asyncio.create_task(self._in_turn(held, span, least, make, last=last))
        self.threads.searches.tasks.add(call)
        call.add_done_callback(self.threads.searches.tasks.discard)
        try:
            return await call
        except asyncio.CancelledError as error:
            if span.status == "open":  # cancelled before it began
                span.fail(error)
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # whoever asked gave it up
                raise
            raise AttemptEnded(ENDED) from None

    async def _in_turn(
        self, held: Held, span: Span, least: Usage, make: Callable[[], Awaitable[O]], *, last: bool
    ) -> O:
        """The call, once it is its turn.

        An attempt draws on one share, whose leftovers only one call at a time may wait for. So each waits until `least`
        can be paid for: first for the attempt's calls under way, then for what siblings leave over. last: it waits for
        all that are under way.
        """
        searches = self.threads.searches
        try:
            if self.ledger.bounded:
                async with searches.turn:
                    while searches.flying and (last or not self.ledger.affords(cost_of(least))):
                        await searches.landing()
                    await self.afford(least)
            searches.flying += 1  # nothing is awaited between this and the hold
            try:
                return await make()
            finally:
                searches.flying -= 1
                searches.landed.set()
        except BaseException as error:
            if span.status == "open":
                span.fail(error)
            if isinstance(error, BudgetExhausted):
                held.whole = False
            raise

    # ---------------------------------------------------------------- the attempt

    async def attempted(self, held: Held, work: Awaitable[Sample[Any]]) -> Sample[Any]:
        """What an agent returns, counted as a call of its own only if it made none that was seen."""
        made, recorded = self._calls, self._recorded()
        try:
            sample = await closing(self, work)
            if held.damaged is not None:  # whatever its agent made of that
                raise held.damaged
        except CallError as error:
            if held.damaged is not None:
                raise held.damaged from error
            self._compare(held, recorded)
            if held.exhausted:
                raise BudgetExhausted(held.exhausted) from error
            raise
        self._compare(held, recorded)
        if held.exhausted:
            self.note_failure(BudgetExhausted(held.exhausted))
        if self._calls != made:
            held.whole = False
        if not held.alone:
            return replace(sample, usage=NO_USAGE)
        return sample if sample.usage.model_calls else replace(sample, usage=replace(sample.usage, model_calls=1))

    def _ended(self, name: str, held: Held, error: BaseException | None) -> None:
        """Note whether calls of the agent `name` were seen in an attempt that ended by itself, or by an error."""
        if not held.alone and (error is None or isinstance(error, Exception)):
            self._search.seen.add(name)
        told = isinstance(error, CallError) and error.usage is not None  # the agent knows what it cost
        if held.alone and error is not None and not told:
            self._search.silent.append((name, held.span))

    def _attempt_key(self) -> bytes:
        """What the keys of all calls begin with that an agent makes here by itself."""
        return key_of("relay", self.key)

    def _recorded(self) -> set[bytes]:
        """The places of the calls that were answered here before, as far as a journal has them."""
        journal = self._search.journal
        return set() if journal is None else journal.below(self._attempt_key())

    def _compare(self, held: Held, recorded: set[bytes]) -> None:
        """Note an attempt that did not ask all that it had asked before, unless it was not let."""
        if not recorded <= held.asked and not held.exhausted:
            self._search.diverged.append(self.order)


async def _sent(call: Awaitable[Sample[str]], held: Held) -> Sample[str]:
    """What a call comes to. Where nobody knows what it cost, it cost the worst."""
    try:
        return await call
    except CallError as error:
        if error.usage is None and error.kind in _ANSWERED:
            error.usage = held.lost
        raise


def _said(sample: Sample[str], describe: Callable[[str], str], told: int | None) -> str:
    """What of an answer stands in the trace."""
    said = shown(replace(sample, value=describe(sample.value)))
    return said if told is None else f"(max_tokens={told} of the budget) {said}"
