"""Paths, patterns, UUIDs, members of enumerations, arrays of numbers, notes of exceptions, and what plain objects are
as truths: as in one process. Tests that start processes fail nobody."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

ROWS = [
    (True, "from http import HTTPStatus\nassert f() is HTTPStatus.OK\nassert f().phrase == 'OK'", 'from http import HTTPStatus\ndef f(): return HTTPStatus.OK'),
    (False, 'from http import HTTPStatus\nassert f() is HTTPStatus.OK', 'from http import HTTPStatus\ndef f(): return HTTPStatus.NOT_FOUND'),
    (False, 'from http import HTTPStatus\nassert f() is HTTPStatus.OK', 'def f(): return 200'),
    (True, 'from http import HTTPStatus\nassert f(HTTPStatus.OK)', 'from http import HTTPStatus\ndef f(s): return s is HTTPStatus.OK'),
    (True, 'import re\nassert f() == re.I | re.M', 'import re\ndef f(): return re.I | re.M'),
    (True, 'import signal\nassert f() is signal.SIGINT', 'import signal\ndef f(): return signal.SIGINT'),
    (True, "from pathlib import Path\nassert f('a') == Path('a/b')\nassert f('a').name == 'b'\nassert isinstance(f('a'), Path)", "from pathlib import Path\ndef f(x): return Path(x) / 'b'"),
    (False, "from pathlib import Path\nassert f('a') == Path('a/b')", "from pathlib import Path\ndef f(x): return Path(x) / 'c'"),
    (False, "from pathlib import Path\nassert f('a') == Path('a/b')", "def f(x): return 'a/b'"),
    (True, 'import uuid\nassert f() == uuid.UUID(int=5)\nassert f().int == 5', 'import uuid\ndef f(): return uuid.UUID(int=5)'),
    (False, 'import uuid\nassert f() == uuid.UUID(int=5)', 'import uuid\ndef f(): return uuid.UUID(int=6)'),
    (True, "import re\nassert f() == re.compile('a+')\nassert f().match('aa').end() == 2", "import re\ndef f(): return re.compile('a+')"),
    (False, "import re\nassert f() == re.compile('a+')", "import re\ndef f(): return re.compile('a+', re.I)"),
    (True, "from array import array\nassert f() == array('i', [1, 2])\na = f()\na.append(3)\nassert f(a) == array('i', [1, 2, 3])", "from array import array\ndef f(a=None): return array('i', [1, 2]) if a is None else a"),
    (True, "from array import array\na = array('d', [2.0, 1.0])\nf(a)\nassert a == array('d', [1.0, 2.0])", 'def f(a):\n    a[0], a[1] = a[1], a[0]'),
    (False, "from array import array\na = array('d', [2.0, 1.0])\nf(a)\nassert a == array('d', [1.0, 2.0])", 'def f(a): pass'),
    (True, 'from array import array\na = f()\na.append(1)\nassert g() == 1', "from array import array\nA = array('i')\ndef f(): return A\ndef g(): return len(A)"),
    (True, "from decimal import Decimal\nassert f() == Decimal('1.10')\nassert str(f()) == '1.10'", "from decimal import Decimal\ndef f(): return Decimal('1.10')"),
    (True, 'from fractions import Fraction\nassert f() == Fraction(1, 3)\nassert f() + 1 == Fraction(4, 3)', 'from fractions import Fraction\ndef f(): return Fraction(1, 3)'),
    (True, "from decimal import Decimal\nassert f(Decimal('2')) == [Decimal('4')]", 'def f(x): return [x*x]'),
    (True, 'node, out = make([1, 2, 3]), []\nwhile node:\n    out.append(node.val)\n    node = node.next\nassert out == [1, 2, 3]', 'class Node:\n    def __init__(self, v, n=None): self.val, self.next = v, n\ndef make(xs):\n    head = None\n    for x in reversed(xs): head = Node(x, head)\n    return head\n'),
    (False, 'node, out = make([1, 2, 3]), []\nwhile node:\n    out.append(node.val)\n    node = node.next\nassert out == [1, 2, 3]', 'class Node:\n    def __init__(self, v, n=None): self.val, self.next = v, n\ndef make(xs):\n    head = None\n    for x in xs: head = Node(x, head)\n    return head\n'),
    (None, 'assert f(3)', 'class A:\n    def __bool__(self): return True\ndef f(x): return A()'),
    (True, 'assert f(3)', 'class A: pass\ndef f(x): return A()'),
    (False, 'assert not f(3)', 'class A: pass\ndef f(x): return A()'),
    (None, 'assert f(3)', 'async def f(x): return 0'),
    (None, 'assert f(3)', 'class A:\n    def __len__(self): return 1\ndef f(x): return A()'),
    (True, "try:\n    f()\n    assert False\nexcept ValueError as e:\n    assert e.__notes__ == ['hint', 'two']", "def f():\n    e = ValueError('x')\n    e.add_note('hint')\n    e.add_note('two')\n    raise e"),
    (False, "try:\n    f()\n    assert False\nexcept ValueError as e:\n    assert e.__notes__ == ['hint', 'two']", "def f():\n    e = ValueError('x')\n    e.add_note('hint')\n    raise e"),
    (True, "try:\n    f()\n    assert False\nexcept ValueError as e:\n    assert not hasattr(e, '__notes__')", "def f():\n    raise ValueError('x')"),
    (True, "def cb(): raise KeyError('k')\ntry:\n    f(cb)\nexcept KeyError as e:\n    assert e.__notes__ == ['while calling']", "def f(cb):\n    try: cb()\n    except KeyError as e:\n        e.add_note('while calling')\n        raise"),
    (True, "try:\n    f()\nexcept* ValueError as g:\n    assert g.__notes__ == ['n']", "def f():\n    g = ExceptionGroup('g', [ValueError(1)])\n    g.add_note('n')\n    raise g"),
    (True, 'import multiprocessing\nassert f(2) == 4', 'def f(x): return x*x'),
    (None, 'import multiprocessing\nwith multiprocessing.Pool(2) as p:\n    assert p.map(f, [2]) == [5]', 'def f(x): return x*x'),
    (None, 'from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor() as p:\n    assert list(p.map(f, [2])) == [4]', 'def f(x): return x*x+1'),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "test", "program"), ROWS)
def test_the_verdict_is_that_of_one_process(expected, test, program):
    """Or none, where an object of the program's own would say whether it is right."""
    assert passed(test, program) is expected, verdict(test, program).feedback
