"""An entry: one sample of a problem, and what of a pool of them the estimators read."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, get_args

from searchkit.errors import ConfigError
from searchkit.types import Finish

_FINISHES = (*get_args(Finish), "error")


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample of a problem, reduced to what estimators need.

    - value: the text, or what an agent returned (None if it failed).
    - key: its canonical answer; None abstains, as truncated ("length") and failed ("error") samples always do.
    - score: the verifier's, None if it abstained; what methods go by.
    - correct: whether the truth passed it; not where that is unknown.
    - generated_tokens, prompt_tokens: what this sample alone took, without its verification.
    - finish: how it ended.
    - usd: as the tokens.
    - scores: further ones by name, see `Pool.scored_by`.
    - unknown: nobody knows whether it is right: the truth abstained, failed, or found no answer. Estimators count it as
      not right, and their bounds say what it leaves open.
    - feedback: why the truth said what it did.
    """

    value: Any
    key: Hashable | None = None
    score: float | None = None
    correct: bool = False
    generated_tokens: int = 0
    prompt_tokens: int = 0
    finish: Finish | Literal["error"] = "stop"
    usd: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)
    unknown: bool = False
    feedback: str = ""

    def __post_init__(self) -> None:
        checks = {
            "key must be hashable": _is_hashable(self.key),
            "score must be a finite number, or None": self.score is None or _is_finite(self.score),
            "scores must be finite numbers by name": all(map(_is_named, self.scores.items())),
            "correct and unknown must be True or False": isinstance(self.correct, bool)
            and isinstance(self.unknown, bool),
            "feedback must be a text": isinstance(self.feedback, str),
            "tokens must be whole numbers >= 0": _is_count(self.generated_tokens) and _is_count(self.prompt_tokens),
            "usd must be a finite number >= 0": _is_finite(self.usd) and self.usd >= 0,
            f"finish must be one of {', '.join(_FINISHES)}": self.finish in _FINISHES,
            "a truncated or failed sample never votes, pass key=None": self.key is None
            or self.finish not in ("length", "error"),
            "a failed sample is not correct, and that is known": not (
                (self.correct or self.unknown) and self.finish == "error"
            ),
            "what is correct is not unknown": not (self.correct and self.unknown),
        }
        for rule, holds in checks.items():
            if not holds:
                raise ConfigError(f"{rule}, got {self}")
        object.__setattr__(self, "scores", dict(self.scores))

    def same_sample(self, other: Entry) -> bool:
        """Whether the two differ in nothing but their scores and how their verdicts are worded."""
        mine, others = (replace(one, score=None, scores={}, feedback="") for one in (self, other))
        return mine == others


class Sampled(Protocol):
    """Problems with their samples: what estimators read of a `Pool`."""

    @property
    def entries(self) -> Mapping[str, tuple[Entry, ...]]:
        """The samples of every problem, by problem id."""
        ...

    @property
    def size(self) -> int:
        """The number of samples that every problem has at least."""
        ...


def is_json(value: Any) -> bool:
    """True if JSON gives back an equal value: a tuple, a dataclass or NaN would come back changed or not at all."""
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError):
        return False


def _is_hashable(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True


def _is_finite(score: object) -> bool:
    return isinstance(score, (int, float)) and math.isfinite(score)


def _is_named(score: tuple[object, object]) -> bool:
    return isinstance(score[0], str) and _is_finite(score[1])


def _is_count(tokens: object) -> bool:
    return isinstance(tokens, int) and tokens >= 0
