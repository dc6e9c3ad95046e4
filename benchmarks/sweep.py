"""What a sweep itself costs: the model answers at once, so that all that is measured is ours.

    python benchmarks/sweep.py --json

10,000 problems with 16 samples each, by a vote and by best-of-16 (whose verdicts are journaled too), with the journal
on; once in this process and once in two joblib processes.

NAME_samples_per_s       samples a second of wall time; on a busy machine that says more about the machine
NAME_samples_per_cpu_s   samples a second of CPU time of all processes: what one free core would do
NAME_peak_mb             largest resident memory of any one process, workers included, in MB
identical                whether both executors wrote the same bytes
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SAMPLES = 16


def half(value: str) -> float:
    return 0.5


def sweep(problems: int, strategy: str, executor: str, out: str) -> dict[str, float]:
    """Run one sweep in this fresh process, and measure it."""
    from joblib.externals.loky import get_reusable_executor

    from searchkit import Model, Problem, Prompt
    from searchkit.experiments.sweep.sweep import Sweep
    from searchkit.generators import Simulated
    from searchkit.strategies import BestOfN, SelfConsistency
    from searchkit.verifiers import Exact, Predicate

    searching: Any = {"vote": SelfConsistency(SAMPLES), "best": BestOfN(SAMPLES, Predicate(half, name="half"))}
    asked = [Problem(f"p{i}", Prompt.of(f"What is {i} - {i} + 4?"), "4") for i in range(problems)]
    model = Model(Simulated({"4": 0.5, "5": 0.3, "6": 0.2}))
    whole = Sweep(asked, {strategy: searching[strategy]}, truth=Exact(), endpoints=[model])
    began = time.perf_counter()
    assert whole.run(out, executor=executor, jobs=2).complete  # type: ignore[arg-type]
    wall = time.perf_counter() - began
    if executor == "processes":  # only a worker that has ended is counted
        get_reusable_executor().shutdown(wait=True)
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"wall_s": wall, "peak_mb": max(peaks) / 1024}


def measured(problems: int, strategy: str, executor: str, out: Path) -> dict[str, float]:
    """The same in a process of its own, whose CPU time and memory, and its children's, the system then tells."""
    before = os.times()
    command = [sys.executable, __file__, "--one", str(problems), strategy, executor, str(out)]
    figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    after, samples, name = os.times(), SAMPLES * problems, f"{strategy}_{executor}"
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {
        f"{name}_samples_per_s": samples / figures["wall_s"],
        f"{name}_samples_per_cpu_s": samples / cpu,
        f"{name}_peak_mb": figures["peak_mb"],
    }


def measure(problems: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for strategy in ("vote", "best"):
            outs = {executor: Path(folder) / f"{strategy}-{executor}" for executor in ("asyncio", "processes")}
            for executor, out in outs.items():
                figures |= measured(problems, strategy, executor, out)
            one, two = ((out / "results.jsonl").read_bytes() for out in outs.values())
            figures["identical"] = float(one == two and figures.get("identical", 1.0))
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        problems, *names = options.one
        print(json.dumps(sweep(int(problems), *names)))
        sys.exit()
    figures = measure(options.problems)
    if options.json:
        print(json.dumps({name: round(value, 1) for name, value in figures.items()}))
    else:
        print("\n".join(f"{name:<34} {value:10.1f}" for name, value in figures.items()))
