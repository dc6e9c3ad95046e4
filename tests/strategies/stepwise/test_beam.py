"""Beam search: hand-checked tables, a second implementation, its published special cases, the laws, and failures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from searchkit import Budget, CallError, ConfigError, Model, Params, Prompt, Result, Sample, solve
from searchkit.calls import Request
from searchkit.environments.text_steps import TextSteps
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, problem
from searchkit.lab.countdown import Countdown, check, replay
from searchkit.lab.environment import CountdownSteps
from searchkit.protocols import Verifier
from searchkit.strategies import AlphaMathBeam
from searchkit.strategies.selection.rules import Vote
from searchkit.strategies.stepwise.beam import BeamSearch
from searchkit.strategy import Strategy
from searchkit.tree import ROOT
from searchkit.types import Usage
from searchkit.verifiers.predicate import Predicate
from tests.helpers.known_tree import Known, full, run
from tests.helpers.steps import DEPTH, LEAVES, STEPS, Letters, OnLetters, Worth, worth, write


def beam(n: int, m: int, world: Known, form: str = "snell", **options: Any) -> Strategy:
    """A beam of n / m, in one of its two forms."""
    if form == "snell":
        return BeamSearch(n, m, world.verifier, environment=world, **options)
    return AlphaMathBeam(n // m, m, world.verifier, environment=world, **options)


def paths(result: Result[Any]) -> list[str]:
    """The states of the tree in the order in which they were drawn."""
    assert result.tree is not None
    return result.tree.state[1:]


class TestBeam(OnLetters):
    def strategy(self) -> Strategy:
        return BeamSearch(6, 3, Worth(), environment=STEPS)

    def narrow(self) -> Strategy:
        return BeamSearch(1, 1, Worth(), environment=STEPS)

    def judged(self, verifier: Verifier) -> Strategy:
        return BeamSearch(6, 3, verifier, environment=STEPS)


class TestBeamWithLookahead(OnLetters):
    def strategy(self) -> Strategy:
        return BeamSearch(4, 2, Worth(), environment=STEPS, lookahead=1)


class TestAlphaMath(OnLetters):
    def strategy(self) -> Strategy:
        return AlphaMathBeam(2, 3, Worth(), environment=STEPS)

    def narrow(self) -> Strategy:
        return AlphaMathBeam(1, 1, Worth(), environment=STEPS)

    def judged(self, verifier: Verifier) -> Strategy:
        return AlphaMathBeam(2, 2, verifier, environment=STEPS)


# --- what is drawn, kept and set aside -------------------------------------------------------------------------------

FOUR = {"": "abcd", "a": "xy", "b": "xy", "c": "xy", "d": "xy"}
SCORES = {"a": 0.1, "b": 0.9, "c": 0.6, "d": 0.7} | {
    first + last: i / 10 for i, (first, last) in enumerate((f, x) for f in "abcd" for x in "xy")
}


@pytest.mark.parametrize(
    ("ended", "rewards", "form", "drawn"),
    [
        # nothing ends: keep the best 4 / 2 of a b c d, two steps of each, best beam first
        ("", {}, "snell", "a b c d | bx by dx dy"),
        # c is an answer and takes one of four places, whether it is good or not: three are left, best beam first
        ("c", {}, "snell", "a b c d | bx by dx"),
        # b and c are answers: two places are left
        ("bc", {}, "snell", "a b c d | dx dy"),
        # all but a are answers: one place is left
        ("bcd", {}, "snell", "a b c d | ax"),
        # c is a dead end: it takes no place
        ("c", {"c": 0.0}, "snell", "a b c d | bx by dx dy"),
        # the same score from the environment is an answer if it is not the least
        ("c", {"c": 0.2}, "snell", "a b c d | bx by dx"),
        # AlphaMath starts from one beam with two steps, both are kept
        ("", {}, "alphamath", "a b | bx by ax ay"),
        # one of them is an answer: the beam is one narrower for good
        ("b", {}, "alphamath", "a b | ax ay"),
        ("a", {}, "alphamath", "a b | bx by"),
    ],
)
def test_the_beam_by_hand(ended: str, rewards: dict[str, float], form: Any, drawn: str) -> None:
    """n = 4, m = 2. Scores of the first steps: a 0.1, b 0.9, c 0.6, d 0.7."""
    world = Known({k: v for k, v in FOUR.items() if k == "" or k not in ended}, SCORES, rewards)
    result = run(beam(4, 2, world, form=form), world)
    assert paths(result) == drawn.replace(" |", "").split()
    finished = [p for p in paths(result) if p not in world.children]
    assert result.answer == max(finished, key=lambda p: rewards.get(p, SCORES[p]))
    assert [c.sample.value for c in result.candidates] == finished


def textbook(world: Known, n: int, m: int, form: str) -> list[str]:
    """The published loops on plain lists: every path drawn, in order."""
    drawn, frontier, places, width = list[str](), [""], n, n // m
    share = {"": n if form == "snell" else m}
    while frontier:
        level = []
        for path in frontier:
            for _ in range(share[path]):
                options = world.children[path]
                level.append(path + options[len(level) % len(options)])
        drawn += level
        best_first = sorted(level, key=lambda p: -world.scores[p])
        if form == "snell":
            places -= sum(p not in world.children for p in level)
            alive = [p for p in best_first if p in world.children]
            frontier = alive[: -(-places // m)]
            share = dict.fromkeys(frontier, 0)
            for path in frontier:
                share[path] = min(m, places - sum(share.values()))
        else:
            kept = best_first[:width]
            frontier = [p for p in kept if p in world.children]
            width -= len(kept) - len(frontier)
            share = dict.fromkeys(frontier, m)
    return drawn


@pytest.mark.parametrize("form", ["snell", "alphamath"])
@pytest.mark.parametrize("seed", range(12))
def test_a_second_implementation_draws_the_same(form: Any, seed: int) -> None:
    """On random trees whose branches end at any depth. First steps differ from one another, as many as are drawn."""
    for n, m in ((4, 2), (6, 3), (6, 2), (8, 4), (8, 8), (5, 1)):
        known = full("abcdefgh"[:m], 4, seed, ends=0.3)
        firsts = "abcdefgh"[: n if form == "snell" else m]
        subtrees = {f + p[1:]: v for f in firsts for p, v in known.children.items() if p[:1] == known.children[""][0]}
        scores = {p: full("a", 0, hash_of(p)).scores[""] for p in all_paths(subtrees | {"": firsts})}
        world = Known(subtrees | {"": firsts}, scores)
        result = run(beam(n, m, world, form=form), world)
        assert paths(result) == textbook(world, n, m, form)


def hash_of(path: str) -> int:
    return sum(ord(c) * 31**i for i, c in enumerate(path))


def all_paths(children: Any) -> list[str]:
    return ["", *(path + letter for path, options in children.items() for letter in options)]


def test_a_beam_as_wide_as_the_tree_finds_the_best_leaf() -> None:
    """27 beams of 3 letters, 3 deep: the answer is the best of all 27 leaves, for 20 random trees."""
    for seed in range(20):
        world = full("abc", 3, seed)
        result = run(AlphaMathBeam(27, 3, world.verifier, environment=world), world)
        leaves = [p for p in world.scores if len(p) == 3]
        assert result.answer == max(leaves, key=lambda p: world.scores[p])
        assert sorted(c.sample.value for c in result.candidates) == sorted(leaves)


@pytest.mark.parametrize(("n", "m"), [(8, 4), (8, 8), (8, 2), (8, 1)])
def test_n_first_steps_are_really_drawn_and_finished_ones_never_expanded(n: int, m: int) -> None:
    """Budget 8: eight first-level samples at any width; each answer once, none with children, never more than n."""
    for seed in range(10):
        world = full("abcdefgh", 4, seed, ends=0.4)
        result = run(beam(n, m, world), world)
        tree = result.tree
        assert tree is not None
        assert len(tree.children(ROOT)) == n
        ended = [node for node in range(len(tree)) if tree.terminal[node]]
        assert not any(tree.children(node) for node in ended)
        assert len(result.candidates) == len(ended) <= n


def test_one_step_a_beam_is_best_of_n() -> None:
    """m = 1: n chains that never meet; the answer is the best of their n ends."""
    for seed in range(5):
        result = write(BeamSearch(6, 1, Worth(), environment=STEPS), seed=seed)
        tree = result.tree
        assert tree is not None
        assert len(tree.children(ROOT)) == 6
        assert all(len(tree.children(node)) == (0 if tree.terminal[node] else 1) for node in range(1, len(tree)))
        assert len(result.candidates) == 6
        assert result.answer == max((c.sample.value for c in result.candidates), key=worth)
        assert result.usage.generations == 6 * DEPTH


def test_the_accuracy_of_one_step_a_beam_is_pass_at_n() -> None:
    """Uniform letters: the best leaf is among 6 chains with probability 1 - (26/27)^6 = 0.203, and then the answer."""
    best = max(LEAVES, key=worth)
    hits = sum(write(BeamSearch(6, 1, Worth(), environment=STEPS), seed=s).answer == best for s in range(150))
    exact = 1 - (26 / 27) ** 6
    assert abs(hits / 150 - exact) < 3 * (exact * (1 - exact) / 150) ** 0.5


def test_ties_go_to_the_step_drawn_first() -> None:
    """All scores equal: the beams are the first two of four, and so on; the answer is the first leaf."""
    world = Known(FOUR, dict.fromkeys(SCORES, 0.5))
    result = run(beam(4, 2, world), world)
    assert paths(result) == ["a", "b", "c", "d", "ax", "ay", "bx", "by"]
    assert result.answer == "ax"


# --- scores ----------------------------------------------------------------------------------------------------------


def test_where_only_steps_are_scored_the_last_counts() -> None:
    """A verdict with step scores alone: the answer has the best last step, and candidates keep all of them."""
    table = {"a": (1.0, 1.0, 0.3), "b": (0.5, 0.5), "c": (0.45, 0.7), "d": (0.3, 0.8)}
    world = Known({"": "abcd"}, table)
    result = run(beam(4, 4, world), world)
    assert result.answer == "d"
    assert [c.score for c in result.candidates] == [0.3, 0.5, 0.7, 0.8]
    assert result.candidates[0].verdict.step_scores == table["a"]


def test_lookahead_looks_through_a_good_beginning() -> None:
    """a looks better than b now, but its best next step is worse than b's: one step ahead b is kept."""
    world = Known({"": "ab", "a": "xy", "b": "xy"}, {"a": 0.9, "b": 0.2, "ax": 0.3, "ay": 0.1, "bx": 0.4, "by": 0.8})
    assert run(beam(2, 2, world), world).answer == "ax"
    ahead = run(beam(2, 2, world, lookahead=1), world)
    assert paths(ahead) == ["a", "b", "bx", "by"]
    assert ahead.answer == "by"
    assert [ahead.tree.score[n] for n in (1, 2)] == [0.3, 0.8]  # type: ignore[union-attr]
    assert run(beam(2, 2, world, lookahead=9), world).answer == "by"


