"""Logs of Inspect (inspect_ai): .eval, a zip with a JSON file a sample and epoch, and .json, all in one document.

Read as `inspect_ai.log` 0.3.285 writes them (`EvalLog`, version 2); older ones of the same form, too. Nothing of
Inspect is imported.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import is_number
from searchkit.logs.bounded import ZIP, Archive, document, whole
from searchkit.logs.json_lines import named
from searchkit.logs.logged import Graded, How, Logged, Notes, count, ended, entry, failed, money

NAME = "inspect"
ABOUT = "Inspect's .eval and .json logs: answers, all scores, tokens, costs, targets"
USES = ("correct", "score", "threshold", "key", "prices")
CONVERT = "convert it: inspect log convert --to eval --output-dir FOLDER FILE"
JUDGES = ("grader", "judge", "scorer", "monitor")  # roles of models that verify: no part of what a sample took
_EPOCH = re.compile(r"samples/.*_epoch_([0-9]{1,9})\.json", re.DOTALL)
_WORDS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def fits(path: Path, head: bytes) -> bool:
    """A zip, or a JSON document that begins as a log does."""
    return head.startswith(ZIP) or (b'"eval"' in head[:4096] and b'"status"' in head[:4096])


def read(path: Path, how: How, told: Notes) -> Iterator[Logged]:
    """Its samples, by epoch. One that failed is an entry with finish "error"; Inspect leaves it out of its mean."""
    with path.open("rb") as file:
        packed = file.read(4) == ZIP
    chosen = _Chosen(how)
    for where, sample in _packed(path, told) if packed else _plain(path, told):
        yield _logged(sample, where, how, chosen, told)


def _packed(path: Path, told: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with Archive(path) as archive:
        header = next((name for name in ("header.json", "_journal/start.json") if name in archive.members), None)
        if header is None:
            raise ConfigError(f"{path} is a zip and no log of Inspect (it has no header.json): name an .eval file")
        _header(document(archive.read(header), f"{path}, {header}", "copy the log again"), told)
        names = [(int(found[1]), name) for name in archive.members if (found := _EPOCH.fullmatch(name))]
        for _, name in sorted(names, key=lambda one: one[0]):
            told.advance(archive.members[name].compress_size)
            where = f"{path}, {name}"
            yield where, _mapping(document(archive.read(name), where, "leave the sample out of the log"), where)


def _plain(path: Path, told: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    raw = whole(path, CONVERT)
    log = _mapping(document(raw, str(path), CONVERT), str(path))
    _header(log, told)
    told.advance(len(raw))
    samples = log.get("samples")
    if not isinstance(samples, list):
        raise ConfigError(f"{path} has no samples: it was written with --no-log-samples, run it again without")
    found = [_mapping(sample, f"{path}, sample {i}") for i, sample in enumerate(samples)]
    epochs = [sample.get("epoch") for sample in found]
    order = sorted(range(len(found)), key=lambda i: e if isinstance(e := epochs[i], int) else 0)
    yield from ((f"{path}, sample {i}", found[i]) for i in order)


def _header(log: Any, told: Notes) -> None:
    """What the log says of itself: the model, and its own figures."""
    told.model = str(_get(log, "eval", "model") or "")
    for score in _list(_get(log, "results", "scores")):
        for metric in _values(_get(score, "metrics")):
            if is_number(value := _get(metric, "value")) and math.isfinite(value):
                reducer = f" ({_get(score, 'reducer')})" if _get(score, "reducer") else ""
                told.figures[f"{_get(score, 'name')} {_get(metric, 'name')}{reducer}"] = float(value)


class _Chosen:
    """Which score says what is right: the one that was asked for, else the first of the first scored sample."""

    def __init__(self, how: How) -> None:
        self.name, self.how = how.correct, how
        self._checked = False

    def of(self, scores: Mapping[str, tuple[float | None, Any, str]], where: str) -> str | None:
        if scores and not self._checked:
            self.name = self.name or next(iter(scores))
            for asked in (self.name, self.how.score):
                if asked is not None and asked not in scores:
                    known = ", ".join(map(repr, scores))
                    raise ConfigError(
                        f"{where}: no score {asked!r}, it has {known}: name one of them (correct=, score=)"
                    )
            self._checked = True
        return self.name


def _logged(sample: Mapping[str, Any], where: str, how: How, chosen: _Chosen, told: Notes) -> Logged:
    problem = named(sample.get("id"), where)
    tokens, usd = _usage(sample, where)
    asked, reference = sample.get("input"), sample.get("target")
    if isinstance(reference, list) and len(reference) == 1:
        reference = reference[0]
    if reference == "" or reference == []:
        reference = None
    if sample.get("error") is not None:
        told.notes["failed: they count as wrong here, Inspect leaves them out"] += 1
        return Logged(problem, failed(_get(sample, "error", "message") or "", tokens, usd or 0.0), asked, reference)
    scores = dict(_scores(sample))
    name = chosen.of(scores, where)
    grade, answer, why = scores.get(name or "", (None, None, "the log has no score of it"))
    if grade is not None and 0 < grade < 1:
        told.notes["have a score between 0 and 1: they are right from the threshold on"] += 1
    known = {other: value for other, (value, _, _) in scores.items() if value is not None}
    stop = "length" if sample.get("limit") is not None else ended(_stop(sample))
    found = entry(_said(sample), answer, Graded(grade, known, why), how, tokens=tokens, usd=usd, finish=stop)
    return Logged(problem, found, asked, reference)


def _scores(sample: Mapping[str, Any]) -> Iterator[tuple[str, tuple[float | None, Any, str]]]:
    """(name, (grade, answer, why)) of each score; a mapping or a list gives one for each of its parts."""
    scores = sample.get("scores")
    if not isinstance(scores, Mapping):
        scores = {"score": sample["score"]} if isinstance(sample.get("score"), Mapping) else {}
    for name, score in scores.items():
        value, answer = _get(score, "value"), _get(score, "answer")
        why = explanation if isinstance(explanation := _get(score, "explanation"), str) else ""
        parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
        for part, inner in parts:
            yield f"{name}.{part}", (_grade(inner), answer, why)
        if not isinstance(value, (Mapping, list)):
            yield str(name), (_grade(value), answer, why)


def _grade(value: Any) -> float | None:
    """A score as Inspect's own `value_to_float` reads it; what that cannot read, and NaN, is unknown."""
    if isinstance(value, str):
        if value in _WORDS or value.lower() in ("yes", "true", "no", "false"):
            return _WORDS.get(value, _WORDS.get(value.lower()))
        try:
            value = float(value) if len(value) <= 40 else None
        except ValueError:
            return None
    if isinstance(value, bool):
        return float(value)
    return float(value) if is_number(value) and math.isfinite(value) else None


