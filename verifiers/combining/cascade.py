"""Cascade: a cheap verifier decides what it is sure of, a dear one the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.errors import ConfigError
from searchkit.protocols import Run, Verifier
from searchkit.types import Problem, Prompt, Sample, Verdict
from searchkit.verifiers.base import Composed, rebound
from searchkit.verifiers.combining.members import ask, check_alone, check_members, unit, unless_nothing


@dataclass(frozen=True)
class Cascade(Composed):
    """`cheap` judges each sample; where its score is from `low` to `high`, or it abstains or fails, `dear` does.

    low, high: in the units of the cheap verifier's own range; a score below `low` or above `high` stands. With both the
    same, between failed and passed, only abstentions go on. The verdict is that of whoever decided, score and steps
    mapped from its range to [0, 1]: the two scales should mean the same there, see `Calibrated`. A joint `cheap` makes
    the cascade joint; a joint `dear` is refused.

    Range: [0, 1]. Cost: for each sample one verification of its own and one of the cheap verifier, and one of the dear
    one for those between, after the cheap one is done. Raises `ConfigError` for bounds outside the cheap range and for
    a range without end, and a member's failure if no sample is left with a verdict.
    """

    cheap: Verifier
    dear: Verifier
    low: float
    high: float

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def __post_init__(self) -> None:
        check_members("Cascade", (self.cheap, self.dear))
        check_alone(self.dear, "the dear verifier of a Cascade", "make it the cheap one, or select by it")
        least, most = self.cheap.range
        if not least <= self.low <= self.high <= most:
            raise ConfigError(
                f"Cascade(low={self.low}, high={self.high}): give low <= high, both within the range of the cheap "
                f"verifier, [{least}, {most}]"
            )

    @property
    def key(self) -> str:
        return f"cascade:{[self.cheap.key, self.dear.key]}:{self.low}:{self.high}"

    @property
    def joint(self) -> bool:
        return self.cheap.joint

    @property
    def members(self) -> tuple[Verifier, ...]:
        return (self.cheap, self.dear)

    def bind(self, problem: Problem) -> Cascade:
        return rebound(self, cheap=self.cheap.bind(problem), dear=self.dear.bind(problem))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        low, high = (unit(bound, self.cheap.range) for bound in (self.low, self.high))  # as the scores are mapped
        [verdicts], failure = await ask([self.cheap], prompt, samples, run)
        between = [i for i, v in enumerate(verdicts) if v.value is None or low <= v.value <= high]
        if between:
            [row], error = await ask([self.dear], prompt, [samples[i] for i in between], run)
            failure = failure or error
            for i, verdict in zip(between, row, strict=True):
                verdicts[i] = verdict
        return unless_nothing(verdicts, failure)
