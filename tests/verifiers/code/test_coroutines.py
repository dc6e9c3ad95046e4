"""Coroutines of the program: those that a test awaits one after the other are run by the program's process."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

ROWS = [
    (True, 'import asyncio\nassert asyncio.run(f(3)) == 9', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (False, 'import asyncio\nassert asyncio.run(f(3)) == 9', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + x'),
    (False, 'import asyncio\nassert asyncio.run(f(3)) == 9', 'async def f(x): raise ValueError'),
    (False, 'import asyncio\nassert asyncio.run(f(3)) == 9', 'class Eq:\n    def __eq__(self, o): return True\nasync def f(x): return x + x'),
    (True, 'import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_a(self):\n        self.assertEqual(await f(3), 9)', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (False, 'import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_a(self):\n        self.assertEqual(await f(3), 9)', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + x'),
    (False, 'import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_a(self):\n        self.assertEqual(await f(3), 9)', 'async def f(x): raise ValueError'),
    (False, 'import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_a(self):\n        self.assertEqual(await f(3), 9)', 'class Eq:\n    def __eq__(self, o): return True\nasync def f(x): return x + x'),
    (True, 'import asyncio\nasync def main():\n    assert await f(3) == 9\n    assert [await f(i) for i in range(3)] == [0, 1, 4]\nasyncio.run(main())', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (False, 'import asyncio\nasync def main():\n    assert await f(3) == 9\n    assert [await f(i) for i in range(3)] == [0, 1, 4]\nasyncio.run(main())', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + x'),
    (False, 'import asyncio\nasync def main():\n    assert await f(3) == 9\n    assert [await f(i) for i in range(3)] == [0, 1, 4]\nasyncio.run(main())', 'async def f(x): raise ValueError'),
    (False, 'import asyncio\nasync def main():\n    assert await f(3) == 9\n    assert [await f(i) for i in range(3)] == [0, 1, 4]\nasyncio.run(main())', 'class Eq:\n    def __eq__(self, o): return True\nasync def f(x): return x + x'),
    (True, 'import asyncio\nloop = asyncio.new_event_loop()\nassert loop.run_until_complete(f(3)) == 9\nloop.close()', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (False, 'import asyncio\nloop = asyncio.new_event_loop()\nassert loop.run_until_complete(f(3)) == 9\nloop.close()', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + x'),
    (False, 'import asyncio\nloop = asyncio.new_event_loop()\nassert loop.run_until_complete(f(3)) == 9\nloop.close()', 'async def f(x): raise ValueError'),
    (False, 'import asyncio\nloop = asyncio.new_event_loop()\nassert loop.run_until_complete(f(3)) == 9\nloop.close()', 'class Eq:\n    def __eq__(self, o): return True\nasync def f(x): return x + x'),
    (None, 'import asyncio\nasync def main():\n    assert await asyncio.gather(f(3), f(2)) == [9, 4]\nasyncio.run(main())', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (None, 'import asyncio\nasync def main():\n    assert await asyncio.gather(f(3), f(2)) == [9, 4]\nasyncio.run(main())', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + x'),
    (None, 'import asyncio\nasync def main():\n    t = asyncio.create_task(f(3))\n    assert await t == 9\nasyncio.run(main())', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (None, 'import asyncio\nasync def main():\n    t = asyncio.create_task(f(3))\n    assert await t == 9\nasyncio.run(main())', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + x'),
    (True, "import asyncio\ntry:\n    asyncio.run(f(-1))\nexcept ValueError as e:\n    assert str(e) == 'neg'\nelse: assert False", "async def f(x):\n    if x < 0: raise ValueError('neg')"),
    (False, "import asyncio\ntry:\n    asyncio.run(f(-1))\nexcept ValueError as e:\n    assert str(e) == 'neg'\nelse: assert False", 'async def f(x): pass'),
    (False, 'assert f(3) == 9', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (None, 'import asyncio\nasync def main():\n    await asyncio.gather(*[add() for _ in range(5)])\n    assert total() == 5\nasyncio.run(main())', 'import asyncio\nn = 0\nasync def add():\n    global n\n    m = n\n    await asyncio.sleep(0)\n    n = m + 1\ndef total(): return n'),
    (True, 'import asyncio\nasync def main():\n    for _ in range(5): await add()\n    assert total() == 5\nasyncio.run(main())', 'import asyncio\nn = 0\nasync def add():\n    global n\n    m = n\n    await asyncio.sleep(0)\n    n = m + 1\ndef total(): return n'),
    (True, 'import asyncio\nfor i in range(40):\n    assert asyncio.run(f(i)) == i * i', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (True, "import asyncio\nasync def main():\n    s = Store()\n    await s.put('a', 1)\n    assert await s.get('a') == 1\nasyncio.run(main())", 'import asyncio\nclass Store:\n    def __init__(self): self.d = {}; self.lock = asyncio.Lock()\n    async def put(self, k, v):\n        async with self.lock: self.d[k] = v\n    async def get(self, k):\n        async with self.lock: return self.d[k]'),
    (True, 'import asyncio\nc = f(3)\nassert asyncio.run(g(c)) == 10', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x\nasync def g(c): return await c + 1'),
    (False, 'import asyncio\nc = f(3)\nassert asyncio.run(c) == 9\nassert asyncio.run(c) == 9', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (None, 'import asyncio\nasync def main():\n    async for x in f(3):\n        assert x == 9\nasyncio.run(main())', 'async def f(x): yield x*x'),
    (True, 'import asyncio\nlst = [3, 1]\nasyncio.run(f(lst))\nassert lst == [1, 3]', 'async def f(x): x.sort()'),
    (True, 'import asyncio\nassert asyncio.iscoroutinefunction(f)\nassert asyncio.run(f(3)) == 9', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (False, 'import asyncio\nassert asyncio.iscoroutinefunction(f)\nassert asyncio.run(f(3)) == 9', 'def f(x): return x*x'),
    (None, 'import asyncio\nimport threading\nassert asyncio.run(f(3)) == 9', 'import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * x'),
    (None, 'c = f(3)\ntry:\n    c.send(None)\nexcept StopIteration as e:\n    assert e.value == 9', 'async def f(x): return x * x'),
    (True, 'import asyncio\nasync def main():\n    assert await f(lambda v: v + 1) == 4\nasyncio.run(main())', 'async def f(cb): return cb(3)'),
    (None, 'import asyncio\nasync def cb(v): return v + 1\nasync def main():\n    assert await f(cb) == 4\nasyncio.run(main())', 'async def f(cb): return await cb(3)'),
    (True, 'import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    assert await f(3) == 9\n    await asyncio.sleep(0.01)\nasyncio.run(main())', 'async def f(x): return x * x'),
    (False, 'import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    assert await f(3) == 9\nasyncio.run(main())', 'async def f(x): return x + x'),
    (None, "import asyncio\nlog = []\nasync def main():\n    await f(log)\n    await asyncio.sleep(0.01)\n    assert log == ['a']\nasyncio.run(main())", "import asyncio\nasync def g(log): log.append('a')\nasync def f(log): asyncio.ensure_future(g(log))"),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "test", "program"), ROWS)
def test_the_verdict_is_that_of_one_process(expected, test, program):
    """Or none, where others could go on meanwhile: what they would have done to one another is not known."""
    assert passed(test, program) is expected, verdict(test, program).feedback


LEFT = [
    "async def f(log): asyncio.get_running_loop().call_soon(log.append, 'a')",
    "async def f(log): asyncio.get_running_loop().call_later(0, log.append, 'a')",
    "kept = []\nasync def g(log): log.append('a')\nasync def f(log): kept.append(asyncio.create_task(g(log)))",
]


@pytest.mark.parametrize("program", LEFT)
def test_what_goes_on_after_a_coroutine_is_not_known(program):
    """In one loop the test would have gone on first: the one order is right in Python, and the other is not."""
    test = "import asyncio\nlog = []\nasync def main():\n    await f(log)\n    log.append('b')\nasyncio.run(main())\n"
    for order in (["a", "b"], ["b", "a"], ["b"]):
        found = verdict(f"{test}assert log == {order}", f"import asyncio\n{program}")
        assert (found.passed, "goes on while the test does" in found.feedback) == (None, True)


def test_a_loop_of_the_program_ends_with_that_of_the_test():
    """What is bound to a loop is of no use in the next one, as in Python."""
    program = (
        "import asyncio\nloops = []\nasync def f(x):\n    loops.append(asyncio.get_running_loop())\n    return x * x\n"
        "def same(): return loops[-1] is loops[-2]"
    )
    once = "async def main():\n    await f(2)\n    assert await f(3) == 9\nasyncio.run(main())\nassert same()"
    again = "assert asyncio.run(f(3)) == 9\nassert asyncio.run(f(2)) == 4\nassert not same()"
    for test in (once, again):
        assert passed(f"import asyncio\n{test}", program) is True, verdict(f"import asyncio\n{test}", program).feedback
