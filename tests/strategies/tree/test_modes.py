"""The options of tree search: what is evaluated, who weighs children, widening, listed actions, trees, final picks."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from searchkit import Budget, ConfigError, Model, Result, solve
from searchkit.errors import StaleBranch
from searchkit.protocols import Run, Verifier
from searchkit.strategies import (
    MASTER,
    MCTS,
    PUCT,
    RAP,
    UCT,
    AgentQ,
    BestFirst,
    Children,
    RecedingHorizon,
    Rollout,
    SWESearch,
    Value,
    Widening,
)
from searchkit.strategies.tree.pick import End, pick
from searchkit.strategy import Strategy
from searchkit.testing import Counting
from searchkit.testing.law_worlds import LEVELS
from searchkit.tree import NO_PARENT, ROOT, Tree
from searchkit.types import Params, Problem, Prompt, Sample, Scored, Transition, Verdict
from searchkit.verifiers import Predicate
from tests.helpers.known_tree import Known, full, run
from tests.helpers.steps import BEST, LEAVES, STEPS, Letters, OnLetters, Worth, worth, write

WIDE = Letters("abcdefghijklmnop", depth=9)


class TestWidening(OnLetters):
    def strategy(self) -> Strategy:
        policy = UCT(widening=Widening(1.0, 0.5))
        return MCTS(Worth(), policy=policy, environment=STEPS, iterations=9, width=1, expansions=3, in_flight=3)


class TestChildren(OnLetters):
    def strategy(self) -> Strategy:
        return MCTS(Worth(), policy=SWESearch(), environment=STEPS, evaluation=Children(), iterations=8, width=1,
                    expansions=3, in_flight=2)  # fmt: skip

    def narrow(self) -> Strategy:
        return MCTS(Worth(), environment=STEPS, evaluation=Children(), iterations=3, width=1)


class TestCritic(OnLetters):
    asks = 1 + 2 * len(LEVELS)

    def strategy(self) -> Strategy:
        return MCTS(Worth(), policy=AgentQ(), environment=STEPS, evaluation=Rollout(2), prior=Worth(0.5), iterations=5,
                    width=3, in_flight=2)  # fmt: skip


class TestRootParallel(OnLetters):
    def strategy(self) -> Strategy:
        return MCTS(Worth(), environment=STEPS, iterations=9, width=2, trees=3, pick="visits")


class TestRecedingHorizon(OnLetters):
    def strategy(self) -> RecedingHorizon:
        return RecedingHorizon(BestFirst(Worth(), environment=STEPS, iterations=2, width=3), rounds=3)

    def over(self, environment: Any, verifier: Verifier) -> Strategy:
        planner = replace(self.strategy().planner, environment=environment, verifier=verifier)
        return replace(self.strategy(), planner=planner)


class TestRecedingHorizonByAction(TestRecedingHorizon):
    def strategy(self) -> RecedingHorizon:
        planner = MCTS(Worth(), environment=STEPS, iterations=4, width=2, evaluation=Rollout(), in_flight=2)
        return RecedingHorizon(planner, rounds=3, commit="action")


def parts(result: Result[Any]) -> Tree:
    assert result.tree is not None
    return result.tree


# ---------------------------------------------------------------- what is evaluated


def test_children_are_evaluated_when_they_are_made() -> None:
    """Every node but the root has the verifier's score, and visits of the root are the evaluated nodes."""
    tree = parts(write(MCTS(Worth(), environment=STEPS, evaluation=Children(), iterations=8, width=3)))
    assert math.isnan(tree.score[ROOT])
    for node in range(1, len(tree)):
        assert tree.score[node] == worth(tree.state[node].text)
        below = sum(tree.visits[c] for c in tree.children(node))
        assert tree.visits[node] == 1 + below
    assert tree.visits[ROOT] == len(tree) - 1


