"""Imports of the program by its tests, and what is misspelt: left out, or refused with the fix."""

from __future__ import annotations

import pytest

from searchkit.errors import ConfigError
from searchkit.verifiers import UnitTests
from tests.helpers.programs import LEVEL, passed

ADD = "def add(a, b): return a + b\ndef sub(a, b): return a - b\nclass Solution:\n    def go(self): return 3"
CASE = "import unittest\n{}\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(add(1, 2), 3)"


@pytest.mark.parametrize(
    "test",
    [
        "from solution import add\nassert add(1, 2) == 3",
        "from solution import *\nassert add(1, 2) == 3",
        "from main import add, sub\nassert add(1, 2) == 3 and sub(3, 1) == 2",
        "from main import (\n    add,\n    sub,\n)\nassert add(1, 2) == 3 and sub(3, 1) == 2",
        "from program import add; assert add(1, 2) == 3",
        "from .solution import add\nassert add(1, 2) == 3",
        "from . import add\nassert add(1, 2) == 3",
        "from your_module import Solution\ns = Solution()\nassert s.go() == 3",
        "from src_of.solution import add\nassert add(1, 2) == 3".replace("src_of.solution", "solution.core"),
        "try:\n    from solution import add\nexcept ImportError:\n    pass\nassert add(1, 2) == 3",
        "def test_a():\n    from solution import add\n    assert add(1, 2) == 3",
        "from solution import add as add\nassert add(1, 2) == 3",
        "x = 'é'; from solution import add\nassert add(1, 2) == 3",
        CASE.format("from solution import add"),
    ],
)
def test_an_import_of_the_program_is_left_out(test):
    assert passed(test, ADD) is True
    assert passed(test, ADD.replace("a + b", "a * b").replace("return 3", "return 4")) is False
    assert passed({"setup": "from solution import add", "tests": [test]}, ADD) is True


def test_lines_stay_where_they_are():
    from tests.helpers.programs import verdict

    for text in (
        "from solution import (\n    add,\n)\nassert add(1, 2) == 4",
        "from solution import add\n\n\nassert add(1, 2) == 4",
    ):
        assert "line 4: AssertionError" in verdict(text, ADD).feedback


@pytest.mark.parametrize(
    "test",
    [
        "import solution\nassert getattr(solution, 'add')(1, 2) == 3",
        "import solution\nimport importlib\nimportlib.reload(solution)\nassert solution.add(1, 2) == 3",
        "import solution\nsolution.limit = 3\nassert solution.add(1, 2) == 3",
        "import solution\nassert f'{solution.add(1, 2)}' == '3'",
        "import solution\nassert solution.__name__ and solution.add(1, 2) == 3",
        "import solution\nsolution = solution.add\nassert solution(1, 2) == 3",
        "import solution\ndef go(solution): return solution.add(1, 2)\nassert go(solution) == 3",
        "import solution.core\nassert solution.core.add(1, 2) == 3",
        "import importlib\nm = importlib.import_module('solution')\nassert m.add(1, 2) == 3",
        "m = __import__('main')\nassert m.add(1, 2) == 3",
        "import runpy\nm = runpy.run_path('solution.py')\nassert m['add'](1, 2) == 3",
        "from calculator_of_mine import add\nassert add(1, 2) == 3",
    ],
)
def test_other_imports_of_it_are_refused(test):
    with pytest.raises(ConfigError, match="the program's names are there already: leave the import out"):
        UnitTests(test, LEVEL)


MODULE = [
    "import solution\nassert solution.add(1, 2) == 3",
    "import solution; assert solution.add(1, 2) == 3 and solution.sub(3, 1) == 2",
    "import main as m\nassert m.add(1, 2) == 3",
    "import os, solution\nassert os.sep and solution.add(1, 2) == 3",
    "import solution.core as c\nassert c.add(1, 2) == 3",
    "from . import solution\nassert solution.add(1, 2) == 3",
    "from solution import add as plus\nassert plus(1, 2) == 3",
    "from solution import (\n    add as plus,\n    sub,\n)\nassert plus(1, 2) == 3 and sub(3, 1) == 2",
    "def test_a():\n    from solution import add as plus\n    assert plus(1, 2) == 3",
    "def test_a():\n    import solution\n    assert solution.add(1, 2) == 3",
    "import solution\nadd = solution.add\nassert add(1, 2) == 3",
    "import solution\nplus = solution.add\nassert plus(1, 2) == 3",
    "import solution\ns = solution.Solution()\nassert s.go() == 3",
    "import solution\nx = 'é'; assert (solution).add(1, solution.add(1, 1)) == 3",
    "import solution\nassert [solution.add(x, 2) for x in (1,)] == [3]",
    CASE.format("import solution").replace("add(1, 2)", "solution.add(1, 2)"),
]


