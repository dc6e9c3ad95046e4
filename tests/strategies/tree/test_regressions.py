"""Defects of the tree searches that a review found, each as the shortest search that showed it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from searchkit import Budget, CallError, ConfigError, Function, Model, Params, Result, SearchWarning, solve
from searchkit.calls import Request
from searchkit.environments import FolderEnvironment, Guarded, ReplayEnvironment, Rewrite, TextSteps
from searchkit.protocols import Run
from searchkit.strategies import (
    ABMCTS,
    DVTS,
    MCTS,
    UCT,
    BeamSearch,
    BestFirst,
    Children,
    ParticleFilter,
    RecedingHorizon,
    Rollout,
    TreeOfThoughts,
    Value,
    Vote,
)
from searchkit.testing import Counting
from searchkit.tree import ROOT, Tree
from searchkit.types import Prompt, Sample, Transition, Usage, Verdict
from searchkit.verifiers import Predicate, PYes
from tests.helpers.known_tree import Known, run
from tests.helpers.steps import STEPS, Letters, Worth, worth, write
from tests.strategies.tree.test_modes import NEUTRAL, Drafts, Nim


def go(strategy: Any, generator: Any = None, **options: Any) -> Result[Any]:
    return asyncio.run(solve("q", strategy, generator=generator, **options))


def table(scores: dict[str, float], default: float = 0.0) -> Predicate:
    return Predicate(lambda text: scores.get(str(text), default), name=f"table {scores}")


# ---------------------------------------------------------------- receding horizon


def test_where_things_stand_may_be_best(tmp_path: Path) -> None:
    """The folder as it is scores 1.0, every edit less: nothing is carried out."""
    (tmp_path / "f.txt").write_text("best")

    def act(folder: Path, action: str) -> str:
        (folder / "f.txt").write_text(action)
        return action

    environment = FolderEnvironment(tmp_path, act, render=lambda folder: (folder / "f.txt").read_text())
    planner = BestFirst(table({"best": 1.0}, 0.1), environment=environment, iterations=4, width=2, threshold=1.0)
    result = go(RecedingHorizon(planner, rounds=3), lambda text: "worse")
    assert result.answer == (tmp_path / "f.txt").read_text() == "best"


class Shop:
    """A live world in which waiting is all that can be undone."""

    def reset(self) -> str:
        return "open"

    def step(self, action: str) -> tuple[str, float | None, bool]:
        return action, None, False


def test_a_refused_action_is_no_answer_where_there_is_a_better_path() -> None:
    """Refused ends have the least reward: the unfinished path is returned, and carried out, instead."""

    def effect(state: Any, action: Sample[Any]) -> str:
        return "irreversible" if action.text == "buy" else "reversible"

    def agent(text: str, index: int) -> str:
        return "buy" if index % 2 else "wait"

    guarded = Guarded(ReplayEnvironment(Shop), effect)
    patient = Predicate(lambda actions: min(0.9, 0.2 * len(actions)), name="patient")
    planner = MCTS(patient, environment=guarded, iterations=4, width=2)
    assert set(go(planner, agent).answer) == {"wait"}
    result = go(RecedingHorizon(planner, rounds=2), agent)
    assert set(result.answer) == {"wait"}
    assert result.stopped == "done"


def test_the_best_answer_of_all_rounds_is_returned_where_nothing_is_carried_out() -> None:
    """No seed's answer scores below the best that a round chose."""
    planner = MCTS(Worth(), environment=STEPS, iterations=4, width=2, evaluation=Rollout())
    for seed in range(20):
        result = write(RecedingHorizon(planner, rounds=3, commit="action"), seed=seed)
        finished = [c for c in result.candidates if c.score is not None]
        assert worth(result.answer) == max(c.score or 0 for c in finished)


def test_an_action_is_picked_by_visits_though_nothing_is_finished() -> None:
    """a: visited most; b: one node with a higher score. By visits a is carried out, by score b."""
    scores = {"": 0.5, "a": 0.7, "b": 0.1, "aa": 0.72, "ab": 0.7, "ba": 0.8, "bb": 0.1}
    children = dict.fromkeys(["", "a", "b", *(x + y for x in "ab" for y in "ab")], "ab")
    deeper = {x + y + z: 0.4 for x in "ab" for y in "ab" for z in "ab"}
    world = Known(children, scores | deeper)
    planner = MCTS(world.verifier, policy=UCT(0.05), environment=world, iterations=7, width=2, evaluation=Children())
    states = {}
    for by in ("visits", "answer"):
        horizon = RecedingHorizon(replace(planner, pick=by), rounds=1, commit="action")  # type: ignore[arg-type]
        tree = run(horizon, world).tree
        assert tree is not None
        states[by] = max(tree.children(ROOT), key=lambda c, tree=tree: tree.visits[c])
    assert states["visits"] == states["answer"]  # the same search, so the same counts


