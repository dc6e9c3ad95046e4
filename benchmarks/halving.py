"""What does abandoning attempts that fall behind save, and what does it cost in accuracy?

    nice python benchmarks/halving.py --only agents --json                  # 200 seeds a world: minutes
    nice python benchmarks/halving.py --only wrapped --seeds 20 --json      # minutes, too: 10 ms a call
    nice python benchmarks/halving.py --only embedded --seeds 100 --json    # 100 held-out problems a task: minutes

agents      simulated agents: 16 attempts at a five-steps world of `searchkit.testing.worlds`, an action of the world a
            model call, judged by the world's own score. In two worlds nothing is ever sure, in the others the end is
            judged exactly, and in the last one beginnings mislead.
wrapped     the first of these worlds, played by an agent of five requests through OpenAI's SDK over `AgentSteps`.
embedded    the shipped policies on held-out problems, 16 texts, by their process reward models; the answer by a vote
            weighted with it.

Each row compares with the same attempts, none of them abandoned: `difference` in accuracy, `share` of the tokens. With
the same checkpoints an attempt is the same text in both as far as it gets, so both are paired. `of_best_of_n` are the
tokens over those of as many whole attempts as reach the same accuracy (by interpolation in log N over all subsets of
the 16; 1 would be no gain; None that 16 do not reach it, as does an interval that begins at 0). Intervals are 95 %,
over seeds or problems.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import openai
from agent_steps import NOWHERE, Player, conversation, place_of, verifier
from lab_work import KEYS, STEP, policy, reward

from searchkit import Model, Params, Result, Strategy, solve
from searchkit.agents import async_client
from searchkit.environments import AgentSteps, TextSteps
from searchkit.experiments import best_at_k, bootstrap, paired_bootstrap, weighted_at_k
from searchkit.lab import checker
from searchkit.lab.rollouts import TASKS, problem
from searchkit.strategies import SuccessiveHalving, Vote
from searchkit.testing.worlds import WORLDS
from searchkit.verifiers import ProcessReward

N = 16
SETTINGS: dict[tuple[int, ...], tuple[float, ...]] = {(1,): (0.5,), (2,): (0.5,), (1, 2): (0.5, 0.75)}  # at, keep
CURVE = tuple(2**i for i in range(N.bit_length()))
DRAWS = 1000  # of the bootstrap of a ratio
AT_ONCE = 8

Check = Callable[[Any], bool]  # of an answer, whether it is right
Found = Callable[[tuple[int, ...], float], list[Result[Any]]]  # at, keep -> a result for each seed or problem


def agents(seeds: int) -> Iterator[dict[str, Any]]:
    for name in ("steps, strong", "steps, weak", "tree of four", "deceptive"):
        world: Any = WORLDS[name]

        def found(at: tuple[int, ...], keep: float, world: Any = world) -> list[Result[Any]]:
            strategy = SuccessiveHalving(N, world.verifier, at, keep, environment=world, rounds=world.depth)
            return [asyncio.run(solve("play", strategy, seed=seed)) for seed in range(seeds)]

        yield from rows("agents", name, found, [opens] * seeds, by_argmax)


def opens(place: Any) -> bool:
    return bool(place.right)


def wrapped(seeds: int) -> Iterator[dict[str, Any]]:
    world: Any = WORLDS["steps, strong"]
    api = openai.AsyncOpenAI(base_url=NOWHERE, api_key="none", http_client=async_client())
    agent, judge, model = conversation(api, world.depth), verifier(world), Model(Player(world))

    def found(at: tuple[int, ...], keep: float) -> list[Result[Any]]:
        steps = AgentSteps(agent, live=N)
        strategy = SuccessiveHalving(N, judge, at, keep, environment=steps, rounds=world.depth)
        return [asyncio.run(solve("play", strategy, generator=model, seed=seed)) for seed in range(seeds)]

    def right(value: Any) -> bool:
        return isinstance(value, str) and place_of(world, value).worth == 1

    yield from rows("wrapped", "steps, strong", found, [right] * seeds, by_argmax)


def embedded(problems: int) -> Iterator[dict[str, Any]]:
    for task in ("arithmetic", "countdown"):
        judge = ProcessReward(reward(task, "process", None), separator="\n")
        asked = [problem(task, number, "test")[0] for number in range(problems)]

        def found(
            at: tuple[int, ...], keep: float, task: str = task, judge: Any = judge, asked: Any = asked
        ) -> list[Result[Any]]:
            steps = TextSteps(params=Params(max_tokens=STEP), max_steps=8)
            vote = Vote(KEYS[task], weighted=True)
            strategy = SuccessiveHalving(N, judge, at, keep, environment=steps, select=vote)
            return asyncio.run(all_of(asked, strategy, Model(policy(task), Params(max_tokens=64))))

        def by_vote(result: Result[Any], right: Check, task: str = task) -> list[float]:
            scores, rights = scored(result, right)
            keys = [None if c.sample.truncated else KEYS[task](c.sample.value) for c in result.candidates]
            return [weighted_at_k([*keys, *[None] * (N - len(keys))], scores, rights, k) for k in CURVE]

        yield from rows("embedded", task, found, [partial(solves, task, one) for one in asked], by_vote)


def solves(task: str, asked: Any, text: str) -> bool:
    return not TASKS[task][1](asked, text)


async def all_of(asked: Sequence[Any], strategy: Strategy, model: Model) -> list[Result[Any]]:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, puzzle: Any) -> Result[Any]:
        async with slots:
            return await solve(checker.problem(puzzle), strategy, generator=model, seed=number)

    return await asyncio.gather(*(one(number, puzzle) for number, puzzle in enumerate(asked)))


def scored(result: Result[Any], right: Callable[[Any], bool]) -> tuple[list[float | None], list[bool]]:
    """The scores of the finished attempts, and which of them are right; of fewer than all the others are wrong."""
    found = [(c.score, not c.sample.truncated and right(c.sample.value)) for c in result.candidates]
    found += [(None, False)] * (N - len(found))
    return [score for score, _ in found], [r for _, r in found]


def by_argmax(result: Result[Any], right: Check) -> list[float]:
    return [best_at_k(*scored(result, right), k) for k in CURVE]


def rows(
    what: str, name: str, found: Found, checks: Sequence[Check], curve: Callable[[Result[Any], Check], list[float]]
) -> Iterator[dict[str, Any]]:
    """One row for each setting, and one for its attempts that were all finished."""
    for at, keeps in SETTINGS.items():
        whole = found(at, 1.0)
        base, line = measured(whole, checks), np.array([curve(*pair) for pair in zip(whole, checks, strict=True)])
        common = {"what": what, "where": name, "n": N, "over": len(whole), "at": at}
        yield common | {"keep": 1.0, "right": told(bootstrap(base[:, 0])), "tokens": float(base[:, 1].mean())}
        for keep in keeps:
            results = found(at, keep)
            here = measured(results, checks)
            yield common | {
                "keep": keep, "right": told(bootstrap(here[:, 0])), "tokens": float(here[:, 1].mean()),
                "difference": told(paired_bootstrap(here[:, 0], base[:, 0])),
                "share": told(ratio(here[:, 1], base[:, 1])),
                "of_best_of_n": equal(here, line, base[:, 1].mean() / N),
                "verdicts": float(np.mean([r.usage.verifications for r in results])),
            }  # fmt: skip


def measured(results: Sequence[Result[Any]], checks: Sequence[Check]) -> Any:
    """[results, 2]: whether the answer is right, and the tokens that were generated for it."""
    return np.array([
        [float(not r.sample.truncated and check(r.answer)), r.usage.generated_tokens]
        for r, check in zip(results, checks, strict=True)
    ])  # fmt: skip


def ratio(a: Any, b: Any) -> tuple[float, float, float]:
    times = resampled(len(a))
    found = (times @ a) / (times @ b)
    low, high = np.quantile(found, [0.025, 0.975])
    return float(a.sum() / b.sum()), float(low), float(high)


def equal(here: Any, curve: Any, each: float) -> list[float | None]:
    """Tokens over those of best-of-N at the same accuracy: the figure and its interval; None where 16 are too few."""

    def share(accuracy: float, line: Any, tokens: float) -> float:
        line = np.maximum.accumulate(line)
        if accuracy > line[-1] + 1e-9:
            return float("nan")
        return float(tokens / (each * 2 ** np.interp(accuracy, line, np.arange(len(line)))))

    times = resampled(len(here)) / len(here)
    drawn = [share(t @ here[:, 0], t @ curve, t @ here[:, 1]) for t in times]
    figures = [share(*(x.mean(0) for x in (here[:, 0], curve, here[:, 1])))]
    figures += [float(q) for q in np.quantile(np.nan_to_num(drawn, nan=0.0), [0.025, 0.975])]
    return [round(f, 3) if f == f else None for f in figures]


def resampled(n: int) -> Any:
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=DRAWS)


def told(found: Any) -> list[float]:
    values = found if isinstance(found, tuple) else (found.mean, found.low, found.high)
    return [round(float(x), 3) for x in values]


PARTS: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
    "agents": agents,
    "wrapped": wrapped,
    "embedded": embedded,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=sorted(PARTS))
    parser.add_argument("--seeds", type=int, default=200, help="seeds, or problems")
    options = parser.parse_args()
    for name, part in PARTS.items():
        if options.only in (None, name):
            for row in part(options.seeds):
                print(json.dumps(row) if options.json else "  ".join(f"{k} {v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
