"""Selection rules on hand-built trees: each expectation is a table that can be checked by hand."""

from __future__ import annotations

import math
import random

import pytest

from searchkit import ConfigError
from searchkit.strategies import MCTS
from searchkit.strategies.tree.policies import MASTER, PUCT, UCT, BestFirstRule
from searchkit.strategies.tree.policies.descent import Descent
from searchkit.tree import Tree
from searchkit.types import Verdict
from searchkit.verifiers.predicate import Predicate
from tests.helpers.known_tree import Known, run

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


def test_best_first_ranks_a_leaf_anew_once_it_has_a_score_of_its_own() -> None:
    """Evaluated, but nothing was drawn: it inherited 0.9 or 0.65, and now has a score of its own.

    The other leaf inherits 0.6: what is worth more goes before it, and less behind it.
    """
    for inherited, own, first in ((0.9, 0.2, "other"), (0.9, 0.8, "leaf"), (0.65, 0.7, "leaf"), (0.65, 0.1, "other")):
        tree = Tree()
        a, b = tree.add(0, "a"), tree.add(0, "b")
        tree.score[a], tree.score[b] = inherited, 0.6
        leaf, other = tree.add(a, "x"), tree.add(b, "y")
        assert BestFirstRule().select(tree, RNG) == leaf
        tree.start(leaf)
        assert BestFirstRule().select(tree, RNG) == other
        tree.finish(leaf)
        tree.score[leaf] = own
        assert BestFirstRule().select(tree, RNG) == {"leaf": leaf, "other": other}[first]


def test_best_first_sees_that_a_leaf_it_passed_over_in_flight_got_better() -> None:
    """It inherited 0.5 and is worth 0.8 by now; a newer leaf of 0.6 does not hide that."""
    tree = Tree()
    a, b = tree.add(0, "a"), tree.add(0, "b")
    tree.score[a] = 0.5
    leaf = tree.add(a, "x")
    tree.closed[b] = True
    assert BestFirstRule().select(tree, RNG) == leaf
    tree.start(leaf)
    new = tree.add(0, "c")
    tree.score[new] = 0.6
    assert BestFirstRule().select(tree, RNG) == new
    tree.finish(leaf)
    tree.score[leaf] = 0.8
    assert BestFirstRule().select(tree, RNG) == leaf


@pytest.mark.parametrize("rule", [UCT(1.0), MASTER(0.0, 1.0)])
def test_a_child_that_was_tried_in_vain_is_no_longer_untouched(rule: Descent) -> None:
    """It counts as one visit as good as its parent. Means 0.9 (3 visits), and 0.1 (3), N = 7: the parent's is 3 / 7.

    Expanded without a value, or failed: 3/7 + sqrt(ln 7 / 1) = 1.82 against 0.9 + sqrt(ln 7 / 3) = 1.71: it is taken;
    with 9 visits of 0.9 among 13, 0.65 + 1.60 = 2.25 against 0.9 + 0.53. One that nobody touched goes before it.
    """
    for failed in (True, False):
        tree = family((0.9, 3), (0.0, 0), (0.1, 3), (0.0, 0))
        if failed:
            tree.failures[2] = 1
        else:
            below = tree.add(2, "x")
        assert rule.select(tree, RNG) == 4
        tree.close(4)
        assert rule.select(tree, RNG) == (2 if failed else below)
    greedy = UCT(0.0) if isinstance(rule, UCT) else MASTER(0.0, 0.0)
    assert greedy.select(tree, RNG) == 1


class Deep(dict[str, str]):
    """Three letters everywhere, 40 deep."""

    def __missing__(self, path: str) -> str:
        return "abc"

    def __contains__(self, path: object) -> bool:
        return len(str(path)) < 40


@pytest.mark.parametrize("policy", [UCT(1.0), UCT(0.0), MASTER(0.0)])
def test_a_verifier_that_abstains_on_the_way_makes_no_chain(policy: Descent) -> None:
    """No end in reach: all children of a node are expanded before a grandchild is. 13 = 1 + 3 + 3 + 3 + 3: depth 5."""
    world = Known(Deep())
    judge = Predicate(lambda path: Verdict(0.5 if len(path) == 40 else None), name="ends only")
    tree = run(MCTS(judge, policy=policy, environment=world, width=3, iterations=13), world).tree
    assert tree is not None
    assert [bool(tree.expanded[child]) for child in tree.children(0)] == [True] * 3
    assert (sum(tree.expanded), max(tree.depth)) == (13, 5)


def test_impossible_rules_are_refused() -> None:
    for make in (
        lambda: UCT(-1), lambda: UCT(math.inf), lambda: UCT(q="sum"), lambda: PUCT(float("nan")),  # type: ignore[arg-type]
        lambda: UCT(virtual_loss=-1.0), lambda: UCT(virtual_loss=math.nan), lambda: UCT(virtual_loss=math.inf),
        lambda: UCT(q="max", virtual_loss=0.0), lambda: PUCT(unvisited=math.nan), lambda: PUCT(unvisited=-math.inf),
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            make()
