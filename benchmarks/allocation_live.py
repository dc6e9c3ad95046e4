"""What `solve_many(total=..., allocation=...)` saves live, against the shares of `benchmarks/allocation.py`.

    python benchmarks/allocation_live.py --studies 4            # simulated problems
    python benchmarks/allocation_live.py --embedded             # the lab's arithmetic model with its outcome reward

Simulated: the studies of `benchmarks/allocation.py`, whose samples a backend hands out one by one, so that all goes
through searches, verifiers and the allocation as it would with a model. `equal` says in how many of all runs the live
one spends the same samples on every problem, and answers with the same ones, as `allocate` on the recorded samples;
`share` is what part of the samples of uniform best-of-N (that never stops early) the same accuracy needs.

Embedded: 100 test problems, with as many seeds as studies; 100 dev problems with 8 samples each teach the verifier.
Uniform best-of-16 is searched with a journal, and every total is then spent live in the same journal: what has been
sampled is not sampled again. The interval is a bootstrap over problems. Minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.allocation import KNOWN, MEANS, PROBLEMS, pooled, study, uniform
from searchkit import Budget, Model, Outcome, Problem, Prompt, Result, solve_many
from searchkit.allocating import wave_of
from searchkit.calls import CallError, Request
from searchkit.engine.sync import run_sync
from searchkit.experiments import Allocation, ScoreModel, allocate, draw
from searchkit.strategies import BestOfN
from searchkit.types import Sample, Usage
from searchkit.verifiers import Predicate

Array = NDArray[np.float64]
SEEN = Predicate(lambda text: float(text.split()[1]), name="seen")
DEPTH = 40  # samples of a problem at most
MOST = 16  # of the embedded model
NEVER = 2.0  # a level that no score passes
EMBEDDED = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)  # samples a problem that are spent live


class Recorded:
    """Hands out sample j of problem i as "right 0.7" or "wrong 0.7"."""

    name = "recorded"

    def __init__(self, right: NDArray[np.bool_], scores: Array) -> None:
        self.right, self.scores = right, scores

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        return [self._one(int(request.prompt.text), request.index) for request in requests]

    def _one(self, problem: int, number: int) -> Sample[str]:
        right = "right" if self.right[problem, number] else "wrong"
        return Sample(f"{right} {float(self.scores[problem, number])!r}", usage=Usage(model_calls=1))


def spent(
    asked: Sequence[Problem], n: int, model: Model, verifier: Any, total: int, policy: Allocation, **options: Any
) -> list[Outcome[Result[Any]]]:
    """The outcomes of one total."""
    return run_sync(solve_many(
        asked, BestOfN(n, verifier), generator=model, total=Budget(generations=total), allocation=policy, **options
    ))  # fmt: skip


def simulated(studies: int, seed: int, means: Sequence[float]) -> dict[str, Any]:
    live, others, equal = np.zeros((studies, len(means))), np.zeros((studies, 3, 2)), 0
    began = time.perf_counter()
    for k in range(studies):
        rng = np.random.default_rng((seed, k))
        _, known, _, told = study(rng, KNOWN)
        policy = Allocation(ScoreModel.fit(pooled(known, told)))
        _, right, _, scores = study(rng, 96)
        right, scores = right[:, :DEPTH], scores[:, :DEPTH]
        asked = [Problem(str(i), Prompt.of(str(i))) for i in range(PROBLEMS)]
        for m, mean in enumerate(means):
            total = int(mean * PROBLEMS)
            outcomes = spent(asked, DEPTH, Model(Recorded(right, scores)), SEEN, total, policy)
            played = allocate(pooled(right, scores), policy, total)
            answered = [outcome.unwrap().answer.startswith("right") for outcome in outcomes]
            counts = [outcome.unwrap().usage.model_calls for outcome in outcomes]
            equal += answered == [bool(one) for one in played.correct] and counts == played.samples.tolist()
            live[k, m] = np.mean(answered)
        others[k] = [uniform(right, scores, n, NEVER) for n in (4, 8, 16)]
    reached = np.maximum.accumulate(live.mean(0))
    shares = {}
    for n, (accuracy, used) in zip((4, 8, 16), others.mean(0), strict=True):
        shares[n] = round(float(np.interp(accuracy, reached, means)) / used, 3) if accuracy <= reached[-1] else None
    seconds = round(time.perf_counter() - began)
    return {"studies": studies, "runs": studies * len(means), "equal": equal, "share": shares, "seconds": seconds}


def embedded(seeds: int, first: int) -> dict[str, Any]:
    from searchkit.generators import Embedded
    from searchkit.generators.embedded.checkpoint import shipped
    from searchkit.lab.arithmetic import Arithmetic
    from searchkit.lab.checker import ARITHMETIC, judge_answer, outcome_reward, problem

    model, reward = Model(Embedded(shipped("arithmetic"))), outcome_reward("arithmetic")
    known = [problem(one) for one in Arithmetic().expressions(100, "dev")]
    asked = [problem(one) for one in Arithmetic().expressions(100, "test")]
    policy = Allocation(ScoreModel.fit(run_sync(
        draw(known, model, KNOWN, verifier=ARITHMETIC, scorer=reward, seed=first)
    )))  # fmt: skip

    def passed(results: Sequence[Any]) -> list[bool]:
        return [bool(judge_answer(p.prompt, text).passed) for p, text in zip(asked, results, strict=True)]

    live, others, equal = np.zeros((seeds, len(EMBEDDED), len(asked))), np.zeros((seeds, 2, len(asked))), 0
    for k in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            journal, seed = Path(folder) / "run.db", first + k
            whole = run_sync(solve_many(asked, BestOfN(MOST, reward), generator=model, seed=seed, journal=journal))
            found = [outcome.unwrap().candidates for outcome in whole]
            right = np.array([passed([column[j].sample.value for column in found]) for j in range(MOST)]).T
            scores = np.array([[c.score for c in column] for column in found], dtype=float)
            for m, mean in enumerate(EMBEDDED):
                total = int(mean * len(asked))
                outcomes = spent(asked, MOST, model, reward, total, policy, seed=seed, journal=journal)
                results = [outcome.unwrap() for outcome in outcomes]
                live[k, m] = passed([result.answer for result in results])
                played = allocate(pooled(right, scores), policy, total, wave_of(len(asked)))
                counts = [result.usage.generations for result in results]
                equal += counts == played.samples.tolist() and live[k, m].tolist() == played.correct.tolist()
            for at, n in enumerate((4, 8)):
                others[k, at] = right[np.arange(len(right)), scores[:, :n].argmax(1)]
    told = {n: shares_of(live.mean(0), others[:, at].mean(0), n) for at, n in enumerate((4, 8))}
    return {"seeds": seeds, "runs": seeds * len(EMBEDDED), "equal": equal, "share": told}


def shares_of(live: Array, best: Array, n: int) -> dict[str, float]:
    """The share of samples that reach the accuracy of uniform best-of-n, with its interval over problems.

    live: [totals, problems], best: [problems], how often the answer was right. Where a resampled set of problems does
    not reach it with the greatest total, its share counts as that total's.
    """
    rng, found = np.random.default_rng(0), []
    for chosen in [np.arange(len(best)), *rng.integers(0, len(best), (1000, len(best)))]:
        reached, wanted = np.maximum.accumulate(live[:, chosen].mean(1)), best[chosen].mean()
        found.append(float(np.interp(wanted, reached, EMBEDDED)) / n)
    low, high = (round(float(bound), 3) for bound in np.quantile(found[1:], [0.025, 0.975]))
    return {"uniform": round(float(best.mean()), 3), "share": round(found[0], 3), "low": low, "high": high}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4)
    parser.add_argument("--seed", type=int, default=30_000)
    parser.add_argument("--embedded", action="store_true", help="the lab's arithmetic model instead")
    options = parser.parse_args()
    means = [float(mean) for mean in MEANS if mean <= 8]
    print(
        json.dumps(
            embedded(options.studies, options.seed)
            if options.embedded
            else simulated(options.studies, options.seed, means)
        )
    )
