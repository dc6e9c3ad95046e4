"""ReplayEnvironment: states are values, replays are checked and counted, live objects are confined and cleaned up."""

from __future__ import annotations

import asyncio
import copy
import itertools
import pickle
import random
import threading
from dataclasses import dataclass
from functools import partial

import pytest

from searchkit import Budget, Model, Prompt, solve
from searchkit.calls import CallError
from searchkit.environments.pool import digest
from searchkit.environments.replay import ReplayEnvironment
from searchkit.errors import ConfigError, StaleBranch
from searchkit.strategies import MCTS, BeamSearch
from searchkit.testing import StrategyTests
from searchkit.types import Params, Sample, Usage
from searchkit.verifiers import Predicate
from tests.environments.live_worlds import AsyncWalk, Log, Walk, drive, driven, happens, worth


def replay(log, walk=Walk, depth=99, **options):
    return ReplayEnvironment(partial(walk, log, depth), **options)


async def follow(environment, state, path, run):
    """The state at the end of `path`."""
    for letter in path:
        state = (await environment.step(state, Sample(letter), run)).state
    return state


# -------------------------------------------------------------------- states


@pytest.mark.parametrize("walk", [Walk, AsyncWalk])
@pytest.mark.parametrize("copies", [1, 3])
def test_any_order_of_steps_gives_what_a_walk_of_its_own_gives(walk, copies):
    """Oracle: the path alone. 60 random states, each grown from a random earlier one, some side by side."""
    environment, rng = replay(Log(), walk, copies=copies), random.Random(1)

    async def body(prompt, run):
        known = [("", await environment.start(prompt, run))]
        for _ in range(20):
            grown = [(*rng.choice(known), rng.choice("abc")) for _ in range(3)]
            outcomes = await run.map(lambda g, child: environment.step(g[1], Sample(g[2]), child), grown)
            for (path, _, letter), outcome in zip(grown, outcomes, strict=True):
                step = outcome.unwrap()
                known.append((path + letter, step.state))
                assert step.observation == f"at {path + letter} in turn 0"
                assert (step.reward, step.terminal) == (None, False)
        for path, state in known:
            assert "".join(state.actions) == path
            assert state.observations == tuple(f"at {path[:i]} in turn 0" for i in range(len(path) + 1))
        return len(known)

    assert drive(body) == 61


def test_the_end_of_an_episode_brings_its_reward_and_nothing_follows():
    environment = replay(Log(), depth=2)

    async def body(prompt, run):
        state = await environment.start(prompt, run)
        step = await environment.step(state, Sample("a"), run)
        assert (step.reward, step.terminal) == (None, False)
        step = await environment.step(step.state, Sample("b"), run)
        assert (step.reward, step.terminal, step.state.ended) == (worth("ab"), True, True)
        with pytest.raises(ConfigError, match="over"):
            await environment.step(step.state, Sample("a"), run)

    drive(body)


def test_a_step_changes_no_state_even_where_the_live_object_changes_what_it_is_given():
    """Actions are handed out as copies, and legal actions are taken as copies."""

    class Greedy:
        def __init__(self):
            self.legal = [["take", 1]]

        def reset(self):
            return "start"

        def step(self, action):
            action.append("spoiled")
            self.legal[0].append("spoiled")
            return "taken", 1.0, False

        def actions(self):
            return self.legal

    environment = ReplayEnvironment(Greedy)

    async def body(prompt, run):
        first = await environment.start(prompt, run)
        before, given = copy.deepcopy(first), Sample(["take", 1])
        second = (await environment.step(first, given, run)).state
        kept = copy.deepcopy(second)
        for state in (second, first, second):
            await environment.step(state, given, run)
        assert given.value == ["take", 1]
        assert (first, second) == (before, kept)
        assert first.legal == (["take", 1],)
        assert second.actions == (["take", 1],)

    drive(body)


def test_the_default_prompt_alternates_turns_and_the_candidate_tells_the_story():
    environment = replay(Log())

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), ["a", " b\n"], run)
        messages = environment.prompt(state).messages
        assert [m.role for m in messages] == ["user", "assistant", "user", "assistant", "user"]
        assert [m.text for m in messages] == [
            "the task\n\nat  in turn 0", "a", "at a in turn 0", "b", "at ab in turn 0",
        ]  # fmt: skip
        sample = environment.candidate(state)
        assert sample.value == ("a", "b")
        assert [sample.text[p.start : p.end] for p in sample.step_spans] == [
            "a\nat a in turn 0\n",
            "b\nat ab in turn 0\n",
        ]

    drive(body)


