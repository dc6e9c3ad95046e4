"""The tree of an agent's search shows calls, tool calls, observations, and which agent stood where."""

from __future__ import annotations

from typing import Any

from searchkit.environments import AgentSteps
from searchkit.strategies import BestFirst
from searchkit.tree import Tree
from searchkit.types import Message, Sample, ToolCall
from searchkit.views.agents import agent_tree
from searchkit.views.text import text
from tests.helpers.collected import collected  # noqa: F401 (a fixture)
from tests.helpers.stepped import JUDGE, calculating, searched


def test_a_tree_shows_calls_observations_and_agents() -> None:
    agent = calculating()

    class Model:
        async def generate(self, prompt: Any, run: Any, *, params: Any = None) -> Sample[str]:
            if any(message.role == "tool" for message in prompt.messages):
                return Sample(f"it is {run.seed % 3}")
            arguments = f'{{"a": {run.seed % 2}, "b": 5}}'
            return Sample("", Message("assistant", (), (ToolCall(f"c{run.seed}", "add", arguments),)), "tool_calls")

    world = AgentSteps(agent)
    result = searched(BestFirst(JUDGE, environment=world, iterations=8, width=3), Model(), seed=2)
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
