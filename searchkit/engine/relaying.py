"""Model calls that an agent makes by itself: past our generators, but through the run like all others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from searchkit.calls import CallError
from searchkit.engine import seeds
from searchkit.engine.held import Held
from searchkit.engine.keys import key_of
from searchkit.engine.ledger import CEILINGS
from searchkit.engine.metering import NO_USAGE, Metered
from searchkit.engine.spawning import closing
from searchkit.errors import AttemptEnded, BudgetExhausted
from searchkit.types import Sample, Usage

_GENERATED, _TOTAL = CEILINGS.index("generated_tokens"), CEILINGS.index("total_tokens")


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
    ) -> Sample[str]:
        held, threads = self._around, self.threads
        if held is None or threads.ended:
            raise AttemptEnded("the attempt that this call belongs to has ended")
        digest = key_of(name, content)
        number = held.number(digest)
        span = held.span.add(name, "call", number, "plan")
        span.place = f"{digest.hex()} {number:06}"
        row = key_of("relay", digest, number, self.key)
        task = asyncio.current_task()
        threads.searches.tasks.add(task)
        try:
            most = limit if limit is not None else self._most(held, len(content) // 4, choices)
            worst = Usage(model_calls=1, prompt_tokens=len(content) // 4, generated_tokens=(most or 0) * choices)
            held.count_inside()
            seed = seeds.seed_of(seeds.derive(self.key, digest.hex(), number, 0))
            key = row if self._search.journal is not None else None
            told = most if limit is None else None
            sample = await self._leaf(span, Held(worst, self.ledger, span), key, lambda: perform(seed, told), None)
        except BaseException as error:
            held.failed(digest, number)
            if isinstance(error, BudgetExhausted):
                held.exhausted = error.ceiling
            raise
        finally:
            threads.searches.tasks.discard(task)
        span.text = describe(sample.value)[:400]
        if told is not None:
            span.text = f"(max_tokens={told} of the budget) {span.text}"
        await self._record(held, row.hex(), replayed=span.replayed)
        return sample

    def _most(self, held: Held, read: int, choices: int) -> int | None:
        """The generated tokens of a call that names no limit: those of the attempt's parameters, else what is left.

        None where no ceiling is on tokens. Raises `BudgetExhausted` where nothing is left.
        """
        if not (self.ledger.has_ceiling("generated_tokens") or self.ledger.has_ceiling("total_tokens")):
            return None
        if held.params is not None and held.params.max_tokens is not None:
            return held.params.max_tokens
        free = self.ledger.free()
        most = int(min(free[_GENERATED], free[_TOTAL] - read) // choices)
        if most < 1:
            raise BudgetExhausted("generated_tokens" if free[_GENERATED] < choices else "total_tokens")
        return most

    # ---------------------------------------------------------------- the attempt

    async def attempted(self, held: Held, work: Awaitable[Sample[Any]]) -> Sample[Any]:
        """What an agent returns, counted as a call of its own only if it made none that was seen."""
        recorded = self._recorded()
        try:
            sample = await closing(self, work)
        except CallError as error:
            if held.exhausted:
                raise BudgetExhausted(held.exhausted) from error
            raise
        finally:
            if not recorded <= held.asked and not held.exhausted:
                self._search.note_divergence()
        if held.exhausted:
            self.note_failure(BudgetExhausted(held.exhausted))
        if held.counts_itself and not held.over and not sample.usage.model_calls:
            return replace(sample, usage=replace(sample.usage, model_calls=1))
        return sample if held.counts_itself else replace(sample, usage=NO_USAGE)

    def _recorded(self) -> set[str]:
        """The keys of the calls that an earlier process made here, as far as a journal has them."""
        found: set[str] = set()
        if (journal := self._search.journal) is not None:
            while (known := journal.get(key_of("asked", self.key, len(found)))) is not None:
                found.add(known)
        return found

    async def _record(self, held: Held, row: str, *, replayed: bool) -> None:
        """Write down that a call was made here, after those that were."""
        held.asked.add(row)
        if (journal := self._search.journal) is not None and not replayed:
            await journal.put(key_of("asked", self.key, len(self._recorded())), row)
