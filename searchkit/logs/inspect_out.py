"""A log of Inspect (.eval, version 2) out of a run: it opens in ``inspect view``, and `inspect_ai.log` reads it."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from searchkit.experiments.entry import Entry
from searchkit.logs.parts import Part
from searchkit.types import Problem

TRUTH = "correct"  # the score that says what is right
SCORE = "score"  # what methods go by
STOPS = {"stop": "stop", "length": "max_tokens", "tool_calls": "tool_calls", "content_filter": "content_filter"}
UNNAMED = "unknown"  # a model that nobody named
_WHEN = (1980, 1, 1, 0, 0, 0)  # of every member, so that equal runs give equal files


def write(part: Part, path: Path, problems: Mapping[str, Problem], created: float) -> None:
    """Write the log. problems: for prompts and references, where known. created: seconds since 1970."""
    header = _header(part, datetime.fromtimestamp(created, UTC).isoformat(timespec="seconds"))
    model, summaries = header["eval"]["model"], list[dict[str, Any]]()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        start = {name: header[name] for name in ("version", "eval", "plan")}
        _add(file, "_journal/start.json", start)
        for sample in _samples(part, problems, model):
            _add(file, f"samples/{sample['id']}_epoch_{sample['epoch']}.json", sample)
            summaries.append(_summary(sample))
        _add(file, "summaries.json", summaries)
        _add(file, "header.json", header)


def _add(file: zipfile.ZipFile, name: str, value: Any) -> None:
    said = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode(), _WHEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    file.writestr(info, said)


def _header(part: Part, created: str) -> dict[str, Any]:
    name = blake2b(json.dumps([part.name, part.manifest], sort_keys=True).encode(), digest_size=11).hexdigest()
    epochs = max(map(len, part.pool.entries.values()))
    model, packages = part.model or UNNAMED, part.manifest["written_with"]["packages"]
    spec = {
        "eval_id": name, "run_id": name, "task_id": name, "created": created, "task": part.name, "task_version": 0,
        "dataset": {"name": part.name, "samples": len(part.pool), "sample_ids": list(part.pool.entries)},
        "model": model, "config": {"epochs": epochs, "epochs_reducer": ["mean"]},
        "packages": {"searchkit": packages.get("searchkit", "")},
        "metadata": {"searchkit": dict(part.manifest), "settings": dict(part.settings)},
    }  # fmt: skip
    entries = [entry for _, entry in part.pool.samples()]
    done = sum(entry.finish != "error" for entry in entries)
    results = {"total_samples": len(entries), "completed_samples": done, "scores": list(_scores(part))}
    stats = {"started_at": created, "completed_at": created, "model_usage": {model: _usage(entries)}}
    return {
        "version": 2, "status": "success", "eval": spec, "plan": {"name": "plan", "steps": []}, "results": results,
        "stats": stats,
    }  # fmt: skip


def _scores(part: Part) -> Iterator[dict[str, Any]]:
    """The figures, by Inspect's rules: the mean over epochs, then over problems; without samples that failed, and
    without those that are unknown."""
    names = sorted({name for _, entry in part.pool.samples() for name in entry.scores} - {TRUTH})
    for name in (TRUTH, *names):
        metric = "accuracy" if name == TRUTH else "mean"
        columns = [[v for e in column if (v := _value(e, name)) is not None] for column in part.pool.entries.values()]
        means = [fmean(column) for column in columns if column]
        error = stdev(means) / math.sqrt(len(means)) if len(means) > 1 else 0.0
        known = {metric: fmean(means) if means else 0.0, "stderr": error}
        scored = len(means)
        yield {
            "name": name, "scorer": name, "reducer": "mean", "scored_samples": scored,
            "unscored_samples": len(columns) - scored, "params": {},
            "metrics": {one: {"name": one, "value": value, "params": {}} for one, value in known.items()},
        }  # fmt: skip


def _value(entry: Entry, name: str) -> float | None:
    if entry.finish == "error":
        return None
    if name == TRUTH:
        return None if entry.unknown else float(entry.correct)
    return entry.scores.get(name)


def _samples(part: Part, problems: Mapping[str, Problem], model: str) -> Iterator[dict[str, Any]]:
    for name, column in part.pool.entries.items():
        problem = problems.get(name)
        asked = name if problem is None else problem.prompt.text
        target = "" if problem is None or problem.reference is None else problem.reference
        for epoch, entry in enumerate(column, 1):
            yield _sample(name, epoch, entry, asked, target if isinstance(target, str) else json.dumps(target), model)


def _sample(name: str, epoch: int, entry: Entry, asked: str, target: str, model: str) -> dict[str, Any]:
    said = entry.value if isinstance(entry.value, str) else "" if entry.value is None else json.dumps(entry.value)
    usage = _usage([entry])
    found: dict[str, Any] = {
        "id": name, "epoch": epoch, "input": asked, "target": target,
        "messages": [{"role": "user", "content": asked}], "output": {"model": model, "choices": []},
        "scores": {}, "metadata": {}, "model_usage": {model: usage},
    }  # fmt: skip
    if entry.finish == "error":
        why = entry.feedback or "the sample failed"
        return {**found, "error": {"message": why, "traceback": why, "traceback_ansi": why}}
    message = {"role": "assistant", "content": said, "source": "generate", "model": model}
    choice = {"message": message, "stop_reason": STOPS[entry.finish]}
    return {
        **found, "messages": [*found["messages"], message], "scores": dict(_judged(entry)),
        "output": {"model": model, "choices": [choice], "completion": said, "usage": usage},
    }  # fmt: skip


def _judged(entry: Entry) -> Iterator[tuple[str, dict[str, Any]]]:
    told: dict[str, Any] = {} if entry.key is None else {"answer": str(entry.key)}
    if entry.feedback:
        told["explanation"] = entry.feedback
    # What is unknown is not a number, which is what Inspect calls unscored.
    yield TRUTH, {"value": math.nan if entry.unknown else "C" if entry.correct else "I", **told}
    scores = {**entry.scores, **({} if entry.score is None else {SCORE: entry.score})}
    yield from ((name, {"value": score}) for name, score in scores.items() if name != TRUTH)


def _usage(entries: list[Entry]) -> dict[str, Any]:
    read, written = (sum(getattr(e, f"{kind}_tokens") for e in entries) for kind in ("prompt", "generated"))
    usd = sum(entry.usd for entry in entries)
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written} | (
        {"total_cost": usd} if usd else {}
    )


def _summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "epoch", "input", "target", "scores", "metadata", "model_usage")
    told = {name: sample[name] for name in names} | {"completed": True, "message_count": len(sample["messages"])}
    return told | ({"error": sample["error"]["message"]} if "error" in sample else {})
