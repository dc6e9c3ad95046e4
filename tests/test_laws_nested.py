"""The laws of searches around each other: each draws its steps, or its answers, from another search."""

from __future__ import annotations

from searchkit.environments import Rewrite
from searchkit.strategies import (
    ABMCTS,
    DVTS,
    MCTS,
    PUCT,
    AStar,
    Bandit,
    BeamSearch,
    BestFirst,
    Judged,
    ParticleFilter,
    ParticleGibbs,
    RecedingHorizon,
    Rollout,
    SelfConsistency,
    TreeOfThoughts,
)
from searchkit.strategy import Strategy
from searchkit.testing.law_worlds import LEVELS
from tests.helpers.steps import STEPS, OnLetters, Worth

W = Worth()


class TestMCTSOverBeam(OnLetters):
    """Actions and rollouts are what a beam search writes."""

    asks = 1 + len(LEVELS)

    def strategy(self) -> Strategy:
        inner = BeamSearch(2, 1, W, environment=STEPS)
        return MCTS(W, policy=PUCT(), environment=STEPS, evaluation=Rollout(), iterations=3, width=2, generator=inner)


class TestBeamOverMCTS(OnLetters):
    def strategy(self) -> Strategy:
        inner = MCTS(W, environment=STEPS, iterations=3, width=2, in_flight=2)
        return BeamSearch(2, 1, W, environment=STEPS, generator=inner)


class TestParticlesOverBestFirst(OnLetters):
    def strategy(self) -> Strategy:
        inner = BestFirst(W, environment=STEPS, iterations=2, width=2)
        return ParticleFilter(3, W, environment=STEPS, weights="softmax", generator=inner)


class TestABMCTSOverDVTS(OnLetters):
    """Drafts are written by a search and by the model itself; it finds out which of them is better."""

    def strategy(self) -> Strategy:
        inner = DVTS(2, 1, W, environment=STEPS)
        return ABMCTS(W, Rewrite(), iterations=4, generators=[inner, None], in_flight=2)


class TestVoteOverBandit(OnLetters):
    def strategy(self) -> Strategy:
        arms = [TreeOfThoughts(1, 2, W, environment=STEPS), AStar(STEPS, h=Judged(W), width=2, expansions=4)]
        return SelfConsistency(3, generator=Bandit(arms, W, 3))


class TestHorizonOverGibbs(OnLetters):
    def strategy(self) -> Strategy:
        inner = ParticleGibbs(2, W, environment=STEPS, weights="softmax", sweeps=2)
        return RecedingHorizon(BestFirst(W, environment=STEPS, iterations=2, width=2, generator=inner), rounds=2)
