"""`FactCheck`: no question says what the answer claims, each is asked alone, and what cannot be asked is no verdict."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit import ConfigError, Model, solve
from searchkit.calls import CallError
from searchkit.errors import SearchWarning, VerifierError
from searchkit.protocols import Verifier
from searchkit.strategies import Refine
from searchkit.testing import Counting, Scripted, VerifierTests
from searchkit.types import Verdict
from searchkit.verifiers import FactCheck
from searchkit.verifiers.judges.asking import LONGEST
from searchkit.verifiers.judges.fact_check import NOTHING, claims, quotes
from tests.helpers.judges import PROMPT, judged

DRAFT = "Ada Lovelace was born in 1815 in London. She died in 1852."


def checks(plan, facts=None, asked=None):
    """A generator that plans so, answers by `facts`, and notes what it was asked."""

    def reply(request):
        if asked is not None:
            asked.append(request.prompt.text)
        if "Which facts" in request.prompt.text:
            return plan
        return (facts or {}).get(request.prompt.text, "nobody knows")

    return Model(Scripted(reply))


def test_each_question_is_asked_alone_and_told_to_the_refiner():
    """The question is the whole prompt; the feedback holds it with its answer."""
    asked = list[str]()
    plan = "1. When was Ada Lovelace born?\n2. Where was she born?\nThat is all."
    facts = {"When was Ada Lovelace born?": "<think>hm</think>In 1815.", "Where was she born?": "In London."}
    [verdict], usage, _ = judged(FactCheck(checks(plan, facts, asked)), DRAFT)
    assert verdict == Verdict(feedback="When was Ada Lovelace born?\nIn 1815.\n\nWhere was she born?\nIn London.")
    assert asked[1:] == ["When was Ada Lovelace born?", "Where was she born?"]
    assert (usage.model_calls, usage.verifications) == (3, 1)


def test_no_question_prompt_has_the_draft_in_it():
    """Those that quote it are left out: the whole of it, a sentence of it, in other case and with other stops."""
    asked = list[str]()
    plan = (
        f"Is it true that: {DRAFT}?\nIs it so that ADA Lovelace was born in 1815, in London?\n"
        "Did it happen that she died in 1852?\nWhen did Ada Lovelace die?"
    )
    judged(FactCheck(checks(plan, asked=asked)), DRAFT)
    assert asked[1:] == ["When did Ada Lovelace die?"]


@pytest.mark.parametrize(
    ("answer", "question", "leaks"),
    [
        ("Paris", "Is Paris the capital of France?", True),
        ("Paris", "What is the capital of France?", False),
        ("4", "What is 2 + 2, 4?", True),
        ("4", "What happened in 1947?", False),
        ("**Paris**.", "Is it paris?", True),
        ("北京是中国的首都。", "北京是中国的首都吗？", True),
        ("北京是中国的首都。", "中国有多少人？", False),
        ("", "Is it so?", False),
        ("...", "Is it so?", False),
        ("Rome; he lived there for long.", "Why is it that he lived there, for long?", True),
    ],
)
def test_what_a_quotation_is(answer, question, leaks):
    assert quotes(question, claims(answer)) is leaks


TEXT = st.text("aB1 .?北éßİ_'", max_size=30)


@given(TEXT, TEXT, TEXT)
def test_a_question_around_the_answer_always_leaks(answer, before, after):
    """Whatever the answer, unless there is no word in it."""
    assert quotes(f"{before} {answer} {after}?", claims(answer)) or not claims(answer)


@pytest.mark.parametrize("plan", ["NONE", "none.", "**None**", "<think>which?</think>\nNONE"])
def test_where_there_is_nothing_to_check_the_draft_is_the_answer(plan):
    """No questions: it has passed, for the price of the plan, and the chain returns it."""
    model = checks(plan)
    [verdict], usage, _ = judged(FactCheck(model), DRAFT)
    assert verdict == Verdict(passed=True, feedback=NOTHING)
    assert usage.model_calls == 1
    chain = Refine(1, FactCheck(model), "last")
    result = asyncio.run(solve(PROMPT, chain, generator=Model(Scripted(lambda _: DRAFT))))
    assert (result.answer, result.usage.generations) == (DRAFT, 1)


@pytest.mark.parametrize("plan", ["", "I have none to ask", "NONE of these.", "who knows", "?", "1. ?\n- ? ?", "？"])
def test_a_plan_that_cannot_be_read_is_drawn_again_and_then_abstains(plan):
    [verdict], usage, _ = judged(FactCheck(checks(plan)), DRAFT)
    assert verdict.value is None
    assert usage.model_calls == 2


def test_a_verifier_that_breaks_is_named_in_a_line():
    """Its template is a page long, and what went wrong would stand behind it."""

    def reply(request):
        raise RuntimeError("gone")

    chain = Refine(1, FactCheck(Model(Scripted(reply))), "accepted")
    with pytest.warns(SearchWarning, match="raised RuntimeError: gone"):
        result = asyncio.run(solve(PROMPT, chain, generator=Model(Scripted(lambda _: DRAFT))))
    [told, _] = [str(error) for error in result.errors if isinstance(error, VerifierError)]
    assert told.startswith("FactCheck(")
    assert told.endswith("raised RuntimeError: gone")
    assert len(told) < 120


def test_where_every_question_leaks_it_abstains():
    [verdict], usage, _ = judged(FactCheck(checks(f"Is it so: {DRAFT}?")), DRAFT)
    assert verdict.value is None
    assert "none was asked" in verdict.feedback
    assert usage.model_calls == 1


def test_no_more_are_asked_than_allowed_and_none_twice():
    plan = "\n".join(f"{i}) What is fact {i % 4}?" for i in range(20))
    for most in (1, 3, 9):
        _, usage, _ = judged(FactCheck(checks(plan), questions=most), DRAFT)
        assert usage.model_calls == 1 + min(most, 4)


def test_a_chain_costs_what_is_published():
    """1 draft, 1 plan, q answers, 1 rewrite."""
    for q in range(1, 5):
        plan = "\n".join(f"What is fact {i}?" for i in range(q))
        backend = Counting(Scripted(lambda r: plan if "Which facts" in r.prompt.text else "a fact"))  # noqa: B023
        result = asyncio.run(solve(PROMPT, Refine(1, FactCheck(), "last"), generator=Model(backend)))
        assert result.paid.model_calls == backend.calls == 1 + 1 + q + 1
        assert result.usage.generations == 2


def test_an_answer_that_fails_is_left_out():
    """And if all fail, so does the check."""

    def reply(request):
        if "Which facts" in request.prompt.text:
            return "What is one?\nWhat is two?"
        if "one" in request.prompt.text or request.seed < 0:
            raise CallError("gone")
        return "two"

    [verdict], _, _ = judged(FactCheck(Model(Scripted(reply))), DRAFT)
    assert verdict.feedback == "What is two?\ntwo"


def test_an_answer_that_is_too_long_is_not_read():
    [verdict], usage, _ = judged(FactCheck(checks("NONE")), "x" * (LONGEST + 1))
    assert verdict.value is None
    assert usage.model_calls == 0


def test_a_long_answer_and_a_long_plan_take_no_time_to_compare():
    """100,000 characters of short sentences, and a plan of as many: the work is bounded."""
    answer = "So it was in May. " * 5_500
    plan = "\n".join(f"What happened in the year {i} before anybody came?" for i in range(20_000))
    [verdict], usage, _ = judged(FactCheck(checks(plan)), answer)
    assert verdict.value is None
    assert usage.model_calls == 1 + 5


def test_mistakes_are_named():
    for wrong in ({"questions": 0}, {"retries": -1}, {"template": "?"}, {"generator": len}):
        with pytest.raises(ConfigError):
            FactCheck(**wrong)


def two_questions(request):
    return "Who is it?\nWhat is it?" if "Which facts" in request.prompt.text else "somebody"


class TestFactCheck(VerifierTests):
    def verifier(self) -> Verifier:
        return FactCheck(Model(Scripted(two_questions)))
