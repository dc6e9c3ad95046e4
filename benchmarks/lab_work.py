"""The work of benchmarks/lab.py, a block of problems at a time: one row for a problem's samples, one for each search.

Every row is a dictionary that JSON can hold, and depends on (task, problem, method, budget) alone.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from searchkit import Budget, Model, Params, Strategy, solve
from searchkit.environments import TextSteps
from searchkit.experiments import best_at_k, maj_at_k, pass_at_k, weighted_at_k
from searchkit.generators import Embedded, shipped
from searchkit.lab import checker
from searchkit.lab.arithmetic import answer
from searchkit.lab.evaluate_reward import Judged, judge
from searchkit.lab.reward import EmbeddedReward
from searchkit.lab.rollouts import TASKS, Rollouts, draw, problem
from searchkit.strategies import DVTS, MCTS, UCT, BeamSearch, BestFirst, ParticleFilter, Rerank, Vote, Widening
from searchkit.verifiers import OutcomeReward, ProcessReward

KEYS: dict[str, Callable[[str], Any]] = {"countdown": checker.operations, "arithmetic": answer}  # what a vote counts
ENDLESS = ("mcts", "mcts by default", "best-first", "best-first, both")  # tree searches know no end but their budget's
SEARCHES = ("beam", "dvts", "particles", *ENDLESS, "beam, agreeing")
AGREEING = {"arithmetic": 2.0, "countdown": 1.25}  # beams for each sample, of which agreement saves a part
STEP = 32  # tokens a step may have; a call is refused where that many are no longer free
AT_ONCE = 8  # problems in flight: their steps share the engine's batches


@dataclass(frozen=True)
class Job:
    """`method` is "samples", with `k` of them a problem, or one of SEARCHES with the tokens of `k` samples."""

    task: str
    method: str
    k: int
    numbers: tuple[int, ...]
    tokens: tuple[int, ...] = ()  # a tree search's ceiling for each problem
    split: str = "test"
    rewards: Path | None = None

    def spending(self, tokens: tuple[int, ...]) -> Job:
        return replace(self, tokens=tokens)


def identity(task: str, rewards: Path | None) -> dict[str, str]:
    """Names, with digests, of the models that all rows depend on."""
    kinds = ("outcome", "process")
    return {"policy": policy(task).name} | {kind: reward(task, kind, rewards).name for kind in kinds}


def work(job: Job) -> list[dict[str, Any]]:
    return asyncio.run(_samples(job) if job.method == "samples" else _searches(job))


@functools.lru_cache
def policy(task: str) -> Embedded:
    return Embedded(shipped(task), threads=1)


@functools.lru_cache
def reward(task: str, kind: str, folder: Path | None) -> EmbeddedReward:
    name = f"{task}-{kind}"
    return EmbeddedReward(folder / name if folder else shipped(name))


async def _samples(job: Job) -> list[dict[str, Any]]:
    rollouts = await draw(job.task, policy(job.task), job.numbers, job.k, job.split)
    judged = [await judge(reward(job.task, kind, job.rewards), rollouts) for kind in ("outcome", "process")]
    return [
        {"method": "samples", "number": number, "k": job.k, **estimates(KEYS[job.task], drawn, outcome, process)}
        for number, drawn, outcome, process in zip(job.numbers, rollouts, *judged, strict=True)
    ]


def estimates(key: Callable[[str], Any], drawn: Rollouts, outcome: Judged, process: Judged) -> dict[str, Any]:
    """For each method a list: its expected accuracy with 1, 2, 4, ... samples of those that were drawn."""
    right, keys = list(outcome.right), [key(s.text) for s in drawn.solutions for _ in range(s.count)]
    n, c = len(right), sum(right)
    ks, whole, steps = [2**i for i in range(n.bit_length())], outcome.final, process.final
    few = [k for k in ks if n <= 256]  # a vote among more takes seconds
    lengths = [len(s.text) + 1 for s in drawn.solutions for _ in range(s.count)]  # a token a character, and the end
    return {
        "tokens": sum(lengths) / n,
        "longest": [longest(lengths, k) for k in ks],
        "pass@1": c / n,
        "score": sum(whole) / n,
        "random": [c / n for _ in ks],
        "coverage": [pass_at_k(n, c, k) for k in ks],
        "majority": [maj_at_k(keys, right, k) for k in few],
        "weighted": [weighted_at_k(keys, whole, right, k) for k in few],
        "outcome": [best_at_k(whole, right, k) for k in ks],
        "process": [best_at_k(steps, right, k) for k in ks],
    }


def longest(lengths: Sequence[int], k: int) -> float:
    """The expected maximum of `k` of the lengths: a sum over the chances that it is above each."""
    chances = [pass_at_k(len(lengths), sum(n > least for n in lengths), k) for least in range(max(lengths))]
    return sum(chances)


def strategy(job: Job) -> Strategy:
    """A search that spends what `job.k` whole samples would: a beam or a particle for each, a quarter of them kept.

    Agreeing beams are more, by what they spend on development problems: 0.67 (0.51) of the tokens of 16 (64) samples of
    arithmetic, with twice as many, and about 0.9 of those of Countdown.
    """
    verifier = ProcessReward(reward(job.task, "process", job.rewards), separator="\n")
    vote = Vote(KEYS[job.task], weighted=True)
    steps = TextSteps(params=Params(max_tokens=STEP), max_steps=8)
    match job.method:
        case "beam":
            return BeamSearch(job.k, 4, verifier, steps, select=vote)
        case "beam, agreeing":
            return BeamSearch(4 * round(job.k * AGREEING[job.task] / 4), 4, verifier, steps, agree=2, select=vote)
        case "dvts":
            return DVTS(job.k, 4, verifier, steps, select=vote)
        case "particles":
            return ParticleFilter(job.k, verifier, steps, select=vote)
        case "mcts":
            return MCTS(verifier, UCT(0.3, widening=Widening()), steps, select=vote)  # what it was tuned to at first
        case "mcts by default":
            return MCTS(verifier, environment=steps, select=vote)
        case "best-first, both":
            outcome = OutcomeReward(reward(job.task, "outcome", job.rewards), range=(0.0, 1.0))
            return BestFirst(verifier, environment=steps, select=Rerank(outcome, vote))
        case "best-first":
            return BestFirst(verifier, environment=steps, select=vote)
    raise ValueError(job.method)


async def _searches(job: Job) -> list[dict[str, Any]]:
    search, slots, check = strategy(job), asyncio.Semaphore(AT_ONCE), TASKS[job.task][1]
    model = Model(policy(job.task), Params(max_tokens=64))

    async def one(number: int, tokens: int) -> dict[str, Any]:
        asked, _ = problem(job.task, number, job.split)
        # Only a tree search knows no end. The others end when their `k` texts do: a ceiling would cut the last steps.
        budget = Budget(generated_tokens=tokens + STEP // 2 if job.method in ENDLESS else None)
        async with slots:
            result = await solve(checker.problem(asked), search, generator=model, budget=budget, seed=number)
        return {
            "method": job.method, "number": number, "k": job.k,
            "right": bool(result.answer) and not result.sample.truncated and not check(asked, result.answer),
            "covered": any(not c.sample.truncated and not check(asked, c.sample.value) for c in result.candidates),
            "tokens": result.usage.generated_tokens, "sequential": result.sequential_tokens,
        }  # fmt: skip

    return await asyncio.gather(*map(one, job.numbers, job.tokens))


def blocks(numbers: Sequence[int], size: int) -> Iterable[tuple[int, ...]]:
    return (tuple(numbers[i : i + size]) for i in range(0, len(numbers), size))
