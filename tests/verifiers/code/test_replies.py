"""`UnitTests` and `DualAgreement` on replies: what the tests take says which blocks are the program."""

from __future__ import annotations

import asyncio

import pytest

from searchkit import Problem, Prompt
from searchkit.engine.run import Run, Search
from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.types import Budget, Sample
from searchkit.verifiers import DualAgreement, UnitTests
from searchkit.verifiers.code.suite import read
from searchkit.verifiers.code.taken import taken
from tests.answers.programs.replies import CONTINUING, FAULTS, NOT_CONTINUING, PROMPT, WRONG, B, many

LEVEL = next((level for level in levels.LEVELS if not levels.trouble(level)), "none")
SLOW = Limits(cpu=30, wall=120.0)
TASK = Prompt.of("Write it.")


def judge(verifier, *texts):
    async def go():
        run = Run.root(Search(Problem("p", TASK)), 0, Budget())
        return [one.verdict for one in await run.score(verifier, TASK, [Sample(text) for text in texts])]

    return asyncio.run(go())


def passed(tests, *texts):
    return [verdict.passed for verdict in judge(UnitTests(tests, LEVEL, SLOW), *texts)]


@pytest.mark.parametrize("tests", [["assert sq(3) == 9"], {"tests": "assert sq(3) == 9", "entry_point": "sq"}])
@pytest.mark.parametrize("name", FAULTS)
def test_replies_that_others_reported_pass(name, tests):
    """With and without an entry point."""
    assert passed(tests, FAULTS[name]) == [True]


def test_replies_without_a_right_program_fail():
    """None is made right on its way."""
    assert passed(["assert sq(3) == 9"], *WRONG.values()) == [False] * len(WRONG)


HUMAN_EVAL = {
    "prompt": PROMPT, "entry_point": "total", "test": "def check(candidate):\n    assert candidate([1, 2, 3]) == 6\n",
}  # fmt: skip


def test_bodies_go_on_from_the_prompt():
    """Whatever margin they have."""
    assert passed(HUMAN_EVAL, *CONTINUING.values()) == [True] * len(CONTINUING)
    assert passed(HUMAN_EVAL, *NOT_CONTINUING.values()) == [False] * len(NOT_CONTINUING)


def test_scripts_with_usage_behind_them():
    """The block that reads is the program."""
    pairs = [("3\n", "9"), ("4\n", "16")]
    main = "def solve(n): return n * n\nprint(solve(int(input())))"
    assert passed(pairs, many(main, "print(solve(5))"), many("import sys", main), main) == [True] * 3


def test_several_names_come_from_several_blocks():
    """All that the tests leave open; not what they store themselves."""
    text = many("class Stack(list): pass", "def top(stack): return stack[-1]", "print(top(Stack('ab')))")
    assert passed(["s = Stack([1, 2])\nassert top(s) == 2"], text) == [True]
    assert taken(read("for s in [f()]:\n    import os\n    assert len(g(s)), h")) == {"f", "g", "h"}
    assert taken(read({"tests": "assert f(helper) == x", "prompt": "helper = x = 1\n"})) == {"f"}
    assert taken(read({"tests": "assert two(1)", "entry_point": "two"})) == {"two", "Solution"}


def test_a_method_may_be_the_entry_point():
    """As some sites want it: the class that holds it is the program."""
    tests = {"tests": "assert sq(3) == 9", "entry_point": "sq"}
    text = many("class Solution:\n    def sq(self, x): return x * x", "print(Solution().sq(4))")
    assert passed(tests, text) == [True]


def test_agreement_reads_the_same_programs():
    """A reply with usage behind it is in the group of the bare program."""
    bare, with_usage, wrong = judge(
        DualAgreement(("assert sq(3) == 9", "assert sq(2) == 4"), sandbox=LEVEL, limits=SLOW),
        "def sq(x): return x ** 2", FAULTS["F037 usage in a block of its own"], "def sq(x): return x + x",
    )  # fmt: skip
    assert bare.score == with_usage.score == (2 / 3) ** 0.5
    assert wrong.score < bare.score
    assert B in FAULTS["F037 usage in a block of its own"]
