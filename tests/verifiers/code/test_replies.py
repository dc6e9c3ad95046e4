"""`UnitTests` and `DualAgreement` on replies: what the tests take says which blocks are the program."""

from __future__ import annotations

import asyncio
import importlib
import json
import threading

import pytest

from searchkit import Problem, Prompt, solve
from searchkit.answers.programs import program
from searchkit.engine.run import Run, Search
from searchkit.generators import ProgramAnswer, Recorded
from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.strategies import BestOfN, SelfConsistency
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


PROSE = (
    "I cannot help.", "I'm sorry, but I can't do that.", "", "   \n", "Sorry", "None", "42", "-1.5", "[1, 2]", "'text'",
    "Not possible", "The answer: 6", "if you want, I can try again", "return to the first step\nand try again".title(),
    "```\nI cannot help.\n```", "```json\n{}\n```", "```text\n42\n```", '{"code": "I cannot help."}', "{}",
    '{"result": {"value": [6]}}', "# nothing yet", "<think>def total(xs): return sum(xs)</think>No.",
    "First, we add them up. Then we are done.\n\n- one\n- two", "x \u2264 y, so z", "\\boxed{6}",
)  # fmt: skip
BROKEN = (
    "def total(xs) return sum(xs)", "def total(xs):", "```python\ndef total(xs:\n```", "import\nfrom x import y z",
    "Here it is:\n\ndef total(xs)\n    return sum(xs", "for x in xs:\nreturn x", "x = 6", "print(6)",
    "lambda xs: sum(xs",
    "total(xs)", "@cache\nde total(xs)", "def other(xs):\n    return 6", "```python\nx = = 6\n```",
)  # fmt: skip


@pytest.mark.parametrize("tests", [["assert total([1, 2, 3]) == 6"], HUMAN_EVAL, [("1 2 3", "6")]])
def test_a_reply_without_a_program_is_unread(tests):
    """It fails, and an experiment can tell it from a wrong program."""
    for text, found in zip(PROSE, judge(UnitTests(tests, LEVEL, SLOW), *PROSE), strict=True):
        assert (found.passed, found.unread, found.value) == (False, True, 0.0), text
        assert found.feedback == "no program was found in the reply"
    for text, found in zip(BROKEN, judge(UnitTests(tests, LEVEL, SLOW), *BROKEN), strict=True):
        if (tests, text) != ([("1 2 3", "6")], "print(6)"):
            assert (found.passed, found.unread) == (False, False), text


def test_a_program_in_json_is_read():
    """One field of a name that says code; two of them are none."""
    code = "def total(xs):\n    return sum(xs)"
    for field in ("code", "program", "solution", "Code", "python"):
        whole = json.dumps({"thought": "add them", field: code, "confidence": 0.9}, indent=1)
        fenced = json.dumps({field: f"```python\n{code}\n```"})
        texts = (
            whole, f"```json\n{whole}\n```", f"```\n{whole}\n```", fenced, f"<think>hm</think>\n{whole}",
            f"Here is the object: {whole}\nIt adds them.", f"So:\n\n```json\n{whole}\n```\n\nThat is it.",
        )  # fmt: skip
        for tests in (["assert total([1, 2, 3]) == 6"], HUMAN_EVAL):
            assert passed(tests, *texts) == [True] * len(texts)
    body = json.dumps({"completion": "    return sum(xs)\n"})
    assert passed(HUMAN_EVAL, body) == [True]
    twice = [f'{{"code": {json.dumps(code)}, "{other}": "def total(xs): return 0"}}' for other in ("code", "solution")]
    assert passed(HUMAN_EVAL, *twice) == [False, False]
    held = json.dumps({"code": "def total(xs): return 0"})
    for line in (f"DATA = {held}", f"print({held})", f"def load(): return {held}", f"f({held}).g()"):
        assert program(many(line, code), ("total",)) == code + "\n"
        assert passed(HUMAN_EVAL, many(line, code), f"{line}\n{code}", line) == [True, True, False]


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


def test_long_texts_are_read_beside_the_event_loop(monkeypatch):
    """The slowest texts of 97,000 characters take a second each."""
    threads = dict[str, set[int]]()

    def noting(name, read):
        def note(*args, **kwargs):
            threads.setdefault(name, set()).add(threading.get_ident())
            return read(*args, **kwargs)

        return note

    places = ("verifiers.code.unit_tests", "verifiers.code.dual_agreement", "generators.program_answer")
    for module in (importlib.import_module(f"searchkit.{place}") for place in places):
        monkeypatch.setattr(module, "program", noting(module.__name__, module.program))

    async def judged(reply):
        loop = threading.get_ident()
        threads.clear()
        model = Recorded({"q": [reply] * 2})
        for verifier in (UnitTests(("assert f(3) == 9",)), DualAgreement(("assert f(3) == 9",))):
            await solve("q", BestOfN(2, verifier), generator=model)
        await solve("q", SelfConsistency(2), generator=ProgramAnswer(model))
        assert len(threads) == 3
        return {one == loop for found in threads.values() for one in found}

    assert asyncio.run(judged("```\n" * 24_000 + "def f(x): return x * x")) == {False}
    assert asyncio.run(judged("def f(x): return x * x")) == {True}


STUBS = [
    'def sq(x):\n    """The square."""\n',
    'def sq(x):\n    """The square."""',
    "from typing import List\n\ndef sq(x: int) -> int:\n",
    "def sq(x):\n    pass\n",
    "def sq(x): ...\n",
    "def sq(x):\n    # your code\n    raise NotImplementedError\n",
    "def helper(x):\n    return x\n\ndef sq(x):\n    '''The square.'''\n",
]
OF_SOLUTION = "```python\nclass Solution:\n    def sq(self, x):\n        return x * x\n```"


@pytest.mark.parametrize("prompt", STUBS)
def test_a_method_of_solution_counts_before_the_empty_function_of_the_prompt(prompt):
    record = {"prompt": prompt, "entry_point": "sq", "test": "def check(candidate):\n    assert candidate(3) == 9\n"}
    right = [
        OF_SOLUTION,
        OF_SOLUTION.replace("class", "import math\n\nclass"),
        "```python\ndef sq(x): return x * x\n```",
    ]
    assert passed(record, *right) == [True] * 3
    wrong = OF_SOLUTION.replace("x * x", "x + x")
    neither = ["```python\ndef square(x):\n    return x * x\n```", OF_SOLUTION.replace("sq(", "square(")]
    verdicts = judge(UnitTests(record, LEVEL, SLOW), wrong, *neither)
    assert [one.passed for one in verdicts] == [False] * 3
    assert all("the program defines no 'sq'" in one.feedback for one in verdicts[1:]), [
        one.feedback for one in verdicts
    ]


def test_a_body_beside_a_class_goes_on_from_the_prompt():
    record = {"prompt": STUBS[0], "entry_point": "sq", "test": "def check(candidate):\n    assert candidate(3) == 9\n"}
    bodies = ["    return x * x\n", "    return go(x)\n\ndef go(x): return x * x\n"]
    assert passed(record, *bodies) == [True] * 2
    record["prompt"] = "class Solution:\n    def sq(self, x):\n"
    assert passed(record, OF_SOLUTION, "        return x * x\n") == [True] * 2
