"""Race: several strategies at once, and the first answer that passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from searchkit.protocols import Generator, Run, Verifier
from searchkit.strategies.routing.passing import all_together, check_several, first_to_pass
from searchkit.strategy import AnswerRule, Strategy
from searchkit.types import Prompt, Sample, Usage


@dataclass(frozen=True)
class Race(Strategy):
    """Lets all `racers` search at once, and returns the first answer that passes; the others are cancelled.

    - racers: models and strategies; None is `generator`. First is meant by their order, not by the clock, or the answer
      would depend on latency: an answer that passed waits for the racers before it. Put the fastest first.
    - verifier: says what passes; where nothing does, the answer with the highest score is returned.
    - generator: what None among the racers, and those without a generator of their own, draw from.

    A racer that fails is out. What was cancelled is charged for what it has spent, and for the calls in flight. Under a
    budget each racer has an equal part.

    Cost: that of all racers, and a verification each.

    >>> from searchkit import Model, solve_sync
    >>> from searchkit.strategies import Race, SelfConsistency
    >>> from searchkit.testing import Scripted
    >>> from searchkit.verifiers import Predicate
    >>> model = Model(Scripted(lambda request: ["41", "42", "42", "42"][request.index]))
    >>> solve_sync("19 + 23?", Race((None, SelfConsistency(4)), Predicate(lambda t: t == "42")), generator=model).answer
    '42'
    """

    ANSWER: ClassVar[AnswerRule] = "own"  # the first that passes

    racers: tuple[Generator | None, ...]
    verifier: Verifier
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_several("Race", self.racers, self.verifier)

    def sources(self) -> Sequence[Generator | None]:
        return [self.generator if racer is None else racer for racer in self.racers]

    def worst_case(self, sample: Usage) -> Usage | None:
        return all_together(self.sources(), sample, len(self.racers))

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        return await first_to_pass(self.sources(), self.verifier, len(self.racers), prompt, run)