def test_the_value_of_a_leaf_is_the_mean_of_its_rollouts() -> None:
    """Three rollouts of the root in one expansion: their mean is backed up once, all three are answers."""
    backend = Counting(Letters())
    result = write(MCTS(Worth(), environment=STEPS, evaluation=Rollout(3), iterations=1, width=2), backend)
    tree, ends = parts(result), result.candidates
    assert len(ends) == 3
    assert tree.score[ROOT] == pytest.approx(sum(worth(e.sample.text) for e in ends) / 3)
    assert (tree.visits[ROOT], backend.calls) == (1, 2 + 3)


@pytest.mark.parametrize("policy", [UCT(0.5), PUCT(), RAP(0.3), AgentQ(), MASTER(), SWESearch(), SWESearch(adjust=0)])
@pytest.mark.parametrize("evaluation", [Value(), Children()], ids=repr)
def test_every_rule_finds_the_optimum_of_a_world_it_may_exhaust(policy: Any, evaluation: Any) -> None:
    """27 leaves, draws wide enough to see them all: all are found, and everything is closed."""
    strategy = MCTS(
        Worth(), policy=policy, environment=STEPS, evaluation=evaluation, prior=Worth(), iterations=60, width=40
    )
    result = write(strategy)
    assert result.answer == BEST
    assert sorted(c.sample.text for c in result.candidates) == LEAVES
    assert parts(result).closed[ROOT]


def test_visits_of_the_root_are_evaluations_and_ended_episodes() -> None:
    """Not iterations: with values every expansion counts once, and so does every finished child."""
    tree = parts(write(MCTS(Worth(), policy=PUCT(), environment=STEPS, iterations=10, width=3)))
    evaluated = sum(tree.score[n] == tree.score[n] and not tree.terminal[n] for n in range(len(tree)))
    assert tree.visits[ROOT] == evaluated + sum(tree.terminal)
    assert tree.visits[ROOT] > 10


# ---------------------------------------------------------------- priors


def test_a_verifier_may_give_the_priors() -> None:
    """Each child's prior is the critic's score of the path to it; the values are the other verifier's."""
    tree = parts(write(MCTS(Worth(), environment=STEPS, prior=Worth(0.5), evaluation=Value(), iterations=4, width=6)))
    for node in range(1, len(tree)):
        assert tree.prior[node] == pytest.approx(0.5 * worth(tree.state[node].text))
    assert tree.score[ROOT] == worth("")


@dataclass(frozen=True)
class Ranks:
    """A critic that ranks siblings: the best of n gets n / n, the next (n - 1) / n ... It must see them together."""

    key: str = "ranks"
    range: tuple[float, float] = (0.0, 1.0)
    joint: bool = True

    def bind(self, problem: Problem) -> Ranks:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        order = sorted(samples, key=lambda s: worth(s.text))
        return [Verdict((order.index(s) + 1) / len(samples)) for s in samples]


def test_a_joint_critic_ranks_siblings() -> None:
    """The priors of the children of every node are 1/n ... n/n, in the order of their worth."""
    tree = parts(write(MCTS(Worth(), environment=STEPS, prior=Ranks(), iterations=4, width=20)))
    for node in range(len(tree)):
        children = sorted(tree.children(node), key=lambda c: worth(tree.state[c].text))
        assert [tree.prior[c] for c in children] == [(i + 1) / len(children) for i in range(len(children))]


def test_a_critic_that_fails_costs_no_children() -> None:
    """What was drawn is kept, with the least prior; the failure is reported."""

    def fails(text: str) -> float:
        raise RuntimeError("no critic today")

    strategy = MCTS(Worth(), environment=STEPS, prior=Predicate(fails, name="fails"), iterations=1, width=9)
    result = write(strategy)
    assert len(parts(result)) == 4
    assert list(parts(result).prior) == [1.0, 0.0, 0.0, 0.0]
    assert "no critic today" in str(result.errors[0])


