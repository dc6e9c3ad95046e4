"""`UnitTests`: how a program is found, what tests may be, what a verdict says, and HumanEval's own solutions."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from searchkit import Problem, Prompt, solve_sync
from searchkit.answers.programs import program
from searchkit.engine.run import Run, Search
from searchkit.errors import ConfigError, VerifierError
from searchkit.generators import Recorded
from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pool import POOL, Pool
from searchkit.sandbox.report import Case, Report
from searchkit.strategies import BestOfN
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Budget, Sample, Verdict
from searchkit.verifiers.code.suite import Suite, read
from searchkit.verifiers.code.unit_tests import UnitTests

PROMPT = Prompt.of("Write a function that squares.")
DATA = Path(__file__).parents[3].parent / "shared" / "data" / "human_eval" / "HumanEval.jsonl.gz"
LEVEL = next((level for level in levels.LEVELS if not levels.trouble(level)), "none")  # the tests below need none
SLOW = Limits(cpu=30, wall=120.0)  # the machine may be busy
SQUARE = "def square(x): return x * x"
ASSERTIONS = ("assert square(2) == 4", "assert square(3) == 9", "assert square(-1) == 1")


def judge(verifier, *texts):
    """Verdicts through a real run."""

    async def go():
        run = Run.root(Search(Problem("p", PROMPT)), 0, Budget())
        return [one.verdict for one in await run.score(verifier, PROMPT, [Sample(text) for text in texts])]

    return asyncio.run(go())


def of(tests, **options):
    return UnitTests(tests, LEVEL, **{"limits": SLOW, **options})


def passed(tests, text):
    [verdict] = judge(of(tests), text)
    return verdict.passed


# ---------------------------------------------------------------- finding the program


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1", "x = 1"),
        ("    return x", "    return x"),  # a completion keeps its indentation
        ("So:\n```python\nx = 1\n```\nDone.", "x = 1\n"),
        ("```python\nx = 1\n```\nBetter:\n```python\nx = 2\n```", "x = 2\n"),
        ("```py\nx = 1\n```\n```\nthe output\n```", "x = 1\n"),
        ("```Python3\nx = 1\n```\n```bash\nls\n```", "x = 1\n"),
        ("```\nx = 1\n```\n```bash\nls\n```", "x = 1\n"),
        ("```bash\nls\n```", "```bash\nls\n```"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''\n"),
        ("~~~python\nx = 1\n~~~", "x = 1\n"),
        ("```python\nx = 1\ny", "x = 1\ny"),  # cut off
        ("1. So:\n   ```python\n   if x:\n       y\n   ```", "if x:\n    y\n"),
        ('```python title="a.py"\nx = 1\n```', "x = 1\n"),
        ("Use ```x``` here", "Use ```x``` here"),
        ("<think>```python\nx = 0\n```</think>```python\nx = 1\n```", "x = 1\n"),
        ("```python\n```", ""),
        ("", ""),
    ],
)
def test_the_program_is_the_last_block_of_python(text, found):
    """By hand."""
    assert program(text) == found


# ---------------------------------------------------------------- tests in their forms


def test_the_score_is_the_share_of_assertions_that_hold():
    """Assertions are tests of their own; the reason names the first that failed, and quotes none."""
    verifier = of(ASSERTIONS)
    right, wrong, worse = judge(verifier, SQUARE, "def square(x): return abs(x * x * x)", "def cube(x): return 1")
    assert right == Verdict(1.0, True, feedback=f"passed 3 of 3 tests ({LEVEL})")
    assert (wrong.score, wrong.passed) == (1 / 3, False)
    assert wrong.feedback == f"passed 1 of 3 tests ({LEVEL}): test 1, line 1: AssertionError"
    assert worse.score == 0.0
    assert "NameError: name 'square' is not defined" in worse.feedback


def test_a_text_is_one_test():
    """All or nothing; `check` of HumanEval is called with the entry point."""
    check = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n"
    verifier = of({"test": check, "entry_point": "square"})
    right, wrong = judge(verifier, SQUARE, "def square(x): return 4")
    assert (right.score, wrong.score) == (1.0, 0.0)
    assert wrong.feedback.endswith("test 1, line 3: AssertionError")


def test_inputs_and_outputs_are_for_programs_that_read_and_print():
    """Each pair in a process of its own; spaces at the ends of lines do not count, an exit status does."""
    pairs = [("2\n", "4"), ("3\n", "9\n"), ("", "none")]
    reads = """
