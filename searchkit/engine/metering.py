"""Metering: how one call is held, replayed or performed, charged exactly once, and stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import Any

from searchkit import codec
from searchkit.engine.candidates import Search
from searchkit.engine.ledger import Ledger, cost_of
from searchkit.errors import BudgetExhausted, CallError
from searchkit.leaf import Deadline, shown
from searchkit.trace import Span
from searchkit.types import Sample, Usage

NO_USAGE, ONE_CALL = Usage(), Usage(model_calls=1)


class Metered:
    """The part of a `Run` that touches the ledger, the journal and the deadline."""

    __slots__ = ()
    _search: Search
    _calls: int
    ledger: Ledger
    deadline: float | None

    async def _leaf(
        self,
        span: Span,
        worst: Usage,
        key: bytes | None,
        perform: Callable[[], Awaitable[Sample[Any]]],
        value_codec: codec.Codec | None,
    ) -> Sample[Any]:
        """Hold the worst case; replay or perform; charge the truth, exactly once whatever happens."""
        journal, made = self._search.journal, self._calls
        await self._hold(span, worst)
        actual: Usage | None = None
        try:
            stored = journal.get(key) if journal is not None and key is not None else None
            if stored is not None:
                found, retried = codec.load_row(stored, value_codec)
                sample = replace(found, origin="journal")
                actual = self._actual(sample.usage, worst)
                self._charge_retries(span, retried, paid=False)
            else:
                async with self._until_deadline():
                    sample = await perform()
                actual = self._actual(sample.usage, worst)
                if journal is not None and key is not None and self._calls == made:
                    await journal.put(key, codec.dump_row(sample, span.retried, value_codec))
            span.text = shown(sample)
        except BaseException as error:
            if isinstance(error, CallError):
                actual = self._actual(error.usage or ONE_CALL, worst)
            elif span.waiting:
                actual = NO_USAGE  # cancelled before anything was sent
            elif actual is None:  # nobody knows
                actual = replace(worst, estimated_tokens=worst.generated_tokens)
            span.fail(error)
            self._settle(span, worst, actual, paid=True)
            raise
        span.replayed = sample.origin != "model"
        span.end("ok")
        self._settle(span, worst, actual, paid=sample.origin == "model")
        return sample

    def _actual(self, reported: Usage, worst: Usage) -> Usage:
        r, context = reported, reported.prompt_tokens + reported.generated_tokens
        return Usage(  # not by `replace`, which takes five times as long, and every call comes through here
            worst.generations, r.verifications, r.model_calls, r.prompt_tokens, r.cached_tokens, r.generated_tokens,
            r.estimated_tokens, r.usd, r.cpu_seconds, max(r.longest_context, context),
        )  # fmt: skip

    async def _hold(self, span: Span, worst: Usage) -> None:
        try:
            if self.deadline is not None and asyncio.get_running_loop().time() >= self.deadline:
                raise BudgetExhausted("seconds")
            if self.ledger.bounded:
                await self.ledger.hold(cost_of(worst))
        except BaseException as error:
            span.fail(error)
            raise

    def _settle(self, span: Span, worst: Usage, actual: Usage, *, paid: bool) -> None:
        if self.ledger.bounded:
            self.ledger.settle(cost_of(worst), cost_of(actual))
        span.usage += actual
        self._charge(actual, paid=paid)
        if self._search.listen is not None:
            self._search.listen(span)

    def _charge(self, actual: Usage, *, paid: bool) -> None:
        """Add to the totals of the search."""
        self._search.usage += actual
        if paid:
            self._search.paid += actual

    def _charge_retries(self, span: Span, attempt: Usage, *, held: bool = False, paid: bool = True) -> None:
        """Charge attempts that failed before the call ended; `held`: their cost was set aside."""
        if attempt == NO_USAGE:
            return
        if self.ledger.bounded:
            cost = cost_of(attempt)
            self.ledger.settle(cost if held else cost_of(NO_USAGE), cost)
        span.retried += attempt
        self._charge(attempt, paid=paid)

    def _until_deadline(self) -> AbstractAsyncContextManager[Any]:
        return nullcontext() if self.deadline is None else Deadline(self.deadline)
