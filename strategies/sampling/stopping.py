"""When has a vote been decided? Rules that look at the answers so far and say whether to stop sampling."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import Protocol

from searchkit.errors import ConfigError

Votes = Sequence[Hashable | None]  # one entry a sample, in order; None abstains


class StoppingRule(Protocol):
    def decided(self, votes: Votes) -> int | None:
        """None to go on; else the number of latest votes that decide (all of them, or one window)."""
        ...


@dataclass(frozen=True)
class BetaStopping:
    """Adaptive-Consistency with two classes: stop when P(the leader has the majority against the runner-up) is high.

    P is P(X > 1/2) for X ~ Beta(a + 1, b + 1), a and b the two greatest counts, in closed form. A unanimous vote stops
    at 4 samples with the default threshold. A threshold above 1 never stops.
    """

    threshold: float = 0.95

    def __post_init__(self) -> None:
        _check(self.threshold)

    def decided(self, votes: Votes) -> int | None:
        a, b = (*_counts(votes, 2), 0, 0)[:2]
        p = sum(math.comb(a + b + 1, j) for j in range(a + 1)) / 2 ** (a + b + 1)
        return len(votes) if p >= self.threshold else None


@dataclass(frozen=True)
class Dirichlet:
    """Adaptive-Consistency with the `top` greatest classes: stop when P(the leader is the likeliest class) is high.

    P is taken under a Dirichlet(counts + 1) posterior, exactly (the published code estimates it by Monte Carlo). With
    fewer than three classes this is `BetaStopping`. A threshold above 1 never stops.
    """

    threshold: float = 0.95
    top: int = 5

    def __post_init__(self) -> None:
        _check(self.threshold)
        if self.top < 2:
            raise ConfigError(f"Dirichlet compares at least 2 classes, got top={self.top}")

    def decided(self, votes: Votes) -> int | None:
        counts = _counts(votes, self.top)
        if len(counts) < 3:
            return BetaStopping(self.threshold).decided(votes)
        return len(votes) if leads(tuple(counts)) >= self.threshold else None


@lru_cache(maxsize=4096)
def leads(counts: tuple[int, ...]) -> float:
    """P(the first component is the largest) under Dirichlet(counts + 1), for whole counts.

    A Dirichlet vector is independent Gamma variables over their sum, so P is the integral of the first one's density
    times the others' distribution functions 1 - exp(-x) * sum_{k <= c} x^k / k!. Multiplied out, each term is
    x^m exp(-s x), whose integral is m! / s^(m + 1). In fractions, since the terms cancel.
    """
    first, others, total = counts[0], counts[1:], Fraction(0)
    for size in range(len(others) + 1):
        for chosen in combinations(others, size):
            powers = [Fraction(1)]
            for c in chosen:
                powers = _times(powers, [Fraction(1, math.factorial(k)) for k in range(c + 1)])
            integral = sum(
                p * Fraction(math.factorial(first + m), (size + 1) ** (first + m + 1)) for m, p in enumerate(powers)
            )
            total += (-1) ** size * integral / math.factorial(first)
    return float(total)


def _times(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    product = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            product[i + j] += x * y
    return product


@dataclass(frozen=True)
class EarlyStopping:
    """ESC: samples come in windows of `window`; stop when one whole window agrees, and answer with that window.

    A window with an abstention does not agree. A window of 1 stops at once. Source: the released `early_stop_gsm8k.py`.
    """

    window: int = 5

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ConfigError(f"EarlyStopping needs window >= 1, got {self.window}")

    def decided(self, votes: Votes) -> int | None:
        latest = votes[-self.window :]
        whole = len(votes) % self.window == 0 and len(votes) > 0
        return self.window if whole and latest[0] is not None and len(set(latest)) == 1 else None


def _counts(votes: Votes, top: int) -> list[int]:
    return [n for _, n in Counter(v for v in votes if v is not None).most_common(top)]


def _check(threshold: float) -> None:
    if not threshold > 0.5:
        raise ConfigError(f"a stopping threshold is a probability above 1/2 (above 1: never stop), got {threshold}")
