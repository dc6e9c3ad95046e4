"""Programs that read and print: how they read, what they print at their end, and what is said of how they ended."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

PAIRS = [("3\n", "9"), ("4\n", "16")]
BUFFERED = (
    "import atexit, io, sys\nbuffer = io.StringIO()\nsys.stdout = buffer\n@atexit.register\ndef write():\n    {}\n"
)
ENDS = [
    BUFFERED.format("sys.__stdout__.write(buffer.getvalue())") + "n = int(input())\nprint(n * n)",
    BUFFERED.format("sys.__stdout__.write(buffer.getvalue())") + "n = int(input())\nprint(n * n)\nsys.exit()",
    BUFFERED.format("import os; os.write(1, buffer.getvalue().encode())") + "n = int(input())\nprint(n * n)",
    "import sys\nn = int(sys.__stdin__.readline())\nsys.__stdout__.write(str(n * n))",
    "import atexit\nn = int(input())\natexit.register(print, n * n)",
    "import atexit, threading\nn = int(input())\natexit.register(lambda: print(r))\n"
    "def go():\n    global r\n    r = n * n\nthreading.Thread(target=go).start()",
    "out = open(1, 'w', closefd=False)\nout.write(str(int(input()) ** 2))",
    "out = open('/dev/stdout', 'w')\nout.write(str(int(input()) ** 2))",
    "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\n"
    "pool.submit(lambda n: print(n * n), int(input()))",
    "print(int(open('/dev/stdin').read()) ** 2)",
    "with open('/dev/stdin') as file:\n    print(int(file.readline()) ** 2)",
    "from pathlib import Path\nprint(int(Path('/dev/stdin').read_text()) ** 2)",
    "import io\nprint(int(io.open('/dev/fd/0', 'rb').read()) ** 2)",
    "import fileinput\nprint(int(next(fileinput.input('/dev/stdin'))) ** 2)",
    "import sys\nsys.stdin = open('/proc/self/fd/0')\nprint(int(input()) ** 2)",
    "import os\nos.write(1, str(int(os.read(0, 10)) ** 2).encode())",
    "import sys\nprint(int(input()) ** 2, end='')\nsys.stdout.flush()\nsys.stdout = None",
    "import atexit\natexit.register(lambda: 1 / 0)\nprint(int(input()) ** 2)",
]


@pytest.mark.parametrize("text", ENDS)
def test_what_is_printed_at_the_end_counts_and_streams_have_their_names(text):
    """As where Python runs the program by itself; one that prints another number fails."""
    assert passed(PAIRS, text) is True, verdict(PAIRS, text).feedback
    assert passed([("3\n", "6")], text) is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print(int(input()) / 0)", "test 1, the program raised ZeroDivisionError: division by zero"),
        ("def f(:", "test 1, the program raised SyntaxError: invalid syntax"),
        ("n = int(input())\nprint(nn)", "the program raised NameError: name 'nn' is not defined"),
        ("raise ValueError('a\\nb\\x1b' + 'x' * 9000)", "the program raised ValueError: a b xxx"),
        ("class E(Exception):\n  def __str__(self): 1 / 0\nraise E", "exit status 1"),
        ("import sys\nsys.exit(4)", "the program ended: exit status 4"),
        ("import sys\nsys.exit('no')", "the program ended: exit status 1"),
        ("import os\nos._exit(0)", "it printed something else"),
        ("import atexit, os\natexit.register(os._exit, 3)\nprint(9)", "the program ended: exit status 3"),
        ("import numpy", "the program imports 'numpy'"),
    ],
)
def test_how_a_script_ended_is_said(text, said):
    found = verdict(PAIRS, text)
    assert said in found.feedback
    assert found.passed in (False, None)
    assert found.feedback.isprintable()
    assert len(found.feedback) < 500


def test_a_checker_that_leaves_abstains():
    """Like one that raises something else: no verdict on the program."""

    def leaves(typed, printed, expected):
        raise SystemExit("no")

    found = verdict(PAIRS, "print(9)", checker=leaves)
    assert found.passed is None
    assert "the checker raised SystemExit: no" in found.feedback


def test_a_script_cannot_break_its_verdict_by_what_it_sends():
    """Brackets nested 3,000 deep, on every descriptor that it has: it printed the wrong number, and fails for that."""
    text = (
        "import os, struct\nbody = b'[' * 3000\nfor i in range(3, 30):\n"
        "    try: os.write(i, struct.pack('>I', len(body)) + body)\n    except OSError: pass\nprint(int(input()) * 2)"
    )
    assert passed(PAIRS, text) is False