@pytest.mark.parametrize("test", MODULE)
def test_the_program_as_a_module_is_its_names(test):
    assert passed(test, ADD) is True
    assert passed(test, ADD.replace("a + b", "a * b").replace("return 3", "return 4")) is False


@pytest.mark.parametrize(
    "test",
    [
        "import solution\ndef add(a, b): return a + b\nassert solution.add(1, 2) == add(1, 2)",
        "import solution\nfrom operator import add\nassert solution.add(1, 2) == add(1, 2)",
        "from solution import add as plus\nfor add in (3,):\n    assert plus(1, 2) == add",
    ],
)
def test_a_name_that_the_tests_have_too_is_refused(test):
    with pytest.raises(ConfigError, match=r"^the tests take add from the program and have a add of their own"):
        UnitTests(test, LEVEL)


STARS = [
    "from math import *\nfrom solution import gcd\nassert gcd(4, 6) == 2 and f(1) == 1",
    "import solution\nfrom math import *\nassert solution.gcd(4, 6) == 2 and solution.f(1) == 1",
    "from math import *\nfrom solution import gcd as g\nassert g(4, 6) == 2 and f(1) == 1",
    "from math import *\ndef test_a():\n    assert gcd(4, 6) == f(2)\ndef test_b():\n    assert gcd(4, 2) == f(2)",
]


@pytest.mark.parametrize("test", STARS, ids=range(len(STARS)))
def test_a_function_of_a_library_does_not_stand_in_for_the_programs(test):
    """It comes with all else of a module, and hides the program's, which was to be tested."""
    assert passed(test, "def gcd(a, b): return 1\ndef f(x): return x") is None
    imported = "from math import *\ndef f(x): return gcd(x, 6)"
    assert passed("from math import *\nassert f(4) == gcd(4, 6)", imported) is True
    assert passed("from math import *\nassert f(4) == gcd(4, 7)", imported) is False


@pytest.mark.parametrize("limits", [5, {"cpu": 5}, (5, 20.0), None, "5"])
def test_limits_are_limits(limits):
    with pytest.raises(ConfigError, match=r"Limits\(cpu=5"):
        UnitTests("assert f() == 3", LEVEL, limits)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("entrypoint", "entry_point"), ("entry-point", "entry_point"), ("entryPoint", "entry_point"),
        ("entry_pont", "entry_point"), ("promt", "prompt"), ("Prompt", "prompt"), ("set_up", "setup"),
        ("test_imports_", "test_imports"), ("test_setupcode", "test_setup_code"), ("starter-code", "starter_code"),
    ],
)  # fmt: skip
def test_a_key_that_is_nearly_a_known_one_is_refused(wrong, right):
    record = {"tests": ["assert f() == 3"], wrong: "f"}
    with pytest.raises(ConfigError, match=f"did you mean {right!r}"):
        UnitTests(record, LEVEL)


@pytest.mark.parametrize("wrong", ["testlist", "test_lists", "Tests", "tests_"])
def test_also_where_it_is_the_tests(wrong):
    with pytest.raises(ConfigError, match="did you mean 'test"):
        UnitTests({wrong: ["assert f() == 3"]}, LEVEL)


def test_other_keys_are_not_looked_at():
    known = (
        "task_id canonical_solution text code source_file task input output solutions difficulty url question_id title "
        "question_content platform contest_id contest_date instruct_prompt complete_prompt libs doc_struct base_input "
        "plus_input atol contract name language stop_tokens example_test declaration buggy_solution public_tests tags"
    )
    record = {"tests": ["assert f() == 3"], **dict.fromkeys(known.split(), "x")}
    assert passed(record, "def f(): return 3") is True