# ---------------------------------------------------------------- the loop


@dataclass(frozen=True)
class FailsOnce:
    """Letters, but the first call fails."""

    asked: Any
    name: str = "fails once"

    async def complete(self, requests: Any) -> list[Any]:
        request: Request = requests[0]
        self.asked.append(request)
        if len(self.asked) == 1:
            return [CallError("no", request=request, usage=Usage(model_calls=1))]
        return await Letters().complete(requests)


def test_a_spent_budget_ends_the_search_after_an_earlier_failure_too() -> None:
    """One failure, one step, and no more calls: a few expansions are tried, not five hundred."""
    strategy = MCTS(Worth(), environment=STEPS, iterations=500, width=1)
    backend = Counting(FailsOnce([]))
    result = write(strategy, backend, params=Params(max_tokens=3), budget=Budget(generations=2))
    assert result.stopped == "budget"
    groups = [s for s in result.trace.walk() if s.name == "expand" and s.kind == "item"]
    assert len(groups) <= 7


@pytest.mark.parametrize("pick", ["answer", "visits", "value"])
def test_the_answer_that_reached_the_threshold_is_the_answer(pick: Any) -> None:
    """Whatever the walk of `pick` would say."""
    for seed in range(10):
        strategy = MCTS(Worth(), environment=STEPS, iterations=200, width=4, threshold=0.9, pick=pick)
        result = write(strategy, seed=seed)
        if result.stopped == "threshold":
            assert worth(result.answer) >= 0.9


def test_an_abstaining_answer_reaches_no_threshold() -> None:
    neutral = Predicate(lambda text: Verdict(), name="neutral", range=(-1.0, 1.0))
    result = write(MCTS(neutral, environment=STEPS, iterations=60, width=9, threshold=-0.5))
    assert result.stopped == "done"


def test_a_threshold_ends_all_trees() -> None:
    """Four trees, any answer will do: those after the first that has one are not waited for."""
    one = MCTS(Worth(), environment=STEPS, iterations=400, width=4, threshold=0.1)
    alone = write(one).usage.generations
    assert write(replace(one, trees=4)).usage.generations <= 5 * alone
    assert len({c.sample.text for c in write(replace(one, trees=4)).candidates}) <= 3 * alone


def test_merged_trees_tell_an_end_from_a_step() -> None:
    """The same text as a step and as an end are two nodes."""
    parts = []
    for terminal in (False, True):
        part = Tree()
        part.add(ROOT, "7", state=terminal, terminal=terminal)
        parts.append(part)
    merged = Tree()
    places = [merged.graft(part, merge=True)[1] for part in parts]
    assert places == [1, 2]
    assert [merged.state[p] for p in places] == [False, True]


# ---------------------------------------------------------------- drafts


def drafts(scores: dict[str, float], **options: Any) -> MCTS:
    return MCTS(table(scores), policy=UCT(0.0), environment=Rewrite(), width=1, **options)


def test_what_was_judged_counts_though_the_next_draw_fails() -> None:
    """The second draft reaches the threshold; the third draw fails."""

    def writer(text: str) -> str:
        if "d2" in text:
            raise RuntimeError("down")
        return "d2" if "d1" in text else "d1"

    result = go(drafts({"d1": 0.1, "d2": 1.0}, iterations=9, threshold=1.0), writer)
    assert (result.answer, result.stopped) == ("d2", "threshold")
    with pytest.warns(SearchWarning, match="attempts failed"):
        result = go(drafts({"d1": 0.1, "d2": 1.0}, iterations=9), writer)
    assert result.answer == "d2"


def test_no_draft_is_not_judged_and_a_failing_verifier_kills_no_search() -> None:
    """A verifier that divides by the length of the draft; one that always fails."""
    result = go(MCTS(Predicate(lambda s: 0.5 * len(s) / len(s), name="n"), environment=Rewrite(), iterations=3), Function(lambda text: "d", name="d"))  # fmt: skip  # noqa: E501
    assert result.answer == "d"
    assert not result.errors

    def fails(text: str) -> float:
        raise RuntimeError("no judge today")

    with pytest.warns(SearchWarning, match="all verdicts failed .*no judge today"):
        result = go(MCTS(Predicate(fails, name="f"), environment=Rewrite(), iterations=3), lambda text: "d")
    assert result.answer == "d"
    assert not result.sample.truncated


@pytest.mark.parametrize("evaluation", [Value(), Children(), Rollout()], ids=repr)
def test_a_given_draft_is_a_candidate_in_every_mode(evaluation: Any) -> None:
    """It scores 1.0, whatever is written 0.1."""
    environment = Rewrite(draft="start", max_drafts=3)
    strategy = MCTS(table({"start": 1.0}, 0.1), environment=environment, evaluation=evaluation, iterations=3, width=2)
    assert go(strategy, lambda text, index: f"w{index}").answer == "start"