def test_frequencies_are_shares_of_all_draws_in_a_node() -> None:
    """Drawn again and again, four at a time: the priors of the children still add up to one."""
    policy = UCT(widening=Widening(2.0, 0.5))
    result = write(MCTS(Worth(), policy=policy, environment=STEPS, iterations=30, width=4, expansions=5), WIDE)
    tree = parts(result)
    wide = [n for n in range(len(tree)) if len(tree.children(n)) > 4]
    assert wide
    for node in range(len(tree)):
        if tree.children(node):
            assert sum(tree.prior[c] for c in tree.children(node)) == pytest.approx(1)


# ---------------------------------------------------------------- more children


@pytest.mark.parametrize(("c", "alpha"), [(1.0, 0.5), (1.5, 0.3), (3.0, 0.25)])
def test_a_node_has_as_many_children_as_its_visits_allow(c: float, alpha: float) -> None:
    """One child an expansion in a world that never ends: children < c * N**alpha + 1 everywhere.

    The root reaches it, unless it was set aside because its draws repeat themselves.
    """
    policy = UCT(0.3, widening=Widening(c, alpha))
    strategy = MCTS(Worth(), policy=policy, environment=STEPS, evaluation=Children(), iterations=80, width=1,
                    expansions=99)  # fmt: skip
    tree = parts(write(strategy, WIDE))
    for node in range(len(tree)):
        if (children := len(tree.children(node))) > 1:
            assert children < c * tree.visits[node] ** alpha + 1
    most = min(16, math.ceil(c * (tree.visits[ROOT] - 1) ** alpha))
    assert len(tree.children(ROOT)) == most or (tree.full[ROOT] and tree.unseen(ROOT) <= 0.25)


def test_what_was_exhausted_is_asked_again() -> None:
    """Two draws a node exhaust their tree; with more expansions a node gives more, until it brings nothing new."""
    once = MCTS(Worth(), UCT(), STEPS, iterations=2000, width=2)
    more = replace(once, expansions=1000)
    few, all_ = write(once), write(more)
    assert len(few.candidates) < len(LEAVES)
    assert sorted(c.sample.text for c in all_.candidates) == LEAVES
    assert parts(few).closed[ROOT]
    assert parts(all_).closed[ROOT]
    assert all_.usage.generations < 2000 * 2


def test_a_node_that_brings_nothing_new_is_not_asked_for_ever() -> None:
    """One letter only: after 61 draws of each node another one is less likely than 0.05, and the search ends."""
    strategy = MCTS(Worth(), environment=STEPS, iterations=1000)
    result = write(strategy, Letters("a"))
    assert result.answer == "a/a/a"
    assert result.usage.generations == 3 * 61


def test_draws_of_a_node_go_on_where_the_last_ended() -> None:
    """The generator gives letter i for sample number i: asked three times for one, it gives three letters in order."""
    world = Known({"": "abc"}, {"": 0.5, "a": 0.1, "b": 0.2, "c": 0.3})
    strategy = MCTS(world.verifier, environment=world, iterations=3, width=1, expansions=3)
    result = run(strategy, world)
    tree = parts(result)
    assert [tree.text[c] for c in tree.children(ROOT)] == ["a", "b", "c"]
    assert result.answer == "c"
    assert tree.full[ROOT]


def test_only_so_many_of_the_drawn_actions_become_children() -> None:
    """branch=1: the most frequent letter, of several the first; branch=2 its runner-up too. All draws are counted."""
    every = parts(write(BestFirst(Worth(), environment=STEPS, iterations=1, width=20)))
    letters = [every.text[c] for c in every.children(ROOT)]
    assert len(letters) == 3
    for branch in (1, 2):
        tree = parts(write(BestFirst(Worth(), environment=STEPS, iterations=1, width=20, branch=branch)))
        assert [tree.text[c] for c in tree.children(ROOT)] == letters[:branch]
        assert [tree.prior[c] for c in tree.children(ROOT)] == [every.prior[c] for c in every.children(ROOT)][:branch]


@dataclass(frozen=True)
class Breaking(Known):
    """The step to "b" fails."""

    async def step(self, state: str, action: Sample[Any], run: Run) -> Transition[str]:
        if state + action.value == "b":
            raise StaleBranch("gone")
        return await super().step(state, action, run)


