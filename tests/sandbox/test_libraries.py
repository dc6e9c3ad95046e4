"""Libraries: what is named can be imported, all else is not there, whatever this machine has."""

from __future__ import annotations

import pytest

from searchkit.errors import ConfigError
from searchkit.generators import ProgramAnswer
from searchkit.verifiers import DualAgreement, UnitTests
from tests.helpers.programs import LEVEL, passed, verdict

pytest.importorskip("numpy")
ROOT = "import numpy as np\ndef root(x): return float(np.sqrt(x))"
TEST = "assert root(9) == 3.0"


def test_what_is_named_can_be_imported():
    """By its name, or because the tests import it themselves."""
    assert passed(TEST, ROOT, libraries=("numpy",)) is True
    assert passed(f"import numpy\n{TEST}", ROOT) is True
    assert passed({"test": TEST, "prompt": "import numpy\n"}, ROOT) is True
    assert passed({"tests": [TEST], "setup": "from numpy import array"}, ROOT) is True
    assert passed(TEST, "import math\ndef root(x): return math.sqrt(x)") is True
    everything = "import sysconfig, platform, tkinter.constants\nplatform.platform(), sysconfig.get_config_vars()\n"
    assert passed("assert root(9) == 3", everything + "def root(x): return 3") is True


@pytest.mark.parametrize(
    ("program", "library"),
    [
        (ROOT, "numpy"),
        ("def root(x):\n  import numpy\n  return float(numpy.sqrt(x))", "numpy"),
        ("from numpy.linalg import norm\ndef root(x): return norm(x)", "numpy"),
        ("import importlib\nnp = importlib.import_module('numpy')\ndef root(x): return np.sqrt(x)", "numpy"),
        ("import nowhere_to_be_found\ndef root(x): return 4.0", "nowhere_to_be_found"),  # installed or not: the same
        (
            "try:\n  import numpy\nexcept ImportError as error:\n"
            "  raise RuntimeError('numpy needed') from error\ndef root(x): return y",
            "numpy",
        ),
    ],
)
def test_a_program_that_lacks_a_library_abstains_and_says_what_to_name(program, library):
    found = verdict(TEST, program)
    assert (found.passed, found.value) == (None, None), found.feedback
    assert f"libraries=('{library}',)" in found.feedback
    typed = verdict([("9", "3.0")], f"{program}\nprint(root(int(input())))")
    assert (typed.passed, typed.value) == (None, None), typed.feedback
    assert f"libraries=('{library}',)" in typed.feedback


def test_a_program_that_does_without_is_judged():
    """With a fallback, or where the import does not matter."""
    fallback = (
        "try:\n  import numpy\nexcept ImportError:\n  numpy = None\ndef root(x): return {} if numpy is None else 7.0"
    )
    assert passed(TEST, fallback.format("x ** 0.5")) is True
    assert passed(TEST, fallback.format("x / 2")) is False
    assert passed(TEST, "import numpy\ndef root(x): return x ** 0.5") is True
    assert passed([("9", "3.0")], fallback.format("x ** 0.5") + "\nprint(root(int(input())))") is True
    assert passed("import numpy\nassert root(9) == 3", ROOT, libraries=()) is True  # the tests' own count


def test_a_script_may_import_what_is_named():
    assert passed([("9", "3.0")], f"{ROOT}\nprint(root(int(input())))", libraries=("numpy",)) is True


def test_what_a_library_needs_itself_is_there():
    """SymPy imports mpmath, and imports more when it is used."""
    pytest.importorskip("sympy")
    program = "import sympy\ndef f(n): return [int(x) for x in sympy.solve(sympy.Symbol('x') ** 2 - n)]"
    assert passed("assert f(4) == [-2, 2]", program, libraries=("sympy",)) is True


def test_random_numbers_are_the_same_each_time():
    """NumPy's too, as the standard library's are."""
    draw = "import numpy as np, random\ndef f(): return [random.random(), float(np.random.rand())]"
    first, second = (verdict("raise ValueError(f())", draw, libraries=("numpy",)).feedback for _ in range(2))
    assert first == second
    assert "ValueError" in first


SYMPY = "import sympy\nx = sympy.Symbol('x')\ndef f(n): return {}"


@pytest.mark.parametrize(
    ("result", "test", "name"),
    [
        ("sympy.Integer(n)", "assert f(9) == 9", "sympy.Integer"),
        ("sympy.Rational(n, 2)", "assert f(9) == 4.5", "sympy.Rational"),
        ("sympy.Float(n)", "assert abs(f(9) - 9) < 1e-9", "sympy.Float"),
        ("sympy.solve(x ** 2 - n)", "assert f(9) == [-3, 3]", "sympy.Integer"),
        ("{'x': sympy.Integer(n)}", "assert f(9) == {'x': 9}", "sympy.Integer"),
        ("x ** n", "assert str(f(9)) == 'x**9' and f(9)", "sympy.Pow"),
        ("sympy.Matrix([[n]])", "assert f(9) == [[9]]", "sympy.MutableDenseMatrix"),
        ("sympy.Integer(n)", "assert isinstance(f(9), int)", "sympy.Integer"),
    ],
)
def test_an_object_of_a_library_is_named_with_the_way_out(result, test, name):
    """What it equals is not known; what it is made into crosses."""
    pytest.importorskip("sympy")
    found = verdict(test, SYMPY.format(result), libraries=("sympy",))
    assert (found.passed, found.score) == (None, None)
    assert f"an object of {name} stays in the program's process" in found.feedback
    assert "must return int(...), float(...) or str(...) of it" in found.feedback


def test_what_is_made_of_an_object_of_a_library_crosses():
    """By the program, or by the test."""
    pytest.importorskip("sympy")
    for made, expected in (
        ("int(sympy.Integer(n))", "9"),
        ("float(sympy.Rational(n, 2))", "4.5"),
        ("str(x + n)", "'x + 9'"),
    ):
        assert passed(f"assert f(9) == {expected}", SYMPY.format(made), libraries=("sympy",)) is True
    assert passed("assert int(f(9)) == 9", SYMPY.format("sympy.Integer(n)"), libraries=("sympy",)) is True


def test_the_name_of_a_class_is_what_the_program_says_it_is():
    """Of classes of its own the feedback is as ever; a forged name is cut and cannot break out of its line."""
    kind = "class A:\n    __module__ = {!r}\n    def __eq__(self, other): return True\ndef f(): return A()"
    own = verdict("assert f() == 9", kind.format("program")).feedback
    assert "an object of a class of the program's own" in own
    forged = verdict("assert f() == 9", kind.format("x\n\x1b[31m" * 1000)).feedback
    assert forged.isprintable()
    assert len(forged) < 500
    assert "must return int(...)" in forged


@pytest.mark.parametrize("libraries", ["numpy", ["numpy"], {"numpy"}, "numpy, sympy", 3])
@pytest.mark.parametrize("kind", [UnitTests, ProgramAnswer, DualAgreement])
def test_libraries_are_a_tuple(kind, libraries):
    """The sentence has the right form."""
    with pytest.raises(ConfigError, match=r'packages in a tuple, such as libraries=\("numpy",\), got '):
        kind(**{"generator": str} if kind is ProgramAnswer else {}, sandbox=LEVEL, libraries=libraries)
