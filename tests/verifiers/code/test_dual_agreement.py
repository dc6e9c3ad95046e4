"""`DualAgreement`: scores by hand, generated tests, and what of a model's text is a test."""

from __future__ import annotations

import asyncio
import math
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
    run, ran = DualAgreement._run, []

    async def counted(self, text, test):
        ran.append(test)
        return await run(self, text, test)

    monkeypatch.setattr(DualAgreement, "_run", counted)
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
    assert [v.feedback for v in judge(silent, SQUARE, DOUBLE)] == ["there are no tests"] * 2


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
