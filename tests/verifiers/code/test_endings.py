"""Tests that end by an exit status, as skipped, or by a runner of tests."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

RIGHT, WRONG = "def square(x): return x * x", "def square(x): return 2 * x"
CASE = "class T({base}):\n    def test_a(self): self.assertEqual(square(3), 9)\n"


@pytest.mark.parametrize(
    "test",
    [
        "import sys\nok = square(3) == 9\nsys.exit(0 if ok else 1)",
        "exit(0 if square(3) == 9 else 1)",
        "if square(3) != 9: raise SystemExit(1)\nraise SystemExit(0)",
        "if square(3) == 9:\n    raise SystemExit\nraise SystemExit('wrong')",
        "import sys\ndef main():\n    assert square(3) == 9\n    return 0\nif __name__ == '__main__':\n"
         "    sys.exit(main())",
        "import sys\ndef main():\n    return square(3) != 9\nsys.exit(main())",
        "import sys\nassert square(3) == 9\nprint('all passed')\nsys.exit()",
        "import sys, unittest\n" + CASE.format(base="unittest.TestCase") + "s = unittest.defaultTestLoader."
        "loadTestsFromTestCase(T)\nr = unittest.TextTestRunner().run(s)\nsys.exit(not r.wasSuccessful())",
        "from unittest import TestCase, main\n" + CASE.format(base="TestCase") + "if __name__ == '__main__':\n"
         "    main()",
        "from unittest import TestCase, main as go\n" + CASE.format(base="TestCase") + "go(verbosity=2)",
        "import unittest as ut\n" + CASE.format(base="ut.TestCase") + "ut.main()",
        "import unittest\n" + CASE.format(base="unittest.TestCase") + "def main():\n    unittest.main()\nmain()",
        "import unittest\n" + CASE.format(base="unittest.TestCase") + "try:\n    unittest.main()\n"
         "except SystemExit:\n    pass",
        "import unittest\n" + CASE.format(base="unittest.TestCase") + "p = unittest.main(argv=['x'], exit=False)\n"
        "assert p.result.wasSuccessful()",
        "import unittest\nfrom unittest.main import main\n" + CASE.format(base="unittest.TestCase") + "main()",
        "import pytest, sys\ndef test_a(): assert square(3) == 9\nif __name__ == '__main__':\n"
        "    sys.exit(pytest.main(['-v', __file__]))",
        "import pytest as pt\ndef test_a(): assert square(3) == 9\npt.main()",
    ],
)  # fmt: skip
def test_an_exit_status_and_a_runner_decide_as_they_say(test):
    assert passed(test, RIGHT) is True, verdict(test, RIGHT).feedback
    assert passed(test, WRONG) is False


@pytest.mark.parametrize(
    "test",
    [
        "import sys\nsquare(3)\nsys.exit()\nassert square(3) == 9",
        "import sys\ndef check(n): assert square(n) == n * n\nsquare(1)\nsys.exit(0)\ncheck(3)",
        "import sys\nsquare(2)\nsys.exit()\ndef test_a(): assert square(3) == 9",
        "print(square(3))\nraise SystemExit",
        "if square(3): raise SystemExit(0)\nraise SystemExit(None)",
        "import sys\nfor n in (3, 4):\n    if square(n): sys.exit(0)\n    assert square(n) == n * n",
        "raise SystemExit(square)\nassert square(3) == 9",
    ],
)
def test_a_test_that_ends_before_it_checks_passes_nothing(test):
    """Such a test would pass whatever the program is: it is no proof of a right one."""
    assert passed(test, WRONG) is not True
    assert passed(test, RIGHT) is not True


@pytest.mark.parametrize(
    "test",
    [
        "import unittest\ndef test_a():\n    raise unittest.SkipTest('later')\n    assert square(3) == 9",
        "from unittest import SkipTest\nif square(2) == 4: raise SkipTest('later')\nassert square(3) == 9",
        "import unittest\n@unittest.skip('later')\ndef test_a(): assert square(3) == 9",
        "import unittest\n@unittest.skip('later')\nclass TestA:\n    def test_a(self): assert square(3) == 9",
        "import pytest\ndef test_a():\n    pytest.skip('later')\n    assert square(3) == 9",
        "import pytest\nx = pytest.importorskip('not_there')\ndef test_a(): assert square(3) == 9",
        "import pytest\ndef test_a():\n    pytest.xfail('later')\n    assert square(3) == 9",
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.skipTest('later')\n"
        "        self.assertEqual(square(3), 9)",
    ],
)
def test_a_test_that_is_skipped_abstains(test):
    for text in (RIGHT, WRONG):
        found = verdict(test, text)
        assert found.passed is None, found.feedback
        assert "the test was skipped: " in found.feedback
