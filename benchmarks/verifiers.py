"""What verifying costs: comparisons a second on one core, after warm-up, and what it adds to generating.

    python benchmarks/verifiers.py --json

gsm8k_answers_per_s   `MathEqual` on GSM8K's recorded solutions: the answer is found in the text, read and compared with
                      the reference; each in a call of its own to `verify`, as a search makes them
gsm8k_agreement       how many of these verdicts are the recorded ones; anything but 1.0 is a mistake
math_key_per_s        keys for votes, of Qwen2.5-Math's recorded responses
symbolic_per_s        pairs that need sympy: answers of MATH-500 with other values, through the worker
symbolic_ms_p99       of these, the wall time that 99 % do not exceed
worker_start_s        from nothing to the first answer of the worker
humaneval_passed      of HumanEval's 164 canonical solutions, run by `UnitTests`; anything but 164 is a mistake
humaneval_per_s       of these, with warm interpreters on all cores, at the sandbox that "auto" chooses
humaneval_cpu_ms      CPU time of all processes together for one of them
overlap_ms            best-of-16, generator of 100 ms with 4 slots, verifier of 50 ms with 2 slots, median:
                      500 if each sample is verified as it arrives, 800 if all of them are drawn first

The recordings are looked for in ../shared/data, or in the folder that --data names.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import humaneval

from searchkit import Model, solve
from searchkit.answers import keys
from searchkit.calls import Request
from searchkit.engine.run import Run, Search
from searchkit.generators import Limited
from searchkit.strategies import BestOfN
from searchkit.types import Budget, Problem, Prompt, Sample
from searchkit.verifiers import MathEqual, Predicate, math_key
from searchkit.verifiers.reference.maths.worker import Worker

DATA = Path(__file__).parents[2] / "shared" / "data"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
PROMPT = Prompt.of("How much is it?")
# What sympy is asked in earnest: identities, and expressions that differ.
SYMBOLIC = (
    (r"\sin 2x", r"2\sin x\cos x"),
    (r"\frac{1}{x+1}-\frac{1}{x+2}", r"\frac{1}{(x+1)(x+2)}"),
    (r"\sqrt{5+2\sqrt6}", r"\sqrt2+\sqrt3"),
    (r"\ln 8", r"3\ln 2"),
    (r"\cot x", r"\tan x"),
    (r"e^{x}", r"e^{-x}"),
)


def rows(data: Path, name: str) -> list[dict[str, Any]]:
    path = data / name
    if not path.exists():
        raise SystemExit(f"{path} is missing: name the folder of the recordings with --data")
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


async def gsm8k(data: Path, limit: int) -> tuple[float, float]:
    """(verdicts a second, share that agrees with the recording)."""
    recorded = rows(data, "gsm8k/example_model_solutions.jsonl.gz")[:limit]
    run = Run.root(Search(Problem("p", PROMPT)), 0, Budget())
    cases = [(MathEqual(keys.number, row["ground_truth"]), row[model]) for row in recorded for model in MODELS]
    for verifier, answer in cases[:100]:
        await verifier.verify(PROMPT, [Sample(answer["solution"])], run)
    began, agreed = time.perf_counter(), 0
    for verifier, answer in cases:
        [verdict] = await verifier.verify(PROMPT, [Sample(answer["solution"])], run)
        agreed += verdict.passed is answer["is_correct"]
    return len(cases) / (time.perf_counter() - began), agreed / len(cases)


def votes(data: Path) -> float:
    responses = [text for row in rows(data, "qwen25_math_rm/math_cot_100.jsonl.gz") for text in row["response"]]
    began = time.perf_counter()
    for text in responses:
        math_key(text)
    return len(responses) / (time.perf_counter() - began)


def symbolic(repeats: int) -> dict[str, float]:
    worker, began = Worker(), time.perf_counter()
    worker.compare(*SYMBOLIC[0])
    start, walls = time.perf_counter() - began, []
    for number in range(repeats):
        for a, b in SYMBOLIC:
            began = time.perf_counter()
            worker.compare(f"{number}({a})", f"{number}({b})")  # other texts each time: sympy remembers
            walls.append(time.perf_counter() - began)
    worker.close()
    walls.sort()
    return {
        "symbolic_per_s": len(walls) / sum(walls),
        "symbolic_ms_p99": 1e3 * walls[int(0.99 * len(walls))],
        "worker_start_s": start,
    }


class Slow:
    """A backend of 100 ms a call."""

    name = "slow"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str]]:
        await asyncio.sleep(0.1)
        return [Sample("text") for _ in requests]


async def overlap(repeats: int) -> float:
    """Milliseconds of a whole search, the median."""
    slots, walls = asyncio.Semaphore(2), []

    async def judge(_: str) -> float:
        async with slots:
            await asyncio.sleep(0.05)
        return 1.0

    search = BestOfN(16, Predicate(judge, name="slow"))
    for _ in range(repeats):
        began = time.perf_counter()
        await solve(PROMPT, search, generator=Model(Limited(Slow(), 4)))
        walls.append(time.perf_counter() - began)
    return 1e3 * statistics.median(walls)


def measure(data: Path, quick: bool) -> dict[str, float]:
    rate, agreement = asyncio.run(gsm8k(data, 200 if quick else 1319))
    figures = {"gsm8k_answers_per_s": rate, "gsm8k_agreement": agreement, "math_key_per_s": votes(data)}
    programs = asyncio.run(humaneval.measure(data / "human_eval", "auto", 1 if quick else 3))
    figures["humaneval_passed"] = min(programs["passed"], programs["passed_whole"])
    figures |= {"humaneval_per_s": programs["programs_per_s"], "humaneval_cpu_ms": programs["cpu_ms_per_program"]}
    figures["overlap_ms"] = asyncio.run(overlap(3 if quick else 9))
    return figures | symbolic(5 if quick else 50)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer answers")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the recordings")
    options = parser.parse_args()
    figures = measure(options.data, options.quick)
    if options.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
    else:
        print("\n".join(f"{name:<34} {value:10.3f}" for name, value in figures.items()))
