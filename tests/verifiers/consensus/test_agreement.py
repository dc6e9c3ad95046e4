"""`Agreement` and `MinimumBayesRisk`: against a majority vote, against each other, counts of calls, and mistakes."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections import Counter
from difflib import SequenceMatcher

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit import Problem, solve
from searchkit.answers import keys
from searchkit.engine.run import Run, Search
from searchkit.errors import ConfigError, VerifierError
from searchkit.generators import Recorded
from searchkit.strategies import BestOfN
from searchkit.strategies.selection.rules import Argmax, Vote
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Budget, Sample, Scored, Verdict
from searchkit.verifiers import Agreement, MinimumBayesRisk
from tests.helpers.judges import PROMPT

POOLS = st.lists(
    st.builds(Sample, st.sampled_from(["1", "2", "3", "no\nanswer"]), finish=st.sampled_from(["stop", "length"])),
    min_size=1,
    max_size=9,
)


def run_of(search):
    return Run.root(search, 0, Budget())


def judge(verifier, samples, search=None):
    """Verdicts on samples through a real run."""

    async def go():
        scored = await run_of(search or Search(Problem("p", PROMPT))).score(verifier, PROMPT, samples)
        return [one.verdict for one in scored]

    return asyncio.run(go())


def chosen(rule, scored):
    async def go():
        return await rule.select(PROMPT, scored, run_of(Search(Problem("p", PROMPT))))

    return asyncio.run(go()).index


def scores(verifier, *values):
    return [verdict.value for verdict in judge(verifier, [Sample(value) for value in values])]


def alike(a, b):
    """1 for the same answer, else 0."""
    return float(keys.default(a) == keys.default(b))


def overlap(a, b):
    return SequenceMatcher(None, a, b, autojunk=False).ratio()


# ---------------------------------------------------------------- agreement


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("7", "7", "8", "7"), [2 / 3, 2 / 3, 0, 2 / 3]),
        (("7", "8"), [0, 0]),
        (("1/2", "0.5"), [1, 1]),  # one answer in two spellings
        (("7", "7", "no\nanswer"), [1 / 2, 1 / 2, None]),  # one of the others, but it agrees with nobody
        (("no\nanswer", "no\nanswer"), [None, None]),
        (("7",), [None]),
        ((), []),
    ],
)
def test_the_share_of_the_others_with_the_same_answer(values, expected):
    """By hand."""
    assert scores(Agreement(), *values) == expected


def test_the_feedback_says_how_many():
    """Why a sample has its score, or none."""
    samples = [Sample("7"), Sample("7"), Sample("8"), Sample("no\nanswer"), Sample("7", finish="length")]
    assert [v.feedback for v in judge(Agreement(), samples)] == [
        "1 of 3 others agree", "1 of 3 others agree", "0 of 3 others agree", "no answer was found",
        "a truncated sample is not compared",
    ]  # fmt: skip
    assert judge(Agreement(), samples[:1]) == [Verdict(feedback="there is no other sample")]


@settings(max_examples=150)
@given(POOLS)
def test_the_most_agreed_with_is_what_a_majority_votes_for(samples):
    """`Argmax` of agreement chooses the very sample that `Vote` does, ties by first seen, truncated ones left out."""
    verdicts = judge(Agreement(), samples)
    scored = [Scored(sample, verdict) for sample, verdict in zip(samples, verdicts, strict=True)]
    if sum(not sample.truncated for sample in samples) > 1:
        assert chosen(Argmax(), scored) == chosen(Vote(), [Scored(sample) for sample in samples])
    else:
        assert chosen(Argmax(), scored) is None  # nobody to agree with: whoever selects falls back to it
    sizes = Counter(keys.default(s.value) for s in samples if not s.truncated)
    others = sum(sizes.values()) - 1
    for sample, verdict in zip(samples, verdicts, strict=True):
        answer = keys.default(sample.value)
        if verdict.value is not None:
            assert verdict.value * others == pytest.approx(sizes[answer] - 1)
        else:
            assert sample.truncated or answer is None or others == 0


def test_in_best_of_n_it_costs_no_call():
    """The answer of the majority, one verification a sample, no call beyond the samples."""
    generator = Recorded({"q": ["it is 3", "7", "8", r"\boxed{8}", "8"]})
    result = asyncio.run(solve("q", BestOfN(5, Agreement(keys.number)), generator=generator))
    assert result.answer == "8"
    assert [c.score for c in result.candidates] == [0, 0, 0.5, 0.5, 0.5]
    assert (result.usage.verifications, result.usage.model_calls) == (5, 5)


def test_a_key_that_raises_or_cannot_be_compared_abstains():
    """As in a vote: the sample has no answer, and the error is recorded."""
    search = Search(Problem("p", PROMPT))
    samples = [Sample(value) for value in ("7", "x", "7")]
    assert [v.value for v in judge(Agreement(int), samples, search)] == [0.5, None, 0.5]
    assert ["the answer key int raised ValueError" in str(error) for _, error in search.errors] == [True]
    assert [v.value for v in judge(Agreement(list), samples, search)] == [None] * 3
    assert "unhashable" in str(search.errors[-1][1])


# ---------------------------------------------------------------- minimum Bayes risk


def test_the_mean_similarity_by_hand():
    """Numbers within 10 of each other, alike as they are near: 1 - |a - b| / 10."""
    risk = MinimumBayesRisk(lambda a, b: 1 - abs(a - b) / 10)
    assert scores(risk, 0, 4, 5, 10) == pytest.approx([11 / 30, 19 / 30, 19 / 30, 9 / 30])
    assert scores(risk, 3) == [None]
    assert scores(risk) == []


@settings(max_examples=100)
@given(POOLS)
def test_of_same_or_not_it_is_agreement(samples):
    """The score of every sample that has an answer, to the last bit; one without agrees with nobody."""
    mine, shares = judge(MinimumBayesRisk(alike_or_none), samples), judge(Agreement(), samples)
    for sample, verdict, share in zip(samples, mine, shares, strict=True):
        if sample.truncated or keys.default(sample.value) is not None:
            assert verdict.value == share.value
        else:
            assert verdict.value in (0, None)


def alike_or_none(a, b):
    return float(keys.default(a) is not None and keys.default(a) == keys.default(b))


def test_it_chooses_what_has_the_least_expected_loss():
    """Against the definition: of all samples the one with the least mean of 1 - similarity to a random other one."""
    rng = random.Random(3)
    for _ in range(20):
        texts = ["".join(rng.choices("abc", k=6)) for _ in range(6)]
        losses = [sum(1 - overlap(*sorted((a, b))) for j, b in enumerate(texts) if j != i) for i, a in enumerate(texts)]
        found = scores(MinimumBayesRisk(lambda a, b: overlap(*sorted((a, b)))), *texts)
        assert found == pytest.approx([1 - loss / 5 for loss in losses])
        best = chosen(Argmax(), [Scored(Sample(t), Verdict(s)) for t, s in zip(texts, found, strict=True)])
        assert losses[best] == pytest.approx(min(losses))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_each_pair_is_compared_once_or_in_both_orders(n):
    """n * (n - 1) / 2 calls with the earlier sample first; twice as many without symmetry, with the sample first."""
    calls = []

    def similarity(a, b):
        calls.append((a, b))
        return a / 10 if a != b else 1.0

    scores(MinimumBayesRisk(similarity), *range(n))
    assert calls == list(itertools.combinations(range(n), 2))
    calls.clear()
    found = scores(MinimumBayesRisk(similarity, symmetric=False), *range(n))
    assert sorted(calls) == list(itertools.permutations(range(n), 2))
    assert n == 1 or found == pytest.approx([i / 10 for i in range(n)])


def test_truncated_samples_are_not_compared():
    """They abstain and count for nobody."""
    samples = [Sample("a"), Sample("a", finish="length"), Sample("b"), Sample("a")]
    assert [v.value for v in judge(MinimumBayesRisk(alike), samples)] == [0.5, None, 0, 0.5]


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (1.5, r"the similarity .*fn returned 1.5: return a number from 0 \(unlike\) to 1 \(alike\)"),
        (-0.1, "returned -0.1"),
        (math.nan, "returned nan"),
        ("0.5", "returned '0.5'"),
        (None, "returned None"),
        (ValueError("no"), "the similarity .*fn raised ValueError: no"),
        (VerifierError("my own words"), "^my own words$"),
    ],
)
def test_what_is_no_similarity_is_refused_by_name(returned, sentence):
    """Each mistake names the function, and what it gave."""

    def fn(a, b):
        if isinstance(returned, Exception):
            raise returned
        return returned

    with pytest.raises(VerifierError, match=sentence):
        scores(MinimumBayesRisk(fn), "a", "b")


def test_numbers_of_any_kind_are_similarities():
    """Truth values, whole numbers, and NumPy's; a mean stays between what it is the mean of."""
    for number in (True, 1, np.float32(1), np.bool_(True), np.array(1.0)):
        assert scores(MinimumBayesRisk(lambda a, b, number=number: number), "a", "b") == [1, 1]
    assert scores(MinimumBayesRisk(lambda a, b: 0.1), *"abcd") == [0.1] * 4


