"""GymnasiumEnvironment: against Gymnasium itself where it is installed, and a small world of its interface anywhere."""

from __future__ import annotations

import asyncio
import pickle
from collections import deque

import pytest

from searchkit import solve
from searchkit.calls import CallError
from searchkit.environments.gymnasium import GymnasiumEnvironment
from searchkit.environments.protocols import Listing
from searchkit.strategies import MCTS, BestFirst, Children
from searchkit.types import Sample
from searchkit.verifiers import Predicate
from tests.environments.live_worlds import drive


def gym():
    return pytest.importorskip("gymnasium", reason="gymnasium is not installed: pip install gymnasium")


class Discrete:
    def __init__(self, n, start=0):
        self.n, self.start = n, start


class Slide:
    """A line of numbers: -1 costs 1, +1 pays 2; over after three steps, or at 2 below the start."""

    def __init__(self, first=-1):
        self.action_space, self.at, self.steps, self.closed = Discrete(3, first), 0, 0, False

    def reset(self, *, seed=None):
        self.at, self.steps = seed, 0
        self.first = seed
        return self.at, {"seed": seed}

    def step(self, action):
        self.at += action
        self.steps += 1
        reward = {-1: -1.0, 0: 0.0, 1: 2.0}[action]
        return self.at, reward, self.at <= self.first - 2, self.steps >= 3, {}

    def close(self):
        self.closed = True


def test_the_reward_is_the_return_and_both_ends_end():
    """By hand: +1, 0, -1 returns 1 when it is truncated; -1, -1 returns -2 when it terminates."""
    environment = GymnasiumEnvironment(Slide, seed=5)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        assert (root.observations, environment.actions(root)) == (("5",), (-1, 0, 1))
        found = []
        for path in ((1, 0, -1), (-1, -1)):
            state = root
            for action in path:
                step = await environment.step(state, Sample(action), run)
                state = step.state
                found.append((step.observation, step.reward, step.terminal, environment.actions(state)))
        return found

    assert drive(body) == [
        ("6", None, False, (-1, 0, 1)), ("6", None, False, (-1, 0, 1)), ("5", 1.0, True, None),
        ("4", None, False, (-1, 0, 1)), ("3", -2.0, True, None),
    ]  # fmt: skip


def test_a_model_names_a_discrete_action_by_its_number():
    environment = GymnasiumEnvironment(Slide)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        with pytest.raises(CallError):
            await environment.step(root, Sample("left"), run)
        return (await environment.step(root, Sample(" 1\n"), run)).observation

    assert drive(body) == "1"


def test_other_spaces_list_nothing():
    class Box(Slide):
        def __init__(self):
            super().__init__()
            self.action_space = object()

    environment = GymnasiumEnvironment(Box)
    assert isinstance(environment, Listing)
    assert drive(lambda prompt, run: environment.start(prompt, run)).legal is None


def test_it_is_found_what_pays_most():
    environment = GymnasiumEnvironment(Slide, copies=2)
    result = asyncio.run(solve("q", MCTS(Predicate(lambda v: 0.0, range=(-9, 9)), environment=environment)))
    assert result.answer == (1, 1, 1)
    assert max(c.score for c in result.candidates) == 6.0
    assert result.usage.generations == 0


def test_it_pickles():
    environment = GymnasiumEnvironment(Slide, seed=3)
    assert pickle.loads(pickle.dumps(environment)) == environment


# -------------------------------------------------------------------- the real thing


def lake():
    return gym().make("FrozenLake-v1", is_slippery=False)


def slippery():
    return gym().make("FrozenLake-v1", is_slippery=True)


def cliff():
    return gym().make("CliffWalking-v1", max_episode_steps=30)


def taxi():
    return gym().make("Taxi-v4")


def best_return(make, seed):
    """Oracle: the best return by breadth-first search over the game's own table of transitions; none by chance."""
    env = make()
    start, _ = env.reset(seed=seed)
    table, waiting, known = env.unwrapped.P, deque([(start, 0.0, 0)]), {start}
    best = None
    while waiting:
        state, total, depth = waiting.popleft()
        for action in range(int(env.action_space.n)):
            [(chance, after, reward, ended)] = table[state][action]
            assert chance == 1.0
            if ended:
                best = max(total + reward, best if best is not None else -(10**9))
            elif after not in known:
                known.add(after)
                waiting.append((after, total + reward, depth + 1))
    env.close()
    return best


@pytest.mark.parametrize("make", [lake, slippery, cliff, taxi])
def test_replaying_is_exact(make):
    """Oracle: an environment of one's own, reset with the same seed, chance included."""
    gym()
    environment = GymnasiumEnvironment(make, seed=11, copies=2)

    async def body(prompt, run):
        known = [await environment.start(prompt, run)]
        for _ in range(40):
            state = run.rng.choice([s for s in known if not s.ended])
            known.append((await environment.step(state, Sample(run.rng.choice(state.legal)), run)).state)
        return known

    states = drive(body)
    env = make()
    for state in states:
        seen, total, over = [str(env.reset(seed=11)[0])], 0.0, False
        for action in state.actions:
            observation, reward, terminated, truncated, _ = env.step(action)
            seen.append(str(observation))
            total, over = total + reward, terminated or truncated
        assert (state.observations, state.ended) == (tuple(seen), over)
        assert state.reward == (total if over else None)
    env.close()


def distances(make):
    """Actions to the rewarding end from each state that it can be reached from, by the table backwards."""
    env = make()
    table = env.unwrapped.P
    moves = [(s, *outcome) for s in table for action in table[s] for outcome in table[s][action]]
    prize = max(reward for _, _, _, reward, over in moves if over)
    waiting, found = deque((before, 1) for before, _, _, reward, over in moves if over and reward == prize), {}
    while waiting:
        state, far = waiting.popleft()
        if state not in found:
            found[state] = far
            waiting.extend((before, far + 1) for before, _, after, _, over in moves if after == state and not over)
    env.close()
    return found


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("make", [lake, cliff, taxi])
def test_games_are_solved_as_well_as_can_be(make, seed):
    """Best-first search, told by a table how far it is from each square, gets the best return that there is."""
    gym()
    far = distances(make)
    environment = GymnasiumEnvironment(make, seed=seed, render=lambda state: int(state.observations[-1]))
    near = Predicate(lambda square: -float(far.get(square, 1000)), range=(-1000, 20))
    best = best_return(make, seed)
    search = BestFirst(near, environment=environment, evaluation=Children(), iterations=60, threshold=best)
    result = asyncio.run(solve("q", search))
    assert max(c.score for c in result.candidates) == best
