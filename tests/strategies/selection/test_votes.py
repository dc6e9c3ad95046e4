"""Votes that weigh or leave out by rank, percentile and length: closed forms, second implementations, recorded data."""

from __future__ import annotations

import asyncio
import itertools
import math
import pickle
import random

import numpy as np
import pytest

from searchkit import Model, Params, solve
from searchkit.errors import ConfigError, VerifierError
from searchkit.generators import Embedded
from searchkit.lab.checker import operations, problem
from searchkit.lab.countdown import Countdown
from searchkit.strategies import Rounds, SelfConsistency
from searchkit.strategies.sampling.best_of_n import BestOfN
from searchkit.strategies.selection.borda_vote import BordaVote, borda_weights
from searchkit.strategies.selection.complexity_vote import ComplexityVote, count_steps
from searchkit.strategies.selection.confident_vote import ConfidentVote, percentile
from searchkit.strategies.selection.rules import Argmax, Soft, Vote
from searchkit.testing import Scripted
from searchkit.verifiers.consensus.confidence import DeepConf
from tests.helpers.selecting import candidate, leader, reward_model_rows, select, selecting, shares


def itself(value):
    return None if value == "none" else value


def chosen(selector, values, scores):
    """The index that is chosen among samples with these values and scores."""
    return select(selector, *map(candidate, values, scores)).index


def draws(trials=80, n=7):
    """Random answers of which some abstain, and scores that differ."""
    rng = random.Random(5)
    for _ in range(trials):
        yield rng.choices(["x", "y", "z", "none"], k=n), rng.sample(range(1, 100), n)


# ---------------------------------------------------------------- complexity


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", 0), ("one", 1), ("a\nb\nc", 3), ("a\n\n\nb", 2), ("a\r\nb\rc\n", 3), ("\n \t\n", 0), ("a\u2028b", 2),
    ],
)  # fmt: skip
def test_steps_are_lines_that_are_not_blank(text, steps):
    """However line breaks are written."""
    assert count_steps(text) == steps


def last_line(text):
    return itself(text.split()[-1]) if text.split() else None


def steps(n, answer):
    """A text of `n` lines that ends with `answer`."""
    return "\n".join([*["step"] * (n - 1), answer])


def test_the_most_complex_samples_outvote_the_many():
    """Three short x, two long y: all five say x, the three longest y; at equal length the first seen has a place."""
    scored = [candidate(steps(n, a)) for n, a in [(1, "x"), (2, "x"), (4, "y"), (5, "y"), (2, "x")]]
    for k, index, share in [(1, 3, 1.0), (2, 2, 1.0), (3, 2, 2 / 3), (5, 0, 3 / 5), (50, 0, 3 / 5)]:
        choice = select(ComplexityVote(k, last_line), *scored)
        assert (choice.index, choice.score) == (index, pytest.approx(share))
    equal = [candidate(steps(2, a)) for a in "xyy"]
    assert select(ComplexityVote(2, last_line), *equal).index == 0  # x and the first y are a tie


def test_truncated_and_answerless_samples_take_no_place():
    """The longest text is cut off, the second longest has no answer: the vote is between the other two."""
    scored = [candidate(steps(9, "z"), finish="length"), candidate(steps(8, "none"))]
    scored += [candidate(steps(2, "x")), candidate(steps(3, "y"))]
    assert select(ComplexityVote(1, last_line), *scored).index == 3
    assert select(ComplexityVote(3, last_line), *scored[:2]).index is None


def test_with_k_of_n_it_is_plain_self_consistency():
    """The whole of 80 random votes, choice and share."""
    for values, scores in draws():
        scored = [candidate(steps(length, value)) for value, length in zip(values, scores, strict=True)]
        assert select(ComplexityVote(7, last_line), *scored) == select(Vote(last_line), *scored)


# ---------------------------------------------------------------- Borda


def test_weights_are_powers_of_ranks():
    """Four scores: weights 4, 3, 2, 1 to the power, best first; unscored samples have no rank."""
    assert borda_weights([0.1, -7.0, None, 99.0, 0.2], 1) == [2, 1, None, 4, 3]
    assert borda_weights([1.0, 2.0], 0.5) == [1.0, math.sqrt(2)]
    assert borda_weights([3.0, 1.0, 2.0], 0) == [1.0] * 3
    assert borda_weights([None], 1) == [None]
    assert borda_weights([0.0, -0.0, -math.inf], 1) == [2.5, 2.5, 1]


def test_equal_scores_have_the_mean_over_all_ways_to_rank_them():
    """Brute force: the weights of all permutations that sort the scores, averaged."""
    scores = [2.0, 5.0, 2.0, 2.0, 1.0, 5.0]
    orders = [o for o in itertools.permutations(range(6)) if [-scores[i] for i in o] == sorted(-s for s in scores)]
    assert len(orders) == 2 * 6
    mean = [np.mean([(6 - order.index(i)) ** 0.7 for order in orders]) for i in range(6)]
    assert borda_weights(scores, 0.7) == pytest.approx(mean)


