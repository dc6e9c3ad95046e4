"""Deduplicated: of equal samples only one is judged, and all have its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.codec import content_of
from searchkit.errors import ConfigError
from searchkit.mistakes import check_verifier
from searchkit.protocols import Run, Verifier
from searchkit.types import Problem, Prompt, Sample, Usage, Verdict
from searchkit.verifiers.base import Composed, rebound


@dataclass(frozen=True)
class Deduplicated(Composed):
    """Has `verifier` judge each different sample once; equal ones have the verdict of the first.

    Samples are equal if their value, message, steps, tokens and log-probabilities are, and how they finished; what they
    cost does not count. It is joint, since it must see the samples together, so a strategy draws all of them before any
    is judged, and cannot stop early; `draw` does so too. Of a verifier that is random (a judge above temperature 0)
    equal samples then have one verdict instead of several independent ones. Reward models need none of this: they read
    each text once a search.

    Range: that of `verifier`. Cost: one verification a sample of its own, and what `verifier` costs for the different
    ones: calls that are saved are neither made nor charged. Raises `ConfigError` for a joint verifier, to which
    duplicates mean something, and what `verifier` raises if it fails for all.
    """

    verifier: Verifier

    @property
    def joint(self) -> bool:
        return True

    def __post_init__(self) -> None:
        check_verifier("Deduplicated", self.verifier)
        if self.verifier.joint:
            raise ConfigError(f"{self.verifier!r} compares samples, and equal ones count there: use it as it is")

    @property
    def key(self) -> str:
        return f"deduplicated:{self.verifier.key}"

    @property
    def range(self) -> tuple[float, float]:
        return self.verifier.range

    @property
    def members(self) -> tuple[Verifier, ...]:
        return (self.verifier,)

    def bind(self, problem: Problem) -> Deduplicated:
        return rebound(self, verifier=self.verifier.bind(problem))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        contents = [content_of(replace(sample, usage=Usage(), candidates=())) for sample in samples]
        places = {content: at for at, content in enumerate(dict.fromkeys(contents))}
        first = [samples[contents.index(content)] for content in places]
        scored = await run.score(self.verifier, prompt, first)
        return [scored[places[content]].verdict for content in contents]
