"""Classes of the program: tests may use their operators; no object is believed that was to be plain data (K4)."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

VECTOR = """
import functools

@functools.total_ordering
class A:
    def __init__(self, x): self.x = x
    def __add__(self, other): return A(self.x + (other.x if isinstance(other, A) else other))
    __radd__ = __add__
    def __iadd__(self, other):
        self.x += other.x
        return self
    def __sub__(self, other): return A(self.x - other.x)
    def __mul__(self, n): return A(self.x * n)
    def __rmul__(self, n): return A(n * self.x)
    def __neg__(self): return A(-self.x)
    def __matmul__(self, other): return self.x * other.x
    def __pow__(self, n): return self.x ** n
    def __divmod__(self, n): return divmod(self.x, n)
    def __and__(self, other): return self.x & other.x
    def __invert__(self): return ~self.x
    def __abs__(self): return abs(self.x)
    def __int__(self): return int(self.x)
    def __index__(self): return int(self.x)
    def __float__(self): return float(self.x)
    def __round__(self, n=0): return round(self.x, n)
    def __eq__(self, other): return isinstance(other, A) and self.x == other.x
    def __hash__(self): return hash(self.x)
    def __lt__(self, other): return self.x < other.x
    def __bool__(self): return self.x != 0
    def __len__(self): return 3
    def __iter__(self): return iter([self.x] * 3)
    def __reversed__(self): return iter([3, 2, 1])
    def __contains__(self, item): return item == self.x
    def __getitem__(self, i): return [self.x, 7, 8][i]
    def __setitem__(self, i, value): self.x = value
    def __delitem__(self, i): self.x = 0
    def __enter__(self):
        self.x = 100
        return self
    def __exit__(self, *error): self.x = 200
    def __call__(self, *args, operation=0): return (self.x, args, operation)
    def __format__(self, spec): return spec + str(self.x)
    def __str__(self): return f'A {self.x}'
    def __repr__(self): return f'A({self.x})'
    @classmethod
    def of(cls, x): return cls(x)
    @staticmethod
    def double(x): return 2 * x
    @property
    def half(self): return self.x / 2

