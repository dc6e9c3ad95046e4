"""What a search costs beside the best possible one: every strategy in worlds with a known optimum.

    python benchmarks/worlds.py --json --out worlds.jsonl        # 200 seeds of everything: hours, on two cores
    python benchmarks/worlds.py --seeds 20 --world lock --strategy MCTS --strategy BestFirst

Two runs. "rate": what the answer is worth under the budget that the world's figures are published for, per cent with
95 % Wilson intervals (basins: the mean quality, with a bootstrap interval). "cost": draws until the first right answer
was drawn, in a budget of 20 times the optimum, over the optimum; a run without one counts as 20. Where a score is sure,
strategies stop at it by their threshold. Intervals are 95 %, over seeds.

Strategies have their defaults: a plain verifier, the world, and a budget, nothing else. Those that must be told a
number are given 16 (a quarter of it kept), TreeOfThoughts the published 5, AlphaMathBeam the published 3 and 5, best of
N as many whole answers as the budget allows. `METHODS` in worlds_work.py lists them, and the published settings.

Killed, it goes on where it was with the same `--out`. `--peers` adds rows that benchmarks/worlds_peers.py has printed.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from worlds_work import NAMES, TIMES, search

from searchkit.engine.progress import bar
from searchkit.experiments import bootstrap
from searchkit.testing.worlds import WORLDS

RUNS = ("rate", "cost")
BLOCK = 10  # seeds a job
Job = tuple[str, str, str, tuple[int, ...]]  # run, world, method, seeds
Rows = dict[tuple[str, str, str], dict[int, dict[str, Any]]]  # (run, world, method) -> seed -> row


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of lines; the last one may have been cut off."""
    if path.exists():
        yield from map(json.loads, path.read_text().split("\n")[:-1])


def keep(rows: Rows, new: Iterable[dict[str, Any]]) -> None:
    for row in new:
        rows.setdefault((row["run"], row["world"], row["method"]), {})[row["seed"]] = row


def work(job: Job) -> list[dict[str, Any]]:
    run, world, method, seeds = job
    return [search(run, world, method, seed) for seed in seeds]


def missing(rows: Rows, options: argparse.Namespace) -> Iterator[Job]:
    """What has not been computed yet, in blocks."""
    for world in options.world or WORLDS:
        for method in options.strategy or NAMES:
            for run in options.run or RUNS:
                have = rows.get((run, world, method), {})
                seeds = [seed for seed in range(options.seeds) if seed not in have]
                yield from ((run, world, method, tuple(seeds[i : i + BLOCK])) for i in range(0, len(seeds), BLOCK))


def fill(rows: Rows, options: argparse.Namespace) -> None:
    """Do what is missing, and write it down as it comes. Interrupted, end and keep the blocks that are under way."""
    jobs = list(missing(rows, options))

    def finish(future: Future[list[dict[str, Any]]]) -> None:
        keep(rows, found := future.result())
        if options.out is not None:
            with options.out.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in found)

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, context, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        waiting = {pool.submit(work, job) for job in jobs}
        with bar(len(jobs), "block") as shown:
            try:
                for future in as_completed(list(waiting)):
                    waiting.remove(future)
                    finish(future)
                    shown.update()
            except KeyboardInterrupt:
                print("\ninterrupted: ending what is under way", file=sys.stderr)
                pool.shutdown(cancel_futures=True)
                for future in (f for f in waiting if not f.cancelled()):
                    finish(future)


def wilson(right: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % score interval of a rate. Source: Wilson 1927."""
    p, zz = right / n, z * z / n
    middle, half = (p + zz / 2) / (1 + zz), z * math.sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz)
    return middle - half, middle + half


def figure(run: str, world: str, rows: Iterable[dict[str, Any]]) -> list[float]:
    """[mean, low, high]: per cent right, mean quality, or the cost over the reference."""
    rows = list(rows)
    if run == "cost":
        reference = WORLDS[world].reference
        costs = [TIMES if row["cost"] is None else min(TIMES, row["cost"] / reference) for row in rows]
        found = bootstrap(costs)
        return [round(float(x), 3) for x in (found.mean, found.low, found.high)]
    values = [row["success"] for row in rows]
    if all(value in (0.0, 1.0) for value in values):
        low, high = wilson(sum(values), len(values))
        return [round(100 * x, 1) for x in (sum(values) / len(values), low, high)]
    found = bootstrap(values)
    return [round(float(x), 3) for x in (found.mean, found.low, found.high)]


def report(rows: Rows, seeds: int) -> dict[str, Any]:
    """For each world its optimum, and for each method its figures."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(world for _, world, _ in rows):
        world, methods = WORLDS[name], defaultdict[str, dict[str, Any]](dict)
        for (run, where, method), by_seed in rows.items():
            chosen = [row for seed, row in sorted(by_seed.items()) if seed < seeds]
            if where == name and chosen:
                methods[method][run] = figure(run, name, chosen)
                methods[method][f"{run}_seeds"] = len(chosen)
                methods[method][f"{run}_spent"] = round(sum(row["spent"] for row in chosen) / len(chosen), 1)
        optimum = world.optimum
        told = {"optimum": round(optimum.cost, 2), "kind": optimum.kind, "how": optimum.how, "unit": optimum.unit}
        found[name] = {**told, "reference": round(world.reference, 2), "methods": dict(methods)}
    return found


def shown(figures: list[float] | None) -> str:
    return "" if figures is None else "{:.4g} [{:.3g}, {:.3g}]".format(*figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200, help="searches of each world with each method")
    parser.add_argument("--world", action="append", choices=WORLDS, metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--strategy", action="append", choices=NAMES, metavar="NAME", help="only this; repeatable")
    parser.add_argument("--run", action="append", choices=RUNS, help="only this one of the two runs")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, metavar="FILE", help="rows, as JSON lines; those there are not redone")
    parser.add_argument("--peers", type=Path, metavar="FILE", help="rows of benchmarks/worlds_peers.py")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rows: Rows = {}
    if options.out is not None:
        keep(rows, read(options.out))
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with options.out.open("w") as file:  # without a last line that was cut off
            file.writelines(json.dumps(row) + "\n" for by_seed in rows.values() for row in by_seed.values())
    fill(rows, options)
    if options.peers is not None:
        keep(rows, read(options.peers))
    found = report(rows, options.seeds)
    if options.json:
        print(json.dumps(found))
        return
    for name, world in found.items():
        print(f"\n{name}: optimum {world['optimum']} {world['unit']} ({world['kind']}: {world['how']})")
        for method, figures in world["methods"].items():
            print(f"  {method:24} rate {shown(figures.get('rate')):22} cost/optimum {shown(figures.get('cost'))}")


if __name__ == "__main__":
    main()
