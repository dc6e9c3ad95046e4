"""The key for multiple choice."""

from __future__ import annotations

import pickle

import pytest

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.verifiers import Exact
from tests.helpers.math_checks import verify

CITIES = {"A": "London", "B": "Paris", "C": "Rome", "D": "42"}
KEY = keys.choice(CITIES)


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "(B)",
        "b)",
        "B.",
        "B) Paris",
        "**B**",
        "$B$",
        r"\boxed{B}",
        r"\boxed{\text{(B)}}",
        "The answer is (B) Paris.",
        "**Answer: B) Paris**",
        "The answer is B because I computed it.",
        "Therefore, the correct option is (B).",
        "So the best choice is B.",
        "Antwort: B",
        "La réponse est B.",
        "答案：B",
        "正确答案是B。",
        "Ответ: B",
        "答えはBです。",
        "<think>A</think>\nB",
        r"\boxed{x^2} gives the area.\n**Answer: B**",
        "Answer seems to be A.\nAnswer: B",
        "Paris",
        "The answer is Paris.",
        "Option B is right",
        "A is wrong, C is too.\nFinal answer: B",
        "Answer: option (B)",
        "The answer is B, as shown.",
        "### Answer\nB",
        "<answer>B</answer>",
        r"The correct answer is: $\textbf{(B)}$ Paris",
        # beside options that are rejected
        "A is wrong. B is right.",
        "A is incorrect, so the answer is B",
        "Choice A is out, B it is",
        "It can't be A, so B.",
        "It cannot be A, so B.",
        "Not A. B.",
        "B, not A",
        "B (not A)",
        "B rather than A",
        "The answer is B and not A.",
        "The answer is B because A is wrong.",
        "The answer is B, since C and D are wrong.",
        "B. A is wrong.",
        "A and C are wrong, so B.",
        "Neither A nor C; B.",
        "Eliminate A. Eliminate C. B remains.",
        "(A) is false; (B) is true",
        "**B** is correct; A, C and D are not.",
        "A: wrong\nB: right",
        "A ist falsch. B ist richtig.",
        "Antwort: B, nicht A",
        "B\n\nExplanation: Paris is the capital.",
        "正确选项为 B",
        "La bonne réponse est la B.",
        "La respuesta correcta es la opción B.",
        "A 不对，B",
    ],
)
def test_the_letter_is_found(text):
    """By itself, with its option's text, with a reason, or from the text alone."""
    assert KEY(text) == "B"
    assert verify(Exact(KEY, "B"), text)[0].passed is True


@pytest.mark.parametrize(
    "text",
    [
        "A or B",
        "The answer is A and B.",
        "The answer is (A) Paris.",
        "B, C",
        "E",
        "The answer is E.",
        "I do not know.",
        "A cat sat on the mat.",
        "",
        "London or Paris",
        "The answer is A/B.",
        "It may be anything\nor nothing at all",
        # rejected, taken back, asked
        "A car travels at constant speed.",
        "Option C is tempting. Still, I'd go with B.",
        "B?",
        "Answer: A is a wrong choice",
        "The answer is C++.",
        "B C",
        r"\boxed{A}\boxed{B}",
        "<answer>B</answer><answer>C</answer>",
        "Answer: A: Rome",
        "The answer is B = Rome",
        "The answer is 42, so B.",
        "B is wrong",
        "B is not correct",
        "B isn't right",
        "Not B",
        "The answer is not B.",
        "B? No. C.",
        "Is it A? No, it is B.",
        "A. No, B.",
        "A was my first guess, but B",
        "The answer is B?",
        "The answer is A. No, wait, B.",
        "The answer is B. Wait, that is wrong.",
        "A\nB",
        "A) London\nB) Paris\nC) Rome\nD) 42",
    ],
)
def test_two_letters_a_contradiction_or_none_are_no_answer(text):
    """Also an article at the beginning of a sentence, a letter that is no option, and one that is rejected."""
    assert KEY(text) is None


def test_a_number_that_is_an_options_text_is_that_option():
    """Compared as answers are, not letter by letter."""
    assert KEY(r"The answer is $42.0$.") == "D"


def test_options_may_be_letters_texts_or_a_mapping():
    """The three are one key where they say the same, and survive pickling and printing."""
    assert keys.choice(["London", "Paris"]) == keys.choice({"A": "London", "B": "Paris"})
    assert keys.choice("ABCD")("The answer is (B) Paris.") == "B"
    assert keys.choice("AB", markers=["Risposta"])("Risposta: B") == "B"
    assert pickle.loads(pickle.dumps(KEY)) == KEY


@pytest.mark.parametrize("options", ["", [], {"AB": "x"}, "AA", {"1": "x"}, ["x"] * 27])
def test_options_that_cannot_be_are_refused(options):
    """At once, with a sentence."""
    with pytest.raises(ConfigError, match=r"choice\(\.\.\.\)"):
        keys.choice(options)
