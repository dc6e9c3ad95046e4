"""Successive halving: who goes on from a checkpoint, what that costs, and that nothing finished is lost."""

from __future__ import annotations

import itertools
import math
import pickle
from typing import Any

import pytest

from searchkit import Budget, ConfigError, Result
from searchkit.calls import CallError
from searchkit.environments import AgentSteps
from searchkit.environments.rewrite import Rewrite
from searchkit.protocols import Verifier
from searchkit.strategies import Argmax, SuccessiveHalving, Vote
from searchkit.strategy import Strategy
from searchkit.testing import Shuffled, StrategyTests
from searchkit.testing.strategies import LengthScore
from searchkit.verifiers.judges.pairwise import PairwiseJudge
from searchkit.verifiers.predicate import Predicate
from tests.helpers.collected import collected  # noqa: F401 (a fixture)
from tests.helpers.known_tree import Known, full, run
from tests.helpers.steps import DEPTH, STEPS, Letters, OnLetters, Worth, worth, write
from tests.test_laws_steps import asking


class TestHalving(OnLetters):
    def strategy(self) -> Strategy:
        return SuccessiveHalving(6, Worth(), (1, 2), environment=STEPS)

    def narrow(self) -> Strategy:
        return SuccessiveHalving(1, Worth(), (1,), environment=STEPS)

    def judged(self, verifier: Verifier) -> Strategy:
        return SuccessiveHalving(6, verifier, (1, 2), environment=STEPS)


class TestHalvingByTokens(OnLetters):
    def strategy(self) -> Strategy:
        return SuccessiveHalving(5, Worth(), (2,), 0.4, "tokens", STEPS)


class TestHalvingOverAnAgent(StrategyTests):
    def strategy(self) -> Strategy:
        return SuccessiveHalving(3, LengthScore(), (1,), environment=AgentSteps(asking, live=3))


class TestHalvingOfDrafts(StrategyTests):
    def strategy(self) -> Strategy:
        return SuccessiveHalving(4, LengthScore(), (1, 2), environment=Rewrite(), rounds=3)


def halved(seed: int = 0, n: int = 8, at: tuple[int, ...] = (1, 2), backend: Any = None, **options: Any) -> Result[Any]:
    return write(SuccessiveHalving(n, Worth(), at, environment=STEPS, **options), backend, seed=seed)


def chains(result: Result[Any]) -> list[list[str]]:
    """The states of each chain of the tree, in the order of the attempts."""
    tree = result.tree
    assert tree is not None
    found = []
    for node in tree.children(0):
        texts = [tree.state[node].text]
        while tree.children(node):
            [node] = tree.children(node)
            texts.append(tree.state[node].text)
        found.append(texts)
    return found


@pytest.mark.parametrize("keep", [0.25, 0.5, 0.7])
def test_the_better_ones_go_on(keep):
    """20 seeds, against the rule applied by hand to the attempts of ``keep=1``: each is the same text while it runs."""
    for seed in range(20):
        whole = chains(halved(seed, keep=1.0))
        assert [len(texts) for texts in whole] == [DEPTH] * 8
        going, expected = list(range(8)), dict.fromkeys(range(8), 0)
        for level in range(DEPTH):
            for i in going:
                expected[i] = level + 1
            going = sorted(going, key=lambda i: -worth(whole[i][level]))[: math.ceil(keep * len(going))]
        result = halved(seed, keep=keep)
        assert chains(result) == [texts[: expected[i]] for i, texts in enumerate(whole)]
        ends = [whole[i][-1] for i in range(8) if expected[i] == DEPTH]
        assert result.answer == max(ends, key=worth)


