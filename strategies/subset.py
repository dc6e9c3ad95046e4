"""Choosing among some of the candidates: what the selection rules share that leave candidates out first."""

from __future__ import annotations

from collections.abc import Sequence

from searchkit.protocols import Run, Selector
from searchkit.types import Choice, Prompt, Scored


async def choose_among(
    kept: Sequence[int], select: Selector, prompt: Prompt, scored: Sequence[Scored], run: Run
) -> Choice:
    """What `select` chooses when it sees only the candidates with the indices `kept`, as an index into all of them."""
    choice = await select.select(prompt, [scored[i] for i in kept], run)
    return Choice(None if choice.index is None else kept[choice.index], choice.score)
