"""Beam search over steps: many next steps, keep the promising ones, go on from those."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from searchkit.environments.protocols import Environment
from searchkit.environments.text_steps import TextSteps
from searchkit.errors import ConfigError
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.checks import check_counts
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategies.stepwise.steps import Grown, Steps, answer, over, ranked
from searchkit.strategy import Strategy, worst_case
from searchkit.tree import ROOT
from searchkit.types import Prompt, Sample, Usage


@dataclass(frozen=True)
class BeamSearch(Strategy):
    """Draws `n` first steps, keeps the best `n / m`, draws `m` next steps of each, and so on for `rounds` steps.

    verifier: scores the path to each state, such as `ProcessReward`, which makes one score of those of the steps. Ties
    go to the step drawn first, equal steps are not merged. lookahead: a state is scored where that many more steps at
    temperature 0 lead; the text of those is forgotten. select: chooses among all finished answers; `Vote(key,
    weighted=True)` is the published choice. Without any, the best unfinished path is returned, marked as truncated.

    form: how the beam narrows as answers finish. "snell": all that are finished are set aside, and each takes one of
    the `n` places: the next round draws that many fewer. A dead end (the environment's reward is the least score) takes
    none. "alphamath": finished and unfinished compete for the beam, and each finished one in it narrows it by a beam
    for good; see `BeamSearch.alphamath`.

    Cost: at most `n` steps and `n` verifications a round; with lookahead k, `n` * (k + 1) steps. Source: Snell et al.,
    Scaling LLM Test-Time Compute Optimally, section 5 ("beam", "lookahead"; 40 rounds; m = 4 or the root of n).
    The paper does not say what becomes of finished beams: that they take a place is our reading.
    """

    n: int
    m: int
    verifier: Verifier
    environment: Environment[Any] = field(default_factory=TextSteps)
    rounds: int = 40
    lookahead: int = 0
    form: Literal["snell", "alphamath"] = "snell"
    select: Selector = Argmax()
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, n=0, m=0, rounds=1)
        if self.m < 1 or self.n < self.m or self.n % self.m:
            raise ConfigError(f"BeamSearch keeps n / m beams: n must be a multiple of m, got n={self.n}, m={self.m}")
        if self.form not in ("snell", "alphamath"):
            raise ConfigError(f'form is "snell" or "alphamath", got {self.form!r}')
        self._steps()

    @classmethod
    def alphamath(cls, b1: int, b2: int, verifier: Verifier, **options: Any) -> BeamSearch:
        """Step-level beam search SBS(B1, B2): `b2` next steps of each beam, of which the best `b1` are kept.

        It starts from one beam, so with `b2` steps, and `b1` shrinks by one with each finished beam; the answer is the
        one with the highest value. (1, 1) is greedy. Cost: at most `b1` * `b2` steps a round. Source: AlphaMath,
        released ``step_beam.py``. There a finished step that is not among the best `b1` is
        forgotten; here it stays a candidate for the answer.
        """
        if b1 < 1 or b2 < 1:
            raise ConfigError(f"BeamSearch.alphamath needs b1 >= 1 and b2 >= 1, got {b1} and {b2}")
        return cls(b1 * b2, b2, verifier, form="alphamath", **options)

    @property
    def _first(self) -> int:
        return self.n if self.form == "snell" else self.m

    def _steps(self) -> Steps:
        return Steps(self.environment, self.verifier, self.generator, self.lookahead)

    def worst_case(self, sample: Usage) -> Usage | None:
        """All rounds at full width; an environment or a verifier that asks models costs more."""
        one, steps = worst_case(self.generator, sample), self._first + (self.rounds - 1) * self.n
        return None if one is None else one.times(steps * (self.lookahead + 1)) + Usage(verifications=steps)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        steps, places = self._steps(), self.n
        tree = await steps.plant(prompt, run)
        parents, finished, unfinished, failure = [ROOT] * self._first, list[Grown](), list[Grown](), None
        for _ in range(self.rounds):
            grown, failure = await steps.grow(prompt, tree, parents, run)
            if not grown:
                break
            finished += [g for g in grown if g.terminal]
            unfinished, places = self._narrow(grown, places)
            parents = [g.node for g in unfinished for _ in range(self.m)][:places]
            if not parents or over(grown, failure):
                break
        return await answer(prompt, finished, unfinished, failure, self.select, run)

    def _narrow(self, grown: list[Grown], places: int) -> tuple[list[Grown], int]:
        """The beams to go on with, best first, and how many steps may be drawn from them."""
        if self.form == "snell":
            taken = sum(g.terminal and not g.dead for g in grown)
            return ranked(g for g in grown if not g.terminal), places - taken
        kept = ranked(grown)[: places // self.m]
        beams = [g for g in kept if not g.terminal]
        return beams, places - self.m * (len(kept) - len(beams))
