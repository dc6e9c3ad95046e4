"""The sandbox, level by level, with real processes: no hostile program passes, gets out, or leaves anything behind."""

from __future__ import annotations

import ast
import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from searchkit.errors import ConfigError
from searchkit.sandbox import landlock, levels, process, seccomp
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pair import Pair
from searchkit.sandbox.process import Broken, Interpreter
from searchkit.sandbox.report import Case, Report
from searchkit.sandbox.session import Ended, Session
from tests.helpers.left_behind import adopt_orphans, descendants
from tests.sandbox.hostile_programs import ESCAPES, FORGERIES, HARMLESS

TESTS = ("assert solve(2) == 4", "assert solve(3) == 9")
TIGHT = Limits(cpu=1, wall=60.0, memory=2**28, output=2**20)  # the machine may be busy
IDLE = ("sleep", "stop_itself")  # what no limit on CPU time ends
REASONS = {
    "endless_with_signals_blocked": "timeout: more than 1 seconds of CPU",
    "sleep": "timeout: no end within 1 seconds",
    "memory_bomb": "MemoryError",
    "print_a_gigabyte": "File too large",
    "a_huge_list": "AssertionError",
    "crash": "the program ended: killed by SIGSEGV",
    "exit_in_the_call": "the program ended: exit status 0",
    "fork_by_32_bit_code": "the program ended: killed by SIGSYS",
    "syntax": "the program raised SyntaxError",
    "finds_the_tests": "AssertionError",
}
# Whose objects say that they are equal to the right answer, which nobody can know.
LIARS = ("equals_everything", "equals_everything_as_an_int", "lies_about_its_class")
MISTAKES = ("SyntaxError", "NameError", "AttributeError", "TypeError", "IndexError", "KeyError")
SECRET = "sk-canary-4711"


def bound(family, kind, address):
    """A real listener."""
    listener = socket.socket(family, kind)
    listener.bind(address)
    if kind == socket.SOCK_STREAM:
        listener.listen()
    return listener


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def world(request, tmp_path_factory):
    """A level, listeners, a secret and a victim; afterwards no process is left that was not there before."""
    if reason := levels.trouble(request.param):
        pytest.skip(f"{request.param}: {reason}")
    adopt_orphans(True)
    before = descendants()
    made = World(request.param, tmp_path_factory.mktemp("home"))
    yield made
    made.close()
    end = time.monotonic() + 10
    while descendants() - before and time.monotonic() < end:
        time.sleep(0.02)
    left = descendants() - before
    adopt_orphans(False)  # nobody would reap those of later tests
    assert not left


class World:
    """What there is to reach outside of the sandbox."""

    def __init__(self, level, folder):
        self.level, self.folder, self.canary = level, folder, folder / "secret.txt"
        os.environ["SEARCHKIT_TEST_KEY"] = SECRET
        self.canary.write_text(SECRET)
        self.victim = subprocess.Popen(["sleep", "600"])
        self.name = f"searchkit-{os.getpid()}-{level}"
        self.listeners = {
            "tcp": bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "udp": bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "unix": bound(socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "socket")),
            "abstract": bound(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.name}"),
            "datagrams": bound(socket.AF_UNIX, socket.SOCK_DGRAM, f"\0{self.name}-datagrams"),
        }
        self.other = Interpreter("none")
        Path(self.other.folder, "other").write_text(SECRET)
        self.pair = Pair(level)
        self.seen = self.outside()

    def program(self, text):
        names = {
            "canary": self.canary, "folder": self.folder, "secret": SECRET, "other": self.other.folder,
            "victim": self.victim.pid, "unix": self.folder / "socket", "tcp": self.listeners["tcp"].getsockname()[1],
            "udp": self.listeners["udp"].getsockname()[1], "abstract": self.name, "datagrams": self.name + "-datagrams",
        }  # fmt: skip
        for name, value in names.items():
            text = text.replace(f"@{name}@", str(value))
        return text

    def outside(self):
        """Everything that a program could have changed."""
        stat = self.canary.stat()
        return (
            self.canary.read_text(), stat.st_mode, stat.st_mtime, stat.st_uid, sorted(os.listdir(self.folder)),
            os.listxattr(self.canary), self.victim.poll(), sorted(os.listdir(self.other.folder)),
            [path for path in ("/tmp/searchkit-escaped", "/dev/shm/searchkit-escaped") if os.path.exists(path)],
            select.select(list(self.listeners.values()), [], [], 0)[0],
        )  # fmt: skip

    def close(self):
        self.pair.close()
        self.other.kill()
        self.victim.kill()
        self.victim.wait()
        for listener in self.listeners.values():
            listener.close()
        del os.environ["SEARCHKIT_TEST_KEY"]