@pytest.mark.parametrize(("n", "at", "keep"), [(8, (1, 2), 0.5), (7, (1,), 0.3), (5, (2,), 0.5), (1, (1, 2), 0.5)])
def test_cost_is_the_formula(n, at, keep):
    """Steps: those that run to the next checkpoint, times the steps up to there. Verdicts: one for each of them."""
    running, before, steps, verdicts = n, 0, 0, 0
    for goal in (*at, DEPTH):
        steps, verdicts = steps + running * (goal - before), verdicts + running
        running, before = math.ceil(keep * running), goal
    usage = halved(3, n, at, keep=keep).usage
    assert (usage.generations, usage.verifications) == (steps, verdicts)
    assert usage.generated_tokens == steps  # in this world a step is a token
    most = SuccessiveHalving(n, Worth(), at, keep, environment=STEPS, rounds=DEPTH).counts()
    assert most == (n * DEPTH, n * (len(at) + 1))
    assert steps <= most[0]
    assert verdicts <= most[1]


def test_a_share_is_not_rounded_up_for_what_floats_make_of_it():
    """0.1 of 30 is 3.0000000000000004, and three go on; of 31 four do."""
    for n, going in ((30, 3), (31, 4), (1, 1), (9, 1)):
        assert halved(0, n, (1,), keep=0.1).usage.generations == n + 2 * going


def test_the_guides_formula():
    """n = 8, halved at a and b, of length L: 8 a + 4 (b - a) + 2 (L - b)."""
    assert halved(0).usage.generations == 8 * 1 + 4 * 1 + 2 * 1
    assert halved(0, keep=1.0).usage.generations == 8 * DEPTH


def test_checkpoints_in_tokens():
    """Steps of one token: the same search. A checkpoint between two steps is reached with the later one."""
    assert halved(1, unit="tokens").trace.canonical() != halved(1, keep=1.0).trace.canonical()
    assert chains(halved(1, unit="tokens")) == chains(halved(1))
    assert chains(halved(1, at=(1, 2, 50), unit="tokens")) == chains(halved(1))  # all have ended before 50


def test_what_has_ended_is_kept_and_takes_nobodys_place():
    """Ended with the worst score, it is a candidate still; of the two that run the better goes on, not both or none."""
    world = Known({"": "abc", "b": "x", "c": "x"}, {"a": 0.1, "b": 0.5, "c": 0.6, "cx": 0.05, "bx": 0.9})
    result = run(SuccessiveHalving(3, world.verifier, (1,), environment=world), world)
    assert result.tree.state[1:] == ["a", "b", "c", "cx"]
    assert result.answer == "a"
    assert [c.sample.value for c in result.candidates] == ["a", "cx"]
    assert result.usage.verifications == 4  # a is judged once


def test_ties_go_to_the_first_and_the_unjudged_go_on():
    """Equal scores: the first drawn. Abstentions take nobody's place: two of four are judged, one of them goes on."""
    children, scores = {"": "abcd", **dict.fromkeys("abcd", "x")}, dict.fromkeys(["a", "b", "c", "d"], 0.5)
    ends = {"ax": 0.1, "bx": 0.2, "cx": 0.3, "dx": 0.4}
    world = Known(children, scores | ends)
    assert run(SuccessiveHalving(4, world.verifier, (1,), environment=world), world).answer == "bx"
    unsure = Known(children, scores | ends | {"b": None, "d": None})
    result = run(SuccessiveHalving(4, unsure.verifier, (1,), environment=unsure), unsure)
    assert result.answer == "dx"
    assert [c.sample.value for c in result.candidates] == ["ax", "bx", "dx"]


def test_where_nobody_ends_the_abandoned_are_taken_up_again():
    """The best two fail or are dead ends: those abandoned last go on first, and only if they fail, too, the others."""
    children = {"": "abcd", **dict.fromkeys("abcd", "x"), **{f"{c}x": "y" for c in "abcd"}}
    scores = {"a": 0.9, "b": 0.8, "c": 0.3, "d": 0.2, "ax": 0.9, "bx": 0.4, "cxy": 0.5, "dxy": 0.6, "bxy": 0.7}
    rewards = {"axy": 0.0}
    world = Known(children, scores, rewards)
    result = run(SuccessiveHalving(4, world.verifier, (1, 2), environment=world), world)
    assert result.answer == "bxy"
    assert result.tree.state[1:] == ["a", "b", "c", "d", "ax", "bx", "axy", "bxy"]
    broken = Known(children, scores, rewards, frozenset({"bx"}))
    result = run(SuccessiveHalving(4, broken.verifier, (1, 2), environment=broken), broken)
    assert result.answer == "dxy"  # and b, which failed, stays where it was
    steps = 4 + 2 + 1 + 2 * 2
    assert result.usage.generated_tokens == steps
    assert not any(result.tree.closed[n] for n in range(len(result.tree)) if result.tree.children(n))


