"""Tests are run or refused: no text of tests passes a wrong program because nothing of it was run (K1)."""

from __future__ import annotations

import pytest

from searchkit.errors import ConfigError
from tests.helpers.programs import verdict

RIGHT, WRONG = "def sq(x): return x * x", "def sq(x): return x + x"
CASE = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(sq(3), 9)\n"

RUN = {
    # F001 and its kind: unittest
    "a class of unittest": CASE,
    "with main": CASE + "if __name__ == '__main__':\n    unittest.main()\n",
    "main without a guard": CASE + "unittest.main()\n",
    "main in sys.exit": CASE.replace("import unittest", "import unittest, sys") + "sys.exit(unittest.main())\n",
    "a runner of one's own": CASE
    + "unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(T))\n",
    "from unittest": (
        "from unittest import TestCase\nclass T(TestCase):\n    def test(self): self.assertTrue(sq(3) == 9)"
    ),
    "another name": "import unittest as u\nclass T(u.TestCase):\n    def test_a(self): self.assertEqual(sq(3), 9)",
    "a class by another name": "from unittest import TestCase as C\nclass T(C):\n    def test(self): assert sq(3) == 9",
    "a base of its own": (
        "import unittest\nclass Base(unittest.TestCase):\n    x = 3\nclass T(Base):\n"
        "    def test_a(self): assert sq(self.x) == 9"
    ),
    "a mixin": (
        "import unittest\nclass M:\n    def test_a(self): assert sq(self.x) == 9\n"
        "class T(M, unittest.TestCase):\n    x = 3"
    ),
    "set up": (
        "import unittest\nclass T(unittest.TestCase):\n    def setUp(self): self.f = sq\n"
        "    def test_a(self): self.assertEqual(self.f(3), 9)"
    ),
    "set up of the class": (
        "import unittest\nclass T(unittest.TestCase):\n    @classmethod\n"
        "    def setUpClass(cls): cls.y = sq(3)\n    def test_a(self): self.assertEqual(self.y, 9)"
    ),
    "set up of the module": (
        "import unittest\ndef setUpModule():\n    global y\n    y = 9\nclass T(unittest.TestCase):\n"
        "    def test_a(self): self.assertEqual(sq(3), y)"
    ),
    "sub-tests": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        for x in (2, 3):\n"
        "            with self.subTest(x=x):\n                self.assertEqual(sq(x), x ** 2)"
    ),
    "clean-up": (
        "import unittest\nclass T(unittest.TestCase):\n"
        "    def test_a(self): self.addCleanup(self.assertEqual, sq(3), 9)"
    ),
    "tear-down": (
        "import unittest\nclass T(unittest.TestCase):\n    def tearDown(self): assert sq(3) == 9\n"
        "    def test_a(self): sq(2)"
    ),
    "asynchronous": (
        "import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n"
        "    async def test_a(self): self.assertEqual(sq(3), 9)"
    ),
    "almost equal": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertAlmostEqual(sq(3), 9)"
    ),
    "in a branch": (
        "import unittest\nif True:\n    class T(unittest.TestCase):\n"
        "        def test_a(self): self.assertEqual(sq(3), 9)"
    ),
    # functions
    "a function": "def test_a():\n    assert sq(3) == 9",
    "a function beside statements": "x = 3\ndef test_a():\n    assert sq(x) == 9\nprint('ready')",
    "a function that is called": "def test_a():\n    assert sq(3) == 9\ntest_a()",
    "a function that is called and caught": (
        "def test_a():\n    assert sq(3) == 9\ntry:\n    test_a()\nexcept AssertionError:\n    print('no')"
    ),
    "a loop over functions": (
        "def test_a():\n    assert sq(3) == 9\nfor t in [test_a]:\n    try: t()\n    except Exception as e: print(e)"
    ),
    "a helper": "def help_(x, y):\n    assert sq(x) == y\ndef test_a():\n    help_(3, 9)",
    "a helper that is called a test": "def test_case(x, y):\n    assert sq(x) == y\ntest_case(3, 9)",
    "defaults": "def test_a(x=3, *, y=9):\n    assert sq(x) == y",
    "a class of pytest": "class TestSq:\n    def test_a(self):\n        assert sq(3) == 9",
    "a static method": "class TestSq:\n    @staticmethod\n    def test_a():\n        assert sq(3) == 9",
    "main guard": "def run():\n    assert sq(3) == 9\nif __name__ == '__main__':\n    run()",
    "the last of many": "".join(f"def test_{i}():\n    assert sq(0) == 0\n" for i in range(5))
    + "def test_z():\n    assert sq(3) == 9",
    # expected exceptions
    "a raise": "if sq(3) != 9:\n    raise ValueError('no')",
    "an exit": "import sys\nif sq(3) != 9:\n    sys.exit(1)",
    "numpy's": "import numpy as np\nnp.testing.assert_equal(sq(3), 9)",
}

