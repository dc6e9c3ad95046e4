"""Where does selection fall? The gap report of the lab's policies, whose samples a reward model chooses among.

    python benchmarks/gap.py --task countdown --problems 200 --samples 1024 --out runs/countdown.jsonl

Draws `--samples` solutions of each test problem, has the outcome model score them, writes the pool, and prints the gap
report: the same problems and samples as the last table of benchmarks/lab.py. `searchkit report runs/countdown.jsonl`
makes its page. `--vote` adds a majority vote.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

from lab_work import KEYS, policy, reward

from searchkit.experiments import Entry, Pool, gap_report
from searchkit.lab.evaluate_reward import judge
from searchkit.lab.rollouts import draw


async def drawn(task: str, problems: int, samples: int, *, vote: bool) -> Pool:
    """Every solution with its verdict and its score, equal texts as often as they were drawn."""
    rollouts = await draw(task, policy(task), range(problems), samples, "test")
    judged = await judge(reward(task, "outcome", None), rollouts)
    key = KEYS[task] if vote else lambda text: None
    return Pool({
        str(number): tuple(
            Entry(text, key(text), score, right, generated_tokens=len(text) + 1)
            for text, score, right in zip(
                (s.text for s in one.solutions for _ in range(s.count)), scores.final, scores.right, strict=True
            )
        )
        for number, (one, scores) in enumerate(zip(rollouts, judged, strict=True))
    })  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=sorted(KEYS), default="countdown")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--samples", type=int, default=1024, help="of each problem")
    parser.add_argument("--vote", action="store_true", help="with a majority vote")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the pool, as JSON lines")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    began = time.perf_counter()
    pool = asyncio.run(drawn(args.task, args.problems, args.samples, vote=args.vote))
    drawing, began = time.perf_counter() - began, time.perf_counter()
    found = gap_report(pool)
    if args.out:
        pool.save(args.out)
    took = time.perf_counter() - began
    if args.json:
        seconds = {"drawing_s": round(drawing, 1), "report_s": round(took, 1)}
        print(json.dumps({"task": args.task, "problems": len(pool), **seconds, **json.loads(found.to_json())}))
    else:
        print(f"{found.table()}\n{drawing:.0f} s to draw and score, {took:.0f} s for the report")


if __name__ == "__main__":
    main()
