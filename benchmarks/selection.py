"""What selection rules are worth: recorded samples with a reward model's logits, and texts that are left unfinished.

    python benchmarks/selection.py --json

rules      right of 100 MATH problems, 8 answers of Qwen2.5-Math each, in ../shared/data or where --data says.
           Soft is its exact expectation
filtered   `FilteredBestOfN(16, process_reward(), tau)` on 60 Countdown puzzles of the development split: how many are
           solved, and generated tokens. tau 0 is plain best-of-16
confident  votes among 64 answers to the same puzzles: plain, weighted by DeepConf's score (window 8, 5 rivals), and of
           the upper eta percent: all written whole ("offline"), or 48 of the same texts given up where they fall below
           the bar that the other 16 set ("online")
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit import Model, Params, solve_many
from searchkit.generators.embedded import Embedded
from searchkit.lab import checker
from searchkit.lab.countdown import Countdown, check
from searchkit.protocols import Selector
from searchkit.run import Run, Search
from searchkit.strategies import Argmax, BordaVote, ConfidentVote, FilteredBestOfN, Vote
from searchkit.strategies.deepconf_online import DeepConfOnline
from searchkit.strategies.select import fallback
from searchkit.types import Budget, Problem, Prompt, Result, Sample, Scored, Verdict

DATA = Path(__file__).parents[2] / "shared" / "data"
PROMPT = Prompt.of("q")
TAUS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
ETAS = (10, 50, 90)


@dataclass(frozen=True)
class Recorded:
    """One problem: answers, whether each is right, and logits."""

    answers: Sequence[str]
    right: Sequence[bool]
    logits: Sequence[float]

    def scored(self) -> list[Scored]:
        return [
            Scored(Sample(answer), Verdict(1 / (1 + math.exp(-logit))))
            for answer, logit in zip(self.answers, self.logits, strict=True)
        ]


def recordings(data: Path) -> list[Recorded]:
    path = data / "qwen25_math_rm/math_cot_100.jsonl.gz"
    if not path.exists():
        raise SystemExit(f"{path} is missing: name the folder of the recordings with --data")
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [Recorded(row["pred"], list(map(bool, row["score"])), [s[0] for s in row["pred_score"]]) for row in rows]


async def rules(problems: Sequence[Recorded]) -> dict[str, float]:
    search = Search(Problem("p", PROMPT))

    async def right(rule: Selector) -> float:
        choices = [await rule.select(PROMPT, one.scored(), Run.root(search, 0, Budget())) for one in problems]
        return sum(one.right[c.index] for one, c in zip(problems, choices, strict=True) if c.index is not None)

    def soft(tau: float) -> float:
        found = 0.0
        for one in problems:
            weights = [math.exp((logit - max(one.logits)) / tau) for logit in one.logits]
            found += sum(w for w, r in zip(weights, one.right, strict=True) if r) / sum(weights)
        return round(found, 2)

    found: dict[str, float] = {
        "first": sum(one.right[0] for one in problems),
        "any": sum(any(one.right) for one in problems),
        "argmax": await right(Argmax()),
        "vote": await right(Vote(str)),
        "weighted vote": await right(Vote(str, weighted=True)),
    }
    found |= {f"borda {power}": await right(BordaVote(power, str)) for power in (0.5, 1, 2, 4)}
    found |= {f"confident {eta}": await right(ConfidentVote(eta, str)) for eta in (10, 50, 75, 90)}
    return found | {f"soft {tau}": soft(tau) for tau in (0.5, 1, 2, 5)}


async def confident(n: int) -> list[dict[str, Any]]:
    model, puzzles = Model(Embedded(), Params(max_tokens=64, logprobs=5)), Countdown().puzzles(n, "dev")
    problems, rows = [checker.problem(puzzle) for puzzle in puzzles], []

    async def drawn(eta: float) -> list[Result[Any]]:
        search = DeepConfOnline(64, eta, 8, key=checker.operations)
        return [outcome.unwrap() for outcome in await solve_many(problems, search, generator=model)]

    async def chosen(rule: Selector, result: Result[Any]) -> Any:
        choice = await rule.select(PROMPT, result.candidates, Run.root(Search(Problem("p", PROMPT)), 0, Budget()))
        index = fallback(result.candidates) if choice.index is None else choice.index
        return result.candidates[index].sample.value

    def tell(name: str, answers: Sequence[Any], results: Sequence[Result[Any]]) -> None:
        solved = sum(not check(puzzle, answer) for puzzle, answer in zip(puzzles, answers, strict=True))
        rows.append({"vote": name, "solved": solved, "tokens": sum(r.usage.generated_tokens for r in results)})

    whole = await drawn(100)
    rules: dict[str, Selector] = {
        "plain": Vote(checker.operations),
        "weighted": Vote(checker.operations, weighted=True),
    }
    rules |= {f"offline {eta}": ConfidentVote(eta, checker.operations) for eta in ETAS}
    for name, rule in rules.items():
        tell(name, [await chosen(rule, result) for result in whole], whole)
    for eta in ETAS:
        results = await drawn(eta)
        tell(f"online {eta}", [result.answer for result in results], results)
    return rows


async def filtered(n: int) -> list[dict[str, Any]]:
    model, puzzles = Model(Embedded(), Params(max_tokens=64)), Countdown().puzzles(n, "dev")
    problems, rows = [checker.problem(puzzle) for puzzle in puzzles], []
    for tau in TAUS:
        search = FilteredBestOfN(16, checker.process_reward(), tau)
        results = [outcome.unwrap() for outcome in await solve_many(problems, search, generator=model)]
        solved = sum(not check(puzzle, result.answer) for puzzle, result in zip(puzzles, results, strict=True))
        rows.append({"tau": tau, "solved": solved, "tokens": sum(r.usage.generated_tokens for r in results)})
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--problems", type=int, default=60, help="puzzles (default: 60)")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the recordings")
    options = parser.parse_args()
    told = {
        "rules": asyncio.run(rules(recordings(options.data))),
        "filtered": asyncio.run(filtered(options.problems)),
        "confident": asyncio.run(confident(options.problems)),
    }
    if options.json:
        print(json.dumps(told))
    else:
        print("\n".join(f"{name:<16} {value:6.2f} of 100" for name, value in told["rules"].items()))
        print("\n".join("tau {tau:<4}  {solved} solved, {tokens:,} tokens".format(**row) for row in told["filtered"]))
        print("\n".join("{vote:<12} {solved} solved, {tokens:,} tokens".format(**row) for row in told["confident"]))
