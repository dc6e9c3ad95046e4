"""Do 95 % intervals hold the truth 95 % of the time? Simulated studies, of which the truth is known.

    python benchmarks/intervals.py --json

A study draws problems from a distribution of difficulty and samples from each. The percentile bootstrap over problems
(`searchkit.experiments.bootstrap`) is asked for the accuracy over all problems of that distribution, and the paired one
for the difference to a better method on the same problems. Studies of three sizes:

mixed    p ~ Beta(0.5, 0.5): easy and impossible problems, accuracy 50 %
hard     p ~ Beta(0.5, 2): accuracy 20 %
rare     p ~ Beta(0.2, 3.8): accuracy 5 %, where few problems are solved at all
gain     mixed, and the other method solves with p + p (1 - p) / 2: 6.25 points more, 0 where p is 0 or 1

each with 16 samples a problem and with a single one. "covered" is the share of studies whose interval holds the truth;
by chance alone 95 % of such shares lie within 0.94 and 0.96 for 2,000 studies.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchkit.experiments import Interval, bootstrap, paired_bootstrap

SIZES = (40, 100, 400)
SAMPLES = (16, 1)
WORLDS = {"mixed": (0.5, 0.5), "hard": (0.5, 2.0), "rare": (0.2, 3.8), "gain": (0.5, 0.5)}


def study(world: str, problems: int, samples: int, studies: int, seed: int) -> tuple[Interval, float]:
    """The intervals of all studies, one a column, and what they should hold.

    All studies resample problems by the same draws, which leaves the chance of each to hold the truth as it is.
    """
    rng, (a, b) = np.random.default_rng(seed), WORLDS[world]
    rates = rng.beta(a, b, (problems, studies))

    def measured(chance: NDArray[np.float64]) -> NDArray[np.float64]:
        return rng.binomial(samples, chance) / samples

    if world != "gain":
        return bootstrap(measured(rates), seed=seed), a / (a + b)
    truth = a * b / (a + b) / (a + b + 1) / 2  # E[p (1 - p)] / 2
    return paired_bootstrap(measured(rates + rates * (1 - rates) / 2), measured(rates), seed=seed), truth


def coverage(world: str, problems: int, samples: int, studies: int, seed: int = 0) -> dict[str, Any]:
    found, truth = study(world, problems, samples, studies, seed)
    covered = float(((found.low <= truth) & (truth <= found.high)).mean())
    row = {"problems": problems, "study": world, "samples": samples, "covered": round(covered, 4)}
    return row | {"width": round(float((found.high - found.low).mean()), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.perf_counter()
    cells = [(world, n, samples) for n in SIZES for world in WORLDS for samples in SAMPLES]
    rows = [coverage(*cell, args.studies, args.seed) for cell in cells]
    if args.json:
        seconds = round(time.perf_counter() - began, 1)
        print(json.dumps({"studies": args.studies, "seed": args.seed, "seconds": seconds, "rows": rows}))
        return
    print("problems  study  samples  covered (%)  mean width (points)")
    for row in rows:
        print(
            f"{row['problems']:>8}  {row['study']:<5}  {row['samples']:>7}  {100 * row['covered']:>11.1f}"
            f"  {100 * row['width']:>19.1f}"
        )


if __name__ == "__main__":
    main()