CHECKS = {
    "as in HumanEval": "def check(candidate):\n    assert candidate(3) == 9",
    "a blank before the bracket": "def check (candidate): assert candidate(3)==9",  # F004
    "more blanks": "def  check\t( candidate ) :\n    assert candidate(3) == 9",
    "a line in between": "def check\\\n(candidate):\n    assert candidate(3) == 9",
    "another argument": "def check(f):\n    assert f(3) == 9",
    "the function's own name": "def check(sq):\n    assert sq(3) == 9",
    "annotated": "def check(candidate: object) -> None:\n    assert candidate(3) == 9",
    "a default": "def check(candidate, verbose=False):\n    assert candidate(3) == 9",
    "a lambda": "def same(a, b):\n    assert a == b\ncheck = lambda candidate: same(candidate(3), 9)",
    "indented": "if True:\n    def check(candidate):\n        assert candidate(3) == 9",
    "in a try": "try:\n    import json\nfinally:\n    def check(candidate):\n        assert candidate(3) == 9",
    "another name": "def check_solution(candidate):\n    assert candidate(3) == 9",
    "called by a test": "def check(candidate):\n    assert candidate(3) == 9\ndef test_check(): check(sq)",
    "called by a test and caught": (
        "def check(candidate):\n    assert candidate(3) == 9\ndef test_check():\n    try: check(sq)\n"
        "    except ZeroDivisionError: pass"
    ),
    "called by a method": (
        "import unittest\ndef check(candidate):\n    assert candidate(3) == 9\nclass T(unittest.TestCase):\n"
        "    def test_check(self): check(sq)"
    ),
    "called already": "def check(candidate):\n    assert candidate(3) == 9\ncheck(sq)",
    "called already, and caught": (
        "def check(candidate):\n    assert candidate(3) == 9\ntry:\n    check(sq)\nexcept AssertionError: pass"
    ),
    "with data before it": "METADATA = {'author': 'x'}\n\n\ndef check(candidate):\n    assert candidate(3) == 9\n",
    "decorated": "def twice(f): return f\n@twice\ndef check(candidate):\n    assert candidate(3) == 9",
    "without an argument": "def check():\n    assert sq(3) == 9",
    "by position": "def check(candidate, /):\n    assert candidate(3) == 9",
    "by name": "def check(*, candidate):\n    assert candidate(3) == 9",
}


@pytest.mark.parametrize("name", RUN)
def test_customary_tests_are_run(name):
    """A wrong program fails, the right one passes."""
    if "numpy" in RUN[name]:
        pytest.importorskip("numpy")
    assert verdict(RUN[name], WRONG).passed is False, name
    assert verdict(RUN[name], RIGHT).passed is True, verdict(RUN[name], RIGHT).feedback


@pytest.mark.parametrize("name", CHECKS)
def test_check_is_called_however_it_is_spelt(name):
    tests = {"test": CHECKS[name], "entry_point": "sq"}
    if "called" in name and "already" not in name:
        assert (verdict(CHECKS[name], WRONG).passed, verdict(CHECKS[name], RIGHT).passed) == (False, True)
    if name == "by name":
        refused(tests, "")
        return
    assert verdict(tests, WRONG).passed is False, name
    assert verdict(tests, RIGHT).passed is True, verdict(tests, RIGHT).feedback


def refused(tests, said):
    with pytest.raises(ConfigError) as caught:
        verdict(tests, RIGHT)
    assert said in str(caught.value)


