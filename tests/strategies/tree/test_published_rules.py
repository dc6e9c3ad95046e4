"""Published selection and backup rules on hand-built trees: each expectation can be checked by hand."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from searchkit import ConfigError
from searchkit.strategies import MASTER, PUCT, RAP, UCT, AgentQ, SWESearch, Widening
from searchkit.strategies.tree.policies import BestFirstRule
from searchkit.strategies.tree.policies.descent import Descent
from searchkit.tree import ROOT, Tree
from tests.strategies.tree.test_policies import family

RNG = random.Random(0)


# ---------------------------------------------------------------- RAP


@pytest.mark.parametrize(
    ("rows", "priors", "w", "chosen"),
    [
        ([(0.0, 0), (0.0, 0)], (0.3, 0.7), 1.0, 2),  # untried: the fast reward, ln 1 = 0
        ([(0.6, 1), (0.0, 0)], (0.1, 0.5), 0.0, 1),  # w = 0 is greedy on Q: 0.6 tried against a fast reward of 0.5
        ([(0.6, 1), (0.0, 0)], (0.9, 0.65), 0.0, 2),  # an untried child is neither 0 nor infinite
        # N = 5, ln 5 = 1.609: 0.6 + sqrt(1.609 / 4) = 1.234 against 0.1 + sqrt(1.609 / 1) = 1.369
        ([(0.6, 4), (0.0, 0)], (0.0, 0.1), 1.0, 2),
        ([(0.8, 4), (0.0, 0)], (0.0, 0.1), 1.0, 1),  # 1.434 against 1.369
    ],
)
def test_rap(rows: list[tuple[float, int]], priors: tuple[float, ...], w: float, chosen: int) -> None:
    """Q + w sqrt(ln N / max(1, n)), by the table above."""
    assert RAP(w).select(family(*rows, priors=priors), RNG) == chosen


def chain(*scores: float) -> Tree:
    """A root and one node below the other, with these rewards."""
    tree, node = Tree(), ROOT
    for score in scores:
        node = tree.add(node, "x")
        tree.score[node] = score
    return tree


@pytest.mark.parametrize(
    ("rewards", "totals"),
    [
        # rewards 0.2, 0.4, 0.9 from the first step to the leaf; a node's value starts at its own reward
        ("mean", [0.5, 0.5, 0.65, 0.9]),
        ("sum", [1.5, 1.5, 1.3, 0.9]),
    ],
)
def test_rap_backs_up_the_rewards_from_each_node_to_the_leaf(rewards: str, totals: list[float]) -> None:
    """By hand: mean(0.2, 0.4, 0.9) = 0.5, mean(0.4, 0.9) = 0.65; the root has no reward of its own."""
    tree = chain(0.2, 0.4, 0.9)
    RAP(rewards=rewards).backup(tree, 3, 0.9)  # type: ignore[arg-type]
    assert list(tree.total) == pytest.approx(totals)
    assert list(tree.best) == pytest.approx(totals)
    assert list(tree.visits) == [1, 1, 1, 1]


def test_rap_q_is_the_best_or_the_mean_of_the_cumulated_rewards() -> None:
    """Two ways on from a (0.1 and 0.9), one from b (0.6): by the best a, by the mean b."""
    tree = Tree()
    a, b = tree.add(ROOT, "a"), tree.add(ROOT, "b")
    for parent, score in ((a, 0.1), (a, 0.9), (b, 0.6)):
        leaf = tree.add(parent, "x")
        tree.score[leaf] = score
        RAP().backup(tree, leaf, score)
    assert [tree.parent[RAP(0.0, q=q).select(tree, RNG)] for q in ("max", "mean")] == [a, b]  # type: ignore[index, arg-type]


# ---------------------------------------------------------------- Agent Q


def test_agent_q_mixes_the_critic_with_what_came_back() -> None:
    """c = 0: 0.5 * 0.9 + 0.5 * 0.1 = 0.5 against 0.5 * 0.2 + 0.5 * 0.7 = 0.45; without the critic the second."""
    tree = family((0.1, 2), (0.7, 2), priors=(0.9, 0.2))
    assert AgentQ(0.5, c=0.0).select(tree, RNG) == 1
    assert AgentQ(0.0, c=0.0).select(tree, RNG) == 2
    assert AgentQ(1.0, c=0.0).select(tree, RNG) == 1


def test_agent_q_without_the_critic_ignores_it() -> None:
    """alpha = 0: any two assignments of priors give the same choice among visited children."""
    rng = random.Random(1)
    for _ in range(100):
        rows = [(rng.random(), rng.randint(1, 9)) for _ in range(4)]
        choices = {
            AgentQ(0.0).select(family(*rows, priors=tuple(rng.random() for _ in rows)), RNG) for _ in range(5)
        }  # fmt: skip
        assert len(choices) == 1


def test_agent_q_rating_is_the_formula() -> None:
    """Where Q + c sqrt(ln N / (1 + n)) of both is equal: c a little either way."""
    n = 1 + 3 + 8
    cross = (0.8 - 0.4) / (math.sqrt(math.log(n) / 4) - math.sqrt(math.log(n) / 9))
    tree = family((0.4, 3), (0.8, 8))
    assert AgentQ(0.0, cross * 1.01).select(tree, RNG) == 1
    assert AgentQ(0.0, cross * 0.99).select(tree, RNG) == 2


# ---------------------------------------------------------------- MASTER


def test_master_with_endless_confidence_keeps_to_the_assessment() -> None:
    """Q tends to the prior, whatever came back."""
    tree = family((1.0, 50), (0.0, 50), priors=(0.4, 0.6))
    assert MASTER(1e12).select(tree, RNG) == 2
    assert MASTER(0.01).select(tree, RNG) == 1


def test_master_without_confidence_is_uct() -> None:
    """On random families, some children not visited: the same choice."""
    rng = random.Random(2)
    for _ in range(300):
        rows = [(rng.random(), rng.randint(0, 6)) for _ in range(4)]
        c = rng.random() * 2
        tree = family(*rows, priors=tuple(rng.random() for _ in rows))
        tree.failures[rng.randint(1, 4)] = 1
        assert MASTER(0.0, c).select(tree, RNG) == UCT(c).select(tree, RNG)


def test_master_counts_the_assessment_as_visits() -> None:
    """confidence 2: (2 * 0.9 + 0.2 * 2) / 4 = 0.55 against (2 * 0.1 + 0.8 * 6) / 8 = 0.625; exploration off."""
    tree = family((0.2, 2), (0.8, 6), priors=(0.9, 0.1))
    assert MASTER(2.0, c=0.0).select(tree, RNG) == 2
    assert MASTER(3.0, c=0.0).select(tree, RNG) == 1  # 3.1 / 5 = 0.62 against 5.1 / 9 = 0.567


# ---------------------------------------------------------------- SWE-Search


def scored(*rows: tuple[int, str, float]) -> Tree:
    """A tree of (parent, action, score), each evaluated once."""
    tree = Tree()
    for parent, action, score in rows:
        node = tree.add(parent, action)
        tree.score[node] = score
        tree.backup(node, score)
    return tree


PLAIN = SWESearch(c=0.0, depth_penalty=0.0, adjust=0.0)


def test_swe_search_without_its_terms_is_best_first_on_the_reward() -> None:
    """The order in which nodes are taken is that of their scores, over the whole tree."""
    rng = random.Random(3)
    tree = Tree()
    for _ in range(30):
        node = tree.add(rng.randrange(len(tree)), "x")
        tree.score[node] = rng.random()
        tree.backup(node, tree.score[node])
    order = []
    while (node := PLAIN.select(tree, RNG)) is not None:  # type: ignore[assignment]
        order.append(node)
        tree.full[node] = True
    assert order == [ROOT, *sorted(range(1, 31), key=lambda n: -tree.score[n])]


@pytest.mark.parametrize(
    ("rule", "node", "rating"),
    [
        # the tree: root (4 visits) - a (0.6; 3 visits) - c (0.9), d (0.2); root - b (0.4)
        (PLAIN, 3, 0.9),
        (replace(PLAIN, w=2.0), 3, 1.8),
        (replace(PLAIN, c=1.0), 2, 0.4 + math.sqrt(math.log(4) / 1)),
        (replace(PLAIN, c=1.0), 4, 0.2 + math.sqrt(math.log(3) / 1)),
        (replace(PLAIN, depth_penalty=0.5), 4, 0.2 - 0.5 * math.sqrt(2)),
        (replace(PLAIN, depth_bonus=0.3), 2, 0.4 + 0.3),
        (replace(PLAIN, depth_bonus=0.3), 4, 0.2 + 0.3 / math.e),
        (replace(PLAIN, adjust=1.0), 3, 0.9 + 0.5),  # a good leaf
        (replace(PLAIN, adjust=1.0), 4, 0.2 + 0.5 - 0.2),  # a bad leaf under a good parent
        (replace(PLAIN, adjust=1.0), 1, 0.6 - 0.05),  # a child of 0.75 or more
        (replace(PLAIN, adjust=1.0), 2, 0.4 + 0.5 - 0.4),  # the root counts as 1
        (replace(PLAIN, unit=0.5), 3, 1.8),
    ],
)
def test_swe_search_terms(rule: SWESearch, node: int, rating: float) -> None:
    """One term at a time, by hand."""
    tree = scored((0, "a", 0.6), (0, "b", 0.4), (1, "c", 0.9), (1, "d", 0.2))
    assert rule.rating(tree, node) == pytest.approx(rating)


def test_swe_search_penalties() -> None:
    """An action repeated three times costs 0.5 * (3 - 1)**2; so much as one finished with full score beside it 0.5."""
    rule = replace(PLAIN, adjust=1.0)
    tree = scored((0, "a", 0.1), (1, "a", 0.1), (2, "a", 0.1))
    assert rule.rating(tree, 3) == pytest.approx(0.1 - 0.5 * 4)
    tree = scored((0, "a", 0.3), (1, "done", 1.0), (1, "b", 0.3))
    tree.terminal[2] = 1
    assert rule.rating(tree, 3) == pytest.approx(0.3 - 0.5)


def test_swe_search_does_not_select_an_unscored_node_for_ever() -> None:
    """A node whose evaluation abstained has neither visits nor infinite priority."""
    tree = scored((0, "a", 0.9))
    bad = tree.add(0, "b")
    tree.full[0] = True
    assert SWESearch().select(tree, RNG) == 1
    assert math.isfinite(SWESearch().rating(tree, bad))


def slow_rating(rule: SWESearch, tree: Tree, node: int) -> float:
    """The formula of the docstring, term by term, from the whole path and all children."""

    def score(n: int) -> float:
        return 1.0 if n == ROOT else 0.0 if math.isnan(tree.score[n]) else tree.score[n] / rule.unit

    parent, depth, children = tree.parent[node], tree.depth[node], tree.children(node)
    above = 1 if node == ROOT else max(1, tree.visits[parent] + tree.in_flight[parent])
    explored = math.sqrt(math.log(above) / max(1, tree.visits[node] + tree.in_flight[node]))
    rating = rule.w * score(node) + rule.c * explored
    rating += rule.depth_bonus * math.exp(1 - depth) - rule.depth_penalty * math.sqrt(depth)
    total = 0.0
    if node != ROOT and not children:
        total += 0.5 if score(node) >= 0.5 else 0.0
        total += 0.5 - score(node) if score(parent) >= 0.5 > score(node) else 0.0
    if any(score(child) >= 0.75 for child in children):
        total -= 0.05
    path = tree.path(node)[1:]
    if any(tree.terminal[c] and score(c) >= 1 for n in path for c in tree.children(n)):
        total -= 0.5
    actions = [tree.text[n] for n in path]
    return rating + rule.adjust * (total - 0.5 * sum((actions.count(action) - 1) ** 2 for action in set(actions)))


@pytest.mark.parametrize("seed", range(20))
def test_swe_search_rates_and_selects_as_the_formula_does(seed: int) -> None:
    """Random trees that grow between selections, with full, closed, solved, unscored and busy nodes: exactly equal."""
    rng = random.Random(seed)
    rule = SWESearch(
        w=rng.random(), c=rng.random(), depth_bonus=rng.random(), depth_penalty=rng.random(), adjust=rng.random(),
        unit=rng.choice([1.0, 3.0]),
    )  # fmt: skip
    tree = Tree()
    for _ in range(60):
        for _ in range(rng.randint(0, 4)):
            node = tree.add(rng.randrange(len(tree)), rng.choice("abc"), terminal=rng.random() < 0.2)
            if rng.random() < 0.8:
                tree.score[node] = rng.choice([0.0, 0.3, 0.5, 0.75, 1.0, rng.random()]) * rule.unit
                tree.backup(node, tree.score[node])
            if rng.random() < 0.3:
                tree.start(rng.randrange(len(tree)))
            (tree.full if rng.random() < 0.5 else tree.closed)[rng.randrange(len(tree))] = rng.random() < 0.5
        busy = [tree.in_flight[n] > sum(tree.in_flight[c] for c in tree.children(n)) for n in range(len(tree))]
        ratings = [slow_rating(rule, tree, n) for n in range(len(tree))]
        able = [n for n in range(len(tree)) if not (tree.full[n] or tree.closed[n] or busy[n])]
        assert rule.select(tree, RNG) == max(able, key=lambda n: ratings[n], default=None)
        assert [rule.rating(tree, n) for n in range(len(tree))] == ratings


# ---------------------------------------------------------------- widening


def test_widening_allows_another_child_when_the_visits_say_so() -> None:
    """c = 1, alpha = 0.5: the second child above 1 visit, the third above 4, the fourth above 9."""
    needed = [next(n for n in range(1, 100) if Widening(1.0, 0.5).allows(k, n)) for k in (1, 2, 3)]
    assert needed == [2, 5, 10]
    assert Widening(2.0, 0.25).allows(3, 6) is True  # 2 * 6**0.25 = 3.13
    assert Widening(2.0, 0.25).allows(3, 5) is False  # 2.99


RULES = [UCT, PUCT, RAP, AgentQ, MASTER]


@pytest.mark.parametrize("rule", RULES)
def test_every_descending_rule_widens(rule: type[Descent]) -> None:
    """5 visits, 2 children: with widening the parent itself; without, a child; if it is full, a child."""
    tree = family((0.5, 2), (0.4, 2))
    tree.full[ROOT] = False
    assert rule(widening=Widening(1.0, 0.5)).select(tree, RNG) == ROOT  # type: ignore[call-arg]
    assert rule().select(tree, RNG) in (1, 2)
    tree.full[ROOT] = True
    assert rule(widening=Widening(1.0, 0.5)).select(tree, RNG) in (1, 2)  # type: ignore[call-arg]


@pytest.mark.parametrize("rule", [*(rule() for rule in RULES), BestFirstRule()])
def test_where_everything_is_closed_a_node_that_may_get_more_children_gets_them(rule: Descent) -> None:
    """Both children closed: the parent is asked again, once at a time, and not if it is full."""
    tree = family((0.5, 1), (0.4, 1))
    tree.full[ROOT] = False
    tree.close(1)
    tree.close(2)
    assert rule.select(tree, RNG) == ROOT
    tree.start(ROOT)
    assert rule.select(tree, RNG) is None
    tree.finish(ROOT)
    tree.fill(ROOT)
    assert rule.select(tree, RNG) is None


def test_impossible_rules_are_refused() -> None:
    for make in (
        lambda: RAP(-1), lambda: RAP(rewards="best"), lambda: RAP(q="least"), lambda: AgentQ(1.5), lambda: AgentQ(c=-1),  # type: ignore[arg-type]
        lambda: MASTER(-1), lambda: MASTER(math.inf), lambda: SWESearch(unit=0), lambda: SWESearch(c=math.nan),
        lambda: Widening(0), lambda: Widening(1, 2),
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            make()
