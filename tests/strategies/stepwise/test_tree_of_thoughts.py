"""Tree of thoughts: breadth-first and depth-first against second implementations, pruning, the laws, and failures."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

from searchkit import Budget, CallError, ConfigError, Model, Params, Result, SearchWarning, solve
from searchkit.environments.text_steps import TextSteps
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, problem
from searchkit.lab.countdown import Countdown, check, replay
from searchkit.lab.environment import CountdownSteps
from searchkit.protocols import Verifier
from searchkit.strategies.stepwise.tree_of_thoughts import TreeOfThoughts
from searchkit.strategy import Strategy
from searchkit.types import Usage
from tests.helpers.known_tree import Known, full, run
from tests.helpers.steps import STEPS, Letters, OnLetters, Worth, worth, write


def tot(width: int, branch: int, world: Known, **options: Any) -> TreeOfThoughts:
    return TreeOfThoughts(width, branch, world.verifier, environment=world, **options)


def paths(result: Result[Any]) -> list[str]:
    """The states of the tree in the order in which they were drawn."""
    assert result.tree is not None
    return result.tree.state[1:]


class Thoughts(OnLetters):
    options: ClassVar[dict[str, Any]] = {}

    def strategy(self) -> Strategy:
        return TreeOfThoughts(2, 2, Worth(), environment=STEPS, expansions=6, **self.options)

    def narrow(self) -> Strategy:
        return TreeOfThoughts(1, 1, Worth(), environment=STEPS, **self.options | {"prune": None})

    def judged(self, verifier: Verifier) -> Strategy:
        return TreeOfThoughts(2, 2, verifier, environment=STEPS, **self.options)


class TestBreadthFirst(Thoughts):
    pass


class TestBreadthFirstPruned(Thoughts):
    options: ClassVar = {"prune": 0.3, "threshold": 0.9}


class TestDepthFirst(Thoughts):
    options: ClassVar = {"order": "dfs"}


class TestDepthFirstPruned(Thoughts):
    options: ClassVar = {"order": "dfs", "prune": 0.3, "threshold": 0.9}


class TestDecisionTree(Thoughts):
    options: ClassVar = {"order": "dfs", "at_once": 1}


# --- by hand ---------------------------------------------------------------------------------------------------------

WORLD = Known(
    {"": "abc", "a": "xyz", "b": "xyz", "c": "xyz"},
    {"a": 0.5, "b": 0.7, "c": 0.2}
    | {"ax": 0.9, "ay": 0.1, "az": 0.3}
    | {"bx": 0.2, "by": 0.6, "bz": 0.4}
    | {"cx": 1.0, "cy": 0.8, "cz": 0.0},
)


@pytest.mark.parametrize(
    ("width", "options", "drawn", "answer"),
    [
        # breadth-first: the best two of a b c are b and a; their six leaves
        (2, {}, "a b c | bx by bz ax ay az", "ax"),
        (1, {}, "a b c | bx by bz", "by"),
        (3, {}, "a b c | bx by bz ax ay az cx cy cz", "cx"),
        # only b scores 0.6 or more
        (3, {"prune": 0.6}, "a b c | bx by bz", "by"),
        # one expansion after the root
        (3, {"expansions": 2}, "a b c | bx by bz", "by"),
        # depth 1: nothing is finished, the best of the first level is returned
        (3, {"depth": 1}, "a b c", "b"),
        # depth-first: b, the best, then a, then c; all leaves in the end
        (3, {"order": "dfs"}, "a b c | bx by bz | ax ay az | cx cy cz", "cx"),
        # the first answer of at least 0.6 ends it, the first of at least 0.9 too
        (3, {"order": "dfs", "threshold": 0.6}, "a b c | bx by bz", "by"),
        (3, {"order": "dfs", "threshold": 0.9}, "a b c | bx by bz | ax ay az", "ax"),
        # the best two are followed; those of at least 0.6 are
        (2, {"order": "dfs"}, "a b c | bx by bz | ax ay az", "ax"),
        (3, {"order": "dfs", "prune": 0.6}, "a b c | bx by bz", "by"),
        (3, {"order": "dfs", "expansions": 3}, "a b c | bx by bz | ax ay az", "ax"),
        (3, {"order": "dfs", "depth": 1}, "a b c", "b"),
        # one child at a time: its leaves before its younger sibling, good or bad
        (3, {"order": "dfs", "at_once": 1, "threshold": 0.9}, "a | ay az ax", "ax"),
        (3, {"order": "dfs", "at_once": 1, "expansions": 5}, "a | ay az ax | b", "ax"),
    ],
)
def test_the_tree_by_hand(width: int, options: dict[str, Any], drawn: str, answer: str) -> None:
    """Scores: a 0.5 (0.9 0.1 0.3), b 0.7 (0.2 0.6 0.4), c 0.2 (1.0 0.8 0.0). Sample i of a search is letter i mod 3."""
    result = run(tot(width, 3, WORLD, **options), WORLD)
    assert paths(result) == drawn.replace("|", "").split()
    assert result.answer == answer
    assert result.sample.truncated is (len(answer) == 1)
    assert result.stopped == ("threshold" if "threshold" in options else "done")


# --- second implementations ------------------------------------------------------------------------------------------


def breadth(world: Known, width: int, branch: int, prune: float) -> list[str]:
    drawn, level = [], [""]
    while level:
        below = [p + world.children[p][(i * branch + j) % branch] for i, p in enumerate(level) for j in range(branch)]
        drawn += below
        good = [p for p in below if p in world.children and world.scores[p] >= prune]
        level = sorted(good, key=lambda p: -world.scores[p])[:width]
    return drawn


def depth(world: Known, width: int, branch: int, prune: float, at_once: int, expansions: int) -> list[str]:
    drawn, expanded = list[str](), 0

    def visit(path: str) -> None:
        nonlocal expanded
        for begin in range(0, branch, at_once):
            if expanded == expansions:
                return
            expanded += 1
            options = world.children[path]
            batch = [path + options[len(drawn + [""] * j) % branch] for j in range(min(at_once, branch - begin))]
            drawn.extend(batch)
            good = [p for p in batch if p in world.children and world.scores[p] >= prune]
            for child in sorted(good, key=lambda p: -world.scores[p])[:width]:
                visit(child)

    visit("")
    return drawn


@pytest.mark.parametrize("prune", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(10))
def test_second_implementations_draw_the_same(seed: int, prune: float) -> None:
    """A level-by-level loop and a recursion, on random trees whose branches end at any depth."""
    world = full("abcd", 4, seed, ends=0.3)
    for width in (1, 2, 4):
        result = run(tot(width, 4, world, prune=prune, expansions=1000), world)
        assert paths(result) == breadth(world, width, 4, prune)
        for at_once, expansions in ((4, 7), (4, 1000), (3, 50), (1, 60)):
            strategy = tot(width, 4, world, order="dfs", prune=prune, at_once=at_once, expansions=expansions)
            assert paths(run(strategy, world)) == depth(world, width, 4, prune, at_once, expansions)


@pytest.mark.parametrize("options", [{}, {"order": "dfs"}])
def test_wide_enough_it_is_exhaustive(options: dict[str, Any]) -> None:
    """All 27 leaves are seen and the best is the answer, in either order."""
    for seed in range(5):
        world = full("abc", 3, seed)
        result = run(tot(27, 3, world, **options), world)
        leaves = [p for p in world.scores if len(p) == 3]
        assert sorted(c.sample.value for c in result.candidates) == sorted(leaves)
        assert result.answer == max(leaves, key=lambda p: world.scores[p])


def test_ties_go_to_the_state_drawn_first() -> None:
    world = Known(WORLD.children, dict.fromkeys(WORLD.scores, 0.5))
    assert paths(run(tot(1, 3, world), world)) == ["a", "b", "c", "ax", "ay", "az"]
    assert paths(run(tot(3, 3, world, order="dfs", threshold=0.0), world)) == ["a", "b", "c", "ax", "ay", "az"]


# --- dead ends, failures, budgets ------------------------------------------------------------------------------------


def test_dead_ends_are_no_accepted_answers() -> None:
    """Illegal states end with the least reward: the search backtracks and goes on to the solved one."""
    world = Known({"": "abc", "b": "xyz", "c": "xyz"}, {"b": 0.6, "c": 0.4}, {"a": 0.0, "cy": 1.0} | dict.fromkeys(
        ("bx", "by", "bz", "cx", "cz"), 0.0
    ))  # fmt: skip
    result = run(tot(3, 3, world, order="dfs", threshold=0.0), world)
    assert paths(result) == ["a", "b", "c", "bx", "by", "bz", "cx", "cy", "cz"]
    assert (result.answer, result.stopped) == ("cy", "threshold")
    assert result.usage.verifications == 2


def test_states_without_a_score_are_not_pruned() -> None:
    """The verifier abstains on all but the leaves: nothing is cut, they are followed in the order drawn."""
    world = Known(WORLD.children, WORLD.scores | {"a": None, "b": None, "c": None})
    assert paths(run(tot(1, 3, world, prune=0.5), world)) == ["a", "b", "c", "ax", "ay", "az"]


def test_pruned_everywhere_the_best_state_is_returned_unfinished() -> None:
    result = run(tot(3, 3, WORLD, prune=0.95), WORLD)
    assert (result.answer, result.sample.finish) == ("b", "length")


def test_a_state_that_cannot_be_expanded_is_passed_over() -> None:
    """All calls in b fail: depth-first goes on with a; the first child drawn alone may fail, too."""
    world = Known(WORLD.children, WORLD.scores, broken=frozenset("b"))
    result = run(tot(3, 3, world, order="dfs"), world)
    assert paths(result) == ["a", "b", "c", "ax", "ay", "az", "cx", "cy", "cz"]
    assert len(result.errors) == 3
    world = Known(WORLD.children, WORLD.scores, broken=frozenset("0"))
    assert paths(run(tot(3, 3, world, order="dfs", at_once=1, expansions=2), world)) == ["b"]
    world = Known(WORLD.children, WORLD.scores, broken=frozenset("abc"))
    with pytest.warns(SearchWarning, match="9 of 12 attempts failed") as said:
        assert run(tot(3, 3, world), world).answer == run(tot(3, 3, world, order="dfs"), world).answer == "b"
    assert len(said) == 2


@pytest.mark.parametrize("order", ["bfs", "dfs"])
def test_nothing_but_failures_raises_the_first(order: Any) -> None:
    world = Known(WORLD.children, WORLD.scores, broken=frozenset({""}))
    with pytest.raises(CallError):
        run(tot(3, 3, world, order=order), world)


@pytest.mark.parametrize("order", ["bfs", "dfs"])
def test_out_of_budget_the_best_answer_returns(order: Any) -> None:
    """Ten steps: the ceiling is reached, nothing beyond it is tried, finished answers compete."""
    strategy = TreeOfThoughts(2, 3, Worth(), environment=STEPS, order=order)
    result = write(strategy, budget=Budget(generations=10))
    assert result.stopped == "budget"
    assert result.usage.generations == 10
    assert result.answer == max((c.sample.value for c in result.candidates), key=worth)


def test_the_worst_case_is_never_exceeded_and_can_be_reached() -> None:
    """Endless texts: breadth-first 3 * (1 + 2 * 3), or 3 an expansion; depth-first 3 or 1 an expansion."""
    for options, steps in (
        ({"depth": 4}, 21),
        ({"depth": 4, "expansions": 5}, 15),
        ({"order": "dfs", "expansions": 5}, 15),
        ({"order": "dfs", "expansions": 5, "at_once": 1}, 5),
    ):
        strategy = TreeOfThoughts(2, 3, Worth(), environment=STEPS, **options)
        bound = strategy.worst_case(Usage(generations=1, model_calls=1))
        assert bound is not None
        used = write(strategy, Letters(depth=100)).usage
        assert used.generations == bound.generations == steps
        assert used.verifications == bound.verifications == steps


def test_a_chain_of_two_thousand_steps() -> None:
    """Depth-first has no recursion limit."""
    strategy = TreeOfThoughts(
        1, 1, Worth(constant=0.5), TextSteps("/", max_steps=10**6), depth=2000, order="dfs", expansions=2000
    )
    tree = write(strategy, Letters("a", depth=10**6)).tree
    assert tree is not None
    assert max(tree.depth) == 2000


@pytest.mark.parametrize("order", ["bfs", "dfs"])
def test_countdown_on_the_embedded_model(order: Any) -> None:
    """Real steps: every node is a legal line or ends there; the answer is right exactly if its score is 1."""
    model = Model(Embedded(), Params(max_tokens=64))
    for puzzle in Countdown().puzzles(3, "dev"):
        strategy = TreeOfThoughts(
            3, 3, CHECKER, environment=CountdownSteps(), depth=3 + 1, order=order, expansions=12, threshold=1.0
        )
        result = asyncio.run(solve(problem(puzzle), strategy, generator=model))
        tree = result.tree
        assert tree is not None
        for node in range(len(tree)):
            assert tree.terminal[node] or not replay(puzzle, tree.state[node].text).error
        for candidate in result.candidates:
            assert (candidate.score == 1) is (check(puzzle, candidate.sample.text) == "")
        assert (check(puzzle, result.answer) == "") is (result.stopped == "threshold")


def test_mistakes_are_named() -> None:
    """One sentence each, before anything is paid."""
    for options, said in (
        ({"width": 0}, "width"),
        ({"branch": 0}, "branch"),
        ({"depth": 0}, "depth"),
        ({"expansions": 0}, "expansions"),
        ({"order": "best"}, "order"),
        ({"at_once": 1}, "at_once"),
        ({"order": "dfs", "at_once": 4}, "at_once"),
        ({"prune": 2.0}, "prune"),
        ({"threshold": -1.0}, "threshold"),
        ({"verifier": worth}, "Predicate"),
    ):
        with pytest.raises(ConfigError, match=said):
            TreeOfThoughts(**{"width": 2, "branch": 3, "verifier": Worth()} | options)
