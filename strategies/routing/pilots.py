"""A few samples first, whose scores say how hard the question is: which arm it needs."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from searchkit.errors import ConfigError
from searchkit.kinds import is_number, told
from searchkit.mistakes import check_counts, check_generator, check_verifier
from searchkit.protocols import Generator, Run, Verifier
from searchkit.strategies.routing.passing import all_together
from searchkit.types import Prompt, Usage


@dataclass(frozen=True)
class Pilots:
    """For `Router(arms, choose=...)`: draws `pilots` samples, and takes the arm for the bin of their mean score.

    - verifier: scores them; those that it abstains from do not count, and where it abstains from all it cannot tell.
    - edges: [bins - 1], rising, between the bins of the mean score; a score on an edge is in the easier bin.
    - arms: [bins], hardest first.
    - generator: what is sampled; None is the one given to `solve`. Its samples are candidates for the answer.

    Cost: `pilots` generations and verifications.
    """

    verifier: Verifier
    pilots: int
    edges: Sequence[float]
    arms: Sequence[str]
    generator: Generator | None = None

    answers: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_verifier("Pilots", self.verifier)
        check_counts(self, pilots=1)
        if self.verifier.joint and self.pilots < 2:
            raise ConfigError("a joint verifier compares samples: draw two pilots at least")
        object.__setattr__(self, "edges", tuple(self.edges))
        object.__setattr__(self, "arms", tuple(self.arms))
        if not all(map(is_number, self.edges)) or list(self.edges) != sorted(self.edges):
            raise ConfigError(f"edges are scores that rise, got {told(self.edges)}")
        if len(self.arms) != len(self.edges) + 1 or not all(isinstance(arm, str) for arm in self.arms):
            raise ConfigError(f"{len(self.edges)} edges make {len(self.edges) + 1} bins, each with the name of an arm")
        if self.generator is not None:
            check_generator("Pilots", self.generator)

    async def __call__(self, prompt: Prompt, run: Run) -> str | None:
        samples = await run.sample(self.generator, prompt, self.pilots)
        scores = [one.score for one in await run.score(self.verifier, prompt, samples) if one.score is not None]
        return self.arms[bisect_right(self.edges, math.fsum(scores) / len(scores))] if scores else None

    def worst_case(self, sample: Usage) -> Usage | None:
        """All of them, judged."""
        return all_together([self.generator] * self.pilots, sample, self.pilots)
