"""CodeActions: cells in the sandbox, an interpreter a branch, restored by running its cells again."""

from __future__ import annotations

import asyncio
import pickle
import time
from typing import Any

import pytest

from searchkit import solve_sync
from searchkit.environments import CodeActions, ToolEnvironment
from searchkit.errors import ConfigError, StaleBranch
from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.strategies import MCTS, UCT
from searchkit.types import Message
from searchkit.verifiers import Predicate
from tests.environments.live_worlds import drive, driven
from tests.environments.tools.test_environment import add, seen, told
from tests.environments.tools.worlds import answered, model, observed

pytestmark = pytest.mark.skipif(
    all(levels.trouble(level) for level in levels.LEVELS), reason="there is no sandbox on this machine"
)


def cell(code: str) -> tuple[str, Any]:
    return "python", {"code": code}


def run(*cells: str, **options: Any) -> list[str]:
    """What each cell shows, each in a turn of its own."""
    return seen(ToolEnvironment([CodeActions()], **options), *[[cell(code)] for code in cells])


def test_cells_are_those_of_a_notebook() -> None:
    """State is kept, the last value shown, a traceback is the cell's own; files are kept too."""
    cells = ["x = 3\nx + 1", "print('a')\nNone", "y = [x]\ny.append(1/0)", "y", "def f(n): return n * x", "f(2)",
             "open('f', 'w').write('hi'); print(open('f').read())", "import math", "math.pi"]  # fmt: skip
    said = run(*cells)
    assert said[:2] == ["4\n", "a\n"]
    assert said[2].startswith(
        'Traceback (most recent call last):\n  File "<cell 3>", line 2, in <module>\n    y.append(1/0)'
    )
    assert said[2].endswith("ZeroDivisionError: division by zero\n")
    assert said[3:6] == ["[3]\n", "", "6\n"]
    assert said[6:] == ["hi\n", "", "3.141592653589793\n"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def f(: x", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "E"),
        ("import numpy", "No module named 'numpy'"),
        ("import socket; socket.socket()", "PermissionError"),
        ("open('/etc/passwd').read()", "Error"),
        ("[0] * 10**11", "MemoryError"),
        ("def f(): f()\nf()", "RecursionError"),
        ("'\\ud800'", "'\\ud800'"),
        ("print('\\ud800')", "?"),
        ("import sys; sys.stdout = None; sys.stderr = None", ""),
        ("del __builtins__", ""),
        ("\0", "Error"),
    ],
)
def test_whatever_a_cell_does_is_an_observation_and_the_next_one_runs(code: str, says: str) -> None:
    first, second, third = run("kept = 7", code, "kept")
    assert (first, third) == ("", "7\n")
    assert says in second
    assert "searchkit" not in second  # where this package lies is no cell's business


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos._exit(0)", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "import os\nos.close(4)",
        "import os, struct\nos.write(4, struct.pack('>I', 2**31) + b'x')", "import os\nos.write(4, b'\\0\\0\\0\\1x')",
        "import ctypes\nctypes.string_at(0)",
    ],
)  # fmt: skip
def test_a_cell_that_ends_or_confuses_the_interpreter_has_changed_nothing(code: str) -> None:
    first, second, third = run("kept = [7]", f"kept.append(8)\n{code}", "kept")
    assert (first, third) == ("", "[7]\n")
    assert second.startswith("Error: python ended the interpreter")


WRITE = """import json, os, struct
def write(body, copies=1):
    for number in range(3, 64):
        try: os.write(number, (struct.pack('>I', len(body)) + body) * copies)
        except OSError: pass
"""


@pytest.mark.parametrize(
    "body", ["b'\"abc\"'", "b'{\"a\": 1}'", "b'[' * 100_000", "b'\"' + b'0' * 32 + b'abc\"'", "b''"]
)
@pytest.mark.parametrize("copies", [1, 10])
def test_what_a_cell_writes_to_its_channel_is_no_answer_of_its_or_a_later_cell(body: str, copies: int) -> None:
    said = run("kept = 7", f"{WRITE}write({body}, {copies})", "kept", "kept + 1")
    assert (said[0], *said[2:]) == ("", "7\n", "8\n")
    assert said[1].startswith("Error: python ended the interpreter: ")


def test_what_is_written_behind_an_answer_ends_a_later_cell_and_shifts_none() -> None:
    """From a thread, when the cell has been answered: the cell that is run then has changed nothing."""
    late = "import threading, time\ndone = threading.Timer(0.3, write, [b'\"abc\"'])\ndone.start()"
    said = run("kept = 7", WRITE, late, "done.join(); time.sleep(0.1); kept", "kept")
    assert said[3].startswith("Error: python ended the interpreter")
    assert said[4] == "7\n"


