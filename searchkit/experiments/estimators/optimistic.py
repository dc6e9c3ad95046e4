"""A pool in which everything that is unknown turns out right: what bounds an estimate from above.

The estimators count what is unknown as not right. Had it been right, a vote would have counted it for the right answer,
and a choice by score would have preferred it; so it is given the key and the score that such a sample would have. The
estimate itself is no bound from below where a method chooses: read, the sample might have outvoted the right answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.experiments.entry import Entry, Sampled


@dataclass(frozen=True)
class Optimistic:
    """The columns of `optimistic`."""

    entries: Mapping[str, tuple[Entry, ...]]
    size: int


def optimistic(pool: Sampled) -> Optimistic | None:
    """The pool with every unknown sample right; None if it has none.

    Such a sample keeps its score and its key. Without a score, or with 0, which is what a truth gives where it finds no
    answer, it scores above all others of its problem; without a key it votes for the answer that most of the right and
    unknown ones have. One that was cut off never votes.
    """
    if not any(entry.unknown for column in pool.entries.values() for entry in column):
        return None
    return Optimistic({problem: tuple(_column(column)) for problem, column in pool.entries.items()}, pool.size)


def _column(entries: Sequence[Entry]) -> list[Entry]:
    if not any(entry.unknown for entry in entries):
        return list(entries)
    above = 1.0 + max((entry.score for entry in entries if entry.score is not None), default=0.0)
    votes = Counter(entry.key for entry in entries if entry.key is not None and (entry.correct or entry.unknown))
    right: Hashable = votes.most_common(1)[0][0] if votes else "the right answer, which nobody could read"
    return [_right(entry, above, right) if entry.unknown else entry for entry in entries]


def _right(entry: Entry, above: float, key: Hashable) -> Entry:
    changed: dict[str, Any] = {"correct": True, "unknown": False}
    if not entry.score:
        changed["score"] = above
    if entry.key is None and entry.finish != "length":
        changed["key"] = key
    return replace(entry, **changed)