def test_a_step_that_fails_takes_no_sibling_with_it() -> None:
    """Three letters were paid for: two become children, the failure is reported."""
    world = Breaking({"": "abc"}, {"": 0.5, "a": 0.1, "c": 0.3})
    result = run(MCTS(world.verifier, environment=world, iterations=1, width=3), world)
    assert [parts(result).text[c] for c in parts(result).children(ROOT)] == ["a", "c"]
    assert [type(e) for e in result.errors] == [StaleBranch]


def test_a_finished_child_that_cannot_be_judged_is_kept() -> None:
    """The verifier fails for "b": it stays a candidate without a score, and the others have theirs."""
    world = Known({"": "abc"}, {"": 0.5, "a": 0.1, "c": 0.3})  # judging "b" raises KeyError
    result = run(MCTS(world.verifier, environment=world, iterations=1, width=3), world)
    assert {c.sample.text: c.score for c in result.candidates} == {"a": 0.1, "b": None, "c": 0.3}
    assert result.answer == "c"


# ---------------------------------------------------------------- environments that list, end, know


@dataclass(frozen=True)
class Nim:
    """Take 1 to 3 of `sticks`; who takes the last wins. The opponent plays perfectly, and 1 where it is lost."""

    sticks: int

    async def start(self, prompt: Prompt, run: Run) -> tuple[int, ...]:
        return ()

    def left(self, state: tuple[int, ...]) -> int:
        left = self.sticks
        for move in state:
            left -= move
            left -= left % 4 or min(1, left)
        return left

    def actions(self, state: tuple[int, ...]) -> list[int]:
        return [move for move in (1, 2, 3) if move <= self.left(state)]

    def prompt(self, state: tuple[int, ...]) -> Prompt:
        return Prompt.of(f"{self.left(state)} sticks")

    def step_params(self, run: Run) -> Params | None:
        return None

    async def step(self, state: tuple[int, ...], action: Sample[Any], run: Run) -> Transition[tuple[int, ...]]:
        after = (*state, action.value)
        taken = self.left(state) - action.value
        return Transition(
            after, reward=float(taken == 0) if self.left(after) == 0 else None, terminal=self.left(after) == 0
        )

    def candidate(self, state: tuple[int, ...]) -> Sample[Any]:
        return Sample(state)


@cache
def wins(sticks: int) -> bool:
    """Whether who is to move wins, by brute force."""
    return any(not wins(sticks - move) for move in (1, 2, 3) if move <= sticks)


NEUTRAL = Predicate(lambda value: Verdict(), name="neutral")


@pytest.mark.parametrize("sticks", [s for s in range(2, 14) if wins(s)])
@pytest.mark.parametrize("pick_by", ["visits", "value", "answer"])
def test_mcts_plays_nim_perfectly(sticks: int, pick_by: Any) -> None:
    """Against a perfect opponent every won position has one winning first move; no generator is asked anything."""
    winning = [move for move in (1, 2, 3) if move <= sticks and not wins(sticks - move)]
    strategy = MCTS(
        NEUTRAL, policy=UCT(1.0), environment=Nim(sticks), evaluation=Rollout(), iterations=120, pick=pick_by
    )
    result = asyncio.run(solve("nim", strategy))
    assert [result.answer[0]] == winning
    assert result.usage.generations == result.usage.model_calls == 0


def test_listed_actions_are_all_of_them() -> None:
    """A node is full after one expansion, whatever `expansions` says, and the search ends when all is seen."""
    strategy = MCTS(NEUTRAL, environment=Nim(7), evaluation=Rollout(), iterations=10_000, width=1, expansions=50)
    tree = parts(asyncio.run(solve("nim", strategy)))
    assert tree.closed[ROOT]
    env = Nim(7)
    for node in range(len(tree)):
        legal = [] if tree.terminal[node] else env.actions(tree.state[node])
        assert [tree.state[c][-1] for c in tree.children(node)] == legal


