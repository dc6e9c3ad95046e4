"""Tree search over the decisions of an agent: does it find what the same search finds without the agent, at what cost?

    python benchmarks/agent_steps.py --json             # about ten minutes on two busy cores
    python benchmarks/agent_steps.py --only worlds --seeds 50

worlds      the five-steps worlds of `searchkit.testing.worlds`, played by an agent of five requests to a chat model
            that draws the world's actions. Success of searches over `AgentSteps`, of the same searches over the world
            itself, and of best-of-N over whole runs of the agent, at equal paid calls. `equal` is the share of seeds
            whose two searches came to the same answer; intervals are 95 %, over seeds, differences paired.
cost        milliseconds and CPU of a step over those of the world itself, for each door and number of live agents; the
            share of the steps that went on with an agent that stood there, and the answers given again for each step.
countdown   the embedded model as an agent that writes one operation a request: solved held-out puzzles at equal
            generated tokens, against plain sampling of whole solutions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import openai

from searchkit import Budget, Function, Model, Params, Strategy, solve, solve_many
from searchkit.agents import Endpoint, Upstream, async_client, client
from searchkit.calls import CallError, Request
from searchkit.environments import AgentState, AgentSteps, Crashed
from searchkit.experiments import bootstrap, paired_bootstrap
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, problem, process_reward
from searchkit.lab.countdown import Countdown, Puzzle, replay
from searchkit.lab.environment import CountdownSteps
from searchkit.strategies import MCTS, BestFirst, BestOfN
from searchkit.testing.worlds import WORLDS, Place, World
from searchkit.types import Sample, Usage
from searchkit.verifiers import Predicate

NOWHERE = "http://nowhere.invalid/v1"
STEPS = ("steps, strong", "steps, weak")
CALLS = 80
TREES: dict[str, Callable[..., Strategy]] = {"mcts": MCTS, "best-first": BestFirst}


# ---------------------------------------------------------------- the worlds, played by an agent


def drawn(world: World, messages: Sequence[str], seed: int) -> str:
    """What the chat model says: an action of the world after those that stand in the conversation."""
    return json.dumps(world.draw(placed(world, messages), random.Random(seed)))


def placed(world: World, actions: Sequence[str]) -> Place:
    place = world.begin(0)
    for action in actions:
        place = world.after(place, json.loads(action))
    return place


@dataclass(frozen=True)
class Player:
    """The model of an agent in `world`, as a backend."""

    world: World
    name: str = "player"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        said = [[m.text for m in request.prompt.messages if m.role == "assistant"] for request in requests]
        used = Usage(model_calls=1, generated_tokens=1)
        return [Sample(drawn(self.world, s, r.seed), usage=used) for s, r in zip(said, requests, strict=True)]


def conversation(api: Any, depth: int) -> Callable[[str], Any]:
    async def agent(task: str) -> str:
        messages: list[Any] = [{"role": "user", "content": task}]
        for turn in range(depth):
            reply = await api.chat.completions.create(model="m", messages=messages)
            messages += [
                {"role": "assistant", "content": reply.choices[0].message.content},
                {"role": "user", "content": f"step {turn} is done"},
            ]
        return json.dumps([m["content"] for m in messages if m["role"] == "assistant"])

    return agent


def blocking(api: Any, depth: int) -> Callable[[str], Any]:
    def agent(task: str) -> str:
        messages: list[Any] = [{"role": "user", "content": task}]
        for turn in range(depth):
            reply = api.chat.completions.create(model="m", messages=messages)
            messages += [
                {"role": "assistant", "content": reply.choices[0].message.content},
                {"role": "user", "content": f"step {turn} is done"},
            ]
        return json.dumps([m["content"] for m in messages if m["role"] == "assistant"])

    return agent


def place_of(world: World, value: Any) -> Place:
    return placed(world, value if isinstance(value, tuple) else json.loads(value))


def verifier(world: World) -> Predicate:
    """The world's own score, of what an agent has done so far."""
    return Predicate(lambda value: place_of(world, value).score or 0.0, range=world.range)


