r"""Answer keys: tables that a reader can check, published references, hostile texts."""

from __future__ import annotations

import gzip
import json
import math
import pickle
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.answers import keys
from searchkit.answers.canonical import MAX_ANSWER, canonical
from searchkit.errors import ConfigError

DATA = Path(__file__).parents[3] / "shared" / "data"

# Every spelling on a line is the same answer, and its canonical form is the first.
SAME = [
    ["1", "1.0", "+1", "01", "1.", "$1$", r"\frac{2}{2}", "-\\frac{-1}{1}", "**1**"],
    ["0", "-0", "0.00", r"\frac{0}{7}"],
    ["12000", "12,000", "12{,}000", r"12\,000", r"\$12,\!000", "1.2e4", r"1.2 \times 10^4", r"1.2\cdot 10^{4}"],
    ["11111111100", r"11,\! 111,\! 111,\! 100"],
    ["1/2", "0.5", ".5", "+0.50", r"\frac12", r"\dfrac{1}{2}", r"\tfrac 1 2", "2/4", "1 / 2", r"\frac{1.5}{3}"],
    ["-1/2", "-0.5", "−0.5", r"-\frac{1}{2}", r"\frac{-1}{2}", "-1/2"],
    ["9/5", r"1\frac{4}{5}", "1 4/5", "1.8"],
    ["-9/5", r"-1\frac45", "-1 4/5"],
    ["21/312500", ".0000672", r"6.72 \times 10^{-5}", "6.72E-5"],
    ["90", r"90^\circ", r"90^{\circ}", "90°", "90 degrees", r"90\text{ degrees}"],
    ["50", r"50\%", "50%", "50 percent", "$50"],
    ["864", r"864 \mbox{ inches}^2", "864 square inches", r"864\text{ in}^{2}"],
    ["evelyn", r"\text{Evelyn}", "Evelyn.", r"\textbf{evelyn}", "**Evelyn**"],
    ["new york", "New  York", r"\text{New York}"],
    ["C", "(C)", r"\text{(C)}", r"\textbf{(C)}", "C."],
    ["5", "x = 5", "x=5", r"\theta = 5", r"\boxed{5}", r"f(x) = 5"],
    ["[-2, 7]", r"x \in [-2,7]", r"\left[-2,7\right]", "[-2.0, 7]"],
    ["(3, 1/2)", "(3,0.5)", r"\left( 3, \frac{1}{2} \right)", "( 3 , 1/2 )"],
    ["(1, 234)", "(1,234)", "(1, 234)"],  # inside brackets a comma always separates
    ["1, -2", "1,-2", "1.0, -2"],
    ["3, 500", "3, 500"],  # a list stays one: never 3500
    [r"\{-2, 1\}", r"\{1,-2\}", r"\left\{ -2, 1 \right\}"],
    [r"2\sqrt{5}", r"2 \sqrt{5}", r"2\sqrt5"],
    [r"x^2+3x-6", "x^2 + 3x - 6", "x^{2}+3x-6"],
    ["4210_5", "4210_{5}"],
    ["yes", "Yes", "YES.", "**Yes**"],
]
DIFFERENT = [
    "1/3",
    "0.333",
    "0.3333333",
    "3R^2",
    "3r^2",
    "52_8",
    "52",
    r"\sqrt{8}",
    r"2\sqrt{2}",
    "1, 2",
    "2, 1",
    "1 2",
    "12",
]


@pytest.mark.parametrize("spellings", SAME, ids=lambda row: row[0])
def test_spellings_of_one_answer_share_a_key(spellings):
    """A line of the table is one class, named by its first entry."""
    assert {text: canonical(text) for text in spellings} == dict.fromkeys(spellings, spellings[0])


def test_answers_that_differ_have_different_keys():
    """Nothing is merged that is not the same: neither within DIFFERENT nor between lines of SAME."""
    found = [canonical(text) for text in DIFFERENT] + [row[0] for row in SAME]
    assert [key for key, times in Counter(found).items() if times > 1] == []


@pytest.mark.parametrize("text", ["", "  ", "$", "{", r"\boxed{4", "}{", r"\frac{1}{", "a" * (MAX_ANSWER + 1)])
def test_what_is_no_answer_has_no_key(text):
    """Empty, cut off or endless texts."""
    assert canonical(text) is None


