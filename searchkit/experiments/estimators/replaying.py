"""Methods without a closed form, replayed from a pool: what would they have made of its samples, in another order?

Samples of a problem are alike, so the order in which they were drawn is one of many. A method that stops early, or that
leaves samples out, is replayed on orders that are shuffled anew in each trial: in the recorded order alone it would
always meet the same luck.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from searchkit.engine import seeds
from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry, Sampled
from searchkit.experiments.estimators.compute import Compute
from searchkit.experiments.estimators.curves import Curve, points_of
from searchkit.experiments.estimators.intervals import bootstrap
from searchkit.experiments.estimators.optimistic import optimistic
from searchkit.experiments.unknown import of_pool
from searchkit.strategies.sampling.stopping import StoppingRule
from searchkit.strategies.selection.confident_vote import ConfidentVote, percentile

Entries = Sequence[Entry]
_TOKENS = ("generated_tokens", "prompt_tokens")


class Method(Protocol):
    """What a strategy makes of samples, by the fields of their entries alone."""

    def __call__(self, entries: Entries) -> tuple[float, int]:
        """The chance in [0, 1] that its answer is right, and how many samples it draws, if they come in this order."""
        ...


@dataclass(frozen=True)
class Adaptive:
    """`SelfConsistency` with a stopping rule, `BetaStopping()` or `EarlyStopping()`, drawing one sample at a time.

    Failed samples are drawn but have no vote, as there. Where nobody votes the answer is wrong. A strategy with several
    samples in flight takes some more than it counts here: those that it cancels.
    """

    rule: StoppingRule

    def __post_init__(self) -> None:
        if not callable(getattr(self.rule, "decided", None)):
            raise ConfigError(f"Adaptive needs a rule such as BetaStopping() or EarlyStopping(), got {self.rule!r}")

    def __call__(self, entries: Entries) -> tuple[float, int]:
        whole = [(i, entry) for i, entry in enumerate(entries, start=1) if entry.finish != "error"]
        votes = [entry.key for _, entry in whole]
        for n, (drawn, _) in enumerate(whole, start=1):
            if (deciding := self.rule.decided(votes[:n])) is not None:
                return _leader([(entry, 1.0) for _, entry in whole[n - deciding : n]]), drawn
        return _leader([(entry, 1.0) for _, entry in whole]), len(entries)


@dataclass(frozen=True)
class Confident:
    """DeepConf offline, as `ConfidentVote(eta)`: of the samples with key and score (>= 0) only the upper `eta` percent
    vote, each with its score."""

    # Said again on entries, because a replay through the rule itself takes six times as long; tests compare the two.

    eta: float = 90.0

    def __post_init__(self) -> None:
        ConfidentVote(self.eta)  # refuses what is no percentage

    def __call__(self, entries: Entries) -> tuple[float, int]:
        votes = [(entry, entry.score) for entry in entries if entry.key is not None and entry.score is not None]
        if any(score < 0 for _, score in votes):
            raise ConfigError("a weighted vote needs scores >= 0, and the pool has others: choose with scored_by(name)")
        bar = percentile([score for _, score in votes], 100 - self.eta) if votes else 0.0
        return _leader([vote for vote in votes if vote[1] >= bar]), len(entries)


@dataclass(frozen=True)
class SoftBest:
    """Soft best-of-N, as `Soft(tau)`: one sample, with probability proportional to exp(score / tau), tau > 0.

    The chance of a right one is summed up, not drawn.
    """

    tau: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.tau < math.inf:
            raise ConfigError(f"SoftBest needs a finite tau > 0, got {self.tau}; for tau = 0 there is best@k")

    def __call__(self, entries: Entries) -> tuple[float, int]:
        scored = [(entry.score, entry.correct) for entry in entries if entry.score is not None]
        top = max((score for score, _ in scored), default=0.0)  # subtracted so that exp cannot overflow
        weights = [math.exp((score - top) / self.tau) for score, _ in scored]
        right = math.fsum(w for w, (_, correct) in zip(weights, scored, strict=True) if correct)
        return (right / math.fsum(weights) if weights else 0.0), len(entries)


@dataclass(frozen=True)
class Replayed(Curve):
    """The curve of a method that was replayed. ks: the most samples that it may draw.

    compute: of the samples that it did draw; how many waited for others is not known. samples: their number, on
    average, one entry a point.
    """

    samples: tuple[float, ...] = field(kw_only=True)


def replay(
    pool: Sampled,
    method: Method,
    ks: Sequence[int] | None = None,
    *,
    trials: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> Replayed:
    """Accuracy and cost of `method` at every number of samples, over shuffled orders of each problem's samples.

    All orders are enumerated if there are at most `trials`, otherwise `trials` are drawn from `seed`: a problem's value
    then has a standard error of at most 0.5 / sqrt(trials), which the interval over problems contains. One order serves
    all `ks` (ascending, by default 1, 2, 4, ...), of which each sees the first k samples. Cost: no model call; twice
    the time where something is unknown, for `Curve.at_most`.
    """
    if trials < 1:
        raise ConfigError(f"trials must be >= 1, got {trials}")
    points = points_of(pool, ks)
    found = _all_replayed(pool, method, points, trials, seed)
    values = found[:, :, 0].copy()
    values.setflags(write=False)
    interval = bootstrap(values, seed=seed, level=level)
    samples, generated, prompt = (tuple(found[:, :, i].mean(axis=0).tolist()) for i in (1, 2, 3))
    bound = optimistic(pool)
    at_most = None if bound is None else _all_replayed(bound, method, points, trials, seed)[:, :, 0].mean(axis=0)
    return Replayed(
        getattr(method, "__name__", str(method)),
        points,
        *interval.columns(),
        Compute(generated, prompt if prompt[0] else ()),
        tuple(pool.entries),
        values,
        level,
        () if at_most is None else tuple(at_most.tolist()),
        of_pool(pool),
        samples=samples,
    )


def _all_replayed(pool: Sampled, method: Method, points: Sequence[int], trials: int, seed: int) -> NDArray[np.float64]:
    """[problems, points, (right, samples, generated tokens, prompt tokens)]"""
    columns = pool.entries.items()
    return np.array([_replayed(method, column, points, trials, seed, problem) for problem, column in columns])


def _replayed(
    method: Method, column: Entries, points: Sequence[int], trials: int, seed: int, problem: str
) -> list[list[float]]:
    """[points, (right, samples, generated tokens, prompt tokens)], means over the orders."""
    rows, tried = np.zeros((len(points), 4)), 0
    for order in _orders(len(column), points[-1], trials, seeds.seed_of(seeds.root(seed, problem))):
        drawn, tried = [column[i] for i in order], tried + 1
        for row, k in zip(rows, points, strict=True):
            right, samples = method(drawn[:k])
            generated, prompt = (sum(getattr(e, name) for e in drawn[:samples]) for name in _TOKENS)
            row += right, samples, generated, prompt
    means: list[list[float]] = (rows / tried).tolist()
    return means


def _orders(n: int, k: int, trials: int, seed: int) -> Iterable[Sequence[int]]:
    """The first `k` places of orders of `n` samples: all there are, or `trials` at random."""
    if math.perm(n, k) <= trials:
        return permutations(range(n), k)
    shuffled = np.random.default_rng(seed).permuted(np.tile(np.arange(n), (trials, 1)), axis=1)
    rows: list[list[int]] = shuffled[:, :k].tolist()
    return rows


def _leader(votes: Sequence[tuple[Entry, float]]) -> float:
    """1 if the answer with the greatest sum of weights is right, else 0: the first seen of equals, its best sample."""
    totals: dict[Hashable, float] = {}
    best: dict[Hashable, tuple[Entry, float]] = {}
    for entry, weight in votes:
        if entry.key is not None:
            totals[entry.key] = totals.get(entry.key, 0.0) + weight
            if entry.key not in best or weight > best[entry.key][1]:
                best[entry.key] = entry, weight
    return float(best[max(totals, key=totals.__getitem__)][0].correct) if totals else 0.0
