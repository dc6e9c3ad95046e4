"""What running programs costs: HumanEval's own solutions against its tests, through `UnitTests`.

    python benchmarks/humaneval.py --json

passed              of HumanEval's 164 canonical solutions, as completions of the prompts; anything but 164 is a mistake
unknown             of these, how many abstain: their sandbox broke
passed_whole        the same as whole programs in fenced blocks
programs_per_s      warm interpreters, as many at once as there are cores; of the machine as busy as it is
cpu_ms_per_program  CPU time of all processes together: cores / this is the rate on an idle machine
sympy_ratio         the rate of the whole programs that import SymPy, named as a library, over their rate without it
level, cores        where it ran

The data are looked for in ../shared/data/human_eval, or in the folder that --data names.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

from searchkit.engine.run import Run, Search
from searchkit.sandbox.levels import Level, choose
from searchkit.sandbox.pool import POOL, cores
from searchkit.types import Budget, Problem, Prompt, Sample, Verdict
from searchkit.verifiers.code.unit_tests import UnitTests

DATA = Path(__file__).parents[2] / "shared" / "data" / "human_eval"


def records(data: Path) -> list[dict[str, Any]]:
    path = data / "HumanEval.jsonl.gz"
    if not path.exists():
        raise SystemExit(f"{path} is missing: name the folder of the data with --data")
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def fenced(record: dict[str, Any], first: str = "") -> str:
    return f"Here it is:\n```python\n{first}{record['prompt']}{record['canonical_solution']}```\n"


async def verdicts(
    rows: list[dict[str, Any]], texts: list[str], sandbox: Level, libraries: tuple[str, ...] = ()
) -> list[Verdict]:
    """All at once, each through a run."""
    run = Run.root(Search(Problem("p", Prompt.of("Write it."))), 0, Budget())

    async def one(item: tuple[dict[str, Any], str], child: Run) -> Verdict:
        record, text = item
        verifier = UnitTests(record, sandbox, libraries=libraries)
        [verdict] = await verifier.verify(Prompt.of("Write it."), [Sample(text)], child)
        return verdict

    return [outcome.unwrap() for outcome in await run.map(one, list(zip(rows, texts, strict=True)))]


def cpu() -> float:
    """CPU seconds of this process and of all below it, with their children that have ended."""
    parents, used = dict[int, int](), dict[int, int]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = path.read_text().rpartition(")")[2].split()
            parents[int(path.parent.name)], used[int(path.parent.name)] = int(words[1]), sum(map(int, words[11:15]))
    tree = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= grown
    return sum(used[pid] for pid in tree) / os.sysconf("SC_CLK_TCK")


async def library_ratio(rows: list[dict[str, Any]], sandbox: Level, library: str, repeats: int) -> float:
    """In turn with it and without; programs that use none of it, so that what they do is the same."""
    spent = {(): 0.0, (library,): 0.0}
    for turn in range(repeats + 1):
        for libraries in spent:
            texts = [fenced(record, "".join(f"import {name}\n" for name in libraries)) for record in rows]
            began = time.perf_counter()
            found = await verdicts(rows, texts, sandbox, libraries)
            spent[libraries] += time.perf_counter() - began if turn else 0.0  # the first turn warms the interpreters
            if not all(verdict.passed for verdict in found):
                raise SystemExit(f"{next(v.feedback for v in found if not v.passed)} (libraries={libraries})")
    return spent[()] / spent[(library,)]


async def measure(data: Path, sandbox: Level, repeats: int) -> dict[str, Any]:
    rows = records(data)
    texts = [record["canonical_solution"] for record in rows]
    whole = await verdicts(rows, [fenced(record) for record in rows], sandbox)  # warms the interpreters
    before, began = cpu(), time.perf_counter()
    for _ in range(repeats):
        found = await verdicts(rows, texts, sandbox)
    wall, used = time.perf_counter() - began, cpu() - before
    ratio = await library_ratio(rows, sandbox, "sympy", repeats)
    POOL.close()
    return {
        "passed": sum(verdict.passed is True for verdict in found),
        "unknown": sum(verdict.passed is None for verdict in found),
        "passed_whole": sum(verdict.passed is True for verdict in whole),
        "programs": len(rows),
        "programs_per_s": round(repeats * len(rows) / wall, 1),
        "cpu_ms_per_program": round(1e3 * used / (repeats * len(rows)), 2),
        "sympy_ratio": round(ratio, 3),
        "level": choose(sandbox),
        "cores": cores(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--sandbox", default="auto", choices=("auto", "bubblewrap", "landlock", "none"))
    parser.add_argument("--repeats", type=int, default=3, help="how often all programs are run for the rate")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the data")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.data, options.sandbox, options.repeats))
    print(json.dumps(figures) if options.json else "\n".join(f"{name:<22} {value}" for name, value in figures.items()))
