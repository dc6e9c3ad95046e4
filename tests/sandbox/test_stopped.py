"""Programs that are given up at any moment, also while their interpreters start: nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pair import Pair
from searchkit.sandbox.pool import Pool
from searchkit.sandbox.process import Broken, Interpreter
from searchkit.sandbox.report import Case, Report
from searchkit.sandbox.session import Session
from tests.helpers.left_behind import nothing_left

SQUARE = Case("def solve(x): return x * x", ("assert solve(2) == 4",))
SLEEPS = Case("import time\ntime.sleep(1000)", ("assert solve(2) == 4",))
READS = Case("import time\ntime.sleep(1000)", (("1", "2"), ("3", "4")))
LONG = Limits(wall=600.0)
HERE = str(Path(__file__).resolve().parents[2])


@pytest.fixture(scope="module", params=["bubblewrap", "landlock", "none"])
def level(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name != "none" and (reason := levels.trouble(name)):
        pytest.skip(f"{name}: {reason}")
    return name


class Gate:
    """Holds whoever comes to a place, until it is opened."""

    def __init__(self) -> None:
        self.come, self.open = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.come.set()
        assert self.open.wait(60)


@pytest.mark.parametrize("place", ["before the first", "before the second", "while it starts", "before it begins"])
@pytest.mark.parametrize("case", [SLEEPS, READS], ids=["calls", "script"])
def test_a_program_that_is_cancelled_while_its_interpreters_start_is_ended(
    place: str, case: Case, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step it is at; the thread is free again, and the next program runs."""
    gate, made = Gate(), list[int]()
    init, ready, begin = Interpreter.__init__, Interpreter.ready, Interpreter.begin

    def slow_init(self: Interpreter, *args: object) -> None:
        made.append(1)
        if (place, len(made)) in (("before the first", 1), ("before the second", 2)):
            gate.wait()
        init(self, *args)  # type: ignore[arg-type]

    def slow_ready(self: Interpreter) -> None:
        if place == "while it starts" and not gate.come.is_set():
            gate.wait()
        ready(self)

    def slow_begin(self: Interpreter, *args: object) -> None:
        if place == "before it begins" and not gate.come.is_set():
            gate.wait()
        begin(self, *args)  # type: ignore[arg-type]

    async def main() -> None:
        one = Pool(1)
        task = asyncio.ensure_future(one.run(level, case, LONG))
        assert await asyncio.to_thread(gate.come.wait, 60)
        task.cancel()
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.wait([task])
        assert task.cancelled()
        assert await one.run(level, SQUARE, Limits(wall=60.0)) == Report((True,))
        one.end()

    with nothing_left():
        for name, slow in (("__init__", slow_init), ("ready", slow_ready), ("begin", slow_begin)):
            monkeypatch.setattr(Interpreter, name, slow)
        asyncio.run(main())


def test_a_program_that_waits_for_its_turn_and_is_cancelled_never_starts(level: str) -> None:
    """Nor does it wait for the one before it."""

    async def main() -> None:
        one = Pool(1)
        first = asyncio.ensure_future(one.run(level, SLEEPS, LONG))
        second = asyncio.ensure_future(one.run(level, SQUARE, LONG))
        await asyncio.sleep(0.05)
        second.cancel()
        await asyncio.wait([second])
        assert second.cancelled()
        assert not first.done()
        first.cancel()
        await asyncio.wait([first])
        one.end()

    with nothing_left():
        asyncio.run(main())


