"""The tree of an agent's search shows calls, tool calls, observations, and which agent stood where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from searchkit.environments import AgentSteps, Guarded, ToolEnvironment, irreversible, reversible
from searchkit.strategies import BestFirst
from searchkit.tree import Tree
from searchkit.types import Message, Sample, ToolCall
from searchkit.verifiers import Predicate
from searchkit.views.agents import agent_tree
from searchkit.views.text import text
from tests.helpers.collected import collected  # noqa: F401 (a fixture)
from tests.helpers.stepped import JUDGE, calculating, searched


def test_a_tree_shows_calls_observations_and_agents() -> None:
    agent = calculating()

    class Calling:
        async def generate(self, prompt: Any, run: Any, *, params: Any = None) -> Sample[str]:
            if any(message.role == "tool" for message in prompt.messages):
                return Sample(f"it is {run.seed % 3}")
            arguments = f'{{"a": {run.seed % 2}, "b": 5}}'
            return Sample("", Message("assistant", (), (ToolCall(f"c{run.seed}", "add", arguments),)), "tool_calls")

    world = AgentSteps(agent)
    result = searched(BestFirst(JUDGE, environment=world, iterations=8, width=3), Calling(), seed=1)
    tree = result.tree
    assert tree is not None
    shown = text(agent_tree(tree, world.tally), most=60)
    told = agent_tree(tree, world.tally).text
    assert told[0].startswith("spell (agents 0, ")
    assert told[0].endswith(")")
    assert sum("(agent " in one for one in told) > 1
    assert 'add({"a": 0, "b": 5}) -> 5' in shown
    assert 'add({"a": 1, "b": 5}) -> 6' in shown
    assert "it is 0" in shown
    assert "-> " not in text(tree)
    stood = {number for numbers in world.tally.stood.values() for number in numbers}
    assert stood == set(range(world.tally.started))
    assert text(agent_tree(Tree.from_json(tree.to_json()))) == text(tree)


def test_of_many_agents_the_first_are_named() -> None:
    """What was said stands before them, however many there are."""
    world = AgentSteps(calculating(), live=1)
    result = searched(BestFirst(JUDGE, environment=world, iterations=2), seed=2)
    assert result.tree is not None
    root = result.tree.state[0]
    for count, said in (
        (1, " (agent 0)"),
        (6, " (agents 0, 1, 2, 3, 4, 5)"),
        (9, " (agents 0, 1, 2, 3, 4, 5 and 3 more)"),
    ):
        world.tally.stood[root.marks[-1]] = [*range(count)]
        assert agent_tree(result.tree, world.tally).text[0] == agent_tree(result.tree).text[0] + said


class Saying:
    """A generator that says `reply(prompt, seed)`: a text, or calls of tools."""

    def __init__(self, reply: Callable[[Any, int], str | tuple[ToolCall, ...]]) -> None:
        self.reply = reply

    async def generate(self, prompt: Any, run: Any, *, params: Any = None) -> Sample[str]:
        said = self.reply(prompt, run.seed)
        return Sample(said) if isinstance(said, str) else Sample("", Message("assistant", (), said), "tool_calls")


def test_a_tree_over_tools_shows_what_was_observed() -> None:
    """What of an answer's calls was done, and what was put off."""

    @reversible
    def add(world: list[int], a: int) -> str:
        """Add a number."""
        world.append(a)
        return f"the sum is {sum(world)}"

    @irreversible
    def send(a: int) -> str:
        """Send it."""
        raise AssertionError

    def reply(prompt: Any, seed: int) -> Any:
        if len(prompt.messages) > 4:
            return f"done {seed % 2}"
        call = ToolCall("c", "send" if seed % 2 else "add", f'{{"a": {seed % 3}}}')
        return call, ToolCall("d", "sub", "{}")

    world = ToolEnvironment([add, send], world=list)
    judge = Predicate(lambda value: len(str(value)) % 7 / 7, range=(0.0, 1.0))
    result = searched(BestFirst(judge, environment=world, iterations=20), Saying(reply), seed=2)
    assert result.tree is not None
    told = agent_tree(result.tree).text
    assert told[0] == "spell"
    assert any('add({"a": 2})' in one and "-> the sum is 2\nError: there is no tool 'sub'" in one for one in told)
    assert any('send({"a": 1})' in one and "-> Put off" in one for one in told)
    assert any(one in ("done 0", "done 1") for one in told)


def test_what_a_guard_puts_off_is_shown_so() -> None:
    world = Guarded(AgentSteps(calculating()), lambda state, action: "irreversible", irreversible="defer")
    calls = Saying(lambda prompt, seed: (ToolCall("c", "add", '{"a": 1}'),))
    judge = Predicate(lambda value: 0.5, range=(0.0, 1.0))
    result = searched(BestFirst(judge, environment=world, iterations=2), calls, seed=2)
    assert result.tree is not None
    assert agent_tree(result.tree).text[1] == 'add({"a": 1}) -> put off'