def test_rollouts_go_step_by_step_where_nothing_else_is_possible() -> None:
    """Known's generator writes one letter a sample: a rollout of the root takes as many samples as steps to the end."""
    world = full("ab", 4, seed=1)
    result = run(MCTS(world.verifier, environment=world, evaluation=Rollout(), iterations=1, width=2), world)
    assert len(result.candidates[0].sample.text) == 4
    assert result.usage.generations == 2 + 4
    cut = run(MCTS(world.verifier, environment=world, evaluation=Rollout(horizon=2), iterations=1, width=2), world)
    assert cut.usage.generations == 2 + 2


@dataclass(frozen=True)
class Drafts:
    """States are (draft, feedback on it); an action is a longer draft, and every draft is an answer."""

    async def start(self, prompt: Prompt, run: Run) -> tuple[str, str]:
        return "", ""

    def prompt(self, state: tuple[str, str]) -> Prompt:
        return Prompt.of(f"improve {state[0]!r}, of which was said {state[1]!r}")

    def step_params(self, run: Run) -> Params | None:
        return None

    async def step(self, state: tuple[str, str], action: Sample[Any], run: Run) -> Transition[tuple[str, str]]:
        return Transition((action.text, ""))

    def candidate(self, state: tuple[str, str]) -> Sample[Any]:
        return Sample(state[0])

    def complete(self, state: tuple[str, str]) -> bool:
        return bool(state[0])

    def judged(self, state: tuple[str, str], verdict: Verdict) -> tuple[str, str]:
        return state[0], f"{verdict.score}"


@dataclass(frozen=True)
class Improver:
    """Adds a letter to the draft it is shown, if it is told what was thought of it."""

    params: Params = Params()

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        _, draft, _, said, _ = prompt.text.split("'")
        assert said or not draft, prompt.text

        async def draw() -> Sample[str]:
            return Sample(draft + "ab"[run.index % 2])

        return await run.call("improver", prompt, draw)


@pytest.mark.parametrize("evaluation", [Value(), Children()], ids=repr)
def test_drafts_are_answers_and_learn_what_was_thought_of_them(evaluation: Any) -> None:
    """Nothing ever ends, yet every judged draft is a candidate, and the next is drawn from one that knows its score."""
    verifier = Predicate(lambda text: text.count("b") / 99, name="b's")
    strategy = MCTS(verifier, environment=Drafts(), evaluation=evaluation, iterations=12, width=2)
    result = asyncio.run(solve("x", strategy, generator=Improver()))
    assert result.answer.count("b") == max(c.sample.text.count("b") for c in result.candidates) >= 2
    assert all(c.score is not None and c.sample.text for c in result.candidates)
    assert not result.sample.truncated


# ---------------------------------------------------------------- many trees


def test_root_parallel_trees_share_the_iterations_and_add_up() -> None:
    """10 iterations over 3 trees: 4 + 3 + 3 expansions; every evaluation is one visit of the merged root."""
    backend = Counting(Letters())
    result = write(MCTS(Worth(), environment=STEPS, evaluation=Rollout(), iterations=10, width=2, trees=3), backend)
    tree = parts(result)
    assert backend.calls == 10 * (2 + 1)
    assert tree.visits[ROOT] == len(result.candidates)
    texts = [(tree.parent[n], tree.text[n]) for n in range(1, len(tree))]
    assert len(set(texts)) == len(texts)
    assert not any(tree.in_flight)