def test_hooks_decide_what_is_asked_done_and_answered():
    environment = replay(
        Log(), parse=lambda sample: sample.text[0], prompt=lambda state: Prompt.of(f"after {state.actions}"),
        render=lambda state: "".join(state.actions), params=Params(max_tokens=3),
    )  # fmt: skip

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), ["apple", "bread"], run)
        assert environment.candidate(state).value == environment.candidate(state).text == "ab"
        assert environment.prompt(state).text == "after ('a', 'b')"
        assert environment.step_params(run) == Params(max_tokens=3)

    drive(body)


# -------------------------------------------------------------------- replays


def test_what_is_replayed_is_what_must_be():
    """By hand: going on is free, an ancestor's live object goes on, only another branch needs a reset."""
    log = Log()
    environment = replay(log)
    tally = environment.tally

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        deep = await follow(environment, root, "abc", run)  # resets, steps, replays
        assert (tally.resets, tally.steps, tally.replays) == (1, 3, 0)
        await environment.step(deep, Sample("d"), run)
        assert (tally.resets, tally.steps, tally.replays) == (1, 4, 0)
        await environment.step(deep, Sample("e"), run)  # abc again, then e
        assert (tally.resets, tally.steps, tally.replays) == (2, 8, 3)
        await environment.step(root, Sample("x"), run)
        assert (tally.resets, tally.steps, tally.replays) == (3, 9, 3)
        start = await environment.start(prompt, run)
        await environment.step(deep, Sample("f"), run)  # from a fresh start on the way to abc: no reset
        assert (tally.resets, tally.steps, tally.replays) == (4, 13, 6)
        return start

    drive(body)
    assert (log.resets, len(log.done), log.opened) == (tally.resets, tally.steps, tally.opened) == (4, 13, 1)


def test_the_copy_that_is_nearest_is_taken():
    """Two copies, two branches: each branch goes on in its own, so nothing is replayed."""
    environment = replay(Log(), copies=2)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        pair = await run.map(lambda c, child: environment.step(root, Sample(c), child), "ab")
        states, made = [o.unwrap().state for o in pair], environment.tally.replays
        for letter in "cdefg":
            states = [(await environment.step(s, Sample(letter), run)).state for s in states]
        assert environment.tally.replays == made

    drive(body)
    assert environment.tally.opened == 2


def test_a_changed_world_makes_branches_stale_and_new_ones_possible():
    log = Log()
    environment = replay(log)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        state = await follow(environment, root, "ab", run)
        await environment.step(root, Sample("c"), run)
        log.turn = 1
        for old in (state, root):
            with pytest.raises(StaleBranch, match="the reset"):
                await environment.step(old, Sample("d"), run)
        fresh = await environment.start(prompt, run)
        assert (await environment.step(fresh, Sample("d"), run)).observation == "at d in turn 1"
        return log.opened

    assert drive(body) == 1  # a stale branch is no reason to open another one


def test_a_stale_branch_is_seen_where_it_differs_before_the_new_action_is_done():
    log = Log()

    class Drifts(Walk):
        def _see(self):
            return super()._see() if len(self.path) < 2 else f"{super()._see()} {self.log.resets}"

    environment = replay(log, Drifts)

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), "abc", run)
        await environment.step(state, Sample("d"), run)
        with pytest.raises(StaleBranch, match=r"action 2 \('b'\)"):
            await environment.step(state, Sample("e"), run)

    drive(body)
    assert "e" not in log.done


def test_a_fingerprint_leaves_the_clock_out():
    """The same change as above, but what differs does not matter; what matters still does."""
    log = Log()
    environment = replay(log, fingerprint=lambda seen: seen.partition(" in turn ")[0])

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        state = await follow(environment, root, "ab", run)
        await environment.step(root, Sample("c"), run)
        log.turn = 1
        assert (await environment.step(state, Sample("d"), run)).observation == "at abd in turn 1"

    drive(body)


def test_the_digest_tells_apart_what_looks_alike():
    """Long arrays, whose `repr` is shortened, texts and bytes, nested lists, the order of a dict's keys."""
    import numpy as np

    long, other = np.zeros(5000), np.zeros(5000)
    other[2500] = 1
    values = [
        long, other, long.astype("float32"), long.reshape(50, 100), "a", b"a", ("a",), ["a", "b"], "ab", ("ab",),
        [["a"], "b"], [["a", "b"]], {"a": 1}, {"a": 2}, 1, "1", 1.0, None, "None", "", (), np.int64(1),
    ]  # fmt: skip
    assert len({digest(v) for v in values}) == len(values)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(long) == digest(long.copy())
    assert digest("a", "b") != digest("ab")


