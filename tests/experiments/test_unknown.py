"""What the truth leaves unknown: which verdicts count so, and the sentences that say why."""

from __future__ import annotations

import pytest

from searchkit.errors import ConfigError
from searchkit.experiments.unknown import LONGEST, Truth, Unknown, diagnosis, truth
from searchkit.types import Message, Sample, Text, Verdict
from searchkit.verifiers import Exact, Predicate, Weighted
from searchkit.verifiers.reference.referenced import NO_ANSWER

NONE = NO_ANSWER.feedback


def unread(*values, cut=False):
    return [Unknown(value, NONE, cut) for value in values]


@pytest.mark.parametrize(
    ("verdict", "correct", "unknown"),
    [
        (Verdict(passed=True), True, False),
        (Verdict(passed=False), False, False),
        (Verdict(0.2, True), True, False),
        (Verdict(1.0, False), False, False),
        (Verdict(passed=False, step_scores=(1.0, 0.0)), False, False),
        (Verdict(), False, True),
        (Verdict(feedback="the sandbox broke"), False, True),
        (NO_ANSWER, False, True),
        (Verdict(0.0, False, unread=True), False, True),
        (Verdict(1.0, True, unread=True), True, False),
    ],
)
def test_each_verdict_is_right_wrong_or_unknown(verdict, correct, unknown):
    """Passed or failed is known; abstentions, and what had no answer to be compared, are not."""
    assert truth(verdict, Exact(), "truth") == Truth(correct, unknown, verdict.feedback)


@pytest.mark.parametrize("verdict", [Verdict(0.5), Verdict(0.0), Verdict(step_scores=(0.1, 0.9))])
def test_scores_alone_are_no_truth(verdict):
    """One sentence, with the fix; steps alone are scores too."""
    with pytest.raises(ConfigError, match=r"^truth=Exact\(.*AllOf\(\(verifier,\)\) passes") as raised:
        truth(verdict, Exact(), "truth")
    assert "\n" not in str(raised.value)


def test_a_long_or_broken_feedback_is_bounded():
    """It is stored in every row: cut, and without half characters, which no other tool can read."""
    assert truth(Verdict(feedback="x" * 9999), Exact(), "truth").feedback == "x" * LONGEST
    assert truth(Verdict(feedback="a\ud800b"), Exact(), "truth").feedback == "a\\ud800b"


def test_nothing_unknown_says_nothing():
    """The empty text, which is false."""
    assert diagnosis([], 80) == ""


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (["124+7\n131\n", "5\nso 12 it is"], "try MathEqual(number)"),
        (["we add\nand get seven", "it is\nthe same"], "have the prompt ask for"),
        (["I think\nthe answer is 4", "first\nthe answer is 5"], "try MathEqual()"),
        (["so\nthe answer is 4", "no\nidea", "none\nat all"], "have the prompt ask for"),
        ([r"x\n\boxed{4}", r"y \boxed{5}"], "try MathEqual()"),
        (["", "  \n"], "2 of them are empty"),
        ([None], "1 of them are empty"),
        ([{"answer": 4}], "try MathEqual()"),
    ],
)
def test_the_advice_names_what_reads_the_replies(values, advice):
    """Keys are tried on the replies themselves, the surest first; what none reads needs another prompt."""
    assert advice in diagnosis(unread(*values), len(values))


def test_replies_that_were_cut_off_need_tokens():
    """No key helps where the answer was never written; where some were whole, a key may help those."""
    cut = unread("5 + 6 =\n", "7 +\n", cut=True)
    assert diagnosis(cut, 2).endswith("; 2 of them were cut off: raise max_tokens")
    assert diagnosis(cut + unread("we have\n12"), 9).endswith(
        "2 of them were cut off: raise max_tokens; try MathEqual(number)"
    )


