"""Texts of tests that assert nothing in effect are refused by name, and those that look like them are read."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import pytest

from searchkit.errors import ConfigError
from searchkit.verifiers.code.suite import read

INERT = [
    "assert tuple([f(3) == 9])",
    "x = f(3)\nassert [x]",
    "assert_equal = lambda a, b: None\nassert_equal(f(3), 9)",
    "def assert_equal(a, b): pass\nassert_equal(f(3), 9)",
    "def assert_equal(a, b): return a == b\nassert_equal(f(3), 9)",
    "assert_equal = print\nassert_equal(f(3), 9)",
    "def test_a():\n    assert f(3) == 9\ndef test_a():\n    assert f(1) == 1",
    "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(3), 9)\n    def test_a(self):\n        self.assertEqual(f(1), 1)",
    "import unittest\nclass T(unittest.TestCase):\n    def assertEqual(self, a, b): pass\n    def test_a(self):\n        self.assertEqual(f(3), 9)",
    "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(3), 9)\nclass T(unittest.TestCase):\n    def test_b(self):\n        self.assertEqual(f(1), 1)",
    "assert len([f(3) == 9])",
    "assert list((f(3) == 9,))",
    "assert dict(a=f(3) == 9)",
    "assert {'a': f(3) == 9}",
    "assert any([f(3) == 9, True])",
    "assert print(f(3) == 9) is None",
    "assert not print(f(3) == 9)",
    "for a, b in []:\n    assert f(a) == b",
    "assert all([])\nf(3)",
    "assert all([[f(3) == 9]])",
    "self_assert = lambda x: x\nself_assert(f(3) == 9)",
    "class A:\n    def assert_eq(self, a, b): pass\nA().assert_eq(f(3), 9)",
    "assert frozenset([f(3) == 9])",
    "assert sorted([f(3) == 9])",
    "assert f(3) == 9 or True",
    "assert (f(3) == 9, 'm')",
    "assert f(3) == 9 if False else True",
    "def check(candidate):\n    assert candidate(3) == 9\ndef check(candidate):\n    pass",
    "f(3) == 9",
    "print(f(3))",
    "def test():\n    f(3) == 9",
    "assert_ = bool\nassert_(f(3) == 9)",
]
READ = [
    "assert f(3) == 9",
    "def test_a():\n    assert f(3) == 9\ntest_a()\ndef test_a():\n    assert f(1) == 1\ntest_a()",
    "import unittest\nclass T(unittest.TestCase):\n    def assertEqual(self, a, b): super().assertEqual(a, b)\n    def test_a(self):\n        self.assertEqual(f(3), 9)",
    "def assert_equal(a, b): assert a == b\nassert_equal(f(3), 9)",
    "import unittest\nassert_equal = unittest.TestCase().assertEqual\nassert_equal(f(3), 9)",
    "from numpy.testing import assert_equal\nassert_equal(f(3), 9)",
    "import numpy as np\nassert_close = np.testing.assert_allclose\nassert_close(f(3), 9)",
    "assert len(f(3)) == 2",
    "assert all([f(3) == 9])",
    "assert any([f(3) == 9])",
    "assert all(f(i) == i for i in range(3))",
    "assert isinstance(f(3), int)",
    "def test_a():\n    assert f(3) == 9\nclass T:\n    def test_a(self):\n        assert f(3)==9",
    "assert f(2) in (True, False)",
    "assert not f(3)",
    "try:\n    def test_a(): assert f(3) == 9\nexcept ValueError:\n    def test_a(): assert f(1) == 1",
    "assert tuple(f(3)) == (1,)",
    "assert list(f(3))",
    "x = [f(3)]\nassert x == [9]",
    "ok = f(3) == 9\nassert ok",
    "assert_equal = lambda a, b: check(a == b)\ndef check(x):\n    assert x\nassert_equal(f(3), 9)",
    "def eq(a, b):\n    if a != b: raise AssertionError\nassert_equal = eq\nassert_equal(f(3), 9)",
]


def given(text):
    return {"tests": text, "entry_point": "f"} if "candidate" in text else text


@pytest.mark.parametrize("text", INERT)
def test_what_asserts_nothing_in_effect_is_refused(text):
    with pytest.raises(ConfigError, match=r"cannot fail|compares nothing|check nothing|defined twice"):
        read(given(text))


@pytest.mark.parametrize("text", READ)
def test_what_looks_like_it_and_asserts_something_is_read(text):
    assert read(given(text)).tests


def test_a_test_that_is_lost_is_named():
    """The first of two tests of one name, in a class, too."""
    for text, name in (
        ("def test_a():\n    assert f(3) == 9\n\ndef test_a():\n    assert f(1) == 1", "test_a"),
        (
            "class TestF:\n    def test_a(self): assert f(3) == 9\n    def test_a(self): assert f(1) == 1",
            "TestF.test_a",
        ),
    ):
        with pytest.raises(ConfigError, match=rf"^{name} of the tests is defined twice, and the first is never run"):
            read(text)
