"""The maths worker: killed and replaced when it overruns, shared by threads and loops, gone at exit, limited."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from searchkit.errors import VerifierError
from searchkit.verifiers.reference.maths import server
from searchkit.verifiers.reference.maths import worker as workers
from searchkit.verifiers.reference.maths.outcome import Algebra, Outcome
from searchkit.verifiers.reference.maths.server import receive, send
from searchkit.verifiers.reference.maths.two_readings import Unreadable
from searchkit.verifiers.reference.maths.worker import QUEUE, Worker

# Equal, but to show it sympy would have to expand 135,751 terms.
LONG = ("(a+b+c+d+f)^{40}", "a(a+b+c+d+f)^{39}+(b+c+d+f)(a+b+c+d+f)^{39}")
PATIENCE = 60.0  # seconds until a test gives up on what ends by itself


@pytest.fixture(scope="module")
def worker():
    """A worker of our own, with all the time that it needs."""
    own = Worker(limit=PATIENCE)
    yield own
    own.close()


def multiple(worker, n):
    """A pair that needs sympy, and whose outcome depends on n."""
    return worker.compare(r"\sin(2x)", rf"{n}\sin x\cos x").equal


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def run(code, **options):
    """Run a program of its own; its output."""
    options = {"timeout": 120, "capture_output": True, "text": True} | options
    ran = subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], check=False, **options)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.split()


def test_it_compares(worker):
    """Equal, different and unknown come back with their reasons."""
    assert worker.compare(r"\sin 2x", r"2\sin x\cos x") == Outcome(True, "the difference simplifies to 0")
    assert worker.compare(r"\sin 2x", r"2\sin x") == Outcome(False, "another value")
    assert worker.compare("1", "1/2x") == Outcome(None, "'1/2x' could not be read: a/bc may be a/(bc) or (a/b)c")


def test_what_overruns_is_killed_and_replaced(worker, monkeypatch):
    """Its process is gone, not a zombie; another one answers."""
    assert multiple(worker, 2) is True
    before = worker.pid
    monkeypatch.setattr(worker, "limit", 0.5)
    assert worker.compare(*LONG) == Outcome(None, "no answer within 0.5 seconds")
    monkeypatch.undo()
    assert is_gone(before)
    assert multiple(worker, 2) is True
    assert worker.pid != before


def test_one_that_died_while_idle_is_replaced(worker):
    """Nothing is lost but time."""
    assert multiple(worker, 2) is True
    os.kill(worker.pid, signal.SIGKILL)
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)  # until it is dead
    assert [multiple(worker, 2), multiple(worker, 3)] == [True, False]


@pytest.mark.slow
def test_one_that_dies_at_work_leaves_its_pair_unknown():
    """And the next pair is answered."""
    own = Worker(limit=PATIENCE)
    assert multiple(own, 2) is True
    killer = threading.Timer(0.2, os.kill, (own.pid, signal.SIGKILL))
    killer.start()
    assert own.compare(*LONG) == Outcome(None, "the worker died")
    assert multiple(own, 2) is True
    own.close()


def test_closing_ends_it_and_may_be_repeated(worker):
    """The next comparison starts another one."""
    assert multiple(worker, 2) is True
    before = worker.pid
    worker.close()
    worker.close()
    assert worker.pid is None
    assert is_gone(before)
    assert multiple(worker, 2) is True


def test_threads_get_their_own_answers(worker):
    """Eight threads at once: each of 80 outcomes belongs to its pair."""
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda n: multiple(worker, n), [2, 3, 4, 2] * 20)]
    assert found == [True, False, False, True] * 20


def test_event_loops_in_several_threads_share_one():
    """Four loops at once, twenty comparisons each, one process."""

    async def go():
        outcomes = [QUEUE.compare(r"\sin(2x)", rf"{n % 3}\sin x\cos x") for n in range(20)]
        return [(await outcome).equal for outcome in outcomes], QUEUE.worker.pid

    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(lambda _: asyncio.run(go()), range(4))]
    assert [equal for equal, _ in found] == [[n % 3 == 2 for n in range(20)]] * 4
    assert len({pid for _, pid in found}) == 1


def test_a_cancelled_comparison_leaves_the_next_one_its_own_answer():
    """The thread reads the reply to the end, whoever still waits for it."""

    async def go():
        first = asyncio.ensure_future(QUEUE.compare(r"\sqrt{7+2\sqrt{10}}", r"\sqrt2+\sqrt5"))
        await asyncio.sleep(0)
        first.cancel()
        second = await QUEUE.compare(r"\sin x", r"\cos x")
        return first.cancelled(), second.equal

    assert asyncio.run(go()) == (True, False)


# ---------------------------------------------------------------- processes

IMPORT = "from searchkit.verifiers.reference.maths.worker import QUEUE"
COMPARE = r"assert QUEUE.worker.compare(r'\sin(2x)', r'2\sin x\cos x').equal"


def test_nothing_is_started_before_it_is_needed_and_nothing_is_left_at_exit():
    """A program that compares with sympy leaves no process, no warning, and did not load sympy itself."""
    [before, pid] = run(
        f"""
        import sys
        {IMPORT}
        print(QUEUE.worker.pid)
        {COMPARE}
        print(QUEUE.worker.pid)
        assert "sympy" not in sys.modules
        """
    )
    assert before == "None"
    assert is_gone(int(pid))


@pytest.mark.slow
def test_it_ends_with_a_parent_that_was_killed():
    """Its stdin ends, which is all that it needs."""
    code = f"{IMPORT}\n{COMPARE}\nprint(QUEUE.worker.pid, flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.kill()
    wait_until(lambda: is_gone(pid))


def test_modules_in_the_working_folder_are_not_imported(tmp_path):
    """A file called like a module does not run in the worker."""
    for name in ("sympy", "json", "mpmath"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')")
    code = f"import sys; sys.path.remove('')\n{IMPORT}\n{COMPARE}"
    run(code, cwd=tmp_path)
    assert not (tmp_path / "imported").exists()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_a_worker_of_its_own():
    """Parent and child both go on, with different processes, and the child's is gone when it is."""
    [parent, child, again] = run(
        f"""
        import os
        {IMPORT}
        {COMPARE}
        print(QUEUE.worker.pid, flush=True)
        if (pid := os.fork()) == 0:
            {COMPARE}
            print(QUEUE.worker.pid, flush=True)
            QUEUE.worker.close()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        {COMPARE}
        print(QUEUE.worker.pid)
        """
    )
    assert parent == again != child
    assert is_gone(int(child))


