"""Potentials: by what factor a step changes the weight of a particle, given how its path is judged. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from searchkit.errors import ConfigError

Form = Literal["odds", "softmax", "prod", "diff", "max", "add", "rt"]
FORMS: tuple[Form, ...] = ("odds", "softmax", "prod", "diff", "max", "add", "rt")
REPEATED = ("odds", "softmax")  # these weigh a path anew in every round, also where it did not move
CLIP = 1e-7  # scores of 0 and 1 would have no odds


@dataclass(frozen=True, slots=True)
class Past:
    """What a path's potentials were so far: the sum of their logarithms, and the running reward ("max", "add")."""

    total: float = 0.0
    running: float | None = None


FRESH = Past()


@dataclass(frozen=True)
class Potential:
    """The logarithm of the factor, for a path with score r (higher is better) and ``strength`` l, 0 for no steering.

    low, high: the range of the scores. "odds" and "prod" are made for chances: where the range is finite and not within
    [0, 1], they take r from there to [0, 1] first. Of scores without bounds "odds" takes r for the logarithm of the
    odds itself, which is "softmax"; "prod" refuses them.

    "odds": l * log(r / (1 - r)), r clipped to [1e-7, 1 - 1e-7]. "softmax": l * r. Both judge the whole path anew in
    every round, one that is finished too. "prod": l * log(r), once a step. The others also count once a step, and along
    a finished path they add up to l * r of its last state: "diff": l * (r - the r before, at first 0). "max", "add" and
    "rt": l times the greatest r so far, the sum of all r so far, and r; the last step makes up the difference.

    Source: its_hub, released ``particle_gibbs.py`` ("odds"), and Algorithm 1 of its paper ("softmax"); FK steering,
    released ``fkd_class.py`` (the last four). There the last step of "max" and "add" aims at l times the running
    reward; here, as in theory, at l * r.

    A score of -inf (but "odds" clips it) is a weight of 0: for good, whatever the path's later scores.
    """

    form: Form
    strength: float = 1.0
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ConfigError(f"weights is one of {', '.join(map(repr, FORMS))}, got {self.form!r}")
        if self.form == "prod" and not self._finite:
            raise ConfigError(
                f'weights="prod" needs scores of a finite range, but it is ({self.low}, {self.high}): '
                'use weights="softmax" or "diff"'
            )
        if not 0 <= self.strength < math.inf:
            raise ConfigError(f"strength must be a finite number >= 0 (0: no steering), got {self.strength}")

    @property
    def _finite(self) -> bool:
        return -math.inf < self.low < self.high < math.inf

    def moved(self, score: float, past: Past, *, terminal: bool) -> tuple[float, Past]:
        """For a step to a state with `score`: the logarithm of its factor, and the past with it."""
        if not self.strength:
            return 0.0, past
        if self.form in ("odds", "softmax", "prod"):
            return self._of(score), past
        if -math.inf in (score, past.total):
            return -math.inf, Past(-math.inf, past.running)
        running = score
        if past.running is not None and self.form == "max":
            running = max(score, past.running)
        if past.running is not None and self.form == "add":
            running = score + past.running
        factor = self.strength * running
        if terminal or self.form == "diff":
            factor = self.strength * score - past.total
        return factor, Past(past.total + factor, running)

    def stayed(self, score: float) -> float:
        """For a path that has made no step in this round: the logarithm of its factor."""
        return self._of(score) if self.form in REPEATED else 0.0

    def _of(self, score: float) -> float:
        if not self.strength:
            return 0.0
        if self.form == "softmax" or not self._finite:
            return self.strength * score
        if not 0 <= self.low < self.high <= 1:
            score = (score - self.low) / (self.high - self.low)
        if self.form == "odds":
            score = min(max(score, CLIP), 1 - CLIP)
            return self.strength * math.log(score / (1 - score))
        return self.strength * math.log(score) if score > 0 else -math.inf
