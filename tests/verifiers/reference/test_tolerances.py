"""Tolerances, one at a time: what they let pass and never touch; and the graders that sets were published with."""

from __future__ import annotations

import pickle

import pytest

from searchkit import Problem, Prompt, solve_sync
from searchkit.errors import ConfigError
from searchkit.strategies import BestOfN
from searchkit.verifiers import (
    GSM8K_GRADER,
    MATH_GRADER,
    Absolute,
    MathEqual,
    Places,
    Predicate,
    Relative,
    math_key,
)
from tests.helpers.math_checks import PROMPT, verify

NEAR = [
    (Relative(0.01), "100", "101"),
    (Relative(0.01), "-100", "-99"),
    (Relative(1e-4), r"\pi", "3.1416"),
    (Relative(1e-4), r"\sqrt2", "1.41421"),
    (Absolute(0.5), "1.1", "0.6"),  # 0.5 exactly, which floating point exceeds
    (Absolute(0.5), "0", "-0.5"),
    (Places(2), r"\frac13", "0.33"),
    (Places(0), "7/2", "4"),
    (Places(1), "x = 33.3", r"\frac{100}{3}"),
    (Places(3), "0.667", r"\approx 0.6667"),
]
FAR = [
    (Relative(0.01), "100", "101.1"),
    (Relative(0.5), "0", "0.001"),
    (Absolute(0.5), "1.1", "0.5999"),
    (Places(2), r"\frac13", "0.34"),
    (Places(15), "0", "0.000000000000001"),
]


@pytest.mark.parametrize(("tolerance", "reference", "text"), NEAR)
def test_what_is_near_enough_passes_and_the_verdict_names_the_tolerance(tolerance, reference, text):
    """Without it the same pair does not pass, and its key stays another."""
    [verdict] = verify(MathEqual(reference=reference, tolerance=tolerance), text)
    assert (verdict.passed, verdict.feedback) == (True, f"equal: another number, within {tolerance!r}")
    assert verify(MathEqual(reference=reference), text)[0].passed is not True
    assert math_key(reference) != math_key(text)


@pytest.mark.parametrize(("tolerance", "reference", "text"), FAR)
def test_what_is_too_far_fails(tolerance, reference, text):
    """By a little."""
    assert verify(MathEqual(reference=reference, tolerance=tolerance), text)[0].passed is False


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("1,2", "1,2.001"),
        ("(1,2)", "(1,2.001)"),
        ("x", "1.001x"),
        ("5 km", "5.001 cm"),
        ("50%", "50.001"),
        ("1", "one or two"),
        ("east", "5"),
        ("5", r"\boxed{5.001} or \boxed{7}"),
        ("x>5", "x>5.001"),
        ("2i", "2.001i"),
        ("5", "5001"),
    ],
)
def test_nothing_but_single_real_numbers_in_one_unit_is_let_pass(reference, text):
    """A tolerance is asked about two numbers, nothing else."""
    assert verify(MathEqual(reference=reference, tolerance=Relative(0.01)), text)[0].passed is not True


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (Relative, 0),
        (Relative, 1),
        (Relative, -0.1),
        (Absolute, 0),
        (Absolute, float("inf")),
        (Places, -1),
        (Places, 1.5),
        (Places, True),
        (Places, 16),
    ],
)
def test_impossible_tolerances_are_refused(make, value):
    """At construction, with the right form in the sentence."""
    with pytest.raises(ConfigError, match="it takes a"):
        make(value)


def test_a_tolerance_is_one_of_three_and_part_of_the_identity():
    """Journals of one never return the verdicts of another."""
    with pytest.raises(ConfigError, match=r"is Relative\(1e-4\), Absolute\(0.5\) or Places\(2\)"):
        MathEqual(tolerance=0.01)
    found = [
        MathEqual(reference="1", tolerance=one) for one in (None, Places(2), Places(3), Relative(0.1), Absolute(0.1))
    ]
    assert len({verifier.key for verifier in found}) == 5
    assert pickle.loads(pickle.dumps(found[1])).key == found[1].key


# ---------------------------------------------------------------- a predicate that knows the answer


def near(value, reference):
    """A rule of one's own."""
    return abs(float(value) - float(reference)) < 0.1


def near_of(prompt, value, *, reference):
    """The same, with the prompt."""
    return f"{prompt.text}:{reference}" == value


def test_a_predicate_may_take_value_and_reference():
    """The problem's, by the argument's name; its digest is part of the identity."""
    problem = Problem("p", Prompt.of("How much?"), reference="1.5")
    result = solve_sync(problem, BestOfN(2, Predicate(near)), generator=lambda text, index: ["1.55", "1.7"][index])
    assert [scored.verdict.passed for scored in result.candidates] == [True, False]
    assert verify(Predicate(near_of).bind(Problem("p", PROMPT, reference="7")), f"{PROMPT.text}:7")[0].passed is True
    one, other = (Predicate(near, reference=value) for value in ("1", "2"))
    assert one.key != other.key
    assert "1" not in one.key.rpartition(":")[0].replace("1.0", "").replace("test_", "")
    assert one.bind(Problem("q", PROMPT)) == one


def test_a_predicate_without_the_reference_that_it_takes_is_refused():
    """At bind, before anything is paid."""
    with pytest.raises(ConfigError, match=r"takes a reference: pass Problem\(id, prompt, reference=\.\.\.\)"):
        Predicate(near).bind(Problem("p", PROMPT))


# ---------------------------------------------------------------- published graders


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("#### 1234", True),
        ("#### 1,234", True),
        ("so\n#### 1234\n#### 5", True),
        ("#### 1234.0", False),
        ("1234", False),
        ("#### 1234.", False),
        ("the answer is 1234", False),
    ],
)
def test_the_grader_of_gsm8k(text, passed):
    """The first "#### x", letter by letter but for commas; the reference with or without its solution."""
    for reference in ("1,234", "work\n#### 1,234"):
        assert verify(GSM8K_GRADER.bind(Problem("p", PROMPT, reference)), text)[0].passed is passed


@pytest.mark.parametrize(
    ("reference", "text", "passed"),
    [
        (r"\frac{1}{2}", r"\boxed{\dfrac12}", True),
        (r"\frac{1}{2}", r"\boxed{0.5}", True),
        (r"\frac{1}{2}", r"\boxed{1/2}", True),
        (r"\frac{1}{2}", r"\boxed{x = .5}", True),
        (r"\frac{1}{2}", r"\boxed{\frac{2}{4}}", False),
        (r"90^\circ", r"\boxed{90}", True),
        (r"\sqrt{3}", r"\boxed{\sqrt3}", True),
        ("5", r"\boxed{5\text{ cm}}", True),
        ("50", r"\boxed{50\%}", True),
        (r"\left(1,2\right)", r"\boxed{(1, 2)}", True),
        ("5", r"\boxed{1} \boxed{5}", True),
        ("5", "the answer is 5", False),
        ("1,000", r"\boxed{1000}", False),
    ],
)
def test_the_grader_of_math(reference, text, passed):
    """The last box in one spelling of its LaTeX, with the mistakes of its own."""
    assert verify(MATH_GRADER.bind(Problem("p", PROMPT, reference)), text)[0].passed is passed
