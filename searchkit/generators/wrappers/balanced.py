"""One model behind several endpoints."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.forms import takes_form
from searchkit.generators.in_order import each
from searchkit.generators.wrappers.fleet import Fleet, Flight, elsewhere, problem_of
from searchkit.kinds import innermost, is_whole, told
from searchkit.mistakes import check_backend, listed
from searchkit.protocols import Backend
from searchkit.types import Sample, Usage
from searchkit.wire import estimates

LOOK = 0.05
"""Seconds after which a minute that is full is looked at again, where it depends on calls that go on."""
_PER_MESSAGE = 16  # tokens that a server's chat template may put around a message


class _Turns:
    """Whose turn it is to wait for room, by event loop: first come, first served."""

    def __init__(self) -> None:
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[type[_Turns], tuple[()]]:
        return _Turns, ()

    @property
    def here(self) -> asyncio.Lock:
        return self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


@dataclass(frozen=True)
class Balanced:
    """A `Backend` of several endpoints that serve one model, so that any of them may be asked.

    - endpoints: backends of the same name, such as ``Limited(OpenAI(url, model))`` for each server.
    - requests: each endpoint is sent at most so many in any minute, by its own clock. One number for all, or a list.
    - tokens: each reads and writes at most so many in any minute; likewise. Needs `Params(max_tokens=...)`.

    A problem's calls go to one endpoint, which has its prompt in its prefix cache; a new problem, and what would make
    an endpoint much busier than another, to the least loaded one. A call that failed by no fault of its own is asked of
    the next endpoint at once, after `Request.retry` was asked; an endpoint that fails three times in a row, or cannot
    be reached, is left alone for half a second, and for longer each time that a single call finds it so. Where all are
    left alone, a call fails at once, with a `retry_after`: put `Retrying` around this, as around any backend. What
    waits for a minute to pass waits as long as it takes. Samples do not depend on the endpoint as far as equal models
    with equal seeds write alike.

    Raises `ConfigError` for endpoints of different names. Cost: that of the endpoints; 10 us a call, 40 with limits.

    >>> from searchkit import Model, solve_sync
    >>> from searchkit.generators import Balanced, OpenAI, Retrying
    >>> from searchkit.strategies import SelfConsistency
    >>> from searchkit.testing.server import Server
    >>> with Server(reply=lambda *_: "4") as one, Server(reply=lambda *_: "4") as two:
    ...     endpoints = [OpenAI(server.url, "test-model") for server in (one, two)]
    ...     model = Model(Retrying(Balanced(endpoints, requests=60)))
    ...     answers = [solve_sync(f"{n} - {n} + 4?", SelfConsistency(2), generator=model).answer for n in range(4)]
    >>> answers, len(one.requests), len(two.requests)
    (['4', '4', '4', '4'], 4, 4)
    """

    endpoints: Sequence[Backend]
    _: KW_ONLY
    requests: int | Sequence[int | None] | None = None
    tokens: int | Sequence[int | None] | None = None
    _fleet: Fleet = field(init=False, repr=False, compare=False)
    _turns: _Turns = field(default_factory=_Turns, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        endpoints = listed("endpoints", self.endpoints, "[OpenAI(url, model), OpenAI(another, model)]")
        for endpoint in endpoints:
            check_backend("Balanced", endpoint)
        if not endpoints:
            raise ConfigError("Balanced needs endpoints: [OpenAI(url, model), OpenAI(another, model)]")
        names = sorted({endpoint.name for endpoint in endpoints})
        if len(names) > 1:
            raise ConfigError(
                f"endpoints must serve one model, by one name, since journals and caches go by it; these are "
                f"{told(', '.join(names))}"
            )
        object.__setattr__(self, "endpoints", endpoints)
        limits = (_limits(name, getattr(self, name), len(endpoints)) for name in ("requests", "tokens"))
        object.__setattr__(self, "_fleet", Fleet(*limits))

    @property
    def name(self) -> str:
        return self.endpoints[0].name

    @property
    def ends_at_floor(self) -> bool:
        """Whether all endpoints end a text at a `ConfidenceFloor`."""
        return all(getattr(innermost(endpoint), "ends_at_floor", False) for endpoint in self.endpoints)

    @property
    def takes_form(self) -> bool:
        """Whether all endpoints can be told what an answer must be like."""
        return all(takes_form(endpoint) for endpoint in self.endpoints)

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """A list is sent one request at a time, each to the endpoint that suits it."""
        return await each(self._one, requests)

    async def _one(self, request: Request) -> Sample[str] | CallError:
        problem, most = problem_of(request.prompt), self._most(request)
        if isinstance(most, CallError):
            return most
        tried, entry = set[int](), None
        while len(tried) < len(self.endpoints):
            flight = await self._begin(request, problem, most, tried)
            if not isinstance(flight, Flight):
                return self._resting(request, entry, -flight)
            if entry is not None and not request.retry(entry):
                self._fleet.end(flight, None, None, time.monotonic())
                return entry
            tried.add(flight.endpoint.number)
            found = await self._ask(flight, request)
            if not isinstance(found, CallError):
                return found
            entry = found
            entry.request, entry.attempts = request, len(tried)
            if not elsewhere(entry):
                break
        assert entry is not None
        return entry

    async def _begin(self, request: Request, problem: bytes, most: float, tried: set[int]) -> Flight | float:
        """A call on its way, once a minute has room for it; or, negative, in how many seconds it may be asked for."""
        turn = self._turns.here
        if not turn.locked():
            found = self._fleet.begin(problem, most, tried, time.monotonic())
            if isinstance(found, Flight) or found < 0:
                return found
        request.waiting(True)
        async with turn:
            while True:
                found = self._fleet.begin(problem, most, tried, time.monotonic())
                if isinstance(found, Flight) or found < 0:
                    request.waiting(False)
                    return found
                await asyncio.sleep(LOOK if found == math.inf else min(found, 1.0))

    async def _ask(self, flight: Flight, request: Request) -> Sample[str] | CallError:
        error, tokens = None, None
        try:
            [entry] = await self.endpoints[flight.endpoint.number].complete([request])
            if isinstance(entry, CallError):
                error = entry
                tokens = 0 if entry.lasting or entry.kind == "rate_limit" else None
            else:
                tokens = entry.usage.total_tokens
            return entry
        finally:
            self._fleet.end(flight, error, tokens, time.monotonic())

    def _most(self, request: Request) -> float | CallError:
        """The tokens that a call may read and write; an error if that is more than any endpoint's minute has."""
        if self.tokens is None:
            return 0.0
        prompt, written = request.prompt, request.params.max_tokens
        if written is None:
            raise ConfigError("Balanced(tokens=...) needs Params(max_tokens=...): without it no call has a worst case")
        read = estimates.written("\n".join((*prompt.tools, prompt.text, prompt.prefix)))
        most = read + _PER_MESSAGE * (1 + len(prompt.messages)) + written
        if all(e.tokens is not None and most > e.tokens.limit for e in self._fleet.endpoints):
            return CallError(
                f"this call may read and write {most} tokens, more than an endpoint may in a minute: raise "
                "Balanced(tokens=...), or lower Params(max_tokens=...)",
                kind="bad_request", request=request, usage=Usage(),
            )  # fmt: skip
        return most

    def _resting(self, request: Request, entry: CallError | None, seconds: float) -> CallError:
        """What is said where all endpoints that were not tried are left alone; `entry`: how one that was tried failed.

        It is worth asking again: they may work by then.
        """
        why = self._fleet.why if entry is None else str(entry)
        return CallError(
            f"no endpoint of {self.name} is free: those that failed are left alone for now. The last said: {why}",
            kind="connection" if entry is None else entry.kind,
            request=request,
            usage=Usage() if entry is None else entry.usage,
            attempts=1 if entry is None else entry.attempts,
            retry_after=max(seconds, 0.0 if entry is None else entry.retry_after or 0.0),
        )


def _limits(name: str, given: Any, count: int) -> list[int | None]:
    """What each endpoint may do in a minute. Raises `ConfigError`."""
    limits = [*given] if isinstance(given, Sequence) and not isinstance(given, str) else [given] * count
    if len(limits) != count:
        raise ConfigError(
            f"Balanced({name}=...) is one number, or one for each of {count} endpoints, got {told(given)}"
        )
    for limit in limits:
        if limit is not None and (not is_whole(limit) or limit < 1):
            raise ConfigError(f"Balanced({name}=...) needs whole numbers >= 1 a minute, got {told(limit)}")
    return limits
