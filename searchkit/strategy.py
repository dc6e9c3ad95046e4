"""Strategy: write `search`, and the rest comes with it. A strategy is a generator, so strategies nest."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar, Literal

from searchkit.protocols import Generator, Run, Selector
from searchkit.types import Params, Prompt, Sample, Usage

AnswerRule = Literal["selected", "voted", "last", "own"]


class Strategy(ABC):
    """Decides where the next unit of compute is spent.

    Subclass it as a frozen dataclass that holds configuration only; whatever a search remembers lives in local
    variables of `search`. By convention a field `generator` (None: the one that `solve` was given) says what proposes.

    ANSWER: how the answer is found among all complete ones that a search has seen. "selected": by the field `select`,
    else by the highest score; "voted": no other has more votes; "last": it is the last one; "own": by a published rule
    of another kind.

    INDEPENDENT: whether its samples are independent draws from its prompt, numbered by `Run.index`, so that another
    such strategy may have the same ones.
    """

    ANSWER: ClassVar[AnswerRule] = "selected"
    INDEPENDENT: ClassVar[bool] = False

    @property
    def answers_by(self) -> AnswerRule:
        """`ANSWER`, unless an option says otherwise."""
        return self.ANSWER

    def selector(self) -> Selector | None:
        """What chooses the best so far, when the search is looked at or stopped: the field `select`.

        It is not asked for more than a look: one that asks models, or finds nothing to choose, leaves it to the score.
        A strategy whose rule needs what its search knows gives that to `Run.so_far`.
        """
        return getattr(self, "select", None)

    @abstractmethod
    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        """The body: draw with `run.sample`, judge with `run.score`, branch with `run.map`, and return the choice."""

    def counts(self) -> tuple[int, int] | None:
        """The most samples and verifications that one answer may take; None: no bound is known.

        An environment or a verifier that asks models costs more.
        """
        return None

    def sources(self) -> Sequence[Generator | None]:
        """What may propose: the field `generator`."""
        return (getattr(self, "generator", None),)

    def worst_case(self, sample: Usage) -> Usage | None:
        """The most that one answer may cost if one sample of the generator costs `sample`; None: no bound is known."""
        counts, costs = self.counts(), [worst_case(source, sample) for source in self.sources()]
        known = [cost for cost in costs if cost is not None]
        if counts is None or len(known) < len(costs):
            return None
        draws, checks = counts
        return most_expensive(known).times(draws) + Usage(verifications=checks)

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        """One answer. Out of budget it is the best so far; all candidates are in `Sample.candidates`."""
        select = self.selector()
        rule = None if select is None else functools.partial(select.select, prompt)
        return await run.search(type(self).__name__, lambda inner: self.search(prompt, inner), params=params, rule=rule)


def worst_case(generator: Any, sample: Usage) -> Usage | None:
    """The most that one sample of `generator` may cost: the bound of a strategy that it is or wraps, else `sample`."""
    if isinstance(generator, Strategy):
        return generator.worst_case(sample)
    inner = getattr(generator, "generator", None)
    return sample if inner is None else worst_case(inner, sample)


def most_expensive(costs: Sequence[Usage]) -> Usage:
    """The most of everything that one of `costs` may be."""
    return Usage(**{f.name: max((getattr(cost, f.name) for cost in costs), default=0) for f in fields(Usage)})
