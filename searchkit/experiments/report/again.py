"""A sweep beside itself judged again (`rejudge`): what became of accuracies, and verdicts and answers that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.experiments.report.data import LONGEST, cut, finite, load, text_of
from searchkit.experiments.sweep.results import SweepResults, difference
from searchkit.experiments.sweep.rows import Finished, Key, Row
from searchkit.experiments.sweep.summary import interval


def again(results: SweepResults, finished: Sequence[Finished], folder: Path) -> dict[str, Any]:
    """What the page says of the sweep in `folder`: lines of a table, and the searches of `finished` that differ.

    Raises `ConfigError` where `folder` has none of these searches, or is no sweep's.
    """
    judged, stored = load(folder)
    rows: Mapping[Key, Row] = {one.row.key: one.row for one in judged.finished}
    pairs = [(i, one.row, rows[one.row.key]) for i, one in enumerate(finished) if one.row.key in rows]
    if not pairs:
        raise ConfigError(
            f"{folder} has none of these searches: name the folder that `searchkit rejudge` wrote for them"
        )
    differing = [(i, new) for i, old, new in pairs if _kind(old) != _kind(new) or old.answer != new.answer]
    moved = Counter((_kind(old), _kind(new)) for _, old, new in pairs if _kind(old) != _kind(new))
    others = sum(old.answer != new.answer for _, old, new in pairs)
    told = [f"{n:,} from {old} to {new}" for (old, new), n in sorted(moved.items())]
    told += [f"{others:,} with another answer, since another verifier chose"] if others else []
    return {
        "again": {
            "said": f"{len(pairs):,} searches were judged again: {', '.join(told) or 'no verdict differs'}.",
            "truth": stored["configuration"]["truth"], "cells": list(_cells(results, judged)),
            "row": [i for i, _ in differing], "verdict": [_kind(new) for _, new in differing],
            "answer": [cut(text_of(new.answer), LONGEST[1]) for _, new in differing],
            "score": [finite(new.score) for _, new in differing],
            "feedback": [cut(new.error or new.feedback, LONGEST[1]) for _, new in differing],
        }
    }  # fmt: skip


def _kind(row: Row) -> str:
    return "right" if row.right else "unknown" if row.unknown else "failed" if row.error else "wrong"


def _cells(results: SweepResults, judged: SweepResults) -> Iterator[dict[str, Any]]:
    """Each line of the table that both have: accuracy before and now, and the paired difference."""
    before = {(s.strategy, s.budget): s for s in results.summaries()}
    for new in judged.summaries():
        old = before.get((new.strategy, new.budget))
        if old is None or not set(old.problems) & set(new.problems):
            continue
        found = difference(new, old).interval
        yield {
            "strategy": new.strategy, "budget": new.budget,
            "before": interval(old.accuracy, old.low, old.high), "now": interval(new.accuracy, new.low, new.high),
            "change": interval(float(found.mean), float(found.low), float(found.high)),
        }  # fmt: skip
