"""SnapshotEnvironment: what is restored is what was saved, and nothing that a step does reaches a state."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
from dataclasses import dataclass, field

import pytest

from searchkit import solve
from searchkit.calls import CallError
from searchkit.environments.snapshot import SnapshotEnvironment
from searchkit.errors import ConfigError
from searchkit.strategies import MCTS, BeamSearch
from searchkit.testing import StrategyTests
from searchkit.types import Params, Sample
from searchkit.verifiers import Predicate
from tests.environments.live_worlds import drive, driven, worth
from tests.environments.test_replay import Letter, value


@dataclass
class Heap:
    """A plain object: a list that grows, shrinks and is sorted in place. Cannot be reset."""

    items: list[int] = field(default_factory=list)
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def step(self, action: str) -> tuple[str, float | None, bool]:
        if action == "roll":
            self.items.append(self.rng.randrange(1000))
        elif action == "sort":
            self.items.sort()
        else:
            self.items.pop()
        return str(self.items), None, False


async def grown(environment, prompt, run, actions=("roll", "roll", "sort", "pop"), n=60):
    """(path, state) of `n` states, each one action beyond a random earlier one."""
    known = [((), await environment.start(prompt, run))]
    for _ in range(n):
        path, state = run.rng.choice(known)
        action = run.rng.choice(actions if path else actions[:1])
        try:
            step = await environment.step(state, Sample(action), run)
        except CallError:  # nothing to pop
            continue
        known.append(((*path, action), step.state))
    return known


@pytest.mark.parametrize("copies", [1, 2])
def test_every_state_is_what_its_path_makes_of_a_new_object(copies):
    """Oracle: the path done alone in an object of its own, chance included, whatever was done in between."""
    environment = SnapshotEnvironment(Heap, copies=copies)
    known = drive(lambda prompt, run: grown(environment, prompt, run))
    assert len(known) > 40
    for path, state in known:
        own = Heap()
        seen = ["", *(own.step(action)[0] for action in path)]
        assert (state.observations, state.world.value.items) == (tuple(seen), own.items)


@pytest.mark.parametrize(
    "hooks",
    [
        {},
        {"snapshot": lambda heap: (heap.items, heap.rng.getstate()), "restore": lambda heap, saved: put(heap, *saved)},
    ],
    ids=["whole object", "aliasing hooks"],
)
def test_no_step_changes_a_state(hooks):
    """Even hooks that hand out and take in the live object's own list: values are copied both ways."""
    environment = SnapshotEnvironment(Heap, **hooks)

    async def body(prompt, run):
        known = await grown(environment, prompt, run, n=20)
        before = [content(state.world.value) for _, state in known]
        for _, state in known:
            await environment.step(state, Sample("roll"), run)
            await environment.step(state, Sample("sort"), run)
        assert [content(state.world.value) for _, state in known] == before

    drive(body)


def content(saved):
    """Items and chance as one immutable value."""
    items, rng = saved if isinstance(saved, tuple) else (saved.items, saved.rng.getstate())
    return tuple(items), rng


def put(heap, items, rng):
    heap.items = items
    heap.rng.setstate(rng)


def test_going_on_restores_nothing_and_each_start_is_new():
    restored = []

    def restore(heap, saved):
        restored.append(len(saved.items))
        return saved

    environment = SnapshotEnvironment(Heap, restore=restore)

    async def body(prompt, run):
        state = await environment.start(prompt, run)
        for _ in range(3):
            state = (await environment.step(state, Sample("roll"), run)).state
        assert restored == []
        first = (await environment.step(state, Sample("sort"), run)).observation
        second = (await environment.step(state, Sample("sort"), run)).observation
        assert (restored, first) == ([3], second)
        again = await environment.start(prompt, run)
        assert (await environment.step(again, Sample("roll"), run)).observation == str([Heap().rng.randrange(1000)])

    drive(body)
    assert environment.tally.opened == 2


