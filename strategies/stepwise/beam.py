"""Beam search over steps: many next steps, keep the promising ones, go on from those. Two forms over one loop."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

from searchkit.environments.protocols import Environment
from searchkit.environments.text_steps import TextSteps
from searchkit.errors import ConfigError
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategies.stepwise.steps import Grown, Steps, answer, over, ranked
from searchkit.strategies.stepwise.waves import Waves
from searchkit.strategy import Strategy
from searchkit.tree import ROOT
from searchkit.types import Prompt, Sample


class Beams(Strategy):
    """The loop: a round draws so many next steps of each beam, and then the beam is narrowed."""

    verifier: Verifier
    environment: Environment[Any]
    rounds: int
    lookahead: int
    select: Selector
    generator: Generator | None

    @property
    def _waves(self) -> Waves:
        """How the draws of a round are made."""
        return Waves()

    @property
    @abstractmethod
    def _shape(self) -> tuple[int, int, int]:
        """How many steps are drawn first, how many of each beam, and how many in a round at most."""

    @abstractmethod
    def _narrow(self, grown: list[Grown], places: int) -> tuple[list[Grown], int]:
        """The beams to go on with, best first, and how many steps may be drawn from them."""

    def _steps(self) -> Steps:
        return Steps(self.environment, self.verifier, self.generator, self.lookahead)

    def counts(self) -> tuple[int, int] | None:
        """All rounds at full width."""
        first, _, places = self._shape
        steps = first + (self.rounds - 1) * places
        return steps * (self.lookahead + 1), steps

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        steps, waves, (first, each, places) = self._steps(), self._waves, self._shape
        tree = await steps.start(prompt, run)
        parents, seen, unfinished, failure = [ROOT] * first, list[Grown](), list[Grown](), None
        for _ in range(self.rounds):
            grown, failure = await waves.grow(steps, prompt, tree, parents, run)
            if not grown:
                break
            seen += grown
            unfinished, places = self._narrow(grown, places)
            unfinished = waves.distinct(tree, unfinished)
            parents = [g.node for g in unfinished for _ in range(each)][:places]
            if not parents or over(grown, failure):
                break
        return await answer(prompt, waves.weighed(tree, seen), unfinished, failure, self.select, run)


@dataclass(frozen=True)
class BeamSearch(Beams):
    """Draws `n` first steps, keeps the best `n / m`, draws `m` next steps of each, and so on for `rounds` steps.

    - n: steps drawn in a round, a multiple of `m`.
    - m: next steps of each beam.
    - verifier: scores the path to each state, such as `ProcessReward`, which makes one score of those of the steps.
      Ties go to the step drawn first, equal steps are not merged.
    - environment: what a step is.
    - rounds: the most steps that an answer takes.
    - lookahead: a state is scored where that many more steps at temperature 0 lead; the text of those is forgotten.
    - first: steps drawn in the first round, from 1; None: `n`. With `n / m` each is followed, whatever it scores.
    - agree: draw so many steps of each beam, and where they are all equal no more. Equal steps of one beam are followed
      once; in a vote an answer weighs what the shares of the draws on its path say. From 2; 0 draws all, as published,
      and so does a beam of fewer steps than `agree`.
    - aware: draw the steps of a beam one after the other, and show the generator those before, fenced, for it to take
      another. A round then takes `m` calls in sequence.
    - select: chooses among all complete answers; `Vote(key, weighted=True)` is the published choice. Without any, the
      best unfinished path is returned, marked as truncated.
    - generator: what proposes steps; None is the one given to `solve`.

    All that are finished are set aside, and each takes one of the `n` places: the next round draws that many fewer. A
    dead end (the environment's reward is the least score) takes none.

    Cost: at most `n` steps and `n` verifications a round; with lookahead k, `n` * (k + 1) steps. Source: Snell et al.,
    Scaling LLM Test-Time Compute Optimally, section 5 ("beam", "lookahead"; 40 rounds; m = 4 or the root of n). The
    paper does not say what becomes of finished beams: that they take a place is our reading.
    """

    n: int
    m: int
    verifier: Verifier
    environment: Environment[Any] = field(default_factory=TextSteps)
    rounds: int = 40
    lookahead: int = 0
    first: int | None = None
    agree: int = 0
    aware: bool = False
    select: Selector = Argmax()
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, n=0, m=0, rounds=1, agree=0, **({} if self.first is None else {"first": 1}))
        if self.m < 1 or self.n < self.m or self.n % self.m:
            raise ConfigError(f"BeamSearch keeps n / m beams: n must be a multiple of m, got n={self.n}, m={self.m}")
        if self.first is not None and self.first > self.n:
            raise ConfigError(f"first is the steps of the first round, at most n={self.n}, got {self.first}")
        if self.agree == 1:
            raise ConfigError("agree compares 2 steps of a beam or more; 0 draws all without a look at them, got 1")
        self._steps()

    @property
    def _waves(self) -> Waves:
        return Waves(self.agree if self.agree <= self.m else 0, self.aware)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.first or self.n, self.m, self.n

    def _narrow(self, grown: list[Grown], places: int) -> tuple[list[Grown], int]:
        taken = sum(g.terminal and not g.dead for g in grown)
        return ranked(g for g in grown if not g.terminal), places - taken


@dataclass(frozen=True)
class AlphaMathBeam(Beams):
    """Step-level beam search SBS(B1, B2): `b2` next steps of each beam, of which the best `b1` are kept.

    - b1: beams, at first; (1, 1) is greedy.
    - b2: next steps of each beam; it starts from one beam, so with `b2` steps.
    - verifier, environment, rounds, lookahead, select, generator: those of `BeamSearch`.

    Finished and unfinished paths compete for the beam, and each finished one in it narrows it by a beam for good. The
    answer is the one with the highest value. Cost: at most `b1` * `b2` steps a round. Source: AlphaMath, released
    ``step_beam.py``. There a finished step that is not among the best `b1` is forgotten; here it stays a candidate for
    the answer.
    """

    b1: int
    b2: int
    verifier: Verifier
    environment: Environment[Any] = field(default_factory=TextSteps)
    rounds: int = 40
    lookahead: int = 0
    select: Selector = Argmax()
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, b1=1, b2=1, rounds=1)
        self._steps()

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.b2, self.b2, self.b1 * self.b2

    def _narrow(self, grown: list[Grown], places: int) -> tuple[list[Grown], int]:
        kept = ranked(grown)[: places // self.b2]
        beams = [g for g in kept if not g.terminal]
        return beams, places - self.b2 * (len(kept) - len(beams))
