"""Fallback: the next strategy where the one before it failed, or its answer did not pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from searchkit.protocols import Generator, Run, Verifier
from searchkit.strategies.routing.passing import all_together, check_several, first_to_pass
from searchkit.strategy import AnswerRule, Strategy
from searchkit.types import Prompt, Sample, Usage


@dataclass(frozen=True)
class Fallback(Strategy):
    """Asks the first of `several`; the next one only if it fails, or if its answer does not pass.

    - several: models and strategies, the cheapest first; None is `generator`.
    - verifier: says what passes; where nothing does, the answer with the highest score is returned. Without one, any
      answer passes.
    - generator: what None among them, and those without a generator of their own, draw from.

    Under a budget each has an equal part of what is left when it is asked.

    Cost: that of those that were asked, at most of all, and a verification each.

    >>> from searchkit import Model, solve_sync
    >>> from searchkit.strategies import Fallback, SelfConsistency
    >>> from searchkit.testing import Scripted
    >>> from searchkit.verifiers import Predicate
    >>> model = Model(Scripted(lambda request: ["41", "42", "42", "42"][request.index]))
    >>> cheap_first = Fallback((None, SelfConsistency(4)), Predicate(lambda text: text == "42"))
    >>> result = solve_sync("19 + 23?", cheap_first, generator=model)
    >>> result.answer, result.usage.generations
    ('42', 5)
    """

    ANSWER: ClassVar[AnswerRule] = "own"  # the first that passes

    several: tuple[Generator | None, ...]
    verifier: Verifier | None = None
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_several("Fallback", self.several, self.verifier)

    def sources(self) -> Sequence[Generator | None]:
        return [self.generator if one is None else one for one in self.several]

    def worst_case(self, sample: Usage) -> Usage | None:
        return all_together(self.sources(), sample, 0 if self.verifier is None else len(self.several))

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        return await first_to_pass(self.sources(), self.verifier, 1, prompt, run)
