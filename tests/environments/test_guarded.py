"""Guarded: no search executes an irreversible action, a commit does it once, and nobody guesses whether it happened."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import dataclass, field

import pytest

from searchkit import Budget, Function, UncertainEffect, solve
from searchkit.calls import CallError
from searchkit.environments.folder import FolderEnvironment
from searchkit.environments.guarded import Guarded, Planned
from searchkit.environments.protocols import Anytime, Committing, Completing, Learning, Listing
from searchkit.environments.replay import ReplayEnvironment
from searchkit.environments.snapshot import SnapshotEnvironment
from searchkit.environments.text_steps import TextSteps
from searchkit.errors import BudgetExhausted, ConfigError, StaleBranch
from searchkit.strategies import BeamSearch, Children, RecedingHorizon
from searchkit.strategies.tree.best_first import BestFirst
from searchkit.testing import StrategyTests
from searchkit.types import Params, Sample, Transition, Verdict
from searchkit.verifiers import Predicate
from tests.environments.live_worlds import drive, driven
from tests.environments.test_replay import Letter


@dataclass
class Orders:
    """The real world: what was ordered for good. crash: an order raises, "before" it is placed or "after"."""

    placed: list[str] = field(default_factory=list)
    crash: str = ""
    turn: int = 0


class Shop:
    """A basket that can be filled and emptied; "buy" orders what is in it, for good."""

    def __init__(self, orders):
        self.orders, self.basket = orders, ""

    def reset(self):
        self.basket = ""
        return f"empty, turn {self.orders.turn}"

    def step(self, action):
        if action == "buy":
            if self.orders.crash == "before":
                raise OSError("lost before")
            self.orders.placed.append(self.basket)
            if self.orders.crash == "after":
                raise OSError("lost after")
            return f"bought {self.basket}", 1.0, True
        self.basket += action
        return f"basket {self.basket}", None, False

    def actions(self):
        return ["a", "b", "buy"]


def effect(state, action):
    return "irreversible" if action.text.strip() == "buy" else "reversible"


def replayed(orders):
    return ReplayEnvironment(lambda: Shop(orders))


def snapped(orders):
    def restore(shop, saved):
        shop.basket = saved

    return SnapshotEnvironment(lambda: Shop(orders), snapshot=lambda shop: shop.basket, restore=restore)


WORLDS = pytest.mark.parametrize("world", [replayed, snapped])


async def follow(environment, prompt, run, path):
    state = await environment.start(prompt, run)
    for action in path:
        state = (await environment.step(state, Sample(action), run)).state
    return state


# -------------------------------------------------------------------- in a search


@WORLDS
@pytest.mark.parametrize("mode", ["refuse", "defer"])
def test_no_search_executes_it(world, mode):
    """Counted in the world: a whole search over listed actions, in which every path may buy."""
    orders = Orders()
    guarded = Guarded(world(orders), effect, mode)
    judge = Predicate(lambda answer: len(answer.answer) / 9 if isinstance(answer, Planned) else 0.0)
    search = BestFirst(judge, environment=guarded, iterations=12, evaluation=Children())
    result = asyncio.run(search_in(search))
    assert orders.placed == []
    assert result.candidates
    if mode == "defer":
        assert isinstance(result.answer, Planned)
        assert result.answer.pending == "buy"
    else:
        assert {c.verdict.score for c in result.candidates} == {0.0}
        assert all("refused" in c.verdict.feedback for c in result.candidates)


async def search_in(strategy, **options):
    return await solve("q", strategy, **options)


def test_refused_is_terminal_with_the_least_reward_and_a_reason():
    guarded = Guarded(replayed(Orders()), effect, least=-1.0)

    async def body(prompt, run):
        state = await follow(guarded, prompt, run, "ab")
        step = await guarded.step(state, Sample("buy"), run)
        assert (step.reward, step.terminal) == (-1.0, True)
        assert "refused" in step.observation
        assert "irreversible" in step.observation
        assert guarded.candidate(step.state) == guarded.candidate(state)
        for act in (guarded.commit(step.state, run), guarded.step(step.state, Sample("a"), run)):
            with pytest.raises(ConfigError):
                await act

    drive(body)


def test_deferred_is_terminal_and_the_candidate_says_what_is_pending():
    guarded = Guarded(replayed(Orders()), effect, "defer")

    async def body(prompt, run):
        state = await follow(guarded, prompt, run, "ab")
        step = await guarded.step(state, Sample(" buy\n"), run)
        assert (step.reward, step.terminal) == (None, True)
        sample = guarded.candidate(step.state)
        assert sample.value == Planned(("a", "b"), " buy\n")
        assert [sample.text[p.start : p.end] for p in sample.step_spans] == [
            "a\nbasket a\n", "b\nbasket ab\n", "pending:  buy\n\n",
        ]  # fmt: skip
        assert guarded.prompt(step.state) == guarded.prompt(state)

    drive(body)


def test_pure_and_reversible_actions_pass_and_anything_else_is_a_mistake():
    """Where `effect` raises nothing is done either."""
    orders, said = Orders(), {"a": "pure", "b": "reversible", "buy": "harmless"}
    guarded = Guarded(replayed(orders), lambda state, action: said[action.value])

    async def body(prompt, run):
        state = await follow(guarded, prompt, run, "ab")
        assert state.observations[-1] == "basket ab"
        with pytest.raises(ConfigError, match="effect must return"):
            await guarded.step(state, Sample("buy"), run)
        with pytest.raises(KeyError):
            await guarded.step(state, Sample("unheard of"), run)

    drive(body)
    assert orders.placed == []


# -------------------------------------------------------------------- commit


@WORLDS
def test_commit_does_it_once_after_all_that_comes_before(world):
    orders = Orders()
    guarded = Guarded(world(orders), effect, "defer")

    async def body(prompt, run):
        state = await follow(guarded, prompt, run, ["a", "b", "buy"])
        await guarded.environment.step(state.state, Sample("a"), run)  # the live object is elsewhere now
        step = await guarded.commit(state, run)
        assert (step.observation, step.reward, step.terminal) == ("bought ab", 1.0, True)
        assert guarded.candidate(step.state).value == Planned(("a", "b"), "buy")
        with pytest.raises(ConfigError, match="done already"):
            await guarded.commit(step.state, run)

    drive(body)
    assert orders.placed == ["ab"]


@WORLDS
def test_commit_without_a_pending_action_is_the_inner_one(world):
    orders = Orders()
    guarded = Guarded(world(orders), effect, "defer")

    async def body(prompt, run):
        state = await follow(guarded, prompt, run, "ab")
        return (await guarded.commit(state, run)).observation

    assert drive(body) == "basket ab"
    assert orders.placed == []


@WORLDS
def test_a_resumed_search_returns_what_was_recorded_and_does_nothing(world, tmp_path):
    """Even though the world has changed since: it is not looked at."""
    orders = Orders()
    guarded = Guarded(world(orders), effect, "defer")

    async def body(prompt, run):
        state = await follow(guarded, prompt, run, ["a", "buy"])
        step = await guarded.commit(state, run)
        return step.observation, step.reward, step.terminal, guarded.candidate(step.state).value

    first = drive(body, journal=tmp_path / "journal")
    orders.turn = 1  # the world has changed: a replay would be stale, an order a second one
    second = drive(body, journal=tmp_path / "journal")
    assert second == first
    assert orders.placed == ["a"]


async def said(asked):
    asked.append(1)
    return "done"


@WORLDS
@pytest.mark.parametrize(("crash", "placed"), [("before", []), ("after", ["a"])])
def test_an_intent_without_a_result_is_uncertain(world, crash, placed, tmp_path):
    """Lost during the order: nobody knows, so nobody tries again, whether it had been placed or not."""
    orders = Orders(crash=crash)
    guarded = Guarded(world(orders), effect, "defer")

    async def body(prompt, run):
        await guarded.commit(await follow(guarded, prompt, run, ["a", "buy"]), run)

    with pytest.raises(CallError, match=f"lost {crash}"):
        drive(body, journal=tmp_path / "journal")
    assert orders.placed == placed
    orders.crash = ""
    for _ in range(2):
        with pytest.raises(UncertainEffect, match="do buy"):
            drive(body, journal=tmp_path / "journal")
    assert orders.placed == placed


def test_cancelled_in_the_middle_it_is_uncertain_too(tmp_path):
    entered, orders = asyncio.Event(), Orders()

    class Slow(Shop):
        async def step(self, action):
            if action == "buy":
                entered.set()
                await asyncio.sleep(100)
            return Shop.step(self, action)

    guarded = Guarded(ReplayEnvironment(lambda: Slow(orders)), effect, "defer")

    async def body(prompt, run):
        await guarded.commit(await follow(guarded, prompt, run, ["a", "buy"]), run)

    async def main():
        task = asyncio.create_task(driven(body, journal=tmp_path / "journal"))
        await entered.wait()
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(UncertainEffect):
            await driven(body, journal=tmp_path / "journal")

    asyncio.run(main())


def test_a_stale_branch_is_found_before_anything_irreversible_happens(tmp_path):
    """And it is certain that nothing happened: a resumed search says so, and does not call it uncertain."""
    orders = Orders()
    guarded = Guarded(replayed(orders), effect, "defer")

    async def body(prompt, run):
        state = await follow(guarded, prompt, run, ["a", "buy"])
        orders.turn += 1
        await guarded.commit(state, run)

    for _ in range(2):
        with pytest.raises(StaleBranch, match="nothing was done"):
            drive(body, journal=tmp_path / "journal")
    assert orders.placed == []


@pytest.mark.parametrize(
    "error", [BudgetExhausted("seconds"), CallError("busy", kind="server"), CallError("wrong", kind="failed")]
)
def test_what_ends_a_commit_before_the_action_can_be_tried_again(error, tmp_path):
    """A spent budget and what may pass are raised as they are, and say nothing for good; any other failure does."""
    orders, fails, asked, for_good = Orders(), [True], [], str(error) == "wrong"

    class Inner(ReplayEnvironment):
        async def commit(self, state, run):
            await run.once("prepare", lambda: said([]))
            if fails[0]:
                raise error
            return await super().commit(state, run)

    guarded = Guarded(Inner(lambda: Shop(orders)), effect, "defer")

    async def body(prompt, run):
        state = await follow(guarded, prompt, run, ["a", "buy"])
        step = await guarded.commit(state, run)
        return step.observation, await run.once("after", lambda: said(asked))

    for _ in range(2):
        with pytest.raises(type(error), match="nothing was done: wrong" if for_good else str(error)):
            drive(body, journal=tmp_path / "journal")
    fails[0] = False
    if for_good:
        with pytest.raises(CallError, match="nothing was done: wrong"):
            drive(body, journal=tmp_path / "journal")
        assert orders.placed == []
        return
    for _ in range(2):
        assert drive(body, journal=tmp_path / "journal") == ("bought a", "done")
    assert orders.placed == ["a"]
    assert asked == [1]


def test_out_of_budget_in_the_action_itself_it_stays_uncertain(tmp_path):
    class Late(ReplayEnvironment):
        async def step(self, state, action, run):
            if action.text == "buy":
                raise BudgetExhausted("seconds")
            return await super().step(state, action, run)

    guarded = Guarded(Late(lambda: Shop(Orders())), effect, "defer")

    async def body(prompt, run):
        await guarded.commit(await follow(guarded, prompt, run, ["a", "buy"]), run)

    for error in (BudgetExhausted, UncertainEffect):
        with pytest.raises(error):
            drive(body, journal=tmp_path / "journal")


def test_a_planner_buys_once_and_stops():
    """Whole: search, commit the best path, buying included, end."""
    orders = Orders()
    guarded = Guarded(replayed(orders), effect, "defer")

    def like(answer):
        actions = (*answer.answer, answer.pending) if isinstance(answer, Planned) else answer
        return len(actions) / 3 if actions == ("b", "a", "buy")[: len(actions)] else 0.0

    planner = BestFirst(Predicate(like), environment=guarded, iterations=40, evaluation=Children(), threshold=1.0)
    result = asyncio.run(search_in(RecedingHorizon(planner)))
    assert orders.placed == ["ba"]
    assert result.answer == Planned(("b", "a"), "buy")


# -------------------------------------------------------------------- protocols


class Plain:
    """The five methods and no more."""

    async def start(self, prompt, run):
        return ""

    def prompt(self, state):
        return state

    def step_params(self, run):
        return None

    async def step(self, state, action, run):
        raise NotImplementedError

    def candidate(self, state):
        return Sample(state)


class Calls(Plain):
    """What it does in a step or a commit is a call of the run."""

    async def step(self, state, action, run):
        return Transition(state, await run.once("inner step", lambda: said([])))

    async def commit(self, state, run):
        return Transition(state, await run.once("inner commit", lambda: said([])))


def test_what_comes_after_a_commit_is_numbered_the_same_when_it_is_resumed(tmp_path):
    """The environment's own calls are made the first time only: they must not count among the program's."""
    guarded, asked = Guarded(Calls(), lambda state, action: "irreversible", "defer"), []

    async def body(prompt, run):
        state = (await guarded.step("", Sample("a"), run)).state
        await guarded.commit(state, run)
        return await run.once("after", lambda: said(asked))

    assert [drive(body, journal=tmp_path / "journal") for _ in range(2)] == ["done", "done"]
    assert asked == [1]


class Learns(Plain):
    def judged(self, state, verdict):
        return f"{state}{verdict.score}"


PROTOCOLS = (Listing, Anytime, Learning, Committing)


@pytest.mark.parametrize(
    ("inner", "shown"),
    [
        (Plain(), ()),
        (Learns(), (Learning,)),
        (ReplayEnvironment(Shop), (Listing, Committing)),
        (FolderEnvironment(".", print), (Anytime, Committing)),
        (TextSteps(), ()),
    ],
)
def test_optional_protocols_show_through_and_no_others(inner, shown):
    guarded = Guarded(inner, effect)
    assert tuple(p for p in PROTOCOLS if isinstance(guarded, p)) == shown
    assert not isinstance(guarded, Completing)  # TextSteps is: a whole rest could not be checked


def test_they_are_asked_about_the_state_inside():
    async def body(prompt, run):
        guarded = Guarded(replayed(Orders()), effect, "defer")
        state = await follow(guarded, prompt, run, "a")
        held = (await guarded.step(state, Sample("buy"), run)).state
        assert guarded.actions(state) == ("a", "b", "buy")
        assert guarded.actions(held) == ()
        learns = Guarded(Learns(), lambda state, action: "irreversible")
        assert learns.judged("x", Verdict(1.0)) == "x1.0"
        held = (await learns.step("x", Sample("a"), run)).state
        assert learns.judged(held, Verdict(0.5)).state == "x0.5"

    drive(body)


def test_one_guard_in_another_keeps_to_its_own():
    """The outer one refuses "a", the inner one defers buying: what the inner one holds is committed there."""
    orders = Orders()
    inner = Guarded(replayed(orders), effect, "defer")
    outer = Guarded(inner, lambda state, action: "irreversible" if action.value == "a" else "pure")

    async def body(prompt, run):
        state = await follow(outer, prompt, run, "b")
        assert (await outer.step(state, Sample("a"), run)).reward == 0.0
        held = (await outer.step(state, Sample("buy"), run)).state
        assert outer.candidate(held).value == Planned(("b",), "buy")
        await outer.commit(held, run)

    drive(body)
    assert orders.placed == ["b"]


def test_it_is_configuration():
    guarded = Guarded(TextSteps(), effect, least=-1.0)
    assert pickle.loads(pickle.dumps(guarded)) == guarded
    assert isinstance(pickle.loads(pickle.dumps(Guarded(Learns(), effect))), Learning)
    with pytest.raises(ConfigError, match="has no commit"):
        Guarded(TextSteps(), effect, "defer")
    with pytest.raises(ConfigError, match='"refuse" or "defer"'):
        Guarded(TextSteps(), effect, "ask")
    with pytest.raises(ConfigError, match="effect must be a callable"):
        Guarded(TextSteps(), "pure")


class Asked(Shop):
    """It lists no actions: a generator has to propose them."""

    actions = None


def make_shop():
    return Asked(Orders())


def buys(state, action):
    return "irreversible" if action.value == "c" else "pure"


def length(answer):
    return min(1.0, len(answer.answer if isinstance(answer, Planned) else answer) / 9)


class TestLaws(StrategyTests):
    """All laws hold for a strategy over a guarded world."""

    params = Params(max_tokens=1)

    def strategy(self):
        inside = ReplayEnvironment(make_shop, copies=2)
        return BeamSearch(4, 2, Predicate(length), Guarded(inside, buys, "defer"), rounds=4)

    def backend(self):
        return Letter()


@pytest.mark.parametrize("budget", [Budget(), Budget(generations=5)])
def test_a_generator_proposes_through_it(budget):
    orders = Orders()
    guarded = Guarded(ReplayEnvironment(lambda: Asked(orders)), effect, "defer")
    choices = ["a", "b", "buy"]
    generator = Function(lambda prompt, seed: choices[seed % 3])
    search = BeamSearch(6, 3, Predicate(length), guarded, rounds=3)
    result = asyncio.run(search_in(search, generator=generator, budget=budget))
    assert result.usage.generations > 3
    assert orders.placed == []