class B(A): pass
class Plain: pass
"""

OPERATORS = [
    "assert (A(1) + A(2)).x == 3",
    "assert (A(1) + 2).x == 3",
    "assert (2 + A(1)).x == 3",
    "assert sum([A(1), A(2)]).x == 3",
    "assert (A(3) - A(2)).x == 1",
    "assert (A(3) * 2).x == 6",
    "assert (2 * A(3)).x == 6",
    "assert (-A(3)).x == -3",
    "assert A(3) @ A(4) == 12",
    "assert A(6) & A(3) == 2",
    "assert ~A(3) == -4",
    "assert abs(A(-3)) == 3",
    "assert int(A(3)) == 3",
    "assert [5, 6, 7][A(1)] == 6",
    "assert float(A(3)) == 3.0",
    "assert round(A(3.14159), 2) == 3.14",
    "a = A(1)\nb = a\na += A(2)\nassert a.x == 3 and b.x == 3 and a is b",
    "assert A(1) == A(1)",
    "assert A(1) != A(2)",
    "assert not A(1) == A(2)",
    "assert A(1) + A(2) == A(3)",
    "assert A(1) < A(2)",
    "assert A(2) >= A(1)",
    "assert not A(2) < A(1)",
    "assert sorted([A(2), A(1)])[0].x == 1",
    "assert max(A(1), A(2)).x == 2",
    "assert len(A(0)) == 3",
    "assert list(A(5)) == [5, 5, 5]",
    "x, y, z = A(5)\nassert (x, y, z) == (5, 5, 5)",
    "assert list(reversed(A(0))) == [3, 2, 1]",
    "assert A(5)[0] == 5 and A(5)[1:] == [7, 8]",
    "a = A(1)\na[0] = 3\nassert a.x == 3",
    "a = A(1)\ndel a[0]\nassert a.x == 0",
    "with A(1) as a:\n    assert a.x == 100\nassert a.x == 200",
    "assert A(1)(2, operation=3) == (1, (2,), 3)",
    "assert f'{A(1):>>}' == '>>1'",
    "assert str(A(1)) == 'A 1'",
    "assert repr(A(1)) == 'A(1)'",
    "assert isinstance(A(1), A)",
    "assert isinstance(B(1), A) and not isinstance(A(1), B)",
    "assert issubclass(B, A)",
    "assert not isinstance(3, A)",
    "a = A(1)\na.x = 3\nassert a.x == 3",
    "a = A(1)\ndel a.x\nassert not hasattr(a, 'x')",
    "a = A(1)\nsetattr(a, 'y', [1])\nassert getattr(a, 'y') == [1]",
    "assert type(A(1)).__name__ == 'A'",
    "assert A.__name__ == 'A'",
    "assert A(1).__class__.__name__ == 'A'",
    "assert type(A(1)) is A",
    "assert type(A(1)) == A",
    "assert A.of(3).x == 3 and A.double(4) == 8 and A(3).half == 1.5",
    "assert hash(A(3)) == hash(3)",
    "assert len({A(1), A(1), A(2)}) == 2",
    "assert {A(1): 5}[A(1)] == 5",
    "assert A(1) in [A(2), A(1)]",
    "assert [A(1), A(2)] == [A(1), A(2)]",
    "assert vars(A(3)) == {'x': 3}",
    "assert A(3).__dict__ == {'x': 3}",
    "assert 'half' in dir(A(3))",
    "a = A(1)\nassert a == a and a is a",
    "assert callable(A) and callable(A(1)) and not callable(Plain())",
    "try:\n    Plain() + 1\nexcept TypeError:\n    pass\nelse:\n    assert False",
    "try:\n    iter(Plain())\nexcept TypeError:\n    pass\nelse:\n    assert A(1) is None",
    "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(A(1), A(1))\n"
    "        self.assertNotEqual(A(1), A(2))\n        self.assertTrue(A(1) < A(2))\n"
    "        self.assertIsInstance(A(1), A)",
]


WITH_PLAIN_DATA = [
    "assert A(3) ** 2 == 9",
    "assert divmod(A(7), 2) == (3, 1)",
    "assert bool(A(1))",
    "assert not A(0)",
    "assert A(1) and True",
    "assert 5 in A(5) and 6 not in A(5)",
    "assert A(1) != None",
    "assert A(2) * 3 == A(6)",
    "a = A(2)\nassert not a == 3",
]
SHOWS_A_CLASS = [
    "assert A(3).x == 3",
    "a = A(3)\nassert a.x == 3",
    "a, b = A(1), A(3)\nassert b.x == 3",
    "class Holder: pass\nself = Holder()\nself.a = A(3)\nassert self.a.x == 3",
    "assert isinstance(A(3), A)",
    "assert A.of(3).x == 3",
    "with A(3) as a: pass\nassert a.x == 200",
    "for a in [A(3)]: assert a.x == 3",
    "assert all(a.x == 3 for a in (A(3), A(3)))",
    "assert (A(1) + A(2)).x == 3",
    "assert sum([A(1), A(2)]).x == 3",
    "def look(kind): assert kind(3).x == 3\nlook(A)",
    "B = A\nassert B(3).x == 3",
    "if (a := A(3)): assert a.x == 3",
]


@pytest.mark.parametrize("test", WITH_PLAIN_DATA)
def test_a_capital_letter_alone_is_no_class(test):
    """With plain data an object is compared only where the test shows that it wants one: A may be a function."""
    assert passed(test, VECTOR) is None or "A(6)" in test
    assert passed(SHOWS_A_CLASS[0] + "\n" + test, VECTOR) is True, verdict(test, VECTOR).feedback


@pytest.mark.parametrize("shows", SHOWS_A_CLASS)
def test_what_shows_a_class(shows):
    assert passed(f"{shows}\nassert A(3) ** 2 == 9", VECTOR) is True, verdict(shows, VECTOR).feedback
    assert passed(f"{shows}\nassert A(3) ** 2 == 8", VECTOR) is False


@pytest.mark.parametrize(
    "shows",
    ["assert A(3).real == 3", "a = A(3)\nassert a.copy() == 3", "assert A.__name__", "x = B(3)\nassert x.x == 3"],
)
def test_what_shows_none(shows):
    """What a plain value or a function has, too."""
    assert passed(f"assert A(3) ** 2 == 9\n{shows}", VECTOR) is not True


@pytest.mark.parametrize("test", OPERATORS)
def test_classes_have_their_operators(test):
    """What the tests know for an object of the program has all that its class has (F122)."""
    assert passed(test, VECTOR) is True, verdict(test, VECTOR).feedback


@pytest.mark.parametrize(
    "test",
    [
        "assert (A(1) + A(2)).x == 4",
        "assert A(1) == A(2)",
        "assert A(1) > A(2)",
        "assert A(1).x == 1 and not A(1)",
        "assert A(5)[0] == 6",
        "a = A(1)\na[0] = 3\nassert a.x == 1",
        "with A(1) as a:\n    assert a.x == 1",
        "assert isinstance(A(1), B)",
        "assert sorted([A(2), A(1)])[0].x == 2",
        "assert type(A(1)).__name__ == 'B'",
        "a = A(1)\na.x = 3\nassert a.x == 1",
        "assert type(A(1)) is B",
        "assert Plain() == Plain()",
        "assert A(1) is A(1)",
    ],
)
def test_wrong_classes_fail(test):
    assert passed(test, VECTOR) is False


LIAR = """
class L:
    def __eq__(self, o): return True
    def __ne__(self, o): return False
    def __lt__(self, o): return True
    __gt__ = __le__ = __ge__ = __contains__ = __lt__
    def __bool__(self): return True
    def __hash__(self): return 0
    def __instancecheck__(self, o): return True
    __sub__ = __rsub__ = __add__ = __radd__ = __mod__ = lambda s, o: 0
    __abs__ = __len__ = lambda s: 0
