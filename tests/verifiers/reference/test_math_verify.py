r"""`MathEqual(math_verify=True)`: another opinion on what our parser cannot read, and on nothing else; hostile text."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from searchkit import Problem
from searchkit.errors import ConfigError, VerifierError
from searchkit.types import Verdict
from searchkit.verifiers import MathEqual
from searchkit.verifiers.reference import math_equal
from searchkit.verifiers.reference.maths import worker as workers
from searchkit.verifiers.reference.maths.worker import LIMIT, QUEUE, WITH_MATH_VERIFY, Worker
from tests.helpers.math_checks import PROMPT, verify

installed = pytest.mark.skipif(
    importlib.util.find_spec("math_verify") is None, reason="math-verify is missing: pip install 'searchkit[math]'"
)


def judge(reference, text):
    """The verdict on one boxed answer."""
    [verdict] = verify(MathEqual(reference=reference, math_verify=True), rf"\boxed{{{text}}}")
    return verdict


# ---------------------------------------------------------------- what it decides

UNREADABLE_TO_US = [
    (r"\int_0^1 x \, dx", "1/2", "1/3"),
    (r"\int x \, dx", r"\frac{x^2}{2}", "x^2"),
    (r"\sum_{k=1}^{10} k", "55", "54"),
    (r"\prod_{k=1}^{4} k", "24", "10"),
    (r"\lim_{x \to 0} \frac{\sin x}{x}", "1", "0"),
    (r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}", "-2", "2"),
    (r"\gcd(12, 18)", "6", "3"),
    (r"17 \mod 5", "2", "3"),
    (r"\mathbb{R} \setminus \{3\}", r"(-\infty,3) \cup (3,\infty)", r"(-\infty,3)"),
]  # fmt: skip


@installed
@pytest.mark.parametrize(("text", "right", "wrong"), UNREADABLE_TO_US)
def test_it_passes_what_only_math_verify_can_read_and_stays_unknown_where_that_says_no(text, right, wrong):
    """As the answer and as the reference. Values from calculus, not from the package."""
    for verdict in (judge(right, text), judge(text, right)):
        assert verdict.passed is True
        assert verdict.feedback.startswith("equal: by math-verify, as ")
        assert "could not be read" in verdict.feedback
    for verdict in (judge(wrong, text), judge(text, wrong)):
        assert verdict.passed is None
        assert verdict.feedback.startswith("unknown: ")
        assert verdict.feedback.endswith("; math-verify does not find them equal")


@installed
@pytest.mark.parametrize(
    ("a", "b"),
    [("1/3", "0.3333333"), (r"\sqrt{2}", "1.41421356"), ("3R^2", "3r^2"), ("52_8", "52_9"), ("2^3^2", "64")],
)
def test_it_never_overrules_a_difference(a, b):
    """Pairs that math-verify takes for equal; the reason is ours alone."""
    verdict = judge(a, b)
    assert verdict.passed is False
    assert "math-verify" not in verdict.feedback


@installed
@pytest.mark.parametrize(
    ("a", "b"), [("5 miles", "5 km"), ("36 cents", r"\$36"), (r"\{1,2\}", "(1,2)"), ("1,2", "(2,1)"), ("1", "x^2=1")]
)
def test_it_is_not_asked_where_we_can_read_both_and_doubt_the_meaning(a, b):
    """Pairs that math-verify takes for equal."""
    verdict = judge(a, b)
    assert verdict.passed is None
    assert "math-verify" not in verdict.feedback


@installed
@pytest.mark.parametrize(
    "text",
    ["3 4", "1 000", "12/25/2020", "3 to 4", "1,2,...", "x!=3", "18 (12+6)", "0=1", "10–20", "5 or so", r"x=1 \quad 5"],
)
def test_it_is_not_asked_about_what_may_be_read_in_two_ways(text):
    """It would read each in one way: a product, a quotient, a list."""
    for verdict in (judge("12", text), judge("1000", text), judge(text, "12")):
        assert verdict.passed is None
        assert "math-verify" not in verdict.feedback


@installed
def test_units_and_words_are_kept_from_it():
    """It drops units, and to it a word is a product of letters in any order."""
    assert judge(r"\gcd(5,10) miles", "5 km").feedback == "unknown: it is in km, and should be in another unit"
    assert "math-verify" not in judge(r"\text{evil}", r"\overline{live}").feedback


@installed
def test_without_the_option_nothing_changes(monkeypatch):
    """The same pair, and the process for math-verify is not even started."""
    monkeypatch.setattr(WITH_MATH_VERIFY, "worker", Worker(math_verify=True))
    [verdict] = verify(MathEqual(reference="55"), r"\boxed{\sum_{k=1}^{10} k}")
    assert verdict.passed is None
    assert "math-verify" not in verdict.feedback
    assert WITH_MATH_VERIFY.worker.pid is None


# ---------------------------------------------------------------- configuration


@installed
def test_it_has_an_identity_of_its_own_and_survives_binding_and_pickling():
    """The version of the package is part of it: journals never return the verdicts of another one."""
    ours, both = MathEqual(reference="5"), MathEqual(reference="5", math_verify=True)
    assert both.key.startswith(ours.key + ":math-verify==")
    bound = MathEqual(math_verify=True).bind(Problem("p", PROMPT, reference="5"))
    assert bound.math_verify
    assert pickle.loads(pickle.dumps(bound)).key == bound.key == both.key


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    """At construction, before any money is spent."""

    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(math_equal, "version", missing)
    with pytest.raises(ConfigError, match=r"pip install 'searchkit\[math\]'"):
        MathEqual(math_verify=True)
    MathEqual()


def test_a_worker_that_cannot_load_it_says_what_to_check(monkeypatch):
    """An interpreter that ends at once."""
    monkeypatch.setattr(workers, "_COMMAND", ("-c", "pass"))
    with pytest.raises(VerifierError, match="import math_verify'` works"):
        Worker(math_verify=True).compare("1", "1")


# ---------------------------------------------------------------- hostile text

HOSTILE = {
    "python": r"\int __import__('os').system('touch broken')",
    "python in text": r"\sum \text{__import__('os').system('touch broken')}",
    "python as a name": r"\operatorname{__import__('os').system('touch broken')} + \vec{1}",
    "python in a number": r"\int 1.__class__.__mro__",
    "prose": r"\int x, final answer is $5$. I hope it is correct",
    "deep": r"\vec{" * 160 + "x" + "}" * 160,
    "bars": r"\int " + "|" * 40,
    "scripts": r"\int ٣²½𝟙ⅷ",
    "zero bytes": "\\int \x00",
}


@installed
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_never_passes_and_is_never_run(text, tmp_path, monkeypatch):
    """No file appears, reasons stay short, and the next comparison works."""
    monkeypatch.chdir(tmp_path)
    WITH_MATH_VERIFY.worker.compare("1", "1")
    hostile, next_one = verify(MathEqual(reference="5", math_verify=True), rf"\boxed{{{text}}}", r"\gcd(10,15)")
    assert hostile.passed is not True
    assert len(hostile.feedback) < 300
    assert next_one.passed is True
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@installed
def test_what_takes_too_long_is_unknown_and_its_process_is_gone(monkeypatch):
    """math-verify would compute a number of 370 million digits; the worker is killed after two seconds."""
    assert judge("5", r"\gcd(10,15)").passed is True
    before = WITH_MATH_VERIFY.worker.pid
    monkeypatch.setattr(WITH_MATH_VERIFY.worker, "limit", LIMIT)
    assert judge("5", r"\gcd(9^{9^{9}}, 5)") == Verdict(feedback="unknown: no answer within 2 seconds")
    assert WITH_MATH_VERIFY.worker.pid not in (before, QUEUE.worker.pid)


INSIDE = r"""
import pathlib, sympy
attack = "__import__('pathlib').Path('broken').touch()"
sympy.sympify(attack)
assert pathlib.Path("broken").exists()  # so it is, by default
pathlib.Path("broken").unlink()

from searchkit.verifiers.reference.maths.other import MathVerify
other = MathVerify()
for text in (attack, "[].append(1)", "(lambda: 1)()", "x.__class__", "Symbol('x').__class__", "f(1)"):
    try:
        sympy.sympify(text)
    except (sympy.SympifyError, ValueError):
        continue
    raise AssertionError(text)
assert not pathlib.Path("broken").exists()
assert (sympy.sympify("12"), sympy.sympify("pi"), sympy.Number("0.5")) == (12, sympy.pi, 0.5)

def full(*arguments, **options):
    raise MemoryError
other._verify = full
try:
    other.compare("1", "1", "because")
except SystemExit:
    print("ended")
"""


@installed
def test_inside_the_worker_sympy_evaluates_no_text_and_a_full_memory_ends_it(tmp_path):
    """`sympify` runs Python by default and not once the package is loaded; names and numbers still work."""
    ran = subprocess.run([sys.executable, "-c", INSIDE], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "ended\n", "")
