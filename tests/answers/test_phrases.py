r"""Words around a number: what is taken off, and what is left alone because it changes the number."""

from __future__ import annotations

import pytest

from searchkit.answers.canonical import canonical
from searchkit.answers.number_words import number_in_words
from searchkit.answers.phrases import reduced
from searchkit.answers.units import measured

REDUCED = [
    ("18 eggs", "18"),
    ("that John has 18 apples left", "18"),
    ("9 (apples)", "9"),
    ("12 (star-shaped stones)", "12"),
    ("18 because 12+6=18", "18"),
    ("18, since each has 3", "18"),
    ("18 eggs because 12+6=18", "18"),
    ("5 + 7 = 12", "12"),
    ("2*(3+4)=14", "14"),
    ("the number 42", "42"),
    ("$18$ dollars", "$18$ \\text{dollars}"),
    ("a total of 18 eggs", "18"),
    ("18 more apples than Mary", "18 more apples than Mary"),
    ("3 times as many", "3"),
    ("Area = 12", "12"),
    ("Total cost: 12", "12"),
    ("twenty-one", "21"),
    ("one hundred and five", "105"),
    ("eighteen (18)", "18"),
    ("5 (five)", "5"),
    ("minus 5", "-5"),
    ("\\text{18 eggs}", "18"),
    ("1/2 cup", "1/2"),
    ("\\frac{2}{3} of the pie", "\\frac{2}{3}"),
    ("350,000 pages", "350,000"),
    ("x is 5", "x = 5"),
    ("42です", "42"),
    ("36 (sq. inches)", "36 \\text{sq. inches}"),
    ("12 inches of snow", "12 \\text{inches}"),
]


@pytest.mark.parametrize(("text", "number"), REDUCED)
def test_words_that_only_count_are_taken_off(text, number):
    """A unit stays, so that it can be compared."""
    assert reduced(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "5 or 7",
        "18 (12+6)",
        "between 3 and 4",
        "18, not 16",
        "not 18",
        "at least 18",
        "about 18",
        "2 dozen eggs",
        "18 and a half",
        "5 (dozen)",
        "5 (six)",
        "Apollo 11",
        "room 12",
        "10 Downing Street",
        "5 p.m.",
        "May 5",
        "3 hours and 20 minutes",
        "18 out of 20",
        "18 (twelve plus six)",
        "6 for each one",
        "0 = 1",
        "5 + 7 = 13",
        "18 (apples) and 3 (pears)",
        "18 is 6 more than 12",
        "either 18",
        "Answer - 42",
        "ab = 5",
        "2 xy",
        "The rank is 3, so both systems have a solution. It is (1, 0, 1).",
    ],
)
def test_what_has_two_readings_or_says_something_else_stays(text):
    """Nothing is dropped, so that it equals nothing."""
    assert reduced(text) == text


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("zero", 0),
        ("seventeen", 17),
        ("forty two", 42),
        ("forty-two", 42),
        ("one hundred", 100),
        ("a hundred", 100),
        ("three hundred and five", 305),
        ("two thousand and one", 2001),
        ("minus five", -5),
        ("a million", 10**6),
        ("one million two hundred thousand three hundred four", 1_200_304),
        ("twelve thousand", 12_000),
        ("one two", None),
        ("twenty eleven", None),
        ("hundred", None),
        ("two and two", None),
        ("thousand million", None),
        ("one thousand two million", None),
        ("forty and", None),
        ("", None),
        ("one " * 50, None),
    ],
)
def test_numbers_in_words(words, value):
    """Whole numbers as they are written; anything else is none."""
    assert number_in_words(words) == value


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5 cm", "5", "cm"),
        ("5cm", "5", "cm"),
        ("4{cm}", "4", "cm"),
        (r"3 \mathrm{km}/\mathrm{h}", "3", "km/h"),
        (r"5\text{ m}", "5", "m"),
        (r"864 \mbox{ inches}^2", "864", "in^2"),
        ("864 square inches", "864", "in^2"),
        (r"\$36", "36", "dollar"),
        ("-$5", "-5", "dollar"),
        ("€5", "5", "euro"),
        ("5 EUR", "5", "euro"),
        ("36 cents", "36", "cent"),
        ("18个", "18", ""),
        ("5元", "5", "yuan"),
        ("90 degrees", "90", "deg"),
        (r"4 \text{ eggs}", "4", ""),
        (r"2 \text{ million}", r"2 \text{ million}", ""),
        ("2x", "2x", ""),
        (r"4 \cdot t", r"4 \cdot t", ""),
        (r"\frac{ac}{bd}", r"\frac{ac}{bd}", ""),
        ("$5$", "5", ""),
        ("m", "m", ""),
        (r"5 \text{ or } 7", r"5 \text{ or } 7", ""),
        ("5 miles per hour", "5", "mi/h"),
    ],
)
def test_units(text, value, unit):
    """What is measured, and in what."""
    assert measured(text)[:2] == (value, unit)


@pytest.mark.parametrize(("text", "certain"), [("5 cm", True), ("5 m", False), (r"5\text{ m}", True), ("2 km/h", True)])
def test_a_letter_may_be_a_unit_or_a_variable(text, certain):
    """Unless a text command, or a unit beside it, says which."""
    assert measured(text).certain is certain


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("1 000", "1"),
        ("1 000", "0"),
        ("0.333...", "0.333"),
        ("1, 2, ...", "1, 2"),
        (r"\le=5", "5"),
        ("2 5/3", "11/3"),
        (r"\sin(x)=1/2", "1/2"),
        (r"2\text{ million}", "2"),
        ("1 000/3", "1"),
        ("5 dozen", "5"),
    ],
)
def test_canonical_form_drops_nothing_that_is_said(text, other):
    """Keys for votes are as careful as verdicts."""
    assert canonical(text) != canonical(other)


@pytest.mark.parametrize("end", ["", "!", ")", "5", "=", "}"])
@pytest.mark.parametrize(
    "piece",
    ["a", "ab ", "a-", "a.", "(a", "5 a", "a' ", "{a}", "$a", "cm ", "cm/", " ", "\\text{a", "x=", "one ", "1,", "a, "],
)
def test_phrases_of_one_piece_cost_no_more_than_others(piece, end):
    """An exponential step would never end on these."""
    for text in ("5 (" + (piece * 400)[:390] + end, (piece * 400)[:390] + end, "5" + (piece * 400)[:390] + end):
        assert isinstance(reduced(text), str)
        assert isinstance(measured(text).value, str)
