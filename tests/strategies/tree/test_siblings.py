"""A tree search whose generator sees which actions a state has children for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from searchkit import Budget, Model, Params, Sample, solve
from searchkit.calls import Request
from searchkit.strategies import MCTS, UCT, BestFirst, Widening
from searchkit.strategy import Strategy
from searchkit.types import Usage
from tests.helpers.steps import LEAVES, STEPS, OnLetters, Worth


class TestAware(OnLetters):
    def strategy(self) -> Strategy:
        return BestFirst(Worth(), environment=STEPS, iterations=12, aware=True)


@dataclass(frozen=True)
class Obedient:
    """Says the first letter that it is not shown, whatever the seed and the temperature."""

    seen: list[Request] = field(default_factory=list)
    name: str = "obedient"

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        self.seen.extend(requests)
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Sample[str]:
        shown = request.prompt.messages[-1].text.split("```")[1::2]
        letter = next((c for c in "abc" if c not in {text.strip() for text in shown}), "a")
        ends = request.prompt.prefix.count("/") == 2 or "/" not in request.params.stop
        return Sample(letter, stop_reason=None if ends else "/", usage=Usage(model_calls=1, generated_tokens=1))


@pytest.mark.parametrize("search", [BestFirst, lambda v, **o: MCTS(v, UCT(0.5, widening=Widening()), **o)])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_that_would_repeat_itself_takes_other_ways(search: Any, temperature: float) -> None:
    """All 27 leaves of three letters; unaware, the same model comes to one."""
    found = {}
    for aware in (False, True):
        model = Model(Obedient(), Params(temperature=temperature))
        strategy = search(Worth(), environment=STEPS, aware=aware, expansions=None if aware else 20)
        result = asyncio.run(solve("q", strategy, generator=model, budget=Budget(generations=300)))
        found[aware] = {c.sample.value for c in result.candidates}
    assert found[False] == {"a/a/a"}
    assert found[True] == set(LEAVES)


def test_a_state_is_shown_its_own_children_and_no_others() -> None:
    """What is shown is what the tree has below the same beginning, in order; the first draw sees the plain prompt."""
    backend = Obedient()
    strategy = BestFirst(Worth(), environment=STEPS, aware=True)
    asyncio.run(solve("q", strategy, generator=Model(backend), budget=Budget(generations=39)))
    steps = sorted((r for r in backend.seen if "/" in r.params.stop), key=lambda r: r.prompt.prefix)
    for _, asked in itertools.groupby(steps, key=lambda r: r.prompt.prefix):
        texts = [request.prompt.messages[-1].text for request in asked]
        assert texts[0] == "q"
        assert [[t.strip() for t in text.split("```")[1::2]] for text in texts] == [
            list("abc"[:number]) for number in range(len(texts))
        ]
