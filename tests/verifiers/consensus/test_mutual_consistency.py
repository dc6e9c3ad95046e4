"""`MutualConsistency`: who survives the completions of a second model, what that costs, and a closed form."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import Model, Params, Problem, solve_sync
from searchkit.answers import keys
from searchkit.calls import Request
from searchkit.engine.run import Run, Search
from searchkit.errors import ConfigError
from searchkit.strategies import BestOfN
from searchkit.testing import Scripted
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Budget, Prompt, Sample
from searchkit.verifiers import MutualConsistency
from tests.helpers.judges import PROMPT

SEVEN = "three and four make seven: the answer is 7"
NINE = "nine is what three by three make: the answer is 9"
LONG = "so a b c d: the answer is 7"


def of(says: Any, **options: Any) -> MutualConsistency:
    """With a second model that says this, or what a function makes of the beginning."""

    def reply(request: Request) -> str:
        return says(request.prompt.prefix) if callable(says) else says

    return MutualConsistency(Model(Scripted(reply)), **options)


def judged(verifier: Any, *samples: Any, prompt: Prompt = PROMPT, budget: Any = None) -> tuple[list[Any], Search]:
    search = Search(Problem("p", prompt))

    async def go() -> list[Any]:
        given = [one if isinstance(one, Sample) else Sample(one) for one in samples]
        scored = await Run.root(search, 0, budget or Budget()).score(verifier, prompt, given)
        return [one.verdict for one in scored]

    return asyncio.run(go()), search


class Second:
    """A model that keeps what it was given to complete, and says what a function makes of it."""

    def __init__(self, says: Any) -> None:
        self.says, self.begun = says, list[str]()

    def __call__(self, begun: str) -> str:
        self.begun.append(begun)
        said: str = self.says(begun)
        return said


def add(begun: str) -> str:
    """Adds where a text adds, and where it multiplies, too."""
    return "the answer is 7"


# ---------------------------------------------------------------- who survives


def test_by_hand():
    """Two say 7, one 9; the second model always says 7: (2/3 + 1) / 2 for the former, nothing for the latter."""
    verdicts, _ = judged(of(add), SEVEN, NINE, LONG)
    assert [v.score for v in verdicts] == pytest.approx([5 / 6, 0.0, 5 / 6])
    assert [v.passed for v in verdicts] == [True, False, True]
    assert verdicts[1].feedback == "0.333 of the samples give this answer, 0 of the completions come to it"


def test_a_minority_that_survives_beats_a_majority_that_does_not():
    """That is what the second model is for."""
    verdicts, _ = judged(of("the answer is 9"), SEVEN, NINE, LONG)
    assert [v.score for v in verdicts] == pytest.approx([0.0, (1 / 3 + 1) / 2, 0.0])


@pytest.mark.parametrize(("right", "survives"), [(0, False), (1, False), (2, True), (3, True), (4, True)])
def test_half_of_the_completions_suffice(right, survives):
    """Of four."""
    said = iter([7] * right + [8] * (4 - right) + [9] * 4)
    verdicts, _ = judged(of(lambda begun: f"the answer is {next(said)}"), SEVEN, NINE)
    assert verdicts[0].passed is survives
    assert verdicts[0].score == pytest.approx((0.5 + right / 4) / 2 if survives else 0.0)
    assert verdicts[1].passed is True


def test_if_none_survives_nobody_is_dropped():
    """The trap of the released code, which then has no winner: the shares of the samples decide."""
    verdicts, _ = judged(of("the answer is 1"), SEVEN, NINE, LONG)
    assert [v.score for v in verdicts] == pytest.approx([1 / 3, 1 / 6, 1 / 3])
    assert not any(v.passed for v in verdicts)
    drafts = (NINE, SEVEN, LONG)
    result = solve_sync("q", BestOfN(3, of("the answer is 1")), generator=lambda text, index: drafts[index])
    assert result.answer == SEVEN


# ---------------------------------------------------------------- what is asked


def test_beginnings_are_evenly_between_the_shares_and_end_with_a_word():
    """A text of 100 words of 9 letters and a blank: after 20, 30, 40 and 50 of them."""
    second, text = Second(add), " ".join(["x" * 9] * 99) + " the answer: 7"
    judged(of(second), text, NINE)
    assert [begun.count(" ") for begun in second.begun[:4]] == [20, 30, 40, 50]
    assert all(begun.endswith(" ") for begun in second.begun[:4])
    one = Second(add)
    judged(of(one, masks=1, low=0.5), text, NINE)
    assert one.begun[0].count(" ") == 50


def test_short_texts_and_single_words_are_completed_from_the_start():
    """There is no half of a word."""
    second = Second(lambda begun: "7")
    verdicts, _ = judged(of(second), "7", "9")
    assert second.begun == [""] * 8
    assert [v.passed for v in verdicts] == [True, False]


def test_the_beginning_of_the_prompt_stays():
    """A prompt that begins the answer is continued, and the answer is read without it."""
    second = Second(add)
    judged(of(second, masks=1), SEVEN, NINE, prompt=Prompt(PROMPT.messages, prefix="Well: "))
    assert all(begun.startswith("Well: ") for begun in second.begun)
    assert second.begun[0] == "Well: " + SEVEN[: len(second.begun[0]) - 6]


def test_cost_is_the_formula():
    """`masks` calls for each different text with an answer of which nobody is sure."""
    same, drafts = Counter[str](), [SEVEN, NINE, SEVEN, LONG, "no\nanswer"]
    for masks in (1, 3, 4):
        second = Second(add)
        result = solve_sync("q", BestOfN(5, of(second, masks=masks)), generator=lambda text, index: drafts[index])
        assert len(second.begun) == masks * 3
        assert result.usage.model_calls - result.usage.generations == masks * 3
        assert result.usage.verifications == 5
        same[result.answer] += 1
    assert len(same) == 1


def test_where_all_agree_nobody_is_asked():
    """A share above the bar costs no call; at 0.5 two of three are sure, the third is asked about."""
    second = Second(add)
    verdicts, _ = judged(of(second), SEVEN, LONG)
    assert [v.score for v in verdicts] == [1.0, 1.0]
    assert second.begun == []
    verdicts, _ = judged(of(second, sure=0.5), SEVEN, LONG, NINE)
    assert len(second.begun) == 4
    assert [v.score for v in verdicts] == pytest.approx([5 / 6, 5 / 6, 0.0])


# ---------------------------------------------------------------- a closed form


def test_survivors_are_as_many_as_the_binomial_says():
    """A second model that is right with chance q, whatever it is given: P(at least 2 of 4), over 200 texts."""
    q, n = 0.4, 200
    rng = random.Random(3)
    verifier = of(lambda begun: "the answer is 7" if rng.random() < q else "the answer is 8", sure=1.0)
    texts = [f"text {i} says the answer is 7" for i in range(n)]
    verdicts, _ = judged(verifier, *texts)
    chance = sum(math.comb(4, k) * q**k * (1 - q) ** (4 - k) for k in (2, 3, 4))
    sd = math.sqrt(chance * (1 - chance) / n)
    assert abs(sum(v.passed for v in verdicts) / n - chance) < 4 * sd


# ---------------------------------------------------------------- what is unknown


def test_what_has_no_answer_or_is_truncated_abstains():
    """The former counts in the shares, the latter does not."""
    verdicts, _ = judged(of(add), SEVEN, "no\nanswer", Sample(NINE, finish="length"))
    assert [v.score for v in verdicts] == [pytest.approx((1 / 2 + 1) / 2), None, None]


def test_truncated_completions_do_not_agree():
    """They may have gone on."""

    @dataclass(frozen=True)
    class Ends:
        finish: Any

        async def generate(self, prompt: Prompt, run: Any, *, params: Any = None) -> Sample[str]:
            return Sample("the answer is 7", finish=self.finish)

    for finish, passes in (("stop", True), ("length", False)):
        verdicts, _ = judged(MutualConsistency(Ends(finish)), SEVEN, NINE)
        assert [v.passed for v in verdicts] == [passes, False]


def test_completions_that_fail_are_left_out():
    """Where some come they decide; where none comes for one text it abstains; where none comes at all it is raised."""

    def fails(begun: str) -> str:
        if begun.startswith("three and") and len(begun) < 12:
            raise RuntimeError("no model")
        if begun.startswith("nine"):
            raise RuntimeError("no model")
        return "the answer is 7"

    verdicts, search = judged(of(fails), SEVEN, NINE)
    assert verdicts[0].score == pytest.approx((0.5 + 1) / 2)
    assert (verdicts[1].score, verdicts[1].passed) == (None, None)
    assert search.errors

    def never(begun: str) -> str:
        raise RuntimeError("no model")

    with pytest.raises(Exception, match="no model"):
        judged(of(never), SEVEN, NINE)


class TestLaws(VerifierTests):
    def verifier(self) -> MutualConsistency:
        return MutualConsistency(Model(Scripted(five), Params()))


def five(request: Request) -> str:
    return "5"


def test_mistakes_are_named():
    """One clear sentence each."""
    for make, word in (
        (lambda: MutualConsistency("gpt"), "generator"),
        (lambda: MutualConsistency(masks=0), "masks >= 1"),
        (lambda: MutualConsistency(masks=1.5), "masks"),
        (lambda: MutualConsistency(low=0.6), "low <= high"),
        (lambda: MutualConsistency(high=1.0), "high < 1"),
        (lambda: MutualConsistency(keep=0), "keep"),
        (lambda: MutualConsistency(sure=math.nan), "sure"),
        (lambda: MutualConsistency(answer="boxed"), r"keys\.boxed"),
    ):
        with pytest.raises(ConfigError, match=word):
            make()
    assert MutualConsistency(masks=2).key != MutualConsistency().key != MutualConsistency(answer=keys.boxed).key
