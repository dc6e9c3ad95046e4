"""The chance that no mistake was made: against all ways in which steps can be right or wrong, one by one."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

from searchkit import Budget, solve_sync
from searchkit.strategies import MCTS, AdaptiveUCT, BestFirst, FirstMistake, Reservation
from searchkit.strategies.tree.policies.descent import remembered
from searchkit.strategies.tree.policies.evidence import Evidence
from searchkit.strategies.tree.policies.first_mistake import RIGHT, SLOPE, Mistakes
from searchkit.strategies.tree.policies.trust import Trust
from searchkit.testing.worlds import WORLDS, Steps
from searchkit.tree import NO_PARENT, ROOT, Tree
from tests.helpers.steps import STEPS, OnLetters, Worth


class TestFirstMistake(OnLetters):
    def strategy(self) -> Any:
        return BestFirst(Worth(), FirstMistake(), STEPS, iterations=24)


class TestTrust(OnLetters):
    def strategy(self) -> Any:
        return BestFirst(Worth(), Trust(), STEPS, iterations=24)


class TestTrustFromTheRoot(OnLetters):
    def strategy(self) -> Any:
        return BestFirst(Worth(), Trust(AdaptiveUCT()), STEPS, iterations=24)


def grown(seed: int, nodes: int, low: float = 0.0, high: float = 1.0) -> Tree:
    """A random tree with random scores in [low, high], some missing, drawn as many times as there are children."""
    rng, tree = random.Random(seed), Tree()
    tree.range = low, high
    for i in range(nodes):
        parent = rng.randrange(len(tree))
        score = None if rng.random() < 0.15 else low + (high - low) * rng.random()
        tree.add(parent, str(i), score=score)
        tree.drawn[parent] += 1
        tree.once[parent] += 1
    return tree


def chances(tree: Tree) -> list[float]:
    """For each node the chance that its path is right: a sum over all ways in which steps can be right or wrong."""
    low, high = tree.range
    total, right = 0.0, [0.0] * len(tree)
    for way in itertools.product((False, True), repeat=len(tree) - 1):
        fate, weight = [True, *way], 1.0
        for node in range(1, len(tree)):
            before = fate[tree.parent[node]]
            weight *= (RIGHT if fate[node] else 1 - RIGHT) if before else float(not fate[node])
            score = tree.score[node]
            if fate[node] and score == score:
                weight *= math.exp(SLOPE * ((score - low) / (high - low) - 0.5))
        total += weight
        right = [r + weight * f for r, f in zip(right, fate, strict=True)]
    return [r / total for r in right]


def believed(known: Mistakes, tree: Tree) -> list[float]:
    found = [1.0] * len(tree)
    for node in range(1, len(tree)):
        found[node] = found[tree.parent[node]] * known.right[node]
    return found


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-3.0, 5.0)])
def test_the_chance_is_exact(seed: int, bounds: tuple[float, float]) -> None:
    """On random trees of up to ten steps, taken in at once or step by step."""
    tree = grown(seed, 1 + seed % 10, *bounds)
    known = Mistakes()
    known.update(tree)
    assert believed(known, tree) == pytest.approx(chances(tree), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_what_comes_later_is_taken_in_as_if_it_had_been_there(seed: int) -> None:
    """A tree that grows where the rule says, with scores as they come: each choice is the best by the exact chance."""
    rng, tree = random.Random(seed), Tree()
    tree.range = 0.0, 1.0
    for _ in range(11):
        node = FirstMistake().select(tree, rng)
        assert node is not None
        worth = [p / (1 + n) for p, n in zip(chances(tree), tree.drawn, strict=True)]
        assert worth[node] == pytest.approx(max(worth), abs=1e-12)
        tree.add(node, "", score=rng.random())
        tree.drawn[node] += 1
        tree.once[node] += 1


def test_nodes_under_way_are_not_chosen_again_and_come_back() -> None:
    """Four choices at once are four nodes; when they have ended without a child, they are there again."""
    tree, rng = grown(3, 12), random.Random(0)
    taken = []
    for _ in range(4):
        node = FirstMistake().select(tree, rng)
        assert node is not None
        tree.start(node)
        taken.append(node)
    assert len(set(taken)) == 4
    for node in taken:
        tree.finish(node)
    assert FirstMistake().select(tree, rng) == taken[0]


def test_nothing_is_chosen_where_all_is_closed() -> None:
    tree = grown(1, 5)
    for node in reversed(range(len(tree))):
        tree.fill(node)
        tree.close(node)
    assert FirstMistake().select(tree, random.Random(0)) is None


@pytest.mark.parametrize("bounds", [(-math.inf, math.inf), (0.0, math.inf), (-math.inf, 1.0)])
def test_without_ends_scores_count_by_their_deviation(bounds: tuple[float, float]) -> None:
    """Then shifting and stretching all scores changes nothing; infinite ones are as sure as can be, and no more."""
    found = []
    for factor, shift in ((1.0, 0.0), (1e6, 0.0), (4.0, -64.0)):
        tree = grown(5, 30)
        tree.range = bounds
        for node in range(1, len(tree)):
            tree.score[node] = factor * tree.score[node] + shift
        known = Mistakes()
        known.update(tree)
        found.append(believed(known, tree))
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert found[0] == pytest.approx(found[2], abs=1e-6)
    tree.score[1], tree.score[2] = math.inf, -math.inf
    known = Mistakes()
    known.update(tree)
    assert all(math.isfinite(odds) and abs(told) <= SLOPE for odds, told in zip(known.odds, known.told, strict=True))


def test_a_deep_path_takes_no_recursion_and_no_overflow() -> None:
    """1,900 steps that all score best, then a hundred that score worst."""
    tree, node = Tree(), ROOT
    tree.range = 0.0, 1.0
    for i in range(2_000):
        node = tree.add(node, "", score=float(i < 1_900))
    known = Mistakes()
    known.update(tree)
    assert all(map(math.isfinite, known.odds))
    assert known.right[1] == pytest.approx(1.0)
    assert known.right[node] < 0.05


# --- which rule chooses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hints", "least"),
    [
        ("steps, strong", True, 17), ("steps, weak", True, 17), ("lock", False, 17), ("wide", False, 19),
        ("sparse lock", False, 19), ("drift", False, 17), ("tests", False, 17), ("growing", False, 19),
    ],
)  # fmt: skip
def test_scores_are_followed_where_they_are_sure(name: str, hints: bool, least: int) -> None:
    """What the tree of a search says in the end, of 20 searches."""
    world, agree = WORLDS[name], 0
    for seed in range(20):
        tree = solve_sync(name, BestFirst(world.verifier, environment=world), budget=world.budget, seed=seed).tree
        assert tree is not None
        evidence = Evidence()
        evidence.update(tree)
        agree += evidence.hints is hints
    assert agree >= least


def test_hints_by_hand() -> None:
    """Children of a good and of a bad state score alike, and spread out; then as their parents do; then too few."""

    def of(chains: list[tuple[float, list[float]]]) -> bool:
        tree = Tree()
        for first, scores in chains:
            node = tree.add(ROOT, "", score=first)
            for score in scores:
                tree.add(node, "", score=score)
        evidence = Evidence()
        evidence.update(tree)
        return evidence.hints

    assert of([(0.9, [0.2, 0.6, 0.4]), (0.1, [0.5, 0.3, 0.7])])
    assert not of([(0.9, [0.8, 1.0, 0.9]), (0.1, [0.2, 0.0, 0.1])])
    assert not of([(0.9, [0.2, 0.6]), (0.1, [0.5])])
    assert not of([(0.9, [0.1, 0.1, 0.1]), (0.1, [0.1, 0.1, 0.1])])  # a lock: siblings are the same
    assert not of([(0.5, [0.5, 0.5, 0.5]), (0.5, [0.5, 0.5, 0.5])])  # nothing is said at all


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-5.0, 20.0)])
def test_weak_scores_of_any_range_are_searched_well(bounds: tuple[float, float]) -> None:
    """Five steps, weak scorer, 80 draws: of 40 searches at least 22 come to five right steps; a beam to 30."""
    world = Steps(margin=0.5, range=bounds)
    found = sum(
        world.success(solve_sync("q", BestFirst(world.verifier, environment=world), budget=world.budget, seed=seed))
        for seed in range(40)
    )
    assert found >= 22


@pytest.mark.parametrize("levels", [Reservation(), AdaptiveUCT()])
def test_trust_remembers_both_rules(levels: Any) -> None:
    """Whichever chooses, the other knows: no node is drawn from twice at once."""
    rng = random.Random(2)
    for seed in range(20):
        tree, under_way = grown(seed, 20), list[int]()
        for _ in range(200):
            node = Trust(levels).select(tree, rng)
            assert node is not None
            assert node not in under_way
            tree.start(node)
            under_way.append(node)
            if len(under_way) == 5:
                done = under_way.pop(rng.randrange(5))
                tree.finish(done)
                tree.add(done, "", score=rng.random())
                tree.drawn[done] += 1
                tree.once[done] += 1
    assert remembered(tree, Mistakes) is not None
    assert tree.parent[ROOT] == NO_PARENT


def test_levels_that_do_not_rise_are_doubted() -> None:
    """One child scores .5 and all that follows next to nothing: at first the levels are followed, and once the .5 is as
    old as twice the draws that it took, every other draw goes where `FirstMistake` would draw."""
    rng, tree, agree = random.Random(5), Tree(), list[bool]()
    tree.range = 0.0, 1.0
    tree.add(ROOT, "", score=0.5)
    tree.drawn[ROOT] = tree.once[ROOT] = 1
    for _ in range(200):
        fresh = Mistakes()
        fresh.update(tree)
        node = Trust().select(tree, rng)
        assert node is not None
        agree.append(node == fresh.best(tree))
        tree.add(node, "", score=rng.choice([0.0, 0.02, 0.04]))
        tree.drawn[node] += 1
        tree.once[node] += 1
    assert sum(agree[20:]) >= 90
    assert tree.drawn[ROOT] >= 20
    alone = Tree()
    alone.range = 0.0, 1.0
    alone.add(ROOT, "", score=0.5)
    alone.drawn[ROOT] = alone.once[ROOT] = 1
    for _ in range(200):
        node = Reservation().select(alone, rng)
        assert node is not None
        alone.add(node, "", score=rng.choice([0.0, 0.02, 0.04]))
        alone.drawn[node] += 1
        alone.once[node] += 1
    assert alone.drawn[ROOT] < tree.drawn[ROOT] / 2


@pytest.mark.slow
def test_mcts_spreads_over_hints_by_default() -> None:
    """Five steps, strong scorer: of 40 searches at least 36 find five right steps; `AdaptiveUCT` alone 34 at most."""
    world = WORLDS["steps, strong"]

    def found(policy: Any) -> float:
        search = MCTS(world.verifier, policy, environment=world)
        return sum(world.success(solve_sync("q", search, budget=world.budget, seed=seed)) for seed in range(40))

    assert found(None) >= 36
    assert found(AdaptiveUCT()) <= 34


@pytest.mark.slow
def test_a_lock_whose_noise_misleads_is_opened() -> None:
    """Ten noisy locks that a choice by `Evidence.hints` alone did not open in 3,520 draws: a dozen were at the start,
    and thousands beneath a wrong first digit. Of these at least six open in 1,200."""
    world = WORLDS["noisy lock"]
    opened = 0
    for seed in (1, 8, 14, 26, 33, 40, 41, 43, 44, 52):
        search = BestFirst(world.verifier, environment=world, threshold=1.0)
        opened += world.success(solve_sync("noisy lock", search, budget=Budget(generations=1200), seed=seed)) == 1
    assert opened >= 6
