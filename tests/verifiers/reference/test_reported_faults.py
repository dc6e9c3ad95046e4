r"""What users of other graders reported, tried here: each row is one report, by its number in our list, of kinds K7 to
K19. A sentence or a box, the reference, and the verdict that is right; two verdicts where the reading is open.
"""

from __future__ import annotations

import pytest

from searchkit import Problem, Prompt, solve_sync
from searchkit.answers import keys
from searchkit.datasets.gsm8k import NUMBER, gsm8k
from searchkit.errors import ConfigError
from searchkit.strategies import SelfConsistency
from searchkit.verifiers import Absolute, Exact, MathEqual, Places, Relative, math_key
from tests.helpers.math_checks import verify


def box(text):
    return rf"\boxed{{{text}}}"


RIGHT, WRONG, OPEN = (True,), (False,), (None,)
NOT_WRONG, NOT_RIGHT = (True, None), (False, None)

REPORTS = [
    # K7: words, units and reasons around the number
    ("F008", "18", "#### 18 eggs", RIGHT),
    ("F010", "18", "The answer is that John has 18 apples left.", RIGHT),
    ("F012", "9 (apples)", box("9"), RIGHT),
    ("F012", "9 (apples)", box("8"), WRONG),
    ("F013", "18", "The answer is 18 because 12+6=18.", RIGHT),
    ("F013", "18", "The answer is 18 since each has 3.", RIGHT),
    ("F014", "18", "#### 12 + 6 = 18", RIGHT),
    ("F014", "12", "The answer is 5 + 7 = 12.", RIGHT),
    ("F016", "12", "The answer is 12. I hope this answer is helpful!", RIGHT),
    ("F017", "2000000", "The answer is 2 million.", RIGHT),
    ("F017", "2000000", "The answer is $2 million.", RIGHT),
    ("two numbers", "5", "The answer is 5 or 7.", OPEN),
    ("two numbers", "18", "The answer is 18 (12+6).", OPEN),
    ("two numbers", "3", "The answer is between 3 and 4.", OPEN),
    ("two numbers", "16", "The answer is 18, not 16.", OPEN),
    # K8: guesses
    ("F018", "1000", box("1 000"), NOT_WRONG),
    ("F018", "1000", box(r"1\ 000"), NOT_WRONG),
    ("F020", "12", box("3 4"), OPEN),
    ("F020", "324", box("18 (12+6)"), OPEN),
    ("F023", r"28\%", box("28 pct"), RIGHT),
    ("F023", r"28\%", box("28 percentage"), RIGHT),
    ("F025", "18", box("18个"), RIGHT),
    ("F025", "5", box("5元"), RIGHT),
    ("F026", "5", box(r"5^{\text{th}}"), NOT_WRONG),
    ("F026", "5", box("5th"), NOT_WRONG),
    ("F028", r"\frac13", box("0.333..."), NOT_WRONG),
    ("F028", "0.333", box("0.333..."), NOT_RIGHT),
    (
        "F029",
        r"\begin{pmatrix}6&8\\10&12\end{pmatrix}",
        box(r"\begin{pmatrix}1&2\\3&4\end{pmatrix}+\begin{pmatrix}5&6\\7&8\end{pmatrix}"),
        RIGHT,
    ),
    ("F032", "2i", box(r"2\operatorname{cis}\frac{\pi}{2}"), RIGHT),
    ("F033", "21", box("twenty-one"), RIGHT),
    ("F033", "100", box(r"\text{one hundred}"), RIGHT),
    ("F034", r"2\text{ million}", box("2000000"), RIGHT),
    ("F034", r"2\text{ million}", box("2"), WRONG),
    # K9: several boxes
    ("F089", "1, 2", r"So \boxed{1} and \boxed{2}.", RIGHT),
    ("last of two", "2", r"So \boxed{1} and \boxed{2}.", OPEN),
    ("F091", "k = 45, n = 2", r"\boxed{k = 45} \text{ and } \boxed{n = 2}", RIGHT),
    # K10: names and calculations in front
    ("F103", "4, 5", box("AB=4,CD=5"), RIGHT),
    ("F103", "1", box("|AB|=1"), RIGHT),
    ("F104", r"\frac13", box(r"P(A)=\frac{1}{3}"), RIGHT),
    ("F104", "7", box("f(3)=7"), RIGHT),
    ("F104", "12", box(r"\text{Area}=12"), RIGHT),
    ("F105", "60", box(r"m\angle ABC = 60^\circ"), RIGHT),
    ("F107", "12", box(r"3 \cdot 4 = 12"), RIGHT),
    ("F107", "5", box("2+3=5"), RIGHT),
    ("F107", "2x", box("y'=2x"), RIGHT),
    ("F107", "2x", box(r"\frac{dy}{dx}=2x"), RIGHT),
    # K11: notation
    ("F108", r"x \neq 2", box(r"x \ne 2"), RIGHT),
    ("F108", r"x \neq 3", box("x != 3"), RIGHT),
    ("F109", r"\frac23", box(r"\frac{2}{3} \approx 0.667"), RIGHT),
    ("F109", r"\frac23", box("2/3 ≈ 0.667"), RIGHT),
    ("F111", r"\{x|-2 \leq x<1\}", box("[-2,1)"), RIGHT),
    ("F111", "(2,5)", box(r"\{x \mid 2<x<5\}"), RIGHT),
    (
        "F112",
        r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
        box(r"\left[\begin{array}{cc}1&2\\3&4\end{array}\right]"),
        RIGHT,
    ),
    ("F113", "x=1,y=2", box(r"\begin{cases}x=1\\y=2\end{cases}"), RIGHT),
    ("F113", "x=1,y=2", box(r"\begin{aligned}x&=1\\y&=2\end{aligned}"), RIGHT),
    ("F114", "x<1", box("-x > -1"), RIGHT),
    ("F114", "x>5", box("2x > 10"), RIGHT),
    ("F114", "[-2,2]", box(r"|x| \le 2"), RIGHT),
    ("F115", "3/4", box(r"{3 \over 4}"), RIGHT),
    ("F115", "(1,2)", box(r"\langle 1,2 \rangle"), RIGHT),
    ("F115", "(2,5)", box("]2,5["), RIGHT),
    ("F115", "1/3", box(r"0.\dot3"), RIGHT),
    ("F115", r"x \equiv 3 \pmod 7", box(r"x \equiv 10 \pmod{7}"), RIGHT),
    ("F115", "5", box(r"\bm{5}"), RIGHT),
    ("F115", "5", box(r"\textcolor{red}{5}"), RIGHT),
    ("F115", "5", box(r"\bigl(5\bigr)"), RIGHT),
    ("F115", "-3", box("—3"), RIGHT),
    ("F115", "-3", box("－3"), RIGHT),
    ("F116", "(11,7),(7,11)", box(r"(7,11) \text{ or } (11,7)"), RIGHT),
    # K15: places
    ("F074", "42", "**Final Answer**\n\n42", RIGHT),
    ("F074", "42", "### Answer\n42", RIGHT),
    ("F075", "42", "The answer is:\n\\[\n42\n\\]", RIGHT),
    ("F075", "42", "The answer is:\n$$\n42\n$$", RIGHT),
    ("F076", "42", "<answer>42</answer>", RIGHT),
    ("F076", "42", "<answer>\n42\n</answer>", RIGHT),
    ("F079", "42", "The answer is... 42", RIGHT),
    ("F079", "42", "The answer is the number 42.", RIGHT),
    # K16: thoughts
    ("F068", "42", "<reasoning>\nthe answer is 7\n</reasoning>\n<answer>\n42\n</answer>", RIGHT),
    ("F071", "42", "<thought>the answer is 7 ...\n</thought>\n42", RIGHT),
    (
        "F073",
        "42",
        "<|begin_of_thought|>\nthe answer is 7\n<|end_of_thought|>\n<|begin_of_solution|>\n42\n<|end_of_solution|>",
        RIGHT,
    ),
    # K17 to K19: end tokens, other languages, run-on text
    ("F138", "42", "The answer is 42.</s>", RIGHT),
    ("F138", "42", "42<|im_end|>", RIGHT),
    ("F138", "18", "#### 18<|endoftext|>", RIGHT),
    ("F131", "42", box("４２"), RIGHT),
    ("F131", "42", box("x＝42"), RIGHT),
    ("F131", "(1,2)", "答案：（1，2）", RIGHT),
    ("F132", "42", "La réponse est 42.", RIGHT),
    ("F132", "42", "Die Antwort ist 42.", RIGHT),
    ("F132", "42", "Ответ: 42", RIGHT),
    ("F132", "42", "答えは42です。", RIGHT),
    ("F139", "18", "9*2=18\n#### 18\n\nQuestion: Tom has 3 ...\n#### 3", RIGHT),
]