def test_merging_adds_what_is_counted() -> None:
    """Two small trees by hand: a is in both, b and c in one each."""
    one, two = Tree(), Tree()
    for tree, rows in ((one, (("a", 0.2), ("b", 0.4))), (two, (("c", 1.0), ("a", 0.6)))):
        for text, value in rows:
            node = tree.add(ROOT, text, tokens=3)
            tree.score[node] = value
            tree.backup(node, value)
            tree.close(node)
        tree.fill(ROOT)
    two.closed[2] = 0
    two.closed[ROOT] = 0
    merged = Tree()
    assert merged.graft(one, merge=True) == [0, 1, 2]
    assert merged.graft(two, merge=True) == [0, 3, 1]
    assert merged.text == ["", "a", "b", "c"]
    assert list(merged.visits) == [4, 2, 1, 1]
    assert list(merged.total) == pytest.approx([2.2, 0.8, 0.4, 1.0])
    assert list(merged.best) == [1.0, 0.6, 0.4, 1.0]
    assert list(merged.tokens) == [0, 6, 3, 3]
    assert list(merged.score[1:]) == [0.2, 0.4, 1.0]
    assert list(merged.closed) == [0, 0, 1, 1]
    assert merged.full[ROOT]


# ---------------------------------------------------------------- final picks


def test_picks_by_visits_by_value_and_among_all() -> None:
    """a: 5 visits, mean 0.4, its answers 0.3 and 0.5; b: 2 visits, mean 0.6, answer 0.6; c: 9 visits, no answer."""
    tree = Tree()
    a, b, c = (tree.add(ROOT, t) for t in "abc")
    for node, values in ((a, (0.4,) * 3), (b, (0.6,)), (c, (0.9,) * 9)):
        for value in values:
            tree.backup(node, value)
    ends = []
    for parent, text, score in ((a, "x", 0.3), (a, "y", 0.5), (b, "z", 0.6)):
        node = tree.add(parent, text, terminal=True)
        tree.backup(node, score)
        ends.append(End(node, Scored(Sample(text), Verdict(score))))
    names = {by: [end.answer.sample.text for end in pick(tree, ends, by)] for by in ("answer", "visits", "value")}  # type: ignore[arg-type]
    assert names == {"answer": ["x", "y", "z"], "visits": ["y"], "value": ["z"]}


def test_picks_agree_with_brute_force_on_random_trees() -> None:
    """The walk restated by recursion, on 100 random trees."""
    rng = random.Random(5)
    for _ in range(100):
        tree = Tree()
        for _ in range(30):
            node = tree.add(rng.randrange(len(tree)), "x")
            tree.backup(node, rng.choice((0.0, 0.5, 1.0)))
        ends = [End(rng.randrange(len(tree)), Scored(Sample(str(i)))) for i in range(8)]

        def has(node: int, tree: Tree = tree, ends: Any = ends) -> bool:
            return any(end.node == node for end in ends) or any(has(c) for c in tree.children(node))

        def walk(node: int, key: Any, tree: Tree = tree, has: Any = has) -> int:
            below = [c for c in tree.children(node) if has(c)]
            return walk(max(below, key=key), key) if below else node

        at = walk(ROOT, lambda n, tree=tree: (tree.visits[n], tree.total[n] / tree.visits[n]))
        assert pick(tree, ends, "visits") == [end for end in ends if end.node == at]
        at = walk(ROOT, lambda n, tree=tree: (tree.total[n] / tree.visits[n], tree.visits[n]))
        assert pick(tree, ends, "value") == [end for end in ends if end.node == at]


# ---------------------------------------------------------------- receding horizon


def test_the_whole_best_path_is_carried_out_and_the_search_goes_on_from_there() -> None:
    """One pop a round commits the first proposed letter; three rounds write three letters; the tree is the last's."""
    strategy = RecedingHorizon(BestFirst(Worth(), environment=STEPS, iterations=1, width=1), rounds=5)
    result = write(strategy)
    assert result.answer.count("/") == 2
    assert result.usage.generations == 3
    assert parts(result).state[ROOT].text.count("/") == 2


@dataclass(frozen=True)
class Committed(Known):
    """Counts, in a list that the test owns, what is carried out."""

    log: Any = None

    async def commit(self, state: str, run: Run) -> Transition[str]:
        self.log.append(state)
        return Transition(state, reward=self.rewards.get(state), terminal=state not in self.children)