def test_a_vote_by_rank_is_what_the_definition_says():
    """80 random votes against a second implementation, for powers from 0 (the plain vote) to 2."""
    for values, scores in draws():
        for power in (0.0, 0.5, 2.0):
            weight = [(7 - sum(other > score for other in scores)) ** power for score in scores]
            ballots = [(i, v, weight[i]) for i, v in enumerate(values) if v != "none"]
            if not ballots:
                continue
            winner = values[leader(ballots)]
            best = max((i for i, v in enumerate(values) if v == winner), key=lambda i: (weight[i], -i))
            assert chosen(BordaVote(power, itself), values, scores) == best


def test_power_goes_from_the_plain_vote_to_the_best_sample():
    """x has three low votes, y one high: 1 + 2 + 3 against 4 at power 1, 1 + 8 + 27 against 64 at power 3."""
    values, scores = ["x", "x", "x", "y"], [-3.0, -2.0, -1.0, 50.0]
    assert [chosen(BordaVote(p, itself), values, scores) for p in (0, 0.5, 1, 3, 50)] == [0, 2, 2, 3, 3]
    assert select(BordaVote(1, itself), *map(candidate, values, scores)).score == pytest.approx(6 / 10)
    for votes, _ in draws(60):  # a constant score is the plain vote
        same = [candidate(v, 3.5) for v in votes]
        assert select(BordaVote(2, itself), *same) == select(Vote(itself), *same)


def test_only_the_order_of_scores_counts():
    """Any rising function of the scores gives the same choice; of negative scores a weighted vote makes an error."""
    for values, scores in draws(50):
        logs = [math.log(score) - 100 for score in scores]
        assert chosen(BordaVote(key=itself), values, scores) == chosen(BordaVote(key=itself), values, logs)
    with pytest.raises(VerifierError, match=">= 0"):
        chosen(Vote(itself, weighted=True), ["x"], [-100.0])


# ---------------------------------------------------------------- DeepConf


@pytest.mark.parametrize("n", [1, 2, 3, 8, 11, 30])
def test_percentiles_are_numpys(n):
    """At whole positions and between them; never above the greatest value."""
    values = [random.Random(n).gauss(0, 1) for _ in range(n)]
    for q in (0, 0.1, 10, 33.3, 50, 90, 95, 99.9, 100):
        assert percentile(values, q) == pytest.approx(np.percentile(values, q), rel=1e-12)
        assert percentile(values, q) <= max(values)
    assert percentile([0.1] * n, 90) == 0.1


def test_a_vote_of_the_confident_is_what_the_release_does():
    """80 random votes against the release's rule, written with NumPy, among samples that have an answer."""
    for values, scores in draws():
        voters = [i for i, v in enumerate(values) if v != "none"]
        for eta in (10, 50, 90, 100):
            if not voters:
                assert chosen(ConfidentVote(eta, itself), values, scores) is None
                continue
            bar = np.percentile([scores[i] for i in voters], 100 - eta)
            ballots = [(i, values[i], scores[i]) for i in voters if scores[i] >= bar]
            winner = values[leader(ballots)]
            best = max((i for i, v, _ in ballots if v == winner), key=lambda i: scores[i])
            assert chosen(ConfidentVote(eta, itself), values, scores) == best


def test_eta_goes_from_the_best_sample_to_the_weighted_vote():
    """x has three votes of 1, y one of 2: the upper tenth is y alone, all are x; equal scores at the bar stay in."""
    values, scores = ["x", "y", "x", "x"], [1.0, 2.0, 1.0, 1.0]
    assert [chosen(ConfidentVote(eta, itself), values, scores) for eta in (10, 30, 60, 100)] == [1, 1, 0, 0]
    for values, scores in draws(40):
        scored = list(map(candidate, values, scores))
        assert select(ConfidentVote(100, itself), *scored) == select(Vote(itself, weighted=True), *scored)


def test_unscored_and_truncated_samples_move_no_bar():
    """Two high scores that cannot vote would push the bar above all others; an error in a key is recorded once."""
    scored = [candidate("z", 9.0, "length"), candidate("z"), candidate("none", 8.0), candidate("x", 1.0)]
    assert select(ConfidentVote(10, itself), *scored).index == 3

    def raising(value):
        raise ValueError("no key")

    choice, search = selecting(ConfidentVote(10, raising), candidate("x", 1.0))
    assert (choice.index, len(search.errors)) == (None, 1)