@pytest.mark.parametrize(("report", "reference", "text", "right"), REPORTS)
def test_the_verdict_is_right(report, reference, text, right):
    """As the report's list says."""
    [verdict] = verify(MathEqual(reference=reference), text)
    assert verdict.passed in right, verdict


def test_f007_a_model_that_is_always_right_scores_all_of_gsm8k(tmp_path):
    """With the set's own prompt, key and verifier: sentences in which the number has a noun."""
    path = tmp_path / "test.jsonl"
    path.write_text('{"question": "3 times 6 eggs?", "answer": "3*6=18\\n#### 18"}\n')
    ds = gsm8k(path, checksum=None)
    text = "We compute 3*6.\nSo the answer is 18 eggs."
    result = solve_sync(ds.problems[0], SelfConsistency(4, key=ds.key), generator=lambda prompt: text)
    assert ds.key is not None
    assert ds.key(result.answer) == "18"
    assert verify(ds.verifier.bind(ds.problems[0]), text)[0].passed is True
    assert NUMBER("about 17 eggs and\nthen 18") == "18"


CHOICE = keys.choice("ABCD")


@pytest.mark.parametrize(
    ("report", "text", "letter"),
    [
        ("F081", "The answer is (B) 42.", "B"),
        ("F081", "**Answer: B) Paris**", "B"),
        ("F081", "B) Paris", "B"),
        ("F082", "The answer is C because I computed the integral.", "C"),
        ("F084", "So \\boxed{\\int_0^1 x\\,dx} counts.\n**Answer: B**", "B"),
        ("F085", "Therefore, the correct option is (B).", "B"),
        ("F085", "So the best choice is B.", "B"),
        ("F087", "Antwort: B", "B"),
    ],
)
def test_k14_the_letter_of_a_choice(report, text, letter):
    """By the key for choices, and by `Exact` with it."""
    assert CHOICE(text) == letter
    assert verify(Exact(CHOICE, letter), text)[0].passed is True