INERT = [
    "",
    " \n",
    "# no tests yet\n",
    "pass",
    "...",
    "'''assert sq(3) == 9'''",
    "import math",
    "x = 9",
    "print('ok')",  # F006
    "def helper():\n    assert sq(3) == 9",
    "class Helper:\n    def test_a(self): assert sq(3) == 9",
    "assert True",
    "assert 1 == 1",
    "import math\nassert math.sqrt(9) == 3",
    "sq(3) == 9",
    "print(sq(3) == 9)",
    "sq(3)",
    "def test_a():\n    sq(3) == 9",
    "def test_a():\n    return sq(3) == 9",
    "def test_a(): pass",
    "if False:\n    assert sq(3) == 9",
    "while 0:\n    assert sq(3) == 9",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    assert sq(3) == 9",
    "import doctest\ndoctest.testmod()",
    "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass",
    "import unittest\nclass T(unittest.TestCase):\n    def check_a(self): self.assertEqual(sq(3), 9)",
    "import unittest\nunittest.main()",
    "try:\n    assert sq(3) == 9\nexcept AssertionError:\n    print('wrong')",
    "try:\n    assert sq(3) == 9\nexcept Exception: pass",
    "try:\n    assert sq(3) == 9\nexcept:\n    ok = False",
    "async def main():\n    assert sq(3) == 9",
    "def sq(x): return x * x\nassert sq(3) == 9",
    "sq = lambda x: x * x\ndef test_a(): assert sq(3) == 9",
    "import contextlib\nwith contextlib.suppress(AssertionError):\n    assert sq(3) == 9",
    "def compare():\n    assert sq(3) == 9\ntry:\n    compare()\nexcept AssertionError:\n    print('no')",
    "def check_it():\n    return sq(3) == 9\ncheck_it()",
    "lambda: sq(3) == 9",
    "results = [sq(3) == 9]",
    "def outer():\n    def test_a():\n        assert sq(3) == 9",
    "import math\nmath.isclose(sq(3), 9)",
    "import math\nprint(math.isclose(sq(3), 9))",
    "from math import isclose\nisclose(sq(3), 9)",
    "import warnings\nif sq(3) != 9: warnings.warn('wrong')",
    "import logging\nif sq(3) != 9: logging.warning('wrong')",
    "import logging\nlogging.getLogger().warning(sq(3) == 9)",
    "import io\ns = io.StringIO()\nprint(sq(3) == 9, file=s)\ns.close()",
    "import filecmp\nprint(filecmp.cmp_equal(sq(3), 9))",
    "import sys\nprint(sq(3))\nsys.exit(0)",
    "import sys\nprint(sq(3) == 9)\nsys.exit()",
    "print(sq(3) == 9)\nexit()",
    "sq(3)\nassert 1 == 1",
    "sq(3)\nassert 2 ** 2 == 4 and True",
    "sq(3)\nassert isinstance(3, int)",
    "import math\nsq(3)\nassert math.sqrt(9) == 3",
    "assert (sq(x) == x * x for x in range(5))",
    "assert [sq(x) == x * x for x in range(5)]",
    "assert {sq(x) == x * x for x in range(5)}",
    "assert {x: sq(x) == x * x for x in range(5)}",
    "assert {'a': sq(3) == 9}",
    "assert {sq(3) == 9}",
    "assert f'{sq(3) == 9}'",
    "assert f'{sq(3)}'",
    "assert map(lambda x: sq(x) == x * x, [3])",
    "assert list(map(lambda x: sq(x) == x * x, [3]))",
    "assert tuple(sq(x) == x * x for x in (1, 3))",
    "assert str(sq(3) == 9)",
    "assert repr(sq(3))",
    "assert lambda: sq(3) == 9",
    "assert (sq(3) == 9, 'no') and True",
    "assert sq(3) == 9 or True",
    "assert sq(3) == 9 or 'no'",
    "assert (sq(3) == 9) is not None",
    "assert (sq(3) == 9) != None",
    "assert not not [sq(3) == 9] or 1",
    "assert (lambda: sq(3) == 9) if True else [sq(3) == 9]",
    "assert sq(3), 9",
    "assert sq(3), 9.0",
    *(
        f"import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.{call}"
        for call in (
            "assertTrue((sq(3) == 9, 'm'))",
            "assertTrue(sq(x) == x * x for x in range(3))",
            "assertTrue(sq(3), 9)",
            "assertTrue([sq(x) == x * x for x in range(3)])",
            "assertTrue(f'{sq(3) == 9}')",
            "assertTrue(True, sq(3))",
            "assertIsNotNone(sq(3) == 9)",
            "assertTrue({'a': sq(3) == 9})",
            "assertTrue(lambda: sq(3) == 9)",
        )
    ),
]
MEANT = [
    "assert [x for x in [sq(3)] if x == 9]",
    "assert [*filter(lambda x: x == 9, [sq(3)])]",
    "assert all([sq(x) == x * x for x in range(5)])",
    "assert not [x for x in range(5) if sq(x) != x * x]",
    "assert bool(sq(3) == 9)",
    "assert (sq(3) == 9) is True",
    "assert sq(3) == 9, f'{sq(3)} is no 9'",
    "assert sq(3) == 9, sq(3)",
    "assert iter([sq(3)]) is not None\nassert sq(3) == 9",
    "import math\nassert math.isclose(sq(3), 9)",
    "import sys\nif sq(3) != 9: sys.exit(1)",
    "import os\nok = sq(3) == 9\nassert ok",
    "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertTrue(sq(3) == 9, 'no')",
    "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertFalse(sq(3) != 9)",
]


