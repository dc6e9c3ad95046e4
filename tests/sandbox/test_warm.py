"""What is done once so that each program costs less changes no verdict and leaves nothing behind."""

from __future__ import annotations

import sys
import threading

import pytest

from searchkit.sandbox import compiled, rehearsal
from searchkit.sandbox.brief import brief
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pair import Pair
from searchkit.sandbox.report import Case, Report
from searchkit.sandbox.whole import of_use, preamble, sources

LONG = Limits(wall=60.0)
PROMPTS = {  # and whether tests that read nothing of it must execute it
    'def f(x):\n    """doc"""\n': False,
    "from typing import List\nimport math\n\ndef helper(x): return x\n\ndef f(x: List[int]) -> int:\n": False,
    "def f(x: Missing):\n": True,  # it raises
    "import sys\nsys.setrecursionlimit(99)\ndef f(x):\n": True,
    "from math import *\ndef f(x):\n": True,
    "@decorated\ndef f(x):\n": True,
    "def f(x=print('seen')):\n": True,
    "K = 3\ndef f(x):\n": True,
    "class A: pass\ndef f(x):\n": True,
}


@pytest.fixture(scope="module")
def pair():
    made = Pair("none")
    yield made
    made.close()


def test_a_rehearsal_leaves_nothing_behind(capfd):
    """Modules, hooks and what is printed are as before; it runs without a sandbox as well."""
    before = dict(sys.modules), threading.excepthook, sys.unraisablehook, sys.getrecursionlimit()
    rehearsal.rehearse()
    assert (dict(sys.modules), threading.excepthook, sys.unraisablehook, sys.getrecursionlimit()) == before
    assert capfd.readouterr() == ("", "")


def test_a_program_sees_nothing_of_the_rehearsal(pair):
    """Its objects, exceptions and random numbers begin anew, in each process."""
    program = (
        "import random, sys\ndef draw(): return random.random()\nclass Error(ValueError): pass\n"
        "def fails(): raise Error('no')\ndef has(name): return hasattr(sys.modules['__main__'], name)"
    )
    expected = __import__("random").Random(0).random()
    tests = (
        f"assert draw() == {expected}", "try: fails()\nexcept ValueError as error: assert str(error) == 'no'",
        "assert not has('work')\nassert not 'values' in dir()",
    )  # fmt: skip
    for _ in range(2):
        assert pair.run(Case(program, tests), LONG) == Report((True,) * 3)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_that_only_defines_is_not_executed_by_tests_that_read_nothing_of_it(prompt):
    assert (of_use(prompt, "f", [brief("assert f(1) == 1", "f")]) == preamble(prompt)) == PROMPTS[prompt]


def test_a_prompt_is_executed_by_tests_that_read_something_of_it(pair):
    """Its helpers, and what it imports, are the tests' own, whatever the program makes of them."""
    prompt = "import math\n\ndef helper(x): return x + 1\n\ndef f(x):\n"
    for test in ("assert f(1) == helper(0)", "assert f(1) == math.floor(1.5)"):
        assert of_use(prompt, "f", [brief(test, "f")])
        program = "def helper(x): return 7\nclass math:\n    floor = lambda x: 7\ndef f(x): return {}"
        for value, passed in ((1, True), (7, False)):
            case = Case(program.format(value), (test,), prompt, "f")
            assert pair.run(case, LONG).passed == (passed,)


def test_code_that_was_compiled_outside_is_the_same_inside(pair, monkeypatch):
    """Line numbers too, and assertions even where this Python leaves them out; what is refused is compiled there."""
    text = "x = 1\nassert f(2) == 4\nassert f(3) == 9"
    assert compiled.unpacked(compiled.packed(text)) == compile(text, "<test>", "exec", dont_inherit=True, optimize=0)
    for refused in ("return 1", "x" * 30_000, "try: f()\nfinally: g()"):
        assert compiled.packed(refused) == ""
    assert compiled.unpacked("") is compiled.unpacked("00" + compiled.packed(text)) is None
    found = pair.run(Case("def f(x): return x * x if x < 3 else 0", (text,)), LONG)
    monkeypatch.setattr("searchkit.sandbox.brief.packed", lambda _: "")
    brief.cache_clear()
    assert pair.run(Case("def f(x): return x * x if x < 3 else 0", (text,)), LONG) == found
    assert "line 3: AssertionError" in found.reason
    brief.cache_clear()


def test_nested_finally_is_not_compiled_outside():
    """Python compiles such a body several times: deep ones would take hours."""
    deep = "".join("    " * i + "try: f()\n" + "    " * i + "finally:\n" for i in range(19)) + "    " * 19 + "g()"
    assert brief(deep, "").code == ""


@pytest.mark.parametrize("text", ["    return x", "def f(x): return x"])
@pytest.mark.parametrize("prompt", ["", "def f(x):\n"])
def test_what_is_executed_is_the_program_behind_its_prompt(prompt, text):
    whole = [text] if not prompt else [prompt + text] if text.startswith(" ") else [prompt + "    pass\n", text]
    assert sources(text, prompt, "f") == whole