@pytest.mark.parametrize("make", [
    lambda v, e: BeamSearch(4, 2, v, e, rounds=2), lambda v, e: DVTS(4, 2, v, e, rounds=2),
    lambda v, e: TreeOfThoughts(2, 2, v, e, depth=2), lambda v, e: ParticleFilter(3, v, e, rounds=2),
])  # fmt: skip
def test_step_wise_searches_know_drafts_and_listed_actions(make: Any) -> None:
    """Complete drafts are answers, and learn their score; a game that lists its moves needs no generator."""
    seen: list[str] = []

    def writer(text: str, index: int) -> str:
        seen.append(text)
        return f"draft {index}"

    result = go(make(Predicate(lambda text: 0.5, name="half"), Rewrite()), writer)
    assert not result.sample.truncated
    assert result.candidates
    assert any("score 0.5" in text for text in seen)
    assert go(make(NEUTRAL, Nim(3))).usage.model_calls == 0


def test_ab_mcts_takes_listed_actions() -> None:
    result = go(ABMCTS(Predicate(lambda v: 0.5, name="half"), environment=Nim(5), iterations=9))
    assert result.usage.model_calls == 0
    assert result.tree is not None
    assert len(result.tree) > 3


def test_drafts_vote() -> None:
    """A beam over drafts inside a vote: its answers are complete, so they count."""
    beam = BeamSearch(4, 2, Predicate(lambda text: 0.5, name="half"), Drafts(), rounds=2, select=Vote())
    assert not go(beam, lambda text, index: "ab"[index % 2]).sample.truncated


# ---------------------------------------------------------------- judges, rollouts, mistakes


@dataclass(frozen=True)
class Judge:
    """A model that says yes, and keeps the parameters that it was asked with."""

    seen: Any
    name: str = "judge"

    async def complete(self, requests: Any) -> list[Any]:
        self.seen.extend(request.params for request in requests)
        return [Sample("Verdict: Yes", usage=Usage(model_calls=1)) for _ in requests]


@pytest.mark.parametrize("make", [
    lambda v: MCTS(v, environment=STEPS, iterations=2, width=2), lambda v: BeamSearch(2, 1, v, environment=STEPS),
    lambda v: ABMCTS(v, environment=STEPS, iterations=2),
])  # fmt: skip
def test_a_judge_is_asked_with_its_own_parameters(make: Any) -> None:
    seen: list[Params] = []
    own = Params(temperature=0.7, max_tokens=500)
    judge = PYes(Model(Judge(seen), own), chains=1)
    go(make(judge), Model(Letters(), Params(max_tokens=4, temperature=1.3, stop=("##",))))
    assert set(seen) == {own}


@dataclass(frozen=True)
class Stuck(Nim):
    """A game in which no move is legal, though it is not over."""

    def actions(self, state: tuple[int, ...]) -> list[int]:
        return [] if state else [1]

    async def step(self, state: tuple[int, ...], action: Sample[Any], run: Run) -> Transition[tuple[int, ...]]:
        return Transition((*state, action.value))


def test_a_rollout_without_legal_actions_ends_there() -> None:
    result = go(MCTS(Predicate(lambda v: 0.5, name="half"), environment=Stuck(9), evaluation=Rollout(), iterations=3))
    assert not result.errors


@pytest.mark.parametrize("options", [
    {"policy": UCT}, {"policy": "uct"}, {"environment": TextSteps}, {"environment": "steps"}, {"iterations": "10"},
    {"width": 2.5}, {"select": Vote}, {"threshold": "1"}, {"threshold": 5.0}, {"generator": lambda text: text},
])  # fmt: skip
def test_mistakes_are_named_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        MCTS(Worth(), **options)


def test_more_mistakes_are_named_at_once() -> None:
    for make in (
        lambda: ABMCTS(Worth(), generators=Model(Letters())),  # type: ignore[arg-type]
        lambda: ABMCTS(Worth(), environment="x"),  # type: ignore[arg-type]
        lambda: BeamSearch("4", 2, Worth()),  # type: ignore[arg-type]
        lambda: ParticleFilter("4", Worth()),  # type: ignore[arg-type]
        lambda: RecedingHorizon(MCTS(Worth()), rounds="2"),  # type: ignore[arg-type]
        lambda: MCTS(replace(Worth(), joint=True)),
    ):
        with pytest.raises(ConfigError):
            make()


def test_the_prompt_of_a_bare_search_is_text() -> None:
    assert Prompt.of("q").text == "q"
