"""What tests do with objects of the program besides calling them: copies, data classes, exceptions as values."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

P = "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    y: list\n"
PLAIN = "class P:\n    def __init__(self, x): self.x = x\n"
E = "class E(ValueError):\n    def __init__(self, code):\n        super().__init__(f'no {code}')\n        self.code = code\n"
FLAG = "import enum\nclass P(enum.Flag):\n    R = 1\n    W = 2\n"
RIGHT = [
    ("from dataclasses import asdict\nassert asdict(P(1, [2])) == {'x': 1, 'y': [2]}", P),
    ("import dataclasses\nassert dataclasses.astuple(P(1, [2])) == (1, [2])", P),
    ("import dataclasses as d\nassert [x.name for x in d.fields(P)] == ['x', 'y']", P),
    ("import dataclasses\np = dataclasses.replace(P(1, [2]), x=5)\nassert (p.x, p.y) == (5, [2])", P),
    ("import dataclasses\nassert dataclasses.is_dataclass(P) and dataclasses.is_dataclass(P(1, []))", P),
    ("from dataclasses import dataclass, asdict\n@dataclass\nclass Q:\n    z: int\nassert asdict(Q(f(3))) == {'z': 9}", "def f(x): return x * x"),
    ("import copy\np = P(1)\nq = copy.copy(p)\nassert q.x == 1 and q is not p", PLAIN),
    ("import copy\np = P([1])\nq = copy.copy(p)\nq.x.append(2)\nassert p.x == [1, 2]", PLAIN),
    ("import copy\np = P([1])\nq = copy.deepcopy(p)\nq.x.append(2)\nassert p.x == [1] and q.x == [1, 2]", PLAIN),
    ("from copy import deepcopy\np = deepcopy([P(1), P(2)])\nassert [one.x for one in p] == [1, 2]", PLAIN),
    ("from copy import deepcopy\na = P(1)\nb, c = deepcopy([a, P(a)])\nassert c.x is b and b is not a", PLAIN),
    ("import copy\np = P(1)\nassert copy.copy(p) == p", PLAIN + "    def __eq__(self, o): return self.x == o.x"),
    ("e = f()\nassert isinstance(e, ValueError) and str(e) == 'x' and e.args == ('x',)", "def f(): return ValueError('x')"),
    ("assert f() == P.R | P.W and f() != P.R", FLAG + "def f(): return P.R | P.W"),
    ("x = f()\nassert x.value == 3 and P.R in x and bool(x & P.W) and x & ~P.R == P.W and (x ^ P.R) is P.W", FLAG + "def f(): return P.R | P.W"),
    ("assert isinstance(f(), P) and type(f()) is P and f() is P(1) and f().name == 'R' and [p.name for p in P] == ['R', 'W']", FLAG + "def f(): return P['R']"),
    ("assert g(P.R | P.W) and not g(P.W) and P.R.letter() == 'r'", FLAG + "    def letter(self): return self.name.lower()\ndef g(p): return P.R in p"),
    ("assert f() == {P.R: [P.W]} and not P(0)", FLAG + "def f(): return {P.R: [P.W]}"),
    ("ok, e = f()\nassert not ok and type(e) is ValueError", "def f(): return False, ValueError('x')"),
    ("e = f()\nassert type(e).__name__ == 'E' and isinstance(e, E) and isinstance(e, ValueError) and e.code == 7", E + "def f(): return E(7)"),
    ("try:\n    raise f()\nexcept ValueError as x:\n    assert str(x) == 'x'", "def f(): return ValueError('x')"),
    ("assert [type(e) for e in f()] == [KeyError, TypeError]", "def f(): return [KeyError('a'), TypeError('b')]"),
    ("e = f()\nassert g(e) is e", "known = KeyError('a')\ndef f(): return known\ndef g(e): return e if e is known else None"),
    ("assert f(KeyError('a')) == ('KeyError', ('a',))", "def f(e): return type(e).__name__, e.args"),
    ("class Mine(KeyError): pass\nassert f(Mine('a')) == (True, 'Mine')", "def f(e): return isinstance(e, KeyError), type(e).__name__"),
    ("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertIsInstance(f(), json.JSONDecodeError)\nimport json", "import json\ndef f():\n    try: json.loads('x')\n    except ValueError as e: return e"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), RIGHT)
def test_right_programs_pass(tests, text):
    assert passed(tests, text) is True, verdict(tests, text).feedback


UNKNOWN = [
    ("assert f() == P.R | P.W", FLAG + "    def __or__(self, o): return P.R\ndef f(): return P.R"),
    ("assert f() == P.R | P.W", "class P:\n    R = W = None\n    def __or__(self, o): return self\nP.R = P.W = P()\ndef f(): return P.R"),
    ("assert f() == P.R", FLAG + "    def __eq__(self, o): return True\n    __hash__ = None\ndef f(): return P.W"),
    ("e = f()\nassert isinstance(e, ValueError) and e.args[0].x == 1", "class P: x = 1\ndef f(): return ValueError(P())"),
    ("e = f()\nassert isinstance(e, ValueError) and e.p.x == 1", "class P: x = 1\ndef f():\n    e = ValueError('x')\n    e.p = P()\n    return e"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), UNKNOWN)
def test_an_exception_that_cannot_be_told_whole_is_not_judged(tests, text):
    assert passed(tests, text) is None, verdict(tests, text).feedback


WRONG = [
    ("assert f() == P.R | P.W", FLAG + "def f(): return P.R"),
    ("assert f() == 3", FLAG + "def f(): return P.R | P.W"),
    ("assert P.W in f()", FLAG + "def f(): return P.R"),
    ("from dataclasses import asdict\nassert asdict(P(1, [2])) == {'x': 1, 'y': [3]}", P),
    ("from dataclasses import asdict\nassert asdict(P(1)) == {'x': 1}", PLAIN),
    ("import dataclasses\nassert dataclasses.is_dataclass(P)", PLAIN),
    ("import copy\np = P(1)\nassert copy.copy(p).x == 2", PLAIN),
    ("assert isinstance(f(), ValueError)", "def f(): return KeyError('x')"),
    ("assert isinstance(f(), ValueError)", "class ValueError_(Exception): pass\ndef f(): return ValueError_('x')"),
    ("assert str(f()) == 'y'", "def f(): return ValueError('x')"),
    ("assert f() == 9", "def f(): return ValueError('x')"),
    ("assert f() == 9", "class E(Exception):\n    def __eq__(s, o): return True\ndef f(): return E()"),
    ("raised = False\ntry:\n    f()\nexcept ValueError:\n    raised = True\nassert raised", "def f(): return ValueError('x')"),
    ("raise f()", "def f(): return ValueError('x')"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), WRONG)
def test_wrong_programs_fail(tests, text):
    assert passed(tests, text) is False, verdict(tests, text).feedback


RW = "assert f() == P.R | P.W", "assert P.W in f()", "assert f() & P.W == P.W", "assert not ~f() & P.W"
ONLY_R = FLAG + "    {}\ndef f(): return P.R"
LYING_FLAGS = {
    "a value that is worked out": ONLY_R.format("@property\n    def value(self): return 3"),
    "a number that is worked out": ONLY_R.format(
        "def __getattribute__(self, n): return 3 if n == 'value' else super().__getattribute__(n)"
    ),
    "a number that was changed": FLAG + "P.R._value_ = 3\ndef f(): return P.R",
    "a metaclass with other members": "import enum\nclass X:\n    value = _value_ = 3\nclass M(enum.EnumMeta):\n    @property\n    def __members__(c): return {'R': X, 'W': P.W}\nclass P(enum.Flag, metaclass=M):\n    R = 1\n    W = 2\ndef f(): return P.R",
}


@pytest.mark.parametrize("tests", RW)
@pytest.mark.parametrize("name", LYING_FLAGS)
def test_flags_that_lie_about_their_numbers_are_not_combined_on_the_side_of_the_tests(name, tests):
    assert passed(tests, LYING_FLAGS[name]) is not True
    assert passed(tests, FLAG + "def f(): return P.R | P.W") is True
