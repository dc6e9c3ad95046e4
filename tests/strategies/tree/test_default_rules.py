"""The rules that searches take by default: values against bisection, choices on any scale, and what they open."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit import Budget, ConfigError, Model, Params, solve
from searchkit.environments.text_steps import TextSteps
from searchkit.strategies import MCTS, UCT, AdaptiveUCT, BestChance, BestFirst, Reservation, Trust
from searchkit.strategies.tree.policies.evidence import DIFFERENCES, POOLED, Evidence, normal_reservation
from searchkit.testing.worlds import WORLDS
from searchkit.tree import ROOT, Draws, Tree
from searchkit.verifiers import Predicate, PYes
from tests.helpers.steps import STEPS, Letters, OnLetters, Worth, worth, write


def solved(excess: Any, cost: float) -> float:
    """The z at which `excess`, which falls, is `cost`, by bisection."""
    low, high = -1e6, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > cost else (low, middle)
    return low


def tree_of(first: list[float], below: list[list[float]]) -> Tree:
    """Children of the root with the scores `first`, and below the first of them one chain for each list of scores."""
    tree = Tree()
    tops = [tree.add(ROOT, str(score), score=score) for score in first]
    tree.drawn[ROOT] = tree.once[ROOT] = len(first)
    for scores in below:
        node = tops[0]
        for score in scores:
            tree.drawn[node] += 1
            node = tree.add(node, str(score), score=score)
    return tree


SCORES = st.floats(-5, 5).map(lambda score: round(score, 3))


@given(st.lists(SCORES, min_size=1, max_size=5), st.lists(st.lists(SCORES, max_size=4), max_size=4),
       st.lists(SCORES, max_size=5), st.floats(0.001, 3))  # fmt: skip
def test_reservation_values_are_those_of_bisection(
    first: list[float], below: list[list[float]], local: list[float], cost: float
) -> None:
    """E max(0, gain - z) = cost, where the node's own gains, the tree's, and the first differences are mixed."""
    evidence = Evidence()
    evidence.update(tree_of(first, below))
    mean = math.fsum(first) / len(first)
    gains = [b - a for chain in below for a, b in zip([first[0], *chain], chain, strict=False)]
    shares = [(1.0, gain) for gain in local]
    shares += [(POOLED / (len(gains) + DIFFERENCES), gain) for gain in gains]
    rest = POOLED * DIFFERENCES / (len(gains) + DIFFERENCES)
    shares += [(rest / len(first), score - mean) for score in first]
    total = math.fsum(weight for weight, _ in shares)

    def excess(z: float) -> float:
        return math.fsum(weight * max(0.0, gain - z) for weight, gain in shares) / total

    assert evidence.reservation(local, cost) == pytest.approx(solved(excess, cost), abs=1e-9)


@given(st.lists(SCORES, min_size=2, max_size=9), st.floats(0.001, 3))
def test_normal_reservation_values_are_those_of_bisection(scores: list[float], cost: float) -> None:
    mean = math.fsum(scores) / len(scores)
    spread = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / (len(scores) - 1))

    def excess(z: float) -> float:
        if not spread:
            return max(0.0, mean - z)
        u = (z - mean) / spread
        return spread * (math.exp(-u * u / 2) / math.sqrt(2 * math.pi) - u * 0.5 * math.erfc(u / math.sqrt(2)))

    assert normal_reservation(scores, cost) == pytest.approx(solved(excess, cost), abs=1e-6)


def test_what_is_taken_back_is_seen() -> None:
    """Gains that children lose again are noise; gains that stay are not."""
    rng, taken, kept = random.Random(1), [], []
    for _ in range(60):
        level, noise = rng.gauss(0, 1), [rng.gauss(0, 1) for _ in range(4)]
        taken.append(noise)
        kept.append([level := level + rng.gauss(0, 1) for _ in range(4)])
    found = []
    for chains in (taken, kept):
        evidence = Evidence()
        evidence.update(tree_of([0.0, 1.0], chains))
        found.append(evidence.reversion)
    assert found[0] > 0.35
    assert found[1] < 0.15


def test_a_draw_costs_less_the_more_there_are() -> None:
    """The spread of the scores over the draws that there will be: in number, or in tokens by what they took so far."""
    tree = tree_of([0.0, 1.0], [])
    evidence = Evidence()
    evidence.update(tree)
    costs = []
    for draws in (Draws(10), Draws(100)):
        tree.draws = draws
        costs.append(evidence.cost(tree))
    assert costs[0] == pytest.approx(10 * costs[1])
    tree.tokens[1] = tree.tokens[2] = 20
    tree.draws = Draws(tokens=2000)
    assert evidence.expected(tree) == 100
    tree.draws = Draws()
    assert evidence.expected(tree) == 64


@pytest.mark.parametrize("make", [MCTS, BestFirst])
@pytest.mark.parametrize(("factor", "shift"), [(1e-9, 0.0), (1e9, 0.0), (8.0, -1024.0)])
def test_the_scale_of_scores_changes_nothing(make: Any, factor: float, shift: float) -> None:
    """The same tree, node for node, whatever the unit and the zero of the scores; powers of two, but for 1e9."""
    trees = []
    for a, b in ((1.0, 0.0), (factor, shift)):
        judge = Predicate(lambda text, a=a, b=b: a * round(worth(text) * 64) / 64 + b, range=(b - a, b + a), name="w")
        trees.append(write(make(judge, environment=STEPS, iterations=40)).tree)
    assert trees[0].parent == trees[1].parent
    assert trees[0].text == trees[1].text


def test_best_chance_is_the_greatest_score_over_draws() -> None:
    """Each choice of a search of forty, by looking at all nodes."""
    tree, rule, rng = Tree(), BestChance(), random.Random(2)
    for _ in range(40):
        chosen = rule.select(tree, rng)
        assert chosen is not None

        def value(node: int) -> float:
            score, at = tree.score[node], node
            while score != score:
                at = tree.parent[at]
                score = 0.5 if at < 0 else tree.score[at]
            return score / (1 + tree.drawn[node])

        open_ones = [node for node in range(len(tree)) if not tree.closed[node]]
        assert value(chosen) == max(map(value, open_ones))
        tree.start(chosen)
        tree.finish(chosen)
        tree.drawn[chosen] += 1
        if tree.score[chosen] != tree.score[chosen]:
            tree.score[chosen] = rng.random()
        if tree.depth[chosen] < 4:
            tree.add(chosen, "x", score=rng.random() if rng.random() < 0.5 else None)


def test_the_verifier_says_which_rule_and_how_children_are_judged() -> None:
    """Chances are averaged; verdicts that take model calls are not spent on every child."""
    assert MCTS(Worth()).rule == Trust(AdaptiveUCT())
    assert BestFirst(Worth()).rule == Trust()
    assert isinstance(MCTS(PYes()).rule, UCT)
    assert isinstance(BestFirst(PYes()).rule, BestChance)
    assert isinstance(BestFirst(PYes(), UCT(2.0)).rule, UCT)
    for attributes, said in (({"scale": "odds"}, "chance"), ({"scale": "chance", "range": (0, 9)}, "within")):
        verifier = type("Odd", (Worth,), attributes)()
        with pytest.raises(ConfigError, match=said):
            MCTS(verifier)


def test_verdicts_that_take_calls_are_counted() -> None:
    """Undeclared: the first child is judged, and then only what is expanded (or was to be, when the budget ended) and
    what ends."""

    async def asking(prompt: Any, text: str) -> float:
        return worth(text)

    class Dear(Predicate):
        async def verify(self, prompt: Any, samples: Any, run: Any) -> Any:
            await run.sample(None, prompt)
            return await super().verify(prompt, samples, run)

    counted = write(BestFirst(Dear(asking, name="dear"), environment=STEPS), budget=Budget(generations=9))
    tree = counted.tree
    assert tree is not None
    judged = [n for n in range(1, len(tree)) if tree.score[n] == tree.score[n]]
    assert sum(not (tree.drawn[n] or tree.terminal[n]) for n in judged if n != 1) <= 1
    assert any(tree.score[n] != tree.score[n] for n in range(1, len(tree)))


@pytest.mark.slow
@pytest.mark.parametrize(("make", "most"), [(MCTS, 2.5), (BestFirst, 1.5)])
def test_a_lock_opens_near_the_best_possible_cost(make: Any, most: float) -> None:
    """Forty locks of six digits, sixty draws expected for who knows what the score means."""
    world, spent = WORLDS["lock"], []
    for seed in range(40):
        strategy = make(world.verifier, environment=world, threshold=1.0)
        result = asyncio.run(solve("q", strategy, budget=Budget(generations=1200), seed=seed))
        assert world.success(result) == 1
        spent.append(result.usage.generations)
    assert sum(spent) / len(spent) < most * world.optimum.cost


class TestReservation(OnLetters):
    """The laws, best-first where scores are sure."""

    def strategy(self) -> BestFirst:
        return BestFirst(Worth(), Reservation(), STEPS, iterations=24)


class TestAdaptiveUCT(OnLetters):
    """The laws, MCTS by default with leaves in flight."""

    def strategy(self) -> MCTS:
        return MCTS(Worth(), environment=STEPS, iterations=24, in_flight=3)


class TestBestChance(OnLetters):
    """The laws, best-first over chances."""

    def strategy(self) -> BestFirst:
        return BestFirst(Worth(), BestChance(), STEPS, iterations=24)


@pytest.mark.parametrize("make", [MCTS, BestFirst])
@pytest.mark.parametrize("in_flight", [2, 5])
def test_trees_do_not_depend_on_latencies(make: Any, in_flight: int) -> None:
    """The same tree, whatever call is faster."""

    class Late(Letters):
        async def complete(self, requests: Any) -> list[Any]:
            await asyncio.sleep(random.random() / 500)
            return await super().complete(requests)

    model = Model(Late(), Params(max_tokens=4))
    strategy = make(Worth(), environment=TextSteps("/"), in_flight=in_flight)
    found = [
        asyncio.run(solve("q", strategy, generator=model, budget=Budget(generations=40), seed=1)) for _ in range(3)
    ]
    trees = [result.tree.to_json() for result in found if result.tree is not None]
    assert trees[0] == trees[1] == trees[2]
