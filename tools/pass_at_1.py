"""pass@1 of two checkpoints on held-out Countdown puzzles, and their paired difference.

    python tools/pass_at_1.py runs/tuned --problems 400 --samples 16

The first is the model that ships. The puzzles are of the lab's test split, which no model here has learnt and no export
writes. Both are asked for the same puzzles; the interval is the paired bootstrap over puzzles, at 95 %.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from searchkit import Model, Params
from searchkit.experiments import draw, paired_bootstrap
from searchkit.generators import Embedded, shipped
from searchkit.lab.checker import CHECKER, problem
from searchkit.lab.countdown import Countdown


def shares(folder: Path, problems: int, samples: int) -> list[float]:
    """The share of right samples of each puzzle."""
    puzzles = [problem(one) for one in Countdown().puzzles(problems, "test")]
    model = Model(Embedded(folder), Params(max_tokens=80))
    pool = asyncio.run(draw(puzzles, model, samples, verifier=CHECKER))
    return [sum(entry.correct for entry in pool.entries[one.id]) / samples for one in puzzles]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a checkpoint with its model.onnx")
    parser.add_argument("--problems", type=int, default=400)
    parser.add_argument("--samples", type=int, default=16)
    options = parser.parse_args()
    before, after = (shares(f, options.problems, options.samples) for f in (shipped("countdown"), options.folder))
    n = len(before)
    found = paired_bootstrap(after, before, seed=0, level=0.95)
    print(f"pass@1 {sum(before) / n:.3f} as shipped, {sum(after) / n:.3f} {options.folder}: difference {found}")
    print(f"{n} puzzles, {options.samples} samples each")


if __name__ == "__main__":
    main()