def test_who_blocks_and_is_interrupted_leaves_nothing(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by Ctrl-C in the main thread, while an interpreter starts."""
    ready = Interpreter.ready

    def interrupts(self: Interpreter) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        ready(self)

    monkeypatch.setattr(Interpreter, "ready", interrupts)
    with nothing_left():
        one = Pool(1)
        with pytest.raises(KeyboardInterrupt):
            one.wait(level, SLEEPS, LONG)
        one.end()


def test_a_stopped_pair_never_starts_again(level: str) -> None:
    with nothing_left():
        two = Pair(level)
        two.stop()
        with pytest.raises(Broken, match="stopped"):
            two.run(SQUARE, LONG)


def test_a_session_that_is_killed_while_it_starts_begins_no_program(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, it may begin anew; closed, it never does."""
    gate, init = Gate(), Interpreter.__init__

    def slow(self: Interpreter, *args: object) -> None:
        gate.wait()
        init(self, *args)  # type: ignore[arg-type]

    raised = list[BaseException]()

    def begin() -> None:
        try:
            session.begin()
        except Broken as error:
            raised.append(error)

    with nothing_left():
        session = Session(level, (), LONG)
        with monkeypatch.context() as patch:
            patch.setattr(Interpreter, "__init__", slow)
            thread = threading.Thread(target=begin)
            thread.start()
            assert gate.come.wait(60)
            session.kill()
            gate.open.set()
            thread.join()
        assert [str(error) for error in raised] == ["it was killed"]
        session.begin()
        assert session.run("1 + 1", 60.0) == "2\n"
        session.close()
        with pytest.raises(Broken, match="killed"):
            session.begin()


CTRL_C = """
import asyncio, sys
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pool import POOL
from searchkit.sandbox.report import Case

sleeps = Case("import time\\ntime.sleep(1000)", ("assert f()",))
async def main():
    print("ready", flush=True)
    await POOL.run(sys.argv[1], sleeps, Limits(wall=600.0))

if sys.argv[2] == "loop":
    asyncio.run(main())
else:
    print("ready", flush=True)
    POOL.wait(sys.argv[1], sleeps, Limits(wall=600.0))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "later"), [("loop", 0.0), ("loop", 0.3), ("blocking", 0.03)])
def test_ctrl_c_ends_at_once_and_leaves_nothing(how: str, later: float, level: str, tmp_path: Path) -> None:
    """While an interpreter starts, and in a program: no child, no scratch folder, and nobody waits for the limit."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": HERE}
    with nothing_left():
        asking = subprocess.Popen(
            [sys.executable, "-c", CTRL_C, level, how], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        assert asking.stdout is not None
        assert asking.stdout.readline() == b"ready\n"
        time.sleep(later)
        asking.send_signal(signal.SIGINT)
        _, said = asking.communicate(timeout=60)
    assert b"KeyboardInterrupt" in said
    assert not list(tmp_path.iterdir())


UNHEARD = """
import signal, sys, threading, time
def interrupt():
    time.sleep(0.5)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
if sys.argv[1] == "program":
    from searchkit.sandbox.limits import Limits
    from searchkit.sandbox.pool import POOL
    from searchkit.sandbox.report import Case
    POOL.wait("none", Case("import time\\ntime.sleep(1000)", ("assert f()",)), Limits(wall=600.0))
else:
    import asyncio
    from searchkit import run_sync
    run_sync(asyncio.sleep(600))
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["program", "search"])
def test_an_interrupt_that_wakes_nobody_is_noticed(what: str) -> None:
    """One that another thread is given, or that comes just before the main one blocks: Python only notes it."""
    environment = {**os.environ, "PYTHONPATH": HERE}
    ended = subprocess.run(
        [sys.executable, "-c", UNHEARD, what], capture_output=True, timeout=120, env=environment, check=False
    )
    assert b"KeyboardInterrupt" in ended.stderr


@pytest.mark.slow
def test_the_end_of_python_waits_for_no_program(level: str, tmp_path: Path) -> None:
    """A search that goes on in searchkit's own thread does not hold up the end of the main one."""
    code = CTRL_C.replace("asyncio.run(main())", "__import__('threading').Thread(target=asyncio.run, args=(main(),), "
                          "daemon=True).start() or __import__('time').sleep(0.3)")  # fmt: skip
    with nothing_left():
        ended = subprocess.run(
            [sys.executable, "-c", code, level, "loop"], capture_output=True, timeout=60,
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": HERE}, check=False,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert not list(tmp_path.iterdir())


def test_what_fails_while_it_is_given_up_is_printed_by_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A second cancellation leaves at once; what comes of the program then is nobody's error."""

    async def main() -> None:
        one = Pool(1)
        task = asyncio.ensure_future(one.run("none", SLEEPS, LONG))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0.2)
        one.end()

    asyncio.run(main())
    assert not caplog.records
