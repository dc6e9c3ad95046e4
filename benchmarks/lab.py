"""Which method earns its tokens? The lab's policies and reward models on held-out problems, at equal generated tokens.

    python benchmarks/lab.py --json --out runs/lab       # 1,000 problems of both tasks: hours, on two cores
    python benchmarks/lab.py --problems 40 --samples 64  # a first look in some minutes

Budgets are what 4, 16, 64 and 256 whole samples of a problem cost. Sampling: random pick, majority vote, vote weighted
by outcome reward, best of N by outcome or by process reward, and coverage (a perfect choice). Search: beam, DVTS,
particle filter and MCTS, all guided by the process reward, the answer by a vote weighted with it. No method is told
what is right. Then: the best method for each difficulty, chosen by two-fold cross-validation, and what it saves; and
best of N up to N = 1,024, where a reward model is over-optimised. Intervals are 95 %, over problems; differences are
paired.

Killed, it goes on where it was with the same command: `--out` keeps a line for each problem and method. The lines
behind the guide's tables are in benchmarks/results: intervals can be checked in a minute, and more problems added.

    mkdir -p runs/lab && cp benchmarks/results/*.gz runs/lab && gunzip runs/lab/*.gz
    python benchmarks/lab.py --json --plot docs/images/lab.png
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import lab_plot
import numpy as np
from lab_work import KEYS, SEARCHES, Job, blocks, identity, work

from searchkit.experiments import bootstrap, paired_bootstrap

BUDGETS = (4, 16, 64, 256)
SAMPLED = ("coverage", "random", "majority", "weighted", "process", "outcome")
BASELINE = "outcome"  # best-of-N by outcome reward: what the others are compared with
CHOICES = (*SAMPLED[2:], *SEARCHES)
BINS = 5
BLOCK = 16  # problems a job

Rows = dict[tuple[str, int], dict[int, dict[str, Any]]]  # (method, k) -> problem number -> row


class Store:
    """The rows of one task, in memory and as JSON lines."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path: Path = path
        self.rows: Rows = {}
        line = json.dumps(head)
        kept = path.read_text().split("\n")[:-1] if path.exists() else []
        if kept and kept[0] != line:
            raise SystemExit(f"{path} was begun with {kept[0]}: give --out another folder")
        for row in map(json.loads, kept[1:]):
            self._keep(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{x}\n" for x in kept or [line]))  # without a last line that was cut off

    def _keep(self, row: dict[str, Any]) -> None:
        self.rows.setdefault((row["method"], row["k"]), {})[row["number"]] = row

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        with self.path.open("a") as file:
            for row in rows:
                self._keep(row)
                file.write(json.dumps(row) + "\n")

    def missing(self, method: str, k: int, numbers: range) -> list[int]:
        return [n for n in numbers if n not in self.rows.get((method, k), {})]


def fill(store: Store, task: str, args: argparse.Namespace, pool: ProcessPoolExecutor) -> None:
    """Do what is missing: samples first, since they say what a search may spend."""
    numbers, deep = range(args.problems), range(min(args.problems, args.deep))
    common: dict[str, Any] = {"task": task, "split": args.split, "rewards": args.rewards}

    def submit(method: str, k: int, wanted: range) -> list[Job]:
        found = blocks(store.missing(method, k, wanted), BLOCK if k < 1024 else 4)
        return [Job(method=method, k=k, numbers=block, **common) for block in found]

    def finish(jobs: list[Job]) -> None:
        waiting = [pool.submit(work, job) for job in jobs]
        for done, future in enumerate(as_completed(waiting), 1):
            store.add(future.result())
            print(f"\r{task}: {done}/{len(jobs)} blocks ", end="", file=sys.stderr, flush=True)

    finish(submit("samples", args.samples, numbers) + (submit("samples", 1024, deep) if args.samples < 1024 else []))
    cost = {n: row["tokens"] for n, row in store.rows["samples", args.samples].items()}
    for k in (k for k in args.worth or BUDGETS if k <= args.samples):
        wanted = range(min(args.problems, args.wide)) if k == 256 else numbers
        jobs = [job for method in args.search or SEARCHES for job in submit(method, k, wanted)]
        finish([job.spending(tuple(round(k * cost[n]) for n in job.numbers)) for job in jobs])


def columns(rows: Rows, samples: int, k: int, numbers: Iterable[int]) -> dict[str, np.ndarray]:
    """[problems, 3] of accuracy, total and sequential tokens, for each method at one budget."""
    place, found, numbers = k.bit_length() - 1, {}, list(numbers)
    for method in SAMPLED:
        drawn = [rows["samples", samples][n] for n in numbers]
        found[method] = np.array([[row[method][place], k * row["tokens"], row["longest"][place]] for row in drawn])
    for method in SEARCHES:
        have = rows.get((method, k), {})
        if all(n in have for n in numbers):
            found[method] = np.array([[have[n]["right"], have[n]["tokens"], have[n]["sequential"]] for n in numbers])
            found[method + " coverage"] = found[method].copy()
            found[method + " coverage"][:, 0] = [have[n]["covered"] for n in numbers]
    return found


def spread(values: Any) -> list[float]:
    return [round(float(x), 4) for x in (values.mean, values.low, values.high)]


def table(rows: Rows, samples: int, problems: int, wide: int) -> list[dict[str, Any]]:
    found = []
    for k in (k for k in BUDGETS if k <= samples):
        numbers = range(min(problems, wide) if k == 256 else problems)
        at = columns(rows, samples, k, numbers)
        for method, values in at.items():
            found.append({
                "samples_worth": k, "method": method, "problems": len(numbers),
                "accuracy": spread(bootstrap(values[:, 0])),
                "over_outcome": spread(paired_bootstrap(values[:, 0], at[BASELINE][:, 0])),
                "over_majority": spread(paired_bootstrap(values[:, 0], at["majority"][:, 0])),
                "total_tokens": round(float(values[:, 1].mean()), 1),
                "sequential_tokens": round(float(values[:, 2].mean()), 1),
            })  # fmt: skip
    return found


def optimal(rows: Rows, samples: int, problems: int, wide: int, difficulty: str) -> list[dict[str, Any]]:
    """The best method for each bin of difficulty, chosen on one half of the problems and measured on the other.

    difficulty: "pass@1" sorts by the share of right ones among all samples drawn, which needs labels ("oracle" bins);
    "score" by their mean outcome reward, which needs none. Source: Snell et al. 2024, section 3.2. What estimating it
    costs is not counted.
    saved: best-of-N's samples at equal accuracy over this budget's, by interpolation in log N; None if it gets there
    with no number of samples up to all.
    """
    found, drawn = [], rows["samples", samples]
    for k in (k for k in BUDGETS if k <= samples):
        numbers = list(range(min(problems, wide) if k == 256 else problems))
        at = columns(rows, samples, k, numbers)
        order = np.argsort([drawn[n][difficulty] for n in numbers], kind="stable")
        bins, half, most = np.empty(len(numbers), int), np.empty(len(numbers), int), min(BINS, len(numbers) // 2)
        bins[order] = np.arange(len(numbers)) * most // len(numbers)
        half[order] = np.arange(len(numbers)) % 2  # either half of a bin is as hard as the other
        scores, chosen = np.zeros(len(numbers)), []
        for b in range(most):
            for fold in (0, 1):
                learn, test = (bins == b) & (half != fold), (bins == b) & (half == fold)
                best = max((m for m in CHOICES if m in at), key=lambda m: at[m][learn, 0].mean())
                scores[test] = at[best][test, 0]
                chosen.append(best)
        curve = np.array([drawn[n][BASELINE] for n in numbers]).mean(0)
        found.append({
            "samples_worth": k, "difficulty": difficulty, "accuracy": spread(bootstrap(scores)),
            "over_outcome": spread(paired_bootstrap(scores, at[BASELINE][:, 0])),
            "chosen": [chosen[i : i + 2] for i in range(0, len(chosen), 2)],
            "saved": saved(curve, float(scores.mean()), k),
        })  # fmt: skip
    return found


def saved(curve: np.ndarray, accuracy: float, k: int) -> float | None:
    """How many times `k` samples best-of-N needs for this accuracy; `curve` is its accuracy at 1, 2, 4, ... samples."""
    for i, reached in enumerate(curve):
        if reached >= accuracy:
            below = curve[i - 1] if i else reached
            part = (accuracy - below) / (reached - below) if i and reached > below else 1.0
            return round(2 ** (i - 1 + part if i else 0) / k, 2)
    return None


def overoptimised(rows: Rows, problems: int) -> list[dict[str, Any]]:
    """Accuracy of best-of-N under each reward model, next to coverage, for N = 1, 2, 4, ..."""
    drawn, methods = [rows["samples", 1024][n] for n in range(problems)], ("coverage", "outcome", "process")
    return [
        {"n": 2**i, **{m: spread(bootstrap([row[m][i] for row in drawn])) for m in methods}}
        for i in range(len(drawn[0]["coverage"]) if drawn else 0)
    ]


def show(task: str, report: dict[str, Any]) -> None:
    def interval(values: list[float]) -> str:
        mean, low, high = (100 * v for v in values)
        return f"{mean:5.1f} [{low:5.1f}, {high:5.1f}]"

    print(f"\n{task}: accuracy, its difference to best-of-N by outcome reward, tokens in all and in sequence")
    for r in report["table"]:
        print(
            f"{r['samples_worth']:>4} {r['method']:<19} {interval(r['accuracy'])}   {interval(r['over_outcome'])}"
            f"   {r['total_tokens']:8.0f} {r['sequential_tokens']:6.0f}"
        )
    for r in report["optimal"]:
        picks = " ".join("/".join(dict.fromkeys(pair)) for pair in r["chosen"])
        factor = "more than all" if r["saved"] is None else f"{r['saved']:.2f} times"
        print(
            f"{r['samples_worth']:>4} optimal by {r['difficulty']:<8} {interval(r['accuracy'])}   "
            f"{interval(r['over_outcome'])}   best-of-N needs {factor} the tokens; hard to easy: {picks}"
        )
    for r in report["overoptimised"]:
        print(f"N {r['n']:>5}  " + "   ".join(f"{m} {interval(r[m])}" for m in ("coverage", "outcome", "process")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object; the table goes to stderr")
    parser.add_argument("--task", choices=sorted(KEYS), action="append", help="both by default")
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=256, help="drawn of each problem, a power of two")
    parser.add_argument("--deep", type=int, default=200, help="of the problems get 1,024 samples")
    parser.add_argument("--wide", type=int, default=1000, help="of the problems are searched at the largest budget")
    parser.add_argument("--search", choices=SEARCHES, action="append", help="only this one; repeatable")
    parser.add_argument("--worth", choices=BUDGETS, type=int, action="append", help="only so many samples' tokens")
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument("--rewards", type=Path, help="folder of the reward models' folders; ours by default")
    parser.add_argument("--out", type=Path, default=Path("runs/lab"), help="folder of what was measured")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the table and best-of-N, too")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    if args.problems < 2:
        parser.error("--problems must be 2 at least: the best method is chosen on one half and measured on the other")
    if args.samples not in (2**i for i in range(2, 11)):
        parser.error(f"--samples must be a power of two from 4 to 1024, got {args.samples}")
    reports = {}
    with ProcessPoolExecutor(args.processes, multiprocessing.get_context("spawn")) as pool:
        for task in args.task or sorted(KEYS):
            store = Store(args.out / f"{task}.jsonl", {"split": args.split, **identity(task, args.rewards)})
            fill(store, task, args, pool)
            sizes = store.rows, args.samples, args.problems, args.wide
            reports[task] = {
                "table": table(*sizes),
                "optimal": [row for d in ("pass@1", "score") for row in optimal(*sizes, d)],
                "overoptimised": overoptimised(store.rows, min(args.problems, args.deep)),
            }
    with contextlib.redirect_stdout(sys.stderr if args.json else sys.stdout):
        for task, report in reports.items():
            show(task, report)
    if args.plot:
        lab_plot.save(reports, args.plot)
    if args.json:
        print(json.dumps({"problems": args.problems, "split": args.split, "tasks": reports}))


if __name__ == "__main__":
    main()
