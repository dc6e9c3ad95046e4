"""Agents that crash, hang, return early, ask several things at once, change their mind, and are ended."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import subprocess
import sys
import threading
import warnings

import pytest

from searchkit import Budget, ConfigError, Function, search, solve
from searchkit.agents import Endpoint, client
from searchkit.calls import CallError
from searchkit.environments import AgentSteps, Crashed
from searchkit.errors import BudgetExhausted, SearchWarning, StaleBranch
from searchkit.protocols import Run
from searchkit.strategies import MCTS, BestFirst, BestOfN
from searchkit.types import Message, Prompt, Sample, ToolCall
from tests.environments.live_worlds import drive
from tests.helpers.servers import until
from tests.helpers.stepped import JUDGE, NOWHERE, ask, calculating, letters, sdk, searched, spelled, spelling


def said(text: str) -> Sample[str]:
    return Sample(text)


async def walked(world, text, actions, run):
    """The state after `actions`."""
    state = await world.start(Prompt.of(text), run)
    for action in actions:
        state = (await world.step(state, said(action), run)).state
    return state


def test_a_state_shows_what_the_agent_asks_and_was_answered():
    world = AgentSteps(spelling(2))

    async def body(prompt, run):
        first = await world.start(Prompt.of("spell"), run)
        assert world.prompt(first).text == "spell "
        assert first.pending.request.params.max_tokens == 5
        step = await world.step(first, said("b"), run)
        assert world.prompt(step.state).text == "spell b"
        assert not step.terminal
        assert world.candidate(step.state).value == ("b",)
        end = await world.step(step.state, said("a"), run)
        assert end.terminal
        assert (end.reward, end.observation) == (None, "ba")
        assert world.candidate(end.state).value == world.candidate(end.state).text == "ba"
        assert world.complete(end.state)
        assert not world.complete(first)

    drive(body)


def test_tools_and_their_results_stand_in_prompts_and_observations():
    agent = calculating()
    world = AgentSteps(agent)

    def calls(id: str, text: str) -> Sample[str]:
        return Sample("", Message("assistant", (), (ToolCall(id, "add", text),)), "tool_calls")

    async def body(prompt, run):
        first = await world.start(Prompt.of("sum"), run)
        assert "add" in world.prompt(first).tools[0]
        step = await world.step(first, calls("x1", '{"a": 2, "b": 3}'), run)
        assert step.observation == "5"
        assert [m.role for m in world.prompt(step.state).messages] == ["system", "user", "assistant", "tool"]
        assert "add({" in world.candidate(step.state).text
        for _ in range(2):  # led there again, and by a call with another id
            again = await world.step(first, calls("x2", '{"a": 2, "b": 3}'), run)
            assert again.observation == "5"
            assert again.state.pending.place == step.state.pending.place

    drive(body)


def test_an_agent_that_raises_is_a_dead_end_with_its_message():
    api = sdk()

    async def agent(task: str) -> str:
        if await ask(api, task) == "b":
            raise ValueError("b is bad")
        return "good"

    world = AgentSteps(agent, least=-1.0)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        step = await world.step(first, said("b"), run)
        assert step.terminal
        assert step.reward == -1.0
        assert "ValueError: b is bad" in step.observation
        candidate = world.candidate(step.state)
        assert isinstance(candidate.value, Crashed)
        assert candidate.truncated
        assert (await world.step(first, said("a"), run)).state.value == "good"

    drive(body)
    found = searched(BestFirst(JUDGE, environment=AgentSteps(agent), iterations=12), seed=2)
    assert found.answer == "good"
    assert all("crashed on a branch" in str(error) and "b is bad" in str(error) for error in found.errors)
    assert any("b is bad" in str(one.verdict.feedback) for one in found.candidates)


def test_an_agent_that_fails_before_it_asks_fails_the_search():
    async def agent(task: str) -> str:
        raise KeyError("no such file")

    with pytest.raises(CallError, match=r"did not get to its first model call.*no such file"):
        searched(MCTS(JUDGE, environment=AgentSteps(agent), iterations=3))


@pytest.mark.parametrize("make", [MCTS, BestFirst])
@pytest.mark.parametrize("iterations", [None, 5])
def test_an_agent_that_asks_nothing_is_its_own_answer(make, iterations):
    async def agent(task: str) -> str:
        return "cab"

    search = make(JUDGE, environment=AgentSteps(agent), iterations=iterations)
    with pytest.warns(SearchWarning, match="ended without a model call that was seen.*async_client"):
        result = searched(search, budget=Budget(generations=5))
    assert result.answer == "cab"
    assert not result.errors
    assert result.usage.model_calls == 0


def test_an_agent_that_hangs_is_given_up():
    api = sdk()

    async def agent(task: str) -> str:
        if await ask(api, task) == "b":
            await asyncio.Event().wait()
        return "good"

    world = AgentSteps(agent, timeout=1.0)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        step = await world.step(first, said("b"), run)
        assert step.terminal
        assert "1 s" in step.observation
        assert (await world.step(first, said("a"), run)).state.value == "good"

    drive(body)


def test_calls_at_once_are_answered_one_by_one_in_the_order_of_what_they_ask():
    api = sdk()

    def agent_of(order):
        async def agent(task: str) -> str:
            words = await asyncio.gather(*(ask(api, f"{task} {name}") for name in order))
            return " ".join(sorted(f"{n}={w}" for n, w in zip(order, words, strict=True)))

        return agent

    async def grouped(task: str) -> str:
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(ask(api, f"{task} {name}")) for name in "zyx"}
        return " ".join(sorted(f"{name}={task.result()}" for name, task in tasks.items()))

    for agent in (agent_of("xyz"), agent_of("zxy"), grouped):
        world = AgentSteps(agent)

        async def body(prompt, run, world=world):
            state = await world.start(Prompt.of("go"), run)
            asked = []
            for answer in "123":
                asked.append(world.prompt(state).text)
                state = (await world.step(state, said(answer), run)).state
            assert asked == ["go x", "go y", "go z"]
            assert state.value == "x=1 y=2 z=3"

        drive(body)


def test_calls_at_once_from_threads_are_answered_one_by_one():
    import openai

    api = openai.OpenAI(base_url=NOWHERE, api_key="none", http_client=client(), max_retries=0)

    def agent(task: str) -> str:
        found = {}

        def one(name: str) -> None:
            message = [{"role": "user", "content": f"{task} {name}"}]
            with contextlib.suppress(openai.APIStatusError):  # told to end
                found[name] = api.chat.completions.create(model="m", messages=message).choices[0].message.content

        threads = [threading.Thread(target=contextvars.copy_context().run, args=(one, name)) for name in "yx"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found.get("x", "") + found.get("y", "")

    world = AgentSteps(agent)

    async def body(prompt, run):
        state = await world.start(Prompt.of("go"), run)
        assert world.prompt(state).text == "go x"
        step = await world.step(state, said("1"), run)
        assert world.prompt(step.state).text == "go y"
        assert (await world.step(step.state, said("2"), run)).state.value == "12"
        assert (await world.step(state, said("3"), run)).state.pending.place == step.state.pending.place

    drive(body)


def test_a_branch_that_asks_otherwise_when_it_is_led_there_again_is_stale():
    api, clock = sdk(), [0]

    async def agent(task: str) -> str:
        first = await ask(api, task)
        clock[0] += 1
        return await ask(api, f"{task} {first} at {clock[0]}")

    world = AgentSteps(agent, live=1)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        second = (await world.step(first, said("a"), run)).state
        await world.step(first, said("b"), run)
        with pytest.raises(StaleBranch, match="asked something else"):
            await world.step(second, said("c"), run)
        assert world.tally.stale == 1

    drive(body)
    with pytest.warns(SearchWarning, match="branches that went stale"):
        result = searched(BestFirst(JUDGE, environment=AgentSteps(agent, live=1), iterations=20), seed=2)
    assert any(isinstance(error, StaleBranch) for error in result.errors)


def test_at_most_so_many_agents_live_and_all_are_ended():
    api, living = sdk(), [0, 0]

    async def agent(task: str) -> str:
        living[0] += 1
        living[1] = max(living)
        try:
            word = ""
            for _ in range(4):
                word += await ask(api, f"{task} {word}")
            return word
        finally:
            living[0] -= 1

    world = AgentSteps(agent, live=3)
    result = searched(BestFirst(JUDGE, environment=world, iterations=30, in_flight=4), seed=1)
    assert not result.errors
    assert living[0] == 0
    assert living[1] <= 3 + 1  # one may be on its way out
    assert world.tally.started > 3


def test_a_synchronous_agent_and_its_thread_are_ended():
    begun, ended = [], []

    def agent(task: str) -> str:
        begun.append(1)
        try:
            return spelled(task)
        finally:
            ended.append(1)

    world = AgentSteps(agent, live=5)
    result = searched(MCTS(JUDGE, environment=world, iterations=15), seed=1)
    assert len(result.answer) == 3
    assert len(begun) > 3
    until(lambda: len(ended) == len(begun))
    until(lambda: not [thread for thread in threading.enumerate() if "test_living" in thread.name])


PROGRAM = """
import json, os, sys, time, urllib.request
word = ""
for _ in range(3):
    body = {"model": "m", "messages": [{"role": "user", "content": sys.argv[1] + " " + word}]}
    headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as reply:
            word += json.load(reply)["choices"][0]["message"]["content"]
    except Exception:
        time.sleep(600)  # it does not take no for an answer
