"""What it costs to send an agent's model calls through the search: added latency, CPU, calls a second.

    python benchmarks/gateway.py --json

One attempt of a search makes the same call by turns straight to the server, through the ambient client and through its
endpoint, 1 and 64 at a time. The server is `searchkit.testing.server`, in a process of its own; the client, the search
and the gateway share this one, so that CPU is that of all three. For each door (`ambient`, `endpoint`):

openai_direct_ms              a call of the official asynchronous client, median, one at a time, answered at once
DOOR_added_ms_1               what the door adds to it, median of the differences of neighbouring calls
DOOR_cpu_ratio_1              CPU of this process a call, over that of the official client without us
openai_direct_cpu_ms_1        that CPU, ms a call
DOOR_added_ms_64              64 agents side by side, a model of 1 s: what the door adds to the median call
DOOR_added_burst_ms_64        64 calls at the same moment, answered at once: what it adds to the median call. All of
                              them wait for one interpreter, so it grows with the CPU that the door takes
DOOR_cpu_ratio_64             as above, of 64 calls at the same moment
DOOR_calls_per_s              of the official client, 64 in flight; openai_calls_per_s: without us
plain_added_ms_1              a plain HTTP client (`searchkit.http`): what the endpoint adds to it
plain_calls_per_s             of it through the endpoint, 64 in flight
plain_direct_calls_per_s      without us
plain_cpu_ms                  CPU of a call through the endpoint, that client's 0.05 ms included

Needs ``pip install 'searchkit[serve]'``. Medians of repeats on warm connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from engine import Served
from openai import AsyncOpenAI

from searchkit import solve
from searchkit.agents import Endpoint, Upstream, async_client
from searchkit.function import Function
from searchkit.http import Pool
from searchkit.strategies import SelfConsistency

MANY, MODEL_SECONDS = 64, 1.0
Call = Callable[[int], Awaitable[Any]]


def official(client: AsyncOpenAI) -> Call:
    """A call of the official client; the number makes the question another one."""

    async def call(number: int) -> None:
        messages: Any = [{"role": "user", "content": f"question {number}"}]
        await client.chat.completions.create(model="test-model", messages=messages, max_tokens=16, temperature=1.0)

    return call


def plain(url: str, key: str) -> Call:
    """The same call, as bytes."""
    origin, _, path = url.removeprefix("http://").partition("/")
    pool, headers = Pool(f"http://{origin}"), f"Content-Type: application/json\r\nAuthorization: Bearer {key}\r\n"

    async def call(number: int) -> None:
        messages = [{"role": "user", "content": f"question {number}"}]
        body = json.dumps({"model": "test-model", "messages": messages, "max_tokens": 16, "temperature": 1.0})
        reply = await pool.request("POST", f"/{path}/chat/completions", headers, body.encode())
        assert reply.status == 200, reply.body

    return call


async def timed(call: Call, number: int) -> float:
    began = time.perf_counter()
    await call(number)
    return 1e3 * (time.perf_counter() - began)


class Sides:
    """The same call by several ways, by turns. What is asked never repeats."""

    def __init__(self, sides: dict[str, Call]) -> None:
        self.sides, self.number = sides, 0

    def _next(self) -> int:
        self.number += 1
        return self.number

    async def one_at_a_time(self, repeats: int) -> dict[str, list[float]]:
        """Milliseconds of each call."""
        found: dict[str, list[float]] = {name: [] for name in self.sides}
        for _ in range(repeats):
            for name, call in self.sides.items():
                found[name].append(await timed(call, self._next()))
        return found

    async def cpu(self, repeats: int, at_once: int) -> dict[str, float]:
        """CPU milliseconds of a call, all threads: the median over `repeats` turns of 64 calls each."""
        found: dict[str, list[float]] = {name: [] for name in self.sides}
        for _ in range(repeats):
            for name, call in self.sides.items():
                began = time.process_time()
                for _ in range(MANY // at_once):
                    await asyncio.gather(*(call(self._next()) for _ in range(at_once)))
                found[name].append(1e3 * (time.process_time() - began) / MANY)
        return {name: statistics.median(spent) for name, spent in found.items()}

    async def bursts(self, repeats: int) -> tuple[dict[str, float], dict[str, float]]:
        """64 calls at the same moment: milliseconds of the median call, and calls a second."""
        latencies: dict[str, list[float]] = {name: [] for name in self.sides}
        walls: dict[str, list[float]] = {name: [] for name in self.sides}
        for _ in range(repeats):
            for name, call in self.sides.items():
                began = time.perf_counter()
                each = await asyncio.gather(*(timed(call, self._next()) for _ in range(MANY)))
                walls[name].append(time.perf_counter() - began)
                latencies[name].append(statistics.median(each))
        medians = {name: statistics.median(each) for name, each in latencies.items()}
        return medians, {name: MANY / statistics.median(wall) for name, wall in walls.items()}

    async def side_by_side(self, rounds: int) -> dict[str, float]:
        """64 agents, evenly shifted, each asking one call after another; milliseconds of the median call."""
        found: dict[str, list[float]] = {name: [] for name in self.sides}

        async def agent(shift: int, name: str) -> None:
            await asyncio.sleep(MODEL_SECONDS * shift / MANY)
            for _ in range(rounds):
                found[name].append(await timed(self.sides[name], self._next()))

        for name in [*self.sides, *self.sides]:
            await asyncio.gather(*(agent(shift, name) for shift in range(MANY)))
        return {name: statistics.median(each) for name, each in found.items()}


async def inside(url: str, work: Callable[[dict[str, Call], dict[str, Call]], Awaitable[dict[str, float]]]) -> Any:
    """What `work` measures within an attempt: the ways of the official client, and those of the plain one."""

    async def attempt(question: str, endpoint: Endpoint) -> dict[str, float]:
        base, key = endpoint.base_url, endpoint.api_key
        async with (
            AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as direct,
            AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=async_client()) as ambient,
            AsyncOpenAI(base_url=base, api_key=key, max_retries=0) as through,
        ):
            sides = {"direct": official(direct), "ambient": official(ambient), "endpoint": official(through)}
            return await work(sides, {"direct": plain(url, "none"), "endpoint": plain(base, key)})

    agent = Function(attempt, name="agent", upstream=Upstream(openai_url=url, openai_key="none"))
    return (await solve("q", SelfConsistency(1, key=str), generator=agent)).answer


async def at_once(sides: dict[str, Call], bare: dict[str, Call], repeats: int) -> dict[str, float]:
    """All figures of a server that answers at once."""
    clients, pools, found = Sides(sides), Sides(bare), dict[str, float]()
    await clients.bursts(2)  # warm connections
    await pools.bursts(2)
    each = await clients.one_at_a_time(64 * repeats)
    found["openai_direct_ms"] = statistics.median(each["direct"])
    cpu, burst_cpu = await clients.cpu(repeats, 1), await clients.cpu(repeats, MANY)
    burst, rates = await clients.bursts(repeats)
    found["openai_direct_cpu_ms_1"] = cpu["direct"]
    for door in ("ambient", "endpoint"):
        found[f"{door}_added_ms_1"] = _added(each["direct"], each[door])
        found[f"{door}_cpu_ratio_1"] = cpu[door] / cpu["direct"]
        found[f"{door}_cpu_ratio_64"] = burst_cpu[door] / burst_cpu["direct"]
        found[f"{door}_added_burst_ms_64"] = burst[door] - burst["direct"]
        found[f"{door}_calls_per_s"] = rates[door]
    found["openai_calls_per_s"] = rates["direct"]
    alone = await pools.one_at_a_time(64 * repeats)
    found["plain_added_ms_1"] = _added(alone["direct"], alone["endpoint"])
    _, rates = await pools.bursts(repeats)
    found |= {"plain_calls_per_s": rates["endpoint"], "plain_direct_calls_per_s": rates["direct"]}
    return found | {"plain_cpu_ms": (await pools.cpu(repeats, MANY))["endpoint"]}


def _added(direct: list[float], through: list[float]) -> float:
    return statistics.median(b - a for a, b in zip(direct, through, strict=True))


async def waiting(sides: dict[str, Call], bare: dict[str, Call], rounds: int) -> dict[str, float]:
    """The figures of a model that takes its time."""
    clients = Sides(sides)
    await clients.bursts(1)
    found = await clients.side_by_side(rounds)
    return {f"{door}_added_ms_64": found[door] - found["direct"] for door in ("ambient", "endpoint")}


def measure(quick: bool) -> dict[str, float]:
    repeats, rounds = (3, 2) if quick else (9, 5)
    with Served(0.0) as url:
        found = asyncio.run(inside(url, lambda sides, bare: at_once(sides, bare, repeats)))
    with Served(MODEL_SECONDS) as url:
        found |= asyncio.run(inside(url, lambda sides, bare: waiting(sides, bare, rounds)))
    return dict(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    options = parser.parse_args()
    figures = measure(options.quick)
    if options.json:
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    else:
        print("\n".join(f"{name:<28} {value:10.3f}" for name, value in figures.items()))