def test_a_forged_answer_is_of_its_own_cell_alone() -> None:
    """What the answer has to begin with lies in the memory of the program's process."""
    forged = """import sys
frame = sys._getframe()
while frame and 'asked' not in frame.f_locals: frame = frame.f_back
if frame: write(json.dumps(frame.f_locals['asked'][:32] + 'forged').encode())
None"""
    said = run("kept = 7", WRITE, forged, "kept", "kept")
    assert said[2] == "forged" or said[2].startswith("Error: python ended the interpreter")
    for later in said[3:]:
        assert later == "7\n" or later.startswith("Error: python ended the interpreter")


@pytest.mark.parametrize(
    "code",
    [
        "import builtins; builtins.print = None",
        "import builtins\nfor name in [*vars(builtins)]: vars(builtins)[name] = None",
        "import builtins; vars(builtins).clear()",
        "__builtins__.__dict__.update(len=None, repr=None, compile=None, eval=None, exec=None, isinstance=None)",
        "import ast; ast.parse = lambda *a: 1/0; ast.Expr = ast.Expression = ast.PyCF_ONLY_AST = None",
        "import json; json.dumps = json.loads = None; json.encoder.encode_basestring_ascii = None",
        "import json.decoder; json.decoder.scanstring = json.decoder.JSONDecoder.decode = None",
        "import linecache; linecache.cache = None", "import sys; sys.modules.clear()",
        "import sys; sys.stdout = None; sys.__stdout__ = None", "import struct; struct.Struct = struct.pack = None",
        "import traceback; traceback.TracebackException = traceback.StackSummary = None",
        "import io; io.StringIO = None",
        "import socket; socket.socket.recv = socket.socket.sendall = socket.socket.close = None",
        "import __main__; del __main__.__builtins__", "__builtins__ = {}", "import types; types.ModuleType = None",
    ],
)  # fmt: skip
def test_a_cell_that_replaces_what_python_has_breaks_no_later_cell(code: str) -> None:
    said = run("kept = 7", code, "kept", "1/0", "kept = kept + 1\nkept")
    assert (said[0], said[2], said[4]) == ("", "7\n", "8\n")
    assert "ZeroDivisionError" in said[3]


def test_the_builtins_of_cells_are_pythons_own_module() -> None:
    said = run("import builtins, types; isinstance(__builtins__, types.ModuleType), __builtins__ is builtins",
               "builtins.shout = lambda: 'HO'", "shout()", "del __builtins__", "shout()")  # fmt: skip
    assert said == ["(True, True)\n", "", "'HO'\n", "", "'HO'\n"]


@pytest.mark.slow
def test_a_cell_that_takes_too_long_is_given_up_and_has_changed_nothing() -> None:
    """Also one that goes on sending, so that no time-out of a socket is ever reached."""
    trickle = """import os, struct, time
kept.append(8)
os.write(4, struct.pack('>I', 100))
while True:
    os.write(4, b' ')
    time.sleep(0.05)"""
    begun = time.monotonic()
    for code in ("kept.append(8)\nwhile True: pass", "import time\nkept.append(8)\ntime.sleep(60)", trickle):
        said = run("kept = [7]", code, "kept", seconds=1.5)
        assert said == ["", "Error: python took more than 1.5 seconds, and was given up.", "[7]\n"]
    assert time.monotonic() - begun < 60


def test_very_much_output_is_cut_in_the_sandbox_and_again_for_the_model() -> None:
    [said] = run("print('a' * 50_000_000)", characters=10)
    assert said == f"aaaaa\n[{2**20 - 10:,} of {2**20:,} characters left out]\naaaaa"


