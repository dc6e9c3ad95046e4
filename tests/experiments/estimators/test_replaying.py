"""Replayed methods against the strategies themselves in every order, against brute force, and against closed forms."""

from __future__ import annotations

import asyncio
import json
import math
import random
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest

from searchkit.calls import CallError
from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool, best_at_k, maj_at_k, plot, weighted_at_k
from searchkit.experiments.estimators.replaying import Adaptive, Confident, SoftBest, replay
from searchkit.solve import solve
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.strategies.sampling.stopping import BetaStopping, Dirichlet, EarlyStopping
from searchkit.strategies.selection.confident_vote import ConfidentVote
from searchkit.types import Sample, Usage
from searchkit.verifiers.predicate import Predicate

NEVER = BetaStopping(2.0)
SILENT = pytest.mark.filterwarnings("ignore::searchkit.SearchWarning")  # in some orders most samples are failures


def column(n, seed, faults=True):
    """Entries with two answers, scores that may tie, and different lengths; some abstain, are cut off, or failed."""
    rng, entries = random.Random(seed), []
    for i in range(n):
        key = rng.choice("aab")
        entry = Entry(f"{key}{i}", key, rng.choice([0.25, 0.5, 1.0]), key == "a", rng.randint(1, 9))
        fault = rng.random() if faults else 1.0
        if fault < 0.15:
            entry = replace(entry, key=None, correct=False, finish="length")
        elif fault < 0.3:
            entry = Entry("it broke", finish="error")
        entries.append(entry)
    return tuple(entries)


def replays(entries, method, ks, **options):
    """(right, samples, tokens) at each k, for one problem."""
    curve = replay(Pool({"p": tuple(entries)}), method, ks, **options)
    return list(zip(curve.mean, curve.samples, curve.tokens, strict=True))


def answer_key(value):
    return value[0]


async def solved(strategy, order):
    """What a strategy makes of samples that come in this order: (right, samples, tokens)."""
    drawn = []

    async def model(text, index):
        drawn.append(index)
        entry = order[index]
        if entry.finish == "error":
            raise CallError(entry.value)
        return Sample(entry.value, finish=entry.finish, usage=Usage(generated_tokens=entry.generated_tokens))

    try:
        answer = (await solve("q", strategy, generator=model)).answer
    except CallError:
        return False, len(drawn), 0
    [chosen] = [entry for entry in order if entry.value == answer]
    return chosen.correct, len(drawn), sum(order[i].generated_tokens for i in drawn)


def averaged(strategy, entries, k):
    """The mean over all orders of `k` of the entries."""

    async def go():  # in one loop: thousands of short searches
        return [await solved(strategy, order) for order in permutations(entries, k)]

    return np.mean(asyncio.run(go()), axis=0)


@SILENT
@pytest.mark.parametrize(
    "rule", [BetaStopping(0.6), BetaStopping(0.8), Dirichlet(0.6), EarlyStopping(2), NEVER], ids=str
)
def test_adaptive_is_self_consistency_averaged_over_all_orders(rule):
    """Accuracy, samples and tokens at each cap are means over every order of what the strategy does in that order.

    An abstaining sample is never right here: where nobody votes the strategy returns one, which the replay calls wrong.
    """
    for seed in range(3):
        entries = column(4, seed)
        found = replays(entries, Adaptive(rule), (1, 3, 4))
        for k, have in zip((1, 3, 4), found, strict=True):
            strategy = SelfConsistency(k, answer_key, stop=rule, window=1)
            assert have == pytest.approx(averaged(strategy, entries, k)), (seed, k)


@SILENT
@pytest.mark.parametrize("eta", [10, 50, 75, 100])
def test_confident_is_the_confident_vote_averaged_over_all_orders(eta):
    """The selection rule itself, through best-of-N with the stored scores."""
    for seed in range(3):
        entries = column(4, seed)
        scores = {entry.value: entry.score for entry in entries}
        verifier = Predicate(lambda value, scores=scores: scores[value], name="stored")
        found = replays(entries, Confident(eta), (1, 3, 4))
        for k, have in zip((1, 3, 4), found, strict=True):
            strategy = BestOfN(k, verifier, select=ConfidentVote(eta, answer_key))
            assert have == pytest.approx(averaged(strategy, entries, k)), (seed, k)


def test_soft_best_of_n_by_brute_force():
    """The mean over all subsets of the chance that softmax gives to right samples; one without a score has none."""
    entries = [*column(5, 1, faults=False), Entry("unscored", "a", None, True)]
    for k, (have, samples, _) in zip((1, 2, 5), replays(entries, SoftBest(0.3), (1, 2, 5), trials=720), strict=True):
        want = []
        for subset in combinations(entries, k):
            weights = [0.0 if e.score is None else math.exp(e.score / 0.3) for e in subset]
            right = sum(w for w, e in zip(weights, subset, strict=True) if e.correct)
            want.append(right / sum(weights) if any(weights) else 0.0)
        assert (have, samples) == (pytest.approx(np.mean(want)), k)


