"""Kinds of readings: what is one answer, what may be two, and that keys for votes say the same as verdicts."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.answers import keys
from searchkit.verifiers import Exact, MathEqual, math_key
from searchkit.verifiers.reference.maths.answer import judge, read
from searchkit.verifiers.reference.maths.worker import QUEUE
from tests.helpers.math_checks import verify
from tests.verifiers.reference.math_languages import COUNTED, OPEN
from tests.verifiers.reference.math_pairs import DIFFERENT, EQUAL, UNKNOWN
from tests.verifiers.reference.math_replies import NEVER_DIFFERENT, NEVER_EQUAL, SAME
from tests.verifiers.reference.math_strangers import CLEAR, NOT_DIFFERENT, NOT_EQUAL, NOT_THE_REPLYS
from tests.verifiers.reference.math_strangers import OPEN as UNCLEAR
from tests.verifiers.reference.test_reported_faults import REPORTS


@pytest.mark.parametrize(("reference", "text"), SAME)
def test_one_reading_is_equal(reference, text):
    """Each line of the table."""
    assert verify(MathEqual(reference=reference), text)[0].passed is True


@pytest.mark.parametrize(("reference", "text"), NEVER_EQUAL)
def test_never_equal(reference, text):
    """Each line of the table: another answer, or one that may be read in two ways."""
    assert verify(MathEqual(reference=reference), text)[0].passed is not True


@pytest.mark.parametrize(("reference", "text"), NEVER_DIFFERENT)
def test_never_different(reference, text):
    """Each line of the table: one of two readings is the reference."""
    assert verify(MathEqual(reference=reference), text)[0].passed is not False


@pytest.mark.parametrize(("reference", "text"), CLEAR)
def test_clear_to_a_stranger(reference, text):
    """Each line of the table."""
    assert verify(MathEqual(reference=reference), text)[0].passed is True


@pytest.mark.parametrize(("reference", "text"), UNCLEAR)
def test_open_to_a_stranger(reference, text):
    """Each line of the table: never equal, never different."""
    assert verify(MathEqual(reference=reference), text)[0].passed is None


@pytest.mark.parametrize(
    ("reference", "text"), [*((a, rf"The answer is $\boxed{{{b}}}$.") for a, b in NOT_EQUAL), *NOT_THE_REPLYS]
)
def test_never_equal_to_a_stranger(reference, text):
    """Each line of the tables."""
    assert verify(MathEqual(reference=reference), text)[0].passed is not True


@pytest.mark.parametrize(("reference", "answer"), NOT_DIFFERENT)
def test_never_different_to_a_stranger(reference, answer):
    """Each line of the table."""
    assert verify(MathEqual(reference=reference), rf"The answer is $\boxed{{{answer}}}$.")[0].passed is not False


@pytest.mark.parametrize(("reference", "text"), COUNTED)
def test_nouns_of_other_languages_count(reference, text):
    """By itself and in a sentence, by verdict and by key."""
    for said in (text, f"The answer is {text}.", rf"\boxed{{{text}}}"):
        assert verify(MathEqual(reference=reference), said)[0].passed is True
        assert verify(Exact(reference=reference), said)[0].passed is True


@pytest.mark.parametrize(("reference", "text"), OPEN)
def test_other_words_leave_it_open(reference, text):
    """Never equal, never different, and never the key of the reference."""
    for said in (text, f"The answer is {text}.", rf"\boxed{{{text}}}"):
        assert verify(MathEqual(reference=reference), said)[0].passed is None
        assert verify(Exact(reference=reference), said)[0].passed is False


def test_each_table_is_large():
    """Pairs of our own making, all different."""
    pairs = [*SAME, *NEVER_EQUAL, *NEVER_DIFFERENT, *COUNTED, *OPEN, *CLEAR, *UNCLEAR]
    assert len({*pairs}) == len(pairs) > 300


# ---------------------------------------------------------------- keys and verdicts


def _equal(a, b):
    """The verdict on two texts, by the worker where exact arithmetic does not decide."""
    one, other = (read(keys.written(keys.default, text)) for text in (a, b))
    outcome = judge(one, other)
    if outcome.equal is None and one.node is not None and other.node is not None:
        outcome = QUEUE.worker.compare(one.found, other.found)
    return outcome.equal


def test_equal_keys_are_equal_answers_in_all_tables():
    """Within each class of `math_key` of everything that these tests hold, all pairs."""
    tables = (EQUAL, DIFFERENT, UNKNOWN, SAME, NEVER_EQUAL, NEVER_DIFFERENT, COUNTED, OPEN, CLEAR, UNCLEAR)
    tables += (NOT_EQUAL, NOT_THE_REPLYS, NOT_DIFFERENT)
    pairs = [*(pair for table in tables for pair in table), *(row[1:3] for row in REPORTS)]
    classes: dict[object, set[str]] = defaultdict(set)
    for text in {text for pair in pairs for text in pair}:
        classes[math_key(text)].add(text)
    classes.pop(None, None)
    within = [pair for texts in classes.values() for pair in itertools.combinations(sorted(texts), 2)]
    assert len(within) > 300
    assert [pair for pair in within if _equal(*pair) is not True] == []


CORES = st.sampled_from(
    [
        "5",
        "-5",
        "0.5",
        "1/2",
        r"\frac12",
        "1,2",
        "2,1",
        "(1,2)",
        "[1,2)",
        r"\{1,2\}",
        r"\{1,2,2\}",
        "x+1",
        "1+x",
        "xy",
        "x>1",
        "x \\ne 1",
        "y=2x",
        "x=5=5",
        "5=5",
        "1 000",
        "1000",
        "1.000",
        "1,5",
        "2:3",
        "4:30",
        "twenty",
        "Evelyn",
        "no solution",
        "i",
        r"\sqrt8",
        r"2\sqrt2",
        r"\begin{pmatrix}1\\2\end{pmatrix}",
        r"\{x \mid x>1\}",
        "(1,2) or (2,1)",
        "5 or 7",
        "0=1",
        "3m",
        r"\sin(x)=1/2",
        r"\pm 1",
        "52_8",
        "3.14...",
        r"1, 2, \ldots",
        "12/25/2020",
        "18 (12+6)",
        r"x \equiv 3 \pmod 7",
    ]
)
DECORATIONS = st.sampled_from(
    [
        "{}",
        "${}$",
        r"\boxed{{{}}}",
        "x={}",
        "x_1={}",
        "x_2={}",
        "f(3)={}",
        r"\text{{{}}}",
        "{} cm",
        "{} km",
        "{}\\%",
        "{} eggs",
        "({})",
        r"\{{{}\}}",
        "{}, 7",
        "{} or 3",
        "-{}",
        "\\${}",
        "{}...",
        "{} \\quad 3",
        r"{} \quad y=3",
        "{}^\\circ",
        "{} m",
        r"\boxed{{{}}} \boxed{{5}}",
        "about {}",
        "≈ {}",
        "{}!",
        "AB={}",
        "{} million",
        "{} because 2+3=5",
        "{}.",
    ]
)
TEXTS = st.builds(lambda core, one, two: two.format(one.format(core)), CORES, DECORATIONS, DECORATIONS)


@settings(max_examples=400, deadline=None)
@given(TEXTS, TEXTS)
def test_keys_and_verdicts_agree_on_generated_pairs(a, b):
    """Equal keys go with "equal" alone, "different" with other keys; an unknown verdict never goes with equal keys."""
    if math_key(a) is None or math_key(b) is None:
        return
    equal = _equal(a, b)
    if math_key(a) == math_key(b):
        assert equal is True, (math_key(a), a, b)
    if equal is False:
        assert math_key(a) != math_key(b)


# ---------------------------------------------------------------- the number of the rules

DIGESTS = {"math_equal:3": "6a89e8b8b6479b8d3e23087cd85bb26bda660c0e982b99ced7f0bd179b617c2c"}
"""What is decided about all tables, by the number of the rules. A journal returns old verdicts where that stays."""


def test_other_verdicts_have_another_number():
    """If this fails, raise `MathEqual.rules` and put the new digest beside the new number."""
    pairs = [*EQUAL, *DIFFERENT, *UNKNOWN, *SAME, *NEVER_EQUAL, *NEVER_DIFFERENT, *(row[1:3] for row in REPORTS)]
    decided = [
        judge(read(a), read(found)).equal
        if (found := keys.written(keys.default, b)) is not None and read(found)
        else "none"
        for a, b in pairs
    ]
    digest = hashlib.sha256(json.dumps(decided).encode()).hexdigest()
    assert {MathEqual.rules: digest} == DIGESTS