def _usage(sample: Mapping[str, Any], where: str) -> tuple[tuple[int, int], float | None]:
    """Prompt and generated tokens, and USD: those of all models but the ones in a role that judges."""
    judged = [u for role, u in _items(sample.get("role_usage")) if role in JUDGES]
    every = [u for _, u in _items(sample.get("model_usage"))]
    read, written, usd = (
        max(0, mine - theirs) for mine, theirs in zip(_sum(every, where), _sum(judged, where), strict=True)
    )
    priced = any(_get(one, "total_cost") is not None for one in every)
    return (int(read), int(written)), (usd if priced else None)


def _sum(usages: Iterable[Any], where: str) -> tuple[float, float, float]:
    read = written = usd = 0.0
    for one in usages:
        read += sum(count(_get(one, f"input_tokens{part}"), where) for part in ("", "_cache_read", "_cache_write"))
        written += count(_get(one, "output_tokens"), where)
        usd += money(_get(one, "total_cost"), where) or 0.0
    return read, written, usd


def _said(sample: Mapping[str, Any]) -> str:
    """What the model said in the end."""
    completion = _get(sample, "output", "completion")
    if isinstance(completion, str) and completion:
        return completion
    content = _get(_first(_get(sample, "output", "choices")), "message", "content")
    if isinstance(content, str):
        return content
    return "".join(text for part in _list(content) if isinstance(text := _get(part, "text"), str))


def _stop(sample: Mapping[str, Any]) -> Any:
    return _get(_first(_get(sample, "output", "choices")), "stop_reason")


def _get(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, Sequence) and not isinstance(value, str) and value else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _values(value: Any) -> list[Any]:
    return [inner for _, inner in _items(value)]


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: a sample is an object, got {type(value).__name__}: copy the log again")
    return value
