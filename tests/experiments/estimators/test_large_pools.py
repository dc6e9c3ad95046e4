"""Estimates from pools of a thousand samples, against closed forms that hold at any size."""

from fractions import Fraction
from math import comb

import pytest

from searchkit.experiments import Entry, Pool, compute, maj_at_k


@pytest.mark.parametrize(("n", "a", "k"), [(1000, 480, 3), (1000, 480, 512), (1000, 30, 64), (999, 500, 998)])
def test_a_vote_of_two_answers_is_the_hypergeometric_tail(n, a, k):
    ways = sum(comb(a, i) * comb(n - a, k - i) * Fraction(2 * i > k, 1) for i in range(k + 1))
    if k % 2 == 0:
        ways += Fraction(comb(a, k // 2) * comb(n - a, k // 2), 2)
    got = maj_at_k([i < a for i in range(n)], [i < a for i in range(n)], k)
    assert got == pytest.approx(float(ways / comb(n, k)), abs=1e-11)


@pytest.mark.parametrize("k", [1, 2, 350, 699, 700])
def test_among_answers_that_all_differ_each_wins_as_often(k):
    assert maj_at_k(range(700), [i < 335 for i in range(700)], k) == pytest.approx(335 / 700, abs=1e-11)


@pytest.mark.parametrize("k", [1, 2, 9, 256, 511, 512])
def test_a_vote_that_one_answer_wins_for_sure_is_one_and_one_that_it_cannot_is_zero(k):
    keys = ["a"] * 512
    assert maj_at_k(keys, [True] * 512, k) == 1.0
    assert maj_at_k(["a"] * 511 + ["b"], [False] * 511 + [True], max(k, 3)) == 0.0


@pytest.mark.parametrize("k", [1, 2, 17, 1023, 1024])
def test_the_longest_of_k_is_weighed_by_subsets(k):
    tokens = [(i * 7919) % 1024 for i in range(1024)]
    want = sum(Fraction(i * comb(i, k - 1), comb(1024, k)) for i in range(1024))
    pool = Pool({"p": tuple(Entry("", generated_tokens=one) for one in tokens)})
    assert compute(pool, [k]).sequential == pytest.approx((float(want),), rel=1e-12)
