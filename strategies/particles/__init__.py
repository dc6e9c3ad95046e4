"""Particle methods: a population of paths that grow side by side and are resampled by weight.

Read `particle_filter.py` first, then what it is made of: `potentials.py` (from scores to weights), `resampling.py` (who
is copied and who dies out) and `population.py` (both, on a population). `particle_gibbs.py` runs several filters, each
around an answer of the one before. They grow by `stepwise/steps.py`.
"""

from searchkit.strategies.particles.particle_filter import ParticleFilter
from searchkit.strategies.particles.particle_gibbs import ParticleGibbs

__all__ = [
    "ParticleFilter",
    "ParticleGibbs",
]