def test_f090_a_reference_with_several_answers_is_refused():
    """At construction and at bind, before anything is paid; several boxes of one value are one."""
    for verifier in (MathEqual, Exact):
        with pytest.raises(ConfigError, match="the reference gives several answers"):
            verifier(reference=r"The answers are \boxed{1} and \boxed{2}.")
        with pytest.raises(ConfigError, match="pass the bare answer"):
            verifier().bind(Problem("p", Prompt.of("?"), reference=r"\boxed{1} or \boxed{2}"))
    assert verify(MathEqual(reference=r"\boxed{\sqrt8}, that is \boxed{2\sqrt2}"), r"\boxed{\sqrt 8}")[0].passed is True


@pytest.mark.parametrize(
    ("reference", "text", "tolerance"),
    [
        ("1.5", "1.52", Relative(0.02)),
        (r"\frac1{12}", "0.0833333333333333", Places(6)),
        ("33.3", r"\frac{100}3", Places(1)),
        ("250", "250.4", Absolute(0.5)),
    ],
)
def test_f129_a_tolerance_where_it_is_asked_for(reference, text, tolerance):
    """Off by default: then the numbers differ."""
    assert verify(MathEqual(reference=reference), text)[0].passed is not True
    [verdict] = verify(MathEqual(reference=reference, tolerance=tolerance), text)
    assert verdict.passed is True
    assert repr(tolerance) in verdict.feedback
    assert math_key(reference) != math_key(text)
