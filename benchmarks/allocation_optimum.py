"""The least share of uniform best-of-N's samples that any allocation needs, computed exactly.

    python benchmarks/allocation_optimum.py --json

The problems and the verifier of benchmarks/allocation.py, with scores rounded to a few bins. A policy knows how success
rates spread and how the verifier errs, but not a problem's rate. What it has seen of a problem is how many scores fell
into each bin, so the best policy that pays a price for every sample follows by dynamic programming over these counts,
and with many problems a price is as good as a budget. `share` is what part of the samples of uniform best-of-N, which
stops at its first score of `pass` or more, the best policy needs for the same accuracy; `one_ahead` the same for the
policy that asks for a sample while this one alone is worth its price, which is what `Allocation` does. Half a
minute.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Between the latent scores of right and of wrong samples: an AUROC of 0.8.
SHIFT = math.sqrt(2) * NormalDist().inv_cdf(0.8)
RATES = np.sin((np.arange(96) + 0.5) / 96 * np.pi / 2) ** 2  # equally likely ones, as of Beta(0.5, 0.5)
PRICES = np.geomspace(0.3, 0.0005, 60)
# For each N: the edges between bins, and the most samples a problem can have. Seven bins for 4 change shares by 0.02.
SETTINGS = {4: ((0.15, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), 11), 8: ((0.3, 0.5, 0.7, 0.8, 0.9, 0.95), 20)}
LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95, 2.0)


@dataclass(frozen=True)
class Verifier:
    """right, wrong: [bins], how likely a right and a wrong sample's score is in each."""

    right: Array
    wrong: Array

    @classmethod
    def of(cls, edges: Sequence[float]) -> Verifier:
        """Scores are the chance that a sample is right if half of them are."""
        latent = [(math.log(edge / (1 - edge)) + SHIFT**2 / 2) / SHIFT for edge in edges]
        parts = (np.diff([0, *(NormalDist(mean).cdf(x) for x in latent), 1]) for mean in (SHIFT, 0.0))
        return cls(*parts)

    @property
    def seen(self) -> Array:
        """[rates, bins]: the chance of a score there."""
        return np.outer(RATES, self.right) + np.outer(1 - RATES, self.wrong)

    @property
    def holds(self) -> Array:
        """[rates, bins]: the chance that a sample with such a score is right."""
        found: Array = np.outer(RATES, self.right) / self.seen
        return found


@dataclass(frozen=True)
class Level:
    """All there is to know after n samples: a state for each way in which their scores can fall into bins.

    stop: [states], the chance that the best of them is right. gain: [states], what one more adds to it. chances:
    [states, bins], of the next score; after: the same shape, the state of the next level that it leads to.
    """

    stop: Array
    gain: Array
    chances: Array
    after: NDArray[np.intp]


def levels(verifier: Verifier, horizon: int) -> Iterator[Level]:
    seen, holds, bins = verifier.seen, verifier.holds, len(verifier.right)
    unit = (horizon + 1) ** np.arange(bins, dtype=np.int64)  # counts as the digits of one number
    mixed = np.outer(RATES, verifier.right)
    above, above_right = (np.cumsum(x[:, ::-1], axis=1)[:, ::-1] - x for x in (seen, mixed))
    better = above_right - above * holds  # [rates, bins]: gained by one more sample over a best one in this bin
    states = np.zeros(1, dtype=np.int64)
    for n in range(horizon + 1):
        counts = states[:, None] // unit % (horizon + 1)
        weights = np.exp(counts @ np.log(seen).T)
        weights /= weights.sum(axis=1, keepdims=True)
        best = bins - 1 - (counts[:, ::-1] > 0).argmax(axis=1)
        stop, gain = (np.einsum("sr,rs->s", weights, x[:, best]) * (n > 0) for x in (holds, better))
        following = np.unique(states[:, None] + unit)
        yield Level(stop, gain, weights @ seen, np.searchsorted(following, states[:, None] + unit))
        states = following


def spend(levels: Sequence[Level], price: float, *, ahead: bool) -> tuple[float, float]:
    """(accuracy, samples a problem) of the best policy at this price; ahead: of the one that looks one sample ahead."""
    right, used = levels[-1].stop, np.zeros(len(levels[-1].stop))
    for n, level in reversed(list(enumerate(levels[:-1]))):
        then, more = ((level.chances * x[level.after]).sum(axis=1) for x in (right, used))
        worth = level.gain if ahead else then - price * more - level.stop
        goes_on = (worth > price) | (n == 0)
        right, used = np.where(goes_on, then, level.stop), np.where(goes_on, more + 1, 0.0)
    return float(right[0]), float(used[0])


def uniform(verifier: Verifier, n: int, first: int) -> tuple[float, float]:
    """The same for best-of-n that stops at its first score in bin `first` or above."""
    fails = verifier.seen[:, :first].sum(axis=1)
    tried = sum(fails**i for i in range(n))
    passed = RATES * verifier.right[first:].sum() * tried
    below = np.cumsum(verifier.seen[:, :first], axis=1)
    fresh = np.diff(np.pad(below, ((0, 0), (1, 0))) ** n, axis=1)  # the chance that a bin is the best of n failed ones
    return float((passed + (fresh * verifier.holds[:, :first]).sum(axis=1)).mean()), float(tried.mean())


def report() -> Iterator[dict[str, Any]]:
    for n, (edges, horizon) in SETTINGS.items():
        verifier = Verifier.of(edges)
        known = list(levels(verifier, horizon))
        policies = {"share": False, "one_ahead": True}
        found = {name: np.array([spend(known, p, ahead=one) for p in PRICES]) for name, one in policies.items()}
        for level in LEVELS:
            accuracy, used = uniform(verifier, n, int(np.searchsorted(edges, level)) + 1)
            needs = {name: float(np.interp(accuracy, points[:, 0], points[:, 1])) for name, points in found.items()}
            yield {"n": n, "pass": level, **{name: round(need / used, 3) for name, need in needs.items()}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    options = parser.parse_args()
    rows = list(report())
    line = "N {n}, pass {pass:<4}  at least {share:.3f}, looking one sample ahead {one_ahead:.3f}"
    print(json.dumps(rows) if options.json else "\n".join(line.format(**row) for row in rows))
