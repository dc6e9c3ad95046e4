"""Budgeted: ceilings for one part of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from searchkit.errors import ConfigError
from searchkit.protocols import Generator, Run
from searchkit.strategy import Strategy, worst_case
from searchkit.types import Budget, Prompt, Sample, Usage


@dataclass(frozen=True)
class Budgeted(Strategy):
    """Lets `strategy` search within `budget`, and within what is around it. At a ceiling its best so far is the answer.

    Raises `BudgetExhausted` if it has none by then, which `Fallback` takes as a failure. strategy: None is `generator`.

    Cost: that of `strategy`, at most `budget`.

    >>> from searchkit import Budget, Model, solve_sync
    >>> from searchkit.strategies import Budgeted, SelfConsistency
    >>> from searchkit.testing import Scripted
    >>> model = Model(Scripted(lambda request: "42"))
    >>> result = solve_sync("19 + 23?", Budgeted(SelfConsistency(10), Budget(generations=3)), generator=model)
    >>> result.answer, result.usage.generations, result.stopped
    ('42', 3, 'budget')
    """

    strategy: Generator | None
    budget: Budget
    generator: Generator | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.budget, Budget):
            raise ConfigError(f"Budgeted needs a Budget, such as Budget(generations=8), got {self.budget!r:.80}")

    def sources(self) -> tuple[Generator | None, ...]:
        return (self.generator if self.strategy is None else self.strategy,)

    def worst_case(self, sample: Usage) -> Usage | None:
        [source] = self.sources()
        return worst_case(source, sample)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        [source] = self.sources()
        with run.child("budgeted", self.budget) as inner:
            [sample] = await inner.sample(source, prompt)
        return sample
