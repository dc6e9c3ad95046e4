"""Jury: several verifiers judge each sample, and their verdicts are made one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from searchkit.errors import ConfigError
from searchkit.mistakes import check_verifier
from searchkit.protocols import Run, Verifier
from searchkit.types import Problem, Prompt, Sample, Verdict
from searchkit.verifiers.base import Composed, rebound
from searchkit.verifiers.combining.members import unless_nothing, verdicts_of


@dataclass(frozen=True)
class Jury(Composed):
    """Asks each of `judges` and takes the "mean" or the "median" of their scores, or their "majority".

    Judges that abstain or fail on a sample are left out; if all do, it abstains. mean, median: all judges have the same
    range, which is the jury's. majority: a judge votes as its verdict says (passed or not), else for a sample with a
    score above the middle of its range and against one below; exactly in the middle it abstains. The score is the share
    of votes for the sample, in [0, 1], and more than half is passed.

    Cost: for each sample one verification of the jury's own and one of each judge, with what they ask. Raises the first
    failure if all judges fail.
    """

    judges: tuple[Verifier, ...]
    by: Literal["mean", "median", "majority"] = "mean"

    def __post_init__(self) -> None:
        if not isinstance(self.judges, tuple) or not self.judges:
            raise ConfigError(
                f"Jury needs a tuple of verifiers such as (Judge(model), PYes(model)), got {self.judges!r}"
            )
        for judge in self.judges:
            check_verifier("Jury", judge)
        ranges = {tuple(map(float, judge.range)) for judge in self.judges}
        if self.by not in ("mean", "median", "majority"):
            raise ConfigError(f'by is "mean", "median" or "majority", got {self.by!r}')
        if self.by != "majority" and len(ranges) > 1:
            raise ConfigError(
                f'judges of the ranges {sorted(ranges)} have no {self.by}: give all one, or by="majority"'
            )
        if self.by == "majority" and not all(math.isfinite(bound) for of_one in ranges for bound in of_one):
            raise ConfigError(f"a range without end has no middle to vote by, got {sorted(ranges)}")

    @property
    def key(self) -> str:
        return f"jury:{self.by}:{[judge.key for judge in self.judges]}"

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0) if self.by == "majority" else self.judges[0].range

    @property
    def joint(self) -> bool:
        """True if one of the judges is."""
        return any(judge.joint for judge in self.judges)

    @property
    def members(self) -> tuple[Verifier, ...]:
        return self.judges

    def bind(self, problem: Problem) -> Jury:
        return rebound(self, judges=tuple(judge.bind(problem) for judge in self.judges))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        rows, failure = await verdicts_of(self.judges, prompt, samples, run, "judge")
        verdicts = []
        for of_one in zip(*rows, strict=True):
            asked = zip(self.judges, of_one, strict=True)
            votes = [vote for judge, verdict in asked if (vote := self._vote(judge, verdict)) is not None]
            counted = [verdict for verdict in of_one if verdict.value is not None]
            unread = bool(counted) and all(verdict.unread for verdict in counted)
            verdicts.append(replace(self._verdict(votes), unread=unread))
        return unless_nothing(verdicts, failure)

    def _vote(self, judge: Verifier, verdict: Verdict) -> float | None:
        if self.by != "majority" or verdict.value is None:
            return verdict.value
        if verdict.passed is not None:
            return float(verdict.passed)
        middle = sum(judge.range) / 2
        return None if verdict.value == middle else float(verdict.value > middle)

    def _verdict(self, votes: Sequence[float]) -> Verdict:
        if not votes:
            return Verdict(feedback="all judges abstain")
        said = f"{len(votes)} of {len(self.judges)} judges: " + ", ".join(f"{vote:g}" for vote in votes)
        if self.by == "median":
            return Verdict(statistics.median(votes), feedback=said)
        mean = min(max(votes), max(min(votes), math.fsum(votes) / len(votes)))  # a rounded mean stays between them
        return Verdict(mean, mean > 0.5 if self.by == "majority" else None, feedback=said)