def test_failures_leave_the_others():
    """One fails at its first step, one at its second; if all do, the first failure is raised."""
    children = {"": "abc", "a": "x", "b": "x", "c": "x"}
    scores = dict.fromkeys(["a", "b", "c", "ax", "bx", "cx"], 0.5)
    world = Known(children, scores, broken=frozenset({"0", "b"}))
    result = run(SuccessiveHalving(3, world.verifier, (1,), 1.0, environment=world), world)
    assert (result.answer, len(result.errors)) == ("cx", 2)
    lost = Known(children, scores, broken=frozenset({""}))
    with pytest.raises(CallError):
        run(SuccessiveHalving(3, lost.verifier, (1,), environment=lost), lost)


def test_an_attempt_that_does_not_end_is_marked():
    """After two rounds of three the best comes back as truncated; a budget that ends early says so."""
    result = halved(0, at=(1,), rounds=2)
    assert result.sample.truncated
    assert result.answer == max((texts[-1] for texts in chains(result) if len(texts) == 2), key=worth)
    short = write(SuccessiveHalving(4, Worth(), (1,), environment=STEPS), budget=Budget(generations=5))
    assert short.stopped == "budget"
    assert short.usage.generations <= 5


@pytest.mark.parametrize("most", range(4, 10))
@pytest.mark.parametrize("at", [(1,), (1, 2), (2, 3)], ids=str)
def test_a_budget_that_ends_between_checkpoints_leaves_the_best_that_went_on(at, most):
    """What has moved on since it was judged is as good as it was there, and not behind what was abandoned."""
    letters = "abcd"
    children = {"": letters} | {c + "x" * k: "x" for c in letters for k in range(5)}
    scores = {c + "x" * k: 0.9 - 0.2 * i for i, c in enumerate(letters) for k in range(5)}
    world = Known(children, scores)
    result = run(SuccessiveHalving(4, world.verifier, at, environment=world), world, budget=Budget(generations=most))
    assert result.stopped == "budget"
    assert result.sample.truncated
    assert result.answer.startswith("a")


def test_what_was_abandoned_is_shown():
    """In the tree a closed node that is no end; in the trace a line a checkpoint, with the tokens that it had cost."""
    result = halved(2)
    tree = result.tree
    leaves = [n for n in range(len(tree)) if not tree.children(n)]
    abandoned = [n for n in leaves if tree.closed[n] and not tree.terminal[n]]
    assert len(abandoned) == 4 + 2
    lines = [span.text for span in result.trace.walk() if span.name == "checkpoint"]
    assert len(lines) == 2
    assert lines[0].startswith("at 1 steps: ")
    assert lines[0].endswith(", 4 tokens")
    assert lines[1].endswith(", 4 tokens")  # two attempts of two steps
    spent = sum(tree.tokens[n] for leaf in abandoned for n in tree.path(leaf))
    assert spent == 4 * 1 + 2 * 2
    assert result.usage.generated_tokens == spent + 2 * DEPTH


def test_latencies_change_nothing():
    """Whichever attempt is first at a checkpoint: the same trace, tree and answer."""
    plain = halved(5)
    for order in range(1, 4):
        other = halved(5, backend=Shuffled(Letters(), order))
        assert other.trace.canonical() == plain.trace.canonical()
        assert other.tree.to_json() == plain.tree.to_json()


# ---------------------------------------------------------------- a closed form


