"""One process at a time: a second is told who holds the journal; the dead hold nothing; and reading is always possible."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchkit import Journal, JournalError
from searchkit.cli import main
from tests.attacks.hostile import case
from tests.attacks.journals import check, counting, python, search, show, snapshot

pytestmark = pytest.mark.slow

HOLD = """
import asyncio, sys
from searchkit import Journal
with Journal(sys.argv[1]) as journal:
    asyncio.run(journal.put(b"k" * 16, "[]"))
    print("held", flush=True)
    sys.stdin.readline()
"""
# As somebody else, if the second argument says whom: after a search elsewhere, which loads all that is loaded late.
SEARCH = """
import json, os, sys, tempfile
from pathlib import Path
from tests.attacks.hostile import Hostile
from tests.attacks.journals import answer, search
from searchkit import JournalError
if len(sys.argv) > 2:
    with Hostile(answer) as server, tempfile.TemporaryDirectory() as folder:
        search(Path(folder) / "warm.db", server)
        search(Path(folder) / "warm.db", server)
    os.setuid(int(sys.argv[2]))
with Hostile(answer) as server:
    try:
        found, error = repr(search(Path(sys.argv[1]), server)), None
    except JournalError as problem:
        found, error = None, str(problem)
print(json.dumps({"found": found, "error": error, "paid": len(server.asked)}))
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A journal, and the process that has it open."""
    path = tmp_path / "run.db"
    process = python(HOLD, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n", process.communicate()
    yield path, process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_holds_it(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """The pid of the holder and the path, from opening alone."""
    path, process = held
    with pytest.raises(JournalError, match=rf"\b{process.pid}\b") as caught:
        Journal(path)
    assert str(path) in str(caught.value)


def test_a_second_process_is_told_since_when(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """The start time of the holder: a date or a time of day."""
    with pytest.raises(JournalError, match=r"\d\d:\d\d|\d{4}-\d\d-\d\d"):
        Journal(held[0])


def test_a_search_on_a_held_journal_pays_nothing(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """Refused before the first request."""
    with counting() as server, pytest.raises(JournalError):
        search(held[0], server)
    assert server.asked == []


def test_a_stopped_holder_holds(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """SIGSTOP is not death."""
    held[1].send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(JournalError):
            Journal(held[0])
    finally:
        held[1].send_signal(signal.SIGCONT)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_the_lock_of_a_dead_holder_falls(how: signal.Signals, held: tuple[Path, subprocess.Popen[str]]) -> None:
    """Killed: the next opens it, and finds what was acknowledged."""
    path, process = held
    process.send_signal(how)
    process.wait()
    with Journal(path) as journal:
        assert journal.get(b"k" * 16) == "[]"


def test_the_lock_of_a_zombie_falls(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """Dead, and not yet waited for by its parent."""
    path, process = held
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    Journal(path).close()


def test_after_a_clean_end_it_is_free(held: tuple[Path, subprocess.Popen[str]]) -> None:
    path, process = held
    process.communicate("\n")
    Journal(path).close()
    assert [p.name for p in path.parent.iterdir()] == ["run.db"] or path.exists()


def test_a_link_to_a_held_journal_is_held(held: tuple[Path, subprocess.Popen[str]], tmp_path: Path) -> None:
    """Another name of the same file."""
    (tmp_path / "other.db").symlink_to(held[0])
    with pytest.raises(JournalError):
        Journal(tmp_path / "other.db")


def test_a_copy_of_a_held_journal_is_free(held: tuple[Path, subprocess.Popen[str]], tmp_path: Path) -> None:
    """A lock does not travel with the bytes."""
    copy = Path(shutil.copy(held[0], tmp_path / "copy.db"))
    Journal(copy).close()


@pytest.mark.parametrize("command", [case("check", check), case("show", show)])
def test_looking_at_a_held_journal(command: Any, held: tuple[Path, subprocess.Popen[str]]) -> None:
    """`check` and `show` only read: they work while a search goes on."""
    assert main(command(held[0])) == 0


def test_a_child_of_the_holder_does_not_keep_it(tmp_path: Path) -> None:
    """A program that a holder started, and that outlives it, holds nothing."""
    script = HOLD.replace(
        "    sys.stdin",
        "    import subprocess; p = subprocess.Popen(['sleep', '60'], close_fds=False); print(p.pid, flush=True)\n    sys.stdin",
    )
    process = python(script, tmp_path / "run.db")
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    try:
        Journal(tmp_path / "run.db").close()
    finally:
        os.kill(child, signal.SIGKILL)


def test_two_searches_at_once(tmp_path: Path) -> None:
    """Two processes on one journal: one ends, the other is refused or ends later; nobody pays twice, nobody is wrong."""
    path = tmp_path / "run.db"
    both = [python(SEARCH, path) for _ in range(2)]
    found = [json.loads(process.communicate()[0].splitlines()[-1]) for process in both]
    ended = [one for one in found if one["error"] is None]
    assert ended
    assert sum(one["paid"] for one in found) == 10
    assert all(str(path) in one["error"] for one in found if one["error"])


def test_locked_by_another_program(tmp_path: Path) -> None:
    """A browser of databases that holds a lock on the file: an error of ours within seconds, and nothing is paid."""
    path = tmp_path / "run.db"
    with counting() as server:
        search(path, server)
        paid = len(server.asked)
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalError, match=r"run\.db"):
            search(path, server)
        db.close()
    assert len(server.asked) == paid


# Read-only: run as somebody who may not write, since root may do everything.
NOBODY = 65534


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that anybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="becomes another user")
@pytest.mark.parametrize(
    ("file", "folder"), [case("file", 0o444, 0o777), case("folder", 0o666, 0o555), case("both", 0o444, 0o555)]
)
def test_a_read_only_journal_replays(file: int, folder: int, public: Path) -> None:
    """Pure replay: the same search, nothing paid, not a byte changed, no file added."""
    path = public / "run.db"
    with counting() as server:
        whole = repr(search(path, server))
    path.chmod(file)
    public.chmod(folder)
    before = snapshot(public)
    out, err = python(SEARCH, path, NOBODY).communicate()
    found = json.loads(out.splitlines()[-1]) if out else err
    assert found == {"found": whole, "error": None, "paid": 0}
    assert snapshot(public) == before


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="becomes another user")
@pytest.mark.parametrize(
    ("file", "folder"), [case("file", 0o444, 0o777), case("folder", 0o666, 0o555), case("both", 0o444, 0o555)]
)
def test_a_read_only_journal_that_is_not_whole(file: int, folder: int, public: Path) -> None:
    """A call is missing: an error of ours that says that it cannot be written, before it is paid."""
    path = public / "run.db"
    Journal(path).close()
    path.chmod(file)
    public.chmod(folder)
    out, err = python(SEARCH, path, NOBODY).communicate()
    found = json.loads(out.splitlines()[-1]) if out else {"error": err, "paid": None}
    assert found["error"], found
    assert str(path) in found["error"]
    assert "read" in found["error"] or "permission" in found["error"].lower()
    assert found["paid"] == 0


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="becomes another user")
def test_a_journal_that_may_not_be_read(public: Path) -> None:
    """An error of ours that names it."""
    path = public / "run.db"
    Journal(path).close()
    path.chmod(0)
    out, err = python(SEARCH, path, NOBODY).communicate()
    assert str(path) in (json.loads(out.splitlines()[-1])["error"] if out else err)
    assert "Traceback" not in err
