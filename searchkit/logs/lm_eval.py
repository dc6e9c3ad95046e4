"""Samples of lm-evaluation-harness: ``samples_TASK_DATE.jsonl``, a line a document and filter (``--log_samples``).

Read as version 0.4.13 writes them. The harness judges what a filter makes of all repeats of a document together; so
where a document has several, no sample has a verdict of its own, and a truth has to judge them.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import is_number
from searchkit.logs.bounded import lines
from searchkit.logs.json_lines import named
from searchkit.logs.logged import Graded, How, Logged, Notes, entry

NAME = "lm-eval"
ABOUT = "lm-evaluation-harness' samples_*.jsonl: texts, filtered answers, metrics, targets; it notes no tokens"
USES = ("correct", "score", "threshold", "key", "prices", "filter")
INVALID = "[invalid]"  # what its filters say where they find nothing
TOGETHER = "the harness judged all repeats together: give a truth, which judges each"
UNJUDGED = "have no verdict of their own: the harness judges all repeats together, a truth would judge each"


def fits(path: Path, head: bytes) -> bool:
    """By the first fields of its first line, which may be long, or by the name that the harness gives."""
    return all(name in head for name in (b'"doc_id"', b'"arguments"', b'"resps"')) or path.name.startswith("samples_")


def read(path: Path, how: How, told: Notes) -> Iterator[Logged]:
    """The samples of the rows of one filter. The means of all metrics of all filters are the figures."""
    means: dict[str, list[float]] = {}
    chosen, filters = how.filter, Counter[str]()
    for where, row in lines(path, told.advance):
        name = str(row.get("filter", "none"))
        for metric, value in _metrics(row):
            total = means.setdefault(f"{metric},{name}", [0.0, 0])
            total[0], total[1] = total[0] + value, total[1] + 1
        filters[name] += 1
        chosen = name if chosen is None else chosen
        if name == chosen:
            yield from _samples(row, where, how, told)
    if chosen is not None and chosen not in filters and filters:
        raise ConfigError(
            f"{path} has no rows of the filter {chosen!r}, it has {', '.join(map(repr, filters))}: name one"
        )
    told.left_out.update({f"rows of the filter {name!r}": n for name, n in filters.items() if name != chosen})
    told.figures |= {name: total / n for name, (total, n) in means.items()}


def _metrics(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for metric in row["metrics"] if isinstance(row.get("metrics"), list) else ():
        value: Any = row.get(metric) if isinstance(metric, str) else None
        if isinstance(value, bool) or (is_number(value) and math.isfinite(value)):
            yield metric, float(value)


def _samples(row: Mapping[str, Any], where: str, how: How, told: Notes) -> Iterator[Logged]:
    resps, filtered = row.get("resps"), row.get("filtered_resps")
    if not isinstance(resps, list) or not resps or not all(isinstance(one, list) and one for one in resps):
        raise ConfigError(
            f"{where}: resps is no list of lists of answers: name a file of --log_samples, or mend the row"
        )
    problem, prompt, target = named(row.get("doc_id"), where, "doc_id"), _prompt(row), row.get("target")
    metrics = dict(_metrics(row))
    if len(resps) > 1:  # a request for each choice: the likeliest is the answer
        likeliest = str(max(range(len(resps)), key=lambda i: _likelihood(resps[i])))
        yield Logged(problem, entry(likeliest, likeliest, _graded(metrics, how, where), how), prompt, target)
        return
    answers = _answers(filtered, len(resps[0]))
    together = len(resps[0]) > 1
    graded = Graded(None, {}, TOGETHER) if together else _graded(metrics, how, where)
    told.notes[UNJUDGED] += len(resps[0]) if together else 0
    for text, answer in zip(resps[0], answers, strict=True):
        said = text if isinstance(text, str) else json.dumps(text)
        yield Logged(problem, entry(said, answer, graded, how), prompt, target)


def _answers(filtered: Any, n: int) -> list[Any]:
    """The filtered answer of each of `n` repeats; None where the filter made one of all, or found nothing."""
    found = filtered[0] if isinstance(filtered, list) and len(filtered) == 1 else None
    listed = found if isinstance(found, list) else [found]
    if len(listed) != n:
        return [None] * n
    return [one if isinstance(one, str) and one != INVALID else None for one in listed]


def _graded(metrics: Mapping[str, float], how: How, where: str) -> Graded:
    name = how.correct or next(iter(metrics), None)
    for asked in (name, how.score):
        if asked is not None and metrics and asked not in metrics:
            known = ", ".join(map(repr, metrics))
            raise ConfigError(f"{where}: no metric {asked!r}, it has {known}: name one of them (correct=, score=)")
    return Graded(metrics.get(name or ""), metrics, "" if name in metrics else "the log has no number for it")


def _likelihood(resp: list[Any]) -> float:
    first = resp[0]
    try:
        found = float(first[0] if isinstance(first, list) and first else first)
    except (TypeError, ValueError):
        return -math.inf
    return found if found == found else -math.inf


def _prompt(row: Mapping[str, Any]) -> Any:
    """What was asked: the first argument of the first request, a text, or a chat as JSON."""
    arguments = row.get("arguments")
    first = next(iter(arguments.values()), None) if isinstance(arguments, Mapping) else None
    found = first.get("arg_0") if isinstance(first, Mapping) else None
    found = found[0] if isinstance(found, list) and found else found
    return found if isinstance(found, str) and found else None
