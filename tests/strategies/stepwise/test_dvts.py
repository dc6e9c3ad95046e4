"""DVTS: hand-checked tables, a second implementation, independence of the subtrees, the laws, and failures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from searchkit import Budget, CallError, ConfigError, Model, Params, Result, solve
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, problem
from searchkit.lab.countdown import Countdown, check, replay
from searchkit.lab.environment import CountdownSteps
from searchkit.protocols import Verifier
from searchkit.strategies.selection.rules import Vote
from searchkit.strategies.stepwise.dvts import DVTS
from searchkit.strategy import Strategy
from searchkit.tree import ROOT, Tree
from searchkit.types import Usage
from tests.helpers.known_tree import Known, full, run
from tests.helpers.steps import DEPTH, LEAVES, STEPS, Letters, OnLetters, Worth, worth, write


def dvts(n: int, m: int, world: Known, **options: Any) -> DVTS:
    return DVTS(n, m, world.verifier, environment=world, **options)


def paths(result: Result[Any]) -> list[str]:
    """The states of the tree, subtree after subtree, each in the order in which they were drawn."""
    assert result.tree is not None
    return result.tree.state[1:]


class TestDVTS(OnLetters):
    def strategy(self) -> Strategy:
        return DVTS(6, 2, Worth(), environment=STEPS)

    def narrow(self) -> Strategy:
        return DVTS(1, 1, Worth(), environment=STEPS)

    def judged(self, verifier: Verifier) -> Strategy:
        return DVTS(6, 3, verifier, environment=STEPS)


class TestDVTSWithLookahead(OnLetters):
    def strategy(self) -> Strategy:
        return DVTS(4, 2, Worth(), environment=STEPS, lookahead=1)


SIX = {"": "abcd", "a": "xy", "b": "xy", "c": "xy", "d": "xy"}
SCORES = {"a": 0.8, "b": 0.9, "c": 0.2, "d": 0.1} | {
    first + last: i / 10 for i, (first, last) in enumerate((f, x) for f in "abcd" for x in "xy")
}


@pytest.mark.parametrize(
    ("n", "m", "ended", "drawn", "answer"),
    [
        # subtrees {a, b} and {c, d}: b and c win at home, though a is better than c
        (4, 2, "", "a b bx by | c d cx cy", "cy"),
        # one subtree of four
        (4, 4, "", "a b c d by bx by bx", "by"),
        # four chains of one
        (4, 1, "", "a ax | b by | c cx | d dy", "dy"),
        # c is an answer and the best at home: that subtree is done, its other sibling is not followed
        (4, 2, "c", "a b bx by | c d", "by"),
        # d is an answer but not the best at home: it stays a candidate, the subtree goes on with c
        (4, 2, "d", "a b bx by | c d cx cy", "cy"),
        # all siblings of the last step are candidates
        (4, 2, "ab", "a b | c d cx cy", "b"),
    ],
)
def test_the_subtrees_by_hand(n: int, m: int, ended: str, drawn: str, answer: str) -> None:
    """First steps a 0.8, b 0.9, c 0.2, d 0.1; then 0.0, 0.1, 0.2 ... in the order ax ay bx by cx cy dx dy.

    Sample i of subtree s has the index s * m + i, so four samples of two letters give each letter twice.
    """
    world = Known({k: v for k, v in SIX.items() if k == "" or k not in ended}, SCORES)
    result = run(dvts(n, m, world), world)
    assert sorted(paths(result)) == sorted(drawn.replace("|", "").split())
    assert result.answer == answer
    assert {c.sample.value for c in result.candidates} == {p for p in paths(result) if p not in world.children}


def textbook(world: Known, n: int, m: int) -> list[str]:
    """The published loop on plain lists, one subtree after the other."""
    drawn = []
    for subtree in range(n // m):
        path = ""
        while path in world.children:
            options = world.children[path]
            siblings = [path + options[(subtree * m + i) % len(options)] for i in range(m)]
            drawn += siblings
            path = max(siblings, key=lambda p: world.scores[p])
    return drawn


@pytest.mark.parametrize("seed", range(20))
def test_a_second_implementation_draws_the_same(seed: int) -> None:
    """On random trees whose branches end at any depth."""
    world = full("abcd", 5, seed, ends=0.3)
    for n, m in ((4, 2), (8, 4), (6, 3), (5, 1), (3, 3)):
        result = run(dvts(n, m, world), world)
        assert paths(result) == textbook(world, n, m)
        ended = [p for p in paths(result) if p not in world.children]
        assert [c.sample.value for c in result.candidates] == ended
        assert result.answer == max(ended, key=lambda p: world.scores[p])


def test_chains_of_one_are_independent_samples() -> None:
    """m = 1: n chains of calls with the accuracy of best-of-n, 1 - (26/27)^6 = 0.203 for the best of 27 leaves."""
    result = write(DVTS(6, 1, Worth(), environment=STEPS))
    tree = result.tree
    assert tree is not None
    assert len(tree.children(ROOT)) == len(result.candidates) == 6
    assert all(len(tree.children(node)) <= 1 for node in range(1, len(tree)))
    best, exact = max(LEAVES, key=worth), 1 - (26 / 27) ** 6
    hits = sum(write(DVTS(6, 1, Worth(), environment=STEPS), seed=s).answer == best for s in range(150))
    assert abs(hits / 150 - exact) < 3 * (exact * (1 - exact) / 150) ** 0.5


def test_one_subtree_is_a_greedy_search() -> None:
    """n = m: at each depth all children hang on the best of the level before; the n last siblings are candidates."""
    result = write(DVTS(5, 5, Worth(), environment=STEPS))
    tree = result.tree
    assert tree is not None
    node = ROOT
    for _ in range(DEPTH):
        assert len(tree.children(node)) == 5
        node = max(tree.children(node), key=lambda child: tree.score[child])
    assert result.answer == tree.state[node].text
    assert len(result.candidates) == 5
    assert len(tree) == 1 + 5 * DEPTH


def test_a_subtree_does_not_depend_on_the_others() -> None:
    """Two subtrees of ten are the two of a search with just those; and stay the same when others fail."""

    def texts(result: Result[Any]) -> list[str]:
        assert result.tree is not None
        return [state.text for state in result.tree.state[1:]]

    few, many = (texts(write(DVTS(n, 2, Worth(), environment=STEPS))) for n in (4, 20))
    assert many[: len(few)] == few
    world = full("abcdefgh", 4, 3)
    whole = run(dvts(8, 2, world), world)
    broken = Known(world.children, world.scores, broken=frozenset("23"))  # samples 2 and 3 of the root: subtree 1
    rest = run(dvts(8, 2, broken), broken)
    assert paths(rest) == paths(whole)[:8] + paths(whole)[16:]
    assert len(rest.errors) == 2


def test_the_shown_tree_is_the_search() -> None:
    """Grafted subtrees keep parents, scores, ends and tokens; the best score below a node is backed up to it."""
    result = write(DVTS(4, 2, Worth(), environment=STEPS))
    tree = result.tree
    assert tree is not None
    for node in range(1, len(tree)):
        assert tree.state[node].text.startswith(tree.state[tree.parent[node]].text)
        assert tree.score[node] == pytest.approx(worth(tree.state[node].text))
        assert bool(tree.terminal[node]) is tree.state[node].ended
        assert tree.closed[node] == tree.terminal[node]
        assert tree.tokens[node] == 1
        assert tree.best[node] == max(tree.score[below] for below in tree.walk(node))
    assert Tree.from_json(tree.to_json()).to_json() == tree.to_json()


def test_dead_ends_lose_ties() -> None:
    """Unfinished steps that score 0 are followed before a dead end; all m dead ends end the subtree."""
    world = Known({"": "ab", "b": "xy"}, {"b": 0.0}, {"a": 0.0, "bx": 0.0, "by": 1.0})
    assert run(dvts(2, 2, world), world).answer == "by"
    world = Known({"": "ab"}, {}, {"a": 0.0, "b": 0.0})
    result = run(dvts(2, 2, world), world)
    assert (result.answer, result.usage.verifications) == ("a", 0)


def test_a_vote_over_the_subtrees() -> None:
    """Three subtrees answer x, x and y: the vote takes x though y scores more."""
    world = Known({"": "abc"}, {"a": 0.5, "b": 0.6, "c": 0.9})
    key = {"a": "x", "b": "x", "c": "y"}.__getitem__
    assert run(dvts(3, 1, world), world).answer == "c"
    assert run(dvts(3, 1, world, select=Vote(key, weighted=True)), world).answer == "b"


def test_unfinished_paths_are_marked_and_no_candidates() -> None:
    result = write(DVTS(4, 2, Worth(), environment=STEPS, rounds=2))
    tree = result.tree
    assert tree is not None
    assert max(tree.depth) == 2
    assert result.sample.truncated
    last = [n for n in range(len(tree)) if tree.depth[n] == 2]
    assert result.answer == tree.state[max(last, key=lambda n: tree.score[n])].text


def test_nothing_but_failures_raises_the_first() -> None:
    world = Known(SIX, SCORES, broken=frozenset({""}))
    with pytest.raises(CallError):
        run(dvts(4, 2, world), world)


def test_out_of_budget_the_best_answer_returns() -> None:
    """Equal shares: each of two subtrees gets five of ten steps, two levels and a half; one last sibling each."""
    result = write(DVTS(4, 2, Worth(), environment=STEPS), budget=Budget(generations=10))
    assert result.stopped == "budget"
    assert result.usage.generations == 10
    assert len(result.candidates) == 2
    assert result.answer == max((c.sample.value for c in result.candidates), key=worth)


def test_the_worst_case_is_never_exceeded_and_can_be_reached() -> None:
    for strategy in (
        DVTS(4, 2, Worth(), environment=STEPS, rounds=4),
        DVTS(4, 4, Worth(), environment=STEPS, rounds=4, lookahead=2),
    ):
        bound = strategy.worst_case(Usage(generations=1, model_calls=1))
        assert bound is not None
        used = write(strategy, Letters(depth=50)).usage
        assert (used.generations, used.verifications) == (bound.generations, bound.verifications)


def test_countdown_on_the_embedded_model() -> None:
    """Real steps: every node is a legal line or ends there; the answer is right exactly if its score is 1."""
    model = Model(Embedded(), Params(max_tokens=64))
    for puzzle in Countdown().puzzles(3, "dev"):
        strategy = DVTS(8, 2, CHECKER, environment=CountdownSteps())
        result = asyncio.run(solve(problem(puzzle), strategy, generator=model))
        tree = result.tree
        assert tree is not None
        assert len(tree.children(ROOT)) == 8
        for node in range(len(tree)):
            assert tree.terminal[node] or not replay(puzzle, tree.state[node].text).error
        assert result.candidates
        for candidate in result.candidates:
            assert (candidate.score == 1) is (check(puzzle, candidate.sample.text) == "")
        assert (check(puzzle, result.answer) == "") is any(c.score == 1 for c in result.candidates)


def test_mistakes_are_named() -> None:
    """One sentence each, before anything is paid."""
    for make, said in (
        (lambda: DVTS(4, 3, Worth()), "multiple of m"),
        (lambda: DVTS(2, 4, Worth()), "multiple of m"),
        (lambda: DVTS(4, 2, Worth(), rounds=0), "rounds"),
        (lambda: DVTS(4, 2, Worth(), lookahead=-1), "lookahead"),
        (lambda: DVTS(4, 2, worth), "Predicate"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError, match=said):
            make()
