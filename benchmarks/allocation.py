"""How many samples `Allocation` saves against uniform best-of-N that stops a problem at its first pass. Simulated.

    python benchmarks/allocation.py --json

Studies of 200 problems with success rates from Beta(0.5, 0.5) and a verifier of AUROC 0.8, whose scores are calibrated
for a success rate of 0.5. Uniform best-of-N draws up to N samples a problem and stops at the first that scores `pass`
or more (2: never). `share` is what part of its samples `Allocation` needs for the same accuracy, with a 95 % interval
over studies; `bound` the same for who knows every success rate and the verifier exactly, which nobody can beat on
average. The policy learns the verifier from 200 other problems with 8 labelled samples each. Minutes. (None: the
accuracy is not reached with 12 samples a problem.)

    python benchmarks/allocation.py --pool runs/scaling/arithmetic.jsonl --score outcome --studies 20

The same on samples of a real model: a pool with its truth and a score, here the one that examples/reproduce_scaling.py
leaves. In each study half of the problems, with 8 samples each, teach the verifier, and the other half are solved, in a
new order of their samples.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchkit.experiments import Allocation, Entry, Pool, ScoreModel, allocate

Array = NDArray[np.float64]
NORMAL = NormalDist()
SHIFT = math.sqrt(2) * NORMAL.inv_cdf(0.8)  # between the latent scores of right and wrong samples: an AUROC of 0.8
PROBLEMS, DEPTH, KNOWN = 200, 96, 8
GRID = [(n, level) for n in (4, 8, 16) for level in (0.5, 0.7, 0.8, 0.9, 0.95, 2.0)]
MEANS = np.array([1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12])  # samples a problem that are allocated
PRICES = (0.2, 0.14, 0.1, 0.07, 0.05, 0.035, 0.025, 0.017, 0.012, 0.009, 0.006, 0.004)  # of a sample, for the bound
EDGES = np.linspace(-4, 4 + SHIFT, 401)
WRONG, RIGHT = (np.diff([NormalDist(mean).cdf(edge) for edge in EDGES]) for mean in (0.0, SHIFT))


def study(rng: np.random.Generator, depth: int) -> tuple[Array, NDArray[np.bool_], Array, Array]:
    """Success rates [problems]; right, latent score and score, each [problems, depth]."""
    rates = rng.beta(0.5, 0.5, PROBLEMS)
    right = rng.random((PROBLEMS, depth)) < rates[:, None]
    latent = rng.normal(size=right.shape) + SHIFT * right
    return rates, right, latent, 1 / (1 + np.exp(-(SHIFT * latent - SHIFT**2 / 2)))


def pooled(right: NDArray[np.bool_], scores: Array) -> Pool:
    columns = zip(scores.tolist(), right.tolist(), strict=True)
    entries = ([Entry(None, score=s, correct=r) for s, r in zip(*column, strict=True)] for column in columns)
    return Pool({str(i): tuple(found) for i, found in enumerate(entries)})


def best(right: NDArray[np.bool_], scores: Array, used: NDArray[np.intp]) -> float:
    """Accuracy of the highest score among the first `used` samples of each problem."""
    among = np.where(np.arange(scores.shape[1])[None] < used[:, None], scores, -1.0)
    return float(right[np.arange(len(right)), among.argmax(1)].mean())


def uniform(right: NDArray[np.bool_], scores: Array, n: int, level: float) -> tuple[float, float]:
    """(accuracy, samples a problem)"""
    passed = scores[:, :n] >= level
    used = np.where(passed.any(1), passed.argmax(1), n - 1) + 1
    return best(right, scores, used), float(used.mean())


def knowing(rates: Array, right: NDArray[np.bool_], latent: Array, scores: Array, price: float) -> tuple[float, float]:
    """The same for who knows rates and verifier: goes on while a further sample is worth more than its price."""
    place = np.maximum.accumulate(np.clip(np.searchsorted(EDGES, latent) - 1, 0, len(WRONG) - 1), axis=1)
    seen = rates[:, None] * RIGHT + (1 - rates[:, None]) * WRONG
    share = rates[:, None] * RIGHT / seen
    above, above_right = (np.cumsum(x[:, ::-1], axis=1)[:, ::-1] for x in (seen, seen * share))
    stop = np.take_along_axis(above_right - above * share, place, axis=1) <= price
    stop[:, -1] = True
    used = stop.argmax(1) + 1
    return best(right, scores, used), float(used.mean())


def shares(weights: Array, allocated: Array, others: Array) -> list[float]:
    """For each place of the grid, the share of samples that reach its accuracy."""
    reached, wanted = np.maximum.accumulate(weights @ allocated), np.tensordot(weights, others, 1)
    need = [np.interp(accuracy, reached, MEANS) if accuracy <= reached[-1] else np.nan for accuracy, _ in wanted]
    return [float(n / used) for n, (_, used) in zip(need, wanted, strict=True)]


def measure(studies: int, seed: int) -> list[dict[str, Any]]:
    allocated, others = np.zeros((studies, len(MEANS))), np.zeros((studies, len(GRID), 2))
    bound = np.zeros((studies, len(PRICES), 2))
    for k in range(studies):
        rng = np.random.default_rng((seed, k))
        _, known, _, told = study(rng, KNOWN)
        policy = Allocation(ScoreModel.fit(pooled(known, told)))
        rates, right, latent, scores = study(rng, DEPTH)
        pool = pooled(right, scores)
        allocated[k] = [allocate(pool, policy, int(mean * PROBLEMS)).correct.mean() for mean in MEANS]
        others[k] = [uniform(right, scores, n, level) for n, level in GRID]
        bound[k] = [knowing(rates, right, latent, scores, price) for price in PRICES]
    return report(allocated, others, bound.mean(0))


def recorded(path: str, score: str, studies: int, seed: int) -> list[dict[str, Any]]:
    """Two halves a study, each in its turn the one that teaches."""
    pool = Pool.load(path).scored_by(score)
    names, allocated, others = list(pool.entries), list[list[float]](), list[list[tuple[float, float]]]()
    for k in range(studies):
        rng = np.random.default_rng((seed, k))
        columns = {name: [pool.entries[name][i] for i in rng.permutation(pool.size)] for name in names}
        first, second = np.array_split(rng.permutation(names), 2)
        for known, asked in ((first, second), (second, first)):
            policy = Allocation(ScoreModel.fit(Pool({name: tuple(columns[name][:KNOWN]) for name in known})))
            part = Pool({name: tuple(columns[name]) for name in asked})
            right = np.array([[entry.correct for entry in columns[name]] for name in asked])
            scores = np.array([[-1.0 if e.score is None else e.score for e in columns[name]] for name in asked])
            allocated.append([allocate(part, policy, int(mean * len(asked))).correct.mean() for mean in MEANS])
            others.append([uniform(right, scores, n, level) for n, level in GRID])
    return report(np.array(allocated), np.array(others))


def report(allocated: Array, others: Array, bound: Array | None = None) -> list[dict[str, Any]]:
    studies = len(allocated)
    found = shares(np.full(studies, 1 / studies), allocated, others)
    drawn = np.random.default_rng(0).multinomial(studies, np.full(studies, 1 / studies), size=1000) / studies
    spread = np.nanquantile([shares(weights, allocated, others) for weights in drawn], [0.025, 0.975], axis=0)
    rows = [
        {
            "n": n,
            "pass": level,
            "share": None if math.isnan(share) else round(share, 3),
            "low": round(float(low), 3),
            "high": round(float(high), 3),
        }
        for (n, level), share, low, high in zip(GRID, found, *spread, strict=True)
    ]
    if bound is not None:
        for row, (accuracy, used) in zip(rows, others.mean(0), strict=True):
            row["bound"] = round(float(np.interp(accuracy, bound[:, 0], bound[:, 1]) / used), 3)
    return rows


def shown(rows: Sequence[dict[str, Any]]) -> str:
    line = "N {n:>2}, pass {pass:<4}  share {share} [{low:.2f}, {high:.2f}]"
    ends = (f", bound {row['bound']:.2f}" if "bound" in row else "" for row in rows)
    return "\n".join(line.format(**row) + end for row, end in zip(rows, ends, strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--seed", type=int, default=30_000)
    parser.add_argument("--pool", help="a pool of a real model's samples instead of simulated ones")
    parser.add_argument("--score", default="outcome", help="which of its scores (default: outcome)")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    options = parser.parse_args()
    if options.pool:
        rows = recorded(options.pool, options.score, options.studies, options.seed)
    else:
        rows = measure(options.studies, options.seed)
    print(json.dumps(rows) if options.json else shown(rows))
