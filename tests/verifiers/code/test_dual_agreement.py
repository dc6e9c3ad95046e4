"""`DualAgreement`: scores by hand, generated tests, and what of a model's text is a test."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from collections import Counter

import pytest

from searchkit import Model, Problem, Prompt, solve_sync
from searchkit.engine.run import Run, Search
from searchkit.errors import ConfigError
from searchkit.generators import Recorded
from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.strategies import BestOfN
from searchkit.testing import Scripted
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Budget, Sample
from searchkit.verifiers.code.bench import Bench
from searchkit.verifiers.code.dual_agreement import DualAgreement, _verdicts
from searchkit.verifiers.code.generated import MOST, assertions
from tests.verifiers.code.runaways import PROGRAM, RUNAWAYS

PROMPT = Prompt.of("Write f(x), the square of x.")
LEVEL = next((level for level in levels.LEVELS if not levels.trouble(level)), "none")
SLOW = Limits(cpu=30, wall=120.0)
TESTS = ("assert f(2) == 4", "assert f(3) == 9", "assert f(0) == 0", "assert f(3) == 6")  # the last one is wrong
SQUARE, POWER, DOUBLE, NOTHING = (
    "def f(x): return x * x", "def f(x): return x ** 2", "def f(x): return 2 * x", "def f(x): pass",
)  # fmt: skip


def of(tests=TESTS, **options):
    return DualAgreement(tests, sandbox=LEVEL, limits=SLOW, **options)


def judge(verifier, *samples, search=None):
    async def go():
        run = Run.root(search or Search(Problem("p", PROMPT)), 0, Budget())
        given = [one if isinstance(one, Sample) else Sample(one) for one in samples]
        return [one.verdict for one in await run.score(verifier, PROMPT, given)]

    return asyncio.run(go())


# ---------------------------------------------------------------- scores


@pytest.mark.parametrize(
    ("passed", "tests", "expected"),
    [
        # two programs pass a and b, one passes c alone: sqrt(2) * 2 and sqrt(1) * 1, over sqrt(3) * 3
        (["ab", "ab", "c"], "abc", [math.sqrt(2 / 3) * 2 / 3, math.sqrt(2 / 3) * 2 / 3, math.sqrt(1 / 3) / 3]),
        (["abc", "abc"], "abc", [1.0, 1.0]),
        (["", "a"], "ab", [0.0, math.sqrt(1 / 2) / 2]),
        # many programs against many tests: sqrt(4) * 1 is as much as sqrt(1) * 2
        (["a", "a", "a", "a", "bc"], "abc", [math.sqrt(4 / 5) / 3] * 4 + [math.sqrt(1 / 5) * 2 / 3]),
        # the same number of tests is not the same tests
        (["a", "b"], "ab", [math.sqrt(1 / 2) / 2] * 2),
        # a test that was written three times counts three times
        (["a", "b"], "aaab", [math.sqrt(1 / 2) * 3 / 4, math.sqrt(1 / 2) / 4]),
        # whose sandbox broke has no part in it
        (["a", None], "a", [1.0, None]),
        ([None], "a", [None]),
    ],
)
def test_the_score_of_a_group(passed, tests, expected):
    """sqrt(programs) * tests over the greatest value that there could be, by hand."""
    given = ["the sandbox broke" if one is None else frozenset(one) for one in passed]
    found = [verdict.score for verdict in _verdicts(given, Counter(tests))]
    assert found == [one if one is None else pytest.approx(one) for one in expected]


def test_programs_are_run_against_every_test():
    """A wrong test and a wrong program agree with each other: the larger group that passes more tests wins."""
    verdicts = judge(of(), SQUARE, DOUBLE, POWER, NOTHING, f"```python\n{SQUARE}\n```", "syntax error")
    right, double = math.sqrt(3 / 6) * 3 / 4, math.sqrt(1 / 6) * 3 / 4
    assert [v.score for v in verdicts] == pytest.approx([right, double, right, 0, right, 0])
    assert [v.feedback for v in verdicts[:2]] == [
        "3 of 6 programs pass these 3 of 4 tests", "1 of 6 programs pass these 3 of 4 tests",
    ]  # fmt: skip


def test_truncated_samples_have_no_part_in_it():
    """They abstain, and do not make a group larger."""
    verdicts = judge(of(), SQUARE, Sample(SQUARE, finish="length"), DOUBLE)
    assert [v.score for v in verdicts] == [pytest.approx(math.sqrt(1 / 2) * 3 / 4), None, verdicts[0].score]


# ---------------------------------------------------------------- tests that run away


TWENTY = tuple(f"assert f({x}) == {x * x}" for x in range(2, 21))
HASTY = Limits(cpu=1, wall=60.0, memory=2**28)


def choices(tests):
    """The scores of the right program, and of two that pass fewer tests and do not run away."""
    verifier = DualAgreement(tests, sandbox=LEVEL, limits=HASTY)
    wrong = "def f(x): return x * x if x < {} else 0"
    return [verdict.score for verdict in judge(verifier, PROGRAM, wrong.format(20), wrong.format(10))]


@pytest.mark.slow
def test_a_runaway_fails_itself_alone_wherever_it_stands():
    """At each of 20 positions the same scores, and so the same choice."""
    found = [choices((*TWENTY[:at], RUNAWAYS["endless"], *TWENTY[at:])) for at in range(20)]
    assert found == [found[0]] * 20
    assert found[0] == pytest.approx(
        [math.sqrt(1 / 3) * 19 / 20, math.sqrt(1 / 3) * 18 / 20, math.sqrt(1 / 3) * 8 / 20]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNAWAYS)
def test_each_kind_of_runaway_fails_itself_alone(name):
    """First, in the middle and last."""
    right = [math.sqrt(1 / 3) * 19 / 20, math.sqrt(1 / 3) * 18 / 20, math.sqrt(1 / 3) * 8 / 20]
    for at in (0, 10, 19):
        assert choices((*TWENTY[:at], RUNAWAYS[name], *TWENTY[at:])) == pytest.approx(right)


def test_a_program_that_does_not_start_is_run_once(monkeypatch):
    """Not once for each of its tests."""
    run, ran = Bench.run, []

    async def counted(self, text, test):
        ran.append(test)
        return await run(self, text, test)

    monkeypatch.setattr(Bench, "run", counted)
    [hangs, right] = judge(
        DualAgreement(TWENTY, sandbox=LEVEL, limits=HASTY), "while True: pass", "def f(x): return x * x"
    )
    assert (hangs.score, len(ran)) == (0.0, 1 + len(TWENTY))
    assert right.score == pytest.approx(math.sqrt(1 / 2))


# ---------------------------------------------------------------- generated tests


def test_a_model_writes_the_tests():
    """One call, which counts as a model call and not as a generation; the agreed program wins."""
    reply = "```python\nassert f(2) == 4\nassert f(3) == 9\nassert f(3) == 6\nprint(f(1))\n```"

    def writes(request):
        return reply if "Write tests" in request.prompt.text else [DOUBLE, SQUARE, POWER][request.index]

    result = solve_sync(PROMPT, BestOfN(3, of(None)), generator=Model(Scripted(writes)))
    assert result.answer == SQUARE
    assert [c.score for c in result.candidates] == pytest.approx(
        [math.sqrt(1 / 3) * 2 / 3, math.sqrt(2 / 3) * 2 / 3, math.sqrt(2 / 3) * 2 / 3]
    )
    assert (result.usage.generations, result.usage.model_calls, result.usage.verifications) == (3, 4, 3)


def test_several_replies_are_asked_for_and_repetitions_count():
    """The tests of all of them; without a single one, all abstain."""
    replies = ["assert f(2) == 4\nassert f(1) == 1", "assert f(2) == 4", "I would rather not."]
    asked = []

    def writes(request):
        asked.append(request.prompt.text)
        return replies[request.index]

    [verdict] = judge(of(None, generator=Model(Scripted(writes)), samples=3), SQUARE)
    assert (verdict.score, verdict.feedback) == (1.0, "1 of 1 programs pass these 3 of 3 tests")
    assert len(asked) == 3
    assert asked[0].startswith("Write f(x), the square of x.\n\nDo not solve")
    silent = of(None, generator=Model(Scripted(lambda request: "None come to mind.")))
    found = judge(silent, SQUARE, DOUBLE)
    assert all(v.feedback.startswith("there are no tests: ") and v.value is None for v in found)


CLASS = "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f(2), 4)"
UNREAD = {
    "unittest": CLASS,
    "unittest in a fence": f"Here are tests:\n\n```python\n{CLASS}\n```",
    "doctest": ">>> f(2)\n4\n>>> f(3)\n9",
    "a table": "| x | f(x) |\n|---|---|\n| 2 | 4 |",
    "prose": "f(2) should be 4.",
    "controls": "No\x1b[31m tests\u202e " * 1000,
    "nothing": "",
}


def errors_of(tests_text, *programs):
    """The candidates of a search whose test writer says so, and its errors."""

    def writes(request):
        return tests_text if "Write tests" in request.prompt.text else programs[request.index]

    result = solve_sync(PROMPT, BestOfN(len(programs), of(None)), generator=Model(Scripted(writes)))
    return [one.verdict for one in result.candidates], [str(error) for error in result.errors]


@pytest.mark.parametrize("name", UNREAD)
def test_a_form_that_is_not_read_is_named(name):
    """In the feedback and among the errors, with what came, on one line."""
    verdicts, [error] = errors_of(UNREAD[name], SQUARE, DOUBLE)
    shown = {"controls": r"No\x1b[31m tests\u202e", "nothing": "came an empty text"}.get(name, UNREAD[name][:8])
    for said in (error, *(verdict.feedback for verdict in verdicts)):
        assert "only lines such as `assert function(arguments) == result` are read" in said
        assert shown in said
        assert said.isprintable()
        assert len(said) < 400
    assert [verdict.value for verdict in verdicts] == [None, None]


PAIR = ["assert f(2) == 4", "assert f(3) == 9"]
LISTED = {
    "dashes": "- assert f(2) == 4\n- assert f(3) == 9",
    "stars and back-ticks": "Tests:\n\n* `assert f(2) == 4`\n* `assert f(3) == 9` (small)",
    "numbers": "1. assert f(2) == 4\n2. assert f(3) == 9",
    "numbers and back-ticks": "1) `assert f(2) == 4`: the basis\n2) `assert f(3) == 9`: more",
    "bullets": "\u2022 assert f(2) == 4\n\u2022 assert f(3) == 9",
    "with other code in prose": "Use `def g(x): return x`.\n\n- assert f(2) == 4\n- assert f(3) == 9",
    "at a prompt": ">>> assert f(2) == 4\n>>> assert f(3) == 9",
    "thoughts": "<think>- assert f(1) == 2</think>\n- assert f(2) == 4\n- assert f(3) == 9",
    "check": "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n",
    "check, called": "def check(g):\n    assert g(2) == 4\n    assert g(3) == 9, 'odd'\n\ncheck(f)",
    "another name": "```\ndef run(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n```",
    "over lines": "def check(candidate):\n    assert candidate(\n        2\n    ) == 4\n    assert candidate(3) == 9",
    "JSON": '["assert f(2) == 4", "assert f(3) == 9"]',
    "JSON in a block": 'Tests:\n```json\n[\n  "assert f(2) == 4",\n  "assert f(3) == 9, \\"odd\\""\n]\n```\n[Two].',
    "JSON in prose": 'Some [small] ones:\n["assert f(2) == 4", "assert f(3) == 9"]\nThat is it.',
    "JSON in a field": '{"tests": ["assert f(2) == 4", "assert f(3) == 9"], "n": 2}',
    "objects": '[{"test": "assert f(2) == 4"}, {"test": "assert f(3) == 9"}]',
    "a list of Python's": "tests = ['assert f(2) == 4', \"assert f(3) == 9\",]",
    "texts of several lines": '["# small\\nassert f(2) == 4", "def test_b():\\n    assert f(3) == 9"]',
    "pytest": "def test_two():\n    assert f(2) == 4\n\ndef test_three():\n    assert f(3) == 9",
}


@pytest.mark.parametrize(
    "text",
    ['["f(2) == 4"]', "[" * 5000 + '"assert f(2) == 4"', '["assert f(2) == open(3)"]', '{"assert f(2) == 4": 1}'],
    ids=["no assertion", "deep", "not to be trusted", "a key"],
)
def test_other_lists_hold_no_tests(text):
    assert assertions(text, "f") == []


def test_a_program_that_passes_nothing_is_told_so():
    verdicts = judge(of(), NOTHING, SQUARE)
    assert verdicts[0].feedback == "1 of 2 programs pass none of the tests (4)"


@pytest.mark.parametrize("name", LISTED)
def test_tests_in_lists_and_in_check_are_read(name):
    """As they would be in lines of their own; what `check` is about is known by the programs, if by nothing else."""
    assert assertions(LISTED[name], "f") == PAIR
    assert assertions(LISTED[name], "", "f") == PAIR
    verdicts, errors = errors_of(LISTED[name], SQUARE, f"```python\n{DOUBLE}\n```", POWER)
    assert errors == []
    assert [v.score for v in verdicts] == pytest.approx([math.sqrt(2 / 3), math.sqrt(1 / 3) / 2, math.sqrt(2 / 3)])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@pytest.mark.parametrize('x, y', [(2, 4)])\ndef test_f(x, y):\n    assert f(x) == y", "x, y"),
        ("data = 3\nassert f(data) == 9\nassert f(2) == 4", "data"),
        ("assert square(2) == 4\nassert square(3) == 9", "square"),
        ("def check(candidate, more):\n    assert candidate(2) == 4", "candidate"),
        ("for n in range(3):\n    assert f(n) == n * n", "n"),
        ("\n".join(f"assert f(a{i}) == 1" for i in range(50)), "a0, a1, a2, a3, a4, ..."),
    ],
)
def test_names_that_no_program_defines_are_reported(text, names):
    """Such a test fails for all programs alike, and that must not be silent."""
    verdicts, [error] = errors_of(text, SQUARE, "def f(x): return x * (", DOUBLE)
    for said in (error, *(verdict.feedback for verdict in verdicts)):
        assert f"use {names}, which no program defines: only lines such as" in said
        assert said.isprintable()
        assert len(said) < 500
    assert max(verdict.score for verdict in verdicts) < 1


def test_names_that_a_program_or_the_prompt_defines_are_not_reported():
    """Helpers, methods, what is imported, modules of the standard library; with an entry point that alone."""
    text = "assert f(TWO) == 4\nassert math.isclose(g(2), 4)\nassert f(len('ab')) == 4"
    program = "TWO = 2\ndef f(x): return x * x\nclass Solution:\n    def g(self, x): return x * x"
    assert errors_of(text, program, SQUARE)[1] == []
    assert errors_of(text, "from nowhere import *", SQUARE)[1] == []
    assert errors_of(text, "def f(x", "I cannot help.")[1] == []  # nothing is known
    given = of(("assert f(g(2)) == 16",), entry_point="f")
    [verdict] = judge(given, "def f(x): return x * x\ndef g(x): return x * x")
    assert "use g, which is not the entry point f" in verdict.feedback
    [verdict] = judge(of(("assert f(two) == 4",), entry_point="f", prompt="two = 2\n"), "def f(x): return x * x")
    assert (verdict.score, "which" in verdict.feedback) == (1.0, False)


def test_a_reply_without_a_program_scores_nothing_and_is_unread():
    """It is run against no test, and is a program among the others."""
    none, right = judge(of(), "I cannot help.", SQUARE)
    assert (none.score, none.unread, none.feedback) == (0.0, True, "no program was found in the reply")
    assert (right.score, right.unread) == (pytest.approx(math.sqrt(1 / 2) * 3 / 4), False)


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("assert f(1) == 2", "assert f(1) == 2"),
        ("  assert f([1, (2,)], k={'a': {1}}) == -2.5 ** 2, 'why'", "assert f([1, (2,)], k={'a': {1}}) == -2.5 ** 2"),
        ("assert f('é', '\u4e2d') == 'ü', 'weil'", "assert f('é', '\u4e2d') == 'ü'"),
        ("assert(f(1) is None)", "assert f(1) is None"),
        ("assert abs(f(1) - math.pi) < 1e-6 and not g(2)[0:1]", "assert abs(f(1) - math.pi) < 1e-6 and not g(2)[0:1]"),
        ("assert sorted(f(1)) == list(range(3))", "assert sorted(f(1)) == list(range(3))"),
        ("assert True", None),  # calls nothing
        ("assert len('ab') == 2", None),
        ("assert f(1) == 2; import os", None),
        ("assert f(open('x'))", None),
        ("assert eval('f(1)')", None),
        ("assert f.__globals__", None),
        ("assert f(1).x() == 2", None),
        ("assert f(math._x)", None),
        ("assert f(__name__)", None),
        ("assert f(lambda: 1)", None),
        ("assert [f(x) for x in y]", None),
        ("assert (f := 3) == f(1)", None),
        ("assert f(f'{x}')", None),
        ("assert f(*x)", None),
        ("assert f(", None),
        ("assert f(" + "(" * 300 + ")" * 300 + ")", None),
        ("assert f(" + "-" * 450 + "1)", "assert f(" + "-" * 450 + "1)"),
        ("assert f(" + "1 + " * 200 + "1) == 201", None),  # too long
        ("assertion f(1)", None),
        ("print(f(1))", None),
    ],
)  # fmt: skip
def test_which_lines_are_tests(line, made):
    """Those that call the program and compare, and could do nothing else."""
    assert assertions(f"Tests:\n```python\n{line}\n```") == ([] if made is None else [made])


def test_tests_are_of_the_entry_point_where_there_is_one():
    """Even if Python has a function of that name."""
    text = "assert sum(1, 2) == 3\nassert f(1) == 1\nassert sum(2, 2) == f(4)"
    assert assertions(text, "sum") == ["assert sum(1, 2) == 3", "assert sum(2, 2) == f(4)"]
    assert len(assertions("assert f(1) == 1\n" * 1000)) == MOST


@pytest.mark.slow
def test_time_is_linear_in_a_text_of_tests():
    """Each ends in well under the CPU seconds that it would take in quadratic time."""
    code = """
