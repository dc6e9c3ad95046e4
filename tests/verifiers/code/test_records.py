"""Tests as data sets have them: MBPP, APPS, LiveCodeBench; and what is printed, compared with a tolerance (K6)."""

from __future__ import annotations

import base64
import json
import os
import pickle
import textwrap
import zlib

import pytest

from searchkit.errors import ConfigError
from searchkit.verifiers.code.printed import within
from searchkit.verifiers.code.records import LARGEST
from searchkit.verifiers.code.suite import read
from searchkit.verifiers.code.unit_tests import UnitTests
from tests.helpers.programs import LEVEL, passed, verdict

DOUBLE, SQUARE = "print(int(input()) * 2)", "print(int(input()) ** 2)"
MBPP = {
    "task_id": 601,
    "text": "Write a function to find the square.",
    "code": "def sq(x): return x * x",
    "test_list": ["assert sq(3) == 9", "assert sq(4) == 16"],
    "test_setup_code": "",
    "challenge_test_list": [],
}
SANITIZED = {
    "prompt": "Write a python function to find the square.",
    "code": "...",
    "task_id": 602,
    "test_imports": ["import math"],
    "test_list": ["assert math.isclose(sq(3), 9)", "assert sq(4) == 16"],
}


@pytest.mark.parametrize(
    "record", [MBPP, SANITIZED, {**MBPP, "test_setup_code": "y = 9", "test_list": ["assert sq(3) == y"]}]
)
def test_records_of_mbpp(record):
    """As they stand in mbpp.jsonl and sanitized-mbpp.json; the prompt is prose and no beginning of a program."""
    assert passed(record, "def sq(x): return x * x") is True, verdict(record, "def sq(x): return x * x").feedback
    assert passed(record, "def sq(x): return x + x") is False
    assert read(record).prompt == ""
    assert passed({**MBPP, "challenge_test_list": ["assert sq(-1) == 1"]}, "def sq(x): return x * abs(x)") is False


def hidden(tests):
    """As LiveCodeBench packs its private tests."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


TYPED = {"inputs": ["3\n", "4"], "outputs": ["9\n", "16"]}
LIVE = [{"input": "3\n", "output": "9\n", "testtype": "stdin"}, {"input": "4", "output": "16", "testtype": "stdin"}]
STDIN = {
    "APPS": TYPED,  # F146
    "APPS, as lines": {"inputs": [["3"], ["4"]], "outputs": [["9"], ["16"]]},
    "APPS, a whole record": {
        "question": "...",
        "input_output": json.dumps(TYPED),
        "starter_code": "",
        "solutions": "[]",
    },
    "LiveCodeBench": LIVE,  # F147
    "LiveCodeBench as tests": {"tests": LIVE},
    "LiveCodeBench, a whole record": {
        "public_test_cases": json.dumps(LIVE[:1]),
        "private_test_cases": hidden(LIVE[1:]),
        "metadata": "{}",
        "starter_code": "",
    },
    "private tests as JSON": {"public_test_cases": json.dumps(LIVE[:1]), "private_test_cases": json.dumps(LIVE[1:])},
    "pairs": [("3", "9"), ("4", "16")],
}


@pytest.mark.parametrize("prompt", ["Write a function to find the square.", "square", "x = 1/0"])
def test_records_of_mbpp_plus(prompt):
    """Beside MBPP's fields they have a `test` with all inputs; their prompt is prose all the same."""
    pairs = "for inp, exp in zip([[3], [4]], [9, 16]):"
    test = f"{pairs}\n    assert sq(*inp) == exp\n"
    record = {**SANITIZED, "prompt": prompt, "test": test}
    assert passed(record, "def sq(x):\n    return x * x")
    assert not passed(record, "def sq(x):\n    return x + 6")


def test_records_of_leetcode():
    """The entry point is a call there."""
    check = "def check(candidate):\n    assert candidate(x=3) == 9\n    assert candidate(x=4) == 16\n"
    record = {"prompt": "from typing import *\n", "entry_point": "Solution().sq", "test": check}
    assert passed(record, "class Solution:\n    def sq(self, x: int) -> int:\n        return x * x")
    assert not passed(record, "class Solution:\n    def sq(self, x: int) -> int:\n        return x + 6")


