"""Borda vote: a sample's vote weighs as much as its rank among the scores, not as the score itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.protocols import Run
from searchkit.strategies.selection.rules import Key, Vote
from searchkit.types import Choice, Prompt, Scored, Verdict


@dataclass(frozen=True)
class BordaVote:
    """The answer class with the greatest sum of weights; rank r of N (the best is 0) weighs (N - r)^power.

    Only the order of the scores counts, so any range will do (log-probabilities, logits). power 0 is the plain vote of
    the scored samples; with a large power the best sample with an answer decides alone. Samples with equal scores each
    have the mean of the weights of their ranks, so that a constant score is the plain vote too; the released code ranks
    them by order instead. A sample that is scored but truncated or without an answer (`key`) has a rank and no vote.
    Unscored ones have neither. Ties go to the class seen first; its best scored sample represents it. `Choice.score` is
    its share of all votes.

    Cost: no call. Source: Self-Certainty, released code (``voting_from_list.py``; its default power is 0.5).
    """

    power: float = 0.5
    key: Key = keys.default

    def __post_init__(self) -> None:
        if not 0 <= self.power <= 50:  # beyond, a million samples have weights that no float holds
            raise ConfigError(f"BordaVote needs a power from 0 to 50, got {self.power}: for the best alone: Argmax()")
        if not callable(self.key):
            raise ConfigError(f"the answer key must be callable, such as keys.boxed, got {self.key!r}")

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        weights = borda_weights([candidate.score for candidate in scored], self.power)
        weighed = [replace(one, verdict=Verdict(w)) for one, w in zip(scored, weights, strict=True)]
        return await Vote(self.key, weighted=True).select(prompt, weighed, run)


def borda_weights(scores: Sequence[float | None], power: float) -> list[float | None]:
    """The weight of each score, within [1, N^power]; None for None."""
    ranked = sorted((i for i, s in enumerate(scores) if s is not None), key=lambda i: -(scores[i] or 0.0))
    n, rank, weights = len(ranked), 0, list[float | None]([None] * len(scores))
    for _, tied in groupby(ranked, key=lambda i: scores[i]):
        members = list(tied)
        mean = math.fsum((n - r) ** power for r in range(rank, rank + len(members))) / len(members)
        for i in members:
            weights[i] = mean
        rank += len(members)
    return weights
