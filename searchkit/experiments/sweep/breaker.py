"""A sweep ends, with the reason, where one search after another fails alike: a dead server is no accuracy of 0.0 %."""

from __future__ import annotations

import re
from collections.abc import Sequence

from searchkit.errors import SearchkitError
from searchkit.experiments.sweep.rows import Finished, Key, Log
from searchkit.experiments.sweep.silent import ABSENT

ALIKE = 20  # searches in a row
_VARIES = re.compile(r"0x[0-9a-f]+|[0-9]+(?:\.[0-9]+)?|'[^']{0,80}'")  # numbers, addresses and names in an error


class SweepFailed(SearchkitError):
    """So many searches in a row failed alike that the next ones would, too. None of them is kept as a result."""


class Breaker:
    """Appends to a log, and ends the sweep where `ALIKE` searches in a row ended in the same error.

    So ends a search none of whose new calls was answered, though it has an answer among what was sampled before: its
    row would say that more samples do not help. One that made no call says nothing.

    They are in a row as they began: failures are quick, and would come before what began earlier and goes well. What
    differs between two errors of a kind (numbers, names in quotes) does not count. The rows of these searches are taken
    off the log again: the same sweep, run again, makes them anew.
    """

    def __init__(self, log: Log) -> None:
        self._log, self._begun = log, 0
        self._failed: dict[int, tuple[str, Key]] = {}  # by the number of the search
        self._idle: set[int] = set()  # searches that asked nobody
        self._ended: tuple[str, str] | None = None  # the kind of failure that ended it, and what is said of it

    def begin(self) -> int:
        """The number of a search that begins now, for `append`."""
        self._begun += 1
        return self._begun

    def append(self, number: int, finished: Finished) -> None:
        """Add the row of that search to the log. Raises `SweepFailed`."""
        kind = _VARIES.sub("", _failure(finished))
        if self._ended is not None and kind == self._ended[0]:  # it was in flight when the sweep ended
            raise SweepFailed(self._ended[1])
        self._log.append(finished)
        self._count(number, finished)

    def extend(self, found: Sequence[Finished]) -> None:
        """Add rows that are of one piece: killed, all of them are there, or none. Raises `SweepFailed`."""
        self._log.append(*found)
        for finished in found:
            self._count(self.begin(), finished)

    def _count(self, number: int, finished: Finished) -> None:
        error = _failure(finished)
        kind = _VARIES.sub("", error)
        if not error and finished.served is None:
            self._idle.add(number)
        if not kind or ABSENT in error:  # what a journal lacks says nothing of a server
            return
        self._failed[number] = kind, finished.row.key
        first, last = number, number
        while self._is(first - 1, kind) or first - 1 in self._idle:
            first -= 1
        while self._is(last + 1, kind) or last + 1 in self._idle:
            last += 1
        if (many := sum(self._is(i, kind) for i in range(first, last + 1))) >= ALIKE:
            alike = f"{many} searches in a row failed alike, so the sweep has ended: {error}"
            self._ended = kind, f"{alike}; none of them is kept: mend that and run the same sweep again"
            self._log.drop({key for i, (of, key) in self._failed.items() if of == kind and i >= first})
            raise SweepFailed(self._ended[1])

    def _is(self, number: int, kind: str) -> bool:
        return number in self._failed and self._failed[number][0] == kind


def _failure(finished: Finished) -> str:
    return finished.row.error or finished.served or ""
