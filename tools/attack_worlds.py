"""What `attack.py` attacks: random nested strategies, agents and sweeps over a backend that counts in shared memory."""

from __future__ import annotations

import asyncio
import mmap
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from searchkit import Model, Params, Prompt, Sample
from searchkit.calls import CallError, Request
from searchkit.environments import Rewrite
from searchkit.function import Function
from searchkit.generators import Limited, Retrying
from searchkit.protocols import Run
from searchkit.strategies import (
    ABMCTS,
    DVTS,
    MCTS,
    PUCT,
    Argmax,
    AStar,
    Bandit,
    BeamSearch,
    BestFirst,
    BestOfN,
    Budgeted,
    Fallback,
    Judged,
    ParticleFilter,
    Race,
    RecedingHorizon,
    Refine,
    SelfConsistency,
    Then,
    TreeOfThoughts,
)
from searchkit.types import Budget, Usage, Verdict
from tests.helpers.steps import STEPS, Letters, Worth

CALLS, IN_FLIGHT, FAULTS, TURNS, ANSWERED = range(5)
PARAMS = Params(max_tokens=4)
Spec = list[Any]  # the name of a strategy, a number, and the specs of its parts


class Counters:
    """Numbers that outlive the process that counts."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 4096)

    def add(self, which: int, n: int = 1) -> int:
        now = self.get(which) + n
        struct.pack_into("q", self._memory, 8 * which, now)
        return now

    def get(self, which: int) -> int:
        return int(struct.unpack_from("q", self._memory, 8 * which)[0])

    def clear(self) -> None:
        self._memory[:64] = bytes(64)


def nothing(number: int) -> None:
    """What happens at a call by default."""


@dataclass
class Counted:
    """Letters, by the seed alone; failures too. Latencies are turns of the event loop, by the seed and `order`.

    Each request that arrives is counted, whatever becomes of it. fails, breaks: shares of requests that fail, and that
    end in an exception no backend may raise. at: told the number of each request as it arrives.
    """

    counters: Counters
    fails: float = 0.0
    breaks: float = 0.0
    order: int = 0
    turns: int = 6
    at: Callable[[int], None] = nothing
    name: str = "attacked"
    _attempts: dict[tuple[int, int], int] = field(default_factory=dict)

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        return [await self._one(request) for request in requests]

    async def _one(self, request: Request) -> Sample[str] | CallError:
        number = self.counters.add(CALLS)
        self.counters.add(IN_FLIGHT)
        try:
            self.at(number)
            for _ in range(random.Random(f"{self.order}/{request.seed}").randrange(self.turns + 1)):
                await asyncio.sleep(0)
            luck = random.Random(f"luck/{request.seed}/{request.prompt.text}/{request.prompt.prefix}").random()
            if luck < self.fails:
                self.counters.add(FAULTS)
                first = self._attempts.setdefault((request.seed, request.index), 0) == 0
                self._attempts[request.seed, request.index] = 1
                error = CallError("busy", kind="rate_limit" if luck < self.fails / 2 else "failed")  # one is transient
                return error if first or luck >= self.fails / 4 else self._answer(request)
            if luck < self.fails + self.breaks:
                self.counters.add(FAULTS)
                raise (ValueError("a backend that breaks"), asyncio.CancelledError())[
                    luck < self.fails + self.breaks / 4
                ]
            return self._answer(request)
        finally:
            self.counters.add(IN_FLIGHT, -1)

    @staticmethod
    def _answer(request: Request) -> Sample[str]:
        answer = Letters()._one(request)
        return replace(answer, usage=replace(answer.usage, generated_tokens=max(0, answer.usage.generated_tokens)))


@dataclass(frozen=True)
class Refuses(Worth):
    """`Worth`, but it fails on some texts and abstains on others."""

    key: str = "refuses"

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        await asyncio.sleep(0)
        luck = random.Random(samples[0].text).random()
        if luck < 0.1:
            raise ValueError("a verifier that breaks")
        return [Verdict() if luck < 0.2 else verdict for verdict in await super().verify(prompt, samples, run)]


W, R = Worth(), Refuses()
LEAVES: dict[str, Callable[[int], Any]] = {
    "best of n": lambda n: BestOfN(1 + n, (W, R)[n % 2]),
    "vote": lambda n: SelfConsistency(1 + n),
    "beam": lambda n: BeamSearch(2, 1 + n % 2, W, environment=STEPS),
    "mcts": lambda n: MCTS(W, environment=STEPS, iterations=1 + n, width=2, in_flight=1 + n % 3),
    "best first": lambda n: BestFirst(W, environment=STEPS, iterations=1 + n, width=2),
    "tree of thoughts": lambda n: TreeOfThoughts(1, 2, W, environment=STEPS),
    "dvts": lambda n: DVTS(2, 1, W, environment=STEPS),
    "a star": lambda n: AStar(STEPS, h=Judged(W), width=2, expansions=1 + n),
    "particles": lambda n: ParticleFilter(2 + n % 2, W, environment=STEPS, weights="softmax"),
    "refine": lambda n: Refine(n % 3, W, Argmax(), environment=Rewrite()),
}
AROUND: dict[str, tuple[int, Callable[[int, list[Any]], Any]]] = {
    "best of": (1, lambda n, parts: BestOfN(1 + n % 3, W, generator=parts[0])),
    "vote of": (1, lambda n, parts: SelfConsistency(1 + n % 3, generator=parts[0])),
    "bandit": (2, lambda n, parts: Bandit(parts, W, 1 + n % 4)),
    "budgeted": (1, lambda n, parts: Budgeted(parts[0], Budget(generations=1 + n))),
    "fallback": (2, lambda n, parts: Fallback(tuple(parts))),
    "race": (2, lambda n, parts: Race(tuple(parts), W)),
    "then": (2, lambda n, parts: Then(*parts)),
    "beam over": (1, lambda n, parts: BeamSearch(2, 1, W, environment=STEPS, generator=parts[0])),
    "mcts over": (
        1,
        lambda n, parts: MCTS(W, policy=PUCT(), environment=STEPS, iterations=1 + n % 3, width=2, generator=parts[0]),
    ),
    "ab-mcts": (
        1,
        lambda n, parts: ABMCTS(W, Rewrite(), iterations=1 + n % 4, generators=[parts[0], None], in_flight=1 + n % 2),
    ),
    "horizon": (
        1,
        lambda n, parts: RecedingHorizon(
            BestFirst(W, environment=STEPS, iterations=2, width=2, generator=parts[0]), rounds=1 + n % 2
        ),
    ),
}  # fmt: skip


def random_spec(rng: random.Random, depth: int = 2) -> Spec:
    if depth == 0 or rng.random() < 0.4:
        return [rng.choice(list(LEAVES)), rng.randrange(6)]
    name = rng.choice(list(AROUND))
    return [name, rng.randrange(6), *(random_spec(rng, depth - 1) for _ in range(AROUND[name][0]))]


def made(spec: Spec) -> Any:
    """The strategy of a spec."""
    name, n, *parts = spec
    return LEAVES[name](n) if name in LEAVES else AROUND[name][1](n, [made(part) for part in parts])


def depends_on_latency(spec: Spec) -> bool:
    """Whether a race is in it, whose losers are cancelled wherever they are."""
    return spec[0] == "race" or any(depends_on_latency(part) for part in spec[2:])


def backend_of(plan: dict[str, Any], counters: Counters, order: int, at: Callable[[int], None]) -> Any:
    made: Any = Counted(counters, plan["fails"], plan["breaks"], order, at=at)
    if "retrying" in plan["wrapped"]:
        made = Retrying(made, attempts=3, base=0.001, cap=0.002)
    return Limited(made, 1 + plan["seed"] % 3) if "limited" in plan["wrapped"] else made


def thinking(model: Model) -> Function:
    """An agent that asks `model` by itself: for a thought, then for one to three answers at once."""

    async def agent(text: str, index: int, run: Run) -> str:
        [thought] = await run.sample(model, Prompt.of(f"{text} think"), params=PARAMS)
        n = 1 + len(thought.text) % 3
        answers = await run.sample(model, Prompt.of(f"{text} {thought.text}"), n, params=PARAMS)
        return max(answer.text for answer in answers)

    return Function(agent, name="thinks")


def usage_counts(usage: Usage) -> list[int]:
    return [
        usage.generations, usage.verifications, usage.model_calls, usage.prompt_tokens, usage.generated_tokens
    ]  # fmt: skip