@contextmanager
def served(world: World) -> Iterator[tuple[str, list[int]]]:
    """The chat model behind HTTP: its URL, and a count of the requests."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    count = [0]

    async def answer(request: Any) -> Any:
        body = await request.json()
        count[0] += 1
        said = drawn(world, [m["content"] for m in body["messages"] if m["role"] == "assistant"], body["seed"])
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return JSONResponse({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
                             "choices": [choice], "usage": usage})  # fmt: skip

    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    app = Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield "http://{}:{}/v1".format(*listening.getsockname()), count
    finally:
        server.should_exit = True
        thread.join()


def worlds(seeds: int) -> Iterator[dict[str, Any]]:
    sdk = openai.AsyncOpenAI(base_url=NOWHERE, api_key="none", http_client=async_client())
    for name in STEPS:
        world: Any = WORLDS[name]
        budget, model = Budget(model_calls=CALLS), Model(Player(world))
        agent = conversation(sdk, world.depth)

        def found(strategy: Strategy, seed: int, generator: Any = None, budget: Budget = budget) -> Any:
            return asyncio.run(solve("play", strategy, generator=generator, budget=budget, seed=seed))

        def worth(value: Any, world: World = world) -> float:
            whole = isinstance(value, str) and value
            return place_of(world, value).worth if whole else 0.0

        with served(world) as (url, count):
            api = openai.AsyncOpenAI(base_url=url, api_key="none", http_client=async_client())
            runs = Function(conversation(api, world.depth), name="agent")
            sampling = BestOfN(CALLS // world.depth, verifier(world), window=1)
            best = [found(sampling, seed, runs) for seed in range(seeds)]
            paid = sum(result.paid.model_calls for result in best)
        whole = np.array([[worth(result.answer)] for result in best])
        yield row(name, "best-of-N over whole runs", whole, calls=paid / seeds, served=count[0] / seeds)
        for label, strategy in TREES.items():
            results = [found(strategy(world.verifier, environment=world), seed) for seed in range(seeds)]
            plain = np.array([[world.success(result)] for result in results])
            calls = sum(result.paid.model_calls for result in results) / seeds
            yield row(name, f"{label} over the world", plain, calls=calls, times_best_of_n=ratio(plain, whole))
            steps = [AgentSteps(agent) for _ in range(seeds)]
            over = [found(strategy(verifier(world), environment=s), seed, model) for seed, s in enumerate(steps)]
            scores = np.array([[worth(result.answer)] for result in over])
            gain = paired_bootstrap(scores, plain)
            yield row(
                name, f"{label} over the agent", scores,
                calls=sum(result.paid.model_calls for result in over) / seeds, times_best_of_n=ratio(scores, whole),
                over_world=float(gain.mean[0]), over_low=float(gain.low[0]), over_high=float(gain.high[0]),
                equal=float(np.mean(scores == plain)), stale=sum(s.tally.stale for s in steps),
                continued=sum(s.tally.continued for s in steps) / sum(s.tally.steps for s in steps),
            )  # fmt: skip


def ratio(a: Any, b: Any) -> float:
    return float(a.mean() / b.mean()) if b.mean() else float("nan")


def row(world: str, search: str, scores: Any, **more: Any) -> dict[str, Any]:
    found = bootstrap(scores)
    mean, low, high = (float(x[0]) for x in (found.mean, found.low, found.high))
    return {"what": "worlds", "world": world, "search": search, "success": mean, "low": low, "high": high, **more}


# ---------------------------------------------------------------- what it costs


def cost(seeds: int) -> Iterator[dict[str, Any]]:
    world: Any = WORLDS["steps, strong"]
    depth, model, budget = world.depth, Model(Player(world)), Budget(model_calls=CALLS)
    upstream = Upstream(NOWHERE, "none")

    async def by_endpoint(task: str, endpoint: Endpoint) -> str:
        async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as api:
            return await conversation(api, depth)(task)

    doors: dict[str, Any] = {
        "async": conversation(openai.AsyncOpenAI(base_url=NOWHERE, api_key="none", http_client=async_client()), depth),
        "sync": blocking(openai.OpenAI(base_url=NOWHERE, api_key="none", http_client=client()), depth),
        "endpoint": Function(by_endpoint, upstream=upstream),
    }
    plain = [timed(MCTS(world.verifier, environment=world), None, budget, seed)[1:] for seed in range(seeds)]
    wall0, cpu0 = (sum(one[i] for one in plain) / sum(one[2] for one in plain) for i in (0, 1))
    yield {"what": "cost", "door": "none: the world itself", "ms_a_call": 1000 * wall0, "cpu_ms_a_call": 1000 * cpu0}
    for door, live in [(door, live) for door in doors for live in (1, 16, 64)]:
        steps = [AgentSteps(doors[door], live=live) for _ in range(seeds)]
        judge = verifier(world)
        runs = [timed(MCTS(judge, environment=s), model, budget, seed)[1:] for seed, s in enumerate(steps)]
        wall, cpu = (sum(one[i] for one in runs) / sum(one[2] for one in runs) for i in (0, 1))
        taken = sum(s.tally.steps for s in steps)
        yield {
            "what": "cost", "door": door, "live": live, "ms_a_call": 1000 * wall, "cpu_ms_a_call": 1000 * cpu,
            "times_the_world": wall / wall0, "continued": sum(s.tally.continued for s in steps) / taken,
            "prepared": sum(s.tally.prepared for s in steps) / taken,
            "given_again_a_step": sum(s.tally.replayed for s in steps) / taken,
            "agents_a_step": sum(s.tally.started for s in steps) / taken,
        }  # fmt: skip


def timed(strategy: Strategy, generator: Any, budget: Budget, seed: int) -> tuple[Any, float, float, int]:
    began, cpu = time.perf_counter(), time.process_time()
    result = asyncio.run(solve("play", strategy, generator=generator, budget=budget, seed=seed))
    return result, time.perf_counter() - began, time.process_time() - cpu, result.paid.model_calls


# ---------------------------------------------------------------- the embedded model as an agent


def operator(api: Any) -> Callable[[str], Any]:
    """Writes one operation a request, and stops at an illegal one or when one number is left."""

    async def agent(task: str) -> str:
        puzzle, text = Puzzle.parse(task), ""
        while True:
            reply = await api.completions.create(
                model="lab", prompt=puzzle.prompt + text, stop=["\n"], max_tokens=24, temperature=1.0
            )
            text += reply.choices[0].text + "\n"
            found = replay(puzzle, text)
            if found.error or len(found.remaining) == 1:
                return text

    return agent


def lines(state: AgentState) -> Any:
    if state.ended:
        return state.value if not isinstance(state.value, Crashed) else ""
    return "".join(turn.action.text + "\n" for turn in state.turns)


def countdown(problems: int) -> Iterator[dict[str, Any]]:
    tasks, model = [problem(p) for p in Countdown().puzzles(problems, "test")], Model(Embedded(), Params(max_tokens=64))
    agent = operator(openai.AsyncOpenAI(base_url=NOWHERE, api_key="none", http_client=async_client()))

    def steps() -> AgentSteps:
        return AgentSteps(agent, render=lines)

    for tokens in (400, 1000):
        searches: dict[str, Callable[[], Strategy]] = {
            "sampling whole solutions": lambda: BestOfN(1000, CHECKER, first_pass=True, window=4),
            "mcts over CountdownSteps": lambda: MCTS(CHECKER, environment=CountdownSteps(), threshold=1.0),
            "mcts over the agent": lambda: MCTS(CHECKER, environment=steps(), threshold=1.0),
            "best-first by process reward over the agent": lambda: BestFirst(process_reward(), environment=steps()),
        }
        baseline: Any = None
        for name, make in searches.items():
            outcomes = asyncio.run(
                solve_many(tasks, make(), generator=model, budget=Budget(generated_tokens=tokens), seed=20)
            )
            results = [outcome.value for outcome in outcomes]
            solved = np.array([[float(r is not None and right(t, r))] for t, r in zip(tasks, results, strict=True)])
            baseline = solved if baseline is None else baseline
            accuracy, gain = bootstrap(solved), paired_bootstrap(solved, baseline)
            yield {
                "what": "countdown", "tokens": tokens, "search": name, "solved": float(accuracy.mean[0]),
                "low": float(accuracy.low[0]), "high": float(accuracy.high[0]),
                "over_sampling": float(gain.mean[0]), "over_low": float(gain.low[0]), "over_high": float(gain.high[0]),
                "calls": float(np.mean([r.usage.model_calls for r in results if r is not None])),
                "failed": sum(outcome.error is not None for outcome in outcomes),
            }  # fmt: skip


def right(task: Any, result: Any) -> bool:
    """Whether a right solution was among what was found."""
    puzzle = Puzzle.parse(task.prompt.text)
    texts = [c.sample.value for c in result.candidates]
    found = [replay(puzzle, text) for text in texts if isinstance(text, str)]
    return any(not one.error and one.remaining == (puzzle.target,) for one in found)


PARTS: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {"worlds": worlds, "cost": cost, "countdown": countdown}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=sorted(PARTS))
    parser.add_argument("--seeds", type=int, default=None, help="seeds, or puzzles")
    options = parser.parse_args()
    most = {"worlds": 100, "cost": 5, "countdown": 60}
    for name, part in PARTS.items():
        if options.only in (None, name):
            for told in part(options.seeds or most[name]):
                plain = {k: round(v, 3) if isinstance(v, float) else v for k, v in told.items()}
                print(
                    json.dumps(plain) if options.json else "  ".join(f"{k} {v}" for k, v in plain.items()), flush=True
                )


if __name__ == "__main__":
    main()
