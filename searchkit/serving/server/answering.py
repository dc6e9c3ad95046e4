"""From the result of a search to the answer of its API: the n best, and what all of the search cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from searchkit import wire
from searchkit.result import Result
from searchkit.serving.server.asking import Asked
from searchkit.types import NO_USAGE, Sample, Scored

FIELD = "search"
"""Where an answer tells of its search, beside what the API says."""


def best(result: Result[Any], n: int) -> list[Scored]:
    """The answer and the best others, at most `n` in all: whole ones before cut ones, by score, then as found."""
    chosen = _plain(result.sample)
    others = list(result.candidates)
    at = next((i for i, one in enumerate(others) if _plain(one.sample) == chosen), None)
    first = Scored(chosen) if at is None else others.pop(at)
    others.sort(key=lambda one: (one.sample.truncated, one.score is None, -(one.score or 0.0)))
    return [first, *others][:n]


def _plain(sample: Sample[Any]) -> Sample[Any]:
    """A sample without those that it was chosen from."""
    return replace(sample, candidates=()) if sample.candidates else sample


def answer(asked: Asked, result: Result[Any], id: str, created: int) -> dict[str, Any]:
    """The body of the answer. Its usage is the search's."""
    scored = best(result, asked.request.n)
    usages = [result.usage, *[NO_USAGE] * len(scored)]
    samples = [replace(one.sample, usage=usage) for one, usage in zip(scored, usages, strict=False)]
    said = wire.answer(asked.request, samples, id=id, created=created)
    return {**said, FIELD: dict(_told(asked, result, scored, id))}


def _told(asked: Asked, result: Result[Any], scored: list[Scored], id: str) -> Iterator[tuple[str, Any]]:
    """What the API has no words for."""
    usage = result.usage
    yield from {"run": id, "strategy": asked.name, "stopped": result.stopped}.items()
    yield "scores", [one.score for one in scored]
    yield from {"candidates": len(result.candidates), "failures": len(result.errors)}.items()
    for name in ("generations", "verifications", "model_calls", "estimated_tokens", "usd"):
        yield name, getattr(usage, name)
    yield "seconds", round(result.wall_s, 3)
    if asked.unheard:
        yield "unheard", list(asked.unheard)
