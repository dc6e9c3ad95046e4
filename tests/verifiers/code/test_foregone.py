"""Texts of tests in which every assertion holds whatever a program answers are refused."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import ast
import contextlib
import itertools

import pytest

from searchkit.errors import ConfigError
from searchkit.verifiers.code.foregone import is_foregone
from searchkit.verifiers.code.generated import assertions
from searchkit.verifiers.code.suite import read
from tests.helpers.programs import passed, verdict

T = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        "
FOREGONE = [
    "assert f(3) == f(3)",
    "assert f(3) == f(3), 'the same'",
    "assert f(3) == f(3) == f(3)",
    "assert not f(3) != f(3)",
    "assert f(3) == f(3) and f(2) == f(2)",
    "assert (f(3) == 9) in (True, False)",
    "assert (f(3) == 9) in [False, True, None]",
    "assert (f(3) > 9) in {0, 1}",
    "assert (not f(3)) in (True, False)",
    "assert bool(f(3)) in (True, False)",
    "assert (f(3) == 9) is True or (f(3) == 9) is False",
    "assert isinstance(f(3) == 9, bool)",
    "assert isinstance(f(3) == 9, (bool, int))",
    "assert isinstance(9 in f(3), int)",
    "assert isinstance(bool(f(3)), bool)",
    "assert type(f(3) == 9) is bool",
    "assert type(f(3) == 9) == bool",
    "assert type(f(3) == 9) in (bool, int)",
    "assert f(3) == 9 or f(3) != 9",
    "assert f(3) == 9 or not f(3) == 9",
    "assert not f(3) or f(3)",
    "assert 9 == f(3) or f(3) != 9",
    "assert (f(3) == 9) == (f(3) == 9)",
    "assert (f(3) == 9) >= 0",
    "assert (f(3) == 9) + 1",
    "assert str(f(3) == 9) in ('True', 'False')",
    "assert len(str(f(3) == 9)) > 3",
    "assert (f(3) == 9) != None",
    "assert True if f(3) == 9 else True",
    "assert (f(3) == 9) | True",
    "assert all([f(3) == 9, True]) in (True, False)",
    "assert [f(3)] == [f(3)]",
    "assert (f(3), 1)[0:] or True",
    "f(3)\nx = 9\nassert x == 9",
    "r = f(3)\nassert r == r",
    "r = f(3)\nassert r == f(3)",
    "first = f(3)\nsecond = f(3)\nassert first == second",
    "ok = f(3) == 9\nassert ok in (True, False)",
    "ok = f(3) == 9\nassert isinstance(ok, bool)",
    "def test_a():\n    r = f(3)\n    assert r == f(3)\ndef test_b():\n    r = f(4)\n    assert r == f(4)",
    "for x in range(5):\n    assert f(x) == f(x)",
    "def check(candidate):\n    assert candidate(3) == candidate(3)",
    T + "f(3)\n        self.assertEqual(9, 9)",
    T + "f(3)\n        self.assertTrue(1 == 1)",
    T + "f(3)\n        self.assertIn(9, [9])",
    T + "self.assertEqual(f(3), f(3))",
    T + "self.assertEqual(f(3), f(3), 'the same')",
    T + "self.assertListEqual([f(3)], [f(3)])",
    T + "self.assertTrue(f(3) == f(3))",
    T + "self.assertFalse(f(3) != f(3))",
    T + "self.assertIn(f(3) == 9, (True, False))",
    T + "self.assertIsInstance(f(3) == 9, bool)",
    T + "self.assertIsNotNone(f(3) == 9)",
    T + "self.assertGreaterEqual(f(3) == 9, 0)",
    T + "self.assertAlmostEqual(f(3), f(3))",
    T + "r = f(3)\n        self.assertEqual(r, f(3))",
    T + "f(3)\n        with self.assertRaises(ValueError):\n            int('x')",
    T + "f(3)\n        self.assertRaises(ValueError, int, 'x')",
    "import pytest\nf(3)\nwith pytest.raises(ZeroDivisionError):\n    1 / 0",
    "import numpy as np\nnp.testing.assert_equal(f(3), f(3))",
    "import numpy as np\nf(3)\nnp.testing.assert_allclose(9.0, 9.0)",
]
TELLING = [
    "assert f(3) == f(4)",
    "assert f(3) != f(3)",
    "assert f(3) is f(3)",  # a list made anew is not the same one
    "assert f(3) == f(3) + 1",
    "assert f(3) == 9 or f(4) != 9",
    "assert f(2) in (True, False)",
    "assert isinstance(f(3), bool)",
    "assert isinstance(f(3) == 9, str)",
    "assert type(f(3)) is bool",
    "assert str(f(3)) in ('True', 'False')",
    "assert (f(3) == 9) in (True, 2)",
    "assert (f(3) == 9) is True",
    "assert (f(3) == 9) == True",
    "assert (f(3) == 9) != (f(3) == 9)",
    "assert (f(3) == 9) > 0",
    "assert f(3) == 9 and f(3) == f(3)",
    "assert f(3) == f(3)\nassert f(3) == 9",
    "assert f(3) <= 9 or f(3) > 9",  # numbers are so, and sets are not
    "assert Vector(1) == Vector(1)",  # a class that says nothing of it fails
    "v, w = Vector(1), Vector(1)\nassert v == w",
    "assert Vector(1) + Vector(2) == Vector(1) + Vector(2)",
    "a = [3, 1]\nb = [3, 1]\nf(a)\nassert a == b",
    "a = [3, 1]\nf(a)\nassert a == [3, 1]",
    "r = f(3)\nr.append(1)\nassert r == f(3)",
    "r = f(3)\nfor _ in range(2):\n    assert r == 9",
    "ok = True\nif f(3) != 9:\n    ok = False\nassert ok",
    "x = 9\nassert x == f(3)",
    "try:\n    f(3)\nexcept ValueError:\n    ok = True\nassert ok",
    "for x in f(3):\n    last = 9\nassert last == 9",
    "import unittest.mock\n@unittest.mock.patch('builtins.print')\ndef test_a(p):\n    f()\n    p.assert_called_with('x')\ntest_a()",
    T + "self.assertEqual(f(3), 9)",
    T + "x = f(3)\n        self.assertEqual(x, 9)",
    T + "self.assertIs(f(3), f(3))",
    T + "self.assertNotEqual(f(3), f(3))",
    T + "with self.assertRaises(ValueError):\n            f('x')",
    T + "with self.assertRaises(ValueError):\n            int(f(3))",
    T + "self.assertRaises(ValueError, f, 'x')",
    T + "with self.assertRaisesRegex(ValueError, 'b.d'):\n            f()",
    T + "self.assertEqual(*f(3))",
    T + "self.assertIn(f(3), (True, False))",
    "import pytest\nwith pytest.raises(ZeroDivisionError):\n    f(0)",
    "import numpy as np\nnp.testing.assert_allclose(f(3), 9.0)",
]


def given(text):
    return {"tests": text, "entry_point": "f"} if "candidate" in text else text


@pytest.mark.parametrize("text", FOREGONE)
def test_what_holds_whatever_is_answered_is_refused(text):
    with pytest.raises(ConfigError, match=r"cannot fail|check nothing|hold whatever"):
        read(given(text))


@pytest.mark.parametrize("text", TELLING)
def test_what_can_fail_is_read(text):
    assert read(given(text)).tests


def test_beside_a_test_that_can_fail_it_is_a_test():
    """That an answer is the same twice may be meant; it is refused where it is all that is tested."""
    tests = ["assert f(3) == f(3)", "assert f(3) == 9"]
    assert passed(tests, "def f(x): return x * x") is True
    found = verdict(tests, "def f(x): return 2 * x")
    assert (found.passed, found.score) == (False, 0.5)
    with pytest.raises(ConfigError, match="the tests hold whatever a program answers"):
        read(["assert f(3) == f(3)", "assert f(2) == f(2)"])


ANSWERS = (9, 0, "", "x", None, [], [1], 0.5, True, False, (1, 2), {}, {1: 2}, {3}, 10**20)
EXPRESSIONS = [text.removeprefix("assert ") for text in (*FOREGONE, *TELLING) if text.startswith("assert ")]


@pytest.mark.parametrize("text", [one for one in EXPRESSIONS if "\n" not in one and "Vector" not in one])
def test_the_table_agrees_with_python(text):
    """What is said to hold does, for functions of two arguments with any of these answers."""
    expression = text.removesuffix(", 'the same'")
    if not is_foregone(ast.parse(f"assert {expression}").body[0], {}):
        return
    for three, others in itertools.product(ANSWERS, ANSWERS):
        with contextlib.suppress(TypeError):  # it failed
            assert eval(expression, {"f": lambda x, three=three, others=others: three if x == 3 else others})


@pytest.mark.parametrize("text", ["assert " + "(" * 60 + "f(1)" + ")" * 60, "assert " + " or ".join(f"f({i}) == {i}" for i in range(300)),
                                  "assert f(3) == " + "1 + " * 300 + "1", "assert f(1) == " + str(list(range(1000)))])  # fmt: skip
def test_long_assertions_are_read_in_time(text):
    assert read(text).tests


def test_of_generated_tests_what_cannot_fail_is_none():
    made = assertions(
        "assert f(3) == f(3)\nassert (f(3) == 9, 'm')\nassert f(2) == 4\nassert (f(2) == 4) in (True, False)"
    )
    assert made == ["assert f(2) == 4"]


@pytest.mark.parametrize(
    "text",
    [
        "assert eval('f(3)') == 9", "exec('assert f(3) == 9')", "for t in ['f(3) == 9']:\n    assert eval(t)",
        "assert globals()['f'](3) == 9", "def test_a():\n    ns = {}\n    exec('r = f(3)', ns)\n    assert ns['r'] == 9",
    ],
)  # fmt: skip
def test_where_the_program_stands_in_a_text_that_is_said(text):
    with pytest.raises(
        ConfigError, match=r"^the tests name the program in texts \((eval|exec|globals)\), which are not"
    ):
        read(text)
