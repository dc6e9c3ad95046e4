"""Does a pivot tournament find the winner of a round-robin, and the best sample? Simulated judges of known noise.

    python benchmarks/tournaments.py --json

n samples have a true worth from N(0, 1), and a score: that worth with normal noise of a standard deviation `noise`. In
each of the two orders of a match the judge names the better one with the chance 1 / (1 + exp(-sharp * difference of
worth)); where the orders disagree it is a tie. Every rule sees the same scores and the same outcomes of matches. "round
robin": how often a rule chooses what the round-robin chooses. "best": how often it chooses the sample of the greatest
worth. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit.engine.run import Run, Search
from searchkit.protocols import Selector
from searchkit.strategies import Argmax, PivotTournament, Tournament
from searchkit.types import Budget, Problem, Prompt, Sample, Scored, Verdict

PROMPT = Prompt.of("q")
SETTINGS = [(0.3, 4.0), (0.3, 8.0), (0.5, 4.0), (0.5, 8.0), (1.0, 4.0), (1.0, 8.0)]


@dataclass
class Judge:
    """A joint verifier that knows the outcome of every match, and counts those that are played."""

    results: dict[tuple[str, str], float]
    range: tuple[float, float] = (0.0, 1.0)
    joint: bool = True
    key: str = "table"
    matches: int = field(default=0)

    def bind(self, problem: Problem) -> Judge:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        one, other = (sample.text for sample in samples)
        self.matches += 1
        result = self.results[one, other] if (one, other) in self.results else 1 - self.results[other, one]
        return [Verdict(result), Verdict(1 - result)]


def drawn(rng: random.Random, n: int, noise: float, sharp: float) -> tuple[list[float], list[Scored], Judge]:
    worth, results = [rng.gauss(0, 1) for _ in range(n)], {}
    for i, j in itertools.combinations(range(n), 2):
        chance = 1 / (1 + math.exp(-sharp * (worth[i] - worth[j])))
        results[str(i), str(j)] = (int(rng.random() < chance) + int(rng.random() < chance)) / 2
    return worth, [Scored(Sample(str(i)), Verdict(worth[i] + rng.gauss(0, noise))) for i in range(n)], Judge(results)


def champion(judge: Judge, scored: Sequence[Scored]) -> int:
    """The round-robin's winner; of equal points the higher score. From the table: 496 matches take long to play."""
    points = [0.0] * len(scored)
    for (i, j), result in judge.results.items():
        points[int(i)] += result
        points[int(j)] += 1 - result
    return max(range(len(scored)), key=lambda i: (points[i], scored[i].score or 0.0))


async def measured(n: int, noise: float, sharp: float, trials: int, seed: int) -> list[dict[str, Any]]:
    rng, agreed, best, matches = (
        random.Random(f"{seed}/{noise}/{sharp}"),
        Counter[str](),
        Counter[str](),
        Counter[str](),
    )
    for trial in range(trials):
        worth, scored, judge = drawn(rng, n, noise, sharp)
        greatest, winner = max(range(n), key=lambda i: worth[i]), champion(judge, scored)
        rules: dict[str, Selector] = {"argmax": Argmax(), "knockout": Tournament(judge)}
        rules |= {f"{k} pivots": PivotTournament(judge, k) for k in (1, 2, 4, 8)}
        chosen: dict[str, int | None] = {"round-robin": winner}
        matches["round-robin"] += n * (n - 1) // 2
        for name, rule in rules.items():
            judge.matches = 0
            chosen[name] = (
                await rule.select(PROMPT, scored, Run.root(Search(Problem("p", PROMPT)), trial, Budget()))
            ).index
            matches[name] += judge.matches
        for name, index in chosen.items():
            agreed[name] += index == winner
            best[name] += index == greatest
    return [
        {
            "noise": noise, "sharp": sharp, "rule": name, "matches": matches[name] / trials,
            "round_robin": told(agreed[name], trials), "best": told(best[name], trials),
        }
        for name in matches
    ]  # fmt: skip


def told(found: int, trials: int, z: float = 1.96) -> list[float]:
    """The share, and Wilson's interval of it."""
    share, spread = found / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return [round(x, 3) for x in (share, centre - half, centre + half)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--samples", type=int, default=32, help="candidates (default: 32)")
    parser.add_argument("--trials", type=int, default=400, help="draws a setting (default: 400)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = [
        row
        for noise, sharp in SETTINGS
        for row in asyncio.run(measured(options.samples, noise, sharp, options.trials, options.seed))
    ]
    if options.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            print(
                "noise {noise:<4} sharp {sharp:<4} {rule:<12} {matches:6.1f} matches, round robin {round_robin}, "
                "best {best}".format(**row)
            )