@pytest.mark.parametrize(("commit", "log"), [("path", ["bb"]), ("action", ["b", "bb"])])
def test_a_real_world_is_changed_by_commits_only(commit: Any, log: list[str]) -> None:
    """Best path "bb" (0.9): as a path it is carried out at once, by action in two rounds."""
    scores = {"": 0.5, "a": 0.3, "b": 0.6, "aa": 0.1, "ab": 0.2, "ba": 0.7, "bb": 0.9}
    world = Committed({"": "ab", "a": "ab", "b": "ab"}, scores, {"bb": 1.0}, log=[])
    planner = MCTS(world.verifier, environment=world, iterations=9, width=2)
    result = run(RecedingHorizon(planner, commit=commit), world)
    assert result.answer == "bb"
    assert world.log == log


def test_one_pop_and_one_branch_commit_the_modal_action() -> None:
    """b = 1, c = 1 of the published search: whatever the verifier says, the most frequent of the drawn actions."""
    world = Known({"": "abb", "a": "a", "b": "a"}, {"": 0.5, "a": 1.0, "b": 0.1})
    planner = BestFirst(world.verifier, environment=world, iterations=1, width=20, branch=1)
    assert run(RecedingHorizon(planner, rounds=1), world).answer == "b"


def test_a_threshold_ends_the_rounds() -> None:
    """Value 1.0 ends everything: one round, though five were allowed."""
    world = Committed({"": "ab", "a": "ab"}, {"": 0.5, "a": 0.5, "b": 0.9, "aa": 1.0, "ab": 0.2}, log=[])
    planner = MCTS(world.verifier, environment=world, iterations=9, width=2, threshold=0.8, evaluation=Rollout())
    result = run(RecedingHorizon(planner, rounds=5, commit="action"), world)
    assert (result.stopped, len(world.log)) == ("threshold", 1)


def test_mistakes_are_named() -> None:
    for make, said in (
        (lambda: RecedingHorizon(Worth()), "tree search"),  # type: ignore[arg-type]
        (lambda: RecedingHorizon(MCTS(Worth()), rounds=0), "rounds"),
        (lambda: RecedingHorizon(MCTS(Worth()), commit="none"), "commit"),  # type: ignore[arg-type]
        (lambda: MCTS(Worth(), branch=0), "branch"),
        (lambda: Rollout(0), "n >= 1"),
    ):
        with pytest.raises(ConfigError, match=said):
            make()


@pytest.mark.parametrize("budget", [Budget(verifications=3), Budget(generations=7), Budget(generated_tokens=9)])
def test_what_a_spent_budget_leaves_is_a_whole_tree(budget: Budget) -> None:
    """Children, scores and visits of what was paid for are there; nothing is in flight; parents precede children."""
    for options in ({"evaluation": Children()}, {"evaluation": Rollout()}, {"prior": Worth()}, {"trees": 2}):
        strategy = MCTS(Worth(), environment=STEPS, iterations=20, width=2, in_flight=2, **options)  # type: ignore[arg-type]
        result = write(strategy, params=Params(max_tokens=4), budget=budget)
        tree = parts(result)
        assert result.stopped == "budget"
        assert not any(tree.in_flight)
        assert all(tree.parent[n] < n for n in range(len(tree)))
        assert tree.parent[ROOT] == NO_PARENT


def test_a_model_needs_no_wrapper() -> None:
    """Nested: the steps of the outer search come from a search of their own."""
    inner = BestFirst(Worth(), environment=STEPS, iterations=2, width=2)
    outer = MCTS(Worth(), environment=STEPS, evaluation=Rollout(), iterations=2, width=2, generator=inner)
    backend = Counting(Letters())
    result = asyncio.run(solve("q", outer, generator=Model(backend)))
    assert result.paid.model_calls == backend.calls > 4


def test_verifier_protocol_is_what_tests_use() -> None:
    assert isinstance(NEUTRAL.range, tuple)
    checked: Verifier = NEUTRAL
    assert checked.joint is False
