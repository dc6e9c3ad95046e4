"""Escalate: cheap generators first, dearer ones only where nobody is sure enough of what the cheap ones said."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.kinds import is_number, is_whole, told
from searchkit.mistakes import check_verifier
from searchkit.protocols import Generator, Run, Verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.routing.bars import best_bars
from searchkit.strategies.routing.passing import all_together, check_several
from searchkit.strategies.routing.rows import Tried
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategy import AnswerRule, Strategy
from searchkit.types import Outcome, Prompt, Sample, Scored, Usage


@dataclass(frozen=True)
class Escalate(Strategy):
    """Asks the first of `steps`; the next one only if the verifier's score of the answer is below its bar.

    - steps: models and strategies, from cheap to dear; None is `generator`. The last one's answer is taken as it is.
    - verifier: says how sure one may be of an answer. A judge or a score of tokens (`PYes`, `LogProb`, best through
      `Calibrated`) takes one draw a step. `Agreement`, as any joint verifier, needs two or more.
    - bars: for each step but the last the score that is enough, or one for all of them; `math.inf` is never reached.
      See `fit`.
    - hopeless: likewise the score below which an answer is kept as well: on such questions a next one would be wasted.
    - draws: samples of each step, or one number for all of them; the step's answer is the one with the highest score.
    - generator: what None among the steps, and those without a generator of their own, draw from.

    An answer that is cut off, that the verifier abstained from, or that it failed on is never enough. Where the last
    step fails the answer with the highest score stands. Under a budget each step has an equal part of what is left when
    it is asked. In the trace step i is the item "step[i]", so that `choices` counts how far problems went, and what it
    cost to decide. Nested, steps have verifiers of their own.

    Cost: that of the steps that were asked, and a verification of each of their samples; none of a last step with one
    draw, of which nothing is to be decided.

    Settings: FrugalGPT (Chen et al. 2023) nests `Calibrated` scorers, one a model; `fit` gives the bars. AutoMix
    (Aggarwal et al. 2024): ``Escalate((small, large), PYes(small, chains=8), bars=0.75, hopeless=0.25)``.
    Self-Route (Li et al. 2024): a first step that may answer "unanswerable", and a `Predicate` that refuses that word.
    HDFlow (Yao et al. 2024), fast and slow thinking: ``Escalate((None, TreeOfThoughts(...)), PYes(chains=1), 1.0)``.

    >>> from searchkit import Model, solve_sync
    >>> from searchkit.strategies import Escalate
    >>> from searchkit.testing import Scripted
    >>> from searchkit.verifiers import Agreement
    >>> small = Model(Scripted(lambda request: ["41", "42", "43"][request.index]))  # says something else each time
    >>> large = Model(Scripted(lambda request: "42"))
    >>> result = solve_sync("19 + 23?", Escalate((small, large), Agreement(), bars=0.5, draws=(3, 1)))
    >>> result.answer, result.usage.generations, result.usage.verifications
    ('42', 4, 3)
    """

    ANSWER: ClassVar[AnswerRule] = "own"  # the first that is good enough

    steps: tuple[Generator | None, ...]
    verifier: Verifier
    bars: float | tuple[float, ...]
    hopeless: float | tuple[float, ...] = -math.inf
    draws: int | tuple[int, ...] = 1
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_several("Escalate", self.steps, None)
        check_verifier("Escalate", self.verifier)
        self._check_bars()
        draws = self._draws()
        if len(draws) != len(self.steps) or not all(is_whole(n) and n >= 1 for n in draws):
            raise ConfigError(
                f"Escalate needs draws >= 1, one number or a tuple with one for each step, got {told(self.draws)}"
            )
        if self.verifier.joint and any(n < 2 for n in draws[:-1]):
            raise ConfigError(
                f"a joint verifier compares samples: Escalate needs draws >= 2 of each step that it judges, got {draws}"
            )

    def _check_bars(self) -> None:
        low, high = self.verifier.range
        bands, judged = self._bands(), len(self.steps) - 1
        if any(isinstance(bar, tuple) and len(bar) != judged for bar in (self.bars, self.hopeless)):
            raise ConfigError(
                f"Escalate judges {judged} of its steps: give bars and hopeless one number, or a tuple of {judged}"
            )
        for hopeless, bar in bands:
            if not is_number(bar) or not is_number(hopeless):
                raise ConfigError(f"bars and hopeless of Escalate are scores, got {told(self.bars)}")
            if bar != math.inf and not low <= bar <= high:
                raise ConfigError(
                    f"the bar {told(bar)} is outside the verifier's range [{low}, {high}]; math.inf is never reached"
                )
            if not hopeless <= bar:
                raise ConfigError(f"what is hopeless lies below the bar: got {told(hopeless)} and {told(bar)}")

    def _bands(self) -> list[tuple[float, float]]:
        """(what is below is kept, too; what is enough) for each step but the last."""
        judged = len(self.steps) - 1
        low, high = (one if isinstance(one, tuple) else (one,) * judged for one in (self.hopeless, self.bars))
        return list(zip(low, high, strict=False))

    def _draws(self) -> tuple[int, ...]:
        return self.draws if isinstance(self.draws, tuple) else (self.draws,) * len(self.steps)

    @classmethod
    def fit(
        cls,
        steps: Sequence[Generator | None],
        verifier: Verifier,
        rows: Iterable[Tried],
        arms: Sequence[str],
        *,
        budget: float,
        draws: int | tuple[int, ...] = 1,
        generator: Generator | None = None,
    ) -> Escalate:
        """The cascade with the bars that were right most often on recorded problems, for at most `budget` on average.

        - rows: (prompt, arm, right, cost, score) of one try each, such as `Pool.rows` gives. Problems are told apart by
          their prompt; every arm is needed for each. cost: with what judging the try costs. score: the verifier's, None
          where it abstained. Of several tries of an arm the first counts.
        - arms: what each of `steps` is called in the rows, in their order.
        - budget: mean cost a problem, in the unit of the rows.

        Of equally right bars the cheapest are taken. All scores are tried for two steps, a grid of quantiles for more
        (4,096 cascades at most). Report what they come to on other problems: `ChoiceCurve`. Raises `ConfigError` where
        a try is missing, and where the budget is not even enough for the first step.
        """
        bars = best_bars(rows, arms, budget)
        if len(arms) != len(steps):
            raise ConfigError(f"each step needs the name of its arm in the rows: {len(steps)} steps, {len(arms)} arms")
        return cls(tuple(steps), verifier, bars, draws=draws, generator=generator)

    def sources(self) -> Sequence[Generator | None]:
        return [self.generator if step is None else step for step in self.steps]

    def worst_case(self, sample: Usage) -> Usage | None:
        draws = self._draws()
        drawn = [source for source, n in zip(self.sources(), draws, strict=True) for _ in range(n)]
        return all_together(drawn, sample, sum(draws) - (draws[-1] == 1))

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        sources, draws, bands = self.sources(), self._draws(), self._bands()

        async def step(i: int, child: Run) -> Scored:
            # Of the same generator the draws of a later step are further ones.
            start = sum(draws[j] for j in range(i) if sources[j] is sources[i])
            samples = await child.sample(sources[i], prompt, draws[i], start=start)
            if i == len(sources) - 1 and len(samples) == 1:
                return Scored(samples[0])
            return await self._judged(prompt, samples, child)

        outcomes = list[Outcome[Scored]]()
        async with run.stream(step, range(len(sources)), window=1, name="step") as stream:
            async for outcome in stream:
                outcomes.append(outcome)
                last = len(outcomes) == len(sources)
                found = outcome.value
                if found is not None and (last or _enough(found, *bands[len(outcomes) - 1])):
                    if not last:
                        run.stop("threshold")
                    return found.sample
        scored = run.survivors(outcomes)
        return scored[await choose(Argmax(), prompt, scored, run)].sample

    async def _judged(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> Scored:
        """The sample with the highest score; without one where the verifier fails: it is paid for."""
        try:
            scored = await run.score(self.verifier, prompt, samples)
        except (BudgetExhausted, ConfigError):
            raise
        except Exception as error:
            run.fail(error)
            scored = [Scored(sample) for sample in samples]
        return scored[await choose(Argmax(), prompt, scored, run)]


def _enough(found: Scored, hopeless: float, bar: float) -> bool:
    """Whether an answer is taken: it is good enough, or so bad that more would be wasted on it."""
    return found.score is not None and not found.sample.truncated and not hopeless <= found.score < bar
