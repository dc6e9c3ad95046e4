"""When a node gets no more children: by evidence, never by a streak."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit import Budget, Model, Params, solve
from searchkit.protocols import Generator, Run
from searchkit.strategies import MCTS, UCT, BestFirst, Widening
from searchkit.testing import Counting
from searchkit.tree import ROOT, Tree
from searchkit.types import Prompt, Sample, Transition
from searchkit.verifiers import Predicate
from tests.helpers.steps import STEPS, Letters, Worth, write

SEARCHES: list[Any] = [
    lambda v, e: MCTS(v, environment=e),
    lambda v, e: BestFirst(v, environment=e),
    lambda v, e: MCTS(v, UCT(0.3, widening=Widening()), e),
]


@dataclass(frozen=True)
class Urn:
    """One step: what is drawn ends the episode. `chances` of the actions 0, 1, 2, ... depth: so many steps."""

    chances: tuple[float, ...]
    depth: int = 1
    deterministic: bool = False
    free: bool = False

    async def start(self, prompt: Prompt, run: Run) -> tuple[int, ...]:
        return ()

    def prompt(self, state: tuple[int, ...]) -> Prompt:
        return Prompt.of(str(state))

    def step_params(self, run: Run) -> Params | None:
        return None

    def proposer(self, state: tuple[int, ...]) -> Generator:
        return self

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        [drawn] = random.Random(run.seed).choices(range(len(self.chances)), self.chances)
        sample: Sample[Any] = Sample(0 if self.deterministic else drawn)

        async def draw() -> Sample[Any]:
            return sample

        return sample if self.free else await run.call("urn", prompt, draw)

    async def step(self, state: tuple[int, ...], action: Sample[Any], run: Run) -> Transition[tuple[int, ...]]:
        after = (*state, action.value)
        return Transition(after, terminal=len(after) == self.depth)

    def candidate(self, state: tuple[int, ...]) -> Sample[Any]:
        return Sample(state)


def search(strategy: Any, **options: Any) -> Any:
    return asyncio.run(solve("q", strategy, **options))


EQUAL = Predicate(lambda value: 0.5, name="equal")


@pytest.mark.parametrize("make", SEARCHES)
@pytest.mark.parametrize("depth", [1, 2])
def test_no_likely_action_is_given_up_while_budget_remains(make: Any, depth: int) -> None:
    """Under a budget many times what is needed, every action of probability 0.05 or more is found, in 40 urns."""
    missed = 0
    for seed in range(40):
        world = Urn((0.5, 0.3, 0.15, 0.05), depth)
        result = search(make(EQUAL, world), budget=Budget(generations=150 * 4 ** (depth - 1)), seed=seed)
        missed += len(result.tree.children(ROOT)) < 4
    assert missed <= 0.05 * 40


@pytest.mark.parametrize("make", SEARCHES)
def test_without_a_budget_hardly_any_likely_action_is_given_up(make: Any) -> None:
    """A node that closed has missed an action of probability 0.05 in at most 5 % of 200 urns (and the search has
    closed, not run out of iterations)."""
    missed = 0
    for seed in range(200):
        strategy = make(EQUAL, Urn((0.6, 0.35, 0.05)))
        result = search(
            type(strategy)(strategy.verifier, strategy.policy, strategy.environment, iterations=5000), seed=seed
        )
        assert result.tree.closed[ROOT]
        missed += len(result.tree.children(ROOT)) < 3
    # 60 draws miss it with chance 0.95**60 = 0.046, so 9.2 of 200 are expected: at most 0.05 by two standard errors
    assert missed <= 0.05 * 200 + 2 * math.sqrt(200 * 0.05 * 0.95)


@pytest.mark.parametrize("make", SEARCHES)
@pytest.mark.parametrize("budget", [Budget(), Budget(generations=100)])
def test_one_draw_exhausts_a_node_of_a_deterministic_generator(make: Any, budget: Budget) -> None:
    """At temperature 0, or where the generator says so: as many draws as steps, and no more."""
    backend = Counting(Letters())
    params = Params(0.0, max_tokens=8)
    result = write(make(Worth(), STEPS), backend, params=params, budget=budget)
    assert backend.calls == 3
    assert result.answer == "a/a/a"
    said = search(make(EQUAL, Urn((0.5, 0.5), 4, deterministic=True)), budget=budget)
    assert said.usage.generations == 4
    assert said.answer == (0, 0, 0, 0)


@pytest.mark.parametrize("make", SEARCHES)
def test_three_actions_and_no_budget_end_within_400_draws(make: Any) -> None:
    result = search(make(EQUAL, Urn((0.5, 0.3, 0.2), 2)))
    assert result.usage.generations <= 400
    assert result.answer is not None


@given(st.lists(st.integers(0, 6), max_size=60))
@settings(max_examples=60)
def test_the_chance_of_a_new_action_is_good_and_turings(draws: Sequence[int]) -> None:
    """The share of actions drawn once, with one draw added to both: from 1 before the first down to 1 / (n + 1)."""
    tree = Tree()
    tree.drawn[ROOT] = len(draws)
    tree.once[ROOT] = sum(draws.count(action) == 1 for action in set(draws))
    assert 1 / (len(draws) + 1) <= tree.unseen(ROOT) <= 1
    assert tree.unseen(ROOT) == (tree.once[ROOT] + 1) / (len(draws) + 1)


@pytest.mark.parametrize("make", SEARCHES)
def test_draws_that_cost_nothing_come_to_an_end(make: Any) -> None:
    """No budget ends a search whose generator is charged nothing: as many expansions as without one do."""
    result = search(make(EQUAL, Urn((0.5, 0.5), free=True)), budget=Budget(generations=10**6))
    assert result.usage.generations == 0
    assert 2 < sum(result.tree.drawn) <= 80


def test_draws_are_counted_in_the_tree() -> None:
    """Drawn and once at each node are what the draws of this node were, by hand from the priors."""
    result = write(MCTS(Worth(), UCT(), STEPS, iterations=13, width=9))
    tree = result.tree
    assert tree is not None
    for node in range(len(tree)):
        counts = [round(tree.prior[child] * tree.drawn[node]) for child in tree.children(node)]
        assert sum(counts) == tree.drawn[node]
        assert counts.count(1) == tree.once[node]
        assert tree.drawn[node] in (0, 9)


def test_model_is_asked_again_where_all_was_set_aside() -> None:
    """One letter only, under a budget: every node repeats itself, is set aside, and taken up again until the end."""
    strategy = MCTS(Worth(), UCT(0.3, widening=Widening()), STEPS)
    result = asyncio.run(
        solve("q", strategy, generator=Model(Letters("a"), Params(max_tokens=4)), budget=Budget(generations=50))
    )
    assert result.usage.generations == 50
    assert result.stopped == "budget"