def test_lookahead_does_not_alter_the_kept_text_and_costs_n_times_k_plus_one() -> None:
    """Where all scores are equal, the tree is the same for every k; rollouts are paid but in no text."""
    trees = []
    for k in (0, 1, 2):
        strategy = BeamSearch(4, 2, Worth(constant=0.5), environment=STEPS, lookahead=k)
        result = write(strategy)
        trees.append(result.tree.to_json())  # type: ignore[union-attr]
        ahead = sum(min(k, DEPTH - depth) for depth in (1, 2))  # of rounds 1 and 2; the third has nothing ahead
        assert result.usage.generations == 4 * (DEPTH + ahead)
        assert result.usage.verifications == 4 * DEPTH
        assert all(c.sample.value in LEAVES for c in result.candidates)
    assert trees[0] == trees[1] == trees[2]


def test_a_reward_of_the_environment_needs_no_verifier() -> None:
    """Ends are scored by the environment, the verifier is asked for the others only; candidates have the rewards."""
    world = Known({"": "ab", "a": "xy"}, {"a": 0.5}, {"b": 0.0, "ax": 1.0, "ay": 0.0})
    result = run(beam(2, 2, world), world)
    assert result.usage.verifications == 1
    assert {c.sample.value: c.score for c in result.candidates} == {"b": 0.0, "ax": 1.0, "ay": 0.0}
    assert result.answer == "ax"


