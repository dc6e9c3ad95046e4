"""Chains of drafts against their closed forms: what a critic of known errors makes of them, and what sampling would."""

from __future__ import annotations

import asyncio
import itertools
import math
import re
from pathlib import Path

import pytest

from searchkit import Budget, Model, Params, Problem, Prompt, Result, solve
from searchkit.strategies import BestOfN, Refine
from searchkit.strategy import Strategy
from searchkit.verifiers import Critic
from tests.helpers.two_states import Chain

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "refinement" / "refinement.md"
ROW = re.compile(r"\| [a-z ]+ \| \d\.\d \|")
PROBLEM = Problem("p", Prompt.of("the task"))
GOOD = Chain(right=0.5, flag=0.8, clear=0.9, mend=0.6, keep=0.9)
CHANCE = Chain(right=0.7, flag=0.5, clear=0.5, mend=0.3, keep=0.6)
INVERTED = Chain(right=0.6, flag=0.2, clear=0.3, mend=0.4, keep=0.5)
PERFECT = Chain(right=0.4, flag=1.0, clear=1.0, mend=0.5, keep=0.2)


def results(strategy: Strategy, chain: Chain, n: int, **options: object) -> list[Result[str]]:
    model = Model(chain.model(), Params(max_tokens=20))

    async def go() -> list[Result[str]]:
        return [await solve(PROBLEM, strategy, generator=model, seed=seed, **options) for seed in range(n)]  # type: ignore[arg-type]

    return asyncio.run(go())


def share(found: list[Result[str]]) -> float:
    return sum(result.answer == "right" for result in found) / len(found)


def near(measured: float, expected: float, n: int) -> bool:
    """Within four standard errors."""
    return abs(measured - expected) <= 4 * math.sqrt(max(expected * (1 - expected), 1e-4) / n)


def enumerated(chain: Chain, rounds: int, rule: str) -> float:
    """The accuracy by all ways in which a chain can go: written without the recursion of the closed form."""
    total = 0.0
    for states in itertools.product((True, False), repeat=rounds + 1):
        for verdicts in itertools.product((True, False), repeat=rounds + 1):
            end = verdicts.index(True) if True in verdicts else rounds
            if rule == "last" and end == rounds and not verdicts[-1]:
                continue  # that draft is not judged: counted once, as if satisfied
            if any(verdicts[end + 1 :]) or any(states[end + 1 :]):
                continue  # nothing comes after the end: counted once
            chance = chain.right if states[0] else 1 - chain.right
            for i in range(end + 1):
                if i:
                    mended = chain.keep if states[i - 1] else chain.mend
                    chance *= mended if states[i] else 1 - mended
                if rule == "last" and i == rounds:
                    continue
                satisfied = chain.clear if states[i] else 1 - chain.flag
                chance *= satisfied if verdicts[i] else 1 - satisfied
            total += chance * states[end if rule == "last" or True in verdicts else 0]
    return total


@pytest.mark.parametrize("chain", [GOOD, CHANCE, INVERTED, PERFECT])
def test_the_closed_forms_are_those_of_enumeration(chain: Chain) -> None:
    for rounds in range(4):
        assert math.isclose(chain.last(rounds), enumerated(chain, rounds, "last"))
        assert math.isclose(chain.accepted(rounds), enumerated(chain, rounds, "accepted"))


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["last", "accepted"])
@pytest.mark.parametrize("name", ["GOOD", "CHANCE", "INVERTED", "PERFECT"])
def test_accuracy_after_r_rounds_is_that_of_the_two_states(name: str, rule: str) -> None:
    """And the drafts that were written are as many as the chain says."""
    chain: Chain = globals()[name]
    for rounds in (1, 3):
        n = 600
        found = results(Refine(rounds, Critic(), rule), chain, n)  # type: ignore[arg-type]
        expected = chain.last(rounds) if rule == "last" else chain.accepted(rounds)
        assert near(share(found), expected, n), (rounds, share(found), expected)
        drafts = sum(result.usage.generations for result in found) / n
        assert abs(drafts - chain.drafts(rounds)) < 4 * rounds / 2 / math.sqrt(n)


def test_a_critic_at_chance_hurts_as_computed() -> None:
    """It objects to right drafts as often as to wrong ones: the last draft drifts to where rewriting alone leads."""
    assert [round(CHANCE.last(rounds), 4) for rounds in (0, 1, 2, 8)] == [0.7, 0.605, 0.5907, 0.5882]
    n = 400
    assert near(share(results(Refine(2, Critic(), "last"), CHANCE, n)), 0.59075, n)


def test_a_perfect_critic_never_lowers_the_accuracy() -> None:
    """However badly drafts are rewritten: the accepted draft is right."""
    for mend, keep in itertools.product((0.0, 0.1, 0.9), repeat=2):
        chain = Chain(0.4, 1.0, 1.0, mend, keep)
        accuracies = [chain.accepted(rounds) for rounds in range(6)]
        assert accuracies == sorted(accuracies)
    assert share(results(Refine(3, Critic(), "accepted"), PERFECT, 50)) > 0.4


def test_rewriting_that_is_sampling_is_sampling() -> None:
    """Where a rewrite is right as often as a first draft, whatever it rewrites, a chain is best-of-n."""
    for chain in (GOOD, CHANCE, INVERTED):
        blind = Chain(chain.right, chain.flag, chain.clear, chain.right, chain.right)
        for rounds in range(5):
            assert math.isclose(blind.accepted(rounds), blind.best_of(rounds + 1))


@pytest.mark.slow
@pytest.mark.parametrize(("mend", "wins"), [(0.6, "chain"), (0.2, "samples")])
def test_at_equal_tokens_it_is_the_refiner_that_decides(mend: float, wins: str) -> None:
    """The same critic, the same ceiling on generated tokens: a chain wins where a rewrite mends more often than a new
    draft is right, and loses where it does not. Both are what the closed forms say."""
    chain, n, tokens = Chain(right=0.4, flag=0.9, clear=0.9, mend=mend, keep=0.4), 600, 160
    budget = Budget(generated_tokens=tokens)  # 20 a call at most: four drafts with their critiques
    refined = results(Refine(3, Critic(), "accepted"), chain, n, budget=budget)
    sampled = results(BestOfN(4, Critic(), first_pass=True, window=1), chain, n, budget=budget)
    assert max(result.usage.generated_tokens for result in (*refined, *sampled)) <= tokens
    assert near(share(refined), chain.accepted(3), n)
    assert near(share(sampled), chain.best_of(4), n)
    better = chain.accepted(3) > chain.best_of(4)
    assert better is (share(refined) > share(sampled)) is (wins == "chain")


def test_the_figures_of_the_guide_are_those_of_the_closed_forms() -> None:
    """Each row of its table."""
    rows = [line.strip("| ").split(" | ") for line in GUIDE.read_text().splitlines() if ROW.match(line)]
    assert len(rows) == 8
    for _, flag, clear, rewriting, *figures in rows:
        mend, keep = map(float, rewriting.split(", "))
        chain = Chain(0.5, float(flag), float(clear), mend, keep)
        computed = [chain.last(4), chain.accepted(4), chain.best_of(5)]
        assert figures == [f"{100 * one:.1f}" for one in computed]
