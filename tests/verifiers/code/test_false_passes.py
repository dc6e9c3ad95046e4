"""A wrong program passes no test: by objects that vouch for themselves, nor by failures that a test swallows."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import pytest

from searchkit.errors import ConfigError
from tests.helpers.programs import passed, verdict

RIGHT, WRONG = "def sq(x): return x * x", "def sq(x): return 2 * x"
LIES = "".join(
    f"    def __{name}__(s, *o): return {value}\n"
    for names, value in (("eq bool lt gt le ge contains", True), ("ne", False), ("sub rsub mod hash", 0), ("pow", "s"))
    for name in names.split()
)
LIAR = f"class Z:\n    def __init__(s, *a): s.x = a[0] if a else 0\n{LIES}"
T = "import unittest\nclass T(unittest.TestCase):\n"


def judged(tests, text):
    """Whether it passed; "refused" where the tests are."""
    try:
        return passed(tests, text)
    except ConfigError:
        return "refused"


# ---------------------------------------------------------------- objects that vouch for themselves

ITSELF = f"class Solution:\n    def f(self, x): return self\n    def g(self, x): return [self]\n{LIES}"
RETURNED = [
    "s = Solution()\nassert s.f(3) == 9",
    "assert Solution().f(3) == 9",
    "assert Solution().f(3) == [9]",
    "assert Solution().g(3) == [9]",
    "s = Solution()\nassert 9 == s.f(3)",
    "s = Solution()\nassert s.f(3) in (9,)",
    "s = Solution()\nassert 9 in s.f(3)",
    "s = Solution()\nassert abs(s.f(3) - 9) < 1e-6",
    "s = Solution()\nassert s.f(3)",
    "s = Solution()\nassert not s.f(3) != 9",
    "s = Solution()\nassert {s.f(3): 1} == {9: 1}",
    "s = Solution()\nr = s.f(3)\nt = Solution()\nassert t.f and r == 9",
    "s = Solution()\nx, = s.g(3)\nassert x == 9",
    T + "  def setUp(self): self.s = Solution()\n  def test_a(self): self.assertEqual(self.s.f(3), 9)",
    T + "  def test_a(self):\n    s = Solution()\n    self.assertIn(s.f(3), [9])",
    T + "  def test_a(self):\n    s = Solution()\n    self.assertTrue(s.f(3))",
    T + "  def test_a(self):\n    s = Solution()\n    self.assertGreater(s.f(3), 8)",
    T + "  def test_a(self):\n    s = Solution()\n    self.assertListEqual(s.g(3), [9])",
    "def check(candidate):\n    assert candidate().f(3) == 9\ncheck(Solution)",
]


@pytest.mark.parametrize("tests", RETURNED)
def test_what_a_method_returns_is_not_what_was_made(tests):
    assert judged(tests, ITSELF) is not True


@pytest.mark.parametrize("tests", RETURNED)
def test_nor_a_singleton(tests):
    single = (
        ITSELF
        + "    one = None\n    def __new__(c, *a):\n        c.one = c.one or object.__new__(c)\n        return c.one\n"
    )
    assert judged(tests, single) is not True


FORGED = [
    ("with Ctx() as c:\n    assert c.f(3) == 9", "class Ctx:\n    def __enter__(s): return s\n    def __exit__(s, *a): return True\n    def f(s, x): return s\n" + LIES),
    ({"test_list": ["assert Find_Max([1, 2]) == 2"]}, LIAR + "def Find_Max(x): return Z()"),
    ({"test_list": ["assert Find_Max([1, 2]) == 2"]}, LIAR.replace("Z", "Find_Max")),
    ("assert Find([1, 2]) == 2\nassert Find([3]) == 3", LIAR.replace("Z", "Find")),
    ("assert Is_Prime(7)", LIAR + "Is_Prime = Z"),
    ("assert not Is_Prime(8)", LIAR.replace("return True", "return False") + "Is_Prime = Z"),
    ("assert Is_Prime(7) == True", LIAR + "Is_Prime = Z"),
    ("assert abs(Area(3) - 28.27) < 0.01", LIAR + "Area = Z"),
    ("assert Area(3) > 28 and Area(3) < 29", LIAR + "Area = Z"),
    ("assert 5 in Divisors(10)", LIAR + "Divisors = Z"),
    ("import math\nassert math.isclose(Area(3), 28.27)", LIAR + "    def __float__(s): return 0.0\nArea = Z"),
    ("import unittest\nclass T(unittest.TestCase):\n  def test_a(self): self.assertEqual(Extract(3), 9)", LIAR + "Extract = Z"),
    ("r = Extract(3)\nassert r == 9", LIAR + "Extract = Z"),
    ("r = Extract(3)\nassert r.strip() == 'x' or r == 9", LIAR + "    def strip(s): return ''\nExtract = Z"),
    ("assert [Extract(x) for x in (1, 2)] == [1, 4]", LIAR + "Extract = Z"),
    ({"test": "def check(candidate):\n    assert candidate(3) == 9", "entry_point": "Extract"}, LIAR + "def Extract(x): return Z()"),
    ({"inputs": [[3]], "outputs": [9], "fn_name": "Extract"}, LIAR + "Extract = Z"),
    ({"test": "def check(candidate):\n    assert candidate(3) == 9", "entry_point": "f"}, ITSELF),
    ({"test": "def check(candidate):\n    assert candidate(3) == 9", "entry_point": "Solution().f"}, ITSELF),
    ("assert f(N) == 9", LIAR + "N = Z()\ndef f(x): return N"),
    ("assert f(N) == 9", LIAR + "N = Z()\ndef f(x): return x"),
    ("assert N.x == 0 and f(N) == 9", LIAR + "N = Z()\ndef f(x): return x"),
    ("for i in range(3): assert 0 <= f(i) < MOD\nassert f(2) == 4", LIAR + "MOD = Z()\ndef f(x): return MOD"),
    (["b = Box(1)\nassert b.x == 1", "assert f(3) == 9"], LIAR.replace("Z", "Box").replace("s.x =", "Box.last = s; s.x =") + "def f(x): return Box.last"),
    ("b = Box(1)\nassert b.x == 1\nassert f(3) == 9", LIAR.replace("Z", "Box").replace("s.x =", "Box.last = s; s.x =") + "def f(x): return Box.last"),
    ("assert Solution().f(3) == 9", "class M(type):\n" + LIES + "class Solution(metaclass=M):\n    def f(self, x): return Solution"),
    ("b = Box(1)\nassert b.x == 1\nassert f(b) == 9", LIAR.replace("Z", "Box") + "def f(x): return x"),
    ("b = Box(1)\nassert b.x == 1\nassert b.me == 9", LIAR.replace("Z", "Box") + "    me = property(lambda s: s)"),
    ("b = Box(1)\nassert b.x == 1\nassert b[0] == 9", LIAR.replace("Z", "Box") + "    def __getitem__(s, i): return s"),
    ("b = Box(1)\nassert b.x == 1\nassert list(b) == [9]", LIAR.replace("Z", "Box") + "    def __iter__(s): return iter([s])"),
    ("b = Box(1)\nassert b.x == 1\nfor v in b: assert v == 9", LIAR.replace("Z", "Box") + "    def __iter__(s): return iter([s])"),
    ("b = Box(1)\nassert b.x == 1\nseen = []\nb.each(seen.append)\nassert seen == [9]", LIAR.replace("Z", "Box") + "    def each(s, f): f(s)"),
    ("seen = []\nb = Box(seen.append)\nassert b.x and seen == [9]", LIAR.replace("Z", "Box") + "        a and a[0](s)".replace("        a", "    def __new__(c, f):\n        o = object.__new__(c)\n        f(o)\n        return o\n    y = 0 and a", 1)),
    ("b = Int(1)\nassert b.half == 0\nassert b.f() == 9", "class Int(int):\n    half = 0\n    def f(s): return s\n" + LIES),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text"), FORGED)
def test_no_object_of_a_wrong_program_is_what_was_expected(tests, text):
    assert judged(tests, text) is not True


CLASSES = [
    ("b = Z(1)\nassert b.x == 1\nassert adder(3)(4) == 7", "def adder(x): return Z\n"),
    ("b = Z(1)\nassert b.x == 1\nassert adder()[0](4) == 7", "def adder(): return [Z]\n"),
    ("b = Z(1)\nassert b.x == 1\nassert adder()['f'](4) == 7", "def adder(): return {'f': Z}\n"),
    ("assert Z(1).x == 1\nassert list(map(adder(), [3])) == [9]", "def adder(): return Z\n"),
    ("assert Z(1).x == 1\nadd = adder()\nassert sorted([3], key=add) and add(3) == 9", "def adder(): return Z\n"),
    ("assert Z(1).x == 1\nassert next(adder())(3) == 9", "def adder(): yield Z\n"),
    ("assert Z(1).x == 1 and Add(4) == 7", "Add = Z\n"),
    ("assert Add(4) == 7\nassert Z(1).x == 1", "Add = Z\n"),
    ("assert add(4) == 7\nassert Z(1).x == 1", "add = Z\n"),
    ("s = Z()\nassert s.f(3) == 9", "Z.f = Z\n"),
    ("assert Z().f(3) == 9", "Z.f = Z\n"),
    ("assert Z.f(3) == 9", "Z.f = Z\n"),
    (T + "  def setUp(self): self.s = Z()\n  def test_a(self): self.assertEqual(self.s.f(3), 9)", "Z.f = Z\n"),
]


@pytest.mark.parametrize(("tests", "text"), CLASSES)
def test_a_class_that_is_returned_may_stand_for_a_function(tests, text):
    assert judged(tests, LIAR + text) is not True


OF_CLASSES = "class V:\n    def __init__(s, x): s.x = x\n    def __eq__(s, o): return s.x == getattr(o, 'x', o)\n"


def test_asking_for_the_type_of_an_object_changes_nothing():
    assert passed("v = V(1)\nassert v.x == 1 and type(v) is V and v.__class__ is V\nassert V(3) == 3", OF_CLASSES)


REUSED = [
    "r = Find_Max([1, 2])\nassert r == 2\nr = run()\nassert r.value == 3",
    "for r in [Find_Max([1, 2])]: assert r == 2\nfor r in [run()]: assert r.value == 3",
    "def show(r): return r.value\nr = Find_Max([1, 2])\nassert r == 2\nassert show(run()) == 3",
    "if (r := Find_Max([1, 2])) != 2: raise ValueError\nassert [r.value for r in [run()]] == [3]",
    T + "  def test_a(self):\n    r = Find_Max([1])\n    self.assertEqual(r, 1)\n"
    "  def test_b(self):\n    r = run()\n    self.assertEqual(r.value, 3)",
    T + "  def test_a(self):\n    self.r = Find_Max([1])\n    self.assertEqual(self.r, 1)\n"
    "  def test_b(self):\n    self.r = run()\n    self.assertEqual(self.r.value, 3)",
]


@pytest.mark.parametrize("tests", REUSED)
def test_a_name_that_is_used_twice_shows_no_class(tests):
    text = "class Run:\n    value = 3\ndef run(): return Run()\ndef Find_Max(x): return Z()\n"
    assert judged(tests, LIAR + text) is not True


# ---------------------------------------------------------------- exception classes of Python's own

OWN = [
    "try:\n    f(-1)\n    assert False\nexcept MyErr:\n    pass",
    "try:\n    f(-1)\n    assert False, 'should raise'\nexcept MyErr as e:\n    print(e)",
    "def test_a():\n    try:\n        f(-1)\n        assert False\n    except MyErr: pass",
    "def test_a():\n    try:\n        f(-1)\n    except MyErr: return\n    assert f(2) == 5",
    T + "  def test_a(self):\n    try:\n      f(-1)\n      self.fail('no')\n    except MyErr: pass",
    T + "  def test_a(self):\n    with self.assertRaises(MyErr):\n      f(-1)\n      self.fail('no')",
    "import pytest\ndef test_a():\n    with pytest.raises(MyErr):\n        f(-1)\n        assert False",
    "try:\n    f(-1)\n    raise ValueError('should raise')\nexcept MyErr:\n    pass\nassert f(1) == 1",
    "caught = False\ntry:\n    assert f(-1) is None\nexcept MyErr:\n    caught = True\nassert caught",
]


@pytest.mark.parametrize("tests", OWN)
@pytest.mark.parametrize("kind", ["AssertionError", "Exception", "BaseException", "(OSError, AssertionError)"])
def test_an_exception_class_of_the_program_does_not_catch_the_tests_own(tests, kind):
    if "pytest" in tests:
        pytest.importorskip("pytest")
    assert judged(tests, f"MyErr = {kind}\ndef f(x): return 1") is not True


def test_one_of_its_own_does():
    text = "class MyErr(Exception): pass\ndef f(x):\n    if x < 0: raise MyErr\n    return x"
    assert passed("try:\n    f(-1)\n    assert False\nexcept MyErr:\n    pass\nassert f(1) == 1", text) is True


# ---------------------------------------------------------------- failures that are swallowed

SWALLOWED = [
    "def t1(): assert sq(3) == 9\nfor t in [t1]:\n    try: t()\n    except Exception as e: print(e)",
    "def t1():\n    assert sq(3) == 9\ndef run(t):\n    try:\n        t()\n        print('ok')\n    except Exception as e:\n        print(e)\nrun(t1)",
    "def safe(f):\n    def g():\n        try: f()\n        except Exception: print('failed')\n    return g\n@safe\ndef test_a():\n    assert sq(3) == 9",
    "class C:\n    def __enter__(self): pass\n    def __exit__(self, *a): return True\nwith C():\n    assert sq(3) == 9",
    "from contextlib import suppress as s\nwith s(Exception):\n    assert sq(3) == 9",
    "E = AssertionError\ntry:\n    assert sq(3) == 9\nexcept E:\n    print('fail')",
    "def test_a():\n    try:\n        assert sq(3) == 9\n    finally:\n        return",
    "for i in [0]:\n    try:\n        assert sq(3) == 9\n    finally:\n        break",
    "import threading\ndef t1(): assert sq(3) == 9\nt = threading.Thread(target=t1)\nt.start()\nt.join()",
    "import threading\ndef t1(): assert sq(3) == 9\nthreading.Thread(target=t1).start()",
    "import threading\ndef t1():\n    if sq(3) != 9: raise ValueError\nt = threading.Thread(target=t1)\nt.start()\nt.join()",
    T + "  def test_a(self):\n    import threading\n    t = threading.Thread(target=lambda: self.assertEqual(sq(3), 9))\n    t.start(); t.join()",
    T + "  def test_a(self):\n    try: self.assertEqual(sq(3), 9)\n    except Exception: pass",
    T + "  def test_a(self):\n    try: self.assertTrue(sq(3) == 9)\n    except: pass",
    T + "  def test_a(self):\n    if sq(3) != 9:\n      try: self.fail('no')\n      except Exception: pass",
    T + "  def test_a(self):\n    check = self.assertEqual\n    try: check(sq(3), 9)\n    except Exception: pass",
    T + "  def test_a(self):\n    try:\n      with self.assertRaises(ValueError): sq(3)\n    except Exception: pass",
    "from concurrent.futures import ThreadPoolExecutor\ndef t1(): assert sq(3) == 9\nwith ThreadPoolExecutor() as p:\n    p.submit(t1)",
    "from concurrent.futures import ThreadPoolExecutor\ndef t1():\n    if sq(3) != 9: raise ValueError\nwith ThreadPoolExecutor() as p:\n    p.submit(t1)",
    "import asyncio\nasync def t1(): assert sq(3) == 9\nasync def main():\n    asyncio.create_task(t1())\nasyncio.run(main())",
    "import asyncio\nasync def t1(): assert sq(3) == 9\nasync def main():\n    asyncio.create_task(t1())\n    await asyncio.sleep(0.01)\nasyncio.run(main())",
    "import asyncio\nasync def t1():\n    if sq(3) != 9: raise ValueError\nasync def main():\n    asyncio.create_task(t1())\n    await asyncio.sleep(0.01)\nasyncio.run(main())",
    "import asyncio\nasync def t1(): assert sq(3) == 9\nasync def main():\n    await asyncio.gather(t1(), return_exceptions=True)\nasyncio.run(main())",
    "class X:\n    def __del__(self):\n        assert sq(3) == 9\nX()",
    "class X:\n    def __del__(self):\n        if sq(3) != 9: raise ValueError\nX()",
    "import numpy as np\ntry: np.testing.assert_equal(sq(3), 9)\nexcept Exception as e: print(e)",
    "from numpy.testing import assert_equal\ntry: assert_equal(sq(3), 9)\nexcept Exception as e: print(e)",
    "import atexit\ndef t1(): assert sq(3) == 9\natexit.register(t1)",
]  # fmt: skip
UNREACHED = [
    "def test_a():\n    sq(3)\n    return\n    assert sq(3) == 9",
    "def t1():\n    assert sq(3) == 9\n    yield\nt1()\nsq(3)",
    "async def t1():\n    assert sq(3) == 9\nt1()\nsq(3)",
    "def t1(x):\n    assert sq(x) == x * x\nmap(t1, [3])\nsq(3)",
    "for x in range(0):\n    assert sq(x) == x * x\nsq(3)",
    "if __name__ == 'tests':\n    assert sq(3) == 9\nsq(3)",
    "import os\nif os.environ.get('RUN'):\n    assert sq(3) == 9\nsq(3)",
    "if 0 == 1:\n    assert sq(3) == 9\nsq(3)",
    "while not True:\n    assert sq(3) == 9\nsq(3)",
    "t = lambda: self.assertEqual(sq(3), 9)\nsq(3)",
    "import signal\ndef t1(*a): assert sq(3) == 9\nsignal.signal(signal.SIGALRM, t1)\nsq(3)",
    T + "  def test_a(self):\n    y = sq(3)\n    if y == 9: self.assertEqual(y, 9)",
]


@pytest.mark.parametrize("tests", SWALLOWED)
def test_a_failure_that_is_swallowed_is_no_pass(tests):
    """The right program passes, or the test is never judged."""
    if "numpy" in tests:
        pytest.importorskip("numpy")
    assert judged(tests, WRONG) is not True
    assert judged(tests, RIGHT) is not False


@pytest.mark.parametrize("tests", UNREACHED)
def test_an_assertion_that_is_not_reached_is_no_pass(tests):
    assert judged(tests, WRONG) is not True


JUDGED = [
    "def t1(): assert sq(3) == 9\nfor t in [t1]:\n    try: t()\n    except Exception as e: raise",
    "fails = []\nfor x in (1, 3):\n    try: assert sq(x) == x * x\n    except AssertionError: fails.append(x)\nassert not fails",
    T + "  def test_a(self):\n    with self.assertRaises(AssertionError): self.assertEqual(sq(3), 8)\n    self.assertEqual(sq(3), 9)",
    T + "  def test_a(self):\n    with self.assertRaises(AssertionError):\n      assert sq(3) == 8\n    self.assertEqual(sq(3), 9)",
    T + "  def test_a(self):\n    with self.assertRaises(TypeError) as cm: sq('a')\n    self.assertIn('str', str(cm.exception) + 'str')\n    self.assertEqual(sq(3), 9)",
    T + "  def test_a(self):\n    self.assertRaises(TypeError, sq, None)\n    self.assertEqual(sq(3), 9)",
    T + "  @unittest.expectedFailure\n  def test_a(self): self.assertEqual(sq(3), 6)",
    T + "  def test_a(self):\n    for x in (2, 3):\n      with self.subTest(x=x): self.assertEqual(sq(x), x * x)",
    "import pytest\nwith pytest.raises(TypeError): sq(None)\nassert sq(3) == pytest.approx(9)",
    "import pytest\nwith pytest.raises(AssertionError):\n    assert sq(3) == 8\nassert sq(3) == 9",
    "import threading\nr = []\nt = threading.Thread(target=lambda: r.append(sq(3)))\nt.start()\nt.join()\nassert r == [9]",
    "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as p:\n    assert p.submit(sq, 3).result() == 9",
    "from concurrent.futures import ThreadPoolExecutor\np = ThreadPoolExecutor()\nassert list(p.map(sq, [2, 3])) == [4, 9]",
    "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as p:\n    f = p.submit(sq, None)\n    assert isinstance(f.exception(), TypeError) and sq(3) == 9",
    "import asyncio\nasync def t1(): assert sq(3) == 9\nasync def main():\n    await asyncio.create_task(t1())\nasyncio.run(main())",
    "import asyncio\nasync def t1(): assert sq(3) == 9\nasyncio.run(t1())",
    "if sq(3) != 9: raise ValueError\n",
    "assert (y := sq(3)) == 9 and f'{y}' == '9'",
    "assert ( sq(3)\n    == 9 ), 'é'",
    "é = 'é'; assert sq(3) == 9, é; assert é == 'é' and sq(2) == 4",
    "match sq(3):\n    case 9: ok = True\n    case _: ok = False\nassert ok",
]  # fmt: skip


@pytest.mark.parametrize("tests", JUDGED)
def test_what_fails_where_it_was_to_fail_is_judged(tests):
    assert passed(tests, RIGHT) is True, verdict(tests, RIGHT).feedback
    assert passed(tests, WRONG) is False, verdict(tests, WRONG).feedback


def test_the_programs_own_assertions_may_fail():
    """As it may raise anything that a test expects."""
    text = "def f(x):\n    assert x > 0\n    return x"
    assert passed("try: f(-1)\nexcept AssertionError: pass\nelse: raise ValueError\nassert f(1) == 1", text) is True
    caught = T + "  def test_a(self):\n    with self.assertRaises(AssertionError): f(-1)\n    self.assertEqual(f(1), 1)"
    assert passed(caught, text) is True
    assert passed(caught, "def f(x): return x") is False


# ---------------------------------------------------------------- cases that only a run finds

MAKE = "def make(n):\n    def t(*self): assert sq(n) == n * n\n    return t\n"
WEAK = "  def test_type(self): self.assertIsInstance(sq(3), int)\n"
DYNAMIC = [
    MAKE + T + WEAK + "for n in range(5): setattr(T, f'test_{n}', make(n))",
    MAKE + T + WEAK + "  test_3 = make(3)",
    T + WEAK + "  test_3 = lambda self: self.assertEqual(sq(3), 9)",
    T + WEAK + "T2 = type('T2', (unittest.TestCase,), {'test_a': lambda self: self.assertEqual(sq(3), 9)})",
    T + WEAK + "def mk():\n  class M(unittest.TestCase):\n    def test_a(self): self.assertEqual(sq(3), 9)\n  return M\nT1 = mk()",
    T + WEAK + "globals()['T9'] = type('T9', (T,), {'test_a': lambda self: self.assertEqual(sq(3), 9)})",
    T + WEAK + "class U(unittest.TestCase):\n  def runTest(self): self.assertEqual(sq(3), 9)",
    T + WEAK + "class U(unittest.TestCase):\n  def runTest(self): self.assertEqual(sq(3), 9)\n  x = 1",
    T + WEAK + "  exec('def test_3(self): self.assertEqual(sq(3), 9)')",
    T + WEAK + "  for n in (2, 3):\n    locals()[f'test_{n}'] = lambda self, n=n: self.assertEqual(sq(n), n * n)",
    T + WEAK + "def more(kind):\n  kind.test_3 = lambda self: self.assertEqual(sq(3), 9)\n  return kind\nT = more(T)",
    MAKE + "def test_type(): assert isinstance(sq(3), int)\ntest_3 = make(3)",
    MAKE + "def test_type(): assert isinstance(sq(3), int)\nfor n in range(4): globals()[f'test_{n}'] = make(n)",
    MAKE + "def test_type(): assert isinstance(sq(3), int)\nvars()['test_3'] = make(3)",
    MAKE + "def test_type(): assert isinstance(sq(3), int)\nglobals().update({f'test_{n}': make(n) for n in (2, 3)})",
    MAKE + "assert isinstance(sq(3), int)\ntest_3 = make(3)",
    "for n in (3, 2):\n    def test_x(n=n): assert sq(n) == n * n\n    globals()[f'test_{n}'] = test_x",
    "import functools\ndef same(n): assert sq(n) == n * n\ndef test_type(): assert isinstance(sq(3), int)\ntest_3 = functools.partial(same, 3)",
    "def test_type(): assert isinstance(sq(3), int)\nTestA = type('TestA', (), {'test_a': lambda self: same()})\ndef same(): assert sq(3) == 9",
    "exec('def test_3(): assert sq(3) == 9')\ndef test_type(): assert isinstance(sq(3), int)",
    "def test_type(): assert isinstance(sq(3), int)\ndef test(n):\n    def t(): assert sq(n) == n * n\n    return t\ntest_3 = test(3)",
]  # fmt: skip


@pytest.mark.parametrize("tests", DYNAMIC)
def test_cases_that_only_a_run_finds_are_run(tests):
    assert judged(tests, WRONG) in (False, "refused")
    assert judged(tests, RIGHT) in (True, "refused")


@pytest.mark.parametrize(
    "tests",
    [
        "import pytest as pt\n@pt.mark.parametrize('a', [3])\ndef test_a(a=2): assert sq(a) == a * a",
        "from pytest import mark as m\n@m.parametrize('a', [3])\ndef test_a(a=2): assert sq(a) == a * a",
        "import pytest\nwith_three = pytest.mark.parametrize('a', [3])\n@with_three\ndef test_a(a=2): assert sq(a) == a * a",
        "import pytest\nmark = pytest.mark\n@mark.parametrize('a', [3])\ndef test_a(a=2): assert sq(a) == a * a",
        "from pytest import fixture as fx\n@fx(autouse=True)\ndef three(): assert sq(3) == 9\ndef test_a(): assert sq(2) == 4",
        "import pytest as pt\n@pt.fixture(autouse=True)\ndef three(): assert sq(3) == 9\ndef test_a(): assert sq(2) == 4",
        "import pytest as pt\npytestmark = pt.mark.parametrize('a', [3])\ndef test_a(a=2): assert sq(a) == a * a",
        "import pytest as pt\n@pt.mark.parametrize('a', [3])\nclass TestA:\n  def test_a(self, a=2): assert sq(a) == a * a",
        "import pytest\ndef test_a(a=2): assert sq(a) == a * a\ntest_a = pytest.mark.parametrize('a', [3])(test_a)",
    ],
)  # fmt: skip
def test_marks_by_other_names_are_not_passed_over(tests):
    assert judged(tests, WRONG) in (None, "refused")


def test_helpers_are_no_cases():
    """Nor are classes that were imported, or the program's."""
    text = "from unittest import *\nimport unittest\ndef test_of(n): assert sq(n) == n * n\ntest_of(3)\ntest_data = [1]\nTestData = dict\n"
    assert (
        passed(text, RIGHT + "\ndef test_me(): assert False\nclass TestMe:\n    def test_a(self): assert False") is True
    )
