"""Strategy: write `search`, and the rest comes with it. A strategy is a generator, so strategies nest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from searchkit.protocols import Run
from searchkit.types import Params, Prompt, Sample, Usage


class Strategy(ABC):
    """Decides where the next unit of compute is spent.

    Subclass it as a frozen dataclass that holds configuration only; whatever a search remembers lives in local
    variables of `search`. By convention a field `generator` (None: the one that `solve` was given) says what proposes.
    """

    @abstractmethod
    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        """The body: draw with `run.sample`, judge with `run.score`, branch with `run.map`, and return the choice."""

    def worst_case(self, sample: Usage) -> Usage | None:
        """The most that one answer may cost if one sample of the generator costs `sample`; None: no bound is known."""
        return None

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        """One answer. Out of budget it is the best so far; all candidates are in `Sample.candidates`."""
        return await run.search(type(self).__name__, lambda inner: self.search(prompt, inner), params=params)


def worst_case(generator: Any, sample: Usage) -> Usage | None:
    """The most that one sample of `generator` may cost: a strategy's own bound, else `sample`."""
    return generator.worst_case(sample) if isinstance(generator, Strategy) else sample