import sys
def main():
    line = sys.stdin.readline()
    print(int(line) ** 2 if line else 'none', end='  \\n\\n')
if __name__ == '__main__':
    main()
"""
    thread = reads.replace("    main()", "    import threading; threading.Thread(target=main).start()")
    for text in (reads, thread, reads + "sys.exit(0)"):
        assert judge(of(pairs), text) == [Verdict(1.0, True, feedback=f"passed 3 of 3 tests ({LEVEL})")]
    [fails, raises, wrong, loud] = judge(
        of(pairs, limits=Limits(cpu=30, wall=120.0, output=2**16)),
        reads + "sys.exit(3)", "print(int(input()) ** 2)", "print(4)", "print('4' * 2**17)",
    )  # fmt: skip
    assert (fails.score, fails.feedback[-36:]) == (0.0, "test 1, the program ended: exit status 3"[-36:])
    assert (raises.score, wrong.score) == (2 / 3, 1 / 3)
    assert wrong.feedback.endswith("test 2, it printed something else")
    assert loud.feedback.endswith("output limit: 65,536 bytes")


def test_a_prompt_may_be_continued_or_repeated():
    """HumanEval: the same body as a completion, as a fenced completion, as a whole program with or without imports."""
    prompt = 'from math import prod\n\ndef square(x):\n    """The square."""\n'
    tests = {"prompt": prompt, "entry_point": "square", "test": "def check(f):\n    assert f(4) == 16\n"}
    body = "    return prod((x, x))\n"
    whole = f"def square(x):\n{body}"
    for text in (body, f"```python\n{body}```", f"```python\n{whole}```", prompt + body, f"```\n{prompt}{body}```"):
        assert passed(tests, text) is True, text
    assert passed(tests, "    return x") is False
    assert passed(tests, f"def other(x):\n{body}") is False
    bare = {**tests, "prompt": "def square(x):"}
    assert passed(bare, " return x * x") is True
    assert passed(bare, "def square(x): return x * x") is True


def test_helpers_of_the_prompt_are_not_the_programs():
    """A whole program that redefines what the tests measure it with changes nothing."""
    prompt = "def close(a, b):\n    return abs(a - b) < 1e-6\n\ndef root(x):\n    '''The root.'''\n"
    tests = {"prompt": prompt, "entry_point": "root", "test": "assert close(root(4), 2)\nassert not close(root(9), 2)"}
    assert passed(tests, "def close(a, b): return a == 0\ndef root(x): return 0") is False
    assert passed(tests, "    return x ** 0.5") is True
    assert passed(["assert len(f()) == 2"], "def f(): return [1]\ndef len(x): return 2") is False
    assert (
        passed(["assert math.isclose(f(), 2)"], "class math:\n  isclose = lambda *a: True\ndef f(): return 1") is False
    )
    assert passed(["assert math.isclose(f(), 2)"], "def f(): return 2.0") is True
    lax = "class z: crc32 = lambda x: 0\ndef f(): return b'x'"
    assert passed(["import zlib as z\nassert z.crc32(f()) == 0"], lax) is False
    other = {"tests": ["assert near(f(), 2)"], "entry_point": "f", "setup": "def near(a, b): return abs(a - b) < 1"}
    assert passed(other, "def f(): return 2") is True
    assert passed({**other, "setup": ""}, "def f(): return 2\ndef near(a, b): return True") is False
    named = {"tests": ["assert sum(1, 2) == 3"], "entry_point": "sum"}
    assert passed(named, "def sum(a, b): return a + b") is True


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ("assert f() == {'a': (1, [2.5]), 'b': {3}}", "def f(): return {'a': (1, [2.5]), 'b': {3}}"),
        ("assert f([3, 1]) == [1, 3]", "def f(x): return sorted(x)"),
        ("x = [3, 1]\nassert f(x) is None\nassert x == [1, 3]", "def f(x): x.sort()"),  # changed in place
        ("x = {1: [2]}\nf(x)\nassert x == {1: [2, 3]}", "def f(x): x[1].append(3)"),
        ("assert list(f(3)) == [0, 1, 2]", "def f(n): yield from range(n)"),
        ("assert f('aab') == {'a': 2, 'b': 1}", "from collections import Counter\ndef f(s): return Counter(s)"),
        ("assert f() == 10 ** 5000 and type(f()) is int", "def f(): return 10 ** 5000"),
        ("assert f(lambda x: x + 1, [1, 2]) == [2, 3]", "def f(g, xs): return [g(x) for x in xs]"),
        ("assert Box(3).get() == 3\nassert Box(Box(2)).get().get() == 2",
         "class Box:\n  def __init__(self, x): self.x = x\n  def get(self): return self.x"),
        ("assert f(b=1, a=2) == (2, 1)", "def f(a, b): return a, b"),
        ("try:\n  f()\nexcept KeyError as error:\n  assert 'no' in str(error)\nelse:\n  assert False",
         "class Mine(KeyError): pass\ndef f(): raise Mine('no')"),
        ("assert LIMIT == 7", "LIMIT = 7"),
        ("from fractions import Fraction\nassert f(Fraction(1, 2)) == Fraction(1, 4)", "def f(x): return x * x"),
        ("import datetime\nassert f(datetime.date(2024, 2, 28)) == datetime.date(2024, 2, 29)",
         "import datetime\ndef f(d): return d + datetime.timedelta(1)"),
        ("assert f(float('inf'), True, None, b'x', 1j, range(3)) == 6", "def f(*args): return len(args)"),
    ],
)  # fmt: skip
def test_what_passes_between_the_two_processes(test, text):
    """Plain data by value, in both directions; functions and objects by reference; Python's own exceptions."""
    assert judge(of(test), text) == [Verdict(1.0, True, feedback=f"passed 1 of 1 tests ({LEVEL})")]


