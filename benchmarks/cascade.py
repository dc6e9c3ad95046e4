"""A cascade of embedded models: one that was trained for fewer steps, and the shipped one where it is not sure.

    python -m searchkit.lab.train --task arithmetic --steps 900 --batch 128 --out runs/small    # minutes on a CPU
    python -m searchkit.lab.export runs/small
    nice python benchmarks/cascade.py runs/small --json

The small model is as large as the shipped one, so a token of it costs as much here; it is weak, not cheap. What it is
worth where its tokens cost a tenth is reckoned from the same searches (`price`), as is a free one (0).

A bar is fitted on --problems of the dev split for each budget, and reported on as many of the test split. A row a
verifier: `agreement` of four samples of the small model, `logprob` of one, mean over its tokens. ends: the accuracy of
both models alone. Then for each price the threshold for 90 % of the gap as picked on dev: `accuracy`, `escalated`, the
`cost` in tokens of the shipped model, what it `saved` of the cost of a lot as accurate, and `gained` in points over a
lot at the same cost, with 95 % intervals over problems. `live` is the accuracy and the tokens of `Escalate`
itself with that bar over the same problems.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from searchkit import Model, Params, Result, solve
from searchkit.experiments import ChoiceCurve, Interval, auroc, choice_curve, choices
from searchkit.generators import Embedded, shipped
from searchkit.lab import checker
from searchkit.lab.arithmetic import Arithmetic, Expression, answer, check
from searchkit.strategies import Escalate
from searchkit.verifiers import Agreement, LogProb

PRICES = (1.0, 0.1, 0.0)  # of a token of the small model, in tokens of the shipped one
GAP = 0.9
PARAMS = Params(max_tokens=112, logprobs=1)
AT_ONCE = 16
VERIFIERS: dict[str, tuple[Any, int]] = {"agreement": (Agreement(answer), 4), "logprob": (LogProb(), 1)}
Found = tuple[list[bool], list[int], float | None]  # right and tokens of both, the score of the small one's answer


async def cascade(
    models: tuple[Model, Model], name: str, bar: float, problems: Sequence[Expression]
) -> list[Result[Any]]:
    verifier, draws = VERIFIERS[name]
    strategy, slots = Escalate(models, verifier, bar, draws=(draws, 1)), asyncio.Semaphore(AT_ONCE)

    async def one(expression: Expression) -> Result[Any]:
        async with slots:
            return await solve(checker.problem(expression), strategy)

    return await asyncio.gather(*map(one, problems))


def found(expression: Expression, result: Result[Any]) -> Found:
    """What both models said, of a cascade that asked both."""
    judged = [c for c in result.candidates if c.score is not None]
    best = max(judged, key=lambda c: c.score or 0.0, default=None)
    everything = [c for c in result.candidates if c.sample is not result.sample]
    small = (best or everything[0]).sample
    right = [check(expression, said.text) == "" for said in (small, result.sample)]
    dear = result.sample.usage.generated_tokens
    return right, [result.usage.generated_tokens - dear, dear], None if best is None else best.score


def curve(rows: Sequence[Found], price: float) -> ChoiceCurve:
    right, cost = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows], float)
    margin = [np.inf if row[2] is None else -row[2] for row in rows]
    return choice_curve(right, cost * np.array([price, 1.0]), margin, cascade=True)


def measured(name: str, small: Path, problems: int) -> Iterator[dict[str, Any]]:
    models = (Model(Embedded(small), PARAMS), Model(Embedded(shipped("arithmetic")), PARAMS))
    dev, test = (Arithmetic().expressions(problems, split) for split in ("dev", "test"))
    both = [asyncio.run(cascade(models, name, np.inf, part)) for part in (dev, test)]
    known, new = (
        [found(e, r) for e, r in zip(part, results, strict=True)]
        for part, results in zip((dev, test), both, strict=True)
    )
    scored = [(row[2], row[0][0]) for row in new if row[2] is not None]
    alone = [percent(row) for row in np.array([row[0] for row in new]).mean(axis=0)]
    yield {"verifier": name, "ends": alone, "auroc": round(auroc(*zip(*scored, strict=True)), 3)}
    for price in PRICES:
        own, reported = curve(known, price), curve(new, price)
        (_, low), (_, high) = own.ends
        threshold = own.threshold(accuracy=low + GAP * (high - low))
        cost, accuracy = reported.at(threshold)
        yield {
            "verifier": name, "price": price, "bar": -threshold, "accuracy": told(accuracy, 100), "cost": told(cost, 1),
            "shipped costs": round(reported.ends[1][0], 1), "escalated": percent((reported.margin >= threshold).mean()),
            "saved": told(reported.saved(threshold), 1), "gained": told(reported.gained(threshold), 100),
        }  # fmt: skip
    results = asyncio.run(cascade(models, name, math.nextafter(-threshold, math.inf), test))  # of the last price
    right = np.mean([check(e, r.sample.text) == "" for e, r in zip(test, results, strict=True)])
    arms, deciding = choices(results)
    tokens = np.mean([r.usage.generated_tokens for r in results])
    yield {
        "verifier": name, "live": percent(right), "tokens": round(float(tokens), 1), "arms": arms,
        "verifications": deciding.verifications,
    }  # fmt: skip


def percent(share: float) -> float:
    return round(100 * float(share), 1)


def told(interval: Interval, times: float) -> list[float]:
    return [round(times * float(bound), 3) for bound in (interval.mean, interval.low, interval.high)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("small", type=Path, help="the folder of the model that was trained for fewer steps")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--only", nargs="*", default=list(VERIFIERS), choices=list(VERIFIERS))
    parser.add_argument("--json", action="store_true", help="a line of JSON for each row")
    args = parser.parse_args()
    for name in args.only:
        for row in measured(name, args.small, args.problems):
            print(json.dumps(row) if args.json else "  ".join(f"{k} {v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
