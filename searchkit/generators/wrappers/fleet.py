"""Which of several endpoints the next call goes to: the choice behind `Balanced`, without any I/O."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from searchkit.calls import CallError
from searchkit.generators.wrappers.circuit import Circuit
from searchkit.generators.wrappers.minute import LATE, MINUTE, Entry, Minute
from searchkit.types import Prompt, Text

SLACK = 16
"""How many more calls than the least loaded endpoint one may have in flight and still be given its problems' calls."""
KNOWN = 65536
"""Problems whose endpoint is remembered."""
_DEAD = frozenset({"connection", "server", "timeout", "malformed", "auth", "quota"})
_AT_FAULT = _DEAD | {"rate_limit"}  # other kinds are the request's own fault, and would fail everywhere


@dataclass(slots=True, eq=False)
class Endpoint:
    """One endpoint as the others' rival. flying: calls that are with it; sent: all so far."""

    number: int
    circuit: Circuit
    requests: Minute | None
    tokens: Minute | None
    flying: int = 0
    sent: int = 0

    def wait(self, tokens: float, now: float) -> float:
        """Seconds until its minute has room for a call of so many tokens."""
        waits = [0.0]
        if self.requests is not None:
            waits.append(self.requests.wait(1, now))
        if self.tokens is not None:
            waits.append(self.tokens.wait(tokens, now))
        return max(waits)


@dataclass(slots=True)
class Flight:
    """A call that is with an endpoint."""

    endpoint: Endpoint
    turn: int
    request: Entry | None
    tokens: Entry | None


class Fleet:
    """The endpoints of one `Balanced`, for all event loops of the process."""

    def __init__(self, requests: Sequence[int | None], tokens: Sequence[int | None]) -> None:
        self._limits = requests, tokens
        self._homes: OrderedDict[bytes, Endpoint] = OrderedDict()  # of problems; the last used at the end
        self._lock = threading.RLock()
        self.why: str = ""  # the last failure of an endpoint
        self.endpoints: list[Endpoint] = [
            Endpoint(n, Circuit(), None if r is None else Minute(r), None if t is None else Minute(t))
            for n, (r, t) in enumerate(zip(requests, tokens, strict=True))
        ]

    def __reduce__(self) -> tuple[type[Fleet], tuple[Sequence[int | None], Sequence[int | None]]]:
        return Fleet, self._limits

    def begin(self, problem: bytes, tokens: float, tried: Collection[int], now: float) -> Flight | float:
        """A call on its way to the endpoint that suits it best, of those not `tried`.

        Else, in how many seconds one may have room; negative, in how many one that rests may be asked again.
        """
        with self._lock:
            ready = [e for e in self.endpoints if e.number not in tried and e.circuit.lets(now)]
            if not ready:
                rests = [e.circuit.wait(now) for e in self.endpoints if e.number not in tried]
                return -max(min(rests, default=0.0), 0.001)
            waits = [e.wait(tokens, now) for e in ready]
            free = [e for e, wait in zip(ready, waits, strict=True) if wait == 0]
            return self._take(self._chosen(problem, free), tokens, now) if free else min(waits)

    def _chosen(self, problem: bytes, free: Sequence[Endpoint]) -> Endpoint:
        """The one that knows the problem, unless others have much less to do; else the one that has least to do."""
        least = min(free, key=lambda e: (e.flying, e.sent))
        home = self._homes.get(problem)
        if home is not None and home.circuit.closed:
            self._homes.move_to_end(problem)  # also where it has no room now: its cache is warm
            return home if home in free and home.flying - least.flying <= SLACK else least
        self._homes[problem] = least
        if len(self._homes) > KNOWN:
            self._homes.popitem(last=False)
        return least

    def _take(self, endpoint: Endpoint, tokens: float, now: float) -> Flight:
        endpoint.flying += 1
        endpoint.sent += 1
        request = None if endpoint.requests is None else endpoint.requests.begin(1, now + LATE)
        made = None if endpoint.tokens is None else endpoint.tokens.begin(tokens, math.inf)
        return Flight(endpoint, endpoint.circuit.begin(), request, made)

    def end(self, flight: Flight, error: CallError | None, tokens: float | None, now: float) -> None:
        """A call has ended. error: how; tokens: what it read and wrote, None where nobody knows."""
        with self._lock:
            endpoint = flight.endpoint
            endpoint.flying -= 1
            if endpoint.requests is not None and flight.request is not None:
                endpoint.requests.end(flight.request, 1, now)
            if endpoint.tokens is not None and flight.tokens is not None:
                endpoint.tokens.end(flight.tokens, flight.tokens.amount if tokens is None else tokens, now)
            if error is not None and elsewhere(error):
                self.why = str(error)
                endpoint.circuit.ask(min(error.retry_after or 0.0, MINUTE), now)
            endpoint.circuit.end(flight.turn, _says(error, tokens), now, surely=error is not None and error.lasting)


def _says(error: CallError | None, tokens: float | None) -> bool | None:
    """What the end of a call says of its endpoint: that it works, that it does not, or nothing."""
    if error is None:
        return None if tokens is None else True  # cancelled
    return False if error.kind in _DEAD or error.lasting else None


def elsewhere(error: CallError) -> bool:
    """Whether another endpoint may answer what failed so."""
    return error.kind in _AT_FAULT or error.lasting


def problem_of(prompt: Prompt) -> bytes:
    """What names the problem of a prompt: its tools and its messages up to the first that a user says.

    Samples, steps and turns of one problem begin so alike, and an endpoint's prefix cache knows them by that.
    """
    found = blake2b("\0".join(prompt.tools).encode("utf-8", "surrogatepass"), digest_size=16)
    for message in prompt.messages:
        parts = [part.text if isinstance(part, Text) else part.url for part in message.parts]
        found.update("\0".join((message.role, *parts)).encode("utf-8", "surrogatepass"))
        if message.role == "user":
            break
    return found.digest()
