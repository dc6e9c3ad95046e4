"""Two endpoints, one of which dies and returns while 1,000 problems are solved: what is lost, paid twice, read again.

    python benchmarks/balanced.py [--problems 1000] [--json]

Loopback servers whose prefix cache knows blocks of 16 tokens. First all problems on one endpoint, then on two, of which
one dies after 30 % of the problems and returns, with an empty cache, after 60 %. With --minutes N all that is slowed
down to about N minutes, and every minute of each server's own clock is looked at. Exits with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from typing import Any

from searchkit import Model, Params, Problem, Prompt, solve_many
from searchkit.generators import Balanced, OpenAI, Retrying
from searchkit.strategies import SelfConsistency
from searchkit.testing.server import Server

SAMPLES, AT_ONCE, MINUTE = 4, 32, 60.0
QUESTION = "problem {0}: " + "what comes after {0} and before the end of all that was counted so far? " * 8


class Watched:
    """A server that keeps when each request reached it, and how many tokens it read and wrote for it."""

    def __init__(self, port: int = 0) -> None:
        self.seen: list[tuple[float, int]] = []
        self.server = Server("llama.cpp", reply=self._reply, latency=0.02, port=port)

    def _reply(self, prompt: str, seed: int, body: dict[str, Any]) -> str:
        self.seen.append((time.monotonic(), len(prompt.split()) + 3))
        return "three words long"


def problems(count: int) -> list[Problem]:
    return [Problem(str(n), Prompt.of(QUESTION.format(n))) for n in range(count)]


async def solved(backend: Balanced, count: int, between: Any) -> list[Any]:
    """What each comes to. between: called in a thread with how many are done, after each."""
    model, done, room = Model(Retrying(backend), Params(max_tokens=8)), 0, asyncio.Semaphore(AT_ONCE)

    async def one(problem: Problem) -> Any:
        nonlocal done
        async with room:
            [outcome] = await solve_many([problem], SelfConsistency(SAMPLES), generator=model)
            done += 1
            await asyncio.to_thread(between, done)
            return outcome

    return await asyncio.gather(*map(one, problems(count)))


def endpoint(watched: Watched) -> OpenAI:
    return OpenAI(watched.server.url, "test-model", timeout=30.0)


def alone(count: int) -> int:
    """The cached prompt tokens of one endpoint that does it all."""
    only = Watched()
    with only.server:
        outcomes = asyncio.run(solved(Balanced([endpoint(only)]), count, lambda done: None))
    return sum(outcome.unwrap().usage.cached_tokens for outcome in outcomes)


def shared(count: int, requests: int | None, tokens: int | None) -> dict[str, Any]:
    """Two endpoints, of which the second dies and returns."""
    first, second = Watched(), Watched()
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as dies:
        stack.enter_context(first.server)
        dies.enter_context(second.server)
        again = Watched(second.server.port)

        def between(done: int) -> None:
            if done == count * 3 // 10:
                dies.close()
            elif done == count * 6 // 10:
                stack.enter_context(again.server)

        backend = Balanced([endpoint(first), endpoint(second)], requests=requests, tokens=tokens)
        began = time.monotonic()
        outcomes = asyncio.run(solved(backend, count, between))
        wall = time.monotonic() - began
    all_servers = [first.server, second.server, again.server]
    answered = Counter(
        (r.body["messages"][0]["content"], r.body["seed"]) for s in all_servers for r in s.requests if r.status == 200
    )
    results = [outcome.unwrap() for outcome in outcomes]
    return {
        "seconds": round(wall, 1),
        "lost": count * SAMPLES - sum(len(result.candidates) for result in results),
        "paid twice": sum(answered.values()) - len(answered),
        "cut off by the death": sum(request.status != 200 for request in second.server.requests),
        "requests": [len(server.requests) for server in all_servers],
        "cached": sum(result.usage.cached_tokens for result in results),
        "most requests in a minute": [most(first.seen, False), most(second.seen + again.seen, False)],
        "most tokens in a minute": [most(first.seen, True), most(second.seen + again.seen, True)],
    }


def most(seen: list[tuple[float, int]], tokens: bool) -> int:
    """The most of any 60 seconds."""
    best = total = start = 0
    for at, amount in seen:
        total += amount if tokens else 1
        while seen[start][0] <= at - MINUTE:
            total -= seen[start][1] if tokens else 1
            start += 1
        best = max(best, total)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description="Two endpoints, one of which dies and returns.")
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=0.0, help="how long it is to take; 0: no limits")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    requests = tokens = None
    if options.minutes:
        requests = int(options.problems * SAMPLES / options.minutes / 1.5)
        tokens = requests * (len(QUESTION.split()) + 40)
    found = shared(options.problems, requests, tokens) | {"cached by one alone": alone(options.problems)}
    found |= {"requests a minute": requests, "tokens a minute": tokens}
    found["cached, of one alone's"] = round(found["cached"] / found["cached by one alone"], 4)
    print(json.dumps(found, indent=None if options.json else 1))
    above = requests is not None and (
        max(found["most requests in a minute"]) > requests or max(found["most tokens in a minute"]) > (tokens or 0)
    )
    if found["lost"] or found["paid twice"] or found["cached, of one alone's"] < 0.9 or above:
        sys.exit(1)


if __name__ == "__main__":
    main()