@pytest.mark.parametrize("tests", MEANT)
def test_what_can_fail_is_run(tests):
    """Beside what is refused."""
    assert verdict(tests, RIGHT).passed is True, verdict(tests, RIGHT).feedback
    assert verdict(tests, WRONG).passed is False


INERT_CHECKS = [
    "return candidate(3) == 9",
    "print(candidate(3) == 9)",
    "pass",
    "assert True",
    "candidate(3)",
    "def inner():\n        assert candidate(3) == 9",
    "try:\n        assert candidate(3) == 9\n    except AssertionError:\n        return False",
]


@pytest.mark.parametrize("body", INERT_CHECKS)
def test_a_check_that_cannot_fail_is_refused(body):
    refused({"test": f"def check(candidate):\n    {body}\n", "entry_point": "sq"}, "the tests check nothing")


@pytest.mark.parametrize("tests", INERT)
def test_tests_that_check_nothing_are_refused(tests):
    """When they are given; alone, in a list, and as a mapping's."""
    for given in (tests, [tests], ["assert sq(2) == 4", tests], {"test": tests}):
        with pytest.raises(ConfigError):
            verdict(given, WRONG)


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ("def test_a(tmp_path):\n    assert sq(3) == 9", "test_a of the tests takes tmp_path: fixtures"),
        ("def test_a(capsys, x=1):\n    assert sq(3) == 9", "takes capsys"),
        (
            "class TestA:\n    def test_a(self, monkeypatch):\n        assert sq(3) == 9",
            "TestA.test_a of the tests takes monkeypatch",
        ),
        (
            "import pytest\n@pytest.mark.parametrize('x', [3])\ndef test_a(x):\n    assert sq(x) == 9",
            "@pytest.mark.parametrize",
        ),
        (
            "import pytest\n@pytest.fixture\ndef three(): return 3\ndef test_a(three):\n    assert sq(three) == 9",
            "@pytest.fixture",
        ),
        (
            "import pytest\n@pytest.fixture(autouse=True)\ndef three(): return 3\ndef test_a():\n    assert sq(3) == 9",
            "@pytest.fixture",
        ),
        ("import pytest\n@pytest.mark.skip\ndef test_a():\n    assert sq(3) == 9", "@pytest.mark.skip"),
        (
            "import pytest\npytestmark = pytest.mark.asyncio\nasync def test_a():\n    assert sq(3) == 9",
            "no plain function",
        ),
        (
            "from hypothesis import given, strategies as st\n@given(st.integers())\ndef test_a(x):\n"
            "    assert sq(x) == x * x",
            "@given",
        ),
        ("pytest_plugins = ['x']\ndef test_a():\n    assert sq(3) == 9", "pytest_plugins"),
        ("import pytest_mock\ndef test_a():\n    assert sq(3) == 9", "pytest_mock"),
        ("def test_a():\n    yield sq, 3", "no plain function"),
        ("def setup_function():\n    pass\ndef test_a():\n    assert sq(3) == 9", "setup_function"),
        (
            "class TestA:\n    def setup_method(self): self.x = 3\n    def test_a(self): assert sq(self.x) == 9",
            "TestA.setup_method",
        ),
        (
            "def test_b():\n    assert sq(0) == 0\n"
            "class TestA:\n    class TestIn:\n        def test_a(self): assert sq(3) == 9",
            "TestA.TestIn",
        ),
        (
            "class TestA:\n    def test_b(self): assert sq(0) == 0\n"
            "    class TestIn:\n        class TestDeep:\n            def test_a(self): assert sq(3) == 9",
            "TestA.TestDeep",
        ),
        (
            "class TestA:\n    def __init__(self): self.x = 3\n    def test_a(self): assert sq(self.x) == 9",
            "TestA.__init__",
        ),
        (
            "from absl.testing import absltest\nclass T(absltest.TestCase):\n"
            "    def test_a(self): self.assertEqual(sq(3), 9)",
            "extends absltest.TestCase",
        ),
        (
            "import unittest\nclass T(unittest.TestCase):\n    async def test_a(self): self.assertEqual(sq(3), 9)",
            "T.test_a is no plain method",
        ),
        (
            "import unittest\nfrom parameterized import parameterized\nclass T(unittest.TestCase):\n"
            "    @parameterized.expand([(3,)])\n    def test_a(self, x): self.assertEqual(sq(x), 9)",
            "@parameterized.expand",
        ),
        ("def check(candidate):\n    assert candidate(3) == 9", "name the entry_point"),
        ("def check(candidate, other):\n    assert candidate(3) == 9", "takes other arguments"),
        ("assert (sq(3) == 9, 'the square')", "cannot fail"),
        ("assert 'sq(3) == 9'", "cannot fail"),
        ("def load_tests(loader, tests, pattern):\n    return tests\nassert sq(3) == 9", "load_tests"),
        ("import nowhere_to_be_found\nassert sq(3) == 9", "not installed here"),
    ],
)
def test_what_needs_a_framework_is_refused_by_name(tests, said):
    refused(tests, said)


