"""Trees of searches over what agents and models with tools decide: what came of each answer, and who stood where."""

from __future__ import annotations

import copy
from typing import Any

from searchkit.environments.agents.state import AgentState
from searchkit.environments.agents.tally import AgentTally
from searchkit.environments.guarded import Held
from searchkit.environments.tools.dialogue import Dialogue
from searchkit.tree import ROOT, Tree

NAMED = 6  # agents that a node names


def agent_tree(tree: Tree, tally: AgentTally | None = None) -> Tree:
    """`tree`, for any view, with what was observed after each answer: ``add({"a": 1}) -> 3``.

    For trees over `AgentSteps` and `ToolEnvironment`, `Guarded` or not. At the root stands what was asked first. tally:
    that of the search's `AgentSteps`; then a node also says at its end by their numbers which live agents stood there,
    in the order in which they came: ``(agents 0, 4)``. Other nodes stay as they are, those of a tree that was read from
    a file, say. Cost: linear in the tree.
    """
    told = copy.copy(tree)
    told.text = [_told(tree, node, tally) for node in range(len(tree))]
    return told


def _told(tree: Tree, node: int, tally: AgentTally | None) -> str:
    state, text = tree.state[node], tree.text[node]
    seen = _asked(state) if node == ROOT else _seen(state)
    if seen not in ("", text):
        text = seen if node == ROOT else f"{text} -> {seen}"
    stood = tally.stood if tally is not None and isinstance(state, AgentState) else {}
    return text + (_stood(stood.get(state.marks[-1], [])) if stood else "")


def _asked(state: Any) -> str:
    if isinstance(state, AgentState):
        return "" if state.pending is None else state.pending.request.prompt.messages[-1].text
    return state.prompt.messages[-1].text if isinstance(state, Dialogue) else ""


def _seen(state: Any) -> str:
    """What was observed last."""
    if isinstance(state, Held):
        return "put off"
    if isinstance(state, AgentState):
        return state.turns[-1].seen if state.turns else ""
    return "\n".join(state.turns[-1].observations) if isinstance(state, Dialogue) and state.turns else ""


def _stood(numbers: list[int]) -> str:
    """The agents that stood somewhere, the first of them by number."""
    if not numbers:
        return ""
    named, more = ", ".join(map(str, numbers[:NAMED])), len(numbers) - NAMED
    return f" ({'agent' if len(numbers) == 1 else 'agents'} {named}{f' and {more} more' if more > 0 else ''})"
