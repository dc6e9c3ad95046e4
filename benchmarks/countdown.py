"""Does search earn its tokens? Sampling against tree searches on Countdown, at equal generated tokens.

    python benchmarks/countdown.py --json            # 100 held-out problems, three budgets, about five minutes

Every strategy gets the embedded model and the same ceiling on generated tokens a problem, and may stop at its first
right answer. The environment knows only whether the steps so far are legal, and whether a finished solution is right;
nothing looks ahead, so unfinished states all have the same value. A problem counts as solved if a right answer was
found. Intervals are 95 %, over problems; differences to sampling are paired.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

import numpy as np

from searchkit import Budget, Model, Params, Strategy, solve_many
from searchkit.experiments import bootstrap, paired_bootstrap
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, problem
from searchkit.lab.countdown import Countdown
from searchkit.lab.environment import CountdownSteps
from searchkit.strategies import DVTS, MCTS, UCT, BeamSearch, BestFirst, BestOfN, ParticleFilter, Rollout, Widening

BUDGETS = (400, 1000, 2500)
SOLUTION = 40  # tokens of a typical solution, in three steps: what a beam costs from first to last step


def strategies(tokens: int) -> dict[str, Strategy]:
    """Each at the width that its cost formula gives for this many tokens."""
    steps = CountdownSteps()
    beams = max(4, tokens // SOLUTION // 4 * 4)
    tree: dict[str, Any] = {"environment": steps, "iterations": 1000, "threshold": 1.0}
    return {
        "sampling": BestOfN(1000, CHECKER, first_pass=True, window=4),
        "beam": BeamSearch(beams, 4, CHECKER, environment=steps),
        "dvts": DVTS(beams, 4, CHECKER, environment=steps),
        "mcts-uct": MCTS(CHECKER, policy=UCT(), evaluation=Rollout(), **tree),
        "mcts-wide": MCTS(CHECKER, policy=UCT(widening=Widening()), evaluation=Rollout(), **tree),
        "mcts-default": MCTS(CHECKER, environment=steps, threshold=1.0),
        "best-first": BestFirst(CHECKER, environment=steps, threshold=1.0),
        "particles": ParticleFilter(max(1, tokens // SOLUTION), CHECKER, environment=steps),
    }


def measure(problems: int, seed: int) -> list[dict[str, Any]]:
    tasks = [problem(puzzle) for puzzle in Countdown().puzzles(problems, "test")]
    model, rows = Model(Embedded(), Params(max_tokens=64)), []
    for tokens in BUDGETS:
        baseline = np.zeros((problems, 1))
        for name, strategy in strategies(tokens).items():
            outcomes = asyncio.run(
                solve_many(tasks, strategy, generator=model, budget=Budget(generated_tokens=tokens), seed=seed)
            )
            results = [o.value for o in outcomes]
            solved = np.array([[float(r is not None and any(c.score == 1 for c in r.candidates))] for r in results])
            baseline = solved if name == "sampling" else baseline
            accuracy, gain = bootstrap(solved), paired_bootstrap(solved, baseline)
            used = [r.usage.generated_tokens for r in results if r is not None]
            rows.append({
                "tokens": tokens, "strategy": name, "accuracy": float(accuracy.mean[0]),
                "low": float(accuracy.low[0]), "high": float(accuracy.high[0]), "over_sampling": float(gain.mean[0]),
                "over_low": float(gain.low[0]), "over_high": float(gain.high[0]), "mean_tokens": float(np.mean(used)),
                "failed": sum(o.error is not None for o in outcomes),
            })  # fmt: skip
            print(line(rows[-1]), file=sys.stderr)
    return rows


def line(row: dict[str, Any]) -> str:
    return (
        f"{row['tokens']:>6} {row['strategy']:<11} {100 * row['accuracy']:5.1f} [{100 * row['low']:5.1f}, "
        f"{100 * row['high']:5.1f}]   over sampling {100 * row['over_sampling']:+6.1f} "
        f"[{100 * row['over_low']:+6.1f}, {100 * row['over_high']:+6.1f}]   {row['mean_tokens']:7.0f} tokens used"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object; the table goes to stderr")
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = measure(options.problems, options.seed)
    if options.json:
        print(json.dumps({"problems": options.problems, "rows": found}))
