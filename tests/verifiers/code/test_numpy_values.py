"""Numbers and arrays of NumPy: read, compared and changed in place by the tests (K4)."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

NUMPY = [
    ("assert f() == 3", "import numpy as np\ndef f(): return np.int64(3)"),  # F119
    ("assert f() == 0.5 and isinstance(f(), float)", "import numpy as np\ndef f(): return np.float64(0.5)"),
    ("assert f()", "import numpy as np\ndef f(): return np.bool_(True)"),
    ("assert f() == {'a': [1, 2.5]}", "import numpy as np\ndef f(): return {'a': [np.int32(1), np.float32(2.5)]}"),
]


@pytest.mark.parametrize(("test", "text"), NUMPY)
def test_numbers_of_numpy_are_numbers(test, text):
    pytest.importorskip("numpy")
    assert passed(test, text, libraries=("numpy",)) is True, verdict(test, text, libraries=("numpy",)).feedback
    assert (
        passed(
            test,
            text.replace("3)", "4)").replace("0.5", "0.6").replace("True", "False").replace("32(1)", "32(2)"),
            libraries=("numpy",),
        )
        is False
    )


@pytest.mark.parametrize(
    ("test", "text"),
    [
        (
            "import numpy as np\na = f()\nassert a[0, 0] == 1 and a.shape == (2, 2) and a.dtype == np.int64",
            "import numpy as np\ndef f(): return np.array([[1, 2], [3, 4]])",
        ),
        (
            "assert f()[0, 0] == 1 and f()[:, 1].tolist() == [2, 4] and (f() == [[1, 2], [3, 4]]).all()",
            "import numpy as np\ndef f(): return np.array([[1, 2], [3, 4]])",
        ),
        (
            "import numpy as np\nnp.testing.assert_allclose(f(np.array([1.0, 2.0])), [2.0, 4.0])",
            "def f(x): return 2 * x",
        ),
        (
            "import numpy as np\nx = np.array([3, 1, 2])\nf(arr=x)\nassert x.tolist() == [1, 2, 3]",
            "def f(arr): arr.sort()",
        ),
        (
            "import numpy as np\nassert f(np.int64(3)) == 9 and isinstance(f(np.int64(3)), np.integer)",
            "def f(x): return x * x",
        ),
        (
            "import numpy as np\nassert np.array_equal(f(), np.array([True, False]))",
            "import numpy as np\ndef f(): return np.array([1, 0]) > 0",
        ),
        (
            "import numpy as np\nassert f().dtype.kind == 'U' and f()[1] == 'bc'",
            "import numpy as np\ndef f(): return np.array(['a', 'bc'])",
        ),
        ("import numpy as np\nassert f().size == 0", "import numpy as np\ndef f(): return np.zeros((0, 3))"),
    ],
)
def test_arrays_of_numpy_are_arrays(test, text):
    """F120: read, compared and changed in place by the tests' own NumPy."""
    pytest.importorskip("numpy")
    assert passed(test, text, libraries=("numpy",)) is True, verdict(test, text, libraries=("numpy",)).feedback


def test_wrong_arrays_fail():
    pytest.importorskip("numpy")
    test = "import numpy as np\nnp.testing.assert_allclose(f(np.array([1.0, 2.0])), [2.0, 4.0])"
    assert passed(test, "def f(x): return 3 * x") is False
    assert (
        passed("assert f()[0, 0] == 1", "import numpy as np\ndef f(): return np.array([[2]])", libraries=("numpy",))
        is False
    )
    objects = verdict(
        "assert f()[0] == 1", "import numpy as np\ndef f(): return np.array([1, 'a'], object)", libraries=("numpy",)
    )
    assert objects.passed is True  # an element crosses by itself
