"""Particle Gibbs: one particle filter after the other, each built around an answer of the one before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.protocols import Run
from searchkit.strategies.particles.particle_filter import ParticleFilter
from searchkit.strategies.particles.population import Sweep, drawn
from searchkit.strategies.particles.resampling import Resampling
from searchkit.strategies.stepwise.steps import Grown
from searchkit.types import Prompt, Sample


@dataclass(frozen=True)
class ParticleGibbs(ParticleFilter):
    """Runs `sweeps` particle filters. In each after the first, one of the `n` particles follows a finished path of the
    sweep before, drawn by weight.

    That reference is never replaced but may be copied, up to the step where the others are; it is weighed there too,
    not by where it ends. The path drawn after many sweeps comes from the target distribution itself, which one filter
    with few particles only approximates. That holds for independent draws only: resampling must be "multinomial", as
    published.

    All else is as in `ParticleFilter`: "score" and "weight" choose among all sweeps (each with the same total weight;
    the released code forgets all but the last), "draw" draws from the last. A sweep that finishes nothing has no
    reference to hand on.

    Cost: at most `n` steps and `n` verifications a round in the first sweep, `n` - 1 in those with a reference; the
    sweeps run one after the other. Source: its_hub, released ``particle_gibbs.py``; there a reference that has ended
    is weighed by its end from the first round on. Ancestor sampling is not implemented, here or there.
    """

    resampling: Resampling = "multinomial"
    sweeps: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sweeps < 1:
            raise ConfigError(f"ParticleGibbs needs sweeps >= 1, got {self.sweeps}")
        if self.n < 2 and self.sweeps > 1:
            raise ConfigError(f"ParticleGibbs needs n >= 2: one particle follows the reference, got n={self.n}")
        if self.resampling != "multinomial":
            raise ConfigError(f'ParticleGibbs needs resampling="multinomial", got {self.resampling!r}')

    def counts(self) -> tuple[int, int] | None:
        """As if no sweep finished anything."""
        steps = self.sweeps * self.rounds * self.n
        return steps, steps

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        steps, sweeps, kept = self._steps(), list[Sweep](), tuple[Grown, ...]()
        tree = await steps.start(prompt, run)
        for start in range(0, self.sweeps * self.n, self.n):
            sweep = await self._sweep(steps, prompt, tree, run, start, kept)
            sweeps.append(sweep)
            if isinstance(sweep.failure, BudgetExhausted):
                break
            weighted = sweep.weighted()
            kept = drawn(weighted, run.rng).path if weighted else ()
        return await self._answer(prompt, sweeps, run)
