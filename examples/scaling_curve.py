"""A test-time-compute curve from one pool of samples: `python examples/scaling_curve.py [PNG]`.

Draw N samples a problem once; every method that is a function of the pool then costs nothing more. With a journal the
drawing resumes where it was interrupted.
"""

from __future__ import annotations

import asyncio
import sys

from searchkit import Model, Params
from searchkit.experiments import draw
from searchkit.experiments.estimators.curves import table
from searchkit.experiments.plots import save
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, operations, problem
from searchkit.lab.countdown import Countdown


async def main(picture: str) -> None:
    problems = [problem(puzzle) for puzzle in Countdown().puzzles(20, "dev")]
    pool = await draw(problems, Model(Embedded(), Params(max_tokens=64)), 16, verifier=CHECKER, key=operations)
    best, vote = pool.curve("best@k"), pool.curve("maj@k")
    print(table([best, vote]))
    gap = best.minus(vote)
    print(f"best@16 - maj@16: {gap.mean[-1]:.3f}, 95 % paired interval [{gap.low[-1]:.3f}, {gap.high[-1]:.3f}]")
    save([best, vote], picture)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "scaling_curve.png"))
