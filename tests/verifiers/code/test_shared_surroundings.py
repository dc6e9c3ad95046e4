"""What a test does to its surroundings and no program depends on makes no wrong program abstain."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

RIGHT, WRONG = "def f(x): return x * x", "def f(x): return 2 * x"
T = "import unittest, warnings\nclass T(unittest.TestCase):\n    def test_a(self):\n        "
HARMLESS = [
    "import sys\nsys.path.insert(0, '.')\nassert f(3) == 9",
    "import sys, os\nsys.path.append(os.path.dirname(os.path.abspath('.')))\nassert f(3) == 9",
    "from sys import path\npath.append('x')\nassert f(3) == 9",
    "import sys\nsys.path += ['x']\nassert f(3) == 9",
    "import sys\nsys.path[0:0] = ['x']\nassert f(3) == 9",
    "import sys\nsys.setrecursionlimit(10000)\nassert f(3) == 9",
    "from sys import setrecursionlimit as s\ns(10000)\nassert f(3) == 9",
    "import sys, threading\nsys.setrecursionlimit(10**5)\nassert f(3) == 9",
    "import warnings\nwarnings.filterwarnings('ignore')\nassert f(3) == 9",
    "import warnings\nwarnings.simplefilter('ignore')\nassert f(3) == 9",
    "from warnings import filterwarnings\nfilterwarnings(action='ignore', category=DeprecationWarning)\nassert f(3) == 9",
    "import warnings as w\nwith w.catch_warnings():\n    w.simplefilter('default')\n    assert f(3) == 9",
    "import warnings\nwarnings.filterwarnings('error')\nassert f(3) == 9",
    T + "warnings.simplefilter('ignore', category=ResourceWarning)\n        self.assertEqual(f(3), 9)",
    T + "with self.assertWarns(UserWarning): f(-1)\n        self.assertEqual(f(3), 9)",
]


@pytest.mark.parametrize("tests", HARMLESS)
def test_a_wrong_program_fails(tests):
    right = RIGHT if "assertWarns" not in tests else "import warnings\n" + RIGHT.replace(":", ": warnings.warn('x');")
    assert passed(tests, right) is (None if "assertWarns" in tests else True), verdict(tests, right).feedback
    assert passed(tests, WRONG) is False


DEEP = "def f(n): return 0 if n == 0 else 1 + f(n - 1)"
APART = [
    ("import sys\nsys.path.append('x')\nassert 'x' in f()", "import sys\ndef f(): return sys.path"),
    ("import sys\nassert f() == sys.path[0]", "import sys\ndef f(): return sys.path[-1]"),
    (
        "import warnings\nwarnings.simplefilter('ignore')\nassert f() == 0",
        "import warnings\ndef f():\n    with warnings.catch_warnings(record=True) as w:\n        warnings.warn('x')\n"
        "    return len(w)",
    ),
    (
        "import warnings, pytest\nwarnings.simplefilter('error')\nwith pytest.raises(UserWarning): f()",
        "import warnings\ndef f(): warnings.warn('x')",
    ),
    (
        "import warnings, pytest\nimport numpy\nwarnings.simplefilter('error')\nwith pytest.raises(RuntimeWarning): f()",
        "import numpy as np\ndef f(): return np.log(np.array([0.0]))",
    ),
    (
        "import warnings, io, contextlib\nwarnings.simplefilter('ignore')\nwith contextlib.redirect_stderr(io.StringIO())"
        " as s:\n    f()\nassert s.getvalue() == ''",
        "import warnings\ndef f(): warnings.warn('x')",
    ),
    ("import sys\nsys.setrecursionlimit(10**5)\nassert N == 5000", DEEP + "\nN = f(5000)"),
]


@pytest.mark.parametrize(("tests", "text"), APART)
def test_what_a_program_may_depend_on_is_not_judged(tests, text):
    assert passed(tests, text) is None, verdict(tests, text).feedback


def test_the_limit_of_recursion_is_the_programs_too():
    """As if test and program were one process: what is deep within the limit is right, beyond it the program fails."""
    high, low = "import sys\nsys.setrecursionlimit(20000)\n", "import sys\nsys.setrecursionlimit(200)\n"
    assert passed(high + "assert f(5000) == 5000", DEEP) is True
    assert passed(high + "assert f(5000) == 4999", DEEP) is False
    assert passed("assert f(5000) == 5000", DEEP) is False
    assert passed(low + "try:\n    f(500)\n    assert False\nexcept RecursionError:\n    pass", DEEP) is True
    told = "import sys\nsys.setrecursionlimit(777)\nassert f() == 777"
    assert passed(told, "import sys\ndef f(): return sys.getrecursionlimit()") is True


@pytest.mark.parametrize(
    "tests",
    [
        "from numpy.testing import *\nassert_equal(f(3), 9)",
        "from numpy.testing import *\nimport numpy as np\nassert_array_equal(f(np.array([3])), [9])",
        "from unittest import *\nclass T(TestCase):\n    def test_a(self):\n        self.assertEqual(f(3), 9)",
        "from pytest import *\nassert f(3) == approx(9)",
        "from pytest import *\nwith raises(TypeError):\n    f(None)\nassert f(3) == 9",
    ],
)
def test_all_of_a_module_of_assertions_may_be_imported(tests):
    """Its names are the test's own, also where the program has them."""
    assert passed(tests, RIGHT) is True, verdict(tests, RIGHT).feedback
    forged = f"{WRONG}\ndef assert_equal(*a): pass\nassert_array_equal = approx = raises = assert_equal"
    assert passed(tests, WRONG) is passed(tests, forged) is False