def test_a_database_with_hooks_stays_on_its_thread():
    """SQLite refuses other threads by itself; the snapshot is a text of SQL."""

    class Database:
        def __init__(self):
            self.db = sqlite3.connect(":memory:")

        def reset(self):
            self.load("CREATE TABLE t (x INTEGER)")
            return "empty"

        def load(self, script):
            self.db.close()
            self.db = sqlite3.connect(":memory:")
            self.db.executescript(script)

        def step(self, action):
            self.db.execute("INSERT INTO t VALUES (?)", (int(action),))
            self.db.commit()
            return str(self.db.execute("SELECT sum(x) FROM t").fetchone()[0]), None, False

        def close(self):
            self.db.close()

    environment = SnapshotEnvironment(
        Database, snapshot=lambda live: "\n".join(live.db.iterdump()), restore=lambda live, saved: live.load(saved)
    )

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        one = (await environment.step(root, Sample("1"), run)).state
        two = (await environment.step(root, Sample("2"), run)).state
        return [(await environment.step(s, Sample("10"), run)).observation for s in (one, two, root)]

    assert drive(body) == ["11", "12", "10"]


def test_equal_looking_states_are_not_taken_for_each_other():
    """Two rolls of a die that is not in the snapshot: the same action, the same observation, different objects."""
    hidden = iter(range(100))

    class Secret:
        def __init__(self):
            self.secret = None

        def step(self, action):
            if action == "draw":
                self.secret = next(hidden)
                return "drawn", None, False
            return str(self.secret), None, False

    environment = SnapshotEnvironment(Secret)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        states = [(await environment.step(root, Sample("draw"), run)).state for _ in range(3)]
        return [(await environment.step(s, Sample("look"), run)).observation for s in states]

    assert drive(body) == ["0", "1", "2"]


def test_commit_brings_a_live_object_into_the_state():
    environment = SnapshotEnvironment(Heap)

    async def body(prompt, run):
        known = await grown(environment, prompt, run, n=10)
        for _, state in known:
            step = await environment.commit(state, run)
            assert (step.state, step.observation) == (state, state.observations[-1])

    drive(body)


def test_what_cannot_be_copied_needs_hooks():
    class Locked:
        def __init__(self):
            self.db = sqlite3.connect(":memory:")

        def step(self, action):
            return "", None, False

        def close(self):
            self.db.close()

    with pytest.raises(ConfigError, match="snapshot= and restore="):
        drive(lambda prompt, run: SnapshotEnvironment(Locked).start(prompt, run))
    with pytest.raises(ConfigError, match="restore must be a callable"):
        SnapshotEnvironment(Heap, restore=None)


def test_two_searches_at_once_are_independent():
    environment = SnapshotEnvironment(Heap)

    async def body(prompt, run):
        return [state.observations for _, state in await grown(environment, prompt, run, n=15)]

    async def both():
        tasks = [asyncio.create_task(driven(body, seed=s)) for s in (1, 2)]
        return [(await task).answer for task in tasks]

    assert asyncio.run(both()) == [asyncio.run(driven(body, seed=s)).answer for s in (1, 2)]


@dataclass
class Short:
    """A plain walk of three letters."""

    path: str = ""

    def step(self, action: str) -> tuple[str, float, bool]:
        self.path += action
        return self.path, worth(self.path), len(self.path) == 3


class TestLaws(StrategyTests):
    """All laws hold for a strategy over a world of snapshots."""

    params = Params(max_tokens=1)

    def strategy(self):
        return BeamSearch(4, 2, Predicate(value), SnapshotEnvironment(Short, copies=2))

    def backend(self):
        return Letter()


def test_a_search_finds_the_best_path():
    """All 27 of them, tried out by the search; oracle: all 27 values."""

    class Lists(Short):
        def actions(self):
            return list("abc")

    search = MCTS(Predicate(value), environment=SnapshotEnvironment(Lists), iterations=50)
    result = asyncio.run(solve("q", search))
    assert result.answer == max(itertools.product("abc", repeat=3), key=value)
