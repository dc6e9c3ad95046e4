"""Selection rules on hand-built trees: each expectation is a table that can be checked by hand."""

from __future__ import annotations

import math
import random

import pytest

from searchkit import ConfigError
from searchkit.strategies.policies import PUCT, UCT, BestFirstRule
from searchkit.tree import Tree

RNG = random.Random(0)


def family(*rows: tuple[float, int], priors: tuple[float, ...] = ()) -> Tree:
    """A root with one child for each (mean value, visits); the root's visits are theirs and one of its own."""
    tree = Tree()
    nodes = [tree.add(0, str(i), prior=priors[i] if priors else 1.0) for i in range(len(rows))]
    tree.visits[0] = 1
    tree.fill(0)
    for node, (mean, visits) in zip(nodes, rows, strict=True):
        for _ in range(visits):
            tree.backup(node, mean)
    return tree


@pytest.mark.parametrize(
    ("rows", "c", "chosen"),
    [
        ([(0.5, 1), (0.9, 1), (0.1, 1)], 0.0, 2),  # greedy
        ([(0.5, 1), (0.9, 1), (0.0, 0)], 1.0, 3),  # the unvisited one first
        ([(0.0, 0), (0.0, 0)], 1.0, 1),  # of several unvisited ones the first
        # N = 12: ln 12 = 2.485; 0.5 + sqrt(2.485 / 1) = 2.08 against 0.9 + sqrt(2.485 / 10) = 1.40
        ([(0.5, 1), (0.9, 10)], 1.0, 1),
        # c = 0.1: 0.5 + 0.158 = 0.66 against 0.9 + 0.05 = 0.95
        ([(0.5, 1), (0.9, 10)], 0.1, 2),
        ([(0.5, 2), (0.5, 2)], 1.0, 1),  # a tie
    ],
)
def test_uct(rows: list[tuple[float, int]], c: float, chosen: int) -> None:
    """Q + c sqrt(ln N / n), by the table above."""
    assert UCT(c).select(family(*rows), RNG) == chosen


def test_uct_rating_is_the_formula() -> None:
    """Where the two ratings cross: c such that both are equal, moved a little either way."""
    n = 1 + 3 + 8
    cross = (0.8 - 0.4) / (math.sqrt(math.log(n) / 3) - math.sqrt(math.log(n) / 8))
    tree = family((0.4, 3), (0.8, 8))
    assert UCT(cross * 1.01).select(tree, RNG) == 1
    assert UCT(cross * 0.99).select(tree, RNG) == 2


def test_rescaling_values_and_c_changes_nothing() -> None:
    """Rewards times 100 and c times 100: the same choice, on random families."""
    rng = random.Random(3)
    for _ in range(200):
        rows = [(rng.random(), rng.randint(1, 9)) for _ in range(4)]
        c = rng.random() * 2
        scaled = [(100 * mean, visits) for mean, visits in rows]
        assert UCT(c).select(family(*rows), RNG) == UCT(100 * c).select(family(*scaled), RNG)
        assert PUCT(c).select(family(*rows), RNG) == PUCT(100 * c).select(family(*scaled), RNG)


@pytest.mark.parametrize(
    ("rows", "priors", "c", "chosen"),
    [
        ([(0.0, 0), (0.0, 0)], (0.3, 0.7), 1.0, 2),  # nothing known: the prior decides
        ([(0.0, 0), (0.0, 0)], (0.5, 0.5), 1.0, 1),  # a tie
        # N = 5: 0.6 + 0.2 sqrt(5) / 5 = 0.69 against 0 + 0.8 sqrt(5) / 1 = 1.79
        ([(0.6, 4), (0.0, 0)], (0.2, 0.8), 1.0, 2),
        # c = 0.1: 0.6 + 0.009 against 0.179
        ([(0.6, 4), (0.0, 0)], (0.2, 0.8), 0.1, 1),
        ([(0.6, 4), (0.7, 1)], (0.9, 0.1), 0.0, 2),  # greedy
    ],
)
def test_puct(rows: list[tuple[float, int]], priors: tuple[float, ...], c: float, chosen: int) -> None:
    """Q + c P sqrt(N) / (1 + n), by the table above."""
    assert PUCT(c).select(family(*rows, priors=priors), RNG) == chosen


