"""The strategy of requests that ask for none: so many samples, in the order in which they were drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from searchkit.protocols import Run
from searchkit.strategy import AnswerRule, Strategy
from searchkit.types import Prompt, Sample


@dataclass(frozen=True)
class Plain(Strategy):
    """Draws `n` samples; the first is the answer.

    Cost: `n` generations.
    """

    n: int = 1

    ANSWER: ClassVar[AnswerRule] = "own"

    def counts(self) -> tuple[int, int] | None:
        return self.n, 0

    async def search(self, prompt: Prompt, run: Run) -> Sample[str]:
        drawn: list[Sample[str]] = await run.sample(None, prompt, self.n)
        return drawn[0]
