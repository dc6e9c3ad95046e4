"""The last step of a search: which candidate a selection rule chooses, and which one where it cannot."""

from __future__ import annotations

from collections.abc import Sequence

from searchkit.errors import ConfigError
from searchkit.kinds import forgotten
from searchkit.protocols import Run, Selector
from searchkit.types import Choice, Prompt, Scored


async def choose(select: Selector, prompt: Prompt, scored: Sequence[Scored], run: Run) -> int:
    """The index of what `select` chooses among `scored`, of which there is one; else of the `fallback`."""
    choice = await select.select(prompt, scored, run)
    if not isinstance(choice, Choice):
        kind, fix = type(choice).__name__, "an `await` is missing" if forgotten(choice) else "Choice(index)"
        raise ConfigError(f"select of {type(select).__name__} must return a Choice, not {kind}: {fix}")
    return fallback(scored) if choice.index is None else choice.index


def fallback(scored: Sequence[Scored]) -> int:
    """The sample to return where no rule can choose: the first complete one, else the first."""
    return next((i for i, c in enumerate(scored) if not c.sample.truncated), 0)