def test_dead_ends_lose_ties() -> None:
    """A checker that gives every unfinished path 0 does not make a dead end the beam."""
    world = Known({"": "ab", "b": "xy"}, {"b": 0.0}, {"a": 0.0, "bx": 0.0, "by": 1.0})
    for form in ("snell", "alphamath"):
        assert run(beam(2, 2, world, form=form), world).answer == "by"


def test_the_published_choice_is_a_weighted_vote() -> None:
    """Ends in x have 0.0 + 0.4 + ..., those in y more: the class with the greatest sum wins, not the best leaf."""
    world = Known({"": "abcd"}, {"a": 0.5, "b": 0.9, "c": 0.5, "d": 0.1})
    key = {"a": "first", "b": "second", "c": "first", "d": "second"}.__getitem__
    assert run(beam(4, 4, world), world).answer == "b"
    assert run(beam(4, 4, world, select=Vote(key)), world).answer == "a"
    world = replace(world, scores={"a": 0.6, "b": 0.9, "c": 0.6, "d": 0.1})
    assert run(beam(4, 4, world, select=Vote(key, weighted=True)), world).answer == "a"


# --- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [1, 2])
def test_rounds_are_counted_exactly_and_what_is_unfinished_is_marked(rounds: int) -> None:
    """After k rounds paths are k steps long; the best one comes back, marked as truncated, and is no candidate."""
    result = write(BeamSearch(4, 2, Worth(), environment=STEPS, rounds=rounds))
    tree = result.tree
    assert tree is not None
    assert max(tree.depth) == rounds
    assert result.sample.finish == "length"
    last = [node for node in range(len(tree)) if tree.depth[node] == rounds]
    assert result.answer == tree.state[max(last, key=lambda n: tree.score[n])].text
    assert result.usage.generations == 4 * rounds