def test_the_most_frequent_reason_is_told():
    """Abstentions are another sentence than what could not be read, each with its own example."""
    slow = [Unknown("y", "unknown: too slow", False)]
    said = diagnosis([*unread("a\nb"), *slow, *[Unknown("x", "unknown: \\int", False)] * 2], 10)
    first, second = said.split(". ")
    assert first.startswith("no answer could be read in 1 of 10 replies, for example 'a\\nb'; have the prompt ask")
    assert second == "3 of 10 verdicts are unknown, for example on 'x': unknown: \\int (2 times)"
    assert diagnosis([Unknown("x", "", False)], 1).endswith("the truth abstains without a reason")


@pytest.mark.parametrize(
    "value",
    ["\x1b[31mred\x1b[0m\nx", "a\u202eb\nx", "lone \ud800\nx", "x\n" * 50_000, "<script>\nx", {"a": "\x1b[2J" * 1000}],
)
def test_hostile_replies_are_escaped_and_cut(value):
    """One printable line of at most some hundred characters, whatever a model wrote; so is its feedback."""
    for one in (Unknown(value, NONE, False), Unknown(value, f"why: {value}", False)):
        said = diagnosis([one], 1)
        assert said.isprintable()
        assert len(said) < 400
        said.encode()


def test_keys_are_not_tried_on_the_longest_replies():
    """Nor on more than the first 50: the advice costs the same however many there are."""
    ask = "have the prompt ask for"
    assert ask in diagnosis(unread("word\n" * 5000 + "12"), 1)
    assert ask in diagnosis(unread(*["no\nnumber"] * 50, *["a\n12"] * 500), 550)
    assert "try MathEqual(number)" in diagnosis(unread(*["a\n12"] * 50, *["no\nnumber"] * 500), 550)


def test_a_hostile_reply_without_a_value_is_bounded():
    """What stands in the row, and what is shown, whatever a model wrote, and however long the reason is."""
    for reply in ("\x1b[2J" * 5000, "a\ud800b", "x\n" * 50_000):
        sample = Sample("", message=Message("assistant", (Text(reply),)))
        for verdict in (NO_ANSWER, Verdict(feedback="why " * 999)):
            known = truth(verdict, Exact(), "truth", sample=sample)
            assert known.unknown
            assert len(known.feedback) <= 5 * LONGEST
            known.feedback.encode()
            said = diagnosis([Unknown("", known.feedback, False)], 1)
            assert said.isprintable()
            assert len(said) < 500
            assert "without a value" in said


def test_what_is_right_or_wrong_has_no_end_of_a_reply():
    """Only what is unknown needs it."""
    sample = Sample("", message=Message("assistant", (Text("a reply"),)))
    for verdict in (Verdict(passed=True, feedback="yes"), Verdict(passed=False, feedback="no")):
        assert truth(verdict, Exact(), "truth", sample=sample).feedback == verdict.feedback


def test_a_score_only_truth_is_called_by_a_short_name():
    """Neither a long `repr` nor an address stands before what is wrong."""
    for judge, name in (
        (Predicate(lambda text: 0.5, name="half"), "Predicate(name='half')"),
        (Predicate(len, range=(0, 9)), "Predicate(...)"),
        (Weighted((Exact(), Predicate(lambda text: 0.2)), (1.0, 1.0)), "Weighted(...)"),
        (Predicate(len, name="\x1b[2J" * 99), "Predicate(name="),
    ):
        with pytest.raises(ConfigError) as raised:
            truth(Verdict(0.5), judge, "truth")
        message = str(raised.value)
        assert message.startswith(f"truth={name}")
        assert " at 0x" not in message
        assert message.isprintable()
        assert message.index("gives a score") < 100


def test_an_example_is_never_empty_where_another_reply_has_a_text():
    """An empty reply comes first, one that was cut off has a text."""
    said = diagnosis([*unread(""), *unread("so 4 +", cut=True)], 2)
    assert "for example 'so 4 +'" in said
