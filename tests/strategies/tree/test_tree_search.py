"""MCTS and best-first search: optimal on a small world, exact bookkeeping, the laws, and failures that cost nothing."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from searchkit import Budget, CallError, ConfigError, Model, Params, Result, solve
from searchkit.calls import Request
from searchkit.environments.text_steps import TextSteps
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, problem
from searchkit.lab.countdown import Countdown, Puzzle, check, replay
from searchkit.lab.environment import CountdownSteps
from searchkit.protocols import Verifier
from searchkit.strategies import MCTS, PUCT, UCT, BestFirst, BestFirstRule, Rollout, Vote
from searchkit.strategy import Strategy
from searchkit.testing import Counting, Shuffled
from searchkit.testing.law_worlds import LEVELS
from searchkit.tree import ROOT, Tree
from searchkit.types import Usage
from tests.helpers.steps import BEST, DEPTH, LEAVES, LETTERS, STEPS, Letters, OnLetters, Worth, worth, write


class TestMCTS(OnLetters):
    def strategy(self) -> Strategy:
        return MCTS(Worth(), environment=STEPS, iterations=8, width=3, in_flight=3)


class TestMCTSWithRollouts(OnLetters):
    asks = 1 + len(LEVELS)

    def strategy(self) -> Strategy:
        return MCTS(Worth(), policy=PUCT(), environment=STEPS, iterations=6, width=2, evaluation=Rollout(), in_flight=2)

    def narrow(self) -> Strategy:
        return MCTS(Worth(), environment=STEPS, iterations=1, width=1, evaluation=Rollout())

    def judged(self, verifier: Verifier) -> Strategy:
        return MCTS(verifier, environment=STEPS, iterations=4, width=2, evaluation=Rollout())


class TestBestFirst(OnLetters):
    def strategy(self) -> Strategy:
        return BestFirst(Worth(), environment=STEPS, iterations=6, width=3)


@pytest.mark.parametrize("policy", [UCT(0.3), UCT(2.0), UCT(0.3, virtual_loss=1.0), PUCT(), UCT(0.3, q="max")])
@pytest.mark.parametrize("in_flight", [1, 4])
def test_the_whole_tree_is_searched_and_the_optimum_found(policy: Any, in_flight: int) -> None:
    """27 leaves under 13 inner nodes: wide enough draws see them all, the search ends by itself with the best."""
    strategy = MCTS(Worth(), policy=policy, environment=STEPS, iterations=60, width=40, in_flight=in_flight)
    result = write(strategy)
    assert result.answer == BEST
    assert sorted(c.sample.text for c in result.candidates) == LEAVES
    assert result.tree is not None
    assert len(result.tree) == 1 + 3 + 9 + 27
    assert result.tree.closed[ROOT]
    assert result.usage.generations == 13 * 40


def test_best_first_pops_in_the_order_of_a_reference_search() -> None:
    """The order of evaluations equals that of a textbook best-first search with a heap over the same 40 nodes."""
    import heapq

    result = write(BestFirst(Worth(), BestFirstRule(), STEPS, iterations=13, width=40))
    heap: list[tuple[float, int, int, str]] = [(-0.5, 0, 0, "")]
    order, made = [], 0
    ranks = {node: [result.tree.text[c] for c in result.tree.children(node)] for node in range(len(result.tree))}
    names = {(): ROOT} | {
        tuple(result.tree.text[n] for n in result.tree.path(i)[1:]): i for i in range(len(result.tree))
    }
    while heap:
        _, _, _, text = heapq.heappop(heap)
        path = tuple(text.split("/")[:-1]) if text else ()
        if len(path) == DEPTH - 1:
            order.append(path)
            continue
        order.append(path)
        for rank, letter in enumerate(ranks[names[path]]):
            made += 1
            heapq.heappush(heap, (-worth(text), rank, made, text + letter + "/"))
    popped = [tuple(result.tree.text[n] for n in result.tree.path(i)[1:]) for i in _by_time(result)]
    assert popped == order


def _by_time(result: Result[Any]) -> list[int]:
    """Nodes in the order in which their children were added: a node is expanded when it is popped."""
    tree = result.tree
    assert tree is not None
    inner = [n for n in range(len(tree)) if tree.expanded[n]]
    return sorted(inner, key=lambda n: tree.children(n)[0])


def test_one_in_flight_equals_a_textbook_mcts() -> None:
    """Node for node the same visits and sums as a recursive UCT written here, on the same actions."""
    strategy = MCTS(Worth(), policy=UCT(0.7), environment=STEPS, iterations=9, width=40)
    tree = write(strategy).tree
    assert tree is not None

    @dataclass
    class Node:
        text: str
        children: list[Node] = field(default_factory=list)
        values: list[float] = field(default_factory=list)
        closed: bool = False

    letters_of = {
        "".join(f"{tree.text[n]}/" for n in tree.path(i)[1:]): [tree.text[c] for c in tree.children(i)]
        for i in range(len(tree))
    }

    def visit(node: Node) -> list[float]:
        if node.children:
            ratings = [
                math.inf if not c.values else sum(c.values) / len(c.values)
                + 0.7 * math.sqrt(math.log(len(node.values)) / len(c.values))
                for c in node.children
            ]  # fmt: skip
            open_ones = [i for i, c in enumerate(node.children) if not c.closed]
            found = visit(node.children[max(open_ones, key=lambda i: ratings[i])])
        else:
            found = [worth(node.text)]
            last = node.text.count("/") == DEPTH - 1
            node.children = [Node(node.text + letter + ("" if last else "/")) for letter in letters_of[node.text]]
            for child in node.children if last else []:
                child.values, child.closed = [worth(child.text)], True
                found.append(worth(child.text))
        node.values += found
        node.closed = all(c.closed for c in node.children)
        return found

    root = Node("")
    for _ in range(9):
        visit(root)

    def flat(node: Node) -> list[tuple[int, float]]:
        return [(len(node.values), round(sum(node.values), 9)), *(row for c in node.children for row in flat(c))]

    assert [(tree.visits[n], round(tree.total[n], 9)) for n in tree.walk()] == flat(root)


def test_one_leaf_at_a_time_is_all_in_sequence() -> None:
    """Three draws of a token at each leaf: without leaves in flight each leaf waits for the one before it; with four of
    them a quarter of the leaves does at least."""
    alone, four = (write(MCTS(Worth(), environment=STEPS, iterations=12, width=3, in_flight=k)) for k in (1, 4))
    assert alone.sequential_tokens == alone.usage.generated_tokens / 3 >= 8
    assert four.usage.generated_tokens / 3 / 4 <= four.sequential_tokens < four.usage.generated_tokens / 3


def test_visits_add_up() -> None:
    """A node's visits are those of its children and its own evaluation; nothing is in flight at the end."""
    tree = write(MCTS(Worth(), environment=STEPS, iterations=12, width=3, in_flight=4)).tree
    assert tree is not None
    for node in range(len(tree)):
        own = 1 if tree.score[node] == tree.score[node] else 0
        assert tree.visits[node] == own + sum(tree.visits[c] for c in tree.children(node))
    assert not any(tree.in_flight)


