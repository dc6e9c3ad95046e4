"""Trees of searches over an agent's decisions: what came of each answer, and which agents stood where."""

from __future__ import annotations

import copy

from searchkit.environments.agents.state import AgentState
from searchkit.environments.agents.tally import AgentTally
from searchkit.tree import ROOT, Tree

NAMED = 6  # agents that a node names


def agent_tree(tree: Tree, tally: AgentTally | None = None) -> Tree:
    """`tree`, for any view, with what an agent saw after each answer: ``add({"a": 1}) -> 3``.

    At the root stands what the agent asked first. tally: that of the search's `AgentSteps`; then a node also says at
    its end by their numbers which live agents stood there, in the order in which they came: ``(agents 0, 4)``. Nodes
    without a state of `AgentSteps` stay as they are, those of a tree that was read from a file, say. Cost: linear in
    the tree.
    """
    told = copy.copy(tree)
    told.text = [_told(tree, node, tally) for node in range(len(tree))]
    return told


def _told(tree: Tree, node: int, tally: AgentTally | None) -> str:
    state, text = tree.state[node], tree.text[node]
    if not isinstance(state, AgentState):
        return text
    if node == ROOT and state.pending is not None:
        text = state.pending.request.prompt.messages[-1].text
    elif state.turns and state.turns[-1].seen not in ("", text):
        text = f"{text} -> {state.turns[-1].seen}"
    return text + _stood(tally.stood.get(state.marks[-1], []) if tally is not None else [])


def _stood(numbers: list[int]) -> str:
    """The agents that stood somewhere, the first of them by number."""
    if not numbers:
        return ""
    named, more = ", ".join(map(str, numbers[:NAMED])), len(numbers) - NAMED
    return f" ({'agent' if len(numbers) == 1 else 'agents'} {named}{f' and {more} more' if more > 0 else ''})"
