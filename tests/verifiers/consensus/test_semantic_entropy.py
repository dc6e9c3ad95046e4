"""`SemanticEntropy`: closed forms, an enumerated model, and what few samples make of it."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections import Counter

import pytest

from searchkit import Model, Problem, solve_sync
from searchkit.answers import keys
from searchkit.engine.run import Run, Search
from searchkit.errors import ConfigError
from searchkit.experiments import auroc
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Budget, Sample, Token, Verdict
from searchkit.verifiers import SemanticEntropy
from searchkit.verifiers.consensus.semantic_entropy import entropy
from tests.helpers.judges import PROMPT


def judge(verifier, samples, search=None):
    """Verdicts on samples through a real run."""

    async def go():
        run = Run.root(search or Search(Problem("p", PROMPT)), 0, Budget())
        return [one.verdict for one in await run.score(verifier, PROMPT, samples)]

    return asyncio.run(go())


def of(*values, **options):
    return judge(
        SemanticEntropy(**options), [value if isinstance(value, Sample) else Sample(value) for value in values]
    )


def told(value, *logs):
    """A text with the log-probabilities of its tokens."""
    return Sample(value, logprobs=tuple(Token("t", log) for log in logs))


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize("k", [1, 2, 3, 7])
@pytest.mark.parametrize("each", [1, 2, 5])
def test_k_equally_likely_answers_are_k_in_effect(k, each):
    """exp(-H) = 1/k, however many samples there are of each; all have the same verdict."""
    values = [str(answer) for answer in range(k)] * each
    if len(values) < 2:
        return
    verdicts = of(*values)
    assert len(set(verdicts)) == 1
    assert verdicts[0].score == pytest.approx(1 / k)
    assert f"{k} classes of {k * each} samples" in verdicts[0].feedback


def test_by_hand():
    """Three to one: H = -(3/4 ln 3/4 + 1/4 ln 1/4) = 0.5623."""
    [verdict, *_] = of("1", "1", "2", "1")
    assert verdict.score == pytest.approx(math.exp(-0.562335))
    assert verdict.score == pytest.approx((3 / 4) ** (3 / 4) * (1 / 4) ** (1 / 4))
    assert verdict.feedback == "semantic entropy 0.562 nats: 2 classes of 4 samples, 1.75 in effect"


def test_texts_that_say_the_same_are_one_answer():
    """The classes are those of the key; by the texts themselves there are three."""
    values = [r"So \boxed{0.5}", r"\boxed{1/2}", r"Thus \boxed{\frac12}"]
    assert of(*values, answer=keys.boxed)[0].score == 1.0
    assert of(*values, answer=str)[0].score == pytest.approx(1 / 3)


def test_bounds_and_order():
    """Within [1/n, 1]; merging two classes never raises H; the order of the samples changes nothing."""
    rng = random.Random(0)
    for _ in range(200):
        values = [rng.choice("123") for _ in range(rng.randint(2, 9))]
        score = of(*values)[0].score
        assert 1 / len(values) - 1e-12 <= score <= 1
        assert of(*rng.sample(values, len(values)))[0].score == pytest.approx(score)
        merged = ["1" if value == "2" else value for value in values]
        assert of(*merged)[0].score >= score - 1e-12


def test_entropy_of_masses():
    """Independent of a constant factor, of masses of 0, and never negative."""
    assert entropy([2.0, 2.0]) == pytest.approx(math.log(2)) == entropy([1e-300, 1e-300, 0.0])
    assert entropy([5.0]) == 0.0
    assert entropy([1.0, 1e-320]) >= 0.0


# ---------------------------------------------------------------- what the model says of its texts


TEXTS = {"a 1": 0.3, "b 1": 0.2, "c 2": 0.4, "d 3": 0.1}  # all that the model can say; the last character is the answer


def last(text):
    return text[-1]


def test_all_texts_once_are_the_exact_distribution():
    """p(1) = 0.5, p(2) = 0.4, p(3) = 0.1, whichever texts were drawn more often."""
    exact = entropy([0.5, 0.4, 0.1])
    samples = [told(text, math.log(p) / 2, math.log(p) / 2) for text, p in TEXTS.items()]
    for extra in ([], [samples[3]] * 5):
        [verdict, *_] = judge(SemanticEntropy(last, "sum"), [*samples, *extra])
        assert verdict.score == pytest.approx(math.exp(-exact))


def test_the_mean_makes_long_texts_as_likely_as_short_ones():
    """One token of -1, or ten: the same mass by the mean, e^9 apart by the sum."""
    samples = [told("short 1", -1.0), told("long 2", *[-1.0] * 10)]
    assert judge(SemanticEntropy(last, "mean"), samples)[0].score == pytest.approx(1 / 2)
    expected = math.exp(-entropy([math.exp(-1), math.exp(-10)]))
    assert judge(SemanticEntropy(last, "sum"), samples)[0].score == pytest.approx(expected)


def test_long_texts_do_not_underflow():
    """Two texts of 100,000 unlikely tokens each are equally likely."""
    samples = [told("x 1", *[-5.0] * 100_000), told("y 2", *[-5.0] * 100_000)]
    assert judge(SemanticEntropy(last, "sum"), samples)[0].score == pytest.approx(1 / 2)


@pytest.mark.parametrize("log", [-math.inf, -9999.0, math.nan, 1.5, 1e9, math.inf])
def test_masked_and_impossible_tokens_say_nothing(log):
    """Of a text with such a token nobody knows how likely it was: all abstain."""
    verdicts = judge(SemanticEntropy(last, "sum"), [told("a 1", log), told("b 2", -1.0)])
    assert [v.score for v in verdicts] == [None, None]
    assert judge(SemanticEntropy(last, "sum"), [told("a 1"), told("b 2", -1.0)])[0].score is None


def test_without_log_probabilities_the_mistake_is_named():
    """By shares none are needed."""
    with pytest.raises(ConfigError, match="logprobs=1"):
        of("1", "2", weights="sum")
    model = Model(Simulated({"1": 0.5, "2": 0.5}))
    assert solve_sync("q", BestOfN(4, SemanticEntropy()), generator=model).candidates[0].score is not None


# ---------------------------------------------------------------- few samples, and what it is for


@pytest.mark.parametrize("n", [4, 8, 16])
def test_of_few_samples_it_is_too_low_by_what_the_docstring_says(n):
    """All samples of n from three answers, weighted by their chances: the mean of H is H - (k - 1) / (2 n), nearly."""
    chances = (0.5, 0.3, 0.2)
    mean = 0.0
    for counts in itertools.product(range(n + 1), repeat=2):
        last_one = n - sum(counts)
        if last_one < 0:
            continue
        all_of = (*counts, last_one)
        ways = math.factorial(n) / math.prod(map(math.factorial, all_of))
        mean += ways * math.prod(p**c for p, c in zip(chances, all_of, strict=True)) * entropy(all_of)
    assert mean == pytest.approx(entropy(chances) - 2 / (2 * n), abs=0.02 + 1 / n**2)
    drawn = random.Random(n).choices("123", chances, k=n)
    assert of(*drawn)[0].score == pytest.approx(math.exp(-entropy(Counter(drawn).values())))


def test_it_tells_right_answers_from_wrong_ones():
    """200 questions, each with a chance of its own of the right answer, and else one of five: AUROC well above 0.5."""
    rng, scores, right = random.Random(1), [], []
    for _ in range(200):
        p = rng.random()
        drawn = ["0" if rng.random() < p else rng.choice("12345") for _ in range(8)]
        scores.append(of(*drawn)[0].score)
        right.append(Counter(drawn).most_common(1)[0][0] == "0")
    assert auroc(scores, right) > 0.75


# ---------------------------------------------------------------- what is no answer


def test_no_answer_is_a_class_of_its_own_and_abstains():
    """Two that say nothing do not agree with one another."""
    verdicts = of("1", "no\nanswer", "1", "none\neither")
    assert [v.score for v in verdicts[1::2]] == [None, None]
    assert verdicts[0].score == pytest.approx(math.exp(-entropy([2, 1, 1])))
    assert of("no\nanswer", "no\nanswer")[0] == Verdict(feedback="no answer was found")


def test_truncated_and_single_samples_abstain():
    """The former are left out altogether."""
    verdicts = of("1", Sample("2", finish="length"), "1")
    assert [v.score for v in verdicts] == [1.0, None, 1.0]
    assert [v.score for v in of("1", Sample("1", finish="length"))] == [None, None]
    assert [v.score for v in of("1")] == [None]


def test_a_key_that_raises_is_recorded():
    """And the sample has no answer."""
    search = Search(Problem("p", PROMPT))
    verdicts = judge(SemanticEntropy(int), [Sample("1"), Sample("x"), Sample("1")], search)
    assert verdicts[1].score is None
    assert "int" in str(search.errors[0][1])
    assert judge(SemanticEntropy(list), [Sample("ab"), Sample("ab")])[0].score is None  # a list is no class


class TestLaws(VerifierTests):
    def verifier(self):
        return SemanticEntropy()


def test_mistakes_are_named():
    """One clear sentence each."""
    with pytest.raises(ConfigError, match=r"keys\.boxed"):
        SemanticEntropy("boxed")
    with pytest.raises(ConfigError, match="count"):
        SemanticEntropy(weights="logprob")