# -------------------------------------------------------------------- live objects


@pytest.mark.parametrize("walk", [Walk, AsyncWalk])
def test_at_most_so_many_copies_are_open_and_all_are_closed(walk):
    log = Log()
    environment = replay(log, walk, copies=3)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        outcomes = await run.map(lambda c, child: follow(environment, root, c * 4, child), "abcdefgh")
        return ["".join(o.unwrap().actions) for o in outcomes]

    assert drive(body) == [c * 4 for c in "abcdefgh"]
    assert log.most <= 3
    assert log.opened == log.closed > 0


def test_a_synchronous_live_object_stays_on_one_thread_that_is_not_the_loops():
    log = Log()
    environment = replay(log, copies=2)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        await run.map(lambda c, child: follow(environment, root, c * 4, child), "abcdef")
        return threading.get_ident()

    loop = drive(body)
    assert len({thread for _, thread in log.used}) == len(log.used) == log.opened == 2
    assert loop not in {thread for _, thread in log.used}


def test_asynchronous_methods_run_on_the_loop():
    log = Log()
    environment = replay(log, AsyncWalk)

    async def body(prompt, run):
        await follow(environment, await environment.start(prompt, run), "ab", run)
        return threading.get_ident()

    loop = drive(body)
    made = log.used - {(i, t) for i, t in log.used if t == loop}
    assert len(made) == 1  # the constructor, which is synchronous


def test_the_loop_goes_on_while_a_synchronous_step_blocks():
    log = Log(blocked="b")
    environment = replay(log)

    async def body(prompt, run):
        root = await environment.start(prompt, run)

        async def work(name, child):
            if name == "step":
                return (await environment.step(root, Sample("b"), child)).observation
            await happens(log.entered)
            log.gate.set()  # a blocked loop would never get here
            return "opened"

        return [o.unwrap() for o in await run.map(work, ["step", "open"])]

    assert drive(body) == ["at b in turn 0", "opened"]


@pytest.mark.parametrize("walk", [Walk, AsyncWalk])
def test_one_that_raised_is_closed_and_replaced(walk):
    log = Log()
    environment = replay(log, walk)

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), "ab", run)
        with pytest.raises(CallError, match="ValueError: no such way"):
            await environment.step(state, Sample("!"), run)
        assert (log.opened, log.closed) == (1, 1)
        return (await environment.step(state, Sample("c"), run)).observation

    assert drive(body) == "at abc in turn 0"
    assert (log.opened, log.closed, log.most) == (2, 2, 1)


@pytest.mark.parametrize("raised", [SystemExit(1), KeyboardInterrupt(), StopIteration(), asyncio.CancelledError()])
def test_what_a_live_object_raises_ends_a_step_and_neither_the_thread_nor_the_loop(raised):
    class Ends(Walk):
        def step(self, action):
            if action == "x":
                raise raised
            return super().step(action)

    environment = replay(Log(), Ends)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        with pytest.raises(CallError, match=type(raised).__name__):
            await environment.step(root, Sample("x"), run)
        return (await environment.step(root, Sample("a"), run)).observation

    assert drive(body) == "at a in turn 0"


@pytest.mark.parametrize("make", [lambda: None, lambda: object()])
def test_what_is_no_live_object_is_a_mistake_in_the_configuration(make):
    with pytest.raises(ConfigError, match="live environment"):
        drive(lambda prompt, run: ReplayEnvironment(make).start(prompt, run))


@pytest.mark.parametrize("told", ["just text", ("seen", 1.0), ("seen", "high", False)])
def test_a_step_that_returns_something_else_is_a_mistake_in_the_configuration(told):
    class Wrong(Walk):
        def step(self, action):
            return told

    environment = replay(Log(), Wrong)

    async def body(prompt, run):
        await environment.step(await environment.start(prompt, run), Sample("a"), run)

    with pytest.raises(ConfigError, match="step must return"):
        drive(body)


def test_impossible_configurations_are_refused():
    with pytest.raises(ConfigError, match="make"):
        ReplayEnvironment("a browser")
    with pytest.raises(ConfigError, match="copies"):
        replay(Log(), copies=0)


# -------------------------------------------------------------------- cancellation