def test_max_steps_of_the_environment_is_the_number_of_steps() -> None:
    """max_steps=2 gives two steps, not three, and such a text is truncated."""
    result = write(BeamSearch(4, 2, Worth(), environment=TextSteps("/", max_steps=2)))
    assert {len(c.sample.step_spans) for c in result.candidates} == {2}
    assert all(c.sample.truncated for c in result.candidates)


@dataclass(frozen=True)
class Cut:
    """Letters, but steps in an even place are cut off by the token limit."""

    name: str = "cut"

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        samples = await Letters().complete(requests)
        return [
            replace(s, finish="length", stop_reason=None) if r.index % 2 == 0 else s
            for r, s in zip(requests, samples, strict=True)
        ]


def test_truncated_steps_are_seen_not_continued_and_never_vote() -> None:
    """Half of the steps are cut off: they end there, marked; a vote goes to a complete answer."""
    result = write(BeamSearch(8, 1, Worth(), environment=STEPS, select=Vote(str.upper)), Cut())
    tree = result.tree
    assert tree is not None
    cut = [n for n in range(1, len(tree)) if tree.state[n].cut]
    assert cut
    assert not any(tree.children(n) for n in cut)
    assert sum(c.sample.truncated for c in result.candidates) == len(cut)
    assert not result.sample.truncated
    assert result.answer in LEAVES


# --- failures and budgets --------------------------------------------------------------------------------------------


def test_a_failing_step_leaves_the_others() -> None:
    """Sample 1 of 4 at the root fails: three are scored, the failure is reported, the search goes on."""
    world = Known(FOUR, SCORES, broken=frozenset({"1"}))
    result = run(beam(4, 2, world), world)
    assert paths(result) == ["a", "c", "d", "dx", "dy", "cx", "cy"]
    assert "no answer here" in str(result.errors[0])


def test_where_a_whole_round_fails_the_best_path_so_far_is_returned() -> None:
    world = Known(FOUR, SCORES, broken=frozenset("abcd"))
    result = run(beam(4, 2, world), world)
    assert result.answer == "b"
    assert result.sample.truncated


def test_nothing_but_failures_raises_the_first() -> None:
    world = Known(FOUR, SCORES, broken=frozenset({""}))
    with pytest.raises(CallError):
        run(beam(4, 2, world), world)


def test_a_step_that_cannot_be_judged_is_kept_behind_the_others() -> None:
    """The verifier raises on b and abstains on d: a and c are the beam; alone they would be kept all the same."""

    def picky(value: str) -> Any:
        if value == "b":
            raise ValueError("cannot judge b")
        return world.judge(value)

    world = Known(FOUR, SCORES | {"d": None})
    result = run(BeamSearch(4, 2, Predicate(picky), environment=world), world)
    assert paths(result) == ["a", "b", "c", "d", "cx", "cy", "ax", "ay"]
    assert "cannot judge b" in str(result.errors[0])
    silent = replace(world, scores=dict.fromkeys(SCORES))
    assert paths(run(beam(4, 2, silent), silent)) == ["a", "b", "c", "d", "ax", "ay", "bx", "by"]