print(word)
"""


@pytest.mark.slow
@pytest.mark.parametrize("asynchronous", [False, True])
def test_child_processes_are_searched_and_ended(asynchronous, tmp_path):
    program = tmp_path / "stubborn_child.py"
    program.write_text(PROGRAM)

    def agent(task: str, endpoint: Endpoint) -> str:
        command = [sys.executable, str(program), task]
        done = subprocess.run(command, env=endpoint.environment(), capture_output=True, text=True)
        return done.stdout.strip()

    async def later(task: str, endpoint: Endpoint) -> str:
        child = await asyncio.create_subprocess_exec(
            sys.executable, str(program), task, env=endpoint.environment(), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await child.communicate()
        return out.decode().strip()

    world = AgentSteps(later if asynchronous else agent, live=4)
    result = searched(BestFirst(JUDGE, environment=world), seed=1, budget=Budget(generations=12))
    assert len(result.answer) == 3
    assert world.tally.stale == 0
    running = subprocess.run(["pgrep", "-f", str(program)], capture_output=True, text=True).stdout.split()
    assert running == []


def test_a_search_that_is_cancelled_leaves_nothing():
    api, living, begun = sdk(), [0], asyncio.Event()

    async def agent(task: str) -> str:
        living[0] += 1
        begun.set() if living[0] > 2 else None
        try:
            for turn in range(100):
                await ask(api, f"{task} {turn}")
            return "done"
        finally:
            living[0] -= 1

    async def main():
        strategy = MCTS(JUDGE, environment=AgentSteps(agent), iterations=500)
        running = asyncio.ensure_future(solve("go", strategy, generator=letters()))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert living[0] == 0
        assert len(asyncio.all_tasks()) == 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
        gc.collect()


def test_a_deadline_ends_an_agent_that_hangs():
    api, ended = sdk(), []

    async def agent(task: str) -> str:
        await ask(api, task)
        try:
            await asyncio.sleep(600)
        finally:
            ended.append(1)
        return "late"

    strategy = BestFirst(JUDGE, environment=AgentSteps(agent), iterations=50)
    with pytest.raises(BudgetExhausted, match="seconds"):
        searched(strategy, seed=3, budget=Budget(seconds=1.0))
    assert ended


def test_an_agent_that_asks_for_several_choices_is_refused():
    api = sdk()

    async def agent(task: str) -> str:
        return await ask(api, task, n=3)

    with pytest.raises(ConfigError, match="3 choices at once"):
        searched(MCTS(JUDGE, environment=AgentSteps(agent), iterations=3))


def test_an_agent_that_searches_is_refused():
    inner = search(BestOfN(2, JUDGE))(spelling(1))

    async def agent(task: str) -> str:
        return await inner(task)

    with pytest.raises(ConfigError, match="opens a search"):
        searched(MCTS(JUDGE, environment=AgentSteps(agent), iterations=3))


def test_settings_that_cannot_work_are_refused():
    async def with_run(task: str, run: Run) -> str:
        return ""

    with pytest.raises(ConfigError, match="given no run"):
        AgentSteps(with_run)
    with pytest.raises(ConfigError, match="live must be"):
        AgentSteps(spelling(), live=0)
    with pytest.raises(ConfigError, match="timeout"):
        AgentSteps(spelling(), timeout=0)
    with pytest.raises(ConfigError, match="callable"):
        AgentSteps("agent")


def test_an_agent_is_called_alike_each_time():
    api, seen = sdk(), set()

    async def agent(task: str, seed: int, index: int) -> str:
        seen.add((seed, index))
        return await ask(api, f"{task} {seed}") + await ask(api, f"{task} {seed} more")

    world = AgentSteps(Function(agent), live=1)
    result = searched(MCTS(JUDGE, environment=world, iterations=10), seed=5)
    assert not result.errors
    assert len(seen) == 1
    assert world.tally.started > 1


def test_a_search_in_flight_is_not_disturbed_by_an_agent_that_gives_up_waiting():
    """An agent whose own clock runs out while it waits in the pool is led there anew."""
    api = sdk()

    async def agent(task: str) -> str:
        first = await asyncio.wait_for(ask(api, task), 0.05)
        return first + await ask(api, f"{task} {first}")

    world = AgentSteps(agent)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        await asyncio.sleep(0.2)
        step = await world.step(first, said("a"), run)
        assert world.tally.lost == 1
        assert (await world.step(step.state, said("b"), run)).state.value == "ab"

    drive(body)


@pytest.mark.parametrize("factory", [False, True])
def test_more_synchronous_agents_may_live_than_a_function_has_threads(factory):
    class Agent:
        def __call__(self, task: str) -> str:
            return spelled(task)

    world = AgentSteps(Function(Agent if factory else Agent(), factory, threads=1), live=6)
    result = searched(BestFirst(JUDGE, environment=world, iterations=12, width=3, in_flight=3), seed=1)
    assert len(result.answer) == 3
    assert not result.errors


def test_a_factory_makes_each_agent_anew():
    class Agent:
        def __init__(self) -> None:
            self.word, self.api = "", sdk()

        async def __call__(self, task: str) -> str:
            for _ in range(2):
                self.word += await ask(self.api, f"{task} {self.word}")
            return self.word

    world = AgentSteps(Function(Agent, factory=True), live=2)
    result = searched(BestFirst(JUDGE, environment=world, iterations=10), seed=1)
    assert len(result.answer) == 2
    assert not result.errors
    assert world.tally.started > 1


def test_an_agent_that_does_not_get_there_again_in_time_is_stale():
    api, slow = sdk(), [False]

    async def agent(task: str) -> str:
        first = await ask(api, task)
        if slow[0]:
            await asyncio.Event().wait()
        return first + await ask(api, f"{task} {first}")

    world = AgentSteps(agent, timeout=1.0)

    async def body(prompt, run):
        first = await world.start(Prompt.of("go"), run)
        second = (await world.step(first, said("a"), run)).state
        await world.step(second, said("b"), run)
        slow[0] = True
        with pytest.raises(StaleBranch, match=r"within 1 s"):
            await world.step(second, said("c"), run)

    drive(body)