def test_a_worker_that_cannot_start_says_what_to_check(monkeypatch):
    """No interpreter, and an interpreter that ends at once."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(VerifierError, match="the maths worker did not start"):
        Worker().compare("1", "1")
    monkeypatch.undo()
    monkeypatch.setattr(workers, "_COMMAND", ("-c", "pass"))
    with pytest.raises(VerifierError, match="import sympy'` works"):
        Worker().compare("1", "1")


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
def test_the_kernel_limits_memory_and_files(tmp_path):
    """What the worker calls on itself: no more memory than it says, and no file that is longer than nothing."""
    [memory, size] = run(
        """
        from searchkit.verifiers.reference.maths.server import MEMORY, limit_memory
        limit_memory()
        try:
            bytearray(MEMORY)
        except MemoryError:
            print("refused")
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            with open("file", "wb", buffering=0) as file:
                file.write(b"x")
        except OSError:
            print("refused")
        """,
        cwd=tmp_path,
    )
    assert (memory, size) == ("refused", "refused")
    assert (tmp_path / "file").stat().st_size == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on CPU time on Windows")
def test_the_kernel_limits_cpu_time():
    """A pair that nobody is left to kill ends by itself; here after a second instead of five."""
    code = "from searchkit.verifiers.reference.maths import server\nserver.CPU_SECONDS = 1\nserver.limit_cpu()\n"
    ran = subprocess.run([sys.executable, "-c", code + "while True: pass"], timeout=PATIENCE, check=False)
    assert ran.returncode == -signal.SIGXCPU


def test_messages_survive_the_wire_and_a_cut_one_is_none():
    """Any JSON, one after the other; at the end, or in the middle of one, there is none."""
    stream = io.BytesIO()
    for message in (["a", "ß"], "ready", [None, "x" * 100_000]):
        send(stream, message)
    whole = stream.getvalue()
    stream.seek(0)
    assert [receive(stream) for _ in range(4)] == [["a", "ß"], "ready", [None, "x" * 100_000], None]
    assert receive(io.BytesIO(whole[:3])) is None
    assert receive(io.BytesIO(whole[:6])) is None


def test_an_error_inside_the_comparison_is_unknown():
    """Whatever an algebra raises: the pair is unknown, and the worker goes on."""

    class Broken(Algebra):
        def __init__(self, error):
            super().__init__()
            self.error = error

        def same(self, a, b):
            raise self.error

        def same_equation(self, a, b):
            raise self.error

    outcomes = [
        server.judge_pair("x", "y", Broken(error)) for error in (RecursionError(), MemoryError(), Unreadable("no"))
    ]
    assert outcomes == [
        Outcome(None, "sympy failed with RecursionError"),
        Outcome(None, "it needs too much memory"),
        Outcome(None, "no"),
    ]
    assert server.judge_pair("", "1", Broken(ValueError())) == Outcome(None, "there is no answer")
