"""Two checkouts side by side: each figure of a benchmark in pairs, old and new in turn, and the ratio pair by pair.

    python benchmarks/paired.py --old CHECKOUT engine tree [--runs 9] [--json] [--cpu [PART]]

Each checkout runs its own `benchmarks/NAME.py --json`. With `--cpu` both run that of the new one, and only its figures
of CPU and memory whose names have PART, so that an old checkout need not have them. A ratio above 1 says that the new
one is worse by so much, whichever way a figure counts: rates and efficiencies are turned around. The interval is a 95 %
bootstrap of the median of the ratios. The first pair warms up and does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
HIGHER_IS_BETTER = ("_per_s", "efficiency")


def figures(checkout: Path, scripts: Path, name: str, options: list[str]) -> dict[str, float]:
    """What a benchmark of `scripts` prints for `checkout`. Run elsewhere, so that the path alone says which source."""
    script, env = scripts / "benchmarks" / f"{name}.py", os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, str(script), "--json", *options]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def ratio(name: str, old: float, new: float) -> float:
    """How much worse the new figure is."""
    return old / new if any(part in name for part in HIGHER_IS_BETTER) else new / old


def interval(ratios: list[float], draws: int = 4000) -> tuple[float, float]:
    """95 % of the medians of resampled pairs."""
    rng = random.Random(0)
    medians = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(draws))
    return medians[int(0.025 * draws)], medians[int(0.975 * draws)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmarks", nargs="+", help="names of scripts in benchmarks/, such as engine")
    parser.add_argument("--old", type=Path, required=True, help="the checkout to compare with")
    parser.add_argument("--new", type=Path, default=HERE, help="by default the one that this script is in")
    parser.add_argument("--runs", type=int, default=9, help="pairs that count")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--cpu", nargs="?", const="", metavar="PART", help="figures of CPU and memory alone")
    options = parser.parse_args()
    cpu = [] if options.cpu is None else ["--cpu", options.cpu]
    pairs = defaultdict[str, list[tuple[float, float]]](list)
    for name in options.benchmarks:
        for run in range(options.runs + 1):
            print(f"{name}: pair {run} of {options.runs}", file=sys.stderr)
            order = (options.old, options.new) if run % 2 else (options.new, options.old)
            first, second = (
                figures(checkout.resolve(), (options.new if cpu else checkout).resolve(), name, cpu)
                for checkout in order
            )
            old, new = (first, second) if run % 2 else (second, first)
            for figure in old.keys() & new.keys() if run else ():
                pairs[figure].append((old[figure], new[figure]))
    rows = {}
    for figure, values in sorted(pairs.items()):
        ratios = [ratio(figure, old, new) for old, new in values]
        old, new = (statistics.median(column) for column in zip(*values, strict=True))
        low, high = interval(ratios)
        rows[figure] = {"old": old, "new": new, "ratio": statistics.median(ratios), "low": low, "high": high}
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{'figure':44} {'old':>10} {'new':>10}  new worse by, median of pairs")
    for figure, row in rows.items():
        worse = f"{row['ratio']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        print(f"{figure:44} {row['old']:10.4g} {row['new']:10.4g}  {worse}")


if __name__ == "__main__":
    main()
