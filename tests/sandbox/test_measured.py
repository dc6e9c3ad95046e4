"""What a program has too much of: files, folders, bytes, threads. What cannot be measured is too much."""

from __future__ import annotations

import os
import textwrap
import threading
from pathlib import Path

import pytest

from searchkit.sandbox import crowd, levels, measured
from searchkit.sandbox.limits import MOST_FILES, MOST_THREADS, SCRATCH, Limits
from searchkit.sandbox.measured import too_much
from searchkit.sandbox.pair import Pair
from searchkit.sandbox.report import Case, Report
from searchkit.sandbox.session import Ended, Session
from tests.helpers.left_behind import nothing_left

TESTS = ("assert solve(2) == 4",)
LIMITS = Limits(cpu=30, wall=60.0, memory=2**35)  # of address space, of which each thread reserves some


def test_what_is_there_is_measured(tmp_path: Path) -> None:
    assert too_much(str(tmp_path)) == ""
    for i in range(MOST_FILES // 2):
        (tmp_path / f"{i}" / "d").mkdir(parents=True)
    assert too_much(str(tmp_path)) == ""
    (tmp_path / "one").touch()
    assert too_much(str(tmp_path)) == f"more than {MOST_FILES:,} files and folders in its scratch folder"


def test_bytes_count_wherever_they_are(tmp_path: Path) -> None:
    """Blocks, not lengths: a sparse file takes no room."""
    (tmp_path / "d").mkdir()
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    assert too_much(str(tmp_path)) == ""
    for i in range(5):
        (tmp_path / "d" / f"{i}").write_bytes(bytes(SCRATCH // 4))
    os.sync()
    assert too_much(str(tmp_path)) == "its scratch folder was full"


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(36, "too long"), OSError(5, "I/O")]
)
def test_an_error_is_too_much(error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never an empty folder."""

    def fails(folder: str) -> str:
        raise error

    monkeypatch.setattr(measured, "_look", fails)
    assert too_much(str(tmp_path)) == f"its scratch folder cannot be measured: {error.strerror}"


def test_what_vanishes_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that removes its files is no offender; one that never stands still is."""
    look, looks = measured._look, list[int]()

    def vanishing(times: int) -> str:
        def once(folder: str) -> str:
            looks.append(1)
            if len(looks) <= times:
                raise FileNotFoundError(2, "gone")
            return look(folder)

        looks.clear()
        monkeypatch.setattr(measured, "_look", once)
        return too_much(str(tmp_path))

    assert vanishing(measured.TRIES - 1) == ""
    assert vanishing(measured.TRIES) == "its scratch folder cannot be measured: it never stands still"


def test_the_threads_of_a_process_are_counted() -> None:
    """Of ours, too; one that is gone has none."""
    before = crowd.threads(os.getpid())
    gate = threading.Event()
    more = [threading.Thread(target=gate.wait) for _ in range(5)]
    for one in more:
        one.start()
    try:
        assert crowd.threads(os.getpid()) == before + 5
        assert os.getpid() in crowd.members({os.getpgid(0)})[os.getpgid(0)]
    finally:
        gate.set()
        for one in more:
            one.join()
    assert crowd.threads(2**22 + 1) == 0


def test_threads_that_cannot_be_counted_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "_stat", lambda pid: [])
    assert crowd.threads(1) > MOST_THREADS

    def refused(pid: str) -> list[str]:
        raise PermissionError

    monkeypatch.setattr(crowd, "_stat", refused)
    assert crowd.threads(1) > MOST_THREADS


class Fake:
    """An interpreter without a sandbox; what is done to it."""

    grows = True

    def __init__(self, group: int) -> None:
        self.group, self.said, self.ended = group, list[str](), threading.Event()

    def crowded(self, reason: str) -> None:
        self.said.append(reason)

    def program(self) -> int:
        raise AssertionError("its programs may be several processes")

    def signal(self) -> None:
        self.ended.set()


def test_a_program_that_cannot_be_seen_is_ended() -> None:
    """As where /proc hides it, or where too many files are open to look; the thread that looks goes on looking."""
    watch = crowd.Watch()
    for _ in range(2):
        hidden = Fake(2**22 + 7)
        watch.add(hidden)
        assert hidden.ended.wait(60)
        assert hidden.said[0] == "its threads cannot be counted"
        watch.remove(hidden)


def test_a_level_whose_programs_cannot_be_seen_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    level = next((one for one in levels.LEVELS if not levels.trouble(one)), None)
    if level is None:
        pytest.skip("there is no level")
    monkeypatch.setattr("searchkit.sandbox.pool.members", lambda groups: {})
    assert "cannot be seen in /proc" in levels.trouble.__wrapped__(level)


# ---------------------------------------------------------------- in the sandbox


@pytest.fixture(scope="module", params=["bubblewrap", "landlock", "none"])
def two(request: pytest.FixtureRequest):
    if request.param != "none" and (reason := levels.trouble(request.param)):
        pytest.skip(f"{request.param}: {reason}")
    with nothing_left():
        made = Pair(request.param)
        yield made
        made.close()


FRAME = (
    "import os, tempfile, threading, time\ndef attack():\n{}\n    time.sleep(30)\n"
    "def solve(x):\n    attack()\n    return x * x"
)
ATTACKS = {
    "files": ("    for i in range(3000): open(str(i), 'w').close()", "more than 1,000 files and folders"),
    "folders": ("    for i in range(3000): os.mkdir(str(i))", "more than 1,000 files and folders"),
    "deep folders": ("    for i in range(3000):\n        os.mkdir('d')\n        os.chdir('d')", "scratch folder"),
    "files of folders": (
        "    for i in range(40):\n        os.mkdir(str(i))\n"
        "        for j in range(40): open(f'{i}/{j}', 'w').close()", "more than 1,000 files and folders",
    ),
    "bytes below a folder that may not be read": (
        "    os.mkdir('d', 0o300)\n    for i in range(90): open(f'd/{i}', 'wb').write(bytes(2**20 - 1))",
        "scratch folder",
    ),
    "bytes below folders that may not be read": (
        "    os.mkdir('d', 0o700)\n    os.mkdir('d/e', 0o300)\n"
        "    for i in range(90): open(f'd/e/{i}', 'wb').write(bytes(2**20 - 1))", "scratch folder",
    ),
    "bytes below a folder that moves": (
        "    os.mkdir('d0')\n    for i in range(60): open(f'd0/{i}', 'wb').write(bytes(2**20 - 1))\n"
        "    for i in range(10**7):\n        os.rename(f'd{i}', f'd{i + 1}')\n"
        "        if i < 30: open(f'd{i + 1}/x{i}', 'wb').write(bytes(2**20 - 1))", "scratch folder",
    ),
    "threads": (
        "    for _ in range(500): threading.Thread(target=time.sleep, args=(30,), daemon=True).start()",
        f"more than {MOST_THREADS} threads",
    ),
    "small threads": (
        "    threading.stack_size(32768)\n"
        "    for _ in range(500): threading.Thread(target=time.sleep, args=(30,), daemon=True).start()",
        f"more than {MOST_THREADS} threads",
    ),
    "threads that come and go": (
        "    import itertools\n    live = []\n    for _ in range(10**6):\n"
        "        live.append(threading.Thread(target=time.sleep, args=(1,), daemon=True))\n        live[-1].start()",
        f"more than {MOST_THREADS} threads",
    ),
}  # fmt: skip
BY_KERNEL = {"bytes below a folder that may not be read", "bytes below folders that may not be read",
             "bytes below a folder that moves"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_too_much_ends_a_program_at_every_level(attack: str, two: Pair) -> None:
    """It fails, is told why, and leaves nothing; the next program runs."""
    body, reason = ATTACKS[attack]
    report = two.run(Case(FRAME.format(body), TESTS), LIMITS)
    assert report.passed == (False,)
    full = attack in BY_KERNEL and two.level == "bubblewrap" and "No space left" in report.reason
    assert reason in report.reason or full, report.reason
    assert two.run(Case("def solve(x): return x * x", TESTS), LIMITS) == Report((True,))


HONEST = {
    "temporary files": "for i in range(2000):\n    with tempfile.NamedTemporaryFile(): pass",
    "temporary folders": "for i in range(500):\n    with tempfile.TemporaryDirectory(): pass",
    "renames": "for i in range(5000):\n    open('a', 'w').close()\n    os.rename('a', 'b')\nos.remove('b')",
    "a hundred threads": "with ThreadPoolExecutor(100) as pool: list(pool.map(lambda _: time.sleep(0.3), range(100)))",
}


@pytest.mark.parametrize("name", HONEST)
def test_what_honest_programs_do_is_not_too_much(name: str, two: Pair) -> None:
    imports = "import os, tempfile, time\nfrom concurrent.futures import ThreadPoolExecutor\n"
    body = textwrap.indent(f"{HONEST[name]}\nreturn x * x", "    ")
    assert two.run(Case(f"{imports}def solve(x):\n{body}", TESTS), LIMITS) == Report((True,))


MANY = """
import threading, time
for _ in range(400):
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
time.sleep(30)
"""


@pytest.mark.slow
def test_a_cell_with_too_many_threads_ends_its_program(two: Pair) -> None:
    session = Session(two.level, (), LIMITS)
    try:
        session.begin()
        with pytest.raises(Ended, match=f"more than {MOST_THREADS} threads"):
            session.run(MANY, 60.0)
        session.begin()
        assert session.run("1", 60.0) == "1\n"
    finally:
        session.close()


SETS = {
    "open": "os.close(os.open('x', os.O_CREAT | os.O_WRONLY, 0o4755))",
    "of the group": "os.close(os.open('x', os.O_CREAT | os.O_WRONLY, 0o2755))",
    "both": "os.close(os.open('x', os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o6777))",
    "without a name": "os.close(os.open('.', os.O_TMPFILE | os.O_WRONLY, 0o4700))",
    "a folder of the group": "os.mkdir('x', 0o2777)",
    "by an opener": "open('x', 'w', opener=lambda name, flags: os.open(name, flags, 0o4755))",
    "by number": "import ctypes, platform\n    libc = ctypes.CDLL(None, use_errno=True)\n"
    "    made = libc.syscall(257 if platform.machine() == 'x86_64' else 56, -100, b'x', 0o101, 0o4755)\n"
    "    if made < 0: raise PermissionError(ctypes.get_errno(), 'x')",
    "by chmod": "open('x', 'w').close()\n    os.chmod('x', 0o4755)",
}


@pytest.mark.parametrize("how", SETS)
def test_nothing_is_made_that_runs_as_its_owner(how: str, two: Pair) -> None:
    """Setuid and setgid are refused; where there is no sandbox, a program does what its user can do."""
    program = f"import os\ndef solve(x):\n    {SETS[how]}\n    return x * x"
    report = two.run(Case(program, TESTS), LIMITS)
    if two.level == "none":
        assert report.passed == (True,) or "OSError" in report.reason
    else:
        assert report.passed == (False,)
        assert "PermissionError" in report.reason or "Function not implemented" in report.reason


LINKS = """
import os, sys
names = ['cwd', 'exe', 'root', 'environ', 'cmdline', 'comm', 'maps', 'mem', *(f'fd/{i}' for i in range(64))]
found = []
for pid in (os.getppid(), 1, @parent@):
    for name in (*names, *(f'task/{pid}/{name}' for name in names)):
        for look in (os.readlink, os.listdir, lambda path: open(path, 'rb').read(99)):
            try:
                found.append((f'/proc/{pid}/{name}', look(f'/proc/{pid}/{name}')))
            except OSError:
                pass
def links(): return str(found)
"""
SHOWN = [
    "HOME",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "TMPDIR",
]


def test_arguments_and_links_of_other_processes_show_nothing(two: Pair) -> None:
    """Of the interpreter, the first process and ours; without a sandbox a program sees what its user sees."""
    program = LINKS.replace("@parent@", str(os.getpid())) if two.level != "none" else LINKS.partition("names =")[0]
    program += "def arguments(): return sys.argv + sys.orig_argv\ndef environment(): return sorted(os.environ)\n"
    tests = (
        "assert arguments() == ['program.py'] * 2",
        f"assert set(environment()) <= {{*{SHOWN}, 'LC_CTYPE', 'PWD'}}",
    )
    assert two.run(Case(program, tests), LIMITS) == Report((True, True))
    if two.level != "none":
        report = two.run(Case(program + "def show(): raise RuntimeError(links())", ("show()\nassert links()",)), LIMITS)
        assert "RuntimeError: []" in report.reason