def test_accuracy_is_what_enumeration_says():
    """Attempts are good or bad and look good or bad at the checkpoint, one of three goes on from each pair of facts.

    All 4^3 worlds, weighted by chance 0.4 of being good and 0.8 of looking as it is: the search is right as often as
    the first of those that look good (or else the first of all) is good.
    """
    searched = exact = 0.0
    for good, shows in itertools.product(itertools.product((0, 1), repeat=3), repeat=2):
        chance = math.prod(0.4 if g else 0.6 for g in good) * math.prod(
            0.8 if g == s else 0.2 for g, s in zip(good, shows, strict=True)
        )
        scores = {c: 0.25 + s / 2 for c, s in zip("abc", shows, strict=True)}
        scores |= {f"{c}x": float(g) for c, g in zip("abc", good, strict=True)}
        world = Known({"": "abc", **dict.fromkeys("abc", "x")}, scores)
        answer = run(SuccessiveHalving(3, world.verifier, (1,), 0.3, environment=world), world).answer
        searched += chance * scores[answer]
        first = shows.index(1) if 1 in shows else 0
        exact += chance * good[first]
    looks = 0.4 * 0.8 + 0.6 * 0.2
    by_hand = (1 - (1 - looks) ** 3) * (0.4 * 0.8 / looks) + (1 - looks) ** 3 * (0.4 * 0.2 / (1 - looks))
    assert searched == pytest.approx(exact)
    assert exact == pytest.approx(by_hand)


def test_random_worlds():
    """100 random trees with early ends: who is kept never grows, no end is lost, and the answer is the best end."""
    for seed in range(100):
        world = full("ab", 4, seed, ends=0.3)
        result = run(SuccessiveHalving(6, world.verifier, (1, 2, 3), environment=world), world, seed=seed)
        tree = result.tree
        ends = [tree.state[n] for n in range(len(tree)) if tree.terminal[n]]
        assert sorted(ends) == sorted(c.sample.value for c in result.candidates)
        assert world.scores[result.answer] == max(world.scores[end] for end in ends)
        running = [sum(d == depth for d in tree.depth) for depth in range(1, max(tree.depth) + 1)]
        assert running == sorted(running, reverse=True)


# ---------------------------------------------------------------- mistakes


def test_mistakes_are_named():
    """One clear sentence each; configuration pickles."""
    ok = Predicate(bool)
    for make, word in (
        (lambda: SuccessiveHalving(0, ok, (1,)), "n >= 1"),
        (lambda: SuccessiveHalving(2, ok, ()), "checkpoints"),
        (lambda: SuccessiveHalving(2, ok, 3), "checkpoints"),
        (lambda: SuccessiveHalving(2, ok, (0, 1)), "checkpoints"),
        (lambda: SuccessiveHalving(2, ok, (1.5,)), "checkpoints"),
        (lambda: SuccessiveHalving(2, ok, (2, 2)), "ascend"),
        (lambda: SuccessiveHalving(2, ok, (1,), 0.0), "keep"),
        (lambda: SuccessiveHalving(2, ok, (1,), 1.5), "keep"),
        (lambda: SuccessiveHalving(2, ok, (1,), True), "keep"),
        (lambda: SuccessiveHalving(2, ok, (1,), math.nan), "keep"),
        (lambda: SuccessiveHalving(2, ok, (1,), unit="seconds"), "unit"),
        (lambda: SuccessiveHalving(2, ok, (1,), rounds=0), "rounds >= 1"),
        (lambda: SuccessiveHalving(2, PairwiseJudge(), (1,)), "joint"),
        (lambda: SuccessiveHalving(2, bool, (1,)), "Predicate"),
        (lambda: SuccessiveHalving(2, ok, (1,), select=max), "Argmax"),
        (lambda: SuccessiveHalving(2, ok, (1,), environment=str), "environment"),
    ):
        with pytest.raises(ConfigError, match=word):
            make()
    strategy = SuccessiveHalving(4, Worth(), (1, 3), 0.25, "tokens", STEPS, select=Vote())
    assert pickle.loads(pickle.dumps(strategy)) == strategy
    assert strategy.select != Argmax()
