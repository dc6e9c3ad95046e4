"""Environments: what a state is, and what an action does to it.

Read `protocols.py` first: what an environment is, and what it may offer besides. `text_steps.py` and `rewrite.py` are
texts, by lines and by drafts; `world_model.py` has a model predict states. Worlds that are lived in go back by
`replay.py` or `snapshot.py`, on top of `pool.py`, `live.py` and `episode.py`; `gymnasium.py` is one. `folder.py` and
`git.py` are files, in copies (`sandbox.py`; `listing.py` is what is in a folder that others wrote to, `changes.py` what
they did to it, `patch.py` that for readers). `guarded.py` puts off what cannot be undone, and `function.py`
makes an environment of one function. `agents/` makes one of an agent that calls a model by itself, `tools/` of a model
that calls tools.
"""

from searchkit.environments.agents.state import AgentState, Crashed
from searchkit.environments.agents.steps import AgentSteps
from searchkit.environments.agents.tally import AgentTally
from searchkit.environments.folder import FolderEnvironment
from searchkit.environments.function import FunctionEnvironment
from searchkit.environments.git import GitEnvironment
from searchkit.environments.guarded import Guarded, Planned
from searchkit.environments.gymnasium import GymnasiumEnvironment
from searchkit.environments.protocols import Anytime, Committing, Completing, Environment, Learning, Listing
from searchkit.environments.replay import ReplayEnvironment
from searchkit.environments.rewrite import Rewrite
from searchkit.environments.snapshot import SnapshotEnvironment
from searchkit.environments.text_steps import TextSteps
from searchkit.environments.tools.code import CodeActions
from searchkit.environments.tools.environment import ToolEnvironment
from searchkit.environments.tools.mcp import MCPTools
from searchkit.environments.tools.tool import Tool, irreversible, pure, reversible
from searchkit.environments.world_model import WorldModel

__all__ = [
    "AgentState",
    "AgentSteps",
    "AgentTally",
    "Anytime",
    "CodeActions",
    "Committing",
    "Completing",
    "Crashed",
    "Environment",
    "FolderEnvironment",
    "FunctionEnvironment",
    "GitEnvironment",
    "Guarded",
    "GymnasiumEnvironment",
    "Learning",
    "Listing",
    "MCPTools",
    "Planned",
    "ReplayEnvironment",
    "Rewrite",
    "SnapshotEnvironment",
    "TextSteps",
    "Tool",
    "ToolEnvironment",
    "WorldModel",
    "irreversible",
    "pure",
    "reversible",
]
