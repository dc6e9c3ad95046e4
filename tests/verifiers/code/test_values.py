"""What crosses between the processes comes across as it is: containers, classes, named tuples, exceptions, sizes."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

COUNT = (
    "from collections import defaultdict\ndef f(s):\n    d = defaultdict(int)\n    for c in s: d[c] += 1\n    return d"
)
LAST = "from collections import deque\ndef f(n): return deque(range(n), maxlen=2)"
RIGHT = [
    ("assert f('aab') == {'a': 2, 'b': 1} and f('')['z'] == 0", COUNT),
    ("from collections import defaultdict\nassert isinstance(f('a'), defaultdict) and f('').default_factory is int", COUNT),
    ("d = f('a')\nd['b'] += 1\nassert d == {'a': 1, 'b': 1}", COUNT),
    ("from collections import defaultdict\nd = defaultdict(list)\nf(d)\nassert d['a'] == [1] and d['b'] == []", "def f(d): d['a'].append(1)"),
    ("from collections import defaultdict\nd = defaultdict(lambda: 7)\nf(d)\nassert d == {'a': 8}", "def f(d): d['a'] += 1"),
    ("assert f()['x']['y'] == 0", "from collections import defaultdict\ndef f(): return defaultdict(lambda: defaultdict(int))"),
    ("d = f()\nassert d['x'] == 5 and d == {'x': 5}", "from collections import defaultdict\ndef five(): return 5\ndef f(): return defaultdict(five)"),
    ("from collections import deque\nassert f(9) == deque([7, 8]) and f(9).maxlen == 2", LAST),
    ("q = f(9)\nq.append(3)\nassert list(q) == [8, 3]", LAST),
    ("from collections import deque\nq = deque([1, 2], 2)\nf(q)\nassert list(q) == [2, 3]", "def f(q): q.append(3)"),
    ("from collections import namedtuple\nQ = namedtuple('Q', 'x y')\nassert f(Q(1, 2)) == 3", "def f(p): return p.x + p.y"),
    ("from collections import namedtuple\nQ = namedtuple('Q', 'x y')\nassert isinstance(f(Q(1, 2)), Q) and f(Q(1, 2)).y == 2", "def f(p): return p"),
    ("from typing import NamedTuple\nclass Q(NamedTuple):\n    x: int\n    def twice(self): return 2 * self.x\nassert f([Q(1)])[0].twice() == 4", "def f(a): return [one._replace(x=one.x + 1) for one in a]"),
    ("assert f() == {'a', 'b'} and 'a' in f() and sorted(f()) == ['a', 'b'] and len(f()) == 2", "def f(): return {'a': 1, 'b': 2}.keys()"),
    ("assert list(f()) == [1, 2] and sum(f()) == 3", "def f(): return {'a': 1, 'b': 2}.values()"),
    ("assert dict(f()) == {'a': 1} and ('a', 1) in f()", "def f(): return {'a': 1}.items()"),
    ("assert f({1: 2}.keys()) == [1]", "def f(keys): return list(keys)"),
    ("from collections import Counter\nassert f() is Counter", "from collections import Counter\ndef f(): return Counter"),
    ("from fractions import Fraction\nassert f(Fraction) and not f(int)", "import numbers\ndef f(kind): return issubclass(kind, numbers.Rational) and kind is not int"),
    ("import numpy as np\nassert f() == np.float64 and f() is np.float64", "import numpy as np\ndef f(): return np.float64"),
    ("@deco\ndef g(x):\n    'adds one'\n    return x + 1\nassert (g.__name__, g.__doc__, g(1)) == ('g', 'adds one', 2)", "import functools\ndef deco(fn):\n    @functools.wraps(fn)\n    def w(*a, **k): return fn(*a, **k)\n    return w"),
    ("from fractions import Fraction\nfrom decimal import Decimal\nassert f(Fraction(-1, 3)) == Fraction(-2, 3) and f(Decimal('1e400')) == Decimal('2e400')", "def f(x): return 2 * x"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), RIGHT)
def test_a_value_is_what_it_is(tests, text):
    found = verdict(tests, text)
    assert found.passed is True, found.feedback


WRONG = [
    ("assert f('aab') == {'a': 2, 'b': 2}", COUNT),
    ("assert f('')['z'] == 1", COUNT),
    ("assert f(9).maxlen == 3", LAST),
    ("assert f() == ['a']", "def f(): return {'a': 1}.keys()"),
    ("assert f() == [1]", "def f(): return {'a': 1}.values()"),
    ("from collections import Counter\nassert f() is Counter", "from collections import OrderedDict\ndef f(): return OrderedDict"),
    ("from collections import namedtuple\nQ = namedtuple('Q', 'x y')\nassert f(Q(1, 2)) == (1, 2)", "def f(p): return p._replace(x=5)"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), WRONG)
def test_a_wrong_one_is_not_another(tests, text):
    assert passed(tests, text) is False


LIAR = "class Z:\n    def __init__(s, *a): s.x = a[0] if a else 0\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n    def __hash__(s): return 0\n    def __bool__(s): return True\n"
FORGED = [
    ("b = Z(1)\nassert b.x == 1\nassert f(3)[0] == 9", "from collections import defaultdict\ndef f(x): return defaultdict(Z)"),
    ("assert f(3)[0] == 9", "from collections import defaultdict\ndef f(x): return defaultdict(Z)"),
    ("assert f(3).keys() == {9}", "def f(x): return {Z(): 1}"),
    ("assert f(3) == {9}", "def f(x): return {Z(): 1}.keys()"),
    ("assert 9 in f(3)", "def f(x): return {1: Z()}.values()"),
    ("from collections import deque\nassert f(3) == deque([9])", "from collections import deque\ndef f(x): return deque([Z()], 3)"),
    ("from collections import namedtuple\nQ = namedtuple('Q', 'x')\nassert f(Q(3)) == (9,)", "def f(q): return q._replace(x=Z())"),
    ("from collections import namedtuple\nQ = namedtuple('Q', 'x')\nassert f(Q(3)) == (9,)", "from collections import namedtuple\nclass Q(namedtuple('Q', 'x')):\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\ndef f(q): return Q(1)"),
    ("assert f(3)(9) == 9", "class M(type):\n    def __call__(c, *a): return Z()\nclass C(metaclass=M): pass\ndef f(x): return C"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), FORGED)
def test_nothing_that_crosses_vouches_for_itself(tests, text):
    assert passed(tests, LIAR + text) is not True


# ---------------------------------------------------------------- exceptions of the test

RETRY = "def retry(times, kind):\n    def d(fn):\n        def w(*a):\n            for i in range(times):\n                try: return fn(*a)\n                except kind:\n                    if i == times - 1: raise\n        return w\n    return d"
OWN = "class Own(Exception): pass\nclass Owner(Own): pass\n"
THROUGH = [
    (OWN + "n = [0]\n@retry(3, Own)\ndef g():\n    n[0] += 1\n    if n[0] < 3: raise Own('x')\n    return 'ok'\nassert g() == 'ok' and n == [3]", RETRY),
    (OWN + "n = [0]\n@retry(3, Own)\ndef g():\n    n[0] += 1\n    if n[0] < 3: raise Owner('x')\n    return 'ok'\nassert g() == 'ok'", RETRY),
    (OWN + "@retry(2, Owner)\ndef g(): raise Own('x')\ntry: g()\nexcept Owner: assert False\nexcept Own as e: assert str(e) == 'x'\nelse: assert False", RETRY),
    (OWN + "def bad(): raise Own('x', 3)\ntry:\n    f(bad)\n    assert False\nexcept Own as e: assert e.args == ('x', 3)", "def f(g): return g()"),
    (OWN + "e = Own('x')\ndef bad(): raise e\ntry:\n    f(bad)\n    assert False\nexcept Own as caught: assert caught is e", "def f(g): return g()"),
    (OWN + "try:\n    f(Own)\n    assert False\nexcept Own as e: assert str(e) == 'from f'", "def f(kind): raise kind('from f')"),
    ("import json\nn = [0]\n@retry(2, json.JSONDecodeError)\ndef g():\n    n[0] += 1\n    return json.loads('{' if n[0] < 2 else '{}')\nassert g() == {}", RETRY),
    ("try: f()\nexcept* ValueError as g: assert len(g.exceptions) == 1 and g.message == 'x'", "def f(): raise ExceptionGroup('x', [ValueError(1)])"),
    ("try: f()\nexcept* KeyError as g: assert False\nexcept* ValueError as g: assert len(g.exceptions) == 2", "def f(): raise ExceptionGroup('x', [ValueError(1), ValueError(2)])"),
    (OWN + "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        def bad(): raise Own('no')\n        with self.assertRaisesRegex(Own, 'no'): f(bad)", "def f(g):\n    try: return g()\n    finally: pass"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), THROUGH)
def test_exceptions_of_the_test_pass_through_the_program(tests, text):
    found = verdict(tests, text)
    assert found.passed is True, found.feedback


NOT_THROUGH = [
    (OWN + "def bad(): raise Own('x')\ntry:\n    f(bad)\n    assert False\nexcept Own: pass", "def f(g):\n    try: g()\n    except Exception: pass"),
    (OWN + "def bad(): raise Own('x')\ntry:\n    f(bad)\n    assert False\nexcept Own: pass", "def f(g):\n    try: g()\n    except Exception: raise ValueError"),
    (OWN + "def good(): pass\ntry:\n    f(good)\n    assert False\nexcept Own: pass", "class Own(Exception): pass\ndef f(g): raise Own('x')"),
    (OWN + "try: f(Own)\nexcept Owner as e: assert str(e)", "def f(kind): raise kind('from f')"),
    ("def bad(): assert f is None\nf(bad)\nassert f(print) is None", "def f(g):\n    try: g()\n    except AssertionError: pass"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), NOT_THROUGH)
def test_no_other_exception_does(tests, text):
    assert passed(tests, text) is not True


# ---------------------------------------------------------------- shared, cyclic, deep, long

SHARED = [
    ("a = f()\na.append(1)\nassert f() == [1]", "L = []\ndef f(): return L"),
    ("a = f()\na['x'] = 1\nassert f() == {'x': 1}", "D = {}\ndef f(): return D"),
    ("a = [1]\nkeep(a)\na.append(2)\nassert total() == 3", "def keep(a):\n    global kept\n    kept = a\ndef total(): return sum(kept)"),
    ("a = [1]\nkeep(a)\npush(2)\nassert a == [1, 2]", "def keep(a):\n    global kept\n    kept = a\ndef push(x): kept.append(x)"),
    ("a = [3, 1]\nn = count(a)\na.append(5)\nassert list(n) == [3, 1, 5]", "def count(a):\n    for one in a: yield one"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), SHARED)
def test_a_container_that_both_hold_is_one(tests, text):
    assert passed(tests, text) is True


@pytest.mark.parametrize(
    ("tests", "text"),
    [
        ("a = f(3)\na.sort()\nassert a == [1, 2, 3]", "def f(n): return [2, 1]"),
        ("a = f(3)\na.append(4)\nassert a == [1, 2, 3, 4]", "def f(n):\n    out = [n]\n    return out"),
        ("a = [3, 1]\nf(a)\na.append(5)\nassert a == [1, 3, 5]", "def f(a): a.reverse(); a.append(0)"),
        ("assert f() == [1]", "L = []\ndef f(): return L"),
    ],
)
def test_one_that_the_program_gave_away_is(tests, text):
    assert passed(tests, text) is False


CYCLE = "def f():\n    a = [1]\n    a.append(a)\n    return a"
DEEP = "def f():\n    a = []\n    for _ in range(100_000): a = [a]\n    return a"


@pytest.mark.parametrize(
    ("tests", "text", "right"),
    [
        ("x = f()\nassert x[1] is x and len(x) == 2 and x[0] == 1 and x[1][1][0] == 1", CYCLE, True),
        ("assert f() == [1]", CYCLE, False),
        ("assert f() != [1] and f()[0] == 2", CYCLE, False),
        ("assert f()[1] == [1]", CYCLE, False),
        ("assert f() == [[]]", DEEP, False),
        ("x = f()\nassert len(x) == len(x[0][0][0][0]) == 1", DEEP, True),
        ("assert f(3)", "def f(n): return 'x' * 2**25", False),
        ("import pytest\nwith pytest.raises(Exception): f(3)", "def f(n): return 'x' * 2**25", False),
        ("try: f(3)\nexcept BaseException: pass\nelse: assert False", "def f(n): return 'x' * 2**25", False),
    ],
)
def test_what_does_not_cross_as_plain_data_equals_none(tests, text, right):
    found = verdict(tests, text)
    assert found.passed is right, found.feedback


def test_an_answer_that_is_too_long_is_named():
    found = verdict(["assert f(3)", "assert f(1) == 1"], "def f(n): return 'x' * 2**25 if n == 3 else n")
    assert found.score == 0.5
    assert "more than 16,777,216 bytes" in found.feedback


def test_an_argument_that_contains_itself_afterwards():
    assert passed("a = [1]\nf(a)\nassert a[1] is a and len(a) == 2", "def f(a): a.append(a)")


@pytest.mark.parametrize("depth", [300, 450, 700])
def test_deep_answers(depth):
    nested = "def f(n, x=()):\n    x = []\n    for _ in range(n): x = [x]\n    return x\n"
    count = f"n = 0\na = f({depth})\nwhile a: a, n = a[0], n + 1\nassert n == {depth}"
    assert passed(count, nested)
    assert passed(
        f"x = []\nfor _ in range({depth}): x = [x]\nassert g(x) == {depth}",
        "def g(a):\n    n = 0\n    while a: a, n = a[0], n + 1\n    return n",
    )


LONG = [
    ("assert f(10**6) == list(range(10**6))", "def f(n): return list(range(n))"),
    ("assert len(f(700)) == 700 and sum(map(sum, f(700))) == 0", "def f(n): return [[0] * n for _ in range(n)]"),
    ("assert f(2 * 10**6) == 'a' * 2 * 10**6", "def f(n): return 'a' * n"),
    ("a = list(range(10**6, 0, -1))\nf(a)\nassert a[0] == 1 and a[-1] == 10**6", "def f(a): a.sort()"),
    ("p = f(2 * 10**6)\nassert len(p) == 148933 and p[-1] == 1999993", "def f(n):\n    s = bytearray([1]) * n\n    for i in range(2, int(n**.5) + 1):\n        if s[i]: s[i*i::i] = bytes(len(range(i * i, n, i)))\n    return [i for i in range(2, n) if s[i]]"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("tests", "text"), LONG)
def test_long_answers(tests, text):
    found = verdict(tests, text)
    assert found.passed is True, found.feedback


HUGE = [
    "{'fraction': ['f' * 200_000, '1']}",
    "{'fraction': ['1', '-' + 'f' * 200_000]}",
    "{'decimal': ['1e9999999']}",
    "{'decimal': ['-1E-9999999']}",
    "{'fraction': ['0.1', '1']}",
]


@pytest.mark.parametrize("packed", HUGE)
def test_a_short_text_for_a_huge_number_is_not_read(packed):
    forged = f"import searchkit.sandbox.player as player\nplayer.pack = lambda *args: {packed}\ndef f(x): return x"
    found = verdict("assert int(f(3)) == 9", forged)
    assert found.passed is False
    assert "could not be read" in found.feedback


PLAYER = "import searchkit.sandbox.player as p\n"
CLAIMS = [
    ("assert f(3) == [9]", "'__eq__', '__len__', 'plain'", "builtins.list"),
    ("assert f(3) == 9", "'__eq__'", "re.Match"),
    ("assert isinstance(f(3), int) and f(3) == 9", "'__eq__'", "builtins.int"),
    ("assert abs(f(3) - 9) < 1e-6", "'__sub__', '__abs__'", "builtins.float"),
    ("assert 9 in f(3)", "'__contains__', 'plain'", "builtins.set"),
    ("assert f(3) + [1] == [9, 1]", "'__add__', '__eq__', 'plain'", "builtins.list"),
]


@pytest.mark.parametrize(("tests", "traits", "kind"), CLAIMS)
def test_what_a_program_claims_of_an_object_does_not_make_it_right(tests, traits, kind):
    number = f"lambda s, v: {{'object': [s.place(v), [{traits}], {kind!r}]}} if type(v) is Z else old(s, v)"
    text = f"{LIAR}{PLAYER}old = p.Player.number\np.Player.number = {number}\ndef f(x): return Z()"
    assert passed(tests, text) is not True


@pytest.mark.parametrize("field", ["thrown", "theirs"])
def test_no_exception_is_the_tests_own_because_the_program_says_so(field):
    text = PLAYER + (
        f"old = p.Player.told\np.Player.told = lambda s, e: {{**old(s, e), {field!r}: 0}}\n"
        "def f(x):\n    if x == 3: raise ValueError\n    return x"
    )
    tests = OWN + "def t():\n    try: f(3)\n    except Own: return\n    assert False\nt()\nassert f(1) == 1"
    assert passed(tests, text) is False


HOLDING = [
    ("assert f(3) + [1] == [9, 1]", "class L(list): pass\ndef f(x): return L([Z()])"),
    ("assert f(3) * 2 == [9, 9]", "class L(list): pass\ndef f(x): return L([Z()])"),
    ("assert 9 in f(3)", "class S(set): pass\ndef f(x): return S([Z()])"),
    ("assert list(f(3)) == [9]", "def f(x): return {1: Z()}.values()"),
    ("assert dict(f(3)) == {1: 9}", "def f(x): return {1: Z()}.items()"),
    ("assert f(3) == [9]", "class L(list):\n    def __eq__(s, o): return True\ndef f(x):\n    a = L()\n    a.append(a)\n    return a"),
    ("assert f(3)[0] == 9", "def f(x):\n    a = [Z()]\n    a.append(a)\n    return a"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), HOLDING)
def test_nor_do_containers_that_hold_one(tests, text):
    assert passed(tests, LIAR + text) is not True