def test_what_is_in_flight_lowers_exploration_only() -> None:
    """Two equal children, one with two evaluations under way: the other is chosen, and no value has changed."""
    tree = family((0.5, 2), (0.5, 2))
    grandchild = tree.add(1, "x")
    tree.start(grandchild)
    tree.start(grandchild)
    assert UCT(1.0).select(tree, RNG) == 2
    assert tree.mean(1) == 0.5
    tree.finish(grandchild)
    tree.finish(grandchild)
    assert UCT(1.0).select(tree, RNG) == grandchild
    assert not any(tree.in_flight)


def test_virtual_loss_lowers_the_value() -> None:
    """Greedy (c = 0): 0.6 with two in flight at a loss of 1 is (1.2 - 2) / 4 = -0.2, less than 0.5."""
    tree = family((0.6, 2), (0.5, 2))
    tree.add(1, "x")
    tree.in_flight[1] = 2
    assert UCT(0.0).select(tree, RNG) == 3
    assert UCT(0.0, virtual_loss=1.0).select(tree, RNG) == 2


def test_max_backup_prefers_the_better_best() -> None:
    """Child 1 has values 1 and 0, child 2 has 0.6 and 0.6: by mean the second, by best the first."""
    tree = Tree()
    for node, values in ((tree.add(0, "a"), (1.0, 0.0)), (tree.add(0, "b"), (0.6, 0.6))):
        for value in values:
            tree.backup(node, value)
    assert [UCT(0.0, q=b).select(tree, RNG) for b in ("mean", "max")] == [2, 1]
    assert [PUCT(0.0, q=b).select(tree, RNG) for b in ("mean", "max")] == [2, 1]


def test_closed_leaves_and_leaves_in_flight_are_passed_over() -> None:
    """The best child is closed, the next one in flight: the third; with that closed too, nothing is left for now."""
    tree = family((0.9, 1), (0.8, 1), (0.1, 1))
    tree.close(1)
    tree.start(2)
    for rule in (UCT(0.0), PUCT(0.0), BestFirstRule()):
        assert rule.select(tree, RNG) == 3
    tree.close(3)
    for rule in (UCT(0.0), PUCT(0.0), BestFirstRule()):
        assert rule.select(tree, RNG) is None
    assert not tree.closed[0]
    tree.finish(2)
    tree.close(2)
    assert tree.closed[0]


def test_a_branch_whose_leaves_are_all_in_flight_is_left_for_another() -> None:
    """The greedy path leads to a node whose only child is being expanded: the walk goes elsewhere."""
    tree = family((0.9, 1), (0.1, 1))
    tree.start(tree.add(1, "x"))
    assert UCT(0.0).select(tree, RNG) == 2


def test_best_first_takes_the_leaf_under_the_best_parent() -> None:
    """Parents scored 0.3 and 0.7, two leaves each: those of the second, in the order proposed; unscored counts 0.5."""
    tree = Tree()
    assert BestFirstRule().select(tree, RNG) == 0
    tree.score[0] = 0.2
    a, b = tree.add(0, "a"), tree.add(0, "b")
    assert BestFirstRule().select(tree, RNG) == a
    tree.score[a], tree.score[b] = 0.3, 0.7
    leaves = [tree.add(parent, c) for parent in (a, b) for c in "xy"]
    order = []
    for _ in leaves:
        order.append(BestFirstRule().select(tree, RNG))
        tree.close(order[-1])
    assert order == [leaves[2], leaves[3], leaves[0], leaves[1]]
    tree = Tree()
    a, b = tree.add(0, "a"), tree.add(0, "b")
    tree.score[a] = 0.4
    x, y = tree.add(a, "x"), tree.add(b, "y")
    assert BestFirstRule().select(tree, RNG) == y != x


def test_impossible_rules_are_refused() -> None:
    for make in (lambda: UCT(-1), lambda: UCT(math.inf), lambda: UCT(q="sum"), lambda: PUCT(float("nan"))):
        with pytest.raises(ConfigError):
            make()