def test_the_ends_of_every_dial_are_known_estimators():
    """Never stopping is maj@k, all confident is weighted@k, tau near 0 is best@k, a great tau is plain sampling."""
    for seed in range(4):
        entries = column(5, seed, faults=False)
        keys, correct, scores = ([getattr(e, name) for e in entries] for name in ("key", "correct", "score"))
        ks = (1, 2, 3, 5)
        for method, want in (
            (Adaptive(NEVER), [maj_at_k(keys, correct, k) for k in ks]),
            (Confident(100), [weighted_at_k(keys, scores, correct, k) for k in ks]),
            (SoftBest(1e-4), [best_at_k(scores, correct, k) for k in ks]),
            (SoftBest(1e9), [np.mean(correct)] * 4),
        ):
            have = [right for right, _, _ in replays(entries, method, ks)]
            assert have == pytest.approx(want, abs=1e-6), method


def test_a_unanimous_problem_takes_four_samples():
    """BetaStopping(0.95) stops at 4 of equal answers whatever the cap; a cap below 4 is reached."""
    entries = [Entry("a", "a", correct=True, generated_tokens=10)] * 16
    assert replays(entries, Adaptive(BetaStopping()), (2, 4, 16)) == [
        (1.0, 2.0, 20.0),
        (1.0, 4.0, 40.0),
        (1.0, 4.0, 40.0),
    ]


def test_the_recorded_order_says_nothing():
    """Three lucky samples in front: as recorded, right after one window; shuffled, what both orders of them give."""
    lucky, method = [Entry("a", "a", correct=True)] * 3 + [Entry("b", "b")] * 3, Adaptive(EarlyStopping(3))
    assert method(lucky) == (1.0, 3)
    [(right, samples, _)] = replays(lucky, method, [6], trials=720)
    assert (right, samples) == pytest.approx((1 / 2, 6 - 3 * 2 / 20))  # 2 of 20 arrangements begin with three equal
    assert replays(lucky[::-1], method, [6], trials=720) == [(right, samples, 0.0)]


def test_sampled_orders_agree_with_all_orders():
    """504 orders enumerated, and 400 drawn: within 4 standard errors; a seed repeats itself, another one differs."""
    entries, method = column(9, 5), Adaptive(BetaStopping(0.8))
    exact = replays(entries, method, (2, 3), trials=504)
    drawn = replays(entries, method, (2, 3), trials=400)
    assert exact != drawn == replays(entries, method, (2, 3), trials=400)
    assert replays(entries, method, (2, 3), trials=400, seed=1) != drawn
    for (want, *_), (have, *_) in zip(exact, drawn, strict=True):
        assert 0 < abs(have - want) < 4 * 0.5 / 400**0.5


def test_problems_are_shuffled_apart():
    """Two problems with the same entries have different sampling errors, or their mean would be no better than one."""
    entries = column(12, 3)
    values = replay(Pool({"p": entries, "q": entries}), Adaptive(BetaStopping()), [8], trials=50).per_problem
    assert values[0] != values[1]


def test_a_replay_is_a_curve():
    """It has intervals over problems, can be compared, plotted against tokens, and stored with its samples."""
    pool = Pool({f"p{i}": column(16, i) for i in range(12)})
    adaptive = replay(pool, Adaptive(BetaStopping()))
    assert adaptive.ks == (1, 2, 4, 8, 16)
    assert (adaptive.name, adaptive.problems) == ("Adaptive(rule=BetaStopping(threshold=0.95))", tuple(pool.entries))
    assert all(low < mean < high for low, mean, high in zip(adaptive.low, adaptive.mean, adaptive.high, strict=True))
    vote = pool.curve("maj@k")
    assert adaptive.minus(vote).mean[0] == pytest.approx(0, abs=0.1)
    assert adaptive.tokens[-1] < vote.tokens[-1]
    assert adaptive.samples[-1] < 16
    assert plot(adaptive, x="tokens").lines[0].get_xdata().tolist() == list(adaptive.tokens)
    assert json.loads(adaptive.to_json())["samples"] == list(adaptive.samples)


def test_any_function_of_entries_can_be_replayed():
    """The first sample of at least 5 tokens, else the last: by hand over the 6 orders of 3."""

    def patient(entries):
        n = next((i for i, e in enumerate(entries, 1) if e.generated_tokens >= 5), len(entries))
        return float(entries[n - 1].correct), n

    entries = [
        Entry("x", correct=True, generated_tokens=1),
        Entry("y", generated_tokens=5),
        Entry("z", generated_tokens=9),
    ]
    curve = replay(Pool({"p": tuple(entries)}), patient, [1, 3])
    assert curve.name == "patient"
    assert curve.mean == pytest.approx([1 / 3, 0])
    assert curve.samples == pytest.approx([1, (2 + 2 + 4 * 1) / 6])
    assert curve.tokens == pytest.approx([5, (6 + 10 + 5 + 5 + 9 + 9) / 6])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda pool: replay(pool, SoftBest(), [0, 1]), r"ascend within \[1, 4\]"),
        (lambda pool: replay(pool, SoftBest(), trials=0), "trials must be >= 1"),
        (lambda pool: SoftBest(0), "tau > 0"),
        (lambda pool: Confident(0), "percentage"),
        (lambda pool: replay(pool.scored_by("log"), Confident()), "scores >= 0"),
    ],
)
def test_mistakes_are_named(call, says):
    """Each with the fix."""
    pool = Pool({"p": tuple(replace(e, scores={"log": -1.0}) for e in column(4, 0, faults=False))})
    with pytest.raises(ConfigError, match=says):
        call(pool)
