"""Exceptions of the program in tests: of the classes that they are of, with their bases, attributes and causes."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

CATCH = "{first}\ntry:\n    f()\nexcept {kind} as e:\n    {check}\nelse:\n    assert False"
KINDS = [
    ("import json", "json.JSONDecodeError", "assert e.pos == 1 and e.doc == '[x'",
     "import json\ndef f(): json.loads('[x')"),
    ("import json", "ValueError", "assert 'Expecting value' in str(e)", "import json\ndef f(): json.loads('[x')"),
    ("import decimal", "decimal.InvalidOperation", "pass", "from decimal import Decimal\ndef f(): Decimal('x')"),
    ("", "ArithmeticError", "pass", "from decimal import Decimal\ndef f(): Decimal('x')"),
    ("import decimal", "decimal.DivisionByZero", "pass", "from decimal import Decimal\ndef f(): Decimal(1) / 0"),
    ("import re", "re.error", "assert e.msg and e.pos == 0", "import re\ndef f(): re.compile('(')"),
    ("import queue", "queue.Empty", "pass", "import queue\ndef f(): queue.Queue().get_nowait()"),
    ("import statistics", "statistics.StatisticsError", "pass", "import statistics\ndef f(): statistics.mean([])"),
    ("import dataclasses", "dataclasses.FrozenInstanceError", "pass",
     "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass P: x: int\ndef f(): P(1).x = 2"),
    ("import csv", "csv.Error", "pass",
     "import csv\ndef f(): csv.reader(['a'], delimiter='', strict=1) if 0 else csv.get_dialect('x')"),
    ("import zlib", "zlib.error", "pass", "import zlib\ndef f(): zlib.decompress(b'x')"),
    ("import struct", "struct.error", "pass", "import struct\ndef f(): struct.unpack('i', b'')"),
    ("import binascii", "binascii.Error", "pass", "import base64\ndef f(): base64.b64decode('a')"),
    ("import sqlite3", "sqlite3.OperationalError", "pass",
     "import sqlite3\ndef f(): sqlite3.connect(':memory:').execute('select x')"),
    ("import xml.etree.ElementTree as ET", "ET.ParseError", "assert e.position == (1, 3)",
     "import xml.etree.ElementTree as E\ndef f(): E.fromstring('<a>')"),
    ("import concurrent.futures as c", "c.CancelledError", "pass",
     "from concurrent.futures import CancelledError\ndef f(): raise CancelledError"),
    ("import numpy as np", "np.linalg.LinAlgError", "pass", "import numpy as np\ndef f(): np.linalg.inv([[0.0]])"),
    ("", "UnicodeDecodeError", "assert e.start == 0 and e.object == b'\\xff' and e.encoding == 'utf-8'",
     "def f(): b'\\xff'.decode()"),
    ("", "UnicodeError", "pass", "def f(): '\\xff'.encode('ascii')"),
    ("", "FileNotFoundError", "assert e.errno == 2 and e.filename == 'nowhere'", "def f(): open('nowhere')"),
    ("", "ModuleNotFoundError", "assert e.name == 'json.nope'", "def f(): import json.nope"),
    ("", "KeyError", "pass", "class A(ValueError, KeyError): pass\ndef f(): raise A('x')"),
    ("", "ValueError", "pass", "class A(KeyError, ValueError): pass\nclass B(A): pass\ndef f(): raise B('x')"),
    ("", "(LookupError, OSError)", "assert isinstance(e, ValueError) and str(e) == 'x' and e.args == ('x',)",
     "class A(ValueError): pass\nclass B(A, IndexError): pass\ndef f(): raise B('x')"),
    ("import json", "json.JSONDecodeError", "assert isinstance(e, Bad) and e.pos == 3",
     "import json\nclass Bad(json.JSONDecodeError): pass\ndef f(): raise Bad('no', 'abcdef', 3)"),
    ("", "OSError", "assert e.errno == 5 and isinstance(e, Mine)",
     "class Mine(OSError): pass\ndef f(): raise Mine(5, 'x')"),
    ("", "SystemExit", "assert e.code == 2", "import sys\ndef f(): sys.exit(2)"),
    ("", "SystemExit", "assert e.code == 'bye'", "import sys\ndef f(): sys.exit('bye')"),
    ("", "KeyboardInterrupt", "pass", "def f(): raise KeyboardInterrupt"),
    ("", "RuntimeError", "assert isinstance(e.__cause__, KeyError) and e.__cause__.args == ('k',)",
     "def f():\n  try: {}['k']\n  except KeyError as e: raise RuntimeError('no') from e"),
    ("", "Mine", "assert isinstance(e.__cause__, Other) and e.__cause__.code == 3",
     "class Mine(Exception): pass\nclass Other(Exception): code = 3\ndef f(): raise Mine from Other()"),
    ("", "Mine", "assert e.__cause__ is None", "class Mine(Exception): pass\ndef f(): raise Mine"),
    ("import subprocess", "subprocess.CalledProcessError", "assert e.returncode == 3 and e.cmd == 'x'",
     "import subprocess\ndef f(): raise subprocess.CalledProcessError(3, 'x')"),
    ("import subprocess", "subprocess.TimeoutExpired", "assert e.timeout == 2.5",
     "import subprocess\ndef f(): raise subprocess.TimeoutExpired('x', 2.5)"),
    ("import asyncio", "asyncio.QueueEmpty", "pass", "import asyncio\ndef f(): asyncio.Queue().get_nowait()"),
    ("import graphlib", "graphlib.CycleError", "assert 'cycle' in str(e)",
     "import graphlib\ndef f(): graphlib.TopologicalSorter({1: [2], 2: [1]}).prepare()"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "kind", "check", "text"), KINDS)
def test_an_exception_is_caught_by_its_classes_and_has_what_it_has(first, kind, check, text):
    """By `except`, and by nothing that it is not: one that raises something else fails."""
    test = CATCH.format(first=first, kind=kind, check=check)
    libraries = {"libraries": ("numpy",)}
    assert passed(test, text, **libraries) is True, verdict(test, text, **libraries).feedback
    assert passed(test, f"{text}\ndef f(): raise TabError('x')", **libraries) is False
    assert passed(test, f"{text}\ndef f(): pass", **libraries) is False


def test_classes_of_exceptions_are_values_too():
    """As results and as arguments."""
    import_json = "import json\n"
    assert passed(
        import_json + "assert f() is json.JSONDecodeError", "import json\ndef f(): return json.JSONDecodeError"
    )
    assert passed(import_json + "assert f() is json.JSONDecodeError", "def f(): return ValueError") is False
    assert passed("assert issubclass(f(), ValueError)", "import binascii\ndef f(): return binascii.Error") is True
    assert passed("assert issubclass(f(), KeyError)", "import binascii\ndef f(): return binascii.Error") is False


@pytest.mark.parametrize(
    "text",
    [
        "import sys\ndef f(x): sys.exit(0)",
        "def f(x): raise SystemExit",
        "import unittest\ndef f(x): raise unittest.SkipTest('no')",
        "import unittest\nclass S(unittest.SkipTest): pass\ndef f(x): raise S('no')",
        "def f(x): raise StopIteration",
        "def f(x): raise KeyboardInterrupt",
        "import asyncio\ndef f(x): raise asyncio.CancelledError",
        "def f(x): raise GeneratorExit",
        "class E(SystemExit): code = 0\ndef f(x): raise E(0)",
        "class E(Exception):\n  __module__ = 'unittest.case'\nE.__qualname__ = 'SkipTest'\ndef f(x): raise E",
        "class E(Exception):\n  __module__ = 'searchkit.sandbox.remote'\nE.__qualname__ = 'Opaque'\ndef f(x): raise E",
        "try:\n  import _pytest.outcomes as o\n  def f(x): raise o.Skipped('x')\nexcept ImportError:\n"
        "  def f(x): raise KeyError",
        "import concurrent.futures\ndef f(x): raise concurrent.futures.CancelledError",
    ],
)
@pytest.mark.parametrize(
    "test",
    [
        "assert f(3) == 9",
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(3), 9)",
        "def test_a(): assert f(3) == 9",
        "assert all(map(lambda x: f(x) == x * x, [2, 3]))",
        "for x in (2, 3):\n    assert f(x) == x * x",
        "import unittest, sys\nclass T(unittest.TestCase):\n    def test_a(self):\n"
        "        with self.subTest(): self.assertEqual(f(3), 9)\nif __name__ == '__main__':\n    unittest.main()",
    ],
)
def test_no_exception_of_a_program_ends_a_test_well(test, text):
    """Neither by an exit status, nor as skipped, nor as the end of a loop."""
    assert passed(test, text) is False


def test_the_end_of_an_iterator_raised_by_a_method_is_unknown_where_the_test_waits_for_it():
    """Raised in the test, it could end a loop that checks."""
    text = "class It:\n  def pull(self): raise StopIteration"
    found = verdict("try:\n    It().pull()\nexcept StopIteration:\n    pass\nelse:\n    assert False", text)
    assert (found.passed, "raises the end of an iterator" in found.feedback) == (None, True)
    assert passed("it = It()\nassert it.pull() == 3", text) is False