def test_each_case_is_a_test():
    """The score is the share of cases that pass, and the reason names the first that does not."""
    cases = "import unittest\nclass T(unittest.TestCase):\n" + "".join(
        f"    def test_{x}(self): self.assertEqual(sq({x}), {x * x})\n" for x in range(4)
    )
    assert verdict(cases, RIGHT).score == 1.0
    assert verdict(cases, WRONG).score == 0.5  # of 0 and 2
    assert "test 2, line 4: AssertionError" in verdict(cases, WRONG).feedback
    both = "def test_a():\n    assert sq(2) == 4\ndef test_b():\n    assert sq(3) == 9\n"
    assert (verdict(both, WRONG).score, verdict([both, "assert sq(1) == 1"], WRONG).score) == (0.5, 1 / 3)


def test_a_case_that_asks_nothing_of_the_program_does_not_count():
    text = (
        "def test_a(): pass\ndef test_b():\n    assert 1\ndef test_c():\n    assert sq(3) == 9\ndef test_d(): sq(2)\n"
    )
    assert "passed 1 of 2 tests" in verdict(text, WRONG).feedback
    assert "passed 2 of 2 tests" in verdict(text, RIGHT).feedback


def test_expected_failures_and_skipped_tests():
    """As unittest has them; a test that was skipped says nothing."""
    head = "import unittest\nclass T(unittest.TestCase):\n"
    text = head + "    @unittest.{}\n    def test_a(self): self.assertEqual(sq(3), 6)\n"
    assert verdict(text.format("expectedFailure"), RIGHT).passed is True
    assert verdict(text.format("expectedFailure"), WRONG).passed is False
    assert verdict(text.format("skip('later')"), WRONG).passed is None
    raises = head + "    def test_a(self):\n        if sq(3) != 9: self.fail()\n        self.skipTest('x')\n"
    assert (verdict(raises, RIGHT).passed, verdict(raises, WRONG).passed) == (None, False)


def test_a_program_cannot_reach_the_runner():
    """Whatever it does to unittest in its own process."""
    patches = (
        "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\nunittest.TestResult.addFailure = print\n"
    )
    assert verdict(CASE, patches + WRONG).passed is False
