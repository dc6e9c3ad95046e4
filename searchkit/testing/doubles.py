"""Backends for tests: scripted answers, shuffled latencies, exact counts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from searchkit.calls import CallError, Request
from searchkit.protocols import Backend
from searchkit.types import Sample, Usage


@dataclass(frozen=True)
class Scripted:
    """Answers with `reply(request)`; an exception it raises is the call's failure. Words count as tokens."""

    reply: Callable[[Request], str]
    name: str = "scripted"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Sample[str] | CallError:
        used = Usage(model_calls=1, prompt_tokens=len(request.prompt.text.split()))
        try:
            text = self.reply(request)
        except CallError as error:
            return error
        words, most = text.split(), request.params.max_tokens
        cut = most is not None and len(words) > most
        made = most if cut and most is not None else len(words)
        usage = Usage(model_calls=1, prompt_tokens=used.prompt_tokens, generated_tokens=made)
        return Sample(" ".join(words[:most]) if cut else text, finish="length" if cut else "stop", usage=usage)


@dataclass(frozen=True)
class Shuffled:
    """`backend` with random latencies: calls finish in an order that depends on `order` alone."""

    backend: Backend
    order: int = 0
    most: float = 0.003

    @property
    def name(self) -> str:
        return self.backend.name

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        await asyncio.sleep(random.Random(f"{self.order}/{requests[0].seed}").uniform(0, self.most))
        return await self.backend.complete(requests)


@dataclass
class Counting:
    """`backend` with counts: requests that reached it, how many are in flight, and their seeds in order of arrival."""

    backend: Backend
    calls: int = 0
    in_flight: int = 0
    seeds: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.backend.name

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        self.calls += len(requests)
        self.in_flight += len(requests)
        self.seeds += [request.seed for request in requests]
        try:
            return await self.backend.complete(requests)
        finally:
            self.in_flight -= len(requests)