@pytest.mark.parametrize("test", ["assert f()", "assert not f()", "assert f() == 1", "assert f() == object()"])
def test_an_object_of_the_program_proves_nothing(test):
    """It is neither true nor false, and equals nothing that its class says: the sample abstains."""
    lies = "class A:\n  def __eq__(self, o): return True\n  def __bool__(self): return 1\ndef f(): return A()"
    assert passed(test, lies) is None


# ---------------------------------------------------------------- the verifier


class TestLaws(VerifierTests):
    """The laws of verifiers."""

    problem = Problem("p", PROMPT, ASSERTIONS)
    samples = (Sample(SQUARE), Sample(f"```python\n{SQUARE}\n```"), Sample("def square(x): return 4"), Sample(""))

    def verifier(self):
        return UnitTests(sandbox=LEVEL, limits=SLOW)


def test_in_best_of_n_the_reference_reaches_the_verifier_alone():
    """Tests as the problem's reference; programs are verified at once, and no model is called for it."""
    answers = ["def square(x): return x + x", f"```python\n{SQUARE}\n```", "no idea"]
    problem = Problem("square", PROMPT, reference=list(ASSERTIONS))
    result = solve_sync(
        problem, BestOfN(3, UnitTests(sandbox=LEVEL, limits=SLOW)), generator=Recorded({PROMPT.text: answers})
    )
    assert result.answer == answers[1]
    assert [scored.score for scored in result.candidates] == [1 / 3, 1.0, 0.0]
    assert (result.usage.verifications, result.usage.model_calls) == (3, 3)