from searchkit.verifiers.code.generated import assertions
checks = "def check(candidate):\\n  assert candidate(1)\\n"
for unit in (checks, "- assert f(1)\\n", "check(f)\\n", "`assert ", ">>> assert "):
    assertions(unit * (90_000 // len(unit)), "", "f")
"""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (30, 30))\n"
    assert subprocess.run([sys.executable, "-c", limit + code], check=False).returncode == 0


def test_completions_have_the_prompt_in_front():
    """The names come with the problem's reference; its tests stay unread."""
    reference = {"prompt": "def f(x):\n    '''Square.'''\n", "entry_point": "f", "test": "this is not looked at"}
    problem = Problem("p", PROMPT, reference)
    verifier = of().bind(problem)
    assert (verifier.prompt, verifier.entry_point, verifier.tests) == (reference["prompt"], "f", TESTS)
    found = judge(of(), "    return x * x\n", SQUARE, search=Search(problem))
    assert [v.score for v in found] == [3 / 4] * 2
    assert of().bind(Problem("p", PROMPT, "assert f(2) == 4")) == of()


class TestLaws(VerifierTests):
    """The laws of verifiers."""

    problem = Problem("p", PROMPT)
    samples = (Sample(SQUARE), Sample(DOUBLE), Sample(""), Sample(SQUARE, finish="length"))

    def verifier(self):
        return of()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"samples": 0}, "samples >= 1"),
        ({"template": "no field"}, r"needs a field \{task\}"),
        ({"tests": ()}, "tests are"),
        ({"tests": (("1", "2"),)}, "are texts of Python"),
        ({"tests": ("assert (",)}, "no Python"),
        ({"generator": 3}, "needs a generator"),
        ({"sandbox": "docker"}, "got 'docker'"),
    ],
)
def test_impossible_configurations_are_refused(options, said):
    """At construction."""
    with pytest.raises(ConfigError, match=said):
        DualAgreement(**{"sandbox": LEVEL, **options})