@dataclass
class Reply:
    city: str
    people: float


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (42, "42"),
        (42.0, "42"),
        (0.1, "1/10"),
        (Fraction(2, 4), "1/2"),
        (Decimal("1.50"), "3/2"),
        (True, "true"),
        (None, None),
        (math.nan, None),
        (math.inf, None),
        (10**5000, None),
        ([1, "2.0"], ("1", "2")),
        ({3, 2.0}, ("set", "2", "3")),
        ({"b": 1, "a": [2]}, ("map", ("a", ("2",)), ("b", "1"))),
        (Reply("Rome", 2.0), ("Reply", "rome", "2")),
        (b"bytes", b"bytes"),
        (bytearray(b"no hash"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_are_no_text(value, key):
    """An agent's number or dataclass has the key of the same answer in words."""
    assert keys.default(value) == key
    assert key is None or isinstance(hash(key), int)


def test_a_value_that_contains_itself_has_a_key_and_no_endless_loop():
    """Nesting is followed to a fixed depth."""
    value: list[object] = [1]
    value.append(value)
    assert hash(keys.default(value)) == hash(keys.default(value))


EXTRACTED = [
    (keys.boxed, r"so \boxed{\frac{1}{2}} it is", "1/2"),
    (keys.boxed, r"\boxed{1}, no, \boxed{2}", "1, 2"),
    (keys.boxed, r"\boxed {7}", "7"),
    (keys.boxed, r"\boxed 7$.", "7"),
    (keys.boxed, r"\fbox{\text{(B)}}", "B"),
    (keys.boxed, r"\boxed{\boxed{3}}", "3"),
    (keys.boxed, r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
    (keys.boxed, r"\boxed{1} then \boxed{2", None),  # cut off: the first was not the last word
    (keys.boxed, r"\boxed{}", None),
    (keys.boxed, r"\boxedfoo{4}", None),
    (keys.boxed, "42", None),
    (keys.hashes, "work\n#### 1,234", "1234"),
    (keys.hashes, "#### 3\n#### $4\nQuestion: next", "4"),
    (keys.hashes, "#### Step 1\ntext", None),
    (keys.hashes, "#### Step 1\ntext\n#### Paris \n\n", "paris"),
    (keys.hashes, "### 4", None),
    (keys.answer_is, "The answer is 3. No: the answer is 4. Good?", "4"),
    (keys.answer_is, "**Answer:** 3.50", "7/2"),
    (keys.answer_is, "**Final Answer**: $x = 12$", "12"),
    (keys.answer_is, "Answer:\n42", "42"),
    (keys.answer_is, r"The final answer is: $\boxed{\frac{3}{4}}$. I hope it is correct.", "3/4"),
    (keys.answer_is, "The answer is 18 dollars.", "18"),
    (keys.answer_is, "the answer is", None),
    (keys.answer_is, "the answer is \\boxed{4", None),
    (keys.answer_is, "no marker 4", None),
    (keys.number, "5 apples, then 1,234.50 dollars", "2469/2"),
    (keys.number, "it fell to -7.", "-7"),
    (keys.number, "10-20", "20"),
    (keys.number, "10 - 5", "5"),
    (keys.number, "about 1 3/4 cups", "7/4"),
    (keys.number, r"thus \frac{3}{4}", "3/4"),
    (keys.number, r"thus -\dfrac34", "-3/4"),
    (keys.number, "costs -$3", "-3"),
    (keys.number, "x^2", "2"),
    (keys.number, "6.02e23 of them", str(602 * 10**21)),
    (keys.number, "none", None),
    (keys.number, "7" * (MAX_ANSWER + 1), None),
    (keys.bare, " 42\n", "42"),
    (keys.bare, "two\nlines", None),
    (keys.bare, "x" * (keys.MAX_BARE + 1), None),
    (keys.json_field("a"), '{"a": 3, "b": {"a": 4}}', "3"),
    (keys.json_field("a"), 'first {"a": 1}\n```json\n{"a": "2.0", "b": 0}\n```', "2"),
    (keys.json_field("a"), '{"b": 1}', None),
    (keys.json_field("a"), '{"a": null}', None),
    (keys.json_field("a"), 'text {"a": [1, {"x": 2}]} text', ("1", ("map", ("x", "2")))),
    (keys.json_field("a"), 'text {"a": "cut o', None),
    (keys.json_field("ä"), 'text {"ä": 5}', "5"),
    (keys.json_field("a"), {"a": 6}, "6"),
    (keys.regex(r"A: (.*)"), "A: 1\nA: 2", "2"),
    (keys.regex(r"[0-9]+ km"), "3 km, 4 km", "4"),
    (keys.regex(r"A|(B)"), "B A", None),  # the group took no part in the last match
    (keys.regex(r"C"), "B A", None),
    (keys.first_of(keys.boxed, keys.number), r"\boxed{1} 2", "1"),
    (keys.first_of(keys.boxed, keys.number), "1 2", "2"),
    (keys.default, "So she has\n#### 18", "18"),
    (keys.default, "Paris", "paris"),
    (keys.default, "A long story about 17 things\nwithout any marker.", None),
    (keys.default, "I fear\nthe answer is \\boxed{4", None),
]


@pytest.mark.parametrize(("key", "text", "answer"), EXTRACTED)
def test_extraction(key, text, answer):
    """Each key finds its marker's answer, and nothing where there is none."""
    assert key(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"<think>\boxed{1}</think>\boxed{2}", "2"),
        (r"\boxed{2}<think>\boxed{1}</think>", "2"),
        (r"\boxed{2}<think>\boxed{1}", "2"),
        (r"<think>\boxed{1}", None),
        (r"\boxed{1}</think>\boxed{2}", "2"),  # the opening tag stood in the prompt
        (r"\boxed{1}</think>", None),
        (r"<think>a<think>\boxed{1}</think>\boxed{2}", "2"),
    ],
)
def test_thoughts_are_no_answers(text, answer):
    """Only what is outside of <think> blocks counts, for every key."""
    assert keys.boxed(text) == keys.first_of(keys.boxed)(text) == answer


def test_keys_pickle_and_their_repr_is_their_source():
    """In a fresh process the same key, with the same name."""
    every = [keys.default, keys.boxed, keys.json_field("a"), keys.regex("(x)"), keys.first_of(keys.number, keys.bare)]
    for key in every:
        assert pickle.loads(pickle.dumps(key)) == key
        assert eval(repr(key), vars(keys)) == key
    assert repr(keys.default) == "Ladder(markers=(), otherwise=bare)"


def test_impossible_keys_are_refused_at_once():
    """A pattern that does not compile, and nothing to choose from."""
    with pytest.raises(ConfigError, match="not a regular expression"):
        keys.regex("(")
    with pytest.raises(ConfigError, match="one or more callables"):
        keys.first_of()
    with pytest.raises(ConfigError, match="one or more callables"):
        keys.first_of("boxed")


PLAIN = [keys.boxed, keys.hashes, keys.answer_is, keys.number, keys.bare, keys.default, keys.json_field("answer")]
PIECES = [
    *"{}[]()$^_,.%-=/*1 x\n",
    *(
        "\\",
        "\\{",
        "\\}",
        "\\frac",
        "\\text{",
        "\\boxed{",
        "\\left",
        "\\sqrt",
        "\\in",
        "\\,",
        "\\!",
        "\\circ",
        "\\cdot",
    ),
    *(
        "10",
        "000",
        "e5",
        "ab",
        "degrees",
        "####",
        "answer is",
        "<think>",
        "</think>",
        '"answer":',
        "°",
        "𝟙",
        "٣",
        "\x00",
    ),
]


@settings(max_examples=400)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map("".join)))
def test_keys_never_raise_and_their_answers_are_settled(text):
    """On any text: a key or None, and the canonical form of a canonical form is itself."""
    for key in PLAIN:
        found = key(text)
        assert found is None or canonical(found) == found