def test_without_tests_it_says_what_to_pass():
    """At bind, before anything is run, and when it is used without bind."""
    with pytest.raises(ConfigError, match=r"UnitTests needs tests: pass Problem\(id, prompt, reference="):
        UnitTests(sandbox=LEVEL).bind(Problem("p", PROMPT))
    with pytest.raises(VerifierError, match=r"or UnitTests\(tests\)"):
        asyncio.run(UnitTests(sandbox=LEVEL).verify(PROMPT, [Sample(SQUARE)], None))
    bound = of(ASSERTIONS)
    assert bound.bind(Problem("p", PROMPT)) is bound


def test_tests_that_are_given_stay_whatever_the_reference_is():
    """A loop is stopped by the tests that it was given; the hidden ones are another's."""
    hidden = Problem("p", PROMPT, "assert square(3) == 9")
    given = UnitTests("assert square(2) == 4", sandbox=LEVEL)
    assert given.bind(hidden) is given
    wrong = "def square(x): return 2 * x"
    stopped = solve_sync(hidden, BestOfN(1, given), generator=lambda text: wrong)
    assert (stopped.candidates[0].verdict.passed, stopped.oracle) == (True, ())
    lent = UnitTests(sandbox=LEVEL).bind(hidden)
    assert lent.bind(Problem("q", PROMPT, "assert square(0) == 0")).tests == "assert square(0) == 0"
    assert lent.bind(Problem("q", PROMPT)) is lent
    seen = solve_sync(hidden, BestOfN(1, UnitTests(sandbox=LEVEL)), generator=lambda text: wrong)
    assert (seen.candidates[0].verdict.passed, seen.oracle) == (False, ("UnitTests",))


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ([], "tests are a text"),
        (5, "tests are a text"),
        ({"test_lists": ["assert f()"]}, "did you mean 'test_list'"),
        ({"cases": ["assert f()"]}, "tests are a text"),
        ([("a",)], "tests are a text"),
        (["a", ("b", "c")], "tests are a text"),
        ("assert (", "a test is no Python"),
        ({"test": "assert f()", "prompt": 3}, "must be texts"),
    ],
)
def test_what_are_no_tests_is_refused(tests, said):
    """When they are given, not when a program fails."""
    with pytest.raises(ConfigError, match=said):
        UnitTests(tests, LEVEL)


@pytest.mark.parametrize("limits", [{"cpu": 0}, {"cpu": 1.5}, {"wall": 0}, {"memory": 2**20}, {"output": 10}])
def test_limits_under_which_nothing_runs_are_refused(limits):
    """When they are given."""
    with pytest.raises(ConfigError, match="limits need"):
        UnitTests("assert f()", LEVEL, Limits(**limits))


def test_programs_are_deterministic():
    """Random numbers and the order of sets are the same each time: so are verdicts, and a journal may keep them."""
    draws = "import random\ndef f(): return random.random(), list({str(i) for i in range(50)})"
    [first] = judge(of("raise RuntimeError(f())"), draws + "\ng = f\ndef f(): raise ValueError(str(g())[:200])")
    POOL.close()
    assert judge(of("raise RuntimeError(f())"), draws + "\ng = f\ndef f(): raise ValueError(str(g())[:200])") == [first]
    assert "ValueError: (0." in first.feedback


def test_a_reason_is_one_printable_line():
    """Whatever the program says."""
    [verdict] = judge(of("assert f()"), "def f(): raise ValueError('a\\nb\\x1b[0m\\udc80' + 'x' * 1000)")
    assert verdict.feedback.isprintable()
    assert len(verdict.feedback) < 400


def test_tests_may_be_given_in_several_forms():
    """Read once; a setup stands in front of each."""
    whole = Suite(("assert f()",))
    assert read("assert f()") == read(["assert f()"]) == read({"tests": ("assert f()",), "id": 7}) == whole
    assert read({"tests": ["assert f(y)"], "setup": "y = 1"}).tests == ("y = 1\nassert f(y)",)
    assert read([["1", "2"]]).tests == (("1", "2"),)


def test_a_program_that_is_too_long_is_not_run():
    """It fails."""
    assert judge(of(ASSERTIONS), "#" * 100_001) == [
        Verdict(0.0, False, feedback="a program of more than 100,000 characters is not run")
    ]