def test_it_is_used_where_there_is_no_reference():
    """A recorded search, without a model that writes tests."""
    generator = Recorded({PROMPT.text: [DOUBLE, NOTHING, POWER, SQUARE]})
    assert solve_sync(PROMPT, BestOfN(4, of()), generator=generator).answer == POWER


CASES = [
    ("f(1)\ndef test_a():\n    assert f(3) == 9",),
    ("def test_a():\n    assert f(3) == 9",),
    ("x = f(2)\ndef test_a(): assert x == 4\ndef test_b(): assert f(3) == 9",),
    ("import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(3), 9)",),
    ("f(1)\nimport unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(3), 9)",),
    ("def test_a():\n    assert f(3) == 9", "assert f(3) == 9"),
]


@pytest.mark.parametrize("tests", CASES)
def test_cases_of_given_tests_are_run(tests):
    """Each is a test, as in `UnitTests`: those that nobody called passed every program."""
    right, wrong = judge(of(tests), SQUARE, DOUBLE)
    assert right.score > wrong.score
    assert right.score == pytest.approx(math.sqrt(1 / 2))


def test_check_is_called_with_the_entry_point():
    given = ("def check(candidate):\n    assert candidate(3) == 9\n    assert candidate(2) == 4",)
    right, wrong = judge(of(given, entry_point="f"), SQUARE, DOUBLE)
    assert (right.score, wrong.score) == (pytest.approx(math.sqrt(1 / 2)), 0.0)
    with pytest.raises(ConfigError, match="name the entry_point"):
        of(given)


def test_an_object_that_vouches_for_itself_agrees_with_nobody():
    liar = "class Z:\n    def __eq__(self, other): return True\ndef Find_Max(x): return Z()"
    right, wrong = judge(of(("assert Find_Max([1, 2]) == 2",)), "def Find_Max(x): return max(x)", liar)
    assert (right.score, wrong.score) == (1.0, None)
