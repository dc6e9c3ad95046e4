"""What an endpoint may be asked in a minute, kept on the endpoint's clock."""

from __future__ import annotations

import math
from collections import deque

MINUTE = 60.0
LATE = 2.0
"""Seconds that a request may be on its way: it is counted as of then, or as of its answer, if that is earlier."""


class Entry:
    """An amount, and when it counts as of; inf while that is not known."""

    __slots__ = ("amount", "at")

    def __init__(self, amount: float, at: float) -> None:
        self.amount, self.at = amount, at


class Minute:
    """At most `limit` in any 60 seconds. Pure: `now` is whatever clock its owner reads, in seconds.

    A server counts when a request arrives, which is between its start and its end here. So what was begun counts for a
    minute after the latest moment at which it can have arrived, and no minute of the server's sees more than the limit.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._entries = deque[Entry]()
        self._sum = 0.0

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` may begin, 0 for now; inf where it depends on what ends."""
        self._forget(now)
        rest = self._sum + amount - self.limit
        if rest <= 0:
            return 0.0
        for entry in self._entries:
            rest -= entry.amount
            if rest <= 0:
                return max(entry.at + MINUTE - now, 0.0)
        return math.inf

    def begin(self, amount: float, at: float) -> Entry:
        """Count `amount` as of `at`, or, if that is inf, until it ends and a minute longer."""
        entry = Entry(amount, at)
        self._sum += amount
        if at < math.inf:
            self._entries.append(entry)
        return entry

    def end(self, entry: Entry, amount: float, now: float) -> None:
        """It has ended, and was `amount`."""
        if entry.at == math.inf:
            self._sum += amount - entry.amount
            entry.amount, entry.at = amount, now
            self._entries.append(entry)
        else:
            entry.at = min(entry.at, now)

    def _forget(self, now: float) -> None:
        while self._entries and self._entries[0].at + MINUTE <= now:
            self._sum -= self._entries.popleft().amount
