"""Cases of one text share what they leave behind, as in one run of them; variables that a program rebinds are seen."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

RIGHT, WRONG = "def f(x): return x * x", "def f(x): return 2 * x"
T = "import unittest\nclass T(unittest.TestCase):\n"
SHARED = {
    "a list of the class": T + "    seen = []\n    def test_a(self):\n        self.seen.append(f(3))\n        self.assertEqual(self.seen, [9])\n    def test_b(self):\n        self.seen.append(f(4))\n        self.assertEqual(self.seen, [9, 16])",
    "set up once": T + "    @classmethod\n    def setUpClass(cls):\n        cls.calls = []\n    def test_a(self):\n        self.calls.append(f(3))\n        self.assertEqual(len(self.calls), 1)\n    def test_b(self):\n        self.calls.append(f(4))\n        self.assertEqual(self.calls, [9, 16])",
    "an attribute": T + "    n = 0\n    def test_a(self):\n        T.n = f(3)\n        self.assertEqual(T.n, 9)\n    def test_b(self):\n        self.assertEqual(T.n + f(1), 10)",
    "a global of the test": "n = 0\ndef test_a():\n    global n\n    n = f(3)\n    assert n == 9\ndef test_b():\n    assert n + f(1) == 10",
    "a dictionary of the module": "known = {}\ndef test_a():\n    known[3] = f(3)\n    assert known[3] == 9\ndef test_b():\n    known[4] = f(4)\n    assert known == {3: 9, 4: 16}",
    "set up of the module": "import unittest\ndef setUpModule():\n    global y\n    y = []\nclass T(unittest.TestCase):\n    def test_a(self):\n        y.append(f(3))\n        self.assertEqual(y, [9])\nclass U(unittest.TestCase):\n    def test_a(self):\n        y.append(f(4))\n        self.assertEqual(y, [9, 16])",
    "a class of pytest's": "class TestF:\n    seen = []\n    def test_a(self):\n        self.seen.append(f(3))\n        assert self.seen == [9]\n    def test_b(self):\n        self.seen.append(f(4))\n        assert self.seen == [9, 16]",
    "in the order of unittest": T + "    seen = []\n    def test_2(self):\n        self.seen.append(f(4))\n        self.assertEqual(self.seen, [9, 16])\n    def test_1(self):\n        self.seen.append(f(3))\n        self.assertEqual(self.seen, [9])",
    "worked out at the top": "r = f(3)\ndef test_a():\n    assert r == 9\ndef test_b():\n    assert r > f(2)",
    "an assertion by another name": T[:16] + "same = unittest.TestCase().assertEqual\ndef test_a():\n    same(f(3), 9)\ndef test_b():\n    same(f(4), 16)",
    "torn down at the end": T + "    seen = []\n    def test_a(self): self.seen.append(f(3))\n    def test_b(self): self.seen.append(f(4))\n    @classmethod\n    def tearDownClass(cls): assert cls.seen == [9, 16]\ndef test_z():\n    assert f(0) == 0",
    "torn down before the next class": T + "    seen = []\n    def test_a(self): self.seen.append(f(3))\n    @classmethod\n    def tearDownClass(cls): assert cls.seen == [9]\nclass U(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(0), 0)",
}  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_what_cases_leave_behind_is_there_for_the_next(name):
    tests = SHARED[name]
    assert passed(tests, RIGHT) is True, verdict(tests, RIGHT).feedback
    assert passed(tests, WRONG) is False


BROKEN = {
    "set up fails": T + "    @classmethod\n    def setUpClass(cls): assert f(3) == 9\n    def test_a(self): self.assertEqual(f(0), 0)\n    def test_b(self): self.assertEqual(f(0), 0)",
    "set up of the module fails": "import unittest\ndef setUpModule(): assert f(3) == 9\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(0), 0)\n    def test_b(self): self.assertEqual(f(0), 0)",
    "the text fails": "assert f(3) == 9\ndef test_a():\n    assert f(0) == 0\ndef test_b():\n    assert f(0) == 0",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_fails_before_the_cases_fails_all_of_them(name):
    assert verdict(BROKEN[name], RIGHT).score == 1.0
    assert verdict(BROKEN[name], WRONG).score == 0.0


def test_one_case_that_cannot_be_judged_leaves_the_next_as_it_is():
    tests = "import pytest\ndef test_a():\n    f(3)\n    pytest.skip('no')\ndef test_b():\n    assert f(3) == 9"
    assert verdict(tests, RIGHT).passed is None
    assert verdict(tests, WRONG).passed is False


LIAR = "class Z:\n    def __eq__(s, o): return True\n"


def test_a_name_that_the_text_gives_something_else_stays_its_own():
    """Also in the second case: a star import comes after the program's names."""
    tests = "from math import *\ndef test_a():\n    assert sqrt(f(0)) == 0\ndef test_b():\n    assert sqrt(f(3)) == 3"
    forged = f"def sqrt(x): return 3 if x else 0\n{WRONG}"
    assert passed(tests, RIGHT) is True
    assert passed(tests, forged) is False


