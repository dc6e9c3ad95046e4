"""A circuit breaker: an endpoint that fails is left alone for a while, and then tried with a single call."""

from __future__ import annotations

FAILURES = 3
"""Failures in a row after which an endpoint is left alone."""
REST = 0.5
"""Seconds for which it is, at first; twice as many each time that the call which tries it fails."""
LONGEST = 30.0
"""Seconds for which it is at most."""


class Circuit:
    """Whether calls may go to one endpoint. Pure: `now` is whatever clock its owner reads, in seconds."""

    def __init__(self) -> None:
        self._failures = self._turn = 0
        self._rest, self._until, self._asked = REST, 0.0, 0.0
        self._trying = False

    @property
    def closed(self) -> bool:
        """Whether the endpoint is taken to work."""
        return self._failures < FAILURES

    def lets(self, now: float) -> bool:
        """Whether a call may begin."""
        return self.wait(now) <= 0 and (self.closed or not self._trying)

    def wait(self, now: float) -> float:
        """Seconds until it does, as far as that is known; 0 or less for none."""
        return max(self._asked, 0.0 if self.closed else self._until) - now

    def begin(self) -> int:
        """A call begins. Returns what `end` is to be given."""
        self._trying = not self.closed
        return self._turn

    def end(self, turn: int, good: bool | None, now: float, *, surely: bool = False) -> None:
        """A call has ended. good: what it says of the endpoint; None for nothing. surely: one failure is enough.

        Calls that began before the circuit opened or closed say nothing of what it is now.
        """
        if turn != self._turn:
            return
        tried, self._trying = self._trying, False
        if good and not (tried or self._failures):
            return
        if good:
            self._turn += tried
            self._failures, self._rest = 0, REST
        elif good is False:
            self._failures = FAILURES if surely else self._failures + 1
            if not self.closed:
                self._turn += 1
                self._until, self._rest = now + self._rest, min(LONGEST, 2 * self._rest)

    def ask(self, seconds: float, now: float) -> None:
        """The endpoint asked to be left alone for so long."""
        self._asked = max(self._asked, now + seconds)
