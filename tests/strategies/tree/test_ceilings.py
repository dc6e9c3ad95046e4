"""What a ceiling must not change: the keys of calls in a journal, and that a search ends where it has what it wants."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from searchkit import Budget, solve_sync
from searchkit.protocols import Run
from searchkit.result import Result
from searchkit.strategies import (
    MCTS,
    UCT,
    AdaptiveUCT,
    BestFirst,
    BestOfN,
    RecedingHorizon,
    Reservation,
    TreeSearch,
    Trust,
    Widening,
)
from searchkit.types import Prompt, Sample, Transition, Usage
from searchkit.verifiers import Predicate

CALLS = Counter[str]()
WORD = "cabd"


@dataclass(frozen=True)
class Spelling:
    """Letters one by one, up to a length."""

    length: float = len(WORD)

    async def start(self, prompt: Prompt, run: Run) -> str:
        return ""

    def prompt(self, state: str) -> Prompt:
        return Prompt.of(f"after {state!r}")

    def step_params(self, run: Run) -> None:
        return None

    async def step(self, state: str, action: Sample[Any], run: Run) -> Transition[str]:
        text = state + action.value
        return Transition(text, terminal=len(text) >= self.length)

    def candidate(self, state: str) -> Sample[str]:
        return Sample(state)


def letter(prompt: Prompt, seed: int) -> Sample[str]:
    CALLS["letters"] += 1
    return Sample(random.Random(seed).choice("abcd"), usage=Usage(model_calls=1, generated_tokens=1))


def near(text: str) -> float:
    return sum(a == b for a, b in zip(text, WORD, strict=False)) / len(WORD)


NEAR = Predicate(near, calls=0)
ANY: Budget = Budget()
SEARCHES: dict[str, Any] = {
    "uct": MCTS(NEAR, UCT(), Spelling(), iterations=20),
    "widening": MCTS(NEAR, UCT(0.5, widening=Widening()), Spelling(), iterations=30),
    "mcts": MCTS(NEAR, environment=Spelling(), iterations=30),
    "best first": BestFirst(NEAR, environment=Spelling(), iterations=30, in_flight=3),
    "trees": MCTS(NEAR, environment=Spelling(), iterations=30, trees=4),
    "nested": BestOfN(3, NEAR, generator=BestFirst(NEAR, environment=Spelling(), iterations=10)),
    "horizon": RecedingHorizon(BestFirst(NEAR, environment=Spelling(), iterations=10), rounds=3),
}
CEILINGS = {
    "generations": Budget(generations=1000),
    "calls and tokens": Budget(model_calls=1000, generated_tokens=1_000_000),
    "seconds": Budget(seconds=3600.0),
}


def drawn(strategy: Any, budget: Budget, journal: Path) -> tuple[int, Result[Any]]:
    """How many letters were asked for, and what came of it."""
    CALLS.clear()
    result = solve_sync("spell", strategy, generator=letter, budget=budget, seed=1, journal=journal)
    return CALLS["letters"], result


@pytest.mark.parametrize("ceiling", CEILINGS)
@pytest.mark.parametrize("name", SEARCHES)
def test_a_ceiling_that_does_not_bind_changes_no_key(name: str, ceiling: str, tmp_path: Path) -> None:
    """Searched under a ceiling and resumed without, or the other way round: nothing is asked for a second time."""
    strategy, budget = SEARCHES[name], CEILINGS[ceiling]
    for journal, (before, after) in {"a.db": (budget, ANY), "b.db": (ANY, budget)}.items():
        asked, first = drawn(strategy, before, tmp_path / journal)
        again, second = drawn(strategy, after, tmp_path / journal)
        assert asked > 9
        assert (again, second.usage.generations, second.answer) == (0, first.usage.generations, first.answer)


# ---------------------------------------------------------------- the first path


@pytest.mark.parametrize("search", [MCTS, BestFirst])
def test_the_first_path_may_be_all_that_is_wanted(search: type[TreeSearch]) -> None:
    """An answer on the first path that reaches the threshold ends the search there."""
    good = Predicate(lambda text: 1.0, name="good", calls=0)
    strategy = search(good, environment=Spelling(3), threshold=1.0)
    result = solve_sync("spell", strategy, generator=letter, budget=Budget(generations=50))
    assert (result.usage.generations, result.stopped) == (3, "threshold")


# ---------------------------------------------------------------- scores without bounds

HUGE: dict[str, Any] = {
    "great": lambda x: x * 1e300,
    "small": lambda x: -x * 1e300,
    "both": lambda x: (x - 0.5) * 3e307,
    "ends": lambda x: 1.7976931348623157e308 if x < 0.5 else -1.7976931348623157e308,
    "mixed": lambda x: 1e308 if x < 0.1 else x,
    "infinite": lambda x: float("inf") if x < 0.3 else -float("inf") if x < 0.5 else -1e308 * x,
    "tiny": lambda x: x * 1e-310,
}


def chance(text: str) -> float:
    return random.Random(f"x{text}").random()


@pytest.mark.parametrize("length", [4, float("inf")], ids=["ends", "endless"])
@pytest.mark.parametrize("kind", HUGE)
def test_scores_of_any_size(kind: str, length: float) -> None:
    """No sum or square of scores overflows, whatever the rule; the best answer is returned."""
    scores = Predicate(lambda text: HUGE[kind](chance(text)), name=kind, range=(-float("inf"), float("inf")), calls=0)
    rules = [Trust(), Trust(AdaptiveUCT()), Reservation(), AdaptiveUCT(), UCT(), UCT(q="max")]
    for rule in rules:
        search = TreeSearch(scores, rule, Spelling(length), width=1, expansions=99)
        result = solve_sync("spell", search, generator=letter, budget=Budget(generations=60), seed=3)
        assert result.usage.generations <= 60
        if length == 4:
            best = max(scored.score for scored in result.candidates if scored.score is not None)
            assert HUGE[kind](chance(result.answer)) == best


# ---------------------------------------------------------------- answers that may be gone on from


@dataclass(frozen=True)
class Drafting(Spelling):
    """The same without an end, where every text is an answer."""

    length: float = float("inf")

    def complete(self, state: str) -> bool:
        return bool(state)


PARTS = {"generations": 40, "model_calls": 40, "generated_tokens": 40, "total_tokens": 40, "verifications": 40}


@pytest.mark.parametrize("calls", [0, None])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("search", [MCTS, BestFirst])
def test_the_first_path_ends_with_the_first_answer(search: type[TreeSearch], part: str, calls: int | None) -> None:
    """Whatever is limited, and though verdicts may cost something: then the search begins, and drafts are judged."""
    judge = Predicate(near, calls=calls)
    budget = Budget(**{part: PARTS[part]})
    result = solve_sync("spell", search(judge, environment=Drafting()), generator=letter, budget=budget, seed=2)
    assert result.tree is not None
    assert max(result.tree.drawn) > 1, "it is one chain"
    assert sum(score == score for score in result.tree.score) > 9
    assert near(result.answer) == max(scored.score for scored in result.candidates if scored.score is not None)