def test_out_of_budget_survivors_go_on_and_the_best_answer_returns() -> None:
    """Steps for two rounds and a half: the third is drawn as far as it goes, and its answers compete."""
    result = write(BeamSearch(4, 2, Worth(), environment=STEPS), budget=Budget(generations=10))
    assert result.stopped == "budget"
    assert result.usage.generations == 10
    assert len(result.candidates) == 2
    assert result.answer == max((c.sample.value for c in result.candidates), key=worth)


def test_an_answer_that_nobody_could_pay_to_judge_is_still_an_answer() -> None:
    """Verifications for the first two rounds only: the finished texts come back without a score."""
    result = write(BeamSearch(2, 2, Worth(), environment=STEPS), budget=Budget(verifications=4))
    assert result.stopped == "budget"
    assert result.answer in LEAVES
    assert [c.score for c in result.candidates] == [None, None]


def test_the_worst_case_is_never_exceeded_and_can_be_reached() -> None:
    """Four rounds of unfinished text cost exactly the bound, in both forms and with lookahead."""
    one = Usage(generations=1, model_calls=1)
    for strategy in (
        BeamSearch(4, 2, Worth(), environment=STEPS, rounds=4),
        AlphaMathBeam(2, 2, Worth(), environment=STEPS, rounds=4),
        BeamSearch(4, 2, Worth(), environment=STEPS, rounds=4, lookahead=2),
    ):
        bound = strategy.worst_case(one)
        assert bound is not None
        used = write(strategy, Letters(depth=50)).usage
        assert (used.generations, used.model_calls) == (bound.generations, bound.model_calls)
        assert used.verifications == bound.verifications
    assert BeamSearch(4, 2, Worth(), generator=Unbounded()).worst_case(one) is None


class Unbounded(Strategy):
    async def search(self, prompt: Prompt, run: Any) -> Sample[Any]:
        raise NotImplementedError


def test_countdown_on_the_embedded_model() -> None:
    """Real steps: every node is a legal line or ends there; the answer is right exactly if its score is 1."""
    model = Model(Embedded(), Params(max_tokens=64))
    for puzzle in Countdown().puzzles(3, "dev"):
        result = asyncio.run(solve(problem(puzzle), BeamSearch(8, 4, CHECKER, CountdownSteps()), generator=model))
        tree = result.tree
        assert tree is not None
        assert len(tree.children(ROOT)) == 8
        for node in range(len(tree)):
            assert tree.terminal[node] or not replay(puzzle, tree.state[node].text).error
        assert result.candidates
        for candidate in result.candidates:
            assert (candidate.score == 1) is (check(puzzle, candidate.sample.text) == "")
        assert (check(puzzle, result.answer) == "") is any(c.score == 1 for c in result.candidates)


@dataclass(frozen=True)
class Joint(Worth):
    joint: bool = True


def test_mistakes_are_named() -> None:
    """One sentence each, before anything is paid."""
    for make, said in (
        (lambda: BeamSearch(4, 3, Worth()), "multiple of m"),
        (lambda: BeamSearch(0, 1, Worth()), "multiple of m"),
        (lambda: BeamSearch(4, 0, Worth()), "multiple of m"),
        (lambda: BeamSearch(2, 4, Worth()), "multiple of m"),
        (lambda: BeamSearch(4, 2, Worth(), rounds=0), "rounds"),
        (lambda: BeamSearch(4, 2, Worth(), lookahead=-1), "lookahead"),
        (lambda: BeamSearch(4, 2, worth), "Predicate"),  # type: ignore[arg-type]
        (lambda: BeamSearch(4, 2, Joint()), "joint"),
        (lambda: AlphaMathBeam(0, 2, Worth()), "b1 >= 1"),
        (lambda: asyncio.run(solve("q", BeamSearch(4, 2, Worth()))), "generator"),
    ):
        with pytest.raises(ConfigError, match=said):
            make()