def test_deepconf_offline_with_the_embedded_model():
    """Twelve texts, windows of 8 tokens: confidences, the bar and the vote as NumPy gets them from the same tokens."""
    [puzzle] = Countdown().puzzles(1, "dev")
    model = Model(Embedded(), Params(max_tokens=64, logprobs=5))
    strategy = BestOfN(12, DeepConf(window=8), select=ConfidentVote(50, operations))
    result = asyncio.run(solve(problem(puzzle), strategy, generator=model))
    samples = [c.sample for c in result.candidates if not c.sample.truncated and operations(c.sample.text)]
    tokens = [[-np.mean([log for _, log in token.top]) for token in sample.logprobs] for sample in samples]
    sure = [np.convolve(row, np.full(8, 1 / 8), "valid").min() for row in tokens]
    bar = np.percentile(sure, 50)
    ballots = [(i, operations(s.text), w) for i, (s, w) in enumerate(zip(samples, sure, strict=True)) if w >= bar]
    assert 1 < len(ballots) < len(samples)
    assert operations(result.answer) == operations(samples[leader(ballots)].text)


# ---------------------------------------------------------------- soft best-of-N


def test_soft_best_of_n_between_its_two_limits():
    """tau to 0 is the argmax, tau to infinity uniform, and in between the softmax, within 4 standard errors."""
    scores, trials = [0.0, 1.0, 2.0], 3000
    scored = [candidate("x", score) for score in scores]
    assert shares(Soft(1e-3), scored, 50) == [0, 0, 1]
    for tau in (1.0, 1e9):
        mass = [math.exp(score / tau) for score in scores]
        for share, m in zip(shares(Soft(tau), scored, trials), mass, strict=True):
            p = m / sum(mass)
            assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / trials)


# ---------------------------------------------------------------- all of them


def test_on_recorded_data_each_rule_chooses_what_its_definition_says():
    """800 MATH answers with a reward model's logits: every choice equals a second implementation's."""
    for answers, _, logits in reward_model_rows():
        ranks = [sum(other > logit for other in logits) for logit in logits]
        if len(set(logits)) == len(logits):
            ballots = [(i, a, (8 - ranks[i]) ** 0.5) for i, a in enumerate(answers)]
            assert answers[chosen(BordaVote(key=str), answers, logits)] == answers[leader(ballots)]
        sure = [1 / (1 + math.exp(-logit)) for logit in logits]
        for eta in (10, 90):
            bar = np.percentile(sure, 100 - eta)
            ballots = [(i, a, sure[i]) for i, a in enumerate(answers) if sure[i] >= bar]
            assert answers[chosen(ConfidentVote(eta, str), answers, sure)] == answers[leader(ballots)]


def test_mistakes_are_named():
    """One clear sentence each; configuration pickles."""
    for make, word in (
        (lambda: ComplexityVote(0), "k >= 1"),
        (lambda: ComplexityVote(3, "boxed"), "callable"),
        (lambda: BordaVote(-1), "from 0 to 50"),
        (lambda: BordaVote(math.inf), "Argmax"),
        (lambda: BordaVote(key="boxed"), "callable"),
        (lambda: ConfidentVote(0), "above 0"),
        (lambda: ConfidentVote(math.nan), "above 0"),
        (lambda: ConfidentVote(101), "at most 100"),
        (lambda: ConfidentVote(key="boxed"), "callable"),
    ):
        with pytest.raises(ConfigError, match=word):
            make()
    for rule in (ComplexityVote(3), BordaVote(), ConfidentVote()):
        assert pickle.loads(pickle.dumps(rule)) == rule
        assert select(rule) == select(Argmax())


@pytest.mark.parametrize("strange", [[1, 2], {"a": 1}, {1}, ([1],), bytearray(b"1")], ids=type)
def test_an_answer_that_cannot_be_hashed_costs_the_others_no_vote(strange):
    """It abstains, as where a key raises, and that is told."""
    strategies = [
        SelfConsistency(4, key=lambda text: strange if text == "odd" else text),
        Rounds((None,) * 4, rounds=1, stop=0.5, key=lambda text: strange if text == "odd" else text),
    ]
    for strategy in strategies:
        model = Model(Scripted(lambda request: ("odd", "b", "a", "a")[request.index]))
        result = asyncio.run(solve("which?", strategy, generator=model))
        assert (result.answer, result.stopped) == ("a", "done")
        assert "unhashable" in str(result.errors[0])


async def never_awaited(value):
    return value


@pytest.mark.parametrize(
    "strategy",
    [
        SelfConsistency(3, key=never_awaited),
        Rounds((None,) * 3, rounds=1, key=never_awaited),
        Rounds((None,) * 3, rounds=2, stop=1.0, key=never_awaited),
        Rounds((None,) * 3, rounds=2, stop=never_awaited),
    ],
    ids=["votes", "rounds", "agreement", "stop"],
)
def test_an_async_function_where_a_plain_one_belongs_is_told(strategy):
    """What it returns is true and unlike all else: every vote would be for another answer, every round the last."""
    with pytest.raises(ConfigError, match="async"):
        asyncio.run(solve("which?", strategy, generator=Model(Scripted(lambda request: "a"))))
