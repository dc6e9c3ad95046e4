"""Weighted: the weighted mean of several verifiers' scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.errors import ConfigError
from searchkit.protocols import Run, Verifier
from searchkit.types import Problem, Prompt, Sample, Verdict
from searchkit.verifiers.base import Composed, rebound
from searchkit.verifiers.combining.members import ask, check_members, unless_nothing

ABSTAINS = Verdict(feedback="all members abstain")


@dataclass(frozen=True)
class Weighted(Composed):
    """The mean of the members' scores, each mapped to [0, 1], with `weights` > 0 of any sum.

    Members that abstain or fail on a sample are left out and the weights of the others count as a whole; if none is
    left, it abstains. Never says passed or failed. Joint if a member is. For members of one range without weights, and
    for medians and majorities, see `Jury`.

    Range: [0, 1]. Cost: for each sample one verification of its own and one of each member, with what they ask, all at
    once. Raises `ConfigError` for a member whose range has no end, and the first failure if all members fail.
    """

    verifiers: tuple[Verifier, ...]
    weights: tuple[float, ...]

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def __post_init__(self) -> None:
        check_members("Weighted", self.verifiers)
        if not isinstance(self.weights, tuple) or len(self.weights) != len(self.verifiers):
            raise ConfigError(
                f"Weighted needs a tuple of {len(self.verifiers)} weights, one a verifier, got {self.weights!r}"
            )
        if not all(0 < weight < math.inf for weight in self.weights):
            raise ConfigError(
                f"weights are finite numbers > 0, got {self.weights}: leave out a member that is not to count"
            )

    @property
    def key(self) -> str:
        return f"weighted:{[member.key for member in self.verifiers]}:{self.weights}"

    @property
    def joint(self) -> bool:
        return any(member.joint for member in self.verifiers)

    @property
    def members(self) -> tuple[Verifier, ...]:
        return self.verifiers

    def bind(self, problem: Problem) -> Weighted:
        return rebound(self, verifiers=tuple(member.bind(problem) for member in self.verifiers))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        rows, failure = await ask(self.verifiers, prompt, samples, run)
        verdicts = [self._verdict(of_one) for of_one in zip(*rows, strict=True)]
        return unless_nothing(verdicts, failure)

    def _verdict(self, verdicts: Sequence[Verdict]) -> Verdict:
        votes = [(w, v.value) for w, v in zip(self.weights, verdicts, strict=True) if v.value is not None]
        if not votes:
            return ABSTAINS
        top, scores = max(weight for weight, _ in votes), [score for _, score in votes]  # so that no sum overflows
        mean = math.fsum(w / top * s for w, s in votes) / math.fsum(w / top for w, _ in votes)
        said = f"{len(votes)} of {len(verdicts)} members: " + ", ".join(f"{s:g} x {w:g}" for w, s in votes)
        return Verdict(min(max(scores), max(min(scores), mean)), feedback=said)  # a rounded mean stays between them