@pytest.mark.parametrize("name", STDIN)
def test_records_for_programs_that_read_and_print(name):
    right, wrong = verdict(STDIN[name], SQUARE), verdict(STDIN[name], DOUBLE)
    assert (right.passed, right.score, wrong.passed, wrong.score) == (True, 1.0, False, 0.0)
    assert "of 2 tests" in right.feedback


CALLS = {"fn_name": "merge", "inputs": [[[1, 2], [3]], [[], []]], "outputs": [[1, 2, 3], []]}
WRAPPED = {"fn_name": "total", "inputs": [["ab"], ["c"]], "outputs": [["2"], ["1"]]}
FUNCTIONAL = [
    {"input": "[1, 2]\n[3]", "output": "[1, 2, 3]", "testtype": "functional"},
    {"input": "[]\n[]", "output": "[]", "testtype": "functional"},
]
MERGE = "class Solution:\n    def merge(self, a, b):\n        return {}"
CALLED = {
    "APPS": (CALLS, "def merge(a, b): return a + b", "def merge(a, b): return b + a"),
    "APPS, a method": (CALLS, MERGE.format("a + b"), MERGE.format("b + a")),
    "APPS, a tuple": (CALLS, "def merge(a, b): return (*a, *b)", "def merge(a, b): return (*b, *a)"),
    "APPS, a whole record": ({"input_output": json.dumps(CALLS)}, MERGE.format("a + b"), MERGE.format("a")),
    "APPS, answers in lists": (WRAPPED, "def total(s): return str(len(s))", "def total(s): return ['1']"),
    "LiveCodeBench": (
        {"public_test_cases": json.dumps(FUNCTIONAL), "private_test_cases": "[]", "metadata": '{"func_name": "merge"}'},
        MERGE.format("a + b"),
        MERGE.format("b + a"),
    ),
    "LiveCodeBench as tests": (
        {"tests": FUNCTIONAL, "entry_point": "merge"},
        MERGE.format("a + b"),
        MERGE.format("[]"),
    ),
}


@pytest.mark.parametrize("name", CALLED)
def test_records_for_functions(name):
    record, right, wrong = CALLED[name]
    assert passed(record, right) is True, verdict(record, right).feedback
    assert passed(record, wrong) is False


# ---------------------------------------------------------------- what the sites put in front of a program


STARTER = "class Solution:\n    def pair(self, nums: List[int], target: int) -> Optional[List[int]]:\n        "
PAIRS = {"fn_name": "pair", "inputs": [[[2, 7, 11], 9], [[3, 2, 4], 6]], "outputs": [[0, 1], [1, 2]]}
SITES = {
    "APPS": {"input_output": json.dumps(PAIRS), "starter_code": STARTER},
    "LiveCodeBench": {
        "public_test_cases": json.dumps(
            [{"input": "[2, 7, 11]\n9", "output": "[0, 1]", "testtype": "functional"},
             {"input": "[3, 2, 4]\n6", "output": "[1, 2]", "testtype": "functional"}]
        ),
        "metadata": json.dumps({"func_name": "pair"}),
        "starter_code": STARTER,
    },
}  # fmt: skip
BODY = """seen = {}
for i, n in enumerate(nums):
    if target - n in seen:
        return [seen[target - n], i]
    seen[n] = i
return None"""
METHOD = STARTER.rstrip() + "\n" + textwrap.indent(BODY, " " * 8)
PROSE = "This is linear."
REPLIES = {
    "the class": METHOD,
    "in a fence": f"Here:\n```python\n{METHOD}\n```\n{PROSE}",
    "with prose": f"Here it is:\n\n{METHOD}\n\n{PROSE}",
    "a function": "def pair(nums: List[int], target: int) -> Optional[List[int]]:\n" + textwrap.indent(BODY, "    "),
    "the body": textwrap.indent(BODY, " " * 8),
    "the body, its first margin lost": textwrap.indent(BODY, " " * 8).lstrip(),
    "the body without a margin": BODY,
    "the body in a fence": f"```python\n{BODY}\n```",
    "other modules": METHOD.replace("seen = {}", "seen = defaultdict(lambda: inf); heapq.heapify([])")
    .replace("in seen:", "in seen and gcd(2, 4) == reduce(max, [1, 2]):"),
    "its own imports": f"from typing import *\nimport collections\n{METHOD}",
    "a future import": f"from __future__ import annotations\n{METHOD}",
    "Python's own names stay": METHOD.replace("seen = {}", "seen = {}; assert pow(3, 2, 5) == 4 and sum([1]) == 1"),
    "JSON": json.dumps({"code": METHOD, "explanation": PROSE}),
}  # fmt: skip


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", REPLIES)
def test_programs_of_the_sites_need_no_imports(site, name):
    """`List` is there, and a body continues the starter code; a wrong one does not pass."""
    found = verdict(SITES[site], REPLIES[name])
    assert found.passed is True, found.feedback
    wrong = REPLIES[name].replace("[seen[target - n], i]", "[i, seen[target - n]]")
    assert verdict(SITES[site], wrong).passed is False


