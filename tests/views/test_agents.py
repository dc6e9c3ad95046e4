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
    assert " #0 " in shown.splitlines()[1]
    assert 'add({"a": 0, "b": 5}) -> 5' in shown
    assert 'add({"a": 1, "b": 5}) -> 6' in shown
    assert "it is 0" in shown
    assert "-> " not in text(tree)
    stood = {number for numbers in world.tally.stood.values() for number in numbers}
    assert stood == set(range(world.tally.started))
    assert text(agent_tree(Tree.from_json(tree.to_json()))) == text(tree)
