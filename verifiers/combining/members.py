"""What the verifiers share that are made of verifiers: checking them, asking them, mapping their scores to [0, 1].

Ranges may differ between members, and the reference is bound into them alone. Which member is asked about which sample
depends on the verdicts before it and never on how fast they came, so the same seed asks for the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from searchkit.errors import ConfigError
from searchkit.mistakes import check_verifier
from searchkit.protocols import Run, Verifier
from searchkit.types import Prompt, Sample, Scored, Verdict


def check_members(owner: str, members: object) -> None:
    if not isinstance(members, tuple) or not members:
        raise ConfigError(f"{owner} needs a tuple of verifiers such as (Exact(), Judge(model)), got {members!r}")
    for member in members:
        check_verifier(owner, member)
        least, most = member.range
        if not math.isfinite(most - least):
            raise ConfigError(
                f"{owner} maps scores to [0, 1], but {member!r} has the range [{least}, {most}]: use "
                "OutcomeReward(sigmoid=True), or Calibrated(verifier, Platt.fit(scores, right))"
            )


def check_alone(member: Verifier, place: str, fix: str) -> None:
    if member.joint:
        raise ConfigError(f"{member!r} compares samples, and as {place} it would see only some of them: {fix}")


async def ask(
    members: Sequence[Verifier], prompt: Prompt, samples: Sequence[Sample[Any]], run: Run
) -> tuple[list[list[Verdict]], Exception | None]:
    """Each member's verdicts in [0, 1], all abstaining if it failed, and the first failure."""
    rows, failure = await verdicts_of(members, prompt, samples, run, "member")
    return [[mapped(one, member.range) for one in row] for member, row in zip(members, rows, strict=True)], failure


async def verdicts_of(
    members: Sequence[Verifier], prompt: Prompt, samples: Sequence[Sample[Any]], run: Run, name: str
) -> tuple[list[list[Verdict]], Exception | None]:
    """Each member's own verdicts, all abstaining if it failed, and the first failure. name: of the spans."""

    async def score(member: Verifier, child: Run) -> list[Scored]:
        return await child.score(member, prompt, samples)

    rows, failure = [], None
    for outcome in await run.map(score, members, name=name):
        run.note_failure(outcome.error)
        failure = failure or outcome.error
        rows.append([Verdict()] * len(samples) if outcome.value is None else [one.verdict for one in outcome.value])
    return rows, failure


def unit(score: float, range: tuple[float, float]) -> float:
    low, high = range
    return (score - low) / (high - low)


def mapped(verdict: Verdict, range: tuple[float, float]) -> Verdict:
    score = None if verdict.score is None else unit(verdict.score, range)
    steps = None if verdict.step_scores is None else tuple(unit(step, range) for step in verdict.step_scores)
    error = verdict.standard_error
    error = None if error is None else error / (range[1] - range[0])
    return replace(verdict, score=score, step_scores=steps, standard_error=error)


def unless_nothing(verdicts: list[Verdict], failure: Exception | None) -> list[Verdict]:
    """`verdicts`, unless there was a failure and all abstain."""
    if failure is not None and all(verdict.value is None for verdict in verdicts):
        raise failure
    return verdicts