HOSTILE = {
    "open braces": "{" * 100_000,
    "boxes": "\\boxed{" * 20_000,
    "unfinished box": "\\boxed{" + "{" * 100_000,
    "no box": "\\boxedx" * 100_000,
    "backslashes": "\\boxed{" + "\\" * 100_000,
    "digits": "1" * 10_000_000,
    "boxed digits": "\\boxed{" + "1" * 1_000_000 + "}",
    "commas": "1,234" * 200_000,
    "headings": "####x\n" * 50_000,
    "answers": "answer is " * 100_000,
    "spaces": "answer" + " " * 1_000_000,
    "stars": "answer" + "*_" * 200_000,
    "thoughts": "<think>" * 100_000,
    "closed thoughts": "</think>" * 100_000,
    "sentences": "answer is " + "a." * 200_000,
    "fractions": "1/" * 200_000,
    "minus": "-" * 500_000 + "1",
    "json": '{"answer":' * 50_000,
    "nested json": '{"answer":' + "[" * 100_000,
    "json digits": '{"answer":' + "1" * 1_000_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_cost_linear_time(text):
    """A quadratic step would take minutes on these, so the test ends only if there is none; keys stay short."""
    for key in PLAIN:
        assert len(str(key(text))) <= 2 * MAX_ANSWER


@pytest.mark.parametrize("piece", ["{", "1,", ",1e510", "\\frac{", "(", "a ", "[1,", "\\text{a}", "degrees "])
def test_the_longest_possible_answers_are_settled_or_refused(piece):
    """Canonical form on texts just below the limit, made of the patterns that its rewrites look for."""
    found = canonical((piece * MAX_ANSWER)[:MAX_ANSWER])
    assert found is None or canonical(found) == found


# ---------------------------------------------------------------- published references


def math500():
    path = DATA / "math500" / "test500.jsonl"
    if not path.exists():
        pytest.skip("the MATH-500 references are not on this machine")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_math500_reference_survives_its_packaging():
    """Bare, boxed, in a sentence, and in the worked solution: four times the same key, for all 500."""
    rows = math500()
    assert len(rows) == 500
    for row in rows:
        answer = row["answer"]
        packed = [f"so the answer is \\boxed{{{answer}}}.", f"Hence, the answer is ${answer}$.", row["solution"]]
        assert keys.default(answer) is not None
        assert [keys.default(text) for text in packed] == [keys.default(answer)] * 3, answer


def test_math500_references_that_share_a_key_are_the_same_answer():
    """The classes with more than one spelling are few, and all are read here."""
    spellings: dict[object, set[str]] = {}
    for row in math500():
        spellings.setdefault(keys.default(row["answer"]), set()).add(row["answer"])
    assert {key: forms for key, forms in spellings.items() if len(forms) > 1} == {
        "5": {"5", "x=5"},
        "15": {"15", r"15\mbox{ cm}^2"},
        "30": {"30", r"30^\circ"},
        "36": {"36", r"36^\circ", r"\$36"},
        "90": {"90", r"90^\circ"},
        "120": {"120", r"120^\circ"},
        "10080": {"10080", r"10,\!080"},
        "1/4": {r"\frac{1}{4}", r"\frac14"},
        r"2\sqrt{5}": {r"2\sqrt{5}", r"2 \sqrt{5}"},
    }


@pytest.mark.parametrize(
    ("model", "published"),
    [("6b_finetuning", 21.7), ("6b_verification", 39.0), ("175b_finetuning", 34.7), ("175b_verification", 56.3)],
)
def test_gsm8k_solutions_are_judged_as_published(model, published):
    """For all 1,319 solutions of each model our comparison equals the published `is_correct`."""
    path = DATA / "gsm8k" / "example_model_solutions.jsonl.gz"
    if not path.exists():
        pytest.skip("the GSM8K solutions are not on this machine")
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    ours = [keys.number(row[model]["solution"]) == keys.number(row["ground_truth"]) for row in rows]
    assert ours == [row[model]["is_correct"] for row in rows]
    assert 100 * sum(ours) / len(ours) == pytest.approx(published, abs=0.05)


def test_gsm8k_references_are_numbers():
    """`hashes` finds in each of the 1,319 worked answers what follows its marker."""
    path = DATA / "gsm8k" / "test.jsonl"
    if not path.exists():
        pytest.skip("the GSM8K references are not on this machine")
    answers = [json.loads(line)["answer"] for line in path.read_text().splitlines()]
    expected = [text.rpartition("####")[2].strip().replace(",", "") for text in answers]
    assert [keys.hashes(text) for text in answers] == [keys.default(text) for text in answers] == expected