@pytest.mark.parametrize("walk", [Walk, AsyncWalk])
def test_a_cancelled_step_leaves_its_live_object_out_until_it_is_free_and_then_it_is_reset(walk):
    """The only copy blocks; the step is cancelled; the next one waits for the thread, not for ever, and is right."""
    log = Log(blocked="b")
    environment = replay(log, walk)

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), "a", run)
        stuck = asyncio.create_task(environment.step(state, Sample("b"), run))
        await happens(log.entered)
        stuck.cancel()
        await asyncio.wait([stuck])
        waiting = asyncio.create_task(environment.step(state, Sample("c"), run))
        for _ in range(20):
            await asyncio.sleep(0)
        assert waiting.done() is False if walk is Walk else True
        assert "c" not in log.done or walk is AsyncWalk
        log.gate.set()
        return (await waiting).observation, log.resets

    assert drive(body) == ("at ac in turn 0", 2)
    assert log.most == 1


@pytest.mark.parametrize("walk", [Walk, AsyncWalk])
@pytest.mark.parametrize("copies", [1, 2])
def test_cancelled_at_any_moment_the_pool_works_on(walk, copies):
    """Many steps, each cancelled after another number of turns of the loop: then all copies still serve."""
    environment = replay(log := Log(), walk, copies=copies)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        for turns in range(25):
            tasks = [asyncio.create_task(follow(environment, root, c * 3, run)) for c in "abcd"]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        outcomes = await run.map(lambda c, child: follow(environment, root, c * 3, child), "abcd")
        return ["".join(o.unwrap().actions) for o in outcomes]

    assert drive(body) == ["aaa", "bbb", "ccc", "ddd"]
    assert log.most <= copies
    assert log.opened == log.closed


@pytest.mark.slow
def test_a_search_that_ends_while_a_step_hangs_does_not_wait_and_the_thread_closes_up():
    log = Log(blocked="b")
    environment = replay(log)

    async def main():
        async def body(prompt, run):
            await environment.step(await environment.start(prompt, run), Sample("b"), run)

        task = asyncio.create_task(driven(body))
        await happens(log.entered)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert log.closed == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    before = threading.active_count()
    log.gate.set()
    for thread in threading.enumerate():
        if thread.name == "searchkit-live":
            thread.join(10)
    assert (log.opened, log.closed) == (1, 1)
    assert threading.active_count() < before


@pytest.mark.slow
def test_a_deadline_ends_a_hanging_step():
    log = Log(blocked="b")
    environment = replay(log)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        run.offer(Sample("best so far"))
        await environment.step(root, Sample("b"), run)

    # What comes before the step takes milliseconds: a busy machine has two seconds for it.
    result = asyncio.run(driven(body, budget=Budget(seconds=2.0)))
    log.gate.set()
    assert (result.answer, result.stopped) == ("best so far", "deadline")


@pytest.mark.parametrize("walk", [Walk, AsyncWalk])
def test_an_action_that_takes_too_long_fails_and_its_live_object_is_given_up(walk):
    """The next step does not wait for it, though there is one copy only; it is closed when its thread returns."""
    log = Log(blocked="b")
    environment = replay(log, walk, seconds=0.05)

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), "a", run)
        with pytest.raises(CallError, match="TimeoutError") as error:
            await environment.step(state, Sample("b"), run)
        assert isinstance(error.value.__cause__, TimeoutError)
        log.blocked = ""
        after = await follow(environment, state, "c", run)
        log.gate.set()
        return after.observations[-1]

    assert drive(body) == "at ac in turn 0"
    for thread in threading.enumerate():
        if thread.name == "searchkit-live":
            thread.join(10)
    assert (log.opened, log.closed) == (2, 2)
    with pytest.raises(ConfigError, match="seconds must be > 0"):
        replay(log, seconds=0.0)


def test_a_look_is_no_step_and_leaves_the_live_object_where_it_is():
    """As long as it changes nothing: then nothing is done again, and the trace does not know of it."""

    class Readable(Walk):
        def step(self, action):
            return (self._see(), 0.0, False) if action == "?" else super().step(action)

    log = Log()
    environment = replay(log, Readable)

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), "a", run)
        seen = [await environment.look(state, "?", run) for _ in range(3)]
        after = await follow(environment, state, "b", run)
        assert seen == ["at a in turn 0"] * 3
        assert log.resets == 1
        assert await environment.look(state, "?", run) == "at a in turn 0"
        assert log.resets == 2
        return after.actions

    result = asyncio.run(driven(body))
    assert result.answer == ("a", "b")
    assert [span.name for span in result.trace.walk() if span.name in ("reset", "step", "look")] == [
        "reset", "step", "step",
    ]  # fmt: skip


