"""Spend one budget of samples where the next one is expected to help most, not equally over all problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.pool.pool import Pool
from searchkit.experiments.statistics.score_model import ScoreModel

Array = NDArray[np.float64]
Histories = Sequence[Sequence[float | None]]

RATES = np.sin((np.arange(24) + 0.5) / 24 * np.pi / 2) ** 2  # success rates p, dense near 0 and 1 as Beta(1/2, 1/2) is
MEANS, SIZES = np.arange(0.05, 1.0, 0.05), 0.25 * 2.0 ** np.arange(6)  # priors tried: a / (a + b) and a + b


@dataclass(frozen=True)
class Allocation:
    """Says which problems get the next samples, from the scores that each has got so far. Needs no truth.

    A problem's success rate p has a Beta prior, fitted anew to the scores of all problems (empirical Bayes), and
    `model` says how likely each score is if a sample is right or wrong. A problem's gain is how much likelier its best
    sample is expected to be right after one further sample (looking up to 16 further ones ahead chose no better). A
    sample that the verifier abstains from counts as one of the lowest scores.

    Pure: the same histories give the same problems. Cost: about a millisecond for 200 problems, no model calls.
    """

    model: ScoreModel

    def next_problems(self, histories: Histories, k: int) -> list[int]:
        """The `k` problems (all, if there are fewer) with the greatest gains, greatest first.

        Of equal gains (none is left where the best score is among the highest) the one with fewer samples comes first.

        histories: of each problem the scores of its samples in any order, None where the verifier abstained.
        """
        if k < 1:
            raise ConfigError(f"k must be >= 1 problem, got {k}")
        order = np.lexsort((np.array([len(scores) for scores in histories]), -self.gains(histories)))
        return [int(i) for i in order[:k]]

    def gains(self, histories: Histories) -> Array:
        """[problems]: by how much a further sample is expected to raise the chance that the best sample is right."""
        counts = self._counts(histories)
        right, mixed = np.array(self.model.right), np.outer(RATES, self.model.right)
        seen = mixed + np.outer(1 - RATES, self.model.wrong)  # [rates, bins]: the chance of a score there
        likely = _likelihood(counts, seen)
        weights = likely * _prior(likely)
        weights /= weights.sum(axis=1, keepdims=True)
        # One place more, at the front, for problems without a sample: whatever comes is better.
        best = (np.arange(1, len(right) + 1) * (counts > 0)).max(axis=1)
        holds = np.pad(mixed / seen, ((0, 0), (1, 0)))  # [rates, 1 + bins]: the chance that the best sample is right
        better, better_and_right = (_above(chance) for chance in (seen, mixed))
        found: Array = np.einsum("pr,rp->p", weights, (better_and_right - better * holds)[:, best])
        return found

    def _counts(self, histories: Histories) -> Array:
        """[problems, bins]: how many scores of each problem are in each bin."""
        if not histories:
            raise ConfigError("there are no problems to choose from")
        counts = np.zeros((len(histories), len(self.model.right)))
        problem = np.repeat(np.arange(len(histories)), [len(scores) for scores in histories])
        values = [-np.inf if score is None else score for scores in histories for score in scores]
        np.add.at(counts, (problem, self.model.bins(np.array(values, dtype=float))), 1.0)
        return counts


def _above(chances: Array) -> Array:
    """[rates, 1 + bins]: the chance of a bin above the one before, of any bin at first."""
    return np.pad(np.cumsum(chances[:, ::-1], axis=1)[:, ::-1], ((0, 0), (0, 1)))


def _likelihood(counts: Array, seen: Array) -> Array:
    """[problems, rates]: of each problem's scores given its success rate, the greatest scaled to 1."""
    logs = counts @ np.log(seen).T
    found: Array = np.exp(logs - logs.max(axis=1, keepdims=True))
    return found


def _prior(likely: Array) -> Array:
    """[rates]: the Beta distribution under which the scores of all problems together are likeliest."""
    a, b = (np.outer(means, SIZES).reshape(-1, 1) for means in (MEANS, 1 - MEANS))
    # RATES are equally spaced in the arcsine of sqrt(p), whose density there is p^(-1/2) (1 - p)^(-1/2).
    weights = RATES ** (a - 0.5) * (1 - RATES) ** (b - 0.5)
    weights /= weights.sum(axis=1, keepdims=True)
    # Not a matrix product: its threads cost ten times what they save on matrices of this size.
    found: Array = weights[np.log(np.einsum("pr,cr->pc", likely, weights)).sum(axis=0).argmax()]
    return found


@dataclass(frozen=True, eq=False)
class Allocated:
    """What a recorded pool gives under an allocation, rows in the order of `problems`.

    correct: [problems], 1 where the sample with the highest score is right (of equals the first), else 0.
    samples: [problems], how many each problem got.
    """

    problems: tuple[str, ...]
    correct: Array
    samples: NDArray[np.int64]


def allocate(pool: Pool, policy: Allocation, samples: int, wave: int = 16) -> Allocated:
    """Spend `samples` on a pool's problems by `policy`, `wave` problems at a time, reading entries in recorded order.

    A problem that has no more entries gets none: draw the pool deeper than the mean. Cost: no model calls.
    """
    columns = list(pool.entries.values())
    total = sum(map(len, columns))
    if not len(columns) <= samples <= total:
        raise ConfigError(f"samples must be in [{len(columns)}, {total}]: one a problem, up to all, got {samples}")
    if wave < 1:
        raise ConfigError(f"wave must be >= 1 problem, got {wave}")
    histories: list[list[float | None]] = [[column[0].score] for column in columns]
    spent = len(columns)
    while spent < samples:
        able = [i for i in policy.next_problems(histories, len(columns)) if len(histories[i]) < len(columns[i])]
        for i in able[: min(wave, samples - spent)]:
            histories[i].append(columns[i][len(histories[i])].score)
            spent += 1
    chosen = [_best(history) for history in histories]
    right = [i is not None and column[i].correct for i, column in zip(chosen, columns, strict=True)]
    return Allocated(tuple(pool.entries), np.array(right, dtype=float), np.array([*map(len, histories)]))


def _best(history: Sequence[float | None]) -> int | None:
    scored = [(score, -i) for i, score in enumerate(history) if score is not None]
    return -max(scored)[1] if scored else None
