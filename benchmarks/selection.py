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
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from published import DATA, qwen_math

from searchkit import Model, Params, solve_many
from searchkit.engine.run import Run, Search
from searchkit.experiments import Pool, SoftBest
from searchkit.generators import Embedded
from searchkit.lab import checker
from searchkit.lab.countdown import Countdown, check
from searchkit.protocols import Selector
from searchkit.result import Result
from searchkit.strategies import Argmax, BordaVote, ConfidentVote, FilteredBestOfN, Vote
from searchkit.strategies.common.choosing import fallback
from searchkit.strategies.sampling.deepconf_online import DeepConfOnline
from searchkit.types import Budget, Problem, Prompt, Sample, Scored, Verdict

PROMPT = Prompt.of("q")
TAUS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
ETAS = (10, 50, 90)


async def rules(pool: Pool) -> dict[str, float]:
    search, problems = Search(Problem("p", PROMPT)), list(pool.entries.values())

    async def right(rule: Selector) -> float:
        found = 0
        for entries in problems:
            scored = [Scored(Sample(entry.key), Verdict(entry.score)) for entry in entries]
            choice = await rule.select(PROMPT, scored, Run.root(search, 0, Budget()))
            found += choice.index is not None and entries[choice.index].correct
        return found

    def soft(tau: float) -> float:
        return round(sum(SoftBest(tau)(entries)[0] for entries in pool.scored_by("logit").entries.values()), 2)

    found: dict[str, float] = {
        "first": sum(entries[0].correct for entries in problems),
        "any": sum(any(entry.correct for entry in entries) for entries in problems),
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
        "rules": asyncio.run(rules(qwen_math(options.data))),
        "filtered": asyncio.run(filtered(options.problems)),
        "confident": asyncio.run(confident(options.problems)),
    }
    if options.json:
        print(json.dumps(told))
    else:
        print("\n".join(f"{name:<16} {value:6.2f} of 100" for name, value in told["rules"].items()))
        print("\n".join("tau {tau:<4}  {solved} solved, {tokens:,} tokens".format(**row) for row in told["filtered"]))
        print("\n".join("{vote:<12} {solved} solved, {tokens:,} tokens".format(**row) for row in told["confident"]))