def test_a_prompt_that_cannot_be_executed_says_so():
    """The user's mistake, and not the program's."""
    [verdict] = judge(of({"prompt": "1 / 0\n", "test": "assert f()"}), "def f(): return True")
    assert "the prompt raised ZeroDivisionError" in verdict.feedback
    with pytest.raises(ConfigError, match="the tests import 'nowhere', which is not installed here"):
        of({"prompt": "import nowhere\n", "test": "assert f()"})


def test_a_sandbox_that_breaks_abstains(monkeypatch):
    """No verdict; nothing is held against the program."""
    monkeypatch.setattr("searchkit.sandbox.process._command", lambda level: ["/nowhere/python"])
    monkeypatch.setattr("searchkit.verifiers.code.unit_tests.POOL", Pool(1))
    [verdict] = judge(of(ASSERTIONS), SQUARE)
    assert (verdict.value, verdict.passed) == (None, None)
    assert verdict.feedback.startswith(f"the sandbox ({LEVEL}) broke: ")


# ---------------------------------------------------------------- the pool


def test_a_cancelled_program_is_killed_and_the_next_one_runs():
    """Long before its limits; a thread that waited for it is free again."""

    async def go():
        pool = Pool(1)
        await pool.run(LEVEL, Case(SQUARE, ASSERTIONS), SLOW)
        [pair] = pool._idle[LEVEL, ()]
        process = pair.player.process
        task = asyncio.ensure_future(pool.run(LEVEL, Case("import time\ntime.sleep(1000)", ASSERTIONS), SLOW))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        process.wait(60)
        report = await pool.run(LEVEL, Case(SQUARE, ASSERTIONS), SLOW)
        pool.close()
        return report

    assert asyncio.run(go()) == Report((True, True, True))


def test_interpreters_that_died_while_idle_are_replaced():
    """Nobody notices."""
    assert judge(of(ASSERTIONS), SQUARE)[0].passed
    for pair in POOL._idle[LEVEL, ()]:
        os.killpg(pair.player.process.pid, 9)
        pair.player.process.wait()
    assert judge(of(ASSERTIONS), SQUARE)[0].passed


def test_a_forked_process_has_interpreters_of_its_own():
    """And the parent's go on; at exit both kill theirs."""
    code = f"""
import asyncio, os
from searchkit.sandbox.pool import POOL
from searchkit.sandbox.report import Case
from searchkit.sandbox.limits import Limits
def run():
    report = asyncio.run(POOL.run({LEVEL!r}, Case({SQUARE!r}, {ASSERTIONS!r}), Limits(30, 120.0)))
    [pair] = POOL._idle[{LEVEL!r}, ()]
    return report.passed, pair.player.process.pid
first = run()
if os.fork() == 0:
    other = run()
    print(other[0] == first[0], other[1] != first[1], flush=True)
    POOL.close()
    os._exit(0)
os.wait()
print(run() == first)
"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=300)
    assert (ran.stdout.split(), ran.stderr) == (["True"] * 3, "")


# ---------------------------------------------------------------- recorded data


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="HumanEval is not here")
def test_all_canonical_solutions_of_human_eval_pass():
    """164 of 164; and with another problem's solution none does."""

    async def go():
        run = Run.root(Search(Problem("p", PROMPT)), 0, Budget())

        async def one(pair, child):
            record, text = pair
            [verdict] = await of(record).verify(PROMPT, [Sample(text)], child)
            return verdict

        pairs = [(record, record["canonical_solution"]) for record in records]
        wrong = [(record, "    return None\n") for record in records[:40]]
        return [outcome.unwrap() for outcome in await run.map(one, pairs + wrong)]

    with gzip.open(DATA, "rt") as lines:
        records = [json.loads(line) for line in lines]
    verdicts = asyncio.run(go())
    assert [v.feedback for v in verdicts[:164] if not v.passed] == []
    assert not any(verdict.passed for verdict in verdicts[164:])