@pytest.fixture(scope="module")
def bare():
    """Interpreters without a sandbox."""
    pair = Pair("none")
    yield pair
    pair.close()


# ---------------------------------------------------------------- hostile programs


LONG = {"endless_with_signals_blocked", "sleep", "stop_itself"}  # a second or two until they are killed
HOSTILE = [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in (*ESCAPES, *FORGERIES)]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_hostile_program_passes_gets_out_or_breaks_the_sandbox(name, world):
    """A verdict for each, and that is "failed"; what is outside is as it was; the next program runs as ever."""
    limits = replace(TIGHT, wall=1.0) if name in IDLE else TIGHT
    report = world.pair.run(Case(world.program({**ESCAPES, **FORGERIES}[name]), TESTS), limits)
    assert report.passed == ((None, None) if name in LIARS else (False, False))
    assert 0 < len(report.reason) <= 400
    assert world.outside() == world.seen
    assert REASONS.get(name, "") in report.reason
    if name in ESCAPES:
        assert not any(mistake in report.reason for mistake in MISTAKES), "the attack itself is wrong"
    honest = world.pair.run(Case("def solve(x): return x * x", TESTS), Limits(wall=60.0))
    assert honest == Report((True, True))


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in ESCAPES])
def test_no_hostile_cell_gets_out_of_its_session_or_breaks_it(name, world):
    """What is outside is as it was, the attack did not work, and the next program runs as ever."""
    session = Session(world.level, (), TIGHT)
    try:
        session.begin()
        with contextlib.suppress(Ended, TimeoutError):
            said = session.run(f"{world.program(ESCAPES[name])}\nprint(solve(7))", 1.0 if name in IDLE else 20.0)
            assert "49" not in said.splitlines()
            assert "Traceback" in said
            assert not any(mistake in said for mistake in MISTAKES), "the attack itself is wrong"
        assert world.outside() == world.seen
        session.begin()
        assert session.run("2 + 2", 60.0) == "4\n"
    finally:
        session.close()


@pytest.mark.parametrize("name", FORGERIES)
def test_no_forgery_passes_where_there_is_no_sandbox(name, bare):
    """What a verdict is worth does not depend on the sandbox: the tests are in another process."""
    assert bare.run(Case(FORGERIES[name], TESTS), TIGHT).passed == ((None, None) if name in LIARS else (False, False))


@pytest.mark.parametrize("name", ["fork", "subprocess", "new_process_group", "list_the_folder", "memory_file", "tcp"])
def test_the_corpus_would_notice_a_hole(name, bare, tmp_path):
    """With no sandbox, those attacks that do no harm do work, and pass: what stops them above is the sandbox."""
    with bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)) as listener:
        text = ESCAPES[name].replace("@folder@", str(tmp_path.parent)).replace("@tcp@", str(listener.getsockname()[1]))
        report = bare.run(Case(text, TESTS[:1]), Limits(wall=60.0, output=2**27))
    assert report == Report((True,))


def test_the_corpus_is_large_enough():
    """All different, and each a program by itself."""
    assert len({*ESCAPES.values(), *FORGERIES.values()}) == len(ESCAPES) + len(FORGERIES) >= 100


# ---------------------------------------------------------------- what is allowed, and what is thrown away


@pytest.mark.parametrize("name", HARMLESS)
def test_what_honest_programs_do_is_allowed(name, world):
    """Threads, event loops, files in the scratch folder, the standard library."""
    assert world.pair.run(Case(HARMLESS[name], ("assert solve(2) == 4",)), Limits(wall=60.0)) == Report((True,))


def test_a_program_that_leaves_files_costs_the_interpreter(world):
    """The next program finds an empty folder, since it is another one."""
    world.pair.run(Case(HARMLESS["scratch"], TESTS), Limits(wall=60.0))
    assert world.pair.player is None
    looks = Case("import os\ndef solve(x): return x * x if not os.listdir('.') else None", TESTS)
    assert world.pair.run(looks, Limits(wall=60.0)) == Report((True, True))


def test_an_interpreter_that_is_killed_is_no_verdict(world):
    """`Broken`: the verifier abstains; the next program gets another one."""
    honest = Case("def solve(x): return x * x", TESTS)
    world.pair.run(honest, Limits(wall=60.0))
    os.killpg(world.pair.player.process.pid, signal.SIGKILL)
    with pytest.raises(Broken):
        world.pair.run(honest, Limits(wall=60.0))
    assert world.pair.run(honest, Limits(wall=60.0)) == Report((True, True))