def test_a_class_that_one_case_was_given_is_still_a_class_for_the_next():
    tests = "def test_a():\n    assert kind() is V\n    assert V(1).x == 1\ndef test_b():\n    assert V(1) == V(1) and V(2).x == 2"
    right = "class V:\n    def __init__(s, x): s.x = x\n    def __eq__(s, o): return s.x == o.x\ndef kind(): return V"
    assert passed(tests, right) is True, verdict(tests, right).feedback


COUNTS = "count = 0\nlog = []\ndef f(x):\n    global count, log\n    count += 1\n    log = log + [x]\n    return count"
REBOUND = [
    ("f(1)\nf(1)\nassert count == 2", True),
    ("f(1)\nf(1)\nassert count == 3", False),
    ("f(1)\nassert count == 1\nf(1)\nassert count == 2", True),
    ("def test_a():\n    f(1)\n    assert count == 1\ndef test_b():\n    f(1)\n    assert count == 2", True),
    ("f(5)\nf(6)\nassert log == [5, 6]", True),
    ("import solution\nsolution.f(1)\nassert solution.count == 1", True),
    (T + "    def test_a(self):\n        f(1)\n        self.assertEqual(count, 1)", True),
    ("f(1)\nassert [count for _ in range(2)] == [1, 1] and (lambda: count)() == 1", True),
]


@pytest.mark.parametrize(("tests", "right"), REBOUND)
def test_a_variable_that_the_program_rebinds_is_seen(tests, right):
    assert passed(tests, COUNTS) is right, verdict(tests, COUNTS).feedback


@pytest.mark.parametrize(
    "tests",
    ["count = 5\nassert f(1) == 6", "def test_a():\n    global count\n    count = 5\n    assert f(1) == 6", "log = []\nf(1)\nassert log == [1]"],
)  # fmt: skip
def test_a_variable_that_the_test_rebinds_for_the_program_is_not_judged(tests):
    """In one file it would be the same variable; beside a module it would not."""
    found = verdict(tests, COUNTS)
    assert found.passed is None
    assert "which functions of the program read, and these do not see it" in found.feedback
    usage = "def f(x): return 2 * x\ncount = f(3)\nprint(count)"
    assert passed("count = f(3)\nassert count == 9", usage) is False


