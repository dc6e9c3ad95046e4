"""Another attempt for calls that failed by accident."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators.in_order import each
from searchkit.protocols import Backend
from searchkit.types import Sample


@dataclass(frozen=True)
class Retrying:
    """A `Backend` that repeats calls which failed with a transient error (`CallError.transient`).

    attempts: calls for one request at most, >= 1. The wait before attempt k + 1 is drawn between a half and the whole
    of ``min(cap, base * 2 ** (k - 1))`` seconds, from the request's seed, and is not shorter than the server asked for;
    a server that asks for more than `patience` seconds is not asked again. Every further attempt is first asked for
    with `Request.retry`, which charges the failed one and knows whether another is affordable. An error that remains
    carries the request and the number of attempts; its usage is the last attempt's alone.
    """

    backend: Backend
    attempts: int = 5
    base: float = 0.5
    cap: float = 30.0
    patience: float = 120.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigError(f"attempts must be >= 1, got {self.attempts}")
        if not 0 <= self.base <= self.cap:
            raise ConfigError(f"base and cap must be seconds with 0 <= base <= cap, got {self.base} and {self.cap}")

    @property
    def name(self) -> str:
        return self.backend.name

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """The first attempts go out together, as one list; repeated ones one by one."""
        entries = await self.backend.complete(requests)
        return await each(self._settle, list(zip(requests, entries, strict=True)))

    async def _settle(self, pair: tuple[Request, Sample[str] | CallError]) -> Sample[str] | CallError:
        request, entry = pair
        made = 1
        while isinstance(entry, CallError):
            entry.request, entry.attempts = request, made
            wait = self.wait(request, made, entry.retry_after)
            if not entry.transient or made == self.attempts or wait is None or not request.retry(entry):
                break
            request.waiting(True)
            await asyncio.sleep(wait)
            request.waiting(False)
            [entry] = await self.backend.complete([request])
            made += 1
        return entry

    def wait(self, request: Request, made: int, retry_after: float | None) -> float | None:
        """Seconds before the next attempt when `made` have failed; None: longer than our patience."""
        if retry_after is not None and retry_after > self.patience:
            return None
        share = random.Random(f"{request.seed}/{request.index}/{made}").uniform(0.5, 1.0)
        # The exponent stops where the cap is reached for any sensible base: 2.0 ** 1100 would overflow.
        return max(share * min(self.cap, self.base * 2.0 ** min(made - 1, 64)), retry_after or 0.0)