def test_nothing_outlives_the_process_that_asked(world, tmp_path):
    """Killed without a chance to clean up: its interpreters notice, and take their programs along."""
    code = f"""
from searchkit.sandbox.pair import Pair
from searchkit.sandbox.report import Case
from searchkit.sandbox.limits import Limits
pair = Pair({world.level!r})
pair.run(Case("def f(): return 1", ("assert f()",)), Limits(wall=60.0))
print("ready", flush=True)
pair.run(Case("import time; time.sleep(1000)", ("assert f()",)), Limits(wall=1000.0))
"""
    before = descendants()
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # an empty folder is what does stay behind
    asking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
    assert asking.stdout.readline() == b"ready\n"
    time.sleep(0.1)  # into the second program
    asking.kill()
    asking.wait()
    asking.stdout.close()
    end = time.monotonic() + 60
    while descendants() - before and time.monotonic() < end:
        time.sleep(0.02)
    assert descendants() <= before


# ---------------------------------------------------------------- which level


def test_auto_takes_the_best_level_that_works(monkeypatch):
    """Bubblewrap before Landlock; none but by name; what does not work is refused, naming the fix."""
    works = {"bubblewrap": "", "landlock": ""}
    monkeypatch.setattr(levels, "trouble", works.__getitem__)
    assert levels.choose("auto") == "bubblewrap"
    works["bubblewrap"] = "it is not installed"
    assert (levels.choose("auto"), levels.choose("none")) == ("landlock", "none")
    with pytest.raises(ConfigError, match=r"bubblewrap: it is not installed.*Install bubblewrap"):
        levels.choose("bubblewrap")
    works["landlock"] = "the kernel has version 0"
    with pytest.raises(ConfigError, match=r'landlock: the kernel has version 0\).*or pass sandbox="none"'):
        levels.choose("auto")
    with pytest.raises(ConfigError, match="got 'docker'"):
        levels.choose("docker")


def test_a_level_that_does_not_hold_is_not_used(monkeypatch):
    """The probe is a program that tries to get out: where it can, or there is no filter, there is no such level."""
    monkeypatch.setattr(process, "_command", lambda level, make=process._command: make("none"))
    configure = process.Interpreter._configure
    monkeypatch.setattr(
        process.Interpreter, "_configure", lambda self, level, packages: configure(self, "none", packages)
    )
    assert "a program could get out of it" in levels.trouble.__wrapped__("landlock")
    monkeypatch.setattr(landlock, "version", lambda: 2)
    assert "version 2 of Landlock, and 3 is needed" in levels.trouble.__wrapped__("landlock")
    monkeypatch.setattr(seccomp, "supported", lambda: False)
    assert "system calls it can filter" in levels.trouble.__wrapped__("bubblewrap")
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "/nowhere")
    assert levels.trouble.__wrapped__("bubblewrap") in ("it is not installed", levels.trouble("bubblewrap"))


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_the_filter_is_one_that_the_kernel_can_read(machine, monkeypatch):
    """Jumps stay inside, every path ends, no call is in the table twice, and few are missing on either machine."""
    monkeypatch.setattr(seccomp.platform, "machine", lambda: machine)
    code = list(struct.iter_unpack("HBBI", seccomp.program(4711)))
    assert len(code) < 4096
    for at, (operation, if_true, if_false, _) in enumerate(code):
        if operation in (seccomp.EQUAL, seccomp.ANY_BIT):
            assert max(if_true, if_false) + at + 1 < len(code)
    assert code[-1][0] == seccomp.RETURN
    numbers = [both[seccomp.MACHINES[machine][0]] for both in seccomp.ALLOWED.values()]
    known = [number for number in numbers if number is not None]
    assert len(known) == len(set(known)) > 70


def test_inside_runs_nothing_but_the_standard_library():
    """Fast to start, and nothing to attack: modules that run in the sandbox import only one another."""
    inside = (
        "arrays", "cases", "cells", "channel", "compiled", "endings", "errors", "executed", "failures", "flags",
        "found", "given", "judge", "landlock", "libraries", "limits", "measured", "moments", "named", "operations",
        "plain", "player", "program", "rehearsal", "remote", "script", "seccomp", "shared", "wire", "zygote",
    )  # fmt: skip
    for name in inside:
        tree = ast.parse((process.HERE / f"{name}.py").read_text())
        found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        own = {f"searchkit.sandbox.{other}" for other in inside} | {"searchkit.sandbox"}
        assert {module for module in found if module.startswith("searchkit")} <= own


def test_the_filter_of_a_process_is_that_of_another_but_for_its_number():
    pids = 4711, 2**22 - 1
    made = [seccomp.program(pid) for pid in pids]
    assert made == [seccomp.template(pid) for pid in pids]
    differ = [i for i in range(0, len(made[0]), 8) if made[0][i : i + 8] != made[1][i : i + 8]]
    assert 3 <= len(differ) <= 4
    assert {made[0][i + 4 : i + 8] for i in differ} == {struct.pack("I", pids[0])}
