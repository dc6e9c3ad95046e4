"""Samples for the laws of verifiers that judge what an agent did in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from searchkit import Sample, solve_sync
from searchkit.environments import FolderEnvironment
from searchkit.function import Function
from searchkit.strategies import BestOfN
from searchkit.verifiers import Predicate


def left_by(agent: Callable[..., Any], attempts: int, folder: Path) -> tuple[Sample[Any], ...]:
    """What `agent` leaves in so many copies of `folder`."""
    made = Function(agent, world=FolderEnvironment(folder))
    found = solve_sync("go", BestOfN(attempts, Predicate(lambda _: 0.0)), generator=made)
    return tuple(candidate.sample for candidate in found.candidates)
