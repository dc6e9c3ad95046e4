"""Particle filtering: a population of paths that grow side by side; good ones are copied, bad ones die out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from searchkit.environments.protocols import Environment
from searchkit.environments.text_steps import TextSteps
from searchkit.errors import ConfigError
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.particles.population import Particle, Sweep, drawn, owners, resampled, weighed
from searchkit.strategies.particles.potentials import Form, Potential
from searchkit.strategies.particles.resampling import SCHEMES, Resampling
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategies.stepwise.steps import Grown, Steps, answer, over
from searchkit.strategy import AnswerRule, Strategy
from searchkit.tree import Tree
from searchkit.types import Prompt, Sample, Scored, Verdict


@dataclass(frozen=True)
class ParticleFilter(Strategy):
    """Grows `n` paths by a step each, weighs them, draws `n` of them by weight, with copies, and so on until all end.

    - n: particles: paths in the population.
    - verifier: scores the path to each state, such as `ProcessReward`.
    - environment: what a step is.
    - rounds: the most steps that an answer takes.
    - weights: what a score does to a weight, see `Potential`; "odds" and "prod" need scores in [0, 1].
    - strength: how much it does so, see `Potential`.
    - resampling: "systematic" (least noise), "stratified", "residual" or "multinomial" (published).
    - ess: draw only in rounds where the effective number of particles is below `ess` * `n`, and carry the weights over
      where it is not; with 1 in every round, except where all weights are equal. The last round is followed by no
      drawing: it could only lose answers.
    - select: chooses the answer, see `final`. Without a finished answer, the best unfinished path is returned, marked
      as truncated.
    - final: "score" gives all complete answers and their scores to `select`, also those that have died out; "weight"
      gives it the finished paths of the last population, with their normalised weights as scores; "draw" draws one of
      these by weight and does not ask `select`.
    - generator: what proposes steps; None is the one given to `solve`.

    Finished paths take part in the drawing, and keep their place in the population.

    A failed step leaves its particle where it is, to try again; a round in which all fail ends the search. A path on
    which the verifier abstains is weighed as if it had the mean score of the others, of the finished if it is finished,
    of the unfinished if not; without any, its weight stays. It never wins.

    Cost: at most `n` steps and `n` verifications a round. Source: its_hub, released ``particle_gibbs.py``, and the
    paper it belongs to; FK steering, released ``fkd_class.py`` (which drops the weights where it does not resample).
    """

    n: int
    verifier: Verifier
    environment: Environment[Any] = field(default_factory=TextSteps)
    rounds: int = 40
    weights: Form = "odds"
    strength: float = 1.0
    resampling: Resampling = "systematic"
    ess: float = 1.0
    select: Selector = Argmax()
    final: Literal["score", "weight", "draw"] = "score"
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, n=1, rounds=1)
        if self.resampling not in SCHEMES:
            raise ConfigError(f"resampling is one of {', '.join(map(repr, SCHEMES))}, got {self.resampling!r}")
        if not 0 <= self.ess <= 1:
            raise ConfigError(f"ess is a share of the particles, in [0, 1] (1: draw in every round), got {self.ess}")
        if self.final not in ("score", "weight", "draw"):
            raise ConfigError(f'final is "score", "weight" or "draw", got {self.final!r}')
        self._steps()
        self._potential()

    @property
    def answers_by(self) -> AnswerRule:
        """Weights are those of the last population: by them, an answer that has died out is none."""
        return self.ANSWER if self.final == "score" else "own"

    def _potential(self) -> Potential:
        low, high = self.verifier.range
        return Potential(self.weights, self.strength, low, high)

    def _steps(self) -> Steps:
        return Steps(self.environment, self.verifier, self.generator)

    def counts(self) -> tuple[int, int] | None:
        return self.rounds * self.n, self.rounds * self.n

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        steps = self._steps()
        tree = await steps.start(prompt, run)
        return await self._answer(prompt, [await self._sweep(steps, prompt, tree, run)], run)

    async def _sweep(
        self, steps: Steps, prompt: Prompt, tree: Tree, run: Run, start: int = 0, kept: Sequence[Grown] = ()
    ) -> Sweep:
        """One population, from the root to its end. start: the index of the first sample.

        kept: a path that particle 0 follows, whatever is drawn. Copies of it come from where it stands by then.
        """
        particles, seen, failure, held = [Particle()] * self.n, list[Grown](), None, min(len(kept), 1)
        for t in range(self.rounds):
            moving = [i for i in range(held, self.n) if not particles[i].terminal]
            grown, failure = await steps.grow(prompt, tree, [particles[i].node for i in moving], run, start)
            seen += grown
            made = owners(tree, particles, moving, grown) | ({0: kept[t]} if t < len(kept) else {})
            particles = weighed(particles, made, self._potential())
            if all(p.terminal for p in particles) or (over(grown, failure) if moving else not made):
                break
            particles = resampled(particles, SCHEMES[self.resampling], self.ess, run.rng, held)
        return Sweep(particles, seen, failure)

    async def _answer(self, prompt: Prompt, sweeps: Sequence[Sweep], run: Run) -> Sample[Any]:
        """What `final` and `select` choose; all sweeps have a say, a draw is from the last that finished anything."""
        populations = [weighted for sweep in sweeps if (weighted := sweep.weighted())]
        if self.final == "score" or not populations:
            seen = [g for sweep in sweeps for g in sweep.seen]
            unfinished = [p.path[-1] for sweep in sweeps for p in sweep.particles if p.path and not p.terminal]
            failure = next((sweep.failure for sweep in sweeps if sweep.failure is not None), None)
            return await answer(prompt, seen, unfinished, failure, self.select, run)
        if self.final == "draw":
            return drawn(populations[-1], run.rng).path[-1].scored.sample
        scored = [
            Scored(p.path[-1].scored.sample, Verdict(None if p.score is None else weight / len(populations)))
            for population in populations
            for p, weight in population
        ]
        return scored[await choose(self.select, prompt, scored, run)].sample