def test_scripts_of_the_sites_need_no_imports():
    """Those that read and print, too."""
    program = "def double(xs: List[int]) -> int:\n    return Counter(xs)[2]\nprint(int(sys.stdin.readline()) ** 2)"
    for name in ("APPS", "APPS, a whole record", "LiveCodeBench", "LiveCodeBench, a whole record"):
        assert passed(STDIN[name], program) is True
    assert passed([("3", "9")], program) is False  # tests of one's own: Python as it is


@pytest.mark.parametrize("name", ["gcd", "count", "search", "List", "math"])
def test_what_a_site_imports_is_not_the_program(name):
    """An entry point that a module has, too, is the program's or is missing."""
    record = {"fn_name": name, "inputs": [[4, 6]], "outputs": [2]}
    method = f"class Solution:\n    def {name}(self, a, b):\n        return {{}}"
    assert passed(record, method.format("min(a, b) - 2")) is True
    assert passed(record, method.format("a")) is False
    assert passed(record, "x = 2") is False


def test_a_starter_that_needs_other_names():
    """A class that only the site has: the program must define it, and the tests do not care."""
    starter = "# class Node:\n#     pass\nclass Solution:\n    def f(self, root: Node) -> int:\n        "
    record = {"fn_name": "f", "inputs": [[1]], "outputs": [1], "starter_code": starter}
    assert passed(record, "class Solution:\n    def f(self, root): return root") is True
    assert passed(record, f"class Node: pass\n{starter}return root") is True
    assert "Node" in verdict(record, "        return root").feedback


class Evil:
    def __reduce__(self):
        return os.mkdir, ("searchkit-was-here",)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"inputs": ["1"], "outputs": []}, "lists of the same length"),
        ({"inputs": [], "outputs": []}, "tests are a text"),
        ({"inputs": "1", "outputs": 2}, "lists of the same length"),
        ({"inputs": [3], "outputs": ["9"]}, "a text or a list of lines"),
        ({"fn_name": "f", "inputs": ["3"], "outputs": [9]}, "lists of arguments"),
        ({"fn_name": "f); import os; (", "inputs": [[3]], "outputs": [9]}, "is a name"),
        ({"input_output": "{'inputs': []}"}, "is JSON"),
        ({"input_output": "[" * 100_000}, "is JSON"),
        ({"tests": FUNCTIONAL}, "func_name"),
        ({"tests": [{"input": "1", "output": "2", "testtype": "guess"}]}, "testtype"),
        ({"test_list": [3]}, "are texts"),
        ({"test_list": []}, "tests are a text"),
        ({"private_test_cases": "!!!"}, "could not be read"),
        ({"private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()}, "could not be read"),
        ({"private_test_cases": base64.b64encode(zlib.compress(bytes(LARGEST + 1))).decode()}, "could not be read"),
        ({"private_test_cases": base64.b64encode(zlib.compress(pickle.dumps([1]))).decode()}, "a text of at most"),
    ],
)
def test_broken_records_are_refused(record, said):
    """Before anything is run; and nothing of a pickle is called."""
    with pytest.raises(ConfigError, match=said):
        read(record)
    assert not os.path.exists("searchkit-was-here")


