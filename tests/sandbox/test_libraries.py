"""Libraries: what is named can be imported, all else is not there, whatever this machine has."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

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
