"""Complexity-based consistency: only the samples with the most reasoning steps vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.mistakes import check_counts
from searchkit.protocols import Run
from searchkit.strategies.selection.rules import Key, Vote, ballot, choose_among
from searchkit.types import Choice, Prompt, Scored


@dataclass(frozen=True)
class ComplexityVote:
    """The answer of most of the `k` samples with the most reasoning steps; with k >= n the plain `Vote`.

    A step is a line of the sample's text that is not blank, whatever ends it. Only samples that have an
    answer (`key`) and are complete take one of the `k` places; of equally long ones the first seen. Ties of the vote go
    to the class seen first. Scores play no role. `Choice.score` is the winner's share of the `k` votes.

    Cost: no call. Source: Fu et al. 2023 (complexity-based consistency).
    """

    k: int
    key: Key = keys.default

    def __post_init__(self) -> None:
        check_counts(self, k=1)
        if not callable(self.key):
            raise ConfigError(f"the answer key must be callable, such as keys.boxed, got {self.key!r}")

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        voters = [i for i, candidate in enumerate(scored) if ballot(self.key, candidate.sample, run) is not None]
        longest = sorted(voters, key=lambda i: -count_steps(scored[i].sample.text))[: self.k]
        return await choose_among(sorted(longest), Vote(self.key), prompt, scored, run)


def count_steps(text: str) -> int:
    """The number of lines that are not blank."""
    return sum(bool(line.strip()) for line in text.splitlines())
