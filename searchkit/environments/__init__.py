"""Environments: what a state is, and what an action does to it."""

from searchkit.environments.folder import FolderEnvironment
from searchkit.environments.function import FunctionEnvironment
from searchkit.environments.git import GitEnvironment
from searchkit.environments.guarded import Guarded, Planned
from searchkit.environments.gymnasium import GymnasiumEnvironment
from searchkit.environments.replay import ReplayEnvironment
from searchkit.environments.rewrite import Rewrite
from searchkit.environments.snapshot import SnapshotEnvironment
from searchkit.environments.text_steps import TextSteps
from searchkit.environments.world_model import WorldModel

__all__ = [
    "FolderEnvironment",
    "FunctionEnvironment",
    "GitEnvironment",
    "Guarded",
    "GymnasiumEnvironment",
    "Planned",
    "ReplayEnvironment",
    "Rewrite",
    "SnapshotEnvironment",
    "TextSteps",
    "WorldModel",
]
