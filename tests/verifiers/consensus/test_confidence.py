"""`LogProb`, `SelfCertainty`, `DeepConf`: closed forms, brute force, and the embedded model's full vocabulary."""

from __future__ import annotations

import asyncio
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit import Model, Params, solve
from searchkit.engine.run import Run, Search
from searchkit.errors import ConfigError, VerifierError
from searchkit.generators import Embedded
from searchkit.lab.checker import problem
from searchkit.lab.countdown import Puzzle
from searchkit.strategies import BeamSearch, BestOfN
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Budget, Problem, Prompt, Sample, Token
from searchkit.verifiers.consensus.confidence import DeepConf, LogProb, SelfCertainty
from tests.helpers.steps import STEPS, write

PROMPT = Prompt.of("q")
HALF, QUARTER = math.log(1 / 2), math.log(1 / 4)


def tokens(*logs):
    return tuple(Token("x", log) for log in logs)


def listed(*rows):
    """Tokens with these rivals, given as probabilities; the first is the sampled one."""
    return tuple(
        Token("x", math.log(row[0]), tuple(("x", math.log(p) if p else -math.inf) for p in row)) for row in rows
    )


def score(verifier, *samples):
    """The scores of samples, given as their tokens."""

    async def go():
        run = Run.root(Search(Problem("p", PROMPT)), 0, Budget())
        found = await run.score(
            verifier, PROMPT, [s if isinstance(s, Sample) else Sample("x", logprobs=s) for s in samples]
        )
        assert run.ledger.spent[2] == 0, "no model call"
        return [one.score for one in found]

    return asyncio.run(go())


# ---------------------------------------------------------------- LogProb


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("sum", math.log(1 / 32)), ("mean", math.log(1 / 32) / 3), ("min", math.log(1 / 4))],
)
def test_a_texts_log_probability(mode, expected):
    """Three tokens of probability 1/2, 1/4, 1/4; as a probability: exp of the same."""
    three = tokens(HALF, QUARTER, QUARTER)
    assert score(LogProb(mode), three) == pytest.approx([expected])
    assert score(LogProb(mode, probability=True), three) == pytest.approx([math.exp(expected)])


def test_sums_favour_short_texts_and_means_do_not():
    """The reason for two modes."""
    short, long = tokens(QUARTER), tokens(HALF, HALF, HALF)
    assert score(LogProb("sum"), short, long) == pytest.approx([2 * HALF, 3 * HALF])
    assert score(LogProb("mean"), short, long) == pytest.approx([2 * HALF, HALF])


def test_scores_stay_within_the_range_whatever_servers_round_to():
    """A little above 0, and sums beyond all floats; a token without a number, or with a mask's, leaves no score."""
    assert score(LogProb("sum"), tokens(1e-6, -0.0)) == [0.0]
    assert score(LogProb("mean"), tokens(-999.0, 0.0)) == [-499.5]
    for masked in (-math.inf, -9999.0, math.nan, 1.5, math.inf):
        assert score(LogProb("mean"), tokens(masked, 0.0)) == [None]
    assert score(LogProb("sum", probability=True), tokens(*[-9.0] * 1000)) == [0.0]
    assert LogProb().range == (-math.inf, 0.0)
    assert LogProb(probability=True).range == (0.0, 1.0)


def test_the_likeliest_text_wins_best_of_n_with_the_embedded_model():
    """Sharpening: the argmax of the sum is the likeliest of the samples, and at temperature 0 it is the sum's best."""
    puzzle = problem(Puzzle((2, 3, 7, 9), 24)).prompt
    model = Model(Embedded(), Params(max_tokens=24, logprobs=1))
    result = asyncio.run(solve(puzzle, BestOfN(6, LogProb("sum")), generator=model))
    sums = [math.fsum(t.logprob for t in c.sample.logprobs) for c in result.candidates]
    assert [c.score for c in result.candidates] == pytest.approx(sums)
    assert result.answer == result.candidates[int(np.argmax(sums))].sample.value
    assert len(set(sums)) > 1
    assert result.usage.model_calls == 6


# ---------------------------------------------------------------- SelfCertainty


