"""Calibrated: a verifier whose score is the chance that the sample is right, by a map fitted on recorded scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.errors import ConfigError
from searchkit.mistakes import check_verifier
from searchkit.protocols import Run, Verifier
from searchkit.types import Problem, Prompt, Sample, Scored, Verdict
from searchkit.verifiers.base import Composed, identity, rebound


@dataclass(frozen=True)
class Calibrated(Composed):
    """`verifier` with its score, and the score of each step, put through `map`: the chance of being right.

    map: a fitted `Platt`, `Temperature` or `Isotonic`, or any callable that never falls and returns numbers in [0, 1];
    a journal knows it by its `repr`. Passed, failed and feedback stay; passed alone counts as the score 1, failed as 0,
    and what abstains abstains. Joint if `verifier` is.

    Range: [0, 1]. Cost: for each sample one verification of its own and one of `verifier`, with what it asks. Raises
    `ConfigError` for a map that is not fitted, or that does not suit the verifier's range.
    """

    verifier: Verifier
    map: Callable[[float], float]

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def __post_init__(self) -> None:
        check_verifier("Calibrated", self.verifier)
        if isinstance(self.map, type) or not callable(self.map):
            raise ConfigError(f"Calibrated needs a fitted map such as Platt.fit(scores, right), got {self.map!r}")
        ends = [self.map(end) for end in self.verifier.range]  # infinite ones too: a score may be
        if not all(0 <= end <= 1 for end in ends) or ends != sorted(ends):
            raise ConfigError(f"{self.map!r} maps the ends of {self.verifier.range} to {ends}: it must rise in [0, 1]")

    @property
    def key(self) -> str:
        return f"calibrated:{[self.verifier.key, identity(self.map)]}"

    @property
    def joint(self) -> bool:
        return self.verifier.joint

    @property
    def members(self) -> tuple[Verifier, ...]:
        return (self.verifier,)

    def bind(self, problem: Problem) -> Calibrated:
        return rebound(self, verifier=self.verifier.bind(problem))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [self._calibrated(one) for one in await run.score(self.verifier, prompt, samples)]

    def _calibrated(self, scored: Scored) -> Verdict:
        verdict, score = scored.verdict, scored.score
        steps = None if verdict.step_scores is None else tuple(map(self.map, verdict.step_scores))
        score = None if score is None else self.map(score)
        return replace(verdict, score=score, step_scores=steps, standard_error=None)  # a map need not be smooth
