r"""The maths parser: what it reads, what it refuses, and that no text does it harm."""

from __future__ import annotations

import contextlib
import math
import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.answers.canonical import MAX_ANSWER
from searchkit.verifiers.reference.maths.answer import judge, read
from searchkit.verifiers.reference.maths.exact import expand, independent
from searchkit.verifiers.reference.maths.key import math_key
from searchkit.verifiers.reference.maths.parser import parse
from searchkit.verifiers.reference.maths.reader import MAX_DEPTH
from searchkit.verifiers.reference.maths.regions import region
from searchkit.verifiers.reference.maths.terms import MAX_TERMS, TooBig, Work, rational, render
from searchkit.verifiers.reference.maths.two_readings import Unreadable


def value(text):
    """The rational number that an expression is."""
    return rational(expand(parse(text), Work()))


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2+3*4", 14),
        ("2-3-4", -5),
        ("12/2/3", 2),
        ("-2^2", -4),
        ("(-2)^2", 4),
        ("2^3^2", 512),
        ("2^{-1}", Fraction(1, 2)),
        ("2^-1", Fraction(1, 2)),
        ("2*-3", -6),
        ("3!", 6),
        ("2*3!", 12),
        ("2(3+4)", 14),
        ("(1+2)(3+4)", 21),
        (r"2\frac13", Fraction(7, 3)),
        (r"2\cdot\frac13", Fraction(2, 3)),
        (r"\frac12\frac13", Fraction(1, 6)),
        (r"\frac34", Fraction(3, 4)),
        (r"4^\frac12", 2),
        ("sqrt(16)", 4),
        (r"\sqrt[3]{27}", 3),
        ("|2-5|", 3),
        ("||-1|-3|", 2),
        (r"|2||-3|", 6),
        (r"\lvert -3 \rvert", 3),
        (r"\binom52", 10),
        ("0.1", Fraction(1, 10)),
        (".5", Fraction(1, 2)),
        (r"0.\overline{142857}", Fraction(1, 7)),
        (r"2^{2^{2}}", 16),
        ("{2+3}", 5),
        ("2²", 4),
        ("½", Fraction(1, 2)),
    ],
)
def test_arithmetic_is_read_with_the_usual_precedence(text, number):
    """Each line of the table, computed exactly."""
    assert value(text) == number


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        ("1,2", "list", 2),
        ("1;2;3", "list", 3),
        ("1 and 2", "list", 2),
        ("1, 2, and 3", "list", 3),
        ("1 or 2", "list", 2),
        ("(1,2)", "group", 2),
        ("[1,2)", "group", 2),
        (r"\{1,2,3\}", "group", 3),
        (r"\{\}", "group", 0),
        (r"[0,1]\cup[2,3]\cup[4,5]", "union", 3),
        ("x<1 or x>2", "union", 2),
        ("0<x<1", "relation", 3),
        ("x=1", "relation", 2),
        (r"\begin{pmatrix}1&2\\3&4\\5&6\end{pmatrix}", "matrix", 3),
        ("1:2", "ratio", 2),
        (r"\{x | x>1\}", "builder", 2),
        ("(1,2) or (2,1)", "list", 2),
        ("(-\\infty,1) or (2,3)", "union", 2),
        (r"x \ne 1, 2", "list", 2),
        (r"x \equiv 3 \pmod 7", "congruence", 3),
        (r"\begin{cases}x=1\\y=2\end{cases}", "list", 2),
        (r"\begin{cases}x & x>0\\-x & x<0\end{cases}", "cases", 2),
        (r"\begin{array}{cc}1&2\\3&4\end{array}", "matrix", 2),
        (r"\mathbb{Z}", "field", 0),
        ("52_8", "numeral", 1),
        ("x_{12}", "symbol", 0),
        (r"\sin x", "function", 1),
        (r"\log_2 x", "function", 2),
        (r"\pm 1", "either", 1),
    ],
)
def test_kinds_of_answers(text, kind, parts):
    """What an answer is, and how many parts it has."""
    node = parse(text)
    assert (node.kind, len(node.parts)) == (kind, parts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\sin 2x", r"\sin(2x)"),
        (r"\sin x y", r"\sin(xy)"),
        (r"\sin x \cos y", r"(\sin x)(\cos y)"),
        (r"\sin(x) y", r"y\sin(x)"),
        (r"\sin^2 x", r"(\sin x)^2"),
        (r"\sin x^2", r"\sin(x^2)"),
        (r"\sin^{-1} x", r"\arcsin x"),
        (r"\ln x+1", r"1+\ln(x)"),
        (r"\sin\frac{x}{2}", r"\sin(x/2)"),
        ("xy^2", "x*y^2"),
        ("2x^2y", "2*x^2*y"),
        ("x^12", "x^{12}"),
        ("ab", "b*a"),
        ("x**2", "x^2"),
        (r"\pi r^2", "π r²"),
        ("a/b", r"\frac{a}{b}"),
        ("a/(bc)", r"\frac{a}{bc}"),
    ],
)
def test_two_notations_of_one_expression(one, other):
    """Arguments without brackets, juxtaposition, plain text and Unicode."""
    assert expand(parse(one), Work()) == expand(parse(other), Work())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ends too early"),
        ("1+", "ends too early"),
        ("(1", "not closed"),
        ("1)", "not expected"),
        (r"\frac{1}", "ends too early"),
        ("1/2x", "may be"),
        (r"\sin a/b", "may be"),
        ("n!!", "double factorial"),
        ("x^2^3^", "ends too early"),
        ("x^{2}^{3}", "another one"),
        (r"\foo", "foo' is not known"),
        (r"\oint", "ends too early"),
        ("hello", "'hello' is not known"),
        ("3 4", "side by side"),
        ("1 000", "begins with 0"),
        ("x2", "side by side"),
        (r"\frac{1}{2}3", "side by side"),
        (r"\frac314", "side by side"),  # three over one, times four, says TeX; or three fourteenths
        (r"\sqrt16", "side by side"),  # the root of one, times six, says TeX; or the root of sixteen
        ("18 (12+6)", "brackets"),
        ("0.3(3)", "brackets may repeat"),
        (r"x=1 \quad 5", "layout"),
        ("3 to 4", "a word stands between"),
        ("3–4", "a range or a difference"),
        ("12/25/2020", "a date"),
        ("2020-01-05", "a date"),
        ("1,2,...", "dots"),
        ("x!=3", "factorial or not equal"),
        ("x<1, x>2", "may be joined"),
        ("52_1", "base"),
        ("59_8", "lacks"),
        ("(1,2,3]", "two ends"),
        (r"\begin{pmatrix}1&2\\3\end{pmatrix}", "different lengths"),
        (r"\begin{tabular}1\end{tabular}", "the environment 'tabular'"),
        (r"\mathbb{K}", "number field"),
        ("x_", "subscript"),
        (r"\cot^{-1} x", "inverse"),
        ("5'", "not expected"),
        ("(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1), "nested more than 40 deep"),
    ],
)
def test_what_it_does_not_know_or_may_be_read_in_two_ways_is_refused(text, reason):
    """Never a guess; the reason is a few words."""
    with pytest.raises(Unreadable, match=reason):
        parse(text)


