"""What is around a program: usage code, how it was started, and names that are the tests' own (K1, K5)."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict


@pytest.mark.parametrize(
    "text",
    [
        "def sq(x): return x * x\nn = int(input())\nprint(sq(n))",  # F143
        "import sys\nn = int(sys.stdin.readline())\ndef sq(x): return x * x\nprint(sq(n))",
        "import sys\ndata = sys.stdin.read().split()\nprint(data[0])\ndef sq(x): return x * x",
        "import sys\nname = sys.argv[1]\ndef sq(x): return x * x",
        "a, b = map(int, input().split())\nfor i in range(a):\n    print(b)\n\ndef sq(x):\n"
        "    return x * x\n\nsys.exit(sq(a))",
        "def sq(x): return x * x\nif __name__ == '__main__':\n    print(sq(int(input())))",
        "def sq(x): return x * x\nassert sq(3) == 10, 'my own check'",
        "import sys\ndef sq(x): return x * x\nsys.exit(0)",
        "from __future__ import annotations\nx = 1 / 0\ndef sq(x: Undefined): return x * x",
        "import unittest\ndef sq(x): return x * x\nclass T(unittest.TestCase):\n"
        "  def test(self): pass\nunittest.main()",
        "x = (\n  1 /\n  0\n)\n\n@staticmethod\ndef sq(x): return x * x",
    ],
)
def test_usage_code_does_not_sink_the_functions(text):
    assert passed(["assert sq(3) == 9", "assert sq(4) == 16"], text) is True, verdict(
        "assert sq(3) == 9", text
    ).feedback
    assert passed("assert sq(3) == 6", text) is False


def test_what_was_raised_at_module_level_is_said_where_it_matters():
    found = verdict("assert sq(3) == 9", "TABLE = int(input())\ndef sq(x): return TABLE[x]")
    assert found.passed is False
    assert "(the program raised EOFError: EOF when reading a line)" in found.feedback
    assert "the program raised SyntaxError" in verdict("assert sq(3) == 9", "def sq(x) return x").feedback


def test_a_program_sees_nothing_of_how_it_is_run():
    """F144: by calls and as a script."""
    shows = (
        "import sys\ndef f(): return sys.argv, sys.orig_argv, __file__, __name__, sys.modules['__main__'].__file__\n"
    )
    test = "assert f() == (['program.py'], ['program.py'], 'program.py', 'program', 'program.py'), f()"
    assert passed(test, shows) is True, verdict("raise ValueError(f())", shows).feedback
    script = "import sys\nprint(sys.argv, __file__, __name__)"
    assert passed([("", "['program.py'] program.py __main__")], script) is True
    assert (
        passed([("a\nb\n", "A\nB")], "import fileinput\nfor line in fileinput.input(): print(line.strip().upper())")
        is True
    )


def test_a_missing_entry_point_is_named():
    check = {"test": "def check(candidate): assert candidate(3) == 9", "entry_point": "square"}
    found = verdict(check, "def sq(x): return x * x")
    assert (found.passed, found.score) == (False, 0.0)
    assert "the program defines no 'square'" in found.feedback
    assert passed({**check, "entry_point": "sq"}, "class Solution:\n  def sq(self, x): return x * x") is True


@pytest.mark.parametrize(
    "test",
    [
        "if f() < 0:\n    tol = 1\nassert abs(f() - 2) < tol",
        "for expected in [2]:\n    assert f() == expected",
        "def t():\n    global tol\n    tol = 1e-6\nt()\nassert abs(f() - 2) < tol",
        "def late():\n    global tol\n    tol = 1e-6\nif f() > 5: late()\nassert abs(f() - 2) < tol",
        "try:\n    from fractions import Fraction as expected\nexcept ImportError:\n    pass\n"
        "assert f() == expected(2)",
        "with open('/dev/null') as expected:\n    expected = 2\nassert f() == expected",
        "assert (expected := 2) and f() == expected",
        "import math as expected\nassert f() == expected.floor(2.5)",
        "class expected: value = 2\nassert f() == expected.value",
        "def expected(): return 2\nassert f() == expected()",
        "expected: int = 2\nassert f() == expected",
        "match 2:\n    case expected: pass\nassert f() == expected",
        "for i in range(0):\n    expected = 1\nassert f() == expected",
        "while f() < 0:\n    (expected, tol) = 1, 2\nassert f() == expected",
    ],
)
def test_names_that_a_test_stores_are_not_the_programs(test):
    """Neither where it stores them, nor where it might have: a program does not redefine what it is measured by."""
    wrong = "expected = 1\ntol = 100\ndef f(): return 1\nclass _:\n  def __call__(self): return 1\n"
    assert passed(test, wrong) is not True