# ---------------------------------------------------------------- what is printed


@pytest.mark.parametrize(
    ("printed", "expected", "right"),
    [
        ("0.33333333", "0.3333333333", True),  # F148
        ("1e-1", "0.1", True),
        ("0.1", "1e-1", True),
        ("3.0", "3", True),
        ("3", "3.0000001", True),
        (".5", "0.5", True),
        ("+2.5", "2.5", True),
        ("-0.0", "0", True),
        ("1000000.4", "1000000.0", True),
        ("0.0000004", "0", True),
        ("1e400", "1e400", True),
        ("a 1.00000001 b", "a 1.0 b", True),
        ("1.0  2.0 \n\n", "1.0 2.0", True),
        ("1 2\n3", "1 2\n3", True),
        ("nan", "nan", True),
        ("0.34", "0.33", False),
        ("1000001", "1000000", False),
        ("7", "8", False),
        ("1000000000001", "1000000000000", False),
        ("1e400", "1e401", False),
        ("1e400", "1.0", False),
        ("5.0", "1e999", False),
        ("0.0", "-1e400", False),
        ("nan", "0.5", False),
        ("inf", "1e300", False),
        ("1_0.0", "10.0", False),
        ("0x10", "16", False),
        ("1.0 2.0", "1.0", False),
        ("1.0\n2.0", "1.0 2.0", False),
        ("", "0.0", False),
        ("1,5", "1.5", False),
        ("-1.0", "1.0", False),
        ("١.٥", "1.5", False),
        ("yes", "no", False),
    ],
)
def test_numbers_that_are_near_enough(printed, expected, right):
    """By hand: a relative tolerance of 1e-6, an absolute one below 1; whole numbers are counted, not measured."""
    assert within(1e-6)("", printed, expected) is right


def test_a_tolerance_and_a_checker_are_options():
    """Off unless they are asked for."""
    third = "print(1 / float(input()))"
    tests = [("3", "0.33333333"), ("7", "0.14285714")]
    assert passed(tests, third) is False
    assert passed(tests, third, tolerance=1e-6) is True
    assert passed(tests, "print(1 / float(input()) + 0.001)", tolerance=1e-6) is False
    assert passed(tests, "print('near enough')", tolerance=1e-6) is False
    divisors = [("12", "3"), ("35", "5")]

    def divides(typed, printed, expected):
        return 1 < int(printed) < int(typed) and int(typed) % int(printed) == 0

    first = "n = int(input())\nprint(min(d for d in range(2, n) if n % d == 0))"
    assert passed(divisors, first, checker=divides) is True
    assert passed(divisors, first) is False
    assert verdict(divisors, "print(6)", checker=divides).score == 0.5
    unreadable = verdict(divisors, "print('six')", checker=divides)
    assert (unreadable.passed, unreadable.score) == (None, None)
    assert "the checker raised ValueError" in unreadable.feedback


@pytest.mark.parametrize(
    "options",
    [
        {"tolerance": -1},
        {"tolerance": float("nan")},
        {"tolerance": float("inf")},
        {"checker": 3},
        {"tolerance": 0.1, "checker": lambda a, b, c: True},
        {"libraries": ("no such",)},
        {"libraries": ("nowhere_to_be_found",)},
        {"libraries": "numpy"},
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(ConfigError):
        UnitTests([("1", "2")], LEVEL, **options)
    with pytest.raises(ConfigError):
        UnitTests("assert f() == 1", LEVEL, tolerance=0.1)


def test_the_options_are_part_of_the_identity():
    keys = {
        UnitTests([("1", "2")], LEVEL, **options).key
        for options in (
            {},
            {"tolerance": 0.1},
            {"tolerance": 0.2},
            {"checker": len},
            {"libraries": ()},
            {"libraries": ("json",)},
        )
    }
    assert len(keys) == 6
