"""What the tests' setup defines, the program can use; for what only the tests define, it is not failed."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

SEARCH = """
def first(n):
    low, high = 1, n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if isBadVersion(middle) else (middle + 1, high)
    return low
"""
SETUPS = [
    ("def isBadVersion(v): return v >= 4", "assert first(9) == 4", SEARCH),
    ("isBadVersion = lambda v: v >= 4", "assert first(9) == 4", SEARCH),
    ("BAD = 4\ndef isBadVersion(v): return v >= BAD", "assert first(9) == 4", SEARCH),
    ("def isBadVersion(v): return v >= 4", "assert first(9) == 4", "def isBadVersion(v): return False\n" + SEARCH),
    ("RATE = 3", "assert f(2) == 6", "def f(x): return RATE * x"),
    ("import math", "assert f(9) == 3", "def f(x): return math.isqrt(x)"),
    ("from math import isqrt", "assert f(9) == 3", "def f(x): return isqrt(x)"),
    ("class Node:\n    def __init__(self, x): self.x = x", "assert f(3) == 3", "def f(x): return Node(x).x"),
    ("class Node:\n    def __init__(self, x): self.x = x", "assert f(3) == 3", "def f(x: Node): return x"),
    ("class Base:\n    k = 2", "assert Own().k == 2", "class Own(Base):\n    pass"),
    ("def helper(x): return f(x) + 1", "assert helper(1) == 3", "def f(x): return 2 * x"),
    ("s = f(1)\ndef helper(x): return x", "assert s == 2", "def f(x): return 2 * helper(x) if x > 1 else 2"),
]


@pytest.mark.parametrize(("setup", "test", "program"), SETUPS)
def test_what_setup_defines_is_there_for_the_program(setup, test, program):
    found = verdict({"setup": setup, "tests": [test]}, program)
    assert found.passed is True, found.feedback
    found = verdict({"test_setup_code": setup, "test_list": [test]}, program)
    assert found.passed is True, found.feedback
    assert passed({"setup": setup, "tests": [test.replace("==", "!=")]}, program) is False


@pytest.mark.parametrize(
    ("test", "program"),
    [
        ("def isBadVersion(v): return v >= 4\nassert first(9) == 4", SEARCH),
        ("isBadVersion = (4).__le__\nassert first(9) == 4", SEARCH),
        ("K = 3\nassert f(2) == 6", "def f(x): return K * x"),
        ("class Node:\n    pass\nassert f() is not None", "def f(): return Node()"),
        ("class Node:\n    pass\nassert f(1) == 1", "def f(x: Node): return x"),
        ("import math\nassert f(9) == math.sqrt(9)", "def f(x): return math.sqrt(x)"),
        ("def ask(): return 3\ndef test_a():\n    assert f() == 3", "def f(): return ask()"),
    ],
)
def test_what_only_the_tests_define_is_named(test, program):
    found = verdict(test, program)
    assert found.passed is None
    assert "which the program does not see: put it in the prompt or setup" in found.feedback


def test_a_name_that_nobody_defines_fails():
    assert passed("k = 3\nassert f(2) == 6", "def f(x): return K * x") is False
    assert passed("def test_a():\n    K = 3\n    assert f(2) == K", "def f(x): return K * x") is False


def test_what_setup_counts_is_the_programs_own():
    """A function of setup runs in both processes: what it leaves behind in the program's, a test does not see."""
    for setup in (
        "calls = []\ndef ask(v):\n    calls.append(v)\n    return v > 3",
        "calls = {}\ndef ask(v):\n    calls[v] = 1\n    return v > 3",
        "calls = 0\ndef ask(v):\n    global calls\n    calls += 1\n    return v > 3",
        "class calls:\n    n = 0\ndef ask(v):\n    calls.n += 1\n    return v > 3",
    ):
        found = verdict({"setup": setup, "tests": ["assert f(5)\nassert str(calls) != 'x'"]}, "def f(x): return ask(x)")
        assert found.passed is None, setup
        assert "calls" in found.feedback
        assert passed({"setup": setup, "tests": ["assert f(5)"]}, "def f(x): return ask(x)") is True