def test_the_deepest_nesting_that_is_allowed_is_read():
    """Far from the interpreter's own limit."""
    depth = MAX_DEPTH - 1
    assert value("(" * depth + "1" + ")" * depth) == 1


# ---------------------------------------------------------------- exact arithmetic


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("0", "0"),
        ("x-x", "0"),
        ("(x+1)^2", "1+2[x]+[x]^2"),
        (r"\sqrt{12}", "2[3]^1/2"),
        (r"\frac{1}{\sqrt{2}}", "1/2[2]^1/2"),
        (r"\sqrt[3]{16}", "2[2]^1/3"),
        (r"\sqrt2\sqrt3", "[2]^1/2[3]^1/2"),
        (r"\sqrt{-4}", "2[i]"),
        ("i^3", "-[i]"),
        (r"\frac{2}{4x+2}", "[(1+2[x])]^-1"),
        (r"\sqrt{x^2}", "[(pow [x]^2, 1/2)]"),
        (r"\sin x", "[(sin [x])]"),
    ],
)
def test_an_expression_is_a_sum_of_monomials(text, rendered):
    """The forms that a reader can check; atoms in square brackets."""
    assert render(expand(parse(text), Work())) == rendered


def test_independent_sums_are_those_without_anything_left_whole():
    """Only of these different forms prove different values."""
    texts = {r"1+\sqrt2": True, r"\pi+i": True, "x^2y": True, "e": False, r"\sin x": False, r"\frac{1}{x+1}": False}
    assert {text: independent(expand(parse(text), Work())) for text in texts} == texts


INTEGERS = st.integers(-20, 20)
TREES = st.recursive(
    INTEGERS.map(lambda n: (f"({n})", Fraction(n))),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}+{p[1][0]})", p[0][1] + p[1][1])),
        st.tuples(inner, inner)
        .map(lambda p: (f"{p[0][0]}-{p[1][0]}", p[0][1] - p[1][1]))
        .map(lambda p: (f"({p[0]})", p[1])),
        st.tuples(inner, inner).map(lambda p: (rf"{p[0][0]} \cdot {p[1][0]}", p[0][1] * p[1][1])),
        st.tuples(inner, inner.filter(lambda p: p[1] != 0)).map(
            lambda p: (rf"\frac{{{p[0][0]}}}{{{p[1][0]}}}", p[0][1] / p[1][1])
        ),
        st.tuples(inner, st.integers(0, 4)).map(lambda p: (f"({p[0][0]})^{{{p[1]}}}", p[0][1] ** p[1])),
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(TREES)
def test_arithmetic_agrees_with_python(tree):
    """Random expressions against Fraction, as oracle."""
    text, expected = tree
    try:
        assert value(text) == expected
    except (TooBig, Unreadable):
        assert len(text) > 60
    except ValueError:  # 0^0 has no value
        assert "^{0}" in text


