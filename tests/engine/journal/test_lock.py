"""One process at a time: who is kept out and who is not, and what becomes of the lock's file."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from searchkit import Journal, JournalError, Model, Params, Problem, Prompt, solve
from searchkit.cli import main
from searchkit.generators import Simulated
from searchkit.strategies import SelfConsistency
from searchkit.testing import Counting
from tests.attacks.journals import python, snapshot

HOLD = """
import asyncio, os, sys
from searchkit import Journal
with Journal(sys.argv[1]) as journal:
    asyncio.run(journal.put(b"k" * 16, "[]"))
    print("held", flush=True)
    sys.stdin.readline()
    try:
        asyncio.run(journal.put(b"l" * 16, "[]"))
    except Exception as error:
        print(error, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@pytest.fixture
def holder(path: Path) -> Iterator[Popen[str]]:
    """A process that has the journal open."""
    process = python(HOLD, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n", process.communicate()
    yield process
    process.kill()
    process.communicate()


def put(journal: Journal, key: bytes) -> None:
    asyncio.run(journal.put(key, "[]"))


@pytest.mark.slow
def test_the_holder_is_named_with_its_start(path: Path, holder: Popen[str]) -> None:
    """Pid and start time are those of the process, and the error says what works meanwhile."""
    with pytest.raises(JournalError) as caught:
        Journal(path)
    said = str(caught.value)
    found = re.search(rf"process {holder.pid}, started (\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d)", said)
    assert found, said
    began = time.mktime(time.strptime(found[1], "%Y-%m-%d %H:%M:%S"))
    assert 0 <= time.time() - began < 600
    assert "read_only=True" in said
    with Journal(path, read_only=True) as journal:
        assert journal.get(b"k" * 16) == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relative", "dots", "link", "linked-folder", "link-to-a-link"])
def test_by_whatever_name(name: str, path: Path, holder: Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file is held under all its names."""
    folder = path.parent
    monkeypatch.chdir(folder)
    (folder / "l1").symlink_to("run.db")
    (folder / "l2").symlink_to("l1")
    (folder / "f").symlink_to(folder)
    (folder / "sub").mkdir()
    other = {"relative": "run.db", "dots": folder / "sub/../run.db", "link": "l1", "link-to-a-link": "l2"}
    with pytest.raises(JournalError, match=rf"process {holder.pid}\b"):
        Journal(other.get(name, folder / "f" / "run.db"))


@pytest.mark.slow
def test_removing_the_locks_file_does_not_open_the_door_for_two(path: Path, holder: Popen[str]) -> None:
    """Who gets in then has it; the first is told at its next call, and stores nothing any more."""
    path.with_name("run.db-lock").unlink()
    with Journal(path) as journal:
        put(journal, b"m" * 16)
        assert "in use by process" in holder.communicate("\n")[0]
        put(journal, b"n" * 16)
    with Journal(path) as journal:
        assert [journal.get(letter * 16) for letter in (b"k", b"l", b"m", b"n")] == ["[]", None, "[]", "[]"]


def test_where_nobody_took_the_lock_its_file_is_made_again(path: Path) -> None:
    """Removed by somebody who thought that it was left over: the search goes on, and still keeps others out."""
    with Journal(path) as journal:
        path.with_name("run.db-lock").unlink()
        put(journal, b"a" * 16)
        assert path.with_name("run.db-lock").read_text().startswith(f"searchkit {os.getpid()} ")
    assert [p.name for p in path.parent.iterdir()] == ["run.db"]


@pytest.mark.slow
def test_a_hard_link_is_refused(path: Path, holder: Popen[str]) -> None:
    """SQLite's log stands beside one of the names only: writing by the other would lose what is in it."""
    (path.parent / "other.db").hardlink_to(path)
    with pytest.raises(JournalError, match="second name"):
        Journal(path.parent / "other.db")
    with Journal(path.parent / "other.db", read_only=True) as journal:
        assert journal.read_only


@pytest.mark.parametrize(
    "content",
    [b"", b"searchkit 1 2026-01-01 00:00:00", b"sea", b"searchkit ", b"searchkit 12 2026-0", bytes(21), bytes(1)],
)
def test_what_a_dead_holder_left_in_the_locks_file_does_not_matter(content: bytes, path: Path) -> None:
    """The lock is the system's, not the file's. Where the machine lost its power, zeros may stand in it."""
    path.with_name("run.db-lock").write_bytes(content)
    with Journal(path) as journal:
        put(journal, b"a" * 16)
    assert [p.name for p in path.parent.iterdir()] == ["run.db"]


FOREIGN = [  # no locks
    b"my notes, not a lock\n" * 3, b"\xff" * 500, b"x", b"99999999 now", b"12 2026-01-01 00:00:00", b"searchkit 12 now", bytes(100), b"\0\0x",
    b"{}", b"#!/bin/sh\n", b"12 34 56", b"1234", b" ", b"\n", b"2026-01-01 00:00:00", b"1" * 21,
]  # fmt: skip


def _database(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)"):
        db.execute(statement)
    db.close()


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize(
    ("suffix", "content"),
    [("-lock", content) for content in FOREIGN]
    + [(suffix, content) for suffix in ("-wal", "-shm", "-journal") for content in (*FOREIGN[:2], b"x", b"{}", b"SQLite format 3")],
)  # fmt: skip
def test_a_users_file_of_such_a_name_is_left(suffix: str, content: bytes, old: bool, path: Path) -> None:
    """What we or SQLite would write beside the journal is somebody's already: refused by its name, and nothing is
    touched; with another path both can be."""
    if old:
        with Journal(path) as journal:
            put(journal, b"a" * 16)
    path.with_name(path.name + suffix).write_bytes(content)
    before = snapshot(path.parent)
    with pytest.raises(JournalError, match=rf"run\.db{suffix}"):
        Journal(path)
    assert snapshot(path.parent) == before
    if old and suffix != "-lock":  # which says nothing of the rows
        assert main(["journal", "check", str(path)]) == 1
        assert main(["journal", "check", str(path), "--drop", str(path.with_name("copy.db"))]) == 0
        assert snapshot(path.parent).items() >= before.items()
    Journal(path.with_name("other.db")).close()


@pytest.mark.parametrize("suffix", ["-lock", "-wal", "-journal", "-shm"])
@pytest.mark.parametrize("make", [_database, lambda p: Journal(p).close(), Path.mkdir, os.mkfifo])
def test_another_journal_of_such_a_name_is_left(suffix: str, make: Callable[[Path], None], path: Path) -> None:
    """A journal, another database, a folder and a pipe: none is removed or waited for, in either order."""
    other = path.with_name(path.name + suffix)
    make(other)
    before = snapshot(path.parent)
    with pytest.raises(JournalError, match=r"run\.db"):
        Journal(path)
    assert snapshot(path.parent) == before


@pytest.mark.parametrize("suffix", ["-lock", "-wal", "-shm"])
def test_a_journal_is_not_made_over_one_that_is_open(suffix: str, path: Path) -> None:
    with Journal(path) as journal:
        put(journal, b"a" * 16)
        with pytest.raises(JournalError):
            Journal(path.with_name(path.name + suffix))
        put(journal, b"b" * 16)
    with Journal(path) as journal:
        assert len(journal) == 2
    assert [p.name for p in path.parent.iterdir()] == ["run.db"]


@pytest.mark.skipif(sys.platform == "win32", reason="fcntl")
@pytest.mark.parametrize("content", [b"", b"\x1b[2J 2026", b"12 \x1b]0;owned\x07", b"\xff" * 500, b"12", b"-1 x"])
def test_what_stands_in_a_held_locks_file_is_not_trusted(content: bytes, path: Path) -> None:
    """Somebody else's lock with any content: refused, in one line, without what a terminal obeys."""
    import fcntl

    with path.with_name("run.db-lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(content)
        file.flush()
        with pytest.raises(JournalError, match=r"in use by (another )?process") as caught:
            Journal(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("make", [Path.mkdir, lambda p: p.symlink_to("/etc/passwd"), lambda p: p.symlink_to(p)])
def test_a_locks_file_that_is_none(make: object, path: Path) -> None:
    """A folder, or a link to somebody else's file: refused, and that is left alone."""
    make(path.with_name("run.db-lock"))  # type: ignore[operator]
    before = Path("/etc/passwd").read_bytes()
    with pytest.raises(JournalError, match=r"run\.db"):
        Journal(path)
    assert Path("/etc/passwd").read_bytes() == before


def test_one_process_shares_it(path: Path) -> None:
    """Several journals of a process on one file, from several threads: all write, and the last lets go."""
    with Journal(path) as first:
        with Journal(path) as second:
            put(second, b"b" * 16)
        assert path.with_name("run.db-lock").exists()
        others = [threading.Thread(target=lambda i=i: _open_and_put(path, bytes([i]) * 16)) for i in range(8)]
        for thread in others:
            thread.start()
        for thread in others:
            thread.join()
        put(first, b"a" * 16)
    assert [p.name for p in path.parent.iterdir()] == ["run.db"]
    with Journal(path) as journal:
        assert len(journal) == 10


def _open_and_put(path: Path, key: bytes) -> None:
    with Journal(path) as journal:
        put(journal, key)


def test_two_searches_of_one_process(path: Path) -> None:
    """Side by side on one path, each with a journal of its own; together they are replayed unpaid."""
    backend = Counting(Simulated({"a": 1.0}))
    model = Model(backend, Params(max_tokens=4))

    async def both() -> list[int]:
        problems = [Problem(name, Prompt.of(name)) for name in "xy"]
        work = [solve(one, SelfConsistency(4, key=str), generator=model, journal=path) for one in problems]
        return [result.paid.model_calls for result in await asyncio.gather(*work)]

    assert asyncio.run(both()) == [4, 4]
    assert asyncio.run(both()) == [0, 0]
    assert backend.calls == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_does_not_keep_it_and_cannot_write(path: Path) -> None:
    """A copy of the process that outlives its parent's journal: it is refused while that is open, and holds nothing."""
    ready, told = os.pipe()
    with Journal(path) as journal:
        if (pid := os.fork()) == 0:
            said = []
            for action in (lambda: journal.get(b"a" * 16), lambda: Journal(path)):
                try:
                    action()
                    said.append("no error")
                except JournalError as error:
                    said.append(str(error))
            journal.close()
            os.write(told, "|".join(said).encode())
            signal.pause()
        said = os.read(ready, 4000).decode().split("|")
        put(journal, b"a" * 16)
    try:
        assert "is closed" in said[0]
        assert f"process {os.getpid()}" in said[1]
        with Journal(path) as again:  # the child still lives
            assert again.get(b"a" * 16) == "[]"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_where_there_are_no_locks_nobody_is_kept_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where fcntl is missing: journals work."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with Journal(path) as journal:
        put(journal, b"a" * 16)
    with Journal(path) as journal:
        assert len(journal) == 1


@pytest.mark.slow
def test_a_process_that_becomes_another_program_lets_go(path: Path) -> None:
    """The same pid, another program: it has no journal."""
    process = python(HOLD.replace("sys.stdin.readline()", "os.execvp('sleep', ['sleep', '60'])"), path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                Journal(path).close()
                break
            except JournalError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_commands_look_at_a_held_one(path: Path, holder: Popen[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Also to write a copy, which is nobody's."""
    assert main(["journal", "check", str(path), "--drop", str(path.with_name("copy.db"))]) == 0
    with Journal(path.with_name("copy.db")) as journal:
        assert len(journal) == 1
    assert main(["journal", "show", "--json", str(path)]) == 0
    assert '"row": 1' in capsys.readouterr().out
