"""Selection rules: which of several scored samples is the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.answers import keys
from searchkit.errors import ConfigError, VerifierError
from searchkit.kinds import forgotten
from searchkit.protocols import Run, Selector
from searchkit.types import Choice, Prompt, Scored

Key = Callable[[Any], Hashable | None]


@dataclass(frozen=True)
class Argmax:
    """The highest score; of equals the first. An abstaining verdict never wins. Monotone in the scores."""

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        best = Choice(None)
        for i, candidate in enumerate(scored):
            if candidate.score is not None and (best.score is None or candidate.score > best.score):
                best = Choice(i, candidate.score)
        return best


@dataclass(frozen=True)
class Soft:
    """One sample with probability proportional to exp(score / tau): tau to 0 is argmax, tau to infinity is uniform."""

    tau: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.tau < math.inf:
            raise ConfigError(f"Soft needs a finite tau > 0, got {self.tau}: for tau = 0 use Argmax()")

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        votes = [(i, c.score) for i, c in enumerate(scored) if c.score is not None]
        if not votes:
            return Choice(None)
        top = max(score for _, score in votes)  # subtracted so that exp cannot overflow
        weights = [math.exp((score - top) / self.tau) for _, score in votes]
        index, score = run.rng.choices(votes, weights)[0]
        return Choice(index, score)


@dataclass(frozen=True)
class Vote:
    """The answer class with the most votes, or with the greatest sum of scores if `weighted`.

    key: value -> canonical answer, None abstains; a key that raises abstains too, as one does that finds what cannot be
    hashed, and its error is recorded. Truncated samples never vote, nor do unscored ones if weighted. Scores must then
    be >= 0. A candidate counts as many times as the samples that it stands for (`Scored.weight`). Ties go to the class
    seen first; the winner is represented by its first sample, if weighted by its best scored one. `Choice.score` is its
    share.
    """

    key: Key = keys.default
    weighted: bool = False

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        totals: dict[Hashable, float] = {}
        member: dict[Hashable, int] = {}
        for i, candidate in enumerate(scored):
            answer, weight = ballot(self.key, candidate.sample, run), candidate.score if self.weighted else 1.0
            if answer is None or weight is None:
                continue
            if weight < 0:
                raise VerifierError(
                    f"a weighted vote needs scores >= 0, got {weight}: use Argmax() or shift the scores"
                )
            totals[answer] = totals.get(answer, 0.0) + weight * candidate.weight
            held = scored[member[answer]].score if answer in member else None
            if answer not in member or (self.weighted and held is not None and weight > held):
                member[answer] = i
        if not totals:
            return Choice(None)
        winner = max(totals, key=lambda answer: totals[answer])
        total = sum(totals.values())
        return Choice(member[winner], totals[winner] / total if total else 0.0)


def ballot(key: Key, sample: Any, run: Run) -> Hashable | None:
    """The answer that `sample` votes for; None if it is truncated or has none.

    Likewise, and recorded, if the key raises, or what it finds cannot be hashed.
    """
    if sample.truncated:
        return None
    try:
        answer = key(sample.value)
        if forgotten(answer):
            raise ConfigError(f"the answer key {key!r} is async: a key is a plain function of a sample's value")
        hash(answer)  # a list that one sample's answer is must not cost the others their votes
        return answer
    except ConfigError:
        raise
    except Exception as error:
        run.fail(VerifierError(f"the answer key {key!r} raised {type(error).__name__}: {error}"))
        return None


async def choose_among(
    kept: Sequence[int], select: Selector, prompt: Prompt, scored: Sequence[Scored], run: Run
) -> Choice:
    """What `select` chooses when it sees only the candidates with the indices `kept`, as an index into all of them."""
    choice = await select.select(prompt, [scored[i] for i in kept], run)
    return Choice(None if choice.index is None else kept[choice.index], choice.score)
