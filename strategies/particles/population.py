"""A population of paths with weights: what particle filtering and particle Gibbs share. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from searchkit.strategies.particles.potentials import FRESH, Past, Potential
from searchkit.strategies.particles.resampling import effective_size, log_mean, normalised
from searchkit.strategies.stepwise.steps import Grown
from searchkit.tree import ROOT, Tree


@dataclass(frozen=True, slots=True)
class Particle:
    """A path, the logarithm of its weight, and what its potentials were so far."""

    path: tuple[Grown, ...] = ()
    log_weight: float = 0.0
    past: Past = FRESH

    @property
    def node(self) -> int:
        return self.path[-1].node if self.path else ROOT

    @property
    def terminal(self) -> bool:
        return bool(self.path) and self.path[-1].terminal

    @property
    def score(self) -> float | None:
        return self.path[-1].score if self.path else None


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a population came to. seen: all states that were drawn, also those that have died out since."""

    particles: list[Particle]
    seen: list[Grown]
    failure: Exception | None

    def weighted(self) -> list[tuple[Particle, float]]:
        """The different finished paths with their weights, which sum to 1; the weights of copies are added up."""
        done = [p for p in self.particles if p.terminal]
        merged: dict[int, tuple[Particle, float]] = {}
        for particle, weight in zip(done, normalised([p.log_weight for p in done]) if done else [], strict=True):
            merged[particle.node] = particle, weight + merged.get(particle.node, (particle, 0.0))[1]
        return list(merged.values())


def drawn(weighted: Sequence[tuple[Particle, float]], rng: random.Random) -> Particle:
    """One of the particles, by weight."""
    [particle] = rng.choices([p for p, _ in weighted], [weight for _, weight in weighted])
    return particle


def owners(
    tree: Tree, particles: Sequence[Particle], moving: Sequence[int], grown: Sequence[Grown]
) -> dict[int, Grown]:
    """Whose step each of `grown` is, of the particles `moving`. Those whose step failed are missing.

    Which of several particles in one place failed is not known, and does not matter: they are alike.
    """
    made, left = dict[int, Grown](), list(reversed(grown))
    for i in moving:
        if left and tree.parent[left[-1].node] == particles[i].node:
            made[i] = left.pop()
    return made


def weighed(particles: Sequence[Particle], made: Mapping[int, Grown], potential: Potential) -> list[Particle]:
    """The particles with the steps that they made, and with their weights multiplied by the potentials.

    A path without a score counts as if it had the mean score of its peers, the finished or the unfinished ones; if none
    of them has a score, its factor is 1.
    """
    after = [replace(p, path=(*p.path, made[i])) if i in made else p for i, p in enumerate(particles)]
    usual = {terminal: _mean([p.score for p in after if p.terminal is terminal]) for terminal in (False, True)}
    for i, particle in enumerate(after):
        score, past, factor = particle.score, particle.past, 0.0
        if score is None:
            score = usual[particle.terminal]
        if score is not None and i in made:
            factor, past = potential.moved(score, past, terminal=particle.terminal)
        elif score is not None:
            factor = potential.stayed(score)
        after[i] = replace(particle, log_weight=particle.log_weight + factor, past=past)
    return after


def _mean(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return math.fsum(known) / len(known) if known else None


def resampled(
    particles: Sequence[Particle],
    scheme: Callable[[Sequence[float], int, random.Random], list[int]],
    ess: float,
    rng: random.Random,
    held: int = 0,
) -> list[Particle]:
    """As many particles, drawn by weight by `scheme`; but the first `held` stay.

    All have the mean weight then, so that the total is what it was: divided by their number, it estimates the
    normalising constant without bias. Where the effective number of particles is at least `ess` times their number,
    they stay as they are, with the weights they have. If all weights are 0, all start afresh.
    """
    n, logs = len(particles), [p.log_weight for p in particles]
    mean, weights = log_mean(logs), normalised(logs)
    if mean == -math.inf:
        return [replace(p, log_weight=0.0) for p in particles]
    if effective_size(weights) >= ess * n:
        return list(particles)
    return [replace(particles[i], log_weight=mean) for i in (*range(held), *scheme(weights, n - held, rng))]
