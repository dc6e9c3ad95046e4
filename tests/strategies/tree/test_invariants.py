"""What must hold for every tree of every search, whatever its rule; and the special cases that name a known method."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from searchkit import Budget, Model, Params, solve
from searchkit.strategies import (
    ABMCTS,
    DVTS,
    MASTER,
    MCTS,
    PUCT,
    RAP,
    UCT,
    AgentQ,
    AlphaMathBeam,
    AStar,
    BeamSearch,
    BestFirst,
    BestFirstRule,
    Children,
    Judged,
    ParticleFilter,
    ParticleGibbs,
    RecedingHorizon,
    Rollout,
    SWESearch,
    TreeOfThoughts,
    Vote,
    Widening,
)
from searchkit.testing import Counting, Shuffled
from searchkit.tree import NO_PARENT, ROOT, Tree
from tests.helpers.steps import STEPS, Letters, Worth, write

W, E = Worth(), {"environment": STEPS}
SEARCHES = {
    "beam": BeamSearch(6, 2, W, **E),
    "alphamath": AlphaMathBeam(2, 3, W, **E),
    "dvts": DVTS(6, 3, W, **E),
    "tot-bfs": TreeOfThoughts(2, 3, W, **E),
    "tot-dfs": TreeOfThoughts(2, 3, W, order="dfs", **E),
    "uct": MCTS(W, iterations=12, in_flight=3, **E),
    "uct-rollouts": MCTS(W, evaluation=Rollout(2), iterations=8, **E),
    "widening": MCTS(W, policy=UCT(widening=Widening()), iterations=20, width=1, expansions=9, **E),
    "puct": MCTS(W, policy=PUCT(), iterations=12, trees=2, **E),
    "rap": MCTS(W, policy=RAP(), prior=Worth(0.5), iterations=12, **E),
    "agent-q": MCTS(W, policy=AgentQ(), prior=Worth(0.5), evaluation=Rollout(), iterations=8, **E),
    "master": MCTS(W, policy=MASTER(), prior=Worth(0.5), iterations=12, **E),
    "swe-search": MCTS(W, policy=SWESearch(), evaluation=Children(), iterations=12, width=1, expansions=3, **E),
    "best-first": BestFirst(W, iterations=12, **E),
    "particles": ParticleFilter(5, W, weights="softmax", **E),
    "gibbs": ParticleGibbs(3, W, weights="softmax", sweeps=2, **E),
    "ab-mcts": ABMCTS(W, iterations=12, in_flight=3, **E),
    "a-star": AStar(h=Judged(W), expansions=9, **E),
    "receding": RecedingHorizon(BestFirst(W, iterations=2, **E), rounds=3),
}


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("budget", [Budget(), Budget(generated_tokens=17), Budget(verifications=4)])
def test_every_tree_is_sound(name: str, budget: Budget) -> None:
    """Parents come first, depths follow; nothing finished is expanded; nothing is in flight; sums and bests fit."""
    backend = Counting(Shuffled(Letters(), 1))
    result = write(SEARCHES[name], backend, params=Params(max_tokens=3), budget=budget)
    tree = result.tree
    assert tree is not None
    for node in range(len(tree)):
        children = tree.children(node)
        assert tree.parent[node] == NO_PARENT if node == ROOT else tree.parent[node] < node
        assert all(tree.depth[c] == tree.depth[node] + 1 for c in children)
        assert not (tree.terminal[node] and children)
        assert not tree.closed[node] or all(tree.closed[c] for c in children)
        assert tree.in_flight[node] == 0
        assert tree.visits[node] >= sum(tree.visits[c] for c in children)
        assert all(tree.best[c] <= tree.best[node] or name == "rap" for c in children)
        if tree.visits[node]:
            assert tree.mean(node) <= tree.best[node] + 1e-12
    assert result.paid.model_calls == backend.calls
    assert backend.in_flight == 0


@pytest.mark.parametrize("name", [n for n in SEARCHES if n not in ("receding",)])
def test_identical_seeds_give_identical_trees(name: str) -> None:
    """At any order of completion; another seed gives another tree."""
    trees = [write(SEARCHES[name], Shuffled(Letters(), order)).tree.to_json() for order in range(3)]  # type: ignore[union-attr]
    assert trees[0] == trees[1] == trees[2]
    assert write(SEARCHES[name], seed=1).tree.to_json() != trees[0]  # type: ignore[union-attr]


def test_one_action_a_node_is_a_chain_of_thought() -> None:
    """Width 1: a path, as long as the answer."""
    for policy in (UCT(), RAP(), PUCT()):
        tree = write(MCTS(W, policy=policy, iterations=9, width=1, **E)).tree
        assert tree is not None
        assert list(tree.parent) == [NO_PARENT, 0, 1, 2]


@pytest.mark.parametrize("pops", [1, 2, 5, 12])
def test_pops_never_exceed_the_iterations(pops: int) -> None:
    """One node is expanded a pop, and one verification is paid for each, besides those of finished answers."""
    result = write(BestFirst(W, iterations=pops, width=2, in_flight=2, **E))
    assert result.tree is not None
    assert sum(result.tree.expanded) <= pops
    assert result.usage.generations <= 2 * pops


def test_a_constant_value_pops_what_was_proposed_most_often() -> None:
    """Nothing to choose by: rank 0 of the root, rank 0 below it, then rank 1 of the root (the older of two)."""
    strategy = BestFirst(Worth(constant=0.5), BestFirstRule(), iterations=4, width=20, **E)
    tree = write(strategy).tree
    assert tree is not None
    first = tree.children(ROOT)
    below = tree.children(first[0])
    assert [n for n in range(len(tree)) if tree.expanded[n]] == [ROOT, first[0], first[1], below[0]]
    assert tree.prior[first[0]] == max(tree.prior[c] for c in first)
    assert tree.children(below[0])[0] < tree.children(first[1])[0]


def test_with_equal_scores_a_weighted_vote_is_a_majority() -> None:
    """On the answers of one beam search, by their last letter."""

    def last(text: str) -> str:
        return text[-1]

    for seed in range(8):
        constant = Worth(constant=0.5)
        answers = [
            write(BeamSearch(9, 3, constant, select=Vote(key=last, weighted=weighted), **E), seed=seed).answer
            for weighted in (True, False)
        ]
        assert answers[0] == answers[1]


def test_the_best_value_of_a_node_never_falls() -> None:
    """Max backup is monotone: whatever comes back, and however many children are added."""
    rng, tree = random.Random(0), Tree()
    before = list(tree.best)
    for _ in range(300):
        node = tree.add(rng.randrange(len(tree)), "x")
        tree.backup(node, rng.uniform(-1, 1))
        assert all(now >= then for now, then in zip(tree.best, before, strict=False))
        before = list(tree.best)


@pytest.mark.parametrize("policy", [UCT(0.5), UCT(0.5, virtual_loss=1.0), PUCT(1.0), RAP(0.5), AgentQ(), MASTER()])
def test_rescaling_values_and_constants_changes_no_tree(policy: Any) -> None:
    """All scores, priors by critics and constants times 64 (exact in binary): node for node the same tree."""
    scaled = {"c": 64.0, "w": 64.0, "virtual_loss": 64.0}
    changes = {k: getattr(policy, k) * f for k, f in scaled.items() if getattr(policy, k, None) is not None}
    critic = not isinstance(policy, (UCT, PUCT))
    trees = []
    for factor, rule in ((1.0, policy), (64.0, type(policy)(**{**vars(policy), **changes}))):
        options: dict[str, Any] = {"prior": Worth(factor)} if critic else {}
        strategy = MCTS(Worth(factor), policy=rule, iterations=14, width=3, in_flight=2, **options, **E)
        trees.append(asyncio.run(solve("q", strategy, generator=Model(Letters()))).tree)
    one, other = trees
    assert one is not None
    assert other is not None
    assert one.text == other.text
    assert list(one.visits) == list(other.visits)
    assert [64 * total for total in one.total] == list(other.total)
