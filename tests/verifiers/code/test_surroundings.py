"""What a name of a test means decides whether it stands for files, seeds or mocks; its letters do not."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import pytest

from searchkit.errors import ConfigError
from tests.helpers.programs import passed, verdict

WORDS = ["patch", "mock", "exists", "open", "connect", "seed", "figure", "signature", "unlink", "is_alive", "warns", "mkdir", "environ"]  # fmt: skip
G = "class G:\n    def {0}(self, *a): return {1}\n    x = 0"


@pytest.mark.parametrize("word", WORDS)
def test_a_method_of_the_program_is_one_whatever_it_is_called(word):
    tests = f"g = G()\nassert g.{word}(3) == 9"
    assert passed(tests, G.format(word, 9)) is True
    assert passed(tests, G.format(word, 6)) is False


@pytest.mark.parametrize("word", [word for word in WORDS if word != "open"])
def test_so_is_a_variable(word):
    tests = f"{word} = f(3)\nassert {word} == 9"
    assert passed(tests, "def f(x): return x * x") is True
    assert passed(tests, "def f(x): return 2 * x") is False


FILE = "import tempfile, os\nd = tempfile.mkdtemp()\np = os.path.join(d, 'a')\nwith open(p, 'w') as s: s.write('3')\n"
STILL_APART = [
    (FILE + "assert f(p) == 9", "def f(path):\n    with open(path) as s: return int(s.read()) ** 2"),
    ("import os\nassert f('a') is None and os.path.exists('a')", "def f(path): open(path, 'w').close()"),
    ("from os.path import exists as there\nassert f('a') is None and there('a')", "def f(path): open(path, 'w').close()"),
    ("import pathlib\nassert f('a') is None and pathlib.Path('a').exists()", "def f(path): open(path, 'w').close()"),
    ("from pathlib import Path\np = Path('a')\nf('a')\nassert p.read_text() == 'x'", "import os\ndef f(path): os.write(os.open(path, os.O_CREAT | os.O_WRONLY), b'x')"),
    ("import random\nrandom.seed(0)\na = f()\nrandom.seed(0)\nassert f() == a", "import random\ndef f(): return random.random()"),
    ("import random as r\nr.seed(0)\nassert f() == r.random()", "import random\ndef f(): return 1 - random.random()"),
    ("import numpy as np\nnp.random.seed(0)\nassert f() == 9", "import numpy as np\ndef f(): return np.random.rand()"),
    ("import warnings\nwith warnings.catch_warnings(record=True) as w:\n    f()\nassert len(w) == 1", "import warnings\ndef f(): warnings.warn('x')"),
    ("import pytest\nwith pytest.warns(UserWarning): f()", "import warnings\ndef f(): warnings.warn('x')"),
    ("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        with self.assertLogs(): f()", "import logging\ndef f(): logging.warning('x')"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), STILL_APART)
def test_what_the_program_cannot_see_is_not_judged(tests, text):
    found = verdict(tests, text)
    assert found.passed is None
    assert "runs in another process" in found.feedback


JUDGED = [
    ("import random\nrandom.seed(0)\nfor x in random.sample(range(9), 3): assert f(x + 3) == (x + 3) ** 2", "def f(x): return 2 * x"),
    ("import random\nrandom.seed(1)\nx = random.randint(3, 9)\nassert f(x) == x * x", "import random\ndef f(x): return 2 * x"),
    ("import numpy as np\nnp.random.seed(0)\na = np.random.rand(3)\nassert np.allclose(f(a), a * a)", "def f(a): return a + a"),
    (FILE + "assert f(3) == 9", "def f(x): return 2 * x"),
    ("import os\nassert os.path.join('a', 'b') == f('a', 'b')", "import os\ndef f(*a): return os.getcwd()"),
    ("import os\nassert f('a') is None and os.path.exists('a')", "def f(path): pass"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), JUDGED)
def test_a_program_that_uses_none_of_it_fails(tests, text):
    assert passed(tests, text) is False


MOCKS = [
    "from unittest.mock import patch\nwith patch('builtins.input', return_value='5'): assert f(3) == 9",
    "from unittest import mock as m\nwith m.patch('builtins.input', return_value='5'): assert f(3) == 9",
    "import unittest.mock as um\nassert f(um.Mock()) == 9",
    "import unittest.mock\nassert f(unittest.mock.MagicMock()) == 9",
    "from unittest.mock import *\nwith patch('builtins.input', return_value='5'): assert f(3) == 9",
    "import sys\nsys.stdin = None\nassert f(3) == 9",
    "import doctest\nassert f(3) == 9\nassert doctest.testmod().failed == 0",
]


@pytest.mark.parametrize("tests", MOCKS)
def test_mocks_under_any_name_are_not_judged(tests):
    found = verdict(tests, "def f(x): return 9")
    assert found.passed is None
    assert "the program does not see it" in found.feedback or "replaces names in its own process" in found.feedback


# ---------------------------------------------------------------- objects that are known


KNOWN = [
    ("assert f('ab12') and not f('ab')", "import re\ndef f(s): return re.search(r'\\d', s)", True),
    ("assert not f('ab12')", "import re\ndef f(s): return re.search(r'\\d', s)", False),
    ("from collections import Counter\nc = f('ab')\nassert isinstance(c, Counter) and isinstance(c, dict) and not isinstance(c, list)", "from collections import Counter\nclass C(Counter): pass\ndef f(s): return C(s)", True),
    ("import types\nassert isinstance(f(), types.GeneratorType) and list(f()) == [1]", "def f(): yield 1", True),
    ("import types\nassert isinstance(f(), types.GeneratorType)", "def f(): return map(int, '1')", False),
    ("assert 3 in f() and 4 not in f() and f() | {4} == {3, 4} and f() <= {3} and f()", "class S(set): pass\ndef f(): return S([3])", True),
    ("assert not f()", "class L(list): pass\ndef f(): return L()", True),
    ("assert f() + [2] == [1, 2] and f() * 2 == [1, 1] and f() < [2]", "class L(list): pass\ndef f(): return L([1])", True),
    ("assert 4 in f()", "class S(set): pass\ndef f(): return S([3])", False),
    ("assert 3 in f()", "class S(set):\n    def __contains__(s, o): return True\ndef f(): return S()", None),
    ("assert f()", "class L(list):\n    def __bool__(s): return True\ndef f(): return L()", None),
    ("assert f()", "class L(list):\n    def __len__(s): return 5\ndef f(): return L()", None),
    ("assert f()", "class Z: pass\ndef f(): return Z()", True),  # as Python has it, and as True would be
    ("assert f()", "class Z:\n    def __bool__(self): return True\ndef f(): return Z()", None),
    ("assert f() + [2] == [1, 2]", "class L(list):\n    def __add__(s, o): return [1, 2]\ndef f(): return L()", None),
    ("assert f() + [2] == [1, 2]", "class Z:\n    def __eq__(s, o): return True\nclass L(list):\n    def __add__(s, o): return Z()\ndef f(): return L()", None),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text", "right"), KNOWN)
def test_containers_of_a_class_of_the_program_are_compared_by_what_they_hold(tests, text, right):
    found = verdict(tests, text)
    assert found.passed is right, found.feedback


# ---------------------------------------------------------------- records of sites


def record(name, inputs, outputs):
    import json

    return {"input_output": json.dumps({"fn_name": name, "inputs": inputs, "outputs": outputs})}


SITES = [
    (("f", [["aab"]], [{"1": 2}]), "def f(s): return {1: 2}", True),
    (("f", [["aab"]], [[{"1": 2}]]), "def f(s): return {1: 2}", True),
    (("f", [["aab"]], [{"1": 2}]), "def f(s): return {1: 3}", False),
    (("f", [[{"1": 2}]], [2]), "def f(d): return d[1]", True),
    (("f", [["aab"]], [{"a": 2}]), "def f(s): return {'a': 2}", True),
    (("any", [[[0, 1]]], [True]), "def any(a): return sum(a) > 0", True),
    (("any", [[[0, 1]]], [True]), "def any(a): return False", False),
    (("isinstance", [[3]], [9]), "def isinstance(x): return x * x", True),
    (("list", [[3]], [9]), "def list(x): return x * x", True),
    (("f", [[3]], [[0, 1, 2]]), "def f(n): return map(int, '012')", False),
    (("f", [[3]], [[0, 1, 2]]), "def f(n): yield from range(n)", False),
    (("f", [[3]], [[0, 1, 2]]), "def f(n): return dict.fromkeys(range(n)).keys()", False),
    (("f", [[3]], [[0, 1, 2]]), "def f(n): return tuple(range(n))", True),
]


@pytest.mark.parametrize(("given", "text", "right"), SITES)
def test_records_of_apps(given, text, right):
    found = verdict(record(*given), text)
    assert found.passed is right, found.feedback


# ---------------------------------------------------------------- one case of several

T = "import unittest, random\nfrom unittest.mock import patch\nclass T(unittest.TestCase):\n"
LAST = "    def test_z(self): self.assertEqual(f(3), 9)\n"
BESIDE = [
    "    @patch('random.randint', return_value=7)\n    def test_a(self, m): self.assertEqual(f(3), 9)\n",
    "    @patch('random.randint')\n    @patch.object(random, 'choice')\n    def test_a(self, m, n): self.assertEqual(f(3), 9)\n",
    "    def test_a(self):\n        with patch('builtins.input', return_value='5'): self.assertEqual(f(3), 9)\n",
    "    def test_a(self):\n        random.seed = None\n        self.assertEqual(f(3), 9)\n",
]


@pytest.mark.parametrize("beside", BESIDE)
def test_a_case_that_replaces_names_leaves_the_others_judged(beside):
    right, wrong = verdict(T + beside + LAST, "def f(x): return 9"), verdict(T + beside + LAST, "def f(x): return 6")
    assert right.passed is None
    assert "passed 1 of 2" in right.feedback
    assert wrong.passed is False


def test_a_seed_of_one_case_says_nothing_of_another():
    tests = "import random\ndef test_a():\n    random.seed(0)\n    assert f(3) == 9\ndef test_z(): assert f(2) == 4"
    text = "import random\nrandom.random()\ndef f(x): return 9 if x == 3 else 6"
    assert passed(tests, text) is False
    found = verdict(tests, "import random\nrandom.random()\ndef f(x): return 4 if x == 2 else 6")
    assert found.passed is None
    assert "uses seed" in found.feedback


def test_a_case_that_another_one_calls_is_a_part_of_it():
    tests = T + "    def test_a(self):\n        with patch('builtins.input'): self.assertEqual(f(3), 9)\n"
    tests += "    def test_z(self):\n        self.test_a()\n        self.assertEqual(f(3), 9)\n"
    assert verdict(tests, "def f(x): return 6").passed is None


def test_arguments_that_nothing_supplies_are_still_refused():
    for head in (
        "def test_a(self, m)",
        "@patch('a.b', 3)\n    def test_a(self, m)",
        "@patch('a.b', new=3)\n    def test_a(self, m)",
    ):
        with pytest.raises(ConfigError, match="takes m"):
            verdict(T + f"    {head}: self.assertEqual(f(3), 9)\n", "def f(x): return 9")


@pytest.mark.parametrize(
    "test",
    [
        "from inspect import signature as s\nassert len(s(f).parameters) == 2",
        "import inspect\nassert list(inspect.signature(f).parameters) == ['args', 'kwargs']",
        "import inspect\nassert inspect.getfullargspec(f).varargs is None",
        "import inspect\nassert 'while' not in inspect.getsource(f)",
        "from inspect import *\nimport inspect as i\nassert f(1, 2, 3) is None and not i.isgeneratorfunction(f)",
    ],
)
def test_a_function_of_the_program_is_not_looked_at_by_inspect(test):
    found = verdict(test, "def f(a, b, c): pass")
    assert found.passed is None
    assert "cannot be looked at by inspect" in found.feedback