def f(*a): return L()
"""


@pytest.mark.parametrize(
    "test",
    [
        "assert f(3) == 9",
        "assert not f(3) != 9",
        "if f(3) != 9: raise ValueError",
        "assert f(3) < 10",
        "assert f(3)",
        "assert 9 in f(3)",
        "assert abs(f(3) - 9) < 1e-6",
        "assert 9 - f(3) == 0",
        "assert (f(3) - 9) % 2 == 0",
        "assert sum([f(3), -9]) == 0",
        "x = 9\nx -= f(3)\nassert x == 0",
        "assert f(3) in (9,)",
        "assert f(3) > f(2)",
        "assert sorted([f(2), f(1)]) == [4, 1]",
        "assert isinstance(f(3), int)",
        "assert type(f(3)) is int or f(3) == 9",
        "assert [f(3)] == [9]",
        "assert {f(3)} == {9}",
        "assert {9: 1}.get(f(3)) == 1",
        "assert f(3) == f(3) and f(3) == 9",
        "import math\nassert math.isclose(f(3), 9)",
        "assert (f(3), 1) == (9, 1)",
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(3), 9)",
        "try:\n    assert f(3) == 9\nexcept TypeError:\n    assert f.__name__ == 'f'",
    ],
)
def test_no_object_vouches_for_itself(test):
    """Where a plain value is wanted, one that says yes to all is not believed."""
    assert passed(test, LIAR) is not True


SUBCLASSES = [
    "class L(int):\n  __sub__ = __rsub__ = __add__ = __radd__ = lambda s, o: 0\ndef f(*a): return L(0)",
    "class L(float):\n  def __eq__(self, o): return True\n  __hash__ = float.__hash__\ndef f(*a): return L(0)",
    "class L(str):\n  def __eq__(self, o): return True\n  __hash__ = str.__hash__\ndef f(*a): return L('')",
    "class L(list):\n  def __eq__(self, o): return True\n  def __iter__(self): return iter([9])\ndef f(*a): return L()",
    "class L(tuple):\n  def __eq__(self, o): return True\ndef f(*a): return L()",
    "class L(dict):\n  def __eq__(self, o): return True\n  def __missing__(self, k): return 9\ndef f(*a): return L()",
    "import enum\nclass L(enum.IntEnum):\n  A = 0\n  def __eq__(self, o): return True\ndef f(*a): return L.A",
]


@pytest.mark.parametrize("text", SUBCLASSES)
@pytest.mark.parametrize(
    "test", ["assert f(3) == 9", "assert abs(f(3) - 9) < 1e-6", "assert not f(3) != 9", "assert {f(3)} == {9}"]
)
def test_no_class_that_extends_plain_data_vouches_for_itself(test, text):
    assert passed(test, text) is not True


@pytest.mark.parametrize(
    "test",
    [
        "def conv(type, v): return type(v)\nassert conv(int, str(f(9))) == 9",
        "type = int\nassert type(str(f(9))) == 9",
        "conv = lambda type, v: type(v)\nassert conv(str, f(9)) == '9'",
        "assert [type(f(9)) for type in (str, float)] == ['9', 9.0]",
        "class type:\n    def __init__(self, x): self.x = x\nassert type(f(9)).x == 9",
        "assert type(f(9)) is int and f(9).__class__ is int",
        "kind = type\nassert kind(f(9)) is int",
    ],
)
def test_a_name_that_is_type_elsewhere_is_what_the_test_makes_of_it(test):
    assert passed(test, "def f(x): return x") is True, verdict(test, "def f(x): return x").feedback
    assert passed(test, "def f(x): return [x]") is not True
