"""What the report of a sweep tells, as JSON: columns of bounded size, the same bytes for the same results."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.experiments.entry import is_json
from searchkit.experiments.report.falls import falls
from searchkit.experiments.sweep import manifest
from searchkit.experiments.sweep.results import SweepResults, difference, difference_bounds
from searchkit.experiments.sweep.rows import LOG, RESULTS, Finished, logged
from searchkit.experiments.sweep.summary import LEVEL, Summary, interval
from searchkit.types import Problem

MOST_ROWS = 200_000
MOST_TEXT = 24_000_000  # characters of all prompts, references, answers and errors
LONGEST = (4_000, 1_000, 250, 60)  # characters of each text: the first that keeps within that
LONGEST_SHOWN_REFERENCE = 100_000  # more of a reference's `repr` is never looked at


def load(folder: Path) -> tuple[SweepResults, dict[str, Any]]:
    """The results in `folder` with the manifest; of a sweep that is not finished, what there is by now."""
    stored = manifest.load(folder)
    if (folder / RESULTS).exists():
        return SweepResults.load(folder), stored
    logs = [folder / f"shard-{i}" / LOG for i in range(stored["shards"])]
    last = {one.row.key: one for log in logs for one in logged(log)}
    if not last:
        raise ConfigError(f"{folder} has no finished search yet: run the sweep first")
    return SweepResults.of(list(last.values()), stored["configuration"]), stored


def kept(results: SweepResults, problems: Sequence[Problem]) -> tuple[list[str], list[Finished]]:
    """The problems that the page lists, in its order, and their searches: all of them, unless they are too many."""
    seen = {one.row.problem for one in results.finished}
    names = [problem.id for problem in problems if problem.id in seen] or sorted(seen)
    names = names[: max(1, MOST_ROWS * len(names) // len(results.finished))]
    few = set(names)
    return names, [one for one in results.finished if one.row.problem in few]


def data(
    results: SweepResults,
    stored: dict[str, Any],
    problems: Sequence[Problem],
    names: Sequence[str],
    finished: Sequence[Finished],
) -> dict[str, Any]:
    """Everything but the traces. problems: with prompts and references, or none. names, finished: what is `kept`."""
    asked = {problem.id: problem for problem in problems}
    place = {name: i for i, name in enumerate(names)}
    prompts = [asked[name].prompt.text for name in names] if asked else []
    references = [text_of(asked[name].reference) for name in names] if asked else []
    answers, errors = [text_of(one.row.answer) for one in finished], [one.row.error for one in finished]
    feedback = [one.row.feedback for one in finished]
    longest = fitting([*prompts, *references, *answers, *errors, *feedback])
    summaries = results.summaries()
    return {
        "configuration": stored["configuration"], "environments": stored["environments"], "complete": results.complete,
        "searches": len(results.finished), "expected": results.expected,
        "diagnosis": ". ".join(
            filter(None, (results.unknown, results.sameness, results.oracle, results.pairing, results.allocated))
        ),
        "falls": list(falls(summaries, results.strategies, results.totals)),
        "level": LEVEL, "longest": longest, "cut": len({one.row.problem for one in results.finished}) - len(names),
        "cells": list(_cells(results, summaries)), "differences": list(_differences(results, summaries)),
        "problems": {
            "id": [cut(name, LONGEST[1]) for name in names],
            "prompt": [cut(text, longest) for text in prompts],
            "reference": [cut(text, longest) for text in references],
        },
        "rows": _rows(finished, place, summaries) | {
            "answer": [cut(text, longest) for text in answers], "error": [cut(text, longest) for text in errors],
            "feedback": [cut(text, longest) for text in feedback],
        },
    }  # fmt: skip


def cut(text: str | None, longest: int) -> Any:
    """`text`; or, if it is longer, its beginning and its length."""
    return text if text is None or len(text) <= longest else [text[:longest], len(text)]


def finite(value: float | None) -> float | None:
    """None where JSON has no such number."""
    return value if value is not None and math.isfinite(value) else None


def fitting(texts: Iterable[str | None]) -> int:
    """To how many characters each of the texts is cut, for all of them to fit."""
    lengths = [len(text) for text in texts if text is not None]
    enough = (most for most in LONGEST if sum(min(n, most) for n in lengths) <= MOST_TEXT)
    return next(enough, LONGEST[-1])


def text_of(value: Any) -> str | None:
    """What a person reads of an answer or a reference, which may be any value."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if is_json(value) else repr(value)[:LONGEST_SHOWN_REFERENCE]


def _cells(results: SweepResults, summaries: Sequence[Summary]) -> Iterator[dict[str, Any]]:
    """The lines of the table. usd: mean of all that was spent; seconds: mean over searches that were not resumed."""
    groups: dict[tuple[str, str], list[Finished]] = {}
    for one in results.finished:
        groups.setdefault((one.row.strategy, one.row.budget), []).append(one)
    for s in summaries:
        group = groups[s.strategy, s.budget]
        timed = [one.wall_s for one in group if not one.resumed]
        yield {
            "strategy": s.strategy, "budget": s.budget, "problems": len(s.problems), "searches": s.searches,
            "failed": s.failed, "accuracy": s.accuracy, "low": finite(s.low), "high": finite(s.high),
            "shown": interval(s.accuracy, s.low, s.high),
            "unknown": s.unknown, "at_most": s.at_most, "of_known": finite(s.of_known),
            "tokens": s.tokens, "sequential": s.sequential_tokens, "calls": s.model_calls,
            "usd": math.fsum(one.row.usd + one.lost.usd for one in group) / len(group),
            "seconds": math.fsum(timed) / len(timed) if timed else None,
        }  # fmt: skip


def _differences(results: SweepResults, summaries: Sequence[Summary]) -> Iterator[dict[str, Any]]:
    """Every strategy against the first one, under each budget that both have."""
    first = {s.budget: s for s in summaries if s.strategy == results.strategies[0]}
    for s in summaries:
        base = first.get(s.budget)
        if base is not None and base is not s and set(base.problems) & set(s.problems):
            common, delta = difference(s, base)
            mean, low, high = float(delta.mean), float(delta.low), float(delta.high)
            least, most = difference_bounds(s, base)
            yield {
                "strategy": s.strategy, "base": base.strategy, "budget": s.budget, "problems": len(common),
                "mean": mean, "low": finite(low), "high": finite(high), "shown": interval(mean, low, high),
                "at_least": least, "at_most": most,
            }  # fmt: skip


def _rows(finished: Sequence[Finished], place: dict[str, int], summaries: Sequence[Summary]) -> dict[str, list[Any]]:
    """One entry a search in each column. Seeds are texts: JavaScript rounds large numbers."""
    cells = {(s.strategy, s.budget): i for i, s in enumerate(summaries)}
    rows = [one.row for one in finished]
    same = (
        "right",
        "unknown",
        "generated_tokens",
        "prompt_tokens",
        "sequential_tokens",
        "model_calls",
        "usd",
        "stopped",
    )
    return {name: [getattr(row, name) for row in rows] for name in same} | {
        "problem": [place[row.problem] for row in rows],
        "cell": [cells[row.strategy, row.budget] for row in rows],
        "seed": [str(row.seed) for row in rows],
        "score": [finite(row.score) for row in rows],
        "seconds": [None if one.resumed else finite(round(one.wall_s, 4)) for one in finished],
    }
