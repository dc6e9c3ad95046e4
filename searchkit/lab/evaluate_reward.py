"""Measure a reward model on held-out problems: does it rank samples, does it mean what it says, does it choose well?

    python -m searchkit.lab.evaluate_reward --task countdown --reward runs/countdown-process

Draws fresh samples of test problems from the policy, labels them with the exact checker, and prints, with 95 %
intervals from resampling whole problems:

- AUROC at each step: the chance that, of a right and a wrong sample of the same problem, the right one's steps so far
  score higher; ties count half, so a constant scores 0.5 and samples that still share their steps pull towards it;
- calibration error: root mean square difference between score and success, over equally filled bins of scores;
- choosing: accuracy of the best of 4 samples, between that of a single one and that of a perfect choice; and how often
  the right one is found among 3 wrong ones of the same problem (as RewardBench 2 asks; a constant finds 25 %).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.experiments import auroc, best_at_k, bootstrap, calibration_error, found_among, pass_at_k

if TYPE_CHECKING:
    from searchkit.lab.reward import EmbeddedReward
    from searchkit.lab.rollouts import Rollouts

BINS = 20  # of the calibration error


@dataclass(frozen=True)
class Judged:
    """All samples of one problem: was each right, and its scores, one a step (one in all from an outcome model)."""

    right: tuple[bool, ...]
    rows: tuple[tuple[float, ...], ...]

    @property
    def final(self) -> list[float]:
        return [row[-1] for row in self.rows]


def report(judged: Sequence[Judged], k: int = 4) -> dict[str, tuple[float, float, float]]:
    """Every figure as (mean, low, high). AUROC at a step covers the problems with a right and a wrong sample there."""
    found = {}
    for step in range(max(len(row) for j in judged for row in j.rows)):
        values = []
        for j in judged:
            there = [(row[step], right) for row, right in zip(j.rows, j.right, strict=True) if len(row) > step]
            if len({right for _, right in there}) == 2:
                values.append(auroc(*zip(*there, strict=True)))
        if len(values) >= 20:  # fewer say nothing
            found[f"AUROC at step {step + 1} ({len(values)} problems)"] = bootstrap(values)
    both = [j for j in judged if any(j.right) and not all(j.right)]
    found["AUROC at the end"] = bootstrap([auroc(j.final, j.right) for j in both])
    final, right = [j.final for j in judged], [j.right for j in judged]
    found["calibration error at the end"] = calibration_error(final, right, bins=BINS, power=2)
    flat = [[(s, r) for row, r in zip(j.rows, j.right, strict=True) for s in row] for j in judged]
    found["calibration error over all steps"] = calibration_error(
        [[s for s, _ in pairs] for pairs in flat], [[r for _, r in pairs] for pairs in flat], bins=BINS, power=2
    )
    found["pass@1"] = bootstrap([sum(j.right) / len(j.right) for j in judged])
    found[f"best of {k}"] = bootstrap([best_at_k(j.final, j.right, k) for j in judged])
    found[f"pass@{k}"] = bootstrap([pass_at_k(len(j.right), sum(j.right), k) for j in judged])
    able = [j for j in both if len(j.right) - sum(j.right) >= k - 1]
    found[f"right one of {k} found"] = bootstrap([found_among(j.final, j.right, k - 1) for j in able])
    return {name: (float(i.mean), float(i.low), float(i.high)) for name, i in found.items()}


async def judge(reward: EmbeddedReward, rollouts: Sequence[Rollouts]) -> list[Judged]:
    """Score all rollouts, equal texts of a problem once."""
    from searchkit.calls import CallError, Request
    from searchkit.lab.reward import lines
    from searchkit.types import Message, Params, Prompt, Text

    requests = []
    for problem in rollouts:
        for solution in problem.solutions:
            cuts = [0, *lines(solution.text)] if reward.kind == "process" else [0, len(solution.text)]
            parts = tuple(Text(solution.text[a:b]) for a, b in pairwise(cuts))
            asked = Prompt.of(problem.prompt)
            prompt = replace(asked, messages=(*asked.messages, Message("assistant", parts)))
            requests.append(Request(prompt, Params(max_tokens=1), seed=0))
    answers = iter(await reward.complete(requests))
    judged = []
    for problem in rollouts:
        both = []
        for solution in problem.solutions:
            answer = next(answers)
            if isinstance(answer, CallError):
                raise answer
            both += [(solution.right, tuple(json.loads(answer.text)))] * solution.count
        judged.append(Judged(tuple(right for right, _ in both), tuple(row for _, row in both)))
    return judged


def main() -> None:
    from searchkit.generators.embedded.backend import Embedded
    from searchkit.generators.embedded.checkpoint import shipped
    from searchkit.lab.reward import EmbeddedReward
    from searchkit.lab.rollouts import TASKS, draw

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=sorted(TASKS), required=True)
    parser.add_argument("--reward", type=Path, required=True, help="folder of the reward model")
    parser.add_argument("--policy", type=Path, help="folder of the policy; the task's shipped one by default")
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = parser.parse_args()

    async def run() -> list[Judged]:
        policy = Embedded(args.policy or shipped(args.task), threads=1)
        rollouts = await draw(args.task, policy, range(args.problems), args.samples, args.split)
        return await judge(EmbeddedReward(args.reward), rollouts)

    figures = report(asyncio.run(run()))
    if args.json:
        print(json.dumps(figures))
    else:
        for name, (mean, low, high) in figures.items():
            print(f"{name:40} {mean:.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
