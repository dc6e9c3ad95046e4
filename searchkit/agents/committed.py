"""Committed: the answer of a search over agents that edit files, brought back to the original."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.agents.workspace import AttemptWorld, Workspace
from searchkit.errors import ConfigError, SearchWarning
from searchkit.kinds import told
from searchkit.protocols import Generator, Run
from searchkit.strategy import Strategy, worst_case
from searchkit.types import Params, Prompt, Sample, Usage, Verdict


@dataclass(frozen=True)
class Committed(Strategy):
    """Answers what `strategy` does, whose samples are of agents in `world`, and brings that back to the original.

    - strategy: searches over agents with the same ``world=``.
    - world: a `FolderEnvironment` or a `GitEnvironment`.

    Until then the original is untouched, and nothing is brought back of a search that is cancelled, that has no answer,
    or whose answer a verifier failed (`Verdict.passed` is False): a `SearchWarning` says so. What was changed is a span
    of the trace. Where the original was changed meanwhile nothing is written: the search ends by an error
    (``stopped="error"``, a `StaleBranch` in `Result.errors`), which a function under ``@search(world=...)`` raises.

    Cost: that of `strategy`.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from searchkit import Function, solve_sync
    >>> from searchkit.agents import Committed, Workspace
    >>> from searchkit.environments import FolderEnvironment
    >>> from searchkit.strategies import BestOfN
    >>> from searchkit.verifiers import Predicate
    >>> def greet(task: str, workspace: Workspace, index: int) -> None:
    ...     (workspace.path / "greeting.txt").write_text(task + "!" * index)
    >>> def loud(workspace: Workspace) -> bool:
    ...     return (workspace.path / "greeting.txt").read_text().endswith("!!")
    >>> folder = tempfile.TemporaryDirectory()
    >>> world = FolderEnvironment(folder.name)
    >>> best = BestOfN(3, Predicate(loud))
    >>> answer = solve_sync("hello", Committed(best, world), generator=Function(greet, world=world)).answer
    >>> (Path(folder.name) / "greeting.txt").read_text()
    'hello!!'
    >>> folder.cleanup()
    """

    strategy: Generator
    world: AttemptWorld

    def __post_init__(self) -> None:
        check_world(self.world)

    def sources(self) -> Sequence[Generator | None]:
        return self.strategy.sources() if isinstance(self.strategy, Strategy) else (self.strategy,)

    def worst_case(self, sample: Usage) -> Usage | None:
        return worst_case(self.strategy, sample)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        return await self.generate(prompt, run)

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        sample = await self.strategy.generate(prompt, run, params=params)
        if not isinstance(sample, Sample):
            return sample  # a mistake, and told as one by who called
        if not isinstance(sample.value, Workspace):
            raise ConfigError(
                f"{told(sample.value)} is no Workspace: the agent must be a Function(agent, world=...), or @search "
                "must have the world"
            )
        if _verdict(sample).passed is False:
            message = "no attempt passed: the original is as it was, and what the best one did is answer.diff"
            warnings.warn(message, SearchWarning, stacklevel=2)
        else:
            await self.world.bring_back(sample.value.changes, run)
        return sample


def check_world(world: Any) -> None:
    """Raises `ConfigError` for what is no world of attempts."""
    if isinstance(world, type) or not isinstance(world, AttemptWorld):
        raise ConfigError(f"world= is a FolderEnvironment(...) or a GitEnvironment(...), got {told(world)}")


def _verdict(sample: Sample[Any]) -> Verdict:
    """What was said of it in its search; an abstention where nothing was, or nobody knows."""
    chosen = replace(sample, candidates=())
    said = (one.verdict for one in sample.candidates if replace(one.sample, candidates=()) == chosen)
    return max(said, key=lambda verdict: verdict.passed is True, default=Verdict())
