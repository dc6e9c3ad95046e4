"""Expected scores and pivots on held-out problems of the lab: does either choose better answers than what it replaces?

    python benchmarks/judging.py --json

For each problem of the test split `--samples` answers are drawn, and scored by the shipped outcome and process reward
models. The outcome model's chance p of a right answer is taken as the distribution of a yes-or-no judge: a sampled
score with R repeats is the mean of R verdicts that are "yes" with chance p, the expected score is p itself. So the two
differ in nothing but the draw of the last token. Every rule chooses among the same answers:

outcome, process    the greatest expected score of the one model or the other; "product": of both (`Rerank`)
sampled R           the greatest sampled score of the outcome model, of equals the first seen: mean of `--draws` draws
pivots k            `PivotTournament`: pivots by the process model, matches won by the greater expected outcome score
pivots k, sampled   the same, a match won by the greater of one sampled verdict each
round robin, sampled   every pair, a match likewise
majority            of equal answers

Intervals are 95 %, over problems; "over outcome" is paired. A match costs two verdicts, of which each text's is read
once; `matches` says how many.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from lab_work import KEYS, policy, reward

from searchkit.engine.run import Run, Search
from searchkit.experiments import bootstrap, paired_bootstrap
from searchkit.lab.evaluate_reward import judge
from searchkit.lab.rollouts import draw
from searchkit.protocols import Selector
from searchkit.strategies import PivotTournament, Tournament, Vote
from searchkit.types import Budget, Problem, Prompt, Sample, Scored, Verdict

PROMPT = Prompt.of("q")
PIVOTS, REPEATS = (1, 2, 4), (1, 4, 16)


@dataclass
class Matches:
    """A joint verifier over known chances: expected scores, or one verdict each, drawn anew for every match."""

    chances: Sequence[float]
    sampled: random.Random | None = None
    played: int = 0
    range: tuple[float, float] = (0.0, 1.0)
    joint: bool = True
    key: str = "known"

    def bind(self, problem: Problem) -> Matches:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        self.played += 1
        chances = [self.chances[sample.value[0]] for sample in samples]
        if self.sampled is None:
            return [Verdict(chance) for chance in chances]
        return [Verdict(float(self.sampled.random() < chance)) for chance in chances]


@dataclass(frozen=True)
class Answers:
    """One problem: its answers' keys, whether each is right, and both models' chances."""

    keys: Sequence[Any]
    right: Sequence[bool]
    outcome: Sequence[float]
    process: Sequence[float]

    def scored(self, scores: Sequence[float]) -> list[Scored]:
        return [
            Scored(Sample((i, key)), Verdict(score))
            for i, (key, score) in enumerate(zip(self.keys, scores, strict=True))
        ]


def first_best(scores: Sequence[float]) -> int:
    return max(range(len(scores)), key=lambda i: scores[i])


async def chosen(rule: Selector, answers: Answers, scores: Sequence[float], seed: int) -> float:
    run = Run.root(Search(Problem("p", PROMPT)), seed, Budget())
    index = (await rule.select(PROMPT, answers.scored(scores), run)).index
    return float(answers.right[0 if index is None else index])


def key_of(value: tuple[int, Any]) -> Any:
    return value[1]


async def accuracies(answers: Answers, draws: int, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """Of each rule how often it is right, and how many matches it played."""
    rng, n = random.Random(f"judging/{seed}"), len(answers.right)
    right, matches = answers.right, dict[str, float]()
    product = [a * b for a, b in zip(answers.outcome, answers.process, strict=True)]
    found = {
        "any": float(any(right)), "mean": sum(right) / n, "outcome": float(right[first_best(answers.outcome)]),
        "process": float(right[first_best(answers.process)]), "product": float(right[first_best(product)]),
        "majority": await chosen(Vote(key_of), answers, answers.outcome, seed),
    }  # fmt: skip

    def sampled(repeats: int) -> float:
        scores = [sum(rng.random() < chance for _ in range(repeats)) for chance in answers.outcome]
        return float(right[first_best(scores)])

    async def played(name: str, rule: Callable[[Matches], Selector], judge: Callable[[], Matches], times: int) -> None:
        hits = []
        for time in range(times):
            table = judge()
            hits.append(await chosen(rule(table), answers, answers.process, seed * 1000 + time))
            matches[name] = table.played
        found[name] = sum(hits) / times

    for repeats in REPEATS:
        found[f"sampled {repeats}"] = sum(sampled(repeats) for _ in range(draws)) / draws
    for k in PIVOTS:
        await played(f"pivots {k}", lambda table, k=k: PivotTournament(table, k), lambda: Matches(answers.outcome), 1)  # type: ignore[misc]
        await played(
            f"pivots {k}, sampled", lambda table, k=k: PivotTournament(table, k),  # type: ignore[misc]
            lambda: Matches(answers.outcome, rng), max(1, draws // 10),
        )  # fmt: skip
    await played(
        "round robin, sampled", lambda table: Tournament(table, "round-robin"),
        lambda: Matches(answers.outcome, rng), 1,
    )  # fmt: skip
    return found, matches


async def measured(task: str, problems: int, samples: int, draws: int) -> list[dict[str, Any]]:
    numbers = range(problems)
    rollouts = await draw(task, policy(task), numbers, samples, "test")
    outcome, process = [await judge(reward(task, kind, None), rollouts) for kind in ("outcome", "process")]
    rows, matches = list[dict[str, float]](), list[dict[str, float]]()
    for number, drawn, by_outcome, by_process in zip(numbers, rollouts, outcome, process, strict=True):
        keys = [KEYS[task](s.text) for s in drawn.solutions for _ in range(s.count)]
        answers = Answers(keys, by_outcome.right, by_outcome.final, by_process.final)
        row, played = await accuracies(answers, draws, number)
        rows.append(row)
        matches.append(played)
    baseline = np.array([row["outcome"] for row in rows])
    return [
        {
            "task": task, "rule": name, "problems": problems, "samples": samples,
            "accuracy": told(bootstrap([row[name] for row in rows])),
            "over_outcome": told(paired_bootstrap([row[name] for row in rows], baseline)),
            "matches": float(np.mean([played.get(name, 0.0) for played in matches])),
        }
        for name in rows[0]
    ]  # fmt: skip


def told(interval: Any) -> list[float]:
    return [round(float(x), 4) for x in (interval.mean, interval.low, interval.high)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--problems", type=int, default=150, help="of each task (default: 150)")
    parser.add_argument("--samples", type=int, default=16, help="answers to each (default: 16)")
    parser.add_argument("--draws", type=int, default=40, help="of sampled scores (default: 40)")
    options = parser.parse_args()
    rows = [
        row
        for task in ("arithmetic", "countdown")
        for row in asyncio.run(measured(task, options.problems, options.samples, options.draws))
    ]
    if options.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            print("{task:<10} {rule:<22} {accuracy}  over outcome {over_outcome}  {matches:.0f} matches".format(**row))