def test_equal_actions_are_merged_and_rank_by_frequency() -> None:
    """40 draws of three letters: three children, priors that sum to one, the most frequent first; none dropped."""
    tree = write(MCTS(Worth(), environment=STEPS, iterations=1, width=40)).tree
    assert tree is not None
    priors = [tree.prior[c] for c in tree.children(ROOT)]
    assert sorted(tree.text[c] for c in tree.children(ROOT)) == list(LETTERS)
    assert sum(priors) == pytest.approx(1)
    assert priors == sorted(priors, reverse=True)


def test_a_threshold_ends_the_search_with_everything_released() -> None:
    """It stops at the first answer that is good enough; what was in flight is cancelled and no longer counted."""
    strategy = MCTS(Worth(), environment=STEPS, iterations=60, width=9, in_flight=4, threshold=0.5)
    backend = Counting(Shuffled(Letters()))
    result = write(strategy, backend)
    assert result.stopped == "threshold"
    assert worth(result.answer) >= 0.5
    assert not any(result.tree.in_flight)  # type: ignore[union-attr]
    assert backend.in_flight == 0


@dataclass(frozen=True)
class Failing:
    """Letters that fail for texts that begin with `prefix`."""

    prefix: str
    name: str = "failing"

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        if requests[0].prompt.prefix.startswith(self.prefix):
            return [CallError("no", request=r, usage=Usage(model_calls=1)) for r in requests]
        return await Letters().complete(requests)


def test_a_leaf_that_cannot_be_expanded_is_tried_again_so_often_and_then_closed() -> None:
    """All calls below "a" fail: that branch is closed after six tries, the rest of the tree is searched, counts fit."""
    backend = Counting(Failing("a/"))
    result = write(MCTS(Worth(), UCT(), STEPS, iterations=60, width=40), backend)
    tree = result.tree
    assert tree is not None
    assert result.answer == max((leaf for leaf in LEAVES if leaf[0] != "a"), key=worth)
    [a] = [c for c in tree.children(ROOT) if tree.text[c] == "a"]
    assert tree.failures[a] == 6
    assert tree.closed[ROOT]
    assert result.paid.model_calls == backend.calls == 9 * 40 + 6 * 40
    assert not any(tree.in_flight)
    assert result.errors


