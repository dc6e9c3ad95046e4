"""AllOf: a gate that every verifier must let a sample through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.protocols import Run, Verifier
from searchkit.types import Problem, Prompt, Sample, Verdict
from searchkit.verifiers.base import Composed, rebound
from searchkit.verifiers.combining.members import ask, check_alone, check_members, unless_nothing


@dataclass(frozen=True)
class AllOf(Composed):
    """A gate: a sample passes if each member in turn lets it through; after the first that does not, none is asked.

    A member lets through what it says has passed, and where it only gives a score, what is above the middle of its
    range (as in `Jury`). What it abstains on, or fails on with an error, is undecided: the gate abstains. The score is
    the least among the members asked, each mapped to [0, 1]; a member that says failed counts as 0 whatever score
    stands beside. So each sample that passes scores above each that fails, unless a member passes what it scores at or
    below its middle. Put the cheap members first. A joint member must be the very first: it compares all samples, and
    later ones see only what it lets through.

    Range: [0, 1]. Cost: for each sample one verification of its own, one of the first member, and one of each further
    member that is reached; one after the other, so the time adds up. Raises `ConfigError` for a member whose range has
    no end, and a member's failure if it leaves no sample with a verdict.
    """

    verifiers: tuple[Verifier, ...]

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def __post_init__(self) -> None:
        check_members("AllOf", self.verifiers)
        for member in self.verifiers[1:]:
            check_alone(member, "a later member of AllOf", "put it first")

    @property
    def key(self) -> str:
        return f"all of:{[member.key for member in self.verifiers]}"

    @property
    def joint(self) -> bool:
        return self.verifiers[0].joint

    @property
    def members(self) -> tuple[Verifier, ...]:
        return self.verifiers

    def bind(self, problem: Problem) -> AllOf:
        return rebound(self, verifiers=tuple(member.bind(problem) for member in self.verifiers))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        verdicts, through, failure = [Verdict(1.0)] * len(samples), list(range(len(samples))), None
        for place, member in enumerate(self.verifiers, 1):
            if through:
                [row], error = await ask([member], prompt, [samples[i] for i in through], run)
                failure = failure or error
                for i, verdict in zip(through, row, strict=True):
                    verdicts[i] = _gated(verdicts[i], verdict, f"member {place} of {len(self.verifiers)}")
                through = [i for i in through if verdicts[i].passed]
        return unless_nothing(verdicts, failure)


def _gated(before: Verdict, verdict: Verdict, member: str) -> Verdict:
    """What is known of a sample after one more member has judged it."""
    if verdict.value is None or before.score is None:
        return Verdict(feedback=_told(member, "abstains", verdict.feedback))
    passed = verdict.value > 0.5 if verdict.passed is None else verdict.passed
    score = min(before.score, 0.0 if verdict.passed is False else verdict.value)
    said = "" if passed else _told(member, "fails it", verdict.feedback)
    return Verdict(score, passed, feedback=said, unread=verdict.unread and not passed)


def _told(member: str, what: str, why: str) -> str:
    return f"{member} {what}" + (f": {why}" if why else "")