def test_branches_do_not_know_of_each_other_and_random_numbers_are_the_same_again() -> None:
    environment = ToolEnvironment([CodeActions(), add])

    async def body(prompt: Any, run: Any) -> None:
        root = await environment.start(prompt, run)
        start = await told(
            environment, root, [cell("import random\nx = [random.random()]"), ("add", {"a": 1})], run=run
        )
        states = [start]
        for letter in "abcd":
            states.append(
                await told(environment, states[len(states) // 2], [cell(f"x.append('{letter}')\nx")], run=run)
            )
        for state in states:
            after = await told(environment, state, [cell("len(x), object()")], run=run)
            length = observed(after.messages())[-1]
            assert length.startswith(f"({len(state.turns)}, <object object at 0x")
            again = await told(environment, after, [cell("hash('a'), random.random()")], run=run)
            first = observed(again.messages())[-1]
            assert first == observed((await told(environment, again, [cell("1")], run=run)).messages())[-2]

    drive(body)


def test_a_cell_that_shows_the_time_makes_its_branch_stale() -> None:
    environment = ToolEnvironment([CodeActions()])

    async def body(prompt: Any, run: Any) -> None:
        root = await environment.start(prompt, run)
        state = await told(environment, root, [cell("import time\ntime.time_ns()")], run=run)
        await told(environment, root, [cell("1")], run=run)
        with pytest.raises(StaleBranch):
            await told(environment, state, [cell("2")], run=run)

    drive(body)


def test_a_cancelled_search_ends_its_interpreters_at_once() -> None:
    environment = ToolEnvironment([CodeActions()], seconds=600)

    async def main() -> float:
        async def body(prompt: Any, run: Any) -> None:
            await told(
                environment, await environment.start(prompt, run), [cell("import time\ntime.sleep(500)")], run=run
            )

        for moment in (0.0, 0.05, 0.5):
            task = asyncio.create_task(driven(body))
            await asyncio.wait([task], timeout=moment)
            begun = time.monotonic()
            task.cancel()
            await asyncio.wait([task])
            assert asyncio.all_tasks() == {asyncio.current_task()}
        return time.monotonic() - begun

    assert asyncio.run(main()) < 30


def test_a_search_over_code_finds_the_program() -> None:
    """Three digits, each found by a cell; the interpreter says how much is right."""

    def reply(messages: tuple[Message, ...], seed: int) -> Any:
        said = observed(messages)
        if not said:
            return [cell("lock, tried = '201', ''\ndef turn(d):\n    global tried\n    tried += d\n    print(tried)")]
        return f"opened {said[-1]}".strip() if len(said) == 4 else [cell(f"turn('{seed % 3}')")]

    def judge(answer: Any) -> float:
        digits = str(answer).split()[-1] if answer else ""
        return sum(a == b for a, b in zip(digits, "201", strict=False)) / 3

    environment = ToolEnvironment([CodeActions(copies=2)])
    search = MCTS(Predicate(judge), UCT(), environment, iterations=60, width=8, threshold=1.0)
    assert solve_sync("open", search, generator=model(reply)).answer == "opened 201"


def test_code_between_fences_is_an_action_for_models_that_call_no_tools() -> None:
    """CodeAct as published: text with a block of code, and what it shows as the user's turn; no block is the end."""
    environment = ToolEnvironment([CodeActions(fenced=True), add])

    async def body(prompt: Any, run: Any) -> None:
        root = await environment.start(prompt, run)
        assert [tool.count('"add"') for tool in environment.prompt(root).tools] == [1]
        turns = ["I set x.\n```python\nx = 2\nx\n```\nand\n```py\nx + 1\n```", "```\nno Python\n```\nIt is 3."]
        first = await told(environment, root, turns[0], run=run)
        messages = environment.prompt(first).messages
        assert [(m.role, m.text) for m in messages[1:]] == [("assistant", turns[0]), ("user", "2\n\n3\n")]
        assert messages[1].tool_calls == ()
        assert environment.candidate(first).text == f"{turns[0]}\n2\n\n3\n\n"
        last = await environment.step(first, answered(turns[1]), run)
        assert (last.terminal, last.state.said) == (True, turns[1])
        called = await told(environment, first, [("add", {"a": 1})], run=run)
        assert observed(called.messages()) == ["2"]
        cut_off = await environment.step(root, answered("```python\nx = ", finish="length"), run)
        assert (cut_off.terminal, environment.candidate(cut_off.state).truncated) == (True, True)

    drive(body)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "a b"}, "no name for a tool"),
        ({"libraries": ("nowhere_at_all",)}, "not installed"),
        ({"libraries": "numpy"}, "in a tuple"),
        ({"limits": Limits(memory=1)}, "memory"),
        ({"sandbox": "docker"}, "sandbox is"),
    ],
)
def test_impossible_configurations_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        CodeActions(**options)


def test_it_pickles() -> None:
    environment = ToolEnvironment([CodeActions(libraries=("sympy",))])
    assert pickle.loads(pickle.dumps(environment)) == environment


@pytest.mark.slow
def test_named_libraries_are_there() -> None:
    environment = ToolEnvironment([CodeActions(libraries=("numpy",))])
    assert seen(environment, [cell("import numpy as np\nint(np.arange(4).sum())")]) == ["6\n"]
