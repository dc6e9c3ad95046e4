"""Export of a sweep: rows a second, of the clock and of CPU, and the peak of memory, in a process of its own.

    PYTHONPATH=. python benchmarks/export.py --rows 100000 --json

The sweep is a real one of 1,000 problems on a simulated model, whose journal holds the prompts; its rows are then
written as often, under other seeds, as are asked for, since a hundred thousand searches would take longer than what is
measured. Its answers are made longer: 400 characters, as those of a small maths problem.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

PROBLEMS = 1000
LENGTH = 400  # characters of an answer
FORMATS = ("trl-kto", "trl-sft", "trl-dpo", "groups")


def made(folder: Path, rows: int) -> Path:
    """The folder of a finished sweep with so many rows."""
    from searchkit import Model, Problem, Prompt
    from searchkit.experiments import Sweep
    from searchkit.experiments.sweep import rows as sweep_rows
    from searchkit.generators import Simulated
    from searchkit.strategies import SelfConsistency
    from searchkit.verifiers import Exact

    problems = [Problem(f"p{i}", Prompt.of(f"What is {i} - {i} + 4? " + "Think. " * 20), "4") for i in range(PROBLEMS)]
    model = Model(Simulated({"4": 0.5, "5": 0.3, "6": 0.2}))
    out = folder / "sweep"
    Sweep(problems, {"one": SelfConsistency(1)}, truth=Exact(), endpoints=[model]).run(out)
    finished = sweep_rows.read(out)

    def copies():
        for seed in range(rows // PROBLEMS):
            for one in finished:
                answer = f"Sample {seed}. ".ljust(LENGTH, "x") + one.row.answer
                row = replace(one.row, seed=seed, answer=answer, right=seed % 2 == 0)  # so that each has pairs
                yield replace(one, row=row)

    sweep_rows.write(out, list(copies()))
    return out


def measured(source: Path, format: str) -> dict[str, object]:
    """One export; memory is that of the whole process, imports included."""
    from searchkit.export import export

    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.perf_counter(), time.process_time()
        done = export(source, Path(folder) / "rows.jsonl", format)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    rows = sum(done.rows.values())
    return {"format": format, "rows": rows, "seconds": round(seconds, 2), "cpu": round(cpu, 2), "peak_mb": round(peak)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)  # a process measures itself
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(Path(options.one[0]), options.one[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = made(Path(folder), options.rows)
        for format in FORMATS:
            command = [sys.executable, __file__, "--one", str(source), format]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for clock in ("seconds", "cpu"):
                found[f"rows_read_a_{clock.removesuffix('s')}"] = round(options.rows / found[clock])
            print(json.dumps(found) if options.json else found, flush=True)


if __name__ == "__main__":
    main()