def test_nothing_but_failures_raises_the_first() -> None:
    with pytest.raises(CallError):
        write(MCTS(Worth(), environment=STEPS, iterations=3, evaluation=Rollout()), Failing(""))


def test_out_of_budget_the_best_finished_answer_comes_back() -> None:
    """Enough for a few expansions only: stopped by the budget, ceilings kept, an answer among the finished ones."""
    strategy = MCTS(Worth(), environment=STEPS, iterations=60, width=3, evaluation=Rollout(), in_flight=2)
    result = write(strategy, params=Params(max_tokens=4), budget=Budget(generated_tokens=30))
    assert result.stopped == "budget"
    assert result.usage.generated_tokens <= 30
    assert result.answer == max((c.sample.text for c in result.candidates), key=worth)
    assert not any(result.tree.in_flight)  # type: ignore[union-attr]


def test_without_a_finished_answer_the_best_path_is_returned_and_marked() -> None:
    """One expansion of a three-step task: the best scored path, flagged as truncated."""
    result = write(MCTS(Worth(), UCT(), STEPS, iterations=3, width=3))
    assert result.sample.truncated
    assert result.answer.count("/") < DEPTH


def test_a_vote_may_choose_the_answer() -> None:
    vote = Vote(key=str.upper, weighted=True)
    result = write(MCTS(Worth(), UCT(), STEPS, iterations=13, width=40, prior="uniform", select=vote))
    assert result.answer == BEST


def test_votes_are_weighed_by_how_likely_sampling_alone_comes_there() -> None:
    """Each leaf of the whole tree, its score times the product of the shares of the draws on its path: by hand."""
    result = write(MCTS(Worth(), UCT(), STEPS, iterations=13, width=40, select=Vote(key=str.upper, weighted=True)))
    tree = result.tree
    assert tree is not None
    ends = [node for node in range(len(tree)) if tree.terminal[node]]
    assert len(ends) == len(LEAVES)
    weight = {n: tree.score[n] * math.prod(tree.prior[m] for m in tree.path(n)[1:]) for n in ends}
    best = max(ends, key=lambda node: weight[node])
    assert result.answer == "/".join(tree.text[n].strip("/") for n in tree.path(best)[1:]) != BEST


@pytest.mark.slow
def test_a_chain_of_five_thousand_steps() -> None:
    """No recursion limit: one action a step, deeper than Python recurses; saved and loaded when 5,000 deep."""
    steps = 1200  # a search of n steps walks down n * n / 2 nodes; the rest of the chain is added by hand
    assert steps > sys.getrecursionlimit()
    strategy = MCTS(Worth(constant=0.5), environment=TextSteps("/", max_steps=10**6), iterations=steps, width=1)
    tree = write(strategy, Letters("a", depth=10**6)).tree
    assert tree is not None
    assert max(tree.depth) == steps
    while len(tree) <= 5000:
        tree.add(len(tree) - 1, "a")
    assert max(tree.depth) == 5000
    assert Tree.from_json(tree.to_json()).to_json() == tree.to_json()


def test_countdown_on_the_embedded_model() -> None:
    """Real steps: every node is a legal line or ends there; answers that score 1 replay to the target."""
    model = Model(Embedded(), Params(max_tokens=64))
    solved = 0
    for puzzle in Countdown().puzzles(6, "dev"):
        strategy = MCTS(CHECKER, environment=CountdownSteps(), evaluation=Rollout(), iterations=16, threshold=1.0)
        result = asyncio.run(solve(problem(puzzle), strategy, generator=model))
        tree = result.tree
        assert tree is not None
        for node in range(len(tree)):
            assert tree.terminal[node] or not replay(puzzle, tree.state[node].text).error
        for candidate in result.candidates:
            assert (candidate.score == 1) is (check(Puzzle.parse(puzzle.prompt), candidate.sample.text) == "")
        solved += result.stopped == "threshold"
    assert solved >= 2


def test_mistakes_are_named() -> None:
    for changes, said in (
        ({"iterations": 0}, "iterations"),
        ({"width": 0}, "width"),
        ({"in_flight": 0}, "in_flight"),
        ({"evaluation": "rollout"}, "evaluation"),
        ({"prior": "guess"}, "prior"),
        ({"pick": "guess"}, "pick"),
        ({"trees": 100, "iterations": 64}, "100 trees"),
        ({"verifier": worth}, "Predicate"),
    ):
        with pytest.raises(ConfigError, match=said):
            replace(MCTS(Worth()), **changes)
    with pytest.raises(ConfigError, match="separator"):
        TextSteps("")
    with pytest.raises(ConfigError, match="logprobs"):
        write(MCTS(Worth(), environment=STEPS, prior="logprob"))
