"""What does abandoning attempts that fall behind save, and what does it cost in accuracy?

    nice python benchmarks/halving.py --only agents --json                  # 200 seeds a world: about ten minutes
    nice python benchmarks/halving.py --only embedded --seeds 100 --json    # 100 held-out problems a task: minutes

agents      the five-steps worlds of `searchkit.testing.worlds`, played by an agent of five requests to a chat model:
            16 attempts side by side over `AgentSteps`, judged by the world's own score. In two worlds nothing is ever
            sure, in the others the end is judged exactly, and in the last one beginnings mislead.
embedded    the shipped policies on held-out problems, 16 texts, by their process reward models; the answer by a vote
            weighted with it.

Each row compares with the same 16 attempts, none of them abandoned: `difference` in accuracy, `share` of its tokens.
An attempt is the same text in both as far as it gets, so both are paired. `of_best_of_n` are the tokens over those of
as many whole attempts as reach the same accuracy (by interpolation in log N over all subsets; 1 would be no gain, None
that 16 do not reach it, as does an interval that begins at 0). Intervals are 95 %, over seeds or problems.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
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
SETTINGS: tuple[tuple[tuple[int, ...], float], ...] = (((1,), 0.5), ((2,), 0.5), ((1, 2), 0.5), ((1, 2), 0.75))
CURVE = tuple(2**i for i in range(N.bit_length()))
DRAWS = 1000  # of the bootstrap of a ratio
AT_ONCE = 8

Measured = tuple[float, int]  # right, tokens


def agents(seeds: int) -> Iterator[dict[str, Any]]:
    api = openai.AsyncOpenAI(base_url=NOWHERE, api_key="none", http_client=async_client())
    for name in ("steps, strong", "steps, weak", "tree of four", "deceptive"):
        world: Any = WORLDS[name]
        agent, judge, model = conversation(api, world.depth), verifier(world), Model(Player(world))

        def found(at: tuple[int, ...], keep: float, seed: int, world: Any = world, agent: Any = agent,
                  judge: Any = judge, model: Any = model) -> Result[Any]:  # fmt: skip
            steps = AgentSteps(agent, live=N)
            strategy = SuccessiveHalving(N, judge, at, keep, environment=steps, rounds=world.depth)
            return asyncio.run(solve("play", strategy, generator=model, seed=seed))

        def right(value: Any, world: Any = world) -> bool:
            return isinstance(value, str) and place_of(world, value).worth == 1

        whole = [found((1,), 1.0, seed) for seed in range(seeds)]
        curve = np.array([[best_at_k(*scored(r, right), k) for k in CURVE] for r in whole])
        yield from rows(
            "agents", name, curve, whole, right, lambda at, keep, f=found: [f(at, keep, s) for s in range(seeds)]
        )


def embedded(problems: int) -> Iterator[dict[str, Any]]:
    for task in ("arithmetic", "countdown"):
        judge = ProcessReward(reward(task, "process", None), separator="\n")
        model, check = Model(policy(task), Params(max_tokens=64)), TASKS[task][1]
        asked = [problem(task, number, "test")[0] for number in range(problems)]

        def strategy(at: tuple[int, ...], keep: float, task: str = task, judge: Any = judge) -> Strategy:
            steps = TextSteps(params=Params(max_tokens=STEP), max_steps=8)
            vote = Vote(KEYS[task], weighted=True)
            return SuccessiveHalving(N, judge, at, keep, environment=steps, select=vote)

        def found(
            at: tuple[int, ...], keep: float, asked: Any = asked, model: Any = model, make: Any = strategy
        ) -> Any:
            return asyncio.run(all_of(asked, make(at, keep), model))

        whole = found((1,), 1.0)
        curve, checks = [], [lambda text, a=a, check=check: not check(a, text) for a in asked]
        for result, right in zip(whole, checks, strict=True):
            scores, rights = scored(result, right)
            keys = [None if c.sample.truncated else KEYS[task](c.sample.value) for c in result.candidates]
            curve.append([weighted_at_k(keys, scores, rights, k) for k in CURVE])
        yield from rows("embedded", task, np.array(curve), whole, checks, found)


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


def rows(
    what: str,
    name: str,
    curve: Any,
    whole: Sequence[Result[Any]],
    right: Any,
    run: Callable[..., Sequence[Result[Any]]],
) -> Iterator[dict[str, Any]]:
    """One row for the attempts that were all finished, and one for each setting."""
    base = measured(whole, right)
    common = {"what": what, "where": name, "n": N, "over": len(whole)}
    yield common | {"at": (), "right": told(bootstrap(base[:, 0])), "tokens": float(base[:, 1].mean())}
    for at, keep in SETTINGS:
        results = run(at, keep)
        here = measured(results, right)
        yield common | {
            "at": at, "keep": keep, "right": told(bootstrap(here[:, 0])), "tokens": float(here[:, 1].mean()),
            "difference": told(paired_bootstrap(here[:, 0], base[:, 0])), "share": told(ratio(here[:, 1], base[:, 1])),
            "of_best_of_n": equal(here, curve, base[:, 1].mean() / N),
            "verdicts": float(np.mean([r.usage.verifications for r in results])),
        }  # fmt: skip


def measured(results: Sequence[Result[Any]], right: Any) -> Any:
    """[results, 2]: whether the answer is right, and the tokens that were generated for it."""
    checks = right if isinstance(right, list) else [right] * len(results)
    return np.array([
        [float(not r.sample.truncated and check(r.answer)), r.usage.generated_tokens]
        for r, check in zip(results, checks, strict=True)
    ])  # fmt: skip


def ratio(a: Any, b: Any) -> tuple[float, float, float]:
    times = resampled(len(a))
    found = (times @ a) / (times @ b)
    return float(a.sum() / b.sum()), *map(float, np.quantile(found, [0.025, 0.975]))


def equal(here: Any, curve: Any, each: float) -> list[float | None]:
    """Tokens over those of best-of-N at the same accuracy: the figure and its interval; None where 16 are too few."""

    def share(accuracy: float, line: Any, tokens: float) -> float:
        line = np.maximum.accumulate(line)
        if accuracy > line[-1]:
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


PARTS: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {"agents": agents, "embedded": embedded}


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