def test_self_certainty_is_the_divergence_from_uniform():
    """V = 4: uniform gives 0; (1/2, 1/4, 1/8, 1/8) gives log(2^10) / 4 - log 4 over all four tokens."""
    uniform, skewed = (0.25,) * 4, (0.5, 0.25, 0.125, 0.125)
    first = 9 * math.log(2) / 4 - math.log(4)  # 1 + 2 + 3 + 3 halvings
    assert score(SelfCertainty(4), listed(uniform)) == pytest.approx([0.0], abs=1e-12)
    assert score(SelfCertainty(4), listed(skewed)) == pytest.approx([first])
    assert score(SelfCertainty(4), listed(uniform, skewed)) == pytest.approx([first / 2])
    brute = sum(0.25 * math.log(0.25 / p) for p in skewed)
    assert first == pytest.approx(brute)


def test_a_short_list_gives_the_least_divergence_that_fits():
    """With the two likeliest of (1/2, 1/4, 1/8, 1/8) nothing is lost; any other split of the rest diverges more."""
    assert score(SelfCertainty(4), listed((0.5, 0.25))) == pytest.approx(
        score(SelfCertainty(4), listed((0.5, 0.25, 0.125, 0.125)))
    )
    [bound] = score(SelfCertainty(4), listed((0.5, 0.25)))
    for p in (0.01, 0.05, 0.1, 0.2):
        assert score(SelfCertainty(4), listed((0.5, 0.25, p, 0.25 - p)))[0] > bound


@given(st.lists(st.floats(0.001, 1.0), min_size=2, max_size=12), st.integers(1, 12))
def test_self_certainty_bounds(weights, k):
    """Never negative, and a list of the k best never exceeds the full list's divergence."""
    full = sorted((w / sum(weights) for w in weights), reverse=True)
    exact, bound = score(SelfCertainty(len(full)), listed(full), listed(full[:k]))
    assert 0 <= bound <= exact + 1e-9


def test_self_certainty_survives_certainty():
    """A list that has all the probability is finite, and large; impossible tokens are as good as not listed."""
    sure, impossible = score(SelfCertainty(100), listed((1.0,)), listed((1.0, *(0.0,) * 99)))
    assert 30 < sure == impossible < math.inf


def test_self_certainty_of_the_embedded_model_over_its_whole_vocabulary():
    """Against NumPy on the listed table; a list of five is a lower bound."""
    backend, puzzle = Embedded(), problem(Puzzle((2, 3, 7, 9), 24)).prompt
    size = backend._checkpoint.layout.vocabulary
    found = []
    for k in (size, 5):
        model = Model(backend, Params(max_tokens=12, logprobs=k))
        result = asyncio.run(solve(puzzle, BestOfN(1, SelfCertainty(size)), generator=model))
        found.append(result.candidates[0])
    table = np.array([[log for _, log in token.top] for token in found[0].sample.logprobs])
    assert table.shape[1] == size
    assert found[0].sample.text == found[1].sample.text
    assert found[0].score == pytest.approx(-np.log(size * np.exp(table)).mean(axis=1).mean())
    assert 0 < found[1].score <= found[0].score


# ---------------------------------------------------------------- DeepConf

# Confidences of the six tokens, each with two rivals of equal log-probability: 3, 1, 1, 4, 6, 2.
SIX = tuple(Token("x", -c, (("x", -c + 0.5), ("y", -c - 0.5))) for c in (3.0, 1.0, 1.0, 4.0, 6.0, 2.0))


@pytest.mark.parametrize(
    ("window", "mode", "expected"),
    [
        (2, "min", 1.0),  # groups: 2, 1, 2.5, 5, 4
        (3, "min", 5 / 3),  # groups: 5/3, 2, 11/3, 4
        (2, "mean", 17 / 6),
        (2, "tail", 4.0),
        (4, "tail", 13 / 4),
        (2, "bottom", 1.0),  # a tenth of five groups, at least one
        (6, "min", 17 / 6),
        (2048, "min", 17 / 6),  # shorter than a window: one group
        (2048, "tail", 17 / 6),
        (2048, "bottom", 17 / 6),
        (1, "min", 1.0),
    ],
)
def test_deepconf_on_a_table(window, mode, expected):
    """A token's confidence is the mean of -log p over its rivals, a group's the mean over its window."""
    assert score(DeepConf(window, mode), SIX) == pytest.approx([expected])