def test_it_is_closed_when_a_search_fails_and_an_accident_at_closing_is_survived():
    log = Log()

    class Sticks(Walk):
        def close(self):
            super().close()
            raise OSError("the door sticks")

    environment = replay(log, Sticks)

    async def body(prompt, run):
        await environment.start(prompt, run)
        raise RuntimeError("the strategy fails")

    with pytest.raises(RuntimeError, match="the strategy fails"):
        drive(body)
    assert log.closed == 1


# -------------------------------------------------------------------- whole searches


def test_two_searches_at_once_over_one_environment_are_independent():
    """Each has a pool of its own, and gets what it gets alone; what was counted adds up."""
    log = Log()
    environment = replay(log)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        states = [await follow(environment, root, "".join(run.rng.choices("abc", k=4)), run) for _ in range(5)]
        return ["".join(s.actions) for s in states]

    async def both():
        tasks = [asyncio.create_task(driven(body, seed=s)) for s in (1, 2)]
        return [await task for task in tasks]

    alone = [asyncio.run(driven(body, seed=s)) for s in (1, 2)]
    together = asyncio.run(both())
    assert [r.answer for r in together] == [r.answer for r in alone]
    assert [r.trace.canonical() for r in together] == [r.trace.canonical() for r in alone]
    assert log.opened == log.closed == 4
    assert (environment.tally.steps, environment.tally.resets) == (len(log.done), log.resets)


def test_commit_resets_replays_and_checks():
    log = Log()
    environment = replay(log)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        state = await follow(environment, root, "abc", run)
        log.done.clear()
        resets = log.resets
        step = await environment.commit(state, run)
        assert log.done == ["a", "b", "c"]  # all of them, not the first alone
        assert log.resets == resets + 1
        assert (step.state, step.observation) == (state, "at abc in turn 0")
        log.done.clear()
        await environment.step(step.state, Sample("d"), run)
        assert log.done == ["d"]
        log.turn = 1
        with pytest.raises(StaleBranch):
            await environment.commit(state, run)

    drive(body)


def test_after_a_commit_only_the_committed_live_object_is_gone_on_with():
    """Another copy that was in the same state may be out of date: it has to be reset first."""
    log = Log()
    environment = replay(log, copies=2)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        await run.map(lambda c, child: environment.step(root, Sample(c), child), "aa")
        state = (await environment.step(root, Sample("a"), run)).state
        committed = await environment.commit(state, run)
        resets, log.done[:] = log.resets, []
        await run.map(lambda c, child: environment.step(committed.state, Sample(c), child), "xy")
        return log.resets - resets, sorted(log.done)

    assert drive(body) == (1, ["a", "x", "y"])


def make_walk() -> Walk:
    return Walk(Log(), 3)


@dataclass(frozen=True)
class Letter:
    """A backend that says one letter, by the seed."""

    name: str = "letter"

    async def complete(self, requests):
        usage = Usage(model_calls=1, prompt_tokens=1, generated_tokens=1)
        return [Sample("abc"[r.seed % 3 if r.params.temperature else 0], usage=usage) for r in requests]


def value(actions: tuple[str, ...]) -> float:
    return worth("".join(actions))


class TestLawsOfBeamSearch(StrategyTests):
    """All laws hold for a strategy over a replayed world with several live objects."""

    params = Params(max_tokens=1)

    def strategy(self):
        return BeamSearch(4, 2, Predicate(value), ReplayEnvironment(make_walk, copies=2))

    def backend(self):
        return Letter()


class TestLawsOfMCTS(TestLawsOfBeamSearch):
    def strategy(self):
        return MCTS(Predicate(value), environment=ReplayEnvironment(make_walk), iterations=8, width=2, in_flight=3)


def test_a_wide_beam_search_finds_what_brute_force_finds():
    class Lists(Walk):
        def actions(self):
            return list("abc")

    def best_first(environment):
        return MCTS(Predicate(value), environment=environment, iterations=50, width=3)

    environment = replay(Log(), Lists, 3)
    result = asyncio.run(solve("q", best_first(environment)))
    best = max(itertools.product("abc", repeat=3), key=value)
    assert result.answer == best
    assert result.usage.generations == 0  # the world listed the actions
    assert result.stopped == "done"


def test_it_pickles():
    environment = ReplayEnvironment(make_walk, copies=2)
    environment.tally.count("steps")
    again = pickle.loads(pickle.dumps(environment))
    assert again == environment
    assert asyncio.run(solve("q", BeamSearch(2, 2, Predicate(value), again), generator=Model(Letter()))).answer
