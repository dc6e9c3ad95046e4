"""The sampler against exact probabilities and a brute-force reference."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from searchkit.generators.embedded import sampler


def chi_square(counts: np.ndarray, p: np.ndarray) -> float:
    expected = p * counts.sum()
    return float(((counts - expected)[p > 0] ** 2 / expected[p > 0]).sum())


def brute_force(logits: list[float], t: float, k: int, top_p: float, min_p: float) -> list[float]:
    """The filtered distribution, token by token: temperature, then k best, then the nucleus, then the floor."""
    best = max(logits)
    weights = {i: math.exp((x - best) / t) for i, x in enumerate(logits)}
    ranked = sorted(weights, key=lambda i: (-logits[i], i))[: k or None]
    total, nucleus, mass = sum(weights[i] for i in ranked), [], 0.0
    for i in ranked:
        if mass < top_p * total:
            nucleus.append(i)
        mass += weights[i]
    kept = [i for i in nucleus if weights[i] >= min_p * weights[ranked[0]]] or ranked[:1]
    norm = sum(weights[i] for i in kept)
    return [weights[i] / norm if i in kept else 0.0 for i in range(len(logits))]


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p", "min_p"),
    [
        (1.0, 0, 1.0, 0.0),
        (0.5, 0, 1.0, 0.0),
        (2.0, 3, 1.0, 0.0),
        (1.0, 0, 0.7, 0.0),
        (1.0, 0, 1.0, 0.2),
        (1.5, 5, 0.8, 0.1),
    ],
)
def test_samples_follow_the_exact_distribution(temperature: float, top_k: int, top_p: float, min_p: float) -> None:
    """40,000 seeds at one position: chi-square against the brute-force distribution, which names its exact support."""
    logits = [0.3, 2.0, -1.0, 1.1, 2.0, -3.0, 0.9, 1.3]
    n, exact = 40_000, np.array(brute_force(logits, temperature, top_k, top_p, min_p))
    rows = np.tile(np.array(logits), (n, 1))
    t = np.full(n, temperature)
    mask = sampler.allowed(rows, t, np.full(n, top_k), np.full(n, top_p), np.full(n, min_p))
    assert mask[0].tolist() == (exact > 0).tolist()
    noise = sampler.gumbel(np.arange(n, dtype=np.uint64), np.full(n, 17), len(logits))
    counts = np.bincount(sampler.choose(np.where(mask, rows, -np.inf), noise, t), minlength=len(logits))
    assert counts[exact == 0].sum() == 0
    assert chi_square(counts, exact) < 30  # 7 degrees of freedom: 24.3 is exceeded once in a thousand


def test_filters_equal_brute_force() -> None:
    """300 random rows with ties, each with its own parameters, filtered together as each alone by brute force."""
    rng = random.Random(3)
    logits = [[rng.choice([0.0, 1.0, rng.gauss(0, 3)]) for _ in range(9)] for _ in range(300)]
    settings = [
        (
            rng.uniform(0.1, 3),
            rng.randrange(10),
            rng.choice([1.0, rng.uniform(0.05, 1)]),
            rng.choice([0.0, rng.random()]),
        )
        for _ in logits
    ]
    t, k, p, m = (np.array(column) for column in zip(*settings, strict=True))
    found = sampler.allowed(np.array(logits), t, k, p, m)
    for row, mask, setting in zip(logits, found.tolist(), settings, strict=True):
        assert mask == [q > 0 for q in brute_force(row, *setting)]


def test_extreme_temperatures() -> None:
    """Temperature 0 is the first best token; a temperature close to 0 is as good as greedy and raises no warning."""
    logits = np.array([[1.0, 3.0, 3.0, 0.0]])
    zero, tiny, one = np.zeros(1), np.full(1, 1e-320), np.ones(1)
    noise = sampler.gumbel(np.zeros(1, np.uint64), np.zeros(1), 4)
    assert sampler.choose(logits, noise, zero).tolist() == [1]
    assert sampler.choose(logits - [[0, 0, 0.1, 0]], noise, tiny).tolist() == [1]
    assert sampler.allowed(logits, tiny, np.zeros(1, int), one, np.zeros(1)).tolist() == [[False, True, True, False]]


def test_top_p_one_is_off() -> None:
    """At top_p 1 even a tail that vanishes in the rounding of the sum stays possible."""
    logits, one = np.array([[0.0, -60.0, -80.0]]), np.ones(1)
    assert sampler.allowed(logits, one, np.zeros(1, int), one, np.zeros(1)).all()
    assert sampler.allowed(logits, one, np.zeros(1, int), one * 0.999, np.zeros(1)).tolist() == [[True, False, False]]


def test_noise_is_independent_over_seeds_positions_and_tokens() -> None:
    """Neighbouring seeds, positions and tokens give uncorrelated standard Gumbel noise, and no value twice."""
    seeds, positions = np.meshgrid(np.arange(100, dtype=np.uint64), np.arange(50))
    noise = sampler.gumbel(seeds.ravel(), positions.ravel(), 20).reshape(50, 100, 20)
    assert abs(noise.mean() - np.euler_gamma) < 0.02
    assert abs(noise.var() - math.pi**2 / 6) < 0.05
    assert len(np.unique(noise)) == noise.size
    for axis in range(3):
        a, b = np.delete(noise, 0, axis), np.delete(noise, -1, axis)
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.02
