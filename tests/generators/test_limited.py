"""`Limited` against servers that refuse, on a simulated clock: how wide it is, and what its waiters cost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest

from searchkit.calls import CallError, Request
from searchkit.generators import Limited
from searchkit.generators.wrappers.limited import Gate
from searchkit.types import Params, Prompt, Sample
from tests.helpers.simulated_clock import run

PROMPT, PARAMS = Prompt.of("q"), Params(max_tokens=4)


class Refusing:
    """A backend whose server refuses a call with the probability that `risk` gives for so many others in it."""

    name = "refusing"

    def __init__(self, risk: Callable[[int], float], seed: int, service: float = 1.0, refusal: float = 0.05) -> None:
        self.risk, self.rng = risk, random.Random(seed)
        self.service, self.refusal = service, refusal
        self.inside = self.served = self.refused = 0

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        if self.rng.random() < self.risk(self.inside):
            self.refused += 1
            await asyncio.sleep(self.refusal * self.rng.uniform(0.5, 1.5))
            return [CallError("slow down", kind="rate_limit")]
        self.inside += 1
        await asyncio.sleep(self.service * self.rng.uniform(0.5, 1.5))
        self.inside -= 1
        self.served += 1
        return [Sample("a")]


def widths(server: Refusing, most: int, calls: int, waiting: int = 2000) -> list[int]:
    """The width at the end of each call, with always so many of them waiting."""
    limited, found = Limited(server, most), list[int]()

    async def caller(left: list[int]) -> None:
        while left:
            seed = left.pop()
            await limited.complete([Request(PROMPT, PARAMS, seed)])
            found.append(limited.gate.width)

    async def main() -> None:
        left = list(range(calls))
        await asyncio.gather(*(caller(left) for _ in range(waiting)))

    run(main())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("refusal", [0.01, 1.0])
@pytest.mark.parametrize("seed", range(2))
def test_random_refusals_do_not_narrow_it(seed: int, refusal: float) -> None:
    """One call in a hundred is refused whatever the load: the mean width stays above half of the full one."""
    found = widths(Refusing(lambda inside: 0.01, seed, refusal=refusal), 512, 8_000)
    assert sum(found) / len(found) > 256


@pytest.mark.slow
@pytest.mark.parametrize("refusal", [0.001, 0.05, 1.0])
@pytest.mark.parametrize("seed", range(2))
def test_it_settles_at_a_servers_capacity(seed: int, refusal: float) -> None:
    """A server with room for 64, whichever the width it begins with: it ends there, and few calls are refused."""
    server = Refusing(lambda inside: float(inside >= 64), seed, refusal=refusal)
    found = widths(server, 512, 8_000)
    assert 48 <= found[-1] <= 96
    assert all(48 <= width <= 96 for width in found[len(found) // 2 :])
    assert server.refused < 0.06 * server.served + 1000


@pytest.mark.slow
def test_random_refusals_of_a_server_that_is_full() -> None:
    """Both at once."""
    found = widths(Refusing(lambda inside: 1.0 if inside >= 64 else 0.01, 0), 512, 8_000)
    assert all(48 <= width <= 96 for width in found[len(found) // 2 :])


def test_an_outage_is_over_when_it_is_over() -> None:
    """All that is in flight is refused at once: that halves the width, and does not close it."""
    gate = Gate(512)

    async def main() -> None:
        admitted = [await gate.acquire() for _ in range(512)]
        for one in admitted:
            gate.release(one, True)

    run(main())
    assert gate.width == 256


@pytest.mark.parametrize("order", ["forwards", "backwards", "random"])
def test_cancelling_waiters_is_linear(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """16,000 waiters cancelled in any order: none is looked for among the others."""
    from searchkit.generators.wrappers import limited

    compared = 0

    def equal(one: object, other: object) -> bool:
        nonlocal compared
        compared += 1
        return one is other

    monkeypatch.setattr(limited._Waiter, "__eq__", equal)
    monkeypatch.setattr(limited._Waiter, "__hash__", object.__hash__)

    async def main() -> None:
        gate = Gate(1)
        held = await gate.acquire()
        waiting = [asyncio.ensure_future(gate.acquire()) for _ in range(16_000)]
        await asyncio.sleep(0)
        assert len(gate._waiters) == 16_000
        chosen = {"forwards": waiting, "backwards": waiting[::-1], "random": random.Random(0).sample(waiting, 16_000)}
        for one in chosen[order]:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not gate._waiters
        gate.release(held, False)
        assert gate.active == 0

    asyncio.run(main())
    assert compared < 16_000
