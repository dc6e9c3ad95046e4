"""DeepConf, offline: only the most confident samples vote, each with its confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.protocols import Run
from searchkit.strategies.selection.rules import Key, Vote, ballot, choose_among
from searchkit.types import Choice, Prompt, Scored


@dataclass(frozen=True)
class ConfidentVote:
    """The vote weighted by scores of the samples in the upper `eta` percent: those that score at least the bar.

    The bar is the (100 - eta)th percentile, interpolated linearly, of the scores of all samples that have an answer
    (`key`), a score, and are complete; there is always one that reaches it. eta=100 is `Vote(key, weighted=True)`, a
    small eta is the argmax. Scores must be >= 0, such as those of `DeepConf`, whose authors use eta 10 and 90. Ties
    go to the class seen first; its best scored sample represents it. `Choice.score` is its share of the weight kept.

    Cost: no call. Source: DeepConf, released code (``analysis_offline.py``).
    """

    eta: float = 90.0
    key: Key = keys.default

    def __post_init__(self) -> None:
        if not 0 < self.eta <= 100:
            raise ConfigError(f"eta is the percentage of samples to keep, above 0 and at most 100, got {self.eta}")
        if not callable(self.key):
            raise ConfigError(f"the answer key must be callable, such as keys.boxed, got {self.key!r}")

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        scores = {
            i: candidate.score
            for i, candidate in enumerate(scored)
            if candidate.score is not None and ballot(self.key, candidate.sample, run) is not None
        }
        if not scores:
            return Choice(None)
        bar = percentile(list(scores.values()), 100 - self.eta)
        kept = [i for i, score in scores.items() if score >= bar]
        return await choose_among(kept, Vote(self.key, weighted=True), prompt, scored, run)


def percentile(values: Sequence[float], q: float) -> float:
    """The `q`th percentile of one or more `values`, 0 <= q <= 100, interpolated linearly between neighbours."""
    ordered = sorted(values)
    whole, part = divmod((len(ordered) - 1) * q, 100)
    low, high = ordered[int(whole)], ordered[min(int(whole) + 1, len(ordered) - 1)]
    return min(high, low + (high - low) * part / 100) if part else low