LEFT = {
    "in a list": "out = []\ndef test_a():\n    out.append(f(3))\n    assert f(0) == 0\ndef test_b():\n    assert out == [9]",
    "in a dictionary": "kept = {}\ndef test_a():\n    kept['k'] = f(3)\n    assert f(0) == 0\ndef test_b():\n    assert kept['k'] == 9",
    "in a global variable": "def test_a():\n    global y\n    y = f(3)\n    assert f(0) == 0\ndef test_b():\n    assert y == 9",
    "behind a helper": "def test_a():\n    global y\n    y = f(3)\n    assert f(0) == 0\ndef test_b():\n    assert got() == 9\ndef got(): return y",
    "on the class": T + "    def test_a(self):\n        type(self).v = f(3)\n        self.assertEqual(f(0), 0)\n    def test_b(self): self.assertEqual(self.v, 9)",
    "in a list of the class": T + "    seen = []\n    def test_a(self):\n        self.seen.append(f(3))\n        self.assertEqual(f(0), 0)\n    def test_b(self): self.assertEqual(self.seen, [9])",
    "on a function": "def g(): pass\ndef test_a():\n    g.v = f(3)\n    assert f(0) == 0\ndef test_b():\n    assert g.v == 9",
    "by a cleanup": T + "    def test_a(self):\n        self.addCleanup(lambda: out.append(f(3)))\n        self.assertEqual(f(0), 0)\n    def test_b(self): self.assertEqual(out, [9])\nout = []",
    "by the set up of the module": "import unittest\ndef setUpModule():\n    global y\n    y = f(3)\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(y, 9)\n    def test_b(self): self.assertEqual(f(0), 0)",
    "only by the set up of the module": "import unittest\ndef setUpModule():\n    global y\n    y = f(3)\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(y, 9)",
    "in a default": "def test_a(memo={}):\n    memo[1] = f(3)\n    assert f(0) == 0\ndef test_b():\n    assert test_a.__defaults__[0][1] == 9",
    "by its name in a text": "def test_a():\n    assert f(0) == 0\ndef test_b():\n    assert globals()['f'](3) == 9",
    "in a generator": "def answers():\n    yield f(0)\n    yield f(3)\ng = answers()\ndef test_a():\n    assert next(g) == 0\ndef test_b():\n    assert next(g) == 9",
    "by a name of Python's own, in a mapping": "def test_a():\n    globals().update(sum=lambda x: f(3))\n    assert f(0) == 0\ndef test_b():\n    assert sum([]) == 9",
    "by a name of Python's own, in a text": "def test_a():\n    exec('abs = lambda x: f(3)', globals())\n    assert f(0) == 0\ndef test_b():\n    assert abs(1) == 9",
    "by a name of Python's own, as an attribute": "import sys\ndef test_a():\n    setattr(sys.modules[__name__], 'abs', lambda x: f(3))\n    assert f(0) == 0\ndef test_b():\n    assert abs(1) == 9",
    "on a class of pytest's": "class TestF:\n    seen = {}\n    def test_a(self):\n        self.seen[1] = f(3)\n        assert f(0) == 0\n    def test_b(self): assert self.seen[1] == 9",
    "by an assertion of its own": T + "    def assertIsNone(self, x): self.assertEqual(f(3), 9)\n    def test_a(self): self.assertEqual(f(0), 0)\n    def test_b(self): self.assertIsNone(None)",
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_a_case_that_does_not_name_the_program_judges_what_another_has_left(name):
    assert passed(LEFT[name], RIGHT) is True, verdict(LEFT[name], RIGHT).feedback
    assert passed(LEFT[name], WRONG) is False


def test_a_case_about_the_text_itself_may_ask_nothing_if_another_asks():
    tests = "LIMIT = 5\ndef test_a():\n    assert LIMIT == 5\ndef test_b():\n    assert f(3) == 9"
    assert verdict(tests, RIGHT).score == 1.0
    assert verdict(tests, WRONG).passed is False


ALONE = [
    "    xs = sorted([2, 1])\n    assert xs == [1, 2]",
    "    assert len([1]) == 2",
    "    import os\n    assert os.path.exists('solution.py')",
    "    with open('solution.py') as file: assert 'import' not in file.read()",
    "    import importlib.util\n    assert importlib.util.find_spec('solution')",
    "    import math\n    assert math.pi > 3",
    "    from unittest.mock import Mock\n    seen = Mock()\n    seen(1)\n    seen.assert_called_once()",
    "    print('begun')",
]


@pytest.mark.parametrize("body", ALONE)
def test_a_case_that_has_a_part_in_nothing_is_none_of_the_tests(body):
    tests = f"def test_a():\n{body}\ndef test_b():\n    assert f(3) == 9"
    assert verdict(tests, RIGHT).score == 1.0
    assert verdict(tests, WRONG).score == 0.0


ELSEWHERE = [
    "import contextvars\nv = contextvars.ContextVar('v')\ndef test_a():\n    v.set(f(3))\n    assert f(0) == 0\ndef test_b():\n    assert v.get() == 9",
    "import os\ndef test_a():\n    os.environ['k'] = str(f(3))\n    assert f(0) == 0\ndef test_b():\n    assert os.environ['k'] == '9'",
    "def test_a():\n    with open('/tmp/kept', 'w') as file: file.write(str(f(3)))\n    assert f(0) == 0\ndef test_b():\n    with open('/tmp/kept') as file: assert file.read() == '9'",
    "import math\ndef test_a():\n    math.kept = f(3)\n    assert f(0) == 0\ndef test_b():\n    assert math.kept == 9",
]


@pytest.mark.parametrize("tests", ELSEWHERE)
def test_what_a_case_leaves_outside_of_the_text_lets_no_wrong_program_pass(tests):
    assert passed(tests, WRONG) is not True
