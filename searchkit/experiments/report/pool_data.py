"""The samples of a pool as columns for its page, of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from searchkit.experiments.entry import Entry
from searchkit.experiments.pool.pool import Pool
from searchkit.experiments.report.data import LONGEST, MOST_ROWS, cut, fitting, text_of

VERDICTS = ("wrong", "right", "unknown", "failed")


def pool_data(pool: Pool) -> dict[str, Any]:
    """Every sample with its verdict, score, rank, answer and text. Of problems that do not fit none is listed."""
    names, listed = list(pool.entries), list[tuple[int, int, Entry, int | None]]()
    for place, name in enumerate(names):
        column = pool.entries[name]
        if listed and len(listed) + len(column) > MOST_ROWS:
            break
        ranked = zip(column, _ranks(column), strict=True)
        listed += [(place, number, entry, rank) for number, (entry, rank) in enumerate(ranked)][:MOST_ROWS]
    entries = [entry for _, _, entry, _ in listed]
    texts = [text_of(entry.value) for entry in entries]
    longest = fitting([*texts, *(entry.feedback for entry in entries)])
    keys = [None if entry.key is None else text_of(entry.key) for entry in entries]
    total = sum(map(len, pool.entries.values()))
    problems, samples = f"{len(names):,} problems", f"{total:,} samples"
    return {
        "told": {"state": f"{problems}, {samples}", "diagnosis": pool.diagnosis, "cut": total - len(listed)},
        "problems": [cut(name, LONGEST[1]) for name in names],
        "rows": {
            "problem": [place for place, *_ in listed], "number": [number for _, number, *_ in listed],
            "rank": [rank for *_, rank in listed], "verdict": [_verdict(entry) for entry in entries],
            "score": [entry.score for entry in entries], "key": [cut(key, LONGEST[2]) for key in keys],
            "tokens": [entry.generated_tokens for entry in entries], "finish": [entry.finish for entry in entries],
            "text": [cut(text, longest) for text in texts],
            "feedback": [cut(entry.feedback, longest) for entry in entries],
        },
    }  # fmt: skip


def _verdict(entry: Entry) -> int:
    """Its place in `VERDICTS`."""
    return 3 if entry.finish == "error" else 1 if entry.correct else 2 if entry.unknown else 0


def _ranks(column: Sequence[Entry]) -> list[int | None]:
    """1 for the best score of a problem; equal scores share the better rank. None without a score."""
    scores = sorted((entry.score for entry in column if entry.score is not None), reverse=True)
    place = dict[float, int]()
    for rank, score in enumerate(scores, 1):
        place.setdefault(score, rank)
    return [None if entry.score is None else place[entry.score] for entry in column]
