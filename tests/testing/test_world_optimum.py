"""The optimum of each world: exact ones against brute force, tuned ones computed anew."""

from __future__ import annotations

import itertools
import math
import random
from functools import cache
from typing import Any

import numpy as np
import pytest

from searchkit.experiments import auroc
from searchkit.testing.worlds import WORLDS, Drift, Duplicates, Growing, Lock, NoisyLock, Optimum, SparseLock
from searchkit.testing.worlds.optimum import KNOWN, Beam, Greedy, Whole, draws, key, tune
from searchkit.testing.worlds.revising import revising
from searchkit.testing.worlds.roads import UnequalCosts

TUNED = {name: world for name, world in WORLDS.items() if world.optimum.kind == "tuned"}


def brute(lock: Lock) -> float:
    """The least expected draws to open, over all policies: by all sets of beginnings that may have been drawn."""
    chances = (
        [math.exp(-i / lock.temperature) for i in range(lock.options)]
        if isinstance(lock, Duplicates)
        else [1.0] * lock.options
    )
    right = lock.rank if isinstance(lock, Duplicates) else 0
    total, goal = sum(chances), (right,) * lock.digits

    @cache
    def cost(known: frozenset[tuple[int, ...]]) -> float:
        if goal in known:
            return 0.0
        best = math.inf
        for place in known:
            if len(place) == lock.digits or any(digit != right for digit in place):
                continue  # the value is perfect: nobody draws beneath what is wrong
            new = {(*place, i): c / total for i, c in enumerate(chances) if (*place, i) not in known}
            if new:
                best = min(best, (1 + sum(c * cost(known | {made}) for made, c in new.items())) / sum(new.values()))
        return best

    return cost(frozenset({()}))


@pytest.mark.parametrize("lock", [Lock(1, 3), Lock(2, 2), Lock(3, 2), Duplicates(2, 3, 0.8, 1)])
def test_a_lock_opens_at_its_optimum(lock: Lock) -> None:
    """Every policy of a small one, enumerated."""
    assert lock.optimum.cost == pytest.approx(brute(lock))


def test_the_lock_of_the_figures_costs_sixty() -> None:
    """Six digits of ten options; and the sparse one is measured by whole answers."""
    assert Lock().optimum == Optimum(60.0, "exact", "digits / chance of the right digit")
    assert SparseLock().reference == 3 * 4**3


def test_growing_opens_when_each_step_is_right() -> None:
    """Value iteration over the length of the longest right path."""
    world = Growing(3, 0.4)
    costs = [0.0] * 4
    for _ in range(500):
        costs = [1 + world.chance * costs[n + 1] + (1 - world.chance) * costs[n] for n in range(3)] + [0.0]
    assert world.optimum.cost == pytest.approx(costs[0])


@pytest.mark.parametrize("world", [UnequalCosts(), UnequalCosts(3, (2, 3), (0.5, 0.9)), UnequalCosts(2, (1, 1))])
def test_roads_are_taken_at_the_optimum(world: UnequalCosts) -> None:
    """Value iteration over the longest right path on each road, -1 where the road was not drawn yet."""
    states = list(itertools.product(range(-1, world.depth), repeat=2))
    worth: dict[Any, float] = dict.fromkeys(states, 0.0)

    def after(state: tuple[int, int], road: int, at: int) -> float:
        new = tuple(max(n, at) if i == road else n for i, n in enumerate(state))
        return 0.0 if at == world.depth else worth[new]

    def options(state: tuple[int, int]) -> list[float]:
        found = [1 + sum(after(state, road, 0) for road in (0, 1)) / 2]
        for road, (cost, chance) in enumerate(zip(world.costs, world.chances, strict=True)):
            if state[road] >= 0:
                goes_on = after(state, road, state[road] + 1)
                found.append(cost + chance * goes_on + (1 - chance) * worth[state])
        return found

    for _ in range(600):
        worth = {state: min(options(state)) for state in states}
    assert world.optimum.cost == pytest.approx(worth[-1, -1], rel=1e-6)


