"""The last step of a search: which candidate a selection rule chooses, and which one where it cannot."""

from __future__ import annotations

from collections.abc import Sequence

from searchkit.protocols import Run, Selector
from searchkit.types import Prompt, Scored


async def choose(select: Selector, prompt: Prompt, scored: Sequence[Scored], run: Run) -> int:
    """The index of what `select` chooses among `scored`, of which there is one; else of the `fallback`."""
    choice = await select.select(prompt, scored, run)
    return fallback(scored) if choice.index is None else choice.index


def fallback(scored: Sequence[Scored]) -> int:
    """The sample to return where no rule can choose: the first complete one, else the first."""
    return next((i for i, c in enumerate(scored) if not c.sample.truncated), 0)