@settings(max_examples=300)
@given(st.lists(INTEGERS, min_size=1, max_size=4), st.lists(INTEGERS, min_size=1, max_size=4), st.integers(-5, 5))
def test_products_of_polynomials_agree_with_their_values(a, b, x):
    """The expanded form, evaluated, is the product of the factors' values."""

    def text(coefficients):
        return "+".join(f"({c})x^{{{n}}}" for n, c in enumerate(coefficients) if n) + f"+({coefficients[0]})"

    def at(coefficients):
        return sum(c * x**n for n, c in enumerate(coefficients))

    terms = expand(parse(f"({text(a).lstrip('+')})({text(b).lstrip('+')})"), Work())
    total = sum(c * math.prod(Fraction(x) ** power for _, power in one) for one, c in terms.items())
    assert total == at(a) * at(b)


@pytest.mark.parametrize(
    "text", ["(a+b+c+d+f+g)^{9}", "2^{100000}", "3000!", r"\binom{10^9}{3}", "(a+b)^{31}", "1." + "1" * 4000]
)
def test_sizes_are_estimated_before_anything_is_computed(text):
    """Terms, bits, powers, factorials and digits have limits."""
    with pytest.raises(TooBig):
        expand(parse(text), Work())


def test_work_is_limited_for_a_whole_comparison():
    """Many products that are small enough one by one."""
    text = "+".join(["(a+b+c)^{9}"] * 100)
    assert len(expand(parse("(a+b+c)^{9}"), Work())) == 55 < MAX_TERMS
    with pytest.raises(TooBig, match="too long to be expanded"):
        expand(parse(text), Work())


def test_a_comparison_that_branches_at_every_level_is_given_up():
    """Sets against tuples, thirty deep: each level may be tried in order and in any order."""
    sets, tuples = r"\{" * 30 + "a" + r",1\}" * 30, "(" * 30 + "b" + ",1)" * 30
    assert judge(read(sets), read(tuples)).equal is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (r"[0,1)\cup[1,2]", r"[0,2]\cup[1,2]", True),
        (r"[0,1)\cup(1,2]", r"[0,2]\cup[1,2]", False),
        (r"[0,1]\cup(1,2]", r"(1,2]\cup[0,1]", True),
        (r"(0,1)\cup(1,2)", r"(0,1)\cup(1,2)\cup(2,1)", True),  # (2, 1) is empty
        (r"(0,1)\cup\{1\}\cup(1,2)", r"(0,2)\cup(0,1)", True),
        (r"(-\infty,0)\cup[0,\infty)", r"(-\infty,\infty)\cup(0,1)", True),
        (r"(0,1)\cup(2,3)", r"(0,1)\cup[2,3)", False),
    ],
)
def test_unions_are_sets_of_points(one, other, same):
    """Touching intervals join, if the point between them belongs to one."""
    assert (region(parse(one), Work()) == region(parse(other), Work())) is same


# ---------------------------------------------------------------- any text at all

PIECES = [
    *"{}()[]|^_!+-*/=<>,;.:&' 0129xyei", "\\{", "\\}", "\\\\", "\\frac", "\\sqrt", "\\sin", "\\log", "\\ln",
    "\\pi", "\\pm", "\\cup", "\\in", "\\infty", "\\le", "\\begin{pmatrix}", "\\end{pmatrix}", "\\text{",
    "\\cdot", "\\circ", "\\overline{", "\\binom", "\\mathbb", "\\lfloor", "\\rfloor", "\\%", "sqrt", "or",
    "and", "pi", "½", "²", "٣", "é", "\x00", "𝟙",
]  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))


@settings(max_examples=600)
@given(TEXTS)
def test_any_text_is_a_tree_or_unreadable(text):
    """Nothing else is raised, by the parser or by what is built on it."""
    with contextlib.suppress(Unreadable):
        parse(text)
    answer = read(text)
    if answer is not None:
        assert judge(answer, answer).equal is True
    assert isinstance(math_key(rf"\boxed{{{text}}}"), str | None)


@settings(max_examples=400)
@given(TEXTS, TEXTS)
def test_judging_is_symmetric_and_agrees_with_the_key_for_votes(a, b):
    """On any two texts; equal keys are never judged different."""
    left, right = read(a), read(b)
    if left is None or right is None:
        return
    assert judge(left, right).equal is judge(right, left).equal
    if math_key(rf"\boxed{{{a}}}") == math_key(rf"\boxed{{{b}}}") is not None and left.node and right.node:
        assert judge(left, right).equal is not False


@pytest.mark.parametrize("piece", PIECES)
def test_the_longest_answers_made_of_one_piece_are_read_in_bounded_depth(piece):
    """A thousand characters of anything, alone and around a number, leave the interpreter's stack alone."""
    limit = sys.getrecursionlimit()
    for text in (piece * MAX_ANSWER, (piece + "x") * MAX_ANSWER, (piece + "{") * MAX_ANSWER):
        read(text[:MAX_ANSWER])
        try:
            parse(text[:MAX_ANSWER])
        except Unreadable:
            continue
    assert sys.getrecursionlimit() == limit