def test_the_bottom_tenth_is_a_tenth():
    """Of 30 tokens with the confidences 1 to 30 the three least, in whatever order they come."""
    trace = tuple(Token("x", -c, (("x", -float(c)),)) for c in sorted(range(1, 31), key=lambda c: c * 7 % 31))
    assert score(DeepConf(1, "bottom"), trace) == pytest.approx([2.0])


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=60), st.integers(1, 70))
def test_deepconf_equals_brute_force(logs, window):
    """All windows one by one."""
    trace = tuple(Token("x", log, (("x", log), ("y", log - 1))) for log in logs)
    sure = [0.5 - log for log in logs]
    groups = [np.mean(sure[i : i + window]) for i in range(max(1, len(sure) - window + 1))]
    least = sorted(groups)[: max(1, len(groups) // 10)]
    found = [score(DeepConf(window, mode), trace)[0] for mode in ("min", "bottom", "tail", "mean")]
    assert found == pytest.approx([min(groups), np.mean(least), np.mean(sure[-window:]), np.mean(sure)], abs=1e-9)


def test_one_impossible_rival_does_not_spoil_other_windows():
    """Minus infinity is left out, of its token too."""
    odd = Token("x", -1.0, (("x", -1.0), ("y", -math.inf)))
    assert score(DeepConf(2), (odd, *SIX)) == pytest.approx([1.0])
    assert score(DeepConf(1, "mean"), (odd,)) == pytest.approx([1.0])


# ---------------------------------------------------------------- all of them

ALL = [LogProb(), LogProb("sum", probability=True), SelfCertainty(50), DeepConf(4), DeepConf(4, "bottom")]


@pytest.mark.parametrize("verifier", ALL)
def test_a_sample_without_log_probabilities_says_what_to_change(verifier):
    """`ConfigError` at the first use; an empty text abstains."""
    asked = "logprobs=1" if isinstance(verifier, LogProb) else "logprobs=20"
    with pytest.raises(ConfigError, match=rf"{type(verifier).__name__} needs log-probabilities.*Params\({asked}\)"):
        score(verifier, Sample("x"))
    assert score(verifier, ()) == [None]
    if not isinstance(verifier, LogProb):
        with pytest.raises(ConfigError, match="each token's best rivals"):
            score(verifier, tokens(-1.0))


def test_a_step_wise_search_is_told_before_much_is_paid():
    """Its paths carry no log-probabilities: the first verdict raises."""
    with pytest.raises(ConfigError, match="step-wise searches carry none"):
        write(BeamSearch(4, 2, LogProb(), STEPS))


def test_identities_and_mistakes():
    """Keys differ by configuration, copies are equal, impossible values are refused."""
    assert len({v.key for v in ALL}) == len(ALL)
    for verifier in ALL:
        assert pickle.loads(pickle.dumps(verifier)) == verifier
        assert eval(repr(verifier)) == verifier
    for wrong in (lambda: LogProb("max"), lambda: SelfCertainty(1), lambda: DeepConf(0), lambda: DeepConf(5, "max")):
        with pytest.raises(ConfigError):
            wrong()
    with pytest.raises(VerifierError, match="pass the model's own size"):
        score(SelfCertainty(2), listed((0.5, 0.25, 0.25)))


class OnTokens(VerifierTests):
    """The laws, on samples that carry log-probabilities."""

    samples = (
        Sample("5", logprobs=SIX), Sample("6", logprobs=listed((0.5, 0.5), (0.9, 0.1))),
        Sample("", logprobs=()), Sample("cut", finish="length", logprobs=SIX[:2]),
    )  # fmt: skip


class TestLogProb(OnTokens):
    def verifier(self):
        return LogProb("sum")


class TestSelfCertainty(OnTokens):
    def verifier(self):
        return SelfCertainty(17)


class TestDeepConf(OnTokens):
    def verifier(self):
        return DeepConf(2)