def test_revising_agrees_with_closed_forms() -> None:
    """Revisions that always reach the goal cost one more draw; those that ruin a draft leave only first ones."""
    short = 1 - (0.5**5 + 5 * 0.5**5)  # Beta(2, 4) below 0.5
    assert revising((2.0, 4.0), 0.5, 0.001, 1.0) == pytest.approx(1 + short, abs=1e-6)
    assert revising((2.0, 4.0), 0.5, 0.001, -2.0) == pytest.approx(1 / (1 - short), rel=1e-6)
    assert revising((1.2, 2.5), 1e-6, 0.1, 0.0) == pytest.approx(1.0, abs=1e-3)


def test_revising_agrees_with_value_iteration() -> None:
    """The same equation with numbers drawn instead of distributions, iterated until nothing moves."""
    cells, rng = 40, np.random.default_rng(0)
    middles = (np.arange(cells) + 0.5) * 0.95 / cells
    place = lambda q: np.minimum(cells, (np.clip(q, 0, 1) / 0.95 * cells).astype(int))  # noqa: E731
    fresh = place(rng.beta(2, 4, 20_000))
    revised = [place(q + rng.normal(0, 0.12, 20_000)) for q in middles]
    worth = np.zeros(cells + 1)
    for _ in range(300):
        options = [(worth[np.maximum(i, fresh)].mean(), worth[np.maximum(i, revised[i])].mean()) for i in range(cells)]
        worth[:-1] = 1 + np.array(options).min(axis=1)
    assert revising((2.0, 4.0), 0.95, 0.12, 0.0, cells) == pytest.approx(1 + worth[fresh].mean(), rel=0.02)


@pytest.mark.parametrize(("name", "rule"), [("lock", Greedy(0.0, 0.1)), ("drift", Greedy(0.003, 0.3))])
def test_a_plain_rule_comes_close_to_an_exact_optimum_and_not_below(name: str, rule: Greedy) -> None:
    """The mean of 400 runs of the rule that is known to be good there, within four standard errors."""
    world = WORLDS[name]
    costs = [draws(world, rule, seed) for seed in range(400)]
    error = np.std(costs) / 20
    assert -4 * error < np.mean(costs) - world.optimum.cost < 4 * error + 0.05 * world.optimum.cost


def test_whole_answers_cost_what_the_closed_form_says() -> None:
    """The rule that the sparse lock is measured by; and with one beam of one it is the same rule."""
    world = SparseLock(2, 3)
    for rule in (Whole(), Beam(1, 1)):
        costs = [draws(world, rule, seed) for seed in range(1500)]
        assert np.mean(costs) == pytest.approx(world.reference, abs=4 * np.std(costs) / 1500**0.5)


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_the_auroc_of_a_noisy_lock_is_what_its_scores_have(noise: float) -> None:
    """Over right beginnings and their wrong siblings, place by place."""
    lock, found = NoisyLock(3, 4, noise=noise), []
    for place in range(1, lock.digits):
        right = [lock.scaled(lock.value((0,) * place, True, seed)) for seed in range(600)]
        wrong = [lock.scaled(lock.value((*(0,) * (place - 1), 1), False, seed)) for seed in range(600)]
        found.append(auroc([*right, *wrong], [True] * 600 + [False] * 600))
    assert lock.auroc == pytest.approx(sum(found) / len(found), abs=0.02)
    assert NoisyLock(noise=0).auroc == 1.0


def test_a_tuned_optimum_depends_on_neither_range_nor_budget() -> None:
    """So that it is known for worlds that score otherwise."""
    world = NoisyLock(2, 3, range=(-5.0, 5.0))
    assert key(world) == key(NoisyLock(2, 3))
    assert tune(world, 5, 5) == tune(NoisyLock(2, 3), 5, 5)


def test_what_is_known_is_about_the_named_worlds() -> None:
    """No constant is left over, and none is missing."""
    assert set(KNOWN) == {key(world) for world in TUNED.values()}


@pytest.mark.slow
@pytest.mark.parametrize("name", TUNED)
def test_a_known_optimum_is_what_tuning_comes_to(name: str) -> None:
    """The constants are no more than a cache."""
    assert tune(TUNED[name]) == TUNED[name].optimum


def test_draws_of_rules_are_seeded() -> None:
    """A tuned optimum is the same in every process."""
    assert [draws(Drift(), Greedy(0.0, 0.3), 7) for _ in range(3)] == [draws(Drift(), Greedy(0.0, 0.3), 7)] * 3
    assert random.Random("7 draws").random() == random.Random("7 draws").random()
