"""An answer that the reply takes back is none; a check of an answer takes nothing back."""

from __future__ import annotations

import pytest

from searchkit.answers import keys
from searchkit.verifiers import MathEqual
from tests.helpers.math_checks import verify

TAKEN_BACK = [
    "{}. Wait, that is wrong.", "{}. No, wait, 6.", "{}. Actually, it is 6.", "{}. Wait, that's incorrect.",
    "{}. Hmm, it should be 7.", "{}. Sorry, 7.", "{}. I made a mistake.", "{}. I've made an arithmetic error.",
    "{}.\nCorrection: 7", "{}. Scratch that.", "{} - no, 6", "{}. This is not correct, though.",
    "{}. Oops, I forgot to carry the 1. It's 43.", "{}.\n\nWait, I forgot the 1. So it is 43.",
    "{}. Sorry, I meant 43.", "{}. On second thought, it's 43.", "{}. My mistake, it is 43.",
    "{}. Let me recheck: 6*7=43. So 43.",
    "{}. Actually, no: I forgot to carry the 1. It's 43.", "{}. Hold on, 6*7+1=43, so it should be 43.",
    "{}. Non, attendez, c'est 43.", "{}. Moment, das stimmt nicht: 43.", "{}。等等,不对,应该是43。",
    "{}. Нет, подождите, 43.", "{}. No, espera, es 43.",
    "{}. No, that can't be right: the answer is not 5.", "{}. Oops, it's 6",
]  # fmt: skip
KEPT = [
    "{}.", "{}. Wait, let me double-check: 2+3=5. Yes.", "{}. Hmm, that seems right. Yes.",
    "{}. This is not possible otherwise.", "{} because 6 is wrong.", "{}. No other value works.",
    "{}. It is not 6.", "{}. Note that 6 would be wrong.", "{}. Actually, I think this is fine.",
    "{}. To see that this is the only one, note that 6 is impossible.",
]  # fmt: skip
MARKED = ["The answer is 5", r"So \boxed{5}", "Antwort: 5"]


@pytest.mark.parametrize("marked", MARKED)
@pytest.mark.parametrize("text", TAKEN_BACK)
def test_what_is_taken_back_is_no_answer(marked, text):
    """Nor is an answer before it."""
    assert keys.default(text.format(marked)) not in ("5", "6", "7")
    assert keys.default("The answer is 3.\n" + text.format(marked)) not in ("3", "5", "6", "7")
    assert verify(MathEqual(reference="5"), text.format(marked))[0].passed is not True


@pytest.mark.parametrize("marked", MARKED)
@pytest.mark.parametrize("text", KEPT)
def test_a_check_takes_nothing_back(marked, text):
    """Nor do words about other values."""
    assert keys.default(text.format(marked)) == "5"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("\\boxed{5}\n\nNote: a common wrong answer is 7.", "5"),
        ("**Answer: 5**\n\nIf order mattered, the answer would be 7.", "5"),
        ("The answer is 5. Many students think the answer is 7.", "5"),
        ("The naive answer is 7.\nThe right one is 5.", None),
        ("At first glance the answer is 7.\nIn reality it is 5.", None),
        ("It cannot be \\boxed{6}.\nThe rest is open.", None),
        ("\\boxed{6} is wrong.\nThe rest is open.", None),
    ],
)
def test_answers_that_are_not_the_replys(text, key):
    """What others would say, what would hold otherwise, and what is denied."""
    assert keys.default(text) == key


def test_a_later_answer_counts():
    """A question is no answer."""
    assert keys.default("The answer is 5. Wait, that is wrong. The answer is 6.") == "6"
    assert keys.default("The answer is 5.\n\nWait, the answer should be $6$") == "6"
    assert keys.default("The answer is 4.\nOr is the answer 5? I do not know.") == "4"
    assert keys.default("Is the answer 5?\nI do not know.") is None
