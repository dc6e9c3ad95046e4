"""How sure a model is while it writes: what ends a text at its confidence floor, and the score of a whole text.

A token's confidence is the mean of -log p over its listed rivals, a group's the mean over neighbouring tokens
(DeepConf, released code). The sums are those of the verifier `DeepConf`, in the same order: both agree to the last bit.
A rival that was masked, or of which nothing is known, is left out: it says nothing of the model's doubt. Where what is
left is certain, as a token that a grammar forces, nothing is known of the model's doubt either.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from searchkit.errors import CapabilityError
from searchkit.kinds import innermost
from searchkit.types import ConfidenceFloor, Params, Token

MASKED = -1000.0
"""What is no more than this is no model's opinion, but what servers write for a token that cannot come (-inf, -9999,
the least number of some type): e^-1000 is no probability of any softmax."""

MOST = 1.0
"""What is more than this is no log-probability: servers round to a little above 0, in 16 bits and less."""

CERTAIN = -1e-6
"""What is no less than this is all of the probability, but for the rounding of 32 bits."""


def known(logs: Iterable[float]) -> list[float]:
    """The log-probabilities that say something: not masked, and numbers."""
    return [log for log in logs if log > MASKED]


def confidence(logs: Sequence[float]) -> float | None:
    """The confidence of one token, >= 0 up to rounding, from its rivals' log-probabilities; None if none is known, or
    masks left it no rival.

    >>> confidence([-0.5, -1.5, -9999.0]), confidence([0.0, -9999.0])
    (1.0, None)
    """
    said = known(logs)
    if not said or (len(said) < len(logs) and min(said) >= CERTAIN):
        return None
    return -math.fsum(said) / len(said)


def least(tokens: Sequence[Token], window: int) -> float | None:
    """The confidence of the least sure group of `window` tokens, >= 0; all tokens are one group where they are fewer.

    Tokens of which nothing is known do not count. None if there is no other.
    """
    found = [confidence([log for _, log in token.top]) for token in tokens]
    told = [one for one in found if one is not None]
    watch = Watch(min(window, len(told)))
    groups = [watch.push(one) for one in told]
    return min((group for group in groups if group is not None), default=None)


class Watch:
    """The running window of one text: the last `window` tokens, fed one by one."""

    def __init__(self, window: int) -> None:
        self._window: int = window
        self._sums: deque[float] = deque([0.0], maxlen=window + 1)  # of all confidences so far

    def add(self, logs: Sequence[float]) -> float | None:
        """The confidence of the window that ends with this token; None while it is not full, and for a token of which
        nothing is known, which does not count."""
        found = confidence(logs)
        return None if found is None else self.push(found)

    def push(self, found: float) -> float | None:
        """The same of a token's confidence."""
        self._sums.append(self._sums[-1] + found)
        if len(self._sums) <= self._window:
            return None
        return max((self._sums[-1] - self._sums[0]) / self._window, 0.0)


class Fall(Watch):
    """Whether a text is to end: a full window was below the floor."""

    def __init__(self, floor: ConfidenceFloor) -> None:
        super().__init__(floor.window)
        self._bar: float = floor.bar

    def at(self, logs: Sequence[float]) -> bool:
        """Whether the text ends with this token."""
        group = self.add(logs)
        return group is not None and not group >= self._bar


def check_floor(params: Params | None, source: Any) -> None:
    """`CapabilityError` if `params` have a floor and `source`, or the backend that it wraps, cannot end a text at it.

    A backend says that it can with an attribute ``ends_at_floor = True``.
    """
    if params is None or params.floor is None:
        return
    inner = innermost(source)
    if not getattr(inner, "ends_at_floor", False):
        raise CapabilityError(
            f"{type(inner).__name__} cannot end a text whose confidence falls: use Embedded, Transformers or OpenAI as "
            "the backend, or Params(floor=None)"
        )
