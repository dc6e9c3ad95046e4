"""What the tests and the program hold both is one list, as in plain Python: the oracle runs both in one process."""

# ruff: noqa: E501 - a program and a test are one line each

from __future__ import annotations

import pytest

from tests.helpers.programs import verdict
from tests.verifiers.code.aliasing import ARRAYS, CASES, KEEPER, sequence


def in_one_process(program, test):
    """Whether the test passes behind the program."""
    names = {}
    exec(program, names)
    try:
        exec(test, names)
    except Exception:
        return False
    return True


@pytest.mark.parametrize(("program", "test"), [(program, test) for program, tests in CASES for test in tests])
def test_a_verdict_is_that_of_one_process(program, test):
    found = verdict([test], program)
    assert found.passed is in_one_process(program, test), found.feedback


@pytest.mark.parametrize(("program", "test"), [(program, test) for program, tests in ARRAYS for test in tests])
def test_of_arrays_too_or_it_is_unknown(program, test):
    pytest.importorskip("numpy")
    found = verdict([test], program, libraries=("numpy",))
    assert found.passed in (in_one_process(program, test), None), found.feedback
    assert found.passed is not None or "copy the array" in found.feedback


# ---------------------------------------------------------------- what is too much to be kept the same

LARGE = "class Bag:\n    def __init__(self, a): self.a = a\n    def at(self, i): return self.a[i]\n    def put(self, i, x): self.a[i] = x\n    def all(self): return self.a\n"
OFTEN = "n = 500000\na = list(range(n))\nb = Bag(a)\nfor i in range(30):\n    assert b.at(i) == i\n"


@pytest.mark.slow
def test_what_takes_too_long_is_looked_at_once_more_at_the_end():
    found = verdict([OFTEN], LARGE)
    assert found.passed is True, found.feedback
    for more in ("a[0] = 5\nassert b.at(0) == 0", "b.put(0, 5)\nassert a[0] == 0", "c = b.all()\nassert c[1] == 1"):
        found = verdict([OFTEN + more], LARGE)
        assert found.passed is None
        assert "too large" in found.feedback
    assert verdict([OFTEN + "assert b.at(7) == 8"], LARGE).passed is False


@pytest.mark.slow
def test_many_calls_of_a_function_of_the_test_are_not_slow_for_what_they_share():
    program = "def order(rows, key):\n    rows.sort(key=key)\n    return rows"
    test = "rows = [[i % 7, i] for i in range(3000)]\nassert order(rows, lambda row: row[0])[-1][0] == 6\nassert rows[0] == [0, 0]"
    found = verdict([test], program)
    assert found.passed is True, found.feedback


@pytest.mark.slow
def test_what_such_a_function_keeps_is_then_unknown():
    program = "def each(rows, visit):\n    one = []\n    for row in rows:\n        one[:] = row\n        visit(one)"
    for visit, passes in (("out.append", None), ("lambda one: out.append(one[0])", True)):
        test = f"rows = [[i] for i in range(3000)]\nout = []\neach(rows, {visit})\nassert len(out) == 3000"
        found = verdict([test], program)
        assert found.passed is passes, found.feedback


def test_tests_share_nothing_with_one_another():
    found = verdict(["x = f()\nassert x == []", "x = f()\nassert x == []"], "L = []\ndef f(): return L")
    assert found.passed is True, found.feedback


def test_a_call_keeps_nothing_for_having_raised():
    program = "def f(a):\n    raise ValueError(len(a))\ndef g(a): return len(a)"
    test = "for i in range(2000):\n    try:\n        f([i] * 10)\n        assert False\n    except ValueError:\n        pass\n"
    found = verdict([test + "assert g([1]) == 1"], program)
    assert found.passed is True, found.feedback


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(150))
def test_whatever_both_do_is_as_in_one_process(seed):
    test, names = sequence(seed), {}
    exec(KEEPER, names)
    exec(test, names)
    expected = repr(names["out"])
    if "[...]" in expected:  # a list in itself cannot be handed over
        return
    found = verdict([f"{test}\nassert repr(out) == {expected!r}"], KEEPER)
    assert found.passed is True, found.feedback