# ---------------------------------------------------------------- both


def test_both_judge_together_and_never_see_a_reference():
    """Joint, in [0, 1], and the same for every problem."""
    for verifier in (Agreement(), MinimumBayesRisk(overlap)):
        assert (verifier.joint, verifier.range) == (True, (0.0, 1.0))
        assert verifier.bind(Problem("p", PROMPT, "canary")) is verifier
        assert "canary" not in verifier.key


def test_identities_and_mistakes():
    """What changes a verdict is in the key; lambdas need a name only where a journal asks for one."""
    variants = [
        Agreement(), Agreement(keys.number), MinimumBayesRisk(overlap), MinimumBayesRisk(alike),
        MinimumBayesRisk(overlap, symmetric=False), MinimumBayesRisk(overlap, name="overlap 2"),
    ]  # fmt: skip
    assert len({v.key for v in variants}) == len(variants)
    with pytest.raises(ConfigError, match="give the verifier name="):
        _ = MinimumBayesRisk(lambda a, b: 1.0).key
    assert MinimumBayesRisk(lambda a, b: 1.0, name="one").key == "minimum bayes risk:one:True"

    async def later(a, b):
        return 1.0

    for make, sentence in (
        (lambda: Agreement("number"), "an answer key such as keys.boxed"),
        (lambda: MinimumBayesRisk("overlap"), r"a plain callable fn\(a, b\)"),
        (lambda: MinimumBayesRisk(later), r"a plain callable fn\(a, b\)"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            make()


class TestAgreement(VerifierTests):
    """The laws of verifiers."""

    def verifier(self):
        return Agreement()


class TestMinimumBayesRisk(VerifierTests):
    """The laws of verifiers."""

    def verifier(self):
        return MinimumBayesRisk(overlap, symmetric=False)
