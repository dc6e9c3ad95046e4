"""A budgeted search ends with a finished answer, if the budget allows one path from the root."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import Budget, Model, Params, solve
from searchkit.environments.text_steps import TextSteps
from searchkit.protocols import Run
from searchkit.strategies import MCTS, PUCT, UCT, BestFirst, TreeSearch, Widening
from searchkit.testing.worlds import WORLDS
from searchkit.types import Prompt, Sample, Transition
from searchkit.verifiers import Predicate
from tests.helpers.steps import Letters, Worth, worth
from tests.strategies.tree.test_exhaustion import EQUAL, Urn

DEPTH, STEP = 4, 5  # letters of an answer, and tokens that a call may take
RULES: list[Any] = [MCTS, BestFirst, lambda v, **o: MCTS(v, UCT(0.5), **o), lambda v, **o: TreeSearch(v, PUCT(), **o)]


def random_budget(rng: random.Random, generations: int, tokens: int) -> Budget:
    """One to three ceilings, each of which allows one path at least."""
    amounts = {
        "generations": generations + rng.randrange(12),
        "model_calls": generations + rng.randrange(12),
        "generated_tokens": tokens + rng.randrange(40),
        "verifications": 1 + rng.randrange(12),
    }
    kept = rng.sample(sorted(amounts), rng.randint(1, 3))
    if set(kept) == {"verifications"}:  # alone it ends no draws
        kept.append("generations")
    return Budget(**{name: amounts[name] for name in kept})


@pytest.mark.slow
def test_texts_are_never_cut_off() -> None:
    """1,000 budgets of texts that one sample can complete, each with a rule, a width and leaves in flight by chance."""
    rng, model = random.Random(4), Model(Letters(depth=DEPTH), Params(max_tokens=STEP))
    for seed in range(1000):
        options: dict[str, Any] = {"environment": TextSteps("/"), "in_flight": rng.choice((1, 3))}
        options |= {"width": rng.choice((None, 1, 3)), "trees": rng.choice((1, 1, 2))}
        strategy, budget = rng.choice(RULES)(Worth(), **options), random_budget(rng, 1, STEP)
        result = asyncio.run(solve("q", strategy, generator=model, budget=budget, seed=seed))
        assert not result.sample.truncated, (strategy, budget)
        assert result.answer.count("/") == DEPTH - 1
        assert not result.overshoot


@pytest.mark.slow
def test_paths_are_never_left_unfinished() -> None:
    """1,000 budgets of a world that takes four steps, whatever the rule: the answer is a whole path."""
    rng = random.Random(5)
    for seed in range(1000):
        options: dict[str, Any] = {"environment": Urn((0.4, 0.3, 0.3), DEPTH), "in_flight": rng.choice((1, 3))}
        options |= {"width": rng.choice((None, 1, 3)), "trees": rng.choice((1, 1, 2))}
        strategy, budget = rng.choice(RULES)(EQUAL, **options), random_budget(rng, DEPTH, 0)
        if budget.generated_tokens is not None:  # these draws have none
            budget = Budget(generations=DEPTH, verifications=budget.verifications)
        result = asyncio.run(solve("q", strategy, budget=budget, seed=seed))
        assert not result.sample.truncated, (strategy, budget)
        assert len(result.answer) == DEPTH
        assert not result.overshoot


@pytest.mark.parametrize("make", [MCTS, BestFirst])
@pytest.mark.parametrize("name", ["lock", "steps, weak", "tree of four", "growing", "drift"])
def test_worlds_are_answered_under_the_least_budget(make: Any, name: str) -> None:
    """As many draws as a path has steps, and one more: a whole answer, however bad."""
    world = WORLDS[name]
    steps = 1 if name == "drift" else getattr(world, "digits", None) or getattr(world, "depth", 1)
    for more in (0, 1, 2):
        result = asyncio.run(
            solve("q", make(world.verifier, environment=world), budget=Budget(generations=steps + more), seed=more)
        )
        assert not result.sample.truncated
        assert result.usage.generations <= steps + more


@dataclass(frozen=True)
class Listed:
    """A binary word of four letters, whose letters the environment lists."""

    async def start(self, prompt: Prompt, run: Run) -> str:
        return ""

    def prompt(self, state: str) -> Prompt:
        return Prompt.of(state)

    def step_params(self, run: Run) -> Params | None:
        return None

    def actions(self, state: str) -> list[str]:
        return ["a", "b"]

    async def step(self, state: str, action: Sample[Any], run: Run) -> Transition[str]:
        return Transition(state + action.value, terminal=len(state) == DEPTH - 1)

    def candidate(self, state: str) -> Sample[Any]:
        return Sample(state)


@pytest.mark.parametrize("make", [MCTS, BestFirst])
@pytest.mark.parametrize("budget", [Budget(verifications=1), Budget(verifications=7), Budget(generations=3)])
def test_listed_actions_end_under_any_budget(make: Any, budget: Budget) -> None:
    """Nobody draws them, so that verdicts alone may be short; where nothing binds the iterations do."""
    judge = Predicate(lambda text: text.count("b") / 4, name="b's")
    result = asyncio.run(solve("q", make(judge, environment=Listed()), budget=budget))
    assert len(result.answer) == DEPTH
    assert not result.sample.truncated
    assert result.usage.verifications <= (budget.verifications or 1000)


@pytest.mark.parametrize("make", [MCTS, BestFirst])
def test_what_is_held_back_is_spent_on_the_best_path(make: Any) -> None:
    """The last call completes the best unfinished text: all generations are used, and the answer has a verdict."""
    model = Model(Letters(depth=9), Params(max_tokens=9))
    judge = Predicate(lambda text: text.count("c") / 9, name="c's")
    result = asyncio.run(
        solve("q", make(judge, environment=TextSteps("/")), generator=model, budget=Budget(generations=6), seed=3)
    )
    assert result.usage.generations == 6
    assert result.stopped == "budget"
    [last] = [c for c in result.candidates if c.sample.text.count("/") == 8]
    assert last.score == last.sample.text.count("c") / 9


def test_a_widening_rule_spends_the_whole_budget() -> None:
    """No iterations are given: the budget is what ends the search."""
    strategy = MCTS(Worth(), UCT(0.3, widening=Widening()), TextSteps("/"))
    model = Model(Letters(depth=3), Params(max_tokens=3))
    result = asyncio.run(solve("q", strategy, generator=model, budget=Budget(generations=90)))
    assert result.usage.generations == 90
    assert worth(result.answer) == max(c.score or 0.0 for c in result.candidates)
