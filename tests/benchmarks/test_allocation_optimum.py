"""The benchmark that computes the best allocation, against all policies and all sequences of scores."""

from __future__ import annotations

import functools
from itertools import product

import numpy as np
import pytest

from benchmarks.allocation_optimum import RATES, Verifier, levels, spend, uniform

COARSE = Verifier(right=np.array([0.2, 0.3, 0.5]), wrong=np.array([0.6, 0.3, 0.1]))


def sequences(n):
    """Every sequence of n scores with its chance, and the chance that the first sample with the best score is right."""
    for scores in product(range(3), repeat=n):
        chance = COARSE.seen[:, scores].prod(axis=1)
        yield scores, chance.mean(), (chance * COARSE.holds[:, max(scores)]).mean()


def policies(horizon):
    """Every way to go on or stop, by the counts of what was seen."""
    seen = {tuple(np.bincount(s, minlength=3)) for n in range(1, horizon) for s in product(range(3), repeat=n)}
    for choices in product((False, True), repeat=len(seen)):
        yield dict(zip(sorted(seen), choices, strict=True))


@functools.cache
def followed(horizon):
    """How often each policy is right and what it uses, by following it along every sequence."""
    return [follow(policy, horizon) for policy in policies(horizon)]


def follow(policy, horizon):
    """Each sequence is met once for all that begin with it."""
    right = used = 0.0
    for n in range(1, horizon + 1):
        for scores, chance, correct in sequences(n):
            begun = all(policy[tuple(np.bincount(scores[:i], minlength=3))] for i in range(1, n))
            if begun and (n == horizon or not policy[tuple(np.bincount(scores, minlength=3))]):
                right, used = right + correct, used + n * chance
    return right, used


@pytest.mark.parametrize("price", [0.3, 0.1, 0.05, 0.01])
def test_no_policy_is_worth_more(price):
    """Of all 512 with at most three samples; looking one ahead is one of them."""
    known = list(levels(COARSE, 3))
    best, one = ((right - price * used) for right, used in (spend(known, price, ahead=a) for a in (False, True)))
    worth = [right - price * used for right, used in followed(3)]
    assert best == pytest.approx(max(worth))
    assert one <= best + 1e-12
    assert min(abs(w - one) for w in worth) < 1e-12


def test_uniform_best_of_n_by_enumeration():
    """Stopping at the first score in the highest bin, or in the two highest."""
    for first in (1, 2):
        right = used = 0.0
        for scores, chance, _ in sequences(3):
            length = next((i for i, s in enumerate(scores, 1) if s >= first), 3)
            alike = COARSE.seen[:, scores].prod(axis=1)
            right += (alike * COARSE.holds[:, max(scores[:length])]).mean()
            used += length * chance
        assert uniform(COARSE, 3, first) == pytest.approx((right, used))


def test_the_verifier_is_that_of_the_study():
    """Rounded to a thousand bins, its AUROC is 0.8; a score is the chance to be right where half of the samples are."""
    edges = np.linspace(0.001, 0.999, 999)
    fine = Verifier.of(edges)
    below = np.cumsum(fine.wrong) - fine.wrong / 2
    assert (fine.right * below).sum() == pytest.approx(0.8, abs=1e-3)
    chance = fine.right / (fine.right + fine.wrong)
    assert chance[1:-1] == pytest.approx((edges[1:] + edges[:-1]) / 2, abs=1e-3)
    assert RATES.mean() == pytest.approx(0.5)
